"""Completed runs: their keys, records and files, on this machine or at an address."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replicate.store.store import Store


def open_store(where: str | Path | None, cache: Path) -> Store:
    """Open the store that ``--store`` names.

    Args:
        where: a folder, or an fsspec address such as ``s3://bucket/runs``; None takes the folder ``cache``.
        cache: folder of this machine that holds the runs of an address that were downloaded or trained here.

    Raises:
        InvalidArgument: the address is empty.
    """
    from replicate.errors import InvalidArgument
    from replicate.store.remote import RemoteStore
    from replicate.store.store import Store

    if where is None:
        return Store(cache)
    if not str(where):  # Path("") is the current folder
        raise InvalidArgument("store = '' is empty: give a folder or an address, or leave it out")
    if "://" in str(where):
        return RemoteStore(cache, str(where))
    try:
        return Store(Path(where).resolve())
    except RuntimeError as error:  # a link that leads to itself, in Python before 3.13
        raise InvalidArgument(f"store = {where} is a link that leads to itself: correct it") from error
