"""Errors of a corpus that say which file it came from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from replicate.errors import ReplicateError


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Put ``path`` in front of what a corpus made in the block has to complain about."""
    try:
        yield
    except ReplicateError as error:
        raise type(error)(f"{path}: {error}") from error
