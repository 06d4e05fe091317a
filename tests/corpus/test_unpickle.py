"""Pickles of arrays and containers are loaded unchanged; damaged ones are format errors."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.corpus import pickled_objects, unpickle
from replicate.errors import CannotWrite, NotThisFormat, ReplicateError
from tests.corpus.pickles import Calls, load_bytes

RECONSTRUCT = np.empty(1).__reduce__()[0]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(3, dtype=">i4"),
        np.array([True, False]),
        np.array(["é", "bc"]),
        np.array([b"a", b"bc"]),
        np.array(7.5),
        np.empty((0, 4), np.float32),
        np.array([1, "x", None], object),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_are_loaded_unchanged(array: np.ndarray, protocol: int, pickled: Callable[..., Path]) -> None:
    found = unpickle.load(pickled([array, array], protocol=protocol))
    assert found[0] is found[1]
    # numpy, too, converts foreign byte orders to the machine's own, up to protocol 4
    assert found[0].dtype.newbyteorder("=") == array.dtype.newbyteorder("=")
    assert found[0].shape == array.shape
    assert found[0].tolist() == array.tolist()


@pytest.mark.parametrize("protocol", [2, 4])
def test_containers_numbers_and_bytes(protocol: int, pickled: Callable[..., Path]) -> None:
    content = {"a": [1, 2.5, None, True, "é"], "b": ({3}, frozenset({4}), b"\xff"), "c": OrderedDict(x=1)}
    assert unpickle.load(pickled(content, protocol=protocol)) == content
    assert unpickle.load(pickled(np.float32(1.5), protocol=protocol)) == 1.5


def test_python_2_bytes_are_read_as_latin1(tmp_path: Path) -> None:
    assert load_bytes(tmp_path, b"\x80\x02U\x02\xe9a.") == "éa"


def test_a_sample_has_its_fields(pickled: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("cogmen.Sample")

    class Sample:
        pass

    Sample.__module__, Sample.__qualname__ = "cogmen.Sample", "Sample"
    module.Sample = Sample  # type: ignore[attr-defined]
    sample = Sample()
    sample.vid = "v"  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "cogmen", types.ModuleType("cogmen"))
        patch.setitem(sys.modules, "cogmen.Sample", module)
        path = pickled(sample)
    found = unpickle.load(path)
    assert type(found) is pickled_objects.Sample
    assert found.fields == {"vid": "v"}


def array_of(shape: Any, dtype: Any, data: Any) -> Calls:
    return Calls(RECONSTRUCT, np.ndarray, (0,), b"b", state=(1, shape, dtype, False, data))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        # Bytes where numpy would see pointers: the object dtype, with and without its flags.
        (array_of((2,), np.dtype(object), b"\x01" * 16), "objects"),
        (array_of((1,), Calls(np.dtype, "O8", state=(3, "|", None, None, None, -1, -1, 0)), b"8" * 8), "objects"),
        (array_of((1000,), np.dtype("f4"), b"1234"), "with 4 bytes"),
        (array_of((-1,), np.dtype("f4"), b""), "shape"),
        (array_of((2**62, 4), np.dtype("f4"), b"1234"), "entries"),
        (array_of((1,), np.dtype("f4"), ["a"]), "without bytes"),
        (array_of((3,), np.dtype(object), [1]), "list"),
        (array_of((1,), "f4", b"1234"), "state"),
        (Calls(RECONSTRUCT, np.ndarray, (0,), b"b", state={"a": 1}), "state"),
        (Calls(RECONSTRUCT, "x", (0,), b"b"), "class other than"),
        (Calls(np.dtype, "V8"), "V8"),
        (Calls(np.dtype, [("a", "f4")]), "dtype"),
        (Calls(np.dtype, "f4", state=(3, "huh")), "byte order"),
        (Calls(np.dtype, "f4,f4"), "dtype"),
    ],
)
def test_arrays_that_contradict_themselves_are_refused(content: Any, words: str, pickled: Callable[..., Path]) -> None:
    with pytest.raises(NotThisFormat, match=words):
        unpickle.load(pickled(content))


def test_every_truncation_is_a_format_error(tmp_path: Path) -> None:
    whole = pickle.dumps([np.arange(3.0), {"a": "b"}], 4)
    for cut in range(len(whole)):
        with pytest.raises(NotThisFormat) as caught:
            load_bytes(tmp_path, whole[:cut])
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04 a zip",
        b"id,label\n1,2\n",
        b"\x80\x09.",
        b"\x80\x04\x8e" + b"\xff" * 7 + b"\x7f",  # bytes of an absurd length
        b"\x80\x04" + b"]" + b"2" * 10 + b"a" * 11 + b".",
        b"((" * 5000,
        b"\x80\x04" + b"\x93.",
    ],
)
def test_garbage_is_a_format_error(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(NotThisFormat, match=r"hostile\.pkl"):
        load_bytes(tmp_path, content)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.integers(0, 200), st.binary(min_size=1, max_size=3))
def test_damaged_pickles_give_data_or_an_error_of_this_package(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, at: int, patch: bytes
) -> None:
    whole = pickle.dumps([np.arange(3.0), {"a": "b"}], 4)
    for content in (head, whole[:at] + patch + whole[at + len(patch) :]):
        path = tmp_path_factory.getbasetemp() / "damaged.pkl"
        path.write_bytes(content)
        try:
            unpickle.load(path)
        except ReplicateError as error:
            assert "\n" not in str(error)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match=r"absent\.pkl"):
        unpickle.load(tmp_path / "absent.pkl")
