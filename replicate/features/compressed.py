"""Whether Ogg and MP3 files are complete: decoders take what they find for the whole."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

# RFC 3533: flags mark the first and the last page of a stream.
_PAGE_HEAD, _FIRST, _LAST = 27, 2, 4
# Streams of sound, film and subtitles in one file, and samples in a page: 255 packets of the longest in FLAC.
_MOST_STREAMS, _LONGEST_STEP = 64, 255 * 65_535
# Frames to walk through, 14 hours of MP3; more would take long.
_MOST_FRAMES = 2_000_000
# Bytes that decoders skip in search of the first frame.
_MOST_JUNK = 65_536
LONGEST_FRAME = 1_152  # samples
# ISO/IEC 11172-3 and 13818-3: kbit/s by index, for (is MPEG 1, layer); samples per second of MPEG 1.
_BIT_RATES = {
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_BIT_RATES[False, 3] = _BIT_RATES[False, 2]
_RATES = (44_100, 48_000, 32_000)
_CONVERT = "convert it to wav"


class End(NamedTuple):
    """What the pages or frames of a file tell.

    Attributes:
        problem: why the file cannot be read whole, to follow its path in a message; empty if it can.
        seconds: duration of what is there, if that is known without decoding.
        warning: a possible error, to follow the path in a message.
    """

    problem: str = ""
    seconds: float | None = None
    warning: str = ""


def end(path: Path) -> End:
    """Return what the end of an Ogg or MP3 file tells; of other files nothing.

    Raises:
        OSError: as ``open``.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        if head == b"OggS":
            return _ogg(file, size)
        if head[:3] == b"ID3" or head[:1] == b"\xff":
            return _mp3(file, size)
    return End()


class _Page(NamedTuple):
    """Length in bytes, flags, number of samples before the page's end or -1, stream, and number in its stream."""

    length: int
    flags: int
    time: int
    stream: int
    number: int


def _page(file: BinaryIO, at: int) -> _Page | None:
    """Return the page that begins at an offset; None if there is none."""
    file.seek(at)
    head = file.read(_PAGE_HEAD)
    if len(head) < _PAGE_HEAD or head[:4] != b"OggS":
        return None
    return _Page(_PAGE_HEAD + head[-1] + sum(file.read(head[-1])), head[5], *struct.unpack("<qII", head[6:22]))


def _ogg(file: BinaryIO, size: int) -> End:
    """Walk through the pages."""
    at, sound_began, page = 0, False, None
    last: dict[int, _Page] = {}
    while (found := _page(file, at)) is not None:
        page = found
        if at + page.length > size:
            return End(_cut(f"a page of {page.length:,} bytes", f"it holds {size - at:,} of them"))
        if page.flags & _FIRST and sound_began:
            return End(f"is several recordings one after the other, of which one would be read: {_CONVERT}")
        sound_began |= not page.flags & _FIRST
        before = last.get(page.stream, page._replace(number=page.number - 1, time=0))
        if page.number != before.number + 1:
            return End(f"is damaged: page {before.number + 1} is missing: fetch it again")
        if page.time < -1 or (before.time and not -1 <= page.time - before.time <= _LONGEST_STEP and page.time != -1):
            return End(f"is damaged: its times jump to sample {page.time}: fetch it again, or {_CONVERT}")
        last[page.stream] = page if page.time != -1 else page._replace(time=before.time)
        at += page.length
        if len(last) > _MOST_STREAMS:
            return End()
    if page is None or (at < size and not page.flags & _LAST):
        return End(_cut(f"a page behind {at:,} bytes", "it is missing"))
    if page.flags & _LAST:  # behind which there may be tags
        return End()
    return End(warning="has no mark of its end, as if cut short in transfer or written by a program that was killed")


class _Frame(NamedTuple):
    """Length in bytes, number of samples, samples per second, and what all frames of a file have in common."""

    length: int
    samples: int
    rate: int
    kind: int


def _mp3(file: BinaryIO, size: int) -> End:
    """Walk through the frames, the first of which may declare how many there are."""
    begin = _first(file, _behind_tags(file))
    if begin is None:
        return End()
    first = _frame(file, begin)
    assert first is not None
    frames, declared = _declared(file, begin, first)
    at, count, broken = begin, 0, ""
    while count < _MOST_FRAMES and (found := _frame(file, at)) is not None and found.kind == first.kind:
        if at + found.length > size:
            broken = _cut(f"a frame of {found.length:,} bytes", f"it holds {size - at:,} of them")
            break
        at += found.length
        count += 1
    if count == _MOST_FRAMES:
        return End()
    seconds = count * first.samples / first.rate
    if declared > size - begin + first.length:
        return End(_cut(f"{declared:,} bytes of sound", f"it holds {size - begin:,}"), seconds)
    # One more or less: encoders differ in whether they count the first. Behind other bytes, decoders may find more.
    if frames > count + 1 and (broken or at >= size):
        return End(_cut(f"{frames:,} frames", f"it holds {count:,}"), seconds)
    return End(broken, seconds)


def _cut(declared: str, found: str) -> str:
    return f"is cut short: it declares {declared}, and {found}: fetch it again"


def _behind_tags(file: BinaryIO) -> int:
    """Return the offset behind the tags with title and artist."""
    at = 0
    while True:
        file.seek(at)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            return at
        length = sum((byte & 0x7F) << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
        at += 10 + length + 10 * bool(head[5] & 0x10)


def _first(file: BinaryIO, at: int) -> int | None:
    """Return the offset of the first frame that is followed by another one of its kind, or by the end of the file."""
    file.seek(at)
    junk = file.read(_MOST_JUNK)
    found = junk.find(b"\xff")
    while found >= 0:
        frame = _frame(file, at + found)
        if frame is not None:
            second = _frame(file, at + found + frame.length)
            if second is not None and second.kind == frame.kind:
                return at + found
        found = junk.find(b"\xff", found + 1)
    return None


def _frame(file: BinaryIO, at: int) -> _Frame | None:
    """Return the frame that begins at an offset; None if there is none, or one that does not tell its length."""
    file.seek(at)
    head = file.read(4)
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rates = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or bits in (0, 15) or rates == 3:
        return None
    rate = _RATES[rates] >> (3 - version if version else 2)
    kbits = _BIT_RATES[version == 3, layer][bits]
    samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    unit = 4 if layer == 1 else 1
    length = (samples // 8 // unit * kbits * 1000 // rate + (head[2] >> 1 & 1)) * unit
    return _Frame(length, samples, rate, head[1] & 0xFE | rates << 8)


def _declared(file: BinaryIO, begin: int, first: _Frame) -> tuple[int, int]:
    """Return the numbers of frames and of bytes in the head that encoders write in place of a first frame; or zeros."""
    file.seek(begin)
    head = file.read(min(first.length, 256))
    for name in (b"Xing", b"Info"):
        at = head.find(name, 4, 48)
        if at >= 0:
            flags, *values = (int.from_bytes(head[at + 4 * i : at + 4 * i + 4], "big") for i in range(1, 4))
            frames = values.pop(0) if flags & 1 else 0
            return frames, values[0] if flags & 2 else 0
    if head[36:40] == b"VBRI":
        return int.from_bytes(head[50:54], "big"), int.from_bytes(head[46:50], "big")
    return 0, 0
