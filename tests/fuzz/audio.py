"""Recordings whose heads are changed: header, decoding and mixing."""

from __future__ import annotations

import io
import random
import shutil
import struct
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from replicate.errors import ReplicateError
from tests.fuzz import heads
from tests.fuzz.harness import Reader, register
from tests.fuzz.mutations import of_bytes

_KINDS = (
    *((subtype, "WAV") for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "GSM610", "IMA_ADPCM", "MS_ADPCM")),
    *((subtype, "FLAC") for subtype in ("PCM_16", "PCM_24")),
    *(("PCM_16", kind) for kind in ("RF64", "W64", "AIFF", "AU", "CAF", "WAVEX")),
    ("VORBIS", "OGG"),
)

# Chunks that recordings of some programs have, or that no reader knows, some with sizes that are not theirs.
_CHUNKS = tuple(
    name + struct.pack(form, size) + b"a" * 12
    for name in (
        b"LIST",
        b"fact",
        b"cue ",
        b"smpl",
        b"bext",
        b"JUNK",
        b"data",
        b"fmt ",
        b"ds64",
        b"PEAK",
        b"COMM",
        b"id3 ",
    )
    for form, size in (("<I", 12), ("<I", 2**31), (">I", 12))
)


def seeds() -> list[bytes]:
    """Return short recordings of every container and codec."""
    import soundfile

    draws = np.random.default_rng(0)
    found = []
    for subtype, kind in _KINDS:
        samples = 0.1 * draws.standard_normal((1_600, 1 + (subtype == "PCM_16")))
        file = io.BytesIO()
        soundfile.write(file, samples, 16_000, subtype, format=kind)
        found.append(file.getvalue())
    return found


def mutate(content: bytes, draws: random.Random) -> bytes:
    """Change a recording: numbers of its head, whole chunks, or any bytes."""
    kind = draws.randrange(5)
    if kind == 0:
        return of_bytes(content, draws)
    if kind == 1:
        return of_bytes(content[:128], draws) + content[128:]
    if kind == 2 and len(content) > 8:
        return heads.with_number(content, draws.randrange(min(96, len(content) - 8)), draws)
    pieces, at, size = heads.chunks(content)
    if kind == 3:
        i = draws.randrange(len(pieces))
        forms = {1: ("<B",), 3: (">H",), 4: ("<I", ">I"), 8: ("<Q", ">Q")}[size]
        pieces[i] = heads.with_number(pieces[i], at, draws, forms)
        return b"".join(pieces)
    return b"".join(heads.moved([*pieces, *draws.choices(_CHUNKS, k=draws.randrange(2))], draws))


def read(path: Path) -> None:
    """Read a recording as ``replicate features`` does.

    Raises:
        ReplicateError: it is refused.
    """
    from replicate.features import audio, transcode

    try:
        found = audio.header(path)
        audio.decode(path, 0, min(found.seconds / 2, audio.LONGEST))
        if found.seconds <= audio.LONGEST:
            audio.decode(path)
            assert all(block.ndim == 2 for block in audio.blocks(path))
    finally:
        transcode.forget()


def recordings() -> Reader:
    """Recordings, through ``replicate features``."""
    import replicate.features.audio  # noqa: F401  (in the parent, once)

    return Reader("audio", seeds, read, mutate, (ReplicateError,), ".wav", ("*.wav", "*.flac"))


def _encoded() -> list[bytes]:
    """Return a short recording in containers that ffmpeg decodes."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.wav"
        soundfile.write(sound, 0.1 * np.random.default_rng(0).standard_normal((4_000, 2)), 16_000)
        found = []
        for name, codec in (("a.m4a", "aac"), ("a.mkv", "flac"), ("a.wma", "wmav2"), ("a.avi", "pcm_s16le")):
            out = sound.with_name(name)
            command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", str(sound), "-c:a", codec, str(out)]
            subprocess.run(command, check=True)
            found.append(out.read_bytes())
    return found


def decoded() -> Reader:
    """Recordings that ffmpeg decodes, through ``replicate features``."""
    import replicate.features.audio  # noqa: F401  (in the parent, once)

    return Reader("ffmpeg", _encoded, read, mutate, (ReplicateError,), ".m4a", ("*.m4a",))


if find_spec("soundfile") is not None:
    register("audio")(recordings)
    if shutil.which("ffmpeg") is not None:
        register("ffmpeg")(decoded)
