"""Fixtures of small runs, of the packaged TOML files, and of a user's folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicate.config import folders
from tests.small_runs import corpus, edit, result, saved, store, tables_folder

__all__ = ["corpus", "edit", "result", "store", "saved", "tables_folder"]


@pytest.fixture
def use_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write files, by name, into a folder of the user and use it; the last call's folders are in use."""

    def write(*, folder: str = "mine", also: tuple[Path, ...] = (), **files: str) -> Path:
        path = tmp_path / folder
        path.mkdir(exist_ok=True)
        for name, content in files.items():
            stem, _, suffix = name.rpartition("_")
            (path / f"{stem.replace('_', '-') if suffix == 'toml' else stem}.{suffix}").write_text(content)
        folders.use([*also, path])
        return path

    return write
