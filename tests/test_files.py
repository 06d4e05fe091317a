import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.errors import CannotWrite, DiskFull
from replicate.files import atomic_folder, atomic_path, cut_name, probe, sha256, visible, write_text


def left(folder: Path) -> dict[str, str]:
    """Names and contents of a folder, hidden files included."""
    return {path.name: path.read_text() if path.is_file() else "folder" for path in folder.iterdir()}


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "table.md"
    path.write_text("old")
    return path


def test_a_file_is_replaced_and_readable_like_any_other(old):
    with atomic_path(old) as temporary:
        temporary.write_text("new")
        assert old.read_text() == "old" and temporary.suffix == ".md"
    assert left(old.parent) == {"table.md": "new"}
    (old.parent / "plain").write_text("")
    assert old.stat().st_mode == (old.parent / "plain").stat().st_mode


def test_an_open_old_file_stays_complete(old):
    with old.open() as reader:
        with atomic_path(old) as temporary:
            temporary.write_text("new")
        assert reader.read() == "old"


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_an_exception_leaves_the_old_file_and_no_temporary(old, error):
    with pytest.raises(type(error)), atomic_path(old) as temporary:
        temporary.write_text("half")
        raise error
    assert left(old.parent) == {"table.md": "old"}


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EACCES, CannotWrite),
        (errno.EIO, CannotWrite),
    ],
)
@pytest.mark.parametrize("make", [atomic_path, atomic_folder])
def test_an_error_of_the_disk_is_named_and_leaves_nothing(tmp_path, make, number, kind):
    target = tmp_path / "deep" / "target"
    with pytest.raises(kind) as raised, make(target):
        raise OSError(number, "reason")
    assert str(target) in str(raised.value) and "\n" not in str(raised.value)
    assert left(tmp_path / "deep") == {}


def test_the_old_file_survives_a_full_disk(old):
    with pytest.raises(DiskFull), atomic_path(old):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert left(old.parent) == {"table.md": "old"}


@pytest.mark.parametrize("make", [atomic_path, atomic_folder])
def test_a_file_in_place_of_a_parent_folder_is_an_error(tmp_path, make):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="target"), make(tmp_path / "file" / "target"):
        pytest.fail("the block must not begin")
    assert left(tmp_path) == {"file": ""}


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path):
    (tmp_path / "target").mkdir()
    with pytest.raises(CannotWrite, match="target"), atomic_path(tmp_path / "target") as temporary:
        temporary.write_text("new")
    assert left(tmp_path) == {"target": "folder"}


def test_a_folder_appears_complete(tmp_path):
    with atomic_folder(tmp_path / "run") as temporary:
        (temporary / "a").write_text("1")
        assert not (tmp_path / "run").exists()
    assert left(tmp_path) == {"run": "folder"} and left(tmp_path / "run") == {"a": "1"}
    assert (tmp_path / "run").stat().st_mode & 0o777 == 0o755


def test_the_faster_of_two_processes_wins(tmp_path):
    with atomic_folder(tmp_path / "run") as mine:
        (mine / "a").write_text("mine")
        with atomic_folder(tmp_path / "run") as theirs:
            (theirs / "a").write_text("theirs")
    assert left(tmp_path) == {"run": "folder"} and left(tmp_path / "run") == {"a": "theirs"}


def test_a_file_in_the_place_of_the_folder_is_an_error_and_stays(tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(CannotWrite), atomic_folder(tmp_path / "run") as temporary:
        (temporary / "a").write_text("1")
    assert left(tmp_path) == {"run": "precious"}


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_an_exception_leaves_no_folder(tmp_path, error):
    with pytest.raises(type(error)), atomic_folder(tmp_path / "run") as temporary:
        (temporary / "a").write_text("half")
        raise error
    assert left(tmp_path) == {}


def test_text_is_utf8_and_makes_its_folders(tmp_path):
    write_text(tmp_path / "a" / "b.md", "± –\n")
    assert (tmp_path / "a" / "b.md").read_bytes() == b"\xc2\xb1 \xe2\x80\x93\n"


@pytest.mark.parametrize("content", [b"", b"abc", b"x" * (1 << 20), b"y" * ((1 << 20) + 1)])
def test_sha256(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    assert sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_with_replace_the_new_folder_replaces_the_old_one(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("old")
    with atomic_folder(tmp_path / "run", replace=True) as temporary:
        (temporary / "a").write_text("new")
        assert left(tmp_path / "run") == {"old": "old"}
    assert left(tmp_path) == {"run": "folder"} and left(tmp_path / "run") == {"a": "new"}


def test_if_the_renaming_fails_the_old_folder_is_restored(tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "old").write_text("old")
    rename = Path.rename

    def refuse(self, target):
        if self.name.startswith(".incomplete-") and not self.name.endswith("-old"):
            raise PermissionError(13, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(CannotWrite), atomic_folder(tmp_path / "run", replace=True) as temporary:
        (temporary / "a").write_text("new")
    assert left(tmp_path) == {"run": "folder"} and left(tmp_path / "run") == {"old": "old"}


@given(st.text(st.characters(codec=None), max_size=300), st.integers(20, 150))
def test_a_name_is_cut_in_bytes_and_differs_from_others_that_begin_in_the_same_way(name, longest):
    cut = cut_name(name, longest)
    assert cut == name or len(cut.encode("utf-8", "replace")) <= longest
    assert len(name.encode("utf-8", "replace")) > longest or cut == name
    assert cut_name(name + "x" * longest, longest) != cut_name(name + "y" * longest, longest)


def test_a_file_of_the_longest_name_can_be_written(tmp_path):
    path = tmp_path / ("語" * 85)  # 255 bytes
    write_text(path, "content")
    assert left(tmp_path) == {path.name: "content"}


@pytest.mark.parametrize("umask", [0o002, 0o022, 0o077])
def test_a_folder_and_a_file_have_the_permissions_that_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        with atomic_folder(tmp_path / "new") as folder:
            (folder / "inside").write_text("")
        write_text(tmp_path / "file", "")
    finally:
        os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("new", "new/inside", "file")]
    assert modes == [0o777 & ~umask, 0o666 & ~umask, 0o666 & ~umask]


def test_hidden_files_are_not_visible(tmp_path):
    for name in ("b.csv", "a.csv", "._a.csv", ".b.csv.x1.csv", "deep/c.csv", ".git/d.csv", "deep/.e.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert visible(tmp_path, "*.csv") == [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert visible(tmp_path, "**/*.csv") == [tmp_path / name for name in ("a.csv", "b.csv", "deep/c.csv")]
    assert visible(tmp_path / ".git", "*.csv") == [tmp_path / ".git" / "d.csv"]


def test_a_folder_that_could_not_be_written_later_is_found_now(tmp_path):
    probe(tmp_path / "not" / "made")
    assert left(tmp_path) == {}
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="file"):
        probe(tmp_path / "file" / "results")
