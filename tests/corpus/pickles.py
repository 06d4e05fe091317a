"""Pickles written by hand, opcode by opcode, and objects whose pickles call a function."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replicate.corpus import unpickle


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
