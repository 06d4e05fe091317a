"""Change binary files: numbers in their heads, and pieces (chunks, blocks, pages) repeated, moved and removed."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence

NUMBERS = (
    *(0, 1, 2, 7, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 10**9, 2**40),
    *(2**62, 2**63 - 1, 2**63, 2**64 - 1),
)
_FORMS = ("<B", "<H", "<I", "<Q", ">H", ">I", ">Q")


def with_number(content: bytes, at: int, draws: random.Random, forms: Sequence[str] = _FORMS) -> bytes:
    """Write a number at a place: an extreme one, or one near what is there."""
    form = draws.choice(forms)
    size = struct.calcsize(form)
    most = 2 ** (8 * size) - 1
    before = content[at : at + size].ljust(size, b"\0")
    number = draws.choice(NUMBERS)
    if draws.random() < 0.3:
        (found,) = struct.unpack(form, before)
        number = draws.choice((found + 1, found - 1, found * 2, found // 2, found * 1000)) % (most + 1)
    return content[:at] + struct.pack(form, min(number, most)) + content[at + size :]


def moved(pieces: list[bytes], draws: random.Random) -> list[bytes]:
    """Repeat, remove or exchange pieces, or cut one off."""
    found = list(pieces)
    if not found:
        return found
    i, j = draws.randrange(len(found)), draws.randrange(len(found))
    kind = draws.randrange(5)
    if kind == 0:
        found[i:i] = [found[i]] * draws.choice((1, 2, 300))
    elif kind == 1:
        del found[i]
    elif kind == 2:
        found[i], found[j] = found[j], found[i]
    elif kind == 3:
        found.insert(j, found[i])
    else:
        found[i] = found[i][: draws.randrange(len(found[i]) + 1)]
    return found


def chunks(content: bytes) -> tuple[list[bytes], int, int]:
    """Split a recording of a known container at its chunks; returns them, and where and how long a chunk's size is.

    The first piece is the head of the file. A file of another kind is one piece.
    """
    kind = content[:4]
    if kind in (b"RIFF", b"RF64"):
        return _sized(content, 12, 4, "<I", 8), 4, 4
    if kind == b"FORM":
        return _sized(content, 12, 4, ">I", 8), 4, 4
    if kind == b"caff":
        return _sized(content, 8, 4, ">Q", 12), 4, 8
    if kind == b"fLaC":
        return _sized(content, 4, 0, ">I", 4, 0xFFFFFF), 1, 3
    if kind == b"OggS":
        return [b"OggS" + page for page in content.split(b"OggS")[1:]], 26, 1
    return [content], 0, 4


def _sized(content: bytes, at: int, place: int, form: str, head: int, mask: int = 2**64 - 1) -> list[bytes]:
    """Split at chunks whose size is a number at a place of their heads."""
    pieces = [content[:at]]
    while at + head <= len(content) and len(pieces) < 50:
        (size,) = struct.unpack_from(form, content, at + place)
        end = at + head + (size & mask)
        end += end % 2 if head == 8 else 0
        last_block = mask < 2**32 and content[at] & 0x80
        pieces.append(content[at:end])
        at = end
        if last_block:
            break
    return [*pieces, content[at:]] if at < len(content) else pieces
