"""Archives as authors distribute them are imported; archives that would do harm are refused before they do any."""

import io
import shutil
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench.__main__ import app
from bench.datasets import unpack as unpacking
from bench.datasets.archive import SUFFIXES, TarArchive, ZipArchive
from bench.datasets.unpack import unpack
from tests.conftest import write_pairs

DATASET = "rain12"
ARCHIVES = {".zip": ZipArchive, ".tar": TarArchive}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A Rain12 of two pairs: content by path below the set's folder."""
    root = tmp_path_factory.mktemp("images")
    write_pairs(root / "test", 2)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.png"))}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def tar_member(name, content=b"x", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def write_tar(path, members, mode="w"):
    with tarfile.open(path, mode) as file:
        for info, content in members:
            file.addfile(info, io.BytesIO(content))
    return path


def zip_member(name, content=b"x", mode=stat.S_IFREG | 0o644, system=3):
    # The constructor cuts names at a null byte and, on Windows, turns backslashes.
    info = zipfile.ZipInfo("name")
    info.filename, info.external_attr, info.create_system = name, mode << 16, system
    info.compress_type = zipfile.ZIP_DEFLATED
    return info, content


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for info, content in members:
            file.writestr(info, content)
    return path


def write_archive(path, contents):
    """An archive of the kind that its name says, of plain files."""
    if path.suffix == ".zip":
        return write_zip(path, [zip_member(*item) for item in contents.items()])
    mode = {".tar": "w", ".tgz": "w:gz", ".gz": "w:gz", ".xz": "w:xz"}[path.suffix]
    return write_tar(path, [tar_member(*item) for item in contents.items()], mode)


def imported(archive):
    return CliRunner().invoke(app, ["data", "import", DATASET, "--from", str(archive)])


def refusal(archive):
    """The message by which an import is refused, which leaves nothing behind."""
    done = imported(archive)
    assert isinstance(done.exception, ValueError | FileNotFoundError), done.output
    assert not Path("datasets").exists() or not any(Path("datasets").iterdir())
    assert not Path("outside").exists() and not Path("datasets/outside").exists()
    return str(done.exception)


def below(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".ZIP"])
@pytest.mark.parametrize("top", ["", "Rain 12 ü/"])
def test_an_archive_is_unpacked_and_checked(images, suffix, top):
    name = f"down{suffix}"
    archive = write_archive(Path(name.lower()), {f"{top}{path}": content for path, content in images.items()})
    done = imported(archive.rename(name))
    assert done.exit_code == 0, done.output
    assert below(Path("datasets/rain12")) == images
    assert "published with 12 images, found 2" in done.output
    assert "datasets/rain12: unpacked; to version it: dvc add datasets/rain12" in done.output
    assert [path.name for path in Path("datasets").iterdir()] == ["rain12"]


def test_a_folder_is_the_set_where_its_layout_is_not_at_the_top(images):
    """Rain12 may lie in a folder of its own by its declared layout too; then that folder is kept."""
    content = next(iter(images.values()))
    archive = write_archive(Path("a.zip"), {"Rain12/001_in.png": content, "Rain12/001_GT.png": content})
    assert imported(archive).exit_code == 0
    assert below(Path("datasets/rain12")).keys() == {"Rain12/001_in.png", "Rain12/001_GT.png"}


def test_a_zip_of_windows_has_backslashes(images):
    members = [zip_member(f"Rain12\\{path.replace('/', chr(92))}", c, 0, system=0) for path, c in images.items()]
    archive = write_zip(Path("a.zip"), [zip_member("Rain12\\", b"", 0, system=0), *members])
    assert imported(archive).exit_code == 0
    assert below(Path("datasets/rain12")) == images


@pytest.mark.parametrize("suffix", [".zip", ".tar"])
def test_what_macos_adds_is_left_out(images, suffix):
    added = {"__MACOSX/Rain12/._test": b"", "Rain12/.DS_Store": b"", "Rain12/test/.DS_Store": b""}
    archive = write_archive(Path(f"a{suffix}"), added | {f"Rain12/{path}": c for path, c in images.items()})
    assert imported(archive).exit_code == 0
    assert below(Path("datasets/rain12")) == images


def test_permissions_are_those_of_any_new_file(images):
    members = [tar_member(path, c, mode=0o4777 if "0" in path else 0o000) for path, c in images.items()]
    archive = write_tar(Path("a.tar"), [tar_member("test", b"", type=tarfile.DIRTYPE, mode=0o000), *members])
    assert imported(archive).exit_code == 0
    Path("new").touch()
    Path("folder").mkdir()
    for path in Path("datasets/rain12").rglob("*"):
        assert path.stat().st_mode == Path("folder" if path.is_dir() else "new").stat().st_mode


def test_links_inside_the_set_are_kept(images):
    moved = {path.replace("target", "clean"): content for path, content in images.items()}
    link = {"type": tarfile.SYMTYPE, "linkname": "../test/clean"}
    first, second = (path for path in moved if "clean" in path)
    twice = tar_member("again.png", b"", type=tarfile.LNKTYPE, linkname=f"./{first}")
    members = [tar_member(*item) for item in moved.items()]
    write_tar(Path("a.tar"), [tar_member("test/target", b"", **link), *members, twice])
    unpack(Path("a.tar"), Path("out"))
    assert Path("out/test/target").readlink() == Path("../test/clean")
    assert Path("out/test/target", Path(second).name).read_bytes() == moved[second]
    assert Path("out/again.png").read_bytes() == moved[first]
    write_zip(Path("a.zip"), [zip_member("l", b"test/clean", stat.S_IFLNK | 0o777), *map(zip_member, moved)])
    unpack(Path("a.zip"), Path("out_of_zip"))
    assert Path("out_of_zip/l").readlink() == Path("test/clean")


def symbolic(name, target):
    return tar_member(name, b"", type=tarfile.SYMTYPE, linkname=target)


def hard(name, target):
    return tar_member(name, b"", type=tarfile.LNKTYPE, linkname=target)


TAR_ATTACKS = {
    "an absolute path": ([tar_member("/tmp/outside")], "'/tmp/outside' would be written outside"),
    "a drive": ([tar_member("C:/outside")], "'C:/outside' would be written outside"),
    "a path that climbs": ([tar_member("a/../../outside")], "'a/../../outside' would be written outside"),
    "a path that climbs with backslashes": ([tar_member("..\\outside")], "would be written outside"),
    "the folder itself as a file": ([tar_member("a/..")], "'a/..' would be written outside"),
    "a link that climbs": ([symbolic("l", "../outside")], "'l' is a link out of the set's folder, to '../outside'"),
    "a link to the root": ([symbolic("l", "/etc")], "'l' is a link out of the set's folder, to '/etc'"),
    "a link to nothing": ([symbolic("l", "")], "'l' is a link out of the set's folder, to ''"),
    "a link that climbs and comes back": ([symbolic("t/l", "../../a/t/x")], "'t/l' is a link out"),
    "a link out of the only folder": ([symbolic("Rain12/l", "../x"), tar_member("Rain12/x")], "is a link out of"),
    "a link through a link": (
        [symbolic("a/b/l", "../.."), symbolic("m", "a/b/l/../outside")],
        "'m' is a link through another one, to 'a/b/l/../outside'",
    ),
    "a hard link that climbs": ([hard("h", "../outside")], "'h' is a second name of '../outside'"),
    "a hard link to a file of the system": ([hard("h", "/etc/passwd")], "'h' is a second name of '/etc/passwd'"),
    "a hard link to a link": ([symbolic("l", "x"), hard("h", "l")], "'h' is a second name of 'l'"),
    "a hard link to a later file": ([hard("h", "x"), tar_member("x")], "'h' is a second name of 'x'"),
    "a file written through a link": ([symbolic("l", "x"), tar_member("l/y")], "'l/y' would be written through a link"),
    "a file written through a later link": (
        [tar_member("l/y"), tar_member("x/z"), symbolic("l", "x")],
        "'l/y' would be written through a link",
    ),
    "a file written over a link": ([symbolic("l", "x"), tar_member("l")], "'l' would take the place of 'l'"),
    "a pipe": ([tar_member("p", b"", type=tarfile.FIFOTYPE)], "'p' would be neither a file"),
    "a device": ([tar_member("d", b"", type=tarfile.CHRTYPE)], "'d' would be neither a file"),
    "a disk": ([tar_member("d", b"", type=tarfile.BLKTYPE)], "'d' would be neither a file"),
    "a member that is there twice": ([tar_member("a"), tar_member("a")], "'a' would take the place of 'a'"),
    "another way to write a path": ([tar_member("a"), tar_member("./b/../a")], "would take the place of 'a'"),
    "names that differ in case": ([tar_member("a/B"), tar_member("a/b")], "'a/b' would take the place of 'a/B'"),
    "folders that differ in case": ([tar_member("A/b"), tar_member("a/c")], "'a/c' would take the place of 'A'"),
    "accents in two spellings": ([tar_member("\u00e9"), tar_member("e\u0301")], "would take the place of"),
    "a file that is a folder": ([tar_member("a"), tar_member("a/b")], "'a/b' would take the place of 'a'"),
    "a name that is too long": ([tar_member("n" * 300)], "has a name that no file can have"),
}  # fmt: skip


@pytest.mark.parametrize("attack", TAR_ATTACKS)
@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_a_harmful_tar_is_refused_by_the_name_of_the_member(attack, suffix, images):
    members, message = TAR_ATTACKS[attack]
    benign = [tar_member(*item) for item in images.items()] if "only" not in attack else []
    archive = write_tar(Path(f"a{suffix}"), [*benign, *members], f"w:{suffix.removeprefix('.tar').lstrip('.')}")
    text = refusal(archive)
    assert text.startswith(f"{archive}: its member ") and message in text and "nothing of it was unpacked" in text


@pytest.mark.parametrize("members", [[tar_member("../outside")], [symbolic("l", "../outside")], [hard("h", "../out")]])
def test_the_library_is_a_second_line_of_defence(members, monkeypatch):
    for check in ("_refuse_odd_paths", "_refuse_odd_links", "_refuse_clashes"):
        monkeypatch.setattr(unpacking, check, lambda members: None)
    assert "outside the destination" in refusal(write_tar(Path("a.tar"), members))


def test_links_are_written_last(monkeypatch):
    written = []
    monkeypatch.setattr(TarArchive, "write", lambda archive, member, target: written.append(member.name))
    unpack(
        write_tar(Path("a.tar"), [symbolic("l", "b"), tar_member("a"), hard("h", "a"), tar_member("b")]), Path("out")
    )
    assert written == ["a", "b", "l", "h"]


ZIP_ATTACKS = {
    "an absolute path": ([zip_member("/tmp/outside")], "'/tmp/outside' would be written outside"),
    "a path that climbs": ([zip_member("../outside")], "'../outside' would be written outside"),
    "backslashes that climb": ([zip_member("a\\..\\..\\outside")], "would be written outside"),
    "a drive": ([zip_member("D:\\outside")], "would be written outside"),
    "a share": ([zip_member("\\\\host\\share\\outside")], "would be written outside"),
    "a link that climbs": ([zip_member("l", b"../outside", stat.S_IFLNK)], "'l' is a link out of the set's folder"),
    "a link of great length": ([zip_member("l", b"x" * 5000, stat.S_IFLNK)], "a link to a path of 5,000 bytes"),
    "a file written through a link": (
        [zip_member("l", b"x", stat.S_IFLNK), zip_member("l/y")], "'l/y' would be written through a link",
    ),
    "a pipe": ([zip_member("p", b"", stat.S_IFIFO)], "'p' would be neither a file"),
    "a device": ([zip_member("d", b"", stat.S_IFBLK)], "'d' would be neither a file"),
    "a member that is there twice": ([zip_member("a"), zip_member("b/../a")], "would take the place of 'a'"),
    "names that differ in case": ([zip_member("a/B"), zip_member("a/b")], "'a/b' would take the place of 'a/B'"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ZIP_ATTACKS)
def test_a_harmful_zip_is_refused_by_the_name_of_the_member(attack, images):
    members, message = ZIP_ATTACKS[attack]
    text = refusal(write_zip(Path("a.zip"), [*(zip_member(*item) for item in images.items()), *members]))
    assert text.startswith("a.zip: its member ") and message in text and "nothing of it was unpacked" in text


def rewritten(path, find, offset, layout, change):
    """Changes a number in an archive: that of the given layout, so many bytes after the last place of a mark."""
    content = bytearray(path.read_bytes())
    place = content.rindex(find) + offset
    struct.pack_into(layout, content, place, change(struct.unpack_from(layout, content, place)[0]))
    path.write_bytes(content)
    return path


CENTRAL = b"PK\x01\x02"
FLAGS, CHECKSUM, DECLARED = 8, 16, 24
"""Where in the central directory of a zip a member's flags, checksum and size stand."""


def test_an_encrypted_zip_is_refused(images):
    archive = rewritten(write_archive(Path("a.zip"), images), CENTRAL, FLAGS, "<H", lambda flags: flags | 1)
    assert "img-1.png' is encrypted: unpack it yourself" in refusal(archive)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_is_longer_than_it_declares_is_refused(compression):
    content = np.random.default_rng(0).bytes(10**6)
    with zipfile.ZipFile("a.zip", "w", compression) as file:
        file.writestr("bomb.png", content)
    rewritten(Path("a.zip"), CENTRAL, DECLARED, "<I", lambda size: 10)
    rewritten(Path("a.zip"), CENTRAL, CHECKSUM, "<I", lambda crc: zipfile.crc32(content[:10]))
    with zipfile.ZipFile("a.zip") as file:
        assert len(file.read("bomb.png")) == 10  # what the library makes of it, without a word
    assert "'bomb.png' is longer than the 10 bytes it declares" in refusal(Path("a.zip"))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_would_fill_the_disk_is_refused_by_its_declared_size(suffix, images, monkeypatch):
    archive = write_archive(Path(f"a{suffix}"), images | {"bomb.png": bytes(10**6)})
    usage = shutil.disk_usage(".")._replace(free=10**6)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: usage)
    assert "'bomb.png' would fill the disk: 1," in refusal(archive)
    usage = usage._replace(free=2 * 10**6)
    assert imported(archive).exit_code == 0


def test_a_tar_that_declares_more_than_it_has_is_refused_without_reading_it():
    info = tarfile.TarInfo("bomb.png")
    info.size = 2**62
    Path("a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    assert "'bomb.png' would fill the disk" in refusal(Path("a.tar"))


@pytest.mark.parametrize(
    ("kind", "size", "message"),
    [
        (tarfile.REGTYPE, -512, "'img.png' leads backwards"),
        (tarfile.REGTYPE, -1024, "'img.png' leads backwards"),
        (tarfile.XHDTYPE, -512, "declares -512 bytes of its own"),
        (tarfile.XHDTYPE, 2**33, "declares 8,589,934,592 bytes of its own"),
        (tarfile.GNUTYPE_LONGNAME, -1024, "declares -1,024 bytes of its own"),
        (tarfile.GNUTYPE_LONGNAME, 2**33, "declares 8,589,934,592 bytes of its own"),
    ],
)
def test_headers_that_lead_backwards_or_demand_memory_are_refused(kind, size, message):
    info = tarfile.TarInfo("img.png")
    info.size, info.type = size, kind
    plain, content = tar_member("a.png")
    Path("a.tar").write_bytes(plain.tobuf() + content.ljust(512, b"\0") + info.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    assert message in refusal(Path("a.tar"))


def test_headers_that_nest_without_end_are_refused():
    info = tarfile.TarInfo("name")
    info.size, info.type = 0, tarfile.XHDTYPE
    Path("a.tar").write_bytes(info.tobuf() * 5000)
    assert "a.tar: damaged" in refusal(Path("a.tar"))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_download_that_was_cut_off_is_refused(suffix, share, images):
    archive = write_archive(Path(f"a{suffix}"), images)
    whole = archive.read_bytes()
    whole = whole.rstrip(b"\0") if suffix == ".tar" else whole  # padding is no loss
    archive.write_bytes(whole[: int(share * len(whole))])
    text = refusal(archive)
    assert text.startswith(f"{archive}: damaged, or no such archive (") and "download it again" in text


@pytest.mark.parametrize("suffix", [".zip", ".tar.gz", ".tar.xz"])
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_damaged_byte_is_found_before_anything_is_written(suffix, share, images, monkeypatch):
    archive = write_archive(Path(f"a{suffix}"), images)
    content = bytearray(archive.read_bytes())
    content[int(share * len(content))] ^= 0x10
    archive.write_bytes(content)
    monkeypatch.setattr(Path, "mkdir", lambda *arguments, **settings: pytest.fail("a folder was made"))
    with pytest.raises(ValueError, match=rf"a{suffix}: damaged"):
        unpack(archive, Path("out"))


def test_a_page_in_place_of_a_download_is_refused():
    for suffix in SUFFIXES:
        Path(f"a{suffix}").write_text("<html>Sign in to download</html>")
        assert "damaged, or no such archive" in refusal(Path(f"a{suffix}"))


def test_other_files_are_no_archives(images):
    Path("a.rar").write_bytes(b"Rar!")
    assert "expected an archive (.zip, .tar, .tar.gz, .tgz, .tar.xz) or the folder" in refusal(Path("a.rar"))
    assert "found nothing" in refusal(Path("gone.zip"))


def test_an_archive_of_another_set_is_refused(images):
    archive = write_archive(Path("a.tar"), {"Other/readme.txt": b"", "Other/more/1.txt": b""})
    assert "a.tar: no images of rain12; found more, readme.txt; expected one of\n  {number}_in.png" in refusal(archive)


def test_an_archive_without_members_is_refused():
    assert "no images of rain12; found nothing" in refusal(write_archive(Path("a.zip"), {}))


def test_a_pair_that_is_not_complete_is_named_as_the_archive_has_it(images):
    lonely = dict(list(images.items())[:-1])
    text = refusal(write_archive(Path("a.zip"), {f"Top/{path}": content for path, content in lonely.items()}))
    assert text.startswith("a.zip: 1 image(s) without a partner: Top/test/input/img-1.png")


@pytest.mark.parametrize("suffix", ARCHIVES)
def test_an_interrupt_leaves_nothing_behind(suffix, images, monkeypatch):
    archive = write_archive(Path(f"a{suffix}"), images)

    def interrupted(*arguments):
        assert any(Path("datasets/.rain12.partial").iterdir())
        raise KeyboardInterrupt

    write = ARCHIVES[suffix].write
    steps = iter([write, write, interrupted])
    monkeypatch.setattr(ARCHIVES[suffix], "write", lambda *arguments: next(steps)(*arguments))
    assert imported(archive).exit_code == 130
    assert not any(Path("datasets").iterdir())


def test_what_an_interrupt_by_force_left_is_replaced(images):
    left = Path("datasets/.rain12.partial/test/old.png")
    left.parent.mkdir(parents=True)
    left.touch()
    assert imported(write_archive(Path("a.zip"), images)).exit_code == 0
    assert below(Path("datasets/rain12")) == images and len(list(Path("datasets").iterdir())) == 1


def test_a_set_that_is_there_is_not_replaced(images):
    archive = write_archive(Path("a.zip"), images)
    imported(archive)
    assert "already there; to import another one, remove it first" in str(imported(archive).exception)
    assert below(Path("datasets/rain12")) == images


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(SUFFIXES), edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), min_size=1))
def test_a_damaged_archive_is_refused_or_unpacked_inside_its_folder(suffix, edits, tmp_path):
    contents = {"a/b.png": bytes(range(256)) * 3, "a/c.png": b"", "d.txt": b"text"}
    folder = tmp_path / "fuzzed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    archive = write_archive(folder / f"a{suffix}", contents)
    content = bytearray(archive.read_bytes())
    for share, piece in edits:
        place = int(share * len(content))
        content[place : place + len(piece)] = piece
    archive.write_bytes(content)
    try:
        unpack(archive, folder / "out")
    except ValueError as error:
        assert str(error).startswith(str(archive))
    assert {path.name for path in folder.iterdir()} <= {"out", archive.name}
    assert archive.read_bytes() == content
