"""Pickles that would execute code are refused, and nothing runs."""

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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicate.corpus import pickled_objects, unpickle
from replicate.errors import NotThisFormat, UnsafePickle
from tests.corpus.pickles import Calls, load_bytes, stack_global, text


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
    assert pickled_objects.make_dtype.__defaults__ == (False, False)
    assert not hasattr(pickled_objects.Sample, "__defaults__")
