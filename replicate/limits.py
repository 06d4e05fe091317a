"""What files may claim: bounded representations for messages, and how much a file may unpack to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replicate.errors import TooLarge, TooLittleMemory

MIB = 2**20
# No model has more columns, or layers and heads; models of 10^9 columns exist only in forged records.
MOST = 10**6
MOST_LAYERS = 1000
# Longer integers are described and not printed: Python refuses to print very long ones, and nobody reads them.
_PRINTED_BITS = 128


def shown(value: Any, most: int = 40) -> str:
    """Return a short representation of any value, for messages: containers are named by type and never looked into.

    Values from files may refer to themselves, be nested billions of times over, or be too long to print.

    Args:
        most: how many characters of a text are shown.
    """
    if type(value).__module__ == "numpy" and type(value).__name__ != "ndarray" and hasattr(value, "item"):
        value = value.item()  # a number of numpy, which need not be imported for this
    if isinstance(value, (str, bytes)):
        cut = value[:most]
        return f"{bytes(cut) if isinstance(cut, bytes) else str(cut)!r}{'...' if len(value) > most else ''}"
    if type(value) is int and value.bit_length() > _PRINTED_BITS:
        return f"an integer of {value.bit_length():,} bits"
    if value is None or type(value) in (bool, int, float, complex):
        return repr(value)
    name = type(value).__name__[:most]
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def shortened(text: str, most: int = 400) -> str:
    """Return the beginning and the end of a text that may quote a file at any length, for messages."""
    return text if len(text) <= most else f"{text[: most // 2]} ... {text[-most // 2 :]}"


class Budget:
    """Counts the bytes that a file unpacks to, and refuses the file once they exceed what its size allows.

    Attributes:
        limit: bytes.
        used: bytes so far.
    """

    def __init__(self, path: Path, size: int, base: int, times: int, remedy: str) -> None:
        """Allow ``base`` bytes and ``times`` the file's ``size``; ``remedy`` ends the message."""
        self.limit = base + times * size
        self.used = 0
        self._path = path
        self._rule = f"{base // MIB} MiB and {times} times its size"
        self._remedy = remedy

    def take(self, size: int) -> None:
        """Count some bytes, before they are allocated where that is possible.

        Raises:
            TooLarge: all in all they are more than the limit.
        """
        self.used += size
        if self.used > self.limit:
            raise TooLarge(
                f"{self._path} unpacks to {in_mib(self.used)} or more, where a file of its kind and size may unpack to "
                f"{in_mib(self.limit)} ({self._rule}): {self._remedy}"
            )


def in_mib(size: int) -> str:
    """Return a number of bytes in MiB, rounded up."""
    return f"{-(-size // MIB):,} MiB" if size < 2**63 else "over 8 EiB"


def too_little_memory(path: Path) -> TooLittleMemory:
    """Return the error to report for a ``MemoryError`` while a file was read: the file may well be whole."""
    return TooLittleMemory(f"too little memory to read {path}: close other programs, or use a machine with more")


def require_address_space(least: int, what: str) -> None:
    """Refuse a limit of the address space (``ulimit -v``) under which libraries fail in their own ways, or crash.

    Args:
        least: bytes that each process needs. what: needs them, for the message.

    Raises:
        TooLittleMemory: names the limit.
    """
    try:
        import resource
    except ImportError:  # not a system with such limits
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < least:
        raise TooLittleMemory(
            f"{what} needs {least // MIB:,} MiB of address space for each process, and the limit is {limit // MIB:,} "
            "MiB: raise it (ulimit -v)"
        )
