"""What a file is that cannot be read as audio, and what to do about it."""

from __future__ import annotations

import struct
from pathlib import Path

from replicate import file_kinds
from replicate.features.transcode import READABLE, WAV_CODECS

_CONVERT = "convert it, for example with ffmpeg -i FILE -c:a pcm_s16le NEW.wav"
_VIDEO = "is {}, which ffmpeg decodes: install it, or convert the file to wav"
# First bytes of sound and video that cannot be read, and what they mean.
_HEADS = (
    (b"\x1aE\xdf\xa3", _VIDEO.format("Matroska or WebM")),
    (b"0&\xb2u", _VIDEO.format("WMA or WMV")),
    (b"#!AMR", _VIDEO.format("AMR")),
    (b"FLV", _VIDEO.format("Flash video")),
    (b"NIST_1A", "is NIST SPHERE in a form that cannot be read here: convert it with sph2pipe or sox"),
    (b"OggS", f"is Ogg with sound of an unknown kind: {_CONVERT}"),
)


def explain(path: Path, reason: str) -> str:
    """Return what a file is and what to do, to follow its path in a message.

    Args:
        reason: why the decoder refused it, for files of an unknown kind.

    Raises:
        OSError: as ``open``.
    """
    with path.open("rb") as file:
        head = file.read(file_kinds.HEAD)
    known = next((what for magic, what in _HEADS if head.startswith(magic)), None) or file_kinds.explain(head)
    if known is not None:
        return known
    if head[4:8] == b"ftyp":
        return _VIDEO.format("MP4 or M4A")
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return _VIDEO.format("AVI")
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        return _wav(head, reason)
    text = head.decode("ascii", "replace").lstrip("\ufffd \t\r\n")
    if all(c.isprintable() or c in "\t\r\n\f" for c in text):
        return "cannot be read as audio, since it is text: correct the list, or fetch the recording again"
    return f"cannot be read as audio ({reason}): fetch it again, or {_CONVERT}"


def _wav(head: bytes, reason: str) -> str:
    """Return what is wrong with a WAV file, of which ``head`` is the beginning."""
    at = head.find(b"fmt ", 12)
    if at < 0 or b"data" not in head[at:]:
        return "is a WAV file that ends before its sound begins: fetch it again"
    number = struct.unpack("<H", head[at + 8 : at + 10])[0]
    if number not in READABLE:
        name = WAV_CODECS.get(number, "an unknown kind")
        return f"is a WAV file whose sound is {name} (number 0x{number:04x}), which cannot be read here: {_CONVERT}"
    return f"has a head that is wrong ({reason}): fetch it again, or {_CONVERT}"
