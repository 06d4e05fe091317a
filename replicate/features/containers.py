"""How much sound the head of a file declares, and how much is there: WAV and its 64-bit forms, AIFF, AU, CAF, NIST."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

# What programs write that cannot know the length, since they write into a pipe: 0, -1, or the largest signed number,
# some of them less their heads (sox 0x7f000000 and 0x7ffff000, espeak-ng 0x7ffff000, GStreamer 0x7fff0000).
_PIPE = (range(1), range(0x7F000000, 0x80000001), range(0xFFFF0000, 0x100000000), range(2**63 - 1, 2**64))
_LARGEST = 2**62  # bytes; more cannot be an offset
_MOST_CHUNKS = 1000  # more would take long to walk through
_NIST_FIELDS = (b"sample_count", b"channel_count", b"sample_n_bytes")


class Sound(NamedTuple):
    """Where the sound is in a file, in bytes.

    Attributes:
        offset: of its first byte.
        declared: its size as the file declares it; None if it does not, as in a pipe.
        present: bytes from the offset to the end of the file.
        unclaimed: bytes behind the sound that belong to nothing that the file declares.
        size_at: offset of the field of 4 bytes with the size.
    """

    offset: int
    declared: int | None
    present: int
    unclaimed: int = 0
    size_at: int = 0

    @property
    def missing(self) -> int:
        """Bytes that are declared and not in the file."""
        return max(0, (self.declared or 0) - self.present)


class _Form(NamedTuple):
    """How chunks are written: length of the head of the file, of a chunk's name, struct of its size, and padding.

    Attributes:
        sound: name of the chunk of the sound. inside: whether the size includes the head of the chunk.
    """

    head: int
    name: int
    size: str
    sound: bytes
    pad: int = 2
    inside: bool = False


_GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_FORMS = {
    b"RIFF": _Form(12, 4, "<I", b"data"),
    b"RIFX": _Form(12, 4, ">I", b"data"),
    b"RF64": _Form(12, 4, "<I", b"data"),
    b"BW64": _Form(12, 4, "<I", b"data"),
    b"FORM": _Form(12, 4, ">I", b"SSND"),
    b"caff": _Form(8, 4, ">Q", b"data", pad=1),
    b"riff": _Form(40, 16, "<Q", b"data" + _GUID, pad=8, inside=True),
}


def sound(path: Path) -> Sound | None:
    """Return where the sound of a file is; None for other formats, and for files without such a chunk.

    Raises:
        OSError: as ``open``.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(4)
        if magic == b".snd":
            offset, declared = struct.unpack(">II", file.read(8).ljust(8, b"\0"))
            known = None if _unknown(declared) else declared
            return Sound(offset, known, max(0, size - offset), max(0, size - offset - (known or size)), 8)
        if magic == b"NIST":
            return _nist(magic + file.read(1020), size)
        form = _FORMS.get(magic)
        return _walk(file, form, size) if form else None


def _nist(head: bytes, size: int) -> Sound | None:
    """Return the sound behind a head of NIST SPHERE, lines of text whose second one is the length of the head."""
    begin = re.match(rb"NIST_1A\r?\n *(\d{1,9})\s", head)
    found = [re.search(rb"\n%s -(?:i|s\d) +(\d{1,18})\s" % name, head) for name in _NIST_FIELDS]
    if begin is None or None in found or b"embedded" in head:  # a compressed form
        return None
    offset, declared = int(begin[1]), math.prod(int(field[1]) for field in found if field)
    return Sound(offset, declared, max(0, size - offset))


def _walk(file: BinaryIO, form: _Form, size: int) -> Sound | None:
    """Return the chunk of the sound."""
    at, large = form.head, None
    for _ in range(_MOST_CHUNKS):
        found = _chunk(file, form, at)
        if found is None:
            return None
        name, declared = found
        begin = at + form.name + struct.calcsize(form.size)
        if name == form.sound:
            if large is not None and declared == 0xFFFFFFFF:
                declared = large
            unclaimed = _unclaimed(file, form, begin + declared, size)
            # No sound, and nothing behind it but other chunks, is an empty recording.
            known = None if _unknown(declared) and (declared or unclaimed) else declared
            return Sound(begin, known, max(0, size - begin), 0 if known is None else unclaimed, at + form.name)
        if name == b"ds64":
            file.seek(begin + 8)
            large = struct.unpack("<Q", file.read(8).ljust(8, b"\0"))[0]
        at = _next(form, begin, declared)
    return None


def _unclaimed(file: BinaryIO, form: _Form, end: int, size: int) -> int:
    """Return the number of bytes behind the sound that are in no chunk."""
    at = end + -end % form.pad
    for _ in range(_MOST_CHUNKS):
        found = _chunk(file, form, at)
        if found is None or not all(32 <= byte < 127 for byte in found[0][:4]):
            return max(0, size - at)
        at = _next(form, at + form.name + struct.calcsize(form.size), found[1])
    return 0


def _chunk(file: BinaryIO, form: _Form, at: int) -> tuple[bytes, int] | None:
    """Return name and size of the chunk at an offset; None at the end of the file."""
    if at > _LARGEST:
        return None
    file.seek(at)
    head = file.read(form.name + struct.calcsize(form.size))
    if len(head) < form.name + struct.calcsize(form.size):
        return None
    (declared,) = struct.unpack(form.size, head[form.name :])
    return head[: form.name], max(0, declared - len(head)) if form.inside else declared


def _next(form: _Form, begin: int, declared: int) -> int:
    end = begin + declared
    return end + -end % form.pad


def _unknown(declared: int) -> bool:
    return any(declared in sizes for sizes in _PIPE)
