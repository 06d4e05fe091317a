"""Recordings whose heads are changed: header, decoding and mixing."""

from __future__ import annotations

import io
import random
import struct
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
    from replicate.features import audio

    found = audio.header(path)
    audio.decode(path, 0, min(found.seconds / 2, audio.LONGEST))
    if found.seconds <= audio.LONGEST:
        audio.decode(path)


def recordings() -> Reader:
    """Recordings, through ``replicate features``."""
    import replicate.features.audio  # noqa: F401  (in the parent, once)

    return Reader("audio", seeds, read, mutate, (ReplicateError,), ".wav", ("*.wav", "*.flac"))


if find_spec("soundfile") is not None:
    register("audio")(recordings)
