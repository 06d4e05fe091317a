"""Open recordings with libsndfile where it needs help: no declared length, no seeking, impossible lengths."""

from __future__ import annotations

import io
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from replicate.errors import BadAudio
from replicate.features.containers import Sound

# libsndfile's number of frames where a FLAC file does not declare it; about 2^63.
_UNKNOWN = 2**62
# Frames for each byte of a FLAC file: silence in blocks of 4,608 frames takes 384, longer blocks more.
_FLAC_EXPANSION = 1000
_SECONDS = 48 * 3600  # the longest FLAC file without declared length
_BLOCK = 2**20


class _Sized(io.RawIOBase):
    """A WAV file whose head gives its sound the size 0, with the size that it has."""

    def __init__(self, path: Path, sound: Sound) -> None:
        self._file = path.open("rb")
        self._at = sound.size_at
        self._size = struct.pack("<I", min(sound.present, 0xFFFFFFFE))

    def readinto(self, buffer: Any) -> int:
        """Read bytes, those of the size changed."""
        begin = self._file.tell()
        content = bytearray(self._file.read(len(buffer)))
        for i, byte in enumerate(self._size, self._at - begin):
            if 0 <= i < len(content):
                content[i] = byte
        buffer[: len(content)] = content
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move in the file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def open_sound(path: Path, sound: Sound | None) -> soundfile.SoundFile:
    """Open a recording.

    Args:
        sound: what ``containers.sound`` returns for the path.
    """
    if sound is not None and sound.declared is None and sound.present:
        with path.open("rb") as file:
            is_wav = file.read(4) == b"RIFF"
            file.seek(sound.size_at)
            if is_wav and file.read(4) == b"\0\0\0\0":
                return soundfile.SoundFile(_Sized(path, sound))
    return soundfile.SoundFile(str(path))


def is_unknown(file: soundfile.SoundFile) -> bool:
    """Return whether a file does not declare its length."""
    return bool(file.frames >= _UNKNOWN)


def count(path: Path, file: soundfile.SoundFile) -> int:
    """Return the number of frames: the declared one if the file can hold as many, or all that can be decoded.

    Raises:
        BadAudio: the file declares more than it can hold, or is too long to be counted.
    """
    size = path.stat().st_size
    if is_unknown(file):
        return _decoded(path, file.samplerate * _SECONDS)
    if file.format == "FLAC" and file.frames > _FLAC_EXPANSION * size:
        raise BadAudio(
            f"{path} declares {file.frames:,} samples, more than its {size:,} bytes can hold: its header is wrong, "
            "convert or fetch it again"
        )
    return int(file.frames)


def _decoded(path: Path, most: int) -> int:
    """Count the frames that can be decoded."""
    total = 0
    with soundfile.SoundFile(str(path)) as file:
        block = _BLOCK // file.channels
        while total <= most:
            found = len(read(file, block))
            total += found
            if found < block:
                return total
    raise BadAudio(f"{path} declares no length and lasts more than {_SECONDS // 3600} hours: cut it into utterances")


def read(file: soundfile.SoundFile, frames: int) -> NDArray[np.float32]:
    """Return the next frames, (at most ``frames``, channels)."""
    if not is_unknown(file):
        found: NDArray[np.float32] = file.read(frames, dtype="float32", always_2d=True)
        return found
    # At the end of such a file, libsndfile reports an error, but has written what it decoded.
    block = np.full((frames, file.channels), np.nan, np.float32)
    try:
        return block[: len(file.read(out=block))]
    except soundfile.SoundFileError:
        return block[: np.count_nonzero(~np.isnan(block[:, 0]))]


def lacks_end(file: soundfile.SoundFile, frames: int) -> bool:
    """Return whether the last frame of a FLAC file that declares its length cannot be decoded.

    Raises:
        soundfile.SoundFileError: it is there, and has other channels than the file declares.
    """
    if file.format != "FLAC" or is_unknown(file):
        return False
    try:
        file.seek(frames - 1)
        return len(file.read(1)) == 0
    except soundfile.SoundFileError as error:
        if "changed" in str(error):
            raise
        return True


def skip_to(file: soundfile.SoundFile, frame: int) -> None:
    """Go to a frame, by decoding up to it where libsndfile cannot seek, as in GSM 6.10."""
    if file.seekable():
        file.seek(frame)
        return
    while frame > 0:
        found = len(read(file, min(frame, _BLOCK)))
        frame = frame - found if found else 0


@contextmanager
def quiet(file: soundfile.SoundFile, seeks: bool) -> Iterator[None]:
    """Hide what libmpg123 prints while an MP3 file is decoded from within.

    It decodes some frames before the wanted ones, and calls it an error that the first of them needs bits of a frame
    before it; what it returns is right.

    Args:
        seeks: whether the file is decoded from within.
    """
    if not seeks or file.format not in ("MP3", "MPEG"):
        yield
        return
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # closed
        yield
        return
    try:
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
