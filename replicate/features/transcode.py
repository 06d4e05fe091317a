"""Recordings that libsndfile does not read, such as M4A: ffmpeg decodes them into files, where it is installed.

ffmpeg is told the format, which is recognised here, so that no playlist is opened as one; it may open files alone, no
addresses, has no terminal, and is stopped when it takes too long or writes too much.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from replicate.errors import BadAudio, DiskFull
from replicate.limits import MIB, shortened

# Beginnings of files, and ffmpeg's name of the format.
_HEADS = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"0&\xb2u", "asf"),
    (b"#!AMR", "amr"),
    (b"FLV", "flv"),
)
# Kinds of sound in WAV that libsndfile reads; see RFC 2361.
READABLE = (0x0001, 0x0002, 0x0003, 0x0006, 0x0007, 0x0011, 0x0031, 0x0038, 0x0040, 0xFFFE)
# Names of kinds of sound in a WAV file that libsndfile does not read, by their numbers in RFC 2361.
WAV_CODECS = {
    **{0x0045: "G.726", 0x0050: "MPEG", 0x0055: "MP3", 0x0061: "DK4 ADPCM"},
    **{0x0083: "G.729", 0x0092: "AC-3", 0x00FF: "AAC", 0x0130: "ACELP", 0x0160: "WMA 1", 0x0161: "WMA 2"},
    **{0x0162: "WMA Pro", 0x1600: "AAC", 0x2000: "AC-3", 0x2001: "DTS", 0x674F: "Ogg Vorbis", 0xA109: "Speex"},
}
# Bytes of one decoded recording, three hours in stereo at 48 kHz, and of all that are kept at a time.
LARGEST, KEPT = 2_000 * MIB, 4_000 * MIB
SECONDS = 1_800  # that ffmpeg may take
_MEMORY = 512 * MIB  # of one block that ffmpeg allocates

_decoded: dict[tuple[str, int, int], Path] = {}


def demuxer(head: bytes) -> str | None:
    """Return ffmpeg's name of the format of a file that libsndfile does not read; None for others.

    Args:
        head: the beginning of the file.
    """
    if head[4:8] == b"ftyp":
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0:
        return "aac"
    if head[:4] == b"OggS" and head[28:33] == b"Speex":
        return "ogg"
    at = head.find(b"fmt ", 12)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE" and 0 < at < len(head) - 10:
        return "wav" if struct.unpack_from("<H", head, at + 8)[0] in WAV_CODECS else None
    return next((name for magic, name in _HEADS if head.startswith(magic)), None)


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Yield a path that libsndfile reads: this one, or that of a decoded copy; errors name this one.

    Raises:
        BadAudio: ffmpeg cannot decode it. DiskFull: there is no room for the copy.
    """
    source = _source(path)
    try:
        yield source
    except BadAudio as error:
        if source is path:
            raise
        raise type(error)(str(error).replace(str(source), str(path))) from error


def forget() -> None:
    """Delete the decoded copies; they are deleted at the end of the process, too."""
    _decoded.clear()
    _folder().cleanup()
    _folder.cache_clear()


def _source(path: Path) -> Path:
    try:
        with path.open("rb") as file:
            kind = demuxer(file.read(4096))
    except OSError:  # reported by the reader
        return path
    program = shutil.which("ffmpeg")
    if kind is None or program is None:
        return path
    stat = path.stat()
    key = (str(path.resolve()), stat.st_size, stat.st_mtime_ns)
    if key not in _decoded:
        _make_room()
        _decoded[key] = _decode(program, kind, path)
    return _decoded[key]


def _decode(program: str, kind: str, path: Path) -> Path:
    out = Path(tempfile.mkdtemp(dir=_folder().name)) / "decoded.wav"
    command = [program, "-nostdin", "-hide_banner", "-loglevel", "error", "-xerror", "-max_alloc", str(_MEMORY)]
    # "file:" also keeps names from being taken for options or addresses.
    command += ["-threads", "1", "-protocol_whitelist", "file", "-f", kind, "-i", f"file:{path.absolute()}"]
    command += ["-map", "0:a:0", "-map_metadata", "-1", "-c:a", "pcm_s16le", "-fs", str(LARGEST), "-f", "wav"]
    try:
        done = subprocess.run([*command, f"file:{out}"], capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        out.unlink(missing_ok=True)
        raise BadAudio(f"{path} took ffmpeg more than {SECONDS // 60} minutes: convert it to wav") from error
    except OSError as error:
        raise BadAudio(f"ffmpeg cannot be started ({error.strerror}): install it again, or convert {path}") from error
    words = done.stderr.decode("utf-8", "replace").strip()
    if done.returncode == 0 and not words and out.stat().st_size < LARGEST - MIB:
        return out
    size = out.stat().st_size if out.is_file() else 0
    out.unlink(missing_ok=True)
    if "No space left" in words:
        raise DiskFull(
            f"no room to decode {path} in {out.parent.parent}: free some space, or set TMPDIR to another folder"
        )
    if not words and size >= LARGEST - MIB:
        raise BadAudio(f"{path} decodes to more than {LARGEST // MIB:,} MiB: cut it, or convert it to flac")
    if "matches no streams" in words:
        raise BadAudio(f"{path} holds no sound: check that it is the right file")
    line = shortened(" ".join(words.splitlines()[-1:]).replace(f"file:{path.absolute()}", "it"), 120)
    raise BadAudio(f"{path} is damaged or cut short, by ffmpeg ({line or 'no reason given'}): fetch it again")


def _make_room() -> None:
    """Delete the oldest copies while they take more than ``KEPT`` less the largest possible new one."""
    while _decoded and sum(path.stat().st_size for path in _decoded.values()) > KEPT - LARGEST:
        _decoded.pop(next(iter(_decoded))).unlink(missing_ok=True)


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Return the folder of decoded copies, which is removed when the process ends."""
    return tempfile.TemporaryDirectory(prefix="replicate-decoded-")
