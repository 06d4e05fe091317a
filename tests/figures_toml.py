"""Pieces of a ``figures.toml``."""

from __future__ import annotations


def section(
    name: str = "one", kind: str = "confusion", cells: tuple[str, ...] = ("table2/COGMEN-A/A",), more: str = ""
) -> str:
    """Return a figure with a panel for each cell."""
    panels = ", ".join(f'{{ cell = "{cell}", title = "{cell}" }}' for cell in cells)
    return f'[{name}]\nkind = "{kind}"\ntitle = "T"\ncaption = "C."\npanels = [{panels}]\n{more}\n'
