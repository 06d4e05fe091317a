"""Recordings whose heads are changed: header, decoding and mixing."""

from __future__ import annotations

import io
import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from replicate.errors import ReplicateError
from tests.fuzz.harness import Reader, register
from tests.fuzz.mutations import of_bytes

_KINDS = (
    *((subtype, "WAV") for subtype in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "GSM610", "IMA_ADPCM", "MS_ADPCM")),
    *((subtype, "FLAC") for subtype in ("PCM_16", "PCM_24")),
    *(("PCM_16", kind) for kind in ("RF64", "W64", "AIFF", "AU", "CAF", "WAVEX")),
    ("VORBIS", "OGG"),
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
    """Change the head of a recording, now and then the rest."""
    if draws.random() < 0.2:
        return of_bytes(content, draws)
    return of_bytes(content[:128], draws) + content[128:]


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

    return Reader("audio", seeds, read, mutate, (ReplicateError,), ".wav")


if find_spec("soundfile") is not None:
    register("audio")(recordings)
