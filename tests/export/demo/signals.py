"""Sound with speech-like bursts: noise whose loudness changes as that of syllables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from export.demo.activity import RATE


def bursts(*seconds: tuple[float, float], total: float, noise: float = 1e-3, seed: int = 0) -> NDArray[np.float32]:
    """Noise with louder noise in each of the spans, modulated 4 times per second: (samples,) float32."""
    rng = np.random.default_rng(seed)
    n = round(total * RATE)
    loud = np.zeros(n)
    for start, end in seconds:
        loud[round(start * RATE) : round(end * RATE)] = 0.2
    syllables = 0.05 + np.sin(4 * np.pi * np.arange(n) / RATE) ** 2
    return ((noise + loud * syllables) * rng.standard_normal(n)).clip(-1, 1).astype(np.float32)
