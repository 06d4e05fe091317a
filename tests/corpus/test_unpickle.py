from __future__ import annotations

import builtins
import codecs
import copyreg
import functools
import importlib
import operator
import os
import pickle
import subprocess
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

from replicate.corpus import unpickle
from replicate.errors import CannotWrite, NotThisFormat, ReplicateError, UnsafePickle

RECONSTRUCT = np.empty(1).__reduce__()[0]


class Calls:
    """An object whose pickle calls ``function``, and optionally sets a state afterwards."""

    def __init__(self, function: Any, *arguments: Any, state: Any = None) -> None:
        self.reduced = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.reduced


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def stack_global(module: str, name: str, rest: bytes = b".") -> bytes:
    return b"\x80\x04" + text(module) + text(name) + b"\x93" + rest


def load_bytes(tmp_path: Path, content: bytes) -> Any:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(content)
    return unpickle.load(path)


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
    assert type(found) is unpickle.Sample
    assert found.fields == {"vid": "v"}


def hostile(mark: Path) -> dict[str, tuple[Any, str]]:
    code = f"open({str(mark)!r}, 'w')"
    return {
        "os.system": (Calls(os.system, f"touch {mark}"), f"{os.system.__module__}.system"),
        "builtins.eval": (Calls(builtins.eval, code), "builtin"),
        "builtins.exec": (Calls(builtins.exec, code), "builtin"),
        "builtins.open": (Calls(builtins.open, str(mark), "w"), "open"),
        "builtins.getattr": (Calls(getattr, "", "join"), "getattr"),
        "subprocess.Popen": (Calls(subprocess.Popen, ["touch", str(mark)]), ".Popen"),
        "functools.partial": (Calls(functools.partial, os.system, f"touch {mark}"), "functools.partial"),
        "operator.attrgetter": (Calls(operator.attrgetter, "a"), "operator.attrgetter"),
        "importlib.import_module": (Calls(importlib.import_module, "this"), "importlib.import_module"),
        "numpy.save": (Calls(np.save, str(mark), 1), "numpy.save"),
        "numpy.load": (Calls(np.load, str(mark)), "numpy.load"),
        "copyreg constructor": (Calls(copyreg._reconstructor, dict, object, None), "_reconstructor"),  # type: ignore[attr-defined]
    }


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("case", hostile(Path("x")))
def test_hostile_names_are_refused_and_nothing_runs(
    case: str, protocol: int, tmp_path: Path, pickled: Callable[..., Path]
) -> None:
    mark = tmp_path / "executed.npy"
    content, name = hostile(mark)[case]
    # Inside what looks like features, after valid content.
    path = pickled([np.zeros(2), {"a": content}], protocol=protocol)
    with pytest.raises(UnsafePickle) as caught:
        unpickle.load(path)
    assert name in str(caught.value)
    assert str(path) in str(caught.value)
    assert not mark.exists()


def test_the_hostile_pickles_do_execute_with_pickle_itself(tmp_path: Path, pickled: Callable[..., Path]) -> None:
    mark = tmp_path / "executed.npy"
    pickle.loads(pickled(hostile(mark)["os.system"][0]).read_bytes())  # noqa: S301  the control
    assert mark.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("numpy", "ndarray.tofile"),
        ("numpy.core.multiarray", "_reconstruct.__class__"),
        ("cogmen.Sample", "Sample.__init__.__globals__"),
        ("cogmen", "Sample.Sample"),
        ("Sample", "Sample"),
        ("builtins", "set.__class__"),
        ("numpy._core.multiarray", "fromfile"),
        ("replicate.corpus.unpickle", "os.system"),
    ],
)
def test_only_the_exact_names_are_allowed(module: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle) as caught:
        load_bytes(tmp_path, stack_global(module, name))
    assert f"{module}.{name}" in str(caught.value)


@pytest.mark.parametrize(("module", "name"), [("", ""), ("os\nsystem", "x\ny"), ("os", "a" * 90 + "-")])
def test_an_invalid_name_means_that_the_file_is_not_a_pickle(module: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(NotThisFormat, match="is not a valid name") as caught:
        load_bytes(tmp_path, stack_global(module, name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"(S'true'\nios\nsystem\n.", b"cos\nsystem\n(S'true'\ntR.", b"(cos\nsystem\nS'true'\no."]
)
def test_old_opcodes_are_checked_too(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle, match=r"os\.system"):
        load_bytes(tmp_path, content)


def test_extension_codes_are_refused_even_when_python_cached_them(tmp_path: Path) -> None:
    copyreg.add_extension("os", "system", 0x7F)
    try:
        content = b"\x80\x02\x82\x7f."
        assert pickle.loads(content) is os.system  # noqa: S301  fills the cache
        with pytest.raises(UnsafePickle, match="extension code 127"):
            load_bytes(tmp_path, content)
    finally:
        copyreg.remove_extension("os", "system", 0x7F)


@pytest.mark.parametrize("content", [b"Pabc\n.", b"\x80\x02K\x01Q."])
def test_persistent_ids_are_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnsafePickle, match="persistent id"):
        load_bytes(tmp_path, content)


@pytest.mark.parametrize("encoding", ["rot13", "utf-8", "zlib"])
def test_encode_allows_latin1_only(encoding: str, pickled: Callable[..., Path]) -> None:
    with pytest.raises(NotThisFormat, match="latin1"):
        unpickle.load(pickled(Calls(codecs.encode, "abc", encoding)))


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
        (array_of((2**62, 4), np.dtype("f4"), b"1234"), "with 4 bytes"),
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


SAMPLE = text("cogmen.Sample") + text("Sample") + b"\x93"
DICT = b"}(" + text("__defaults__") + b")u"


@pytest.mark.parametrize(
    "content",
    [
        SAMPLE + b")\x81}(" + text("__class__") + b"K\x01ub.",  # a dunder field
        SAMPLE + b")\x81}(K\x01K\x01ub.",  # a field that is no text
        SAMPLE + b")\x81N" + DICT + b"\x86b.",  # slots state
        SAMPLE + DICT + b"b.",  # the state of the class itself
        SAMPLE + b"N" + DICT + b"\x86b.",
        SAMPLE + b"K\x01\x85\x81.",  # constructor arguments
        SAMPLE + b")R" + b"K\x01\x85R.",  # calling a Sample
        text("numpy") + text("dtype") + b"\x93N" + DICT + b"\x86b.",  # the state of a replacement
        text("numpy") + text("ndarray") + b"\x93)\x81.",
        text("numpy") + text("ndarray") + b"\x93K\x01\x85R.",
        text("builtins") + text("set") + b"\x93)R" + DICT + b"b.",
    ],
)
def test_state_and_calls_cannot_change_code(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(NotThisFormat):
        load_bytes(tmp_path, b"\x80\x04" + content)
    assert unpickle._dtype.__defaults__ == (False, False)
    assert not hasattr(unpickle.Sample, "__defaults__")


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
