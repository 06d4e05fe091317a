"""Arrays of .npz files are read as numpy reads them; those that claim what they do not hold are refused unread."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from replicate import npz
from replicate.limits import MIB
from tests.memory import allocated

ARRAYS = {
    "number": np.array(7),
    "text": np.array(["é", "bc"]),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "foreign": np.arange(3, dtype=">i4"),
    "empty": np.empty((0, 4), np.float32),
    "no letters": np.array(["", ""], "U0"),
    "large": np.arange(200_000, dtype=np.int64),
}


def head(text: str, version: bytes = b"\x01\x00") -> bytes:
    """The head of an array in a file, with any text."""
    count = len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little")
    return b"\x93NUMPY" + version + count + text.encode("latin1")


def made(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_read_as_numpy_reads_them(name: str, save: Callable[..., None], tmp_path: Path) -> None:
    save(tmp_path / "a.npz", **{name: ARRAYS[name]})
    with npz.open_npz(tmp_path / "a.npz") as archive, np.load(tmp_path / "a.npz") as expected:
        assert list(archive) == [name]
        found = archive.read(name, archive.head(name))
        assert found.dtype == expected[name].dtype
        assert found.flags.f_contiguous == expected[name].flags.f_contiguous
        assert np.array_equal(found, expected[name])


CLAIM = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (head(CLAIM % ("<f8", "(1000000000,)")), "claims shape .1000000000,. of float64, 8,000,000,000 bytes, where 0"),
        (head(CLAIM % ("<f8", "(1,)")) + b"1234567", "where 7 follow"),
        (head(CLAIM % ("<f8", "(-1,)")), "impossible sizes"),
        (head(CLAIM % ("<f8", "(0, 4611686018427387904, 4611686018427387904)")), "impossible sizes"),
        (head(CLAIM % ("<f8", str((1,) * 40))) + b"12345678", "more than 8 dimensions"),
        (head(CLAIM % ("no type", "(1,)")), "cannot be parsed"),
        (head("-" * 9000 + "1"), "cannot be parsed"),
        (head("(" * 9000), "nested"),
        (head("[" * 90 + "]" * 90), "nested"),
        (head(" " * 20_000), "head of 20,000 bytes"),
        (head("", b"\x02\x00")[:8] + b"\xff\xff\xff\x7f", "head of 2,147,483,647 bytes"),
        (head(CLAIM % ("<f8", "(1,)"), b"\x03\x00"), "no array of numpy"),
        (b"a text", "no array of numpy"),
        (b"", "no array of numpy"),
    ],
)
def test_impossible_heads_are_refused_before_memory_is_reserved(content: bytes, words: str, tmp_path: Path) -> None:
    path = made(tmp_path / "a.npz", {"a.npy": content})

    def read_head() -> None:
        with npz.open_npz(path) as archive, pytest.raises(ValueError, match=words):
            archive.head("a")

    assert allocated(read_head) < MIB


def test_arrays_of_objects_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.array([print], object))
    with npz.open_npz(tmp_path / "a.npz") as archive, pytest.raises(ValueError, match="Python objects"):
        archive.read("a", archive.head("a"))


def test_a_name_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", b"")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.npy", b"")
    with npz.open_npz(tmp_path / "a.npz") as found, pytest.raises(ValueError, match="'a' 2 times"):
        found.head("a")


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused(method: int, tmp_path: Path) -> None:
    path = made(tmp_path / "a.npz", {"a.npy": b"a"}, method)
    with npz.open_npz(path) as archive, pytest.raises(ValueError, match="another way than numpy"):
        archive.head("a")


def test_a_change_in_the_data_is_noticed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.zeros(100))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[300] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    with npz.open_npz(tmp_path / "a.npz") as archive, pytest.raises(zipfile.BadZipFile, match="CRC"):
        archive.read("a", archive.head("a"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_text_that_cannot_be_written_is_recognised(order: str) -> None:
    good = np.array(["a", "é", "\U0010ffff"]).astype(f"{order}U3")
    assert npz.is_text(good)
    for code in (0x110000, 0xD800, 0xDFFF, 0xFFFFFFFF):
        bad = np.frombuffer(np.array([97, code], f"{order}u4").tobytes(), f"{order}U1")
        assert not npz.is_text(bad)
    assert npz.is_text(np.array([""], "U0"))


def test_what_is_no_zip_is_bad(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(io.BytesIO(b"no zip").getvalue())
    with pytest.raises(zipfile.BadZipFile), npz.open_npz(tmp_path / "a.npz"):
        pass
