"""Random draws: every generator is seeded with (seed, purpose), so that draws of one purpose never shift another's.

torch is imported by the functions that need it, because ``derived_seed`` and ``permutation`` do without.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


def derived_seed(seed: int, purpose: str) -> int:
    """Return a 63-bit seed of seed and purpose, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little") >> 1


def permutation(count: int, seed: int, purpose: str) -> list[int]:
    """Return the numbers below ``count`` in a random order: that of ``torch.randperm`` with the same generator."""
    draws = np.random.RandomState(derived_seed(seed, purpose) % 2**32)  # torch's generator uses the lowest 32 bits
    order = list(range(count))
    for place, drawn in enumerate(draws.randint(0, 2**32, max(count - 1, 0), dtype=np.uint32).tolist()):
        other = place + drawn % (count - place)
        order[place], order[other] = order[other], order[place]
    return order


def generator(seed: int, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
    """Return a new generator for one purpose ("order", "masks", ...)."""
    import torch

    return torch.Generator(device).manual_seed(derived_seed(seed, purpose))


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Seed torch's global generators, which initial weights and dropout use, for the length of the block."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, purpose))
        yield


@contextmanager
def deterministic(threads: int = 1) -> Iterator[None]:
    """Use deterministic algorithms and a fixed number of threads inside the block.

    The number of threads changes the order of sums, and so their last bits. Build layers inside the block, too:
    torch_geometric checks the flag in constructors.
    """
    import torch
    import torch.utils.deterministic

    # cuBLAS reads this once, when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    switches: Any = torch.utils.deterministic
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        switches.fill_uninitialized_memory,
    )
    torch.use_deterministic_algorithms(True)
    # Filling new memory costs time thousands of times an epoch, and all of it is overwritten before use.
    switches.fill_uninitialized_memory = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])
        switches.fill_uninitialized_memory = before[2]
