"""Peak memory of a call."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any


def allocated(call: Callable[[], Any]) -> int:
    """Peak memory that Python and numpy allocate in a call, in bytes."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
