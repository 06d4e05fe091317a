"""Check all definitions at once, so that a mistake is found before anything is trained."""

from __future__ import annotations

from replicate.config import claims, figures, folders, grid, search, tables
from replicate.config.arms import arms
from replicate.config.privileged import PAPER, sections
from replicate.config.profiles import profile
from replicate.config.protocols import protocol


def check(privileged: str = PAPER) -> None:
    """Read every definition in the user's folders, and the packaged ones that are used only after training.

    Args:
        privileged: letters of the privileged streams.

    Raises:
        InvalidDefinition: naming the file and the key.
    """
    arms(privileged)
    for name in folders.sections("protocols"):
        protocol(name)
    for name in folders.sections("profiles"):
        profile(name)
    for name, path in folders.table_files().items():
        if path.parent in folders.current():
            tables.table(name, privileged)
    for name in sections("sweep", privileged):
        grid.check(name, privileged)
    for name in search.searches():
        search.search(name, privileged)
    claims.load(privileged)
    figures.load(privileged)
