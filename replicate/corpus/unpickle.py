"""A safe unpickler: it loads numbers, text, containers, arrays and one class, and refuses every other name.

A pickle is a program that imports functions and calls them. Here every allowed name maps to a checked replacement and
never to the function itself; numpy's own functions are replaced too, since they trust the memory layout that a pickle
claims. The base class is Python's unpickler written in Python: the one written in C skips ``find_class`` for cached
extension codes, and its BUILD opcode could modify the replacements.

A pickle may also claim more than it holds, use one vector any number of times, or nest containers so deeply that
hashing or printing them never ends: what is made is counted, and keys are only text and small integers.
"""

from __future__ import annotations

import gc
import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

import numpy as np

from replicate import file_kinds
from replicate.corpus import pickled_objects
from replicate.corpus.pickled_objects import PickledDtype, Sample, checked_key
from replicate.errors import NotThisFormat, ReplicateError, TooLarge, UnsafePickle
from replicate.files import from_os_error
from replicate.limits import MIB, Budget, in_mib, shown, too_little_memory

# Published files are tens of megabytes.
MOST_BYTES = 4 * 2**30
# What a pickle may unpack to: honest ones of very short vectors take 21 times their size in Python's objects.
BASE, TIMES = 64 * MIB, 24
# Bytes that Python's objects take.
_CONTAINER, _ENTRY, _SET = 64, 100, 216


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): pickled_objects.NDARRAY,
    ("numpy", "dtype"): pickled_objects.make_dtype,
    ("cogmen.Sample", "Sample"): Sample,
    ("_codecs", "encode"): pickled_objects.latin1,
    ("collections", "OrderedDict"): pickled_objects.make_ordered,
}
for _module in ("numpy.core", "numpy._core"):
    _ALLOWED[f"{_module}.multiarray", "_reconstruct"] = pickled_objects.reconstruct
    _ALLOWED[f"{_module}.multiarray", "scalar"] = pickled_objects.scalar
    _ALLOWED[f"{_module}.numeric", "_frombuffer"] = pickled_objects.from_buffer
for _module in ("builtins", "__builtin__"):
    _ALLOWED[_module, "bytes"] = pickled_objects.no_bytes
    _ALLOWED[_module, "set"] = pickled_objects.make_set
    _ALLOWED[_module, "frozenset"] = pickled_objects.make_frozenset


class _Unpickler(pickle._Unpickler):
    """Resolves the allowed names only, sets the state only of objects that they create, and counts what it makes."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)
    # What Python's class has, too.
    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(self, file: BinaryIO, path: Path, size: int, budget: Budget) -> None:
        # Python 2 wrote both arrays and text as byte strings; latin1 keeps every byte.
        super().__init__(file, encoding="latin1")
        self._path = path
        self._size = size
        self._budget = budget

    def _refuse(self, what: str) -> UnsafePickle:
        return UnsafePickle(
            f"{self._path} names {what}, which files of features never contain; no code in it was executed: "
            "use the published file"
        )

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the replacement for an allowed name.

        Raises:
            UnsafePickle: any other name.
            ValueError: not a valid name, so the file is not a pickle.
        """
        try:
            return _ALLOWED[module_name, global_name]
        except KeyError:
            name = f"{module_name}.{global_name}"
            if not all(part.isidentifier() for part in name.split(".")):
                raise ValueError(f"{shown(name)} is not a valid name") from None  # as in files that are not pickles
            raise self._refuse(name[:120]) from None

    def persistent_load(self, pid: Any) -> Any:
        """Refuse references to objects outside the file."""
        raise self._refuse("an object outside itself (persistent id)")

    def get_extension(self, code: int) -> None:
        """Refuse extension codes, since any function can be registered under one."""
        raise self._refuse(f"extension code {code}")

    def _call(self, function: Any, arguments: Any) -> Any:
        """Call a replacement, and count what it returns."""
        if type(arguments) is not tuple:
            raise ValueError("a call whose arguments are not a tuple")
        made = function(*arguments)
        self._count(made)
        return made

    def _count(self, made: Any) -> None:
        """Count an object that a call has made or filled: the data in the file can be used any number of times."""
        size = getattr(made, "nbytes", 0)
        if isinstance(made, (bytes, set, frozenset, dict)):
            size = len(made) * (1 if isinstance(made, bytes) else _ENTRY)
        elif isinstance(made, Sample):
            size = len(made.fields) * _ENTRY
        self._budget.take(_SET + size)

    def _instantiate(self, klass: Any, args: Any) -> None:
        """Call what the opcodes of Python 1 name."""
        self.stack.append(self._call(klass, tuple(args)))

    def load_reduce(self) -> None:
        """Call a replacement."""
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def load_newobj(self) -> None:
        """Create a Sample; no other class is created in this way."""
        arguments = self.stack.pop()
        if self.stack[-1] is not Sample:
            raise ValueError("it creates an object of a class that has none")
        self.stack[-1] = self._call(Sample, arguments)

    def load_newobj_ex(self) -> None:
        """Refuse an object with named arguments."""
        raise ValueError("it creates an object with named arguments")

    def load_build(self) -> None:
        """Set the state of an array, a dtype or a Sample, and refuse it for other objects."""
        state = self.stack.pop()
        target = self.stack[-1]
        setters: dict[type, Callable[[Any, object], None]] = {
            np.ndarray: pickled_objects.fill,
            PickledDtype: pickled_objects.set_order,
            Sample: pickled_objects.set_fields,
        }
        setter = setters.get(type(target))
        if setter is None:
            raise ValueError("it sets the state of an object that has none")
        setter(target, state)
        self._count(target)

    def load_bytearray8(self) -> None:
        """Read bytes after comparing their length with that of the file, for which Python reserves memory first."""
        (size,) = struct.unpack("<Q", self.read(8))
        if size > self._size:
            raise EOFError(f"it claims {size} bytes in a file of {self._size}")
        self.stack.append(bytearray(self.read(size)))

    def load_dict(self) -> None:
        """Make a dictionary of the values since the last mark."""
        values = self.pop_mark()
        self.stack.append({})
        self._set_items(values)

    def load_setitem(self) -> None:
        """Set one entry of a dictionary."""
        value = self.stack.pop()
        self._set_items([self.stack.pop(), value])

    def load_setitems(self) -> None:
        """Set entries of a dictionary."""
        self._set_items(self.pop_mark())

    def _set_items(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) not in (dict, OrderedDict) or len(values) % 2:
            raise ValueError("it sets entries of something else than a dictionary")
        self._budget.take(_ENTRY * (len(values) // 2))
        for key, value in zip(values[::2], values[1::2], strict=True):
            target[checked_key(key)] = value

    def load_append(self) -> None:
        """Append a value to a list."""
        self._extend([self.stack.pop()])

    def load_appends(self) -> None:
        """Append values to a list."""
        self._extend(self.pop_mark())

    def _extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("it appends to something else than a list")
        self.stack[-1].extend(values)

    def load_additems(self) -> None:
        """Add members to a set."""
        members = self.pop_mark()
        if type(self.stack[-1]) is not set:
            raise ValueError("it adds members to something else than a set")
        self._budget.take(_ENTRY * len(members))
        self.stack[-1].update(map(checked_key, members))

    def load_frozenset(self) -> None:
        """Make a frozen set of the values since the last mark."""
        members = self.pop_mark()
        self.stack.append(self._call(pickled_objects.make_frozenset, (members,)))


def _counted(load: Callable[[_Unpickler], None], size: int) -> Callable[[_Unpickler], None]:
    """Return an opcode's method that also counts what it makes."""

    def counted(self: _Unpickler) -> None:
        self._budget.take(size)
        load(self)

    return counted


for _name in (
    "reduce", "newobj", "newobj_ex", "build", "bytearray8", "dict", "setitem", "setitems", "append", "appends",
    "additems", "frozenset",
):  # fmt: skip
    _Unpickler.dispatch[getattr(pickle, _name.upper())[0]] = getattr(_Unpickler, f"load_{_name}")
# Opcodes of one to five bytes that make objects of a hundred.
for _size, _names in (
    (_CONTAINER, ("MARK", "EMPTY_LIST", "EMPTY_DICT", "LIST", "DICT", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3")),
    (_ENTRY, ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")),
    (_SET, ("EMPTY_SET",)),
):
    for _name in _names:
        _code = getattr(pickle, _name)[0]
        _Unpickler.dispatch[_code] = _counted(_Unpickler.dispatch[_code], _size)


def budget(path: Path) -> Budget:
    """Return what a pickle, or the arrays made from it, may take in memory."""
    return Budget(path, path.stat().st_size, BASE, TIMES, "use the published file")


@contextmanager
def _without_collector() -> Iterator[None]:
    """Switch the garbage collector off: it would look at millions of new containers again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def load(path: Path) -> Any:
    """Return the content of a pickle: containers, numbers, text, ``numpy.ndarray`` and ``Sample``.

    Keys are text or small integers, lists may contain themselves.

    Raises:
        UnsafePickle: it names anything else; no code in it was executed.
        NotThisFormat: it is not a pickle, or a damaged one.
        TooLarge: it is larger, or unpacks to more, than features of its size can. TooLittleMemory: for this machine.
        CannotWrite: it cannot be opened.
    """
    try:
        allowed = budget(path)
        if path.stat().st_size > MOST_BYTES:
            raise TooLarge(f"{path} is larger than {in_mib(MOST_BYTES)}, as no file of features is: check its name")
        content = path.read_bytes()
        if content.startswith(b"PK"):  # would be taken for a persistent id
            raise NotThisFormat(
                f"{path} is a zip file (.npz, or saved by torch), not a pickle of features: check its name"
            )
        # From memory, where a wrong length of terabytes allocates nothing.
        with _without_collector():
            return _Unpickler(io.BytesIO(content), path, len(content), allowed).load()
    except ReplicateError:
        raise
    except OSError as error:
        raise from_os_error(error, path) from error
    except MemoryError as error:
        raise too_little_memory(path) from error
    except Exception as error:  # a damaged pickle can raise any exception, according to Python's documentation
        # Python's unpickler looks up the function of every byte that begins an instruction.
        reason = "no instruction of a pickle" if isinstance(error, KeyError) else f"{type(error).__name__}: {error}"
        reason = reason if str(error) else "it ends too early"
        what = (
            f"is not a pickle of features, or is truncated ({reason.splitlines()[0][:160]}): compare its size with the "
            "published file, or fetch it again"
        )
        raise NotThisFormat(f"{path} {file_kinds.explain_file(path) or what}") from error
