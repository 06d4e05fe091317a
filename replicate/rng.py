"""Random draws: every generator is made from (seed, purpose), so that one purpose never shifts another."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.utils.deterministic


def derived_seed(seed: int, purpose: str) -> int:
    """A 63-bit seed that depends on both, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{purpose}".encode()).digest()[:8], "little") >> 1


def generator(seed: int, purpose: str, device: str | torch.device = "cpu") -> torch.Generator:
    """A generator of its own for one purpose ("order", "masks", ...), on CPUs unless told."""
    return torch.Generator(device).manual_seed(derived_seed(seed, purpose))


@contextmanager
def seeded(seed: int, purpose: str) -> Iterator[None]:
    """Torch's global generators, which weights and dropout draw from, set for the length of the block."""
    with torch.random.fork_rng():
        torch.manual_seed(derived_seed(seed, purpose))
        yield


@contextmanager
def deterministic(threads: int = 1) -> Iterator[None]:
    """Deterministic algorithms and a fixed number of threads for the length of the block.

    Sums depend on how threads share them, so the number is part of "the same bits". Enter before building
    layers: torch_geometric reads the flag in constructors.
    """
    # cuBLAS reads this once, when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    switches: Any = torch.utils.deterministic
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.get_num_threads(),
        switches.fill_uninitialized_memory,
    )
    torch.use_deterministic_algorithms(True)
    # It fills memory that nobody reads before it is written, thousands of times an epoch.
    switches.fill_uninitialized_memory = False
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        torch.set_num_threads(before[1])
        switches.fill_uninitialized_memory = before[2]
