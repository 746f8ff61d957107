import os
import subprocess

import pytest

from bench.provenance import provenance


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository of one file, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code.py").write_text("x = 1\n")
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for command in (("init",), ("add", "code.py"), (*identity, "commit", "--message", "x")):
        subprocess.run(["git", *command], check=True, capture_output=True)
    return tmp_path


def about():
    provenance.cache_clear()
    return provenance()


@pytest.fixture(autouse=True)
def forgotten():
    yield
    provenance.cache_clear()


def test_a_changed_file_makes_a_checkout_dirty(checkout):
    clean = about()
    assert len(clean["commit"]) == 40 and not clean["is_dirty"] and not clean["diff_sha256"]
    (checkout / "notes.txt").write_text("no code")
    assert not about()["is_dirty"]
    (checkout / "code.py").write_text("x = 2\n")
    dirty = about()
    assert dirty["commit"] == clean["commit"] and dirty["is_dirty"] and len(dirty["diff_sha256"]) == 64


def test_looking_at_a_checkout_writes_nothing_there(checkout):
    """Git's index would be locked for that, and stay locked where the run is killed meanwhile."""
    os.utime(checkout / "code.py", (10**9, 10**9))  # what git compares first differs now
    index = checkout / ".git" / "index"
    before = index.read_bytes()
    assert not about()["is_dirty"]
    assert index.read_bytes() == before


def test_outside_a_checkout_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = about()
    assert found["commit"] is None and not found["is_dirty"]
