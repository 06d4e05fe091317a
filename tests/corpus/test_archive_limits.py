"""Corpus files that unpack to more than they may are refused before they are unpacked."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate import npz
from replicate.corpus import archive
from replicate.errors import NotThisFormat, ReplicateError, TooLarge, TooLittleMemory
from replicate.limits import MIB
from tests.memory import allocated

from .conftest import corpus, dialogue


@pytest.fixture
def arrays(tmp_path: Path) -> dict[str, Any]:
    """The arrays of a small corpus file."""
    archive.write(corpus(dialogue()), tmp_path / "corpus.npz")
    with np.load(tmp_path / "corpus.npz") as found:
        return {key: found[key] for key in found.files}


def refused(tmp_path: Path, arrays: dict[str, Any], error: type[ReplicateError], words: str) -> None:
    path = tmp_path / "hostile.npz"
    np.savez_compressed(path, **arrays)

    def read() -> None:
        with pytest.raises(error, match=words) as caught:
            archive.read(path)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600

    assert allocated(read) < 20 * MIB


@pytest.mark.parametrize(
    "change",
    [
        {"stream/audio": np.zeros((2, 3_000_000), np.float32)},
        {"stream/audio": np.zeros((2, 2_500_000), np.float16)},
        {"label": np.zeros(3_000_000, np.int8), "speaker": np.zeros(3_000_000, np.int8)},
        {"dialogue": np.zeros(200_000, "U1"), "split": np.zeros(200_000, "U1"), "length": np.ones(200_000, np.int8)},
        {"notes": np.zeros(400_000, "U0")},
        {"recipes": np.array("a" * 5_000_000)},
        {f"stream/{i}": np.zeros((200, 10_000), np.float32) for i in range(3)},
    ],
    ids=["stream", "float16", "integers", "dialogues", "no letters", "long text", "several"],
)
def test_bombs_are_refused_with_their_limit(
    change: dict[str, Any], arrays: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npz, "BASE", 16 * MIB)
    refused(
        tmp_path, arrays | change, TooLarge, r"unpacks to \d+ MiB or more, .* \(16 MiB and 32 times its size\): save"
    )


def test_arrays_under_other_names_are_not_read(arrays: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "more.npz"
    np.savez_compressed(path, **arrays, other=np.zeros(10**7), object=np.array([print], object))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("broken.npy", b"\x93NUMPY")
        file.writestr("readme.txt", b"a text")
    assert archive.read(path).hash == archive.read(tmp_path / "corpus.npz").hash
    assert allocated(lambda: archive.read(path)) < 20 * MIB


def test_features_of_many_zeros_are_read(arrays: dict[str, Any], tmp_path: Path) -> None:
    arrays["stream/audio"] = np.zeros((2, 1_000_000), np.float32)
    np.savez_compressed(tmp_path / "zeros.npz", **arrays)
    assert archive.read(tmp_path / "zeros.npz").widths["audio"] == 1_000_000


@pytest.mark.parametrize("key", ["notes", "name", "labels", "dialogue"])
def test_characters_that_do_not_exist_are_refused(key: str, arrays: dict[str, Any], tmp_path: Path) -> None:
    array = arrays[key] if arrays[key].size else np.array(["a note"])
    codes = np.frombuffer(array.tobytes(), np.uint32).copy()
    codes[0] = 0x7FFFFFFF
    arrays[key] = np.frombuffer(codes.tobytes(), array.dtype).reshape(array.shape)
    refused(tmp_path, arrays, NotThisFormat, f"'{key}' holds characters that do not exist")


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        (MemoryError(), TooLittleMemory, "too little memory"),
        (ValueError("x"), NotThisFormat, "truncated .ValueError: x"),
    ],
)
def test_too_little_memory_is_not_taken_for_a_damaged_file(
    error: Exception, expected: type[ReplicateError], words: str, arrays: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fails(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(npz.Npz, "read", fails)
    with pytest.raises(expected, match=words):
        archive.read(tmp_path / "corpus.npz")


def test_a_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReplicateError, match="directory"):
        archive.read(tmp_path)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a": ' * 2000 + "1" + "}" * 2000, "{" + '"a":' + "1" * 5000 + "}"])
def test_recipes_nested_without_end_are_refused(text: str, arrays: dict[str, Any], tmp_path: Path) -> None:
    refused(tmp_path, arrays | {"recipes": np.array(text)}, NotThisFormat, "'recipes' is not JSON")
