import os
from pathlib import Path

import pytest

from bench import stamps
from bench.datasets.images import digest
from bench.datasets.stamps import content_digest
from bench.stamps import cache_folder, remembered


@pytest.fixture
def large(monkeypatch):
    """Every set counts as large."""
    monkeypatch.setattr(stamps, "SMALL", 0)


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "set" / f"{k}.bin" for k in range(3)]
    paths[0].parent.mkdir()
    for k, path in enumerate(paths):
        path.write_bytes(bytes([k]) * 10)
    return paths


class Counter:
    """Finds out something new at every look."""

    looks = 0

    def __call__(self) -> str:
        self.looks += 1
        return f"look {self.looks} é"


def test_small_sets_are_looked_at_anew(files, cache):
    look = Counter()
    assert [remembered("count", files, look) for _ in range(2)] == ["look 1 é", "look 2 é"]
    assert not cache.exists()


def test_large_sets_are_remembered_in_any_order_of_their_files(files, large, cache):
    look = Counter()
    assert remembered("count", files, look) == remembered("count", {*files}, look) == "look 1 é"
    assert cache_folder() == cache and len(list(cache.iterdir())) == 1


def rewrite(files: list[Path]) -> list[Path]:
    times = files[0].stat()
    files[0].write_bytes(b"longer than before")
    os.utime(files[0], ns=(times.st_atime_ns, times.st_mtime_ns))
    return files


def touch(files: list[Path]) -> list[Path]:
    os.utime(files[1], ns=(0, files[1].stat().st_mtime_ns + 1))
    return files


def rename(files: list[Path]) -> list[Path]:
    return [files[0].rename(files[0].with_name("new.bin")), *files[1:]]


def remove(files: list[Path]) -> list[Path]:
    return files[1:]


@pytest.mark.parametrize("change", [rewrite, touch, rename, remove])
def test_files_that_change_are_looked_at_again(files, large, change):
    look = Counter()
    remembered("count", files, look)
    assert remembered("count", change(files), look) == "look 2 é"


def test_different_knowledge_of_the_same_files_is_kept_apart(files, large):
    look = Counter()
    assert remembered("count", files, look) != remembered("other count", files, look)


DAMAGED = {"empty": b"", "short": b"x", "binary": b"\xff\xfe", "of another checksum": b"0" * 64 + b"\nlook 9"}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_note_is_replaced(files, large, cache, damage):
    look = Counter()
    remembered("count", files, look)
    (note,) = cache.iterdir()
    note.write_bytes(damage)
    assert [remembered("count", files, look) for _ in range(2)] == ["look 2 é"] * 2


def test_a_note_that_was_cut_short_is_replaced(files, large, cache):
    look = Counter()
    remembered("count", files, look)
    (note,) = cache.iterdir()
    note.write_bytes(note.read_bytes()[:-3])
    assert remembered("count", files, look) == "look 2 é"


def test_nothing_found_is_remembered_too(files, large):
    assert remembered("findings", files, lambda: "") == ""
    assert remembered("findings", files, Counter()) == ""


def test_without_a_place_for_notes_all_works(files, large, cache):
    cache.parent.write_text("a file where the folder should be")
    look = Counter()
    assert [remembered("count", files, look) for _ in range(2)] == ["look 1 é", "look 2 é"]


def test_an_error_is_not_remembered(files, large):
    def fail() -> str:
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        remembered("count", files, fail)
    assert remembered("count", files, Counter()) == "look 1 é"


def test_digests_of_large_and_small_sets_are_the_same(files, monkeypatch):
    base = files[0].parent
    small = content_digest(files, base)
    monkeypatch.setattr(stamps, "SMALL", 0)
    assert [content_digest(files, base) for _ in range(2)] == [small] * 2
    assert content_digest(files, base.parent) == digest(files, base.parent) != small


def test_the_folder_of_notes_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine" / "slkd-bench"
    for unset in ("", None):
        if unset is None:
            monkeypatch.delenv("XDG_CACHE_HOME")
        else:
            monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert cache_folder() == Path.home() / ".cache" / "slkd-bench"
