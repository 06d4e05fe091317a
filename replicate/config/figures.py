"""Figures, read from ``figures.toml``."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from replicate.config import tables as definitions
from replicate.config.privileged import PAPER
from replicate.config.privileged import sections as filled_sections
from replicate.config.tables import Row, Table
from replicate.config.toml import build, known, section, sections
from replicate.errors import InvalidDefinition

Kind = Literal["confusion", "curves", "classes", "embedding", "logged", "scatter", "front"]


@dataclass(frozen=True)
class Panel:
    """One cell, "table/row/context", under a title.

    Attributes:
        prefix: in figures of the kind "logged", the names of the logged values that are drawn begin with it.
        across: in figures of the kind "scatter", the cell on the horizontal axis; a panel without one is the baseline.
        series: in figures of the kinds "scatter" and "front", points of one series look alike.
    """

    title: str
    cell: str
    prefix: str = ""
    across: str = ""
    series: str = ""

    def split(self, cell: str = "") -> tuple[str, str, str]:
        """Names of a cell's table, row and context; the name of a row may contain slashes. By default of ``cell``."""
        table, _, rest = (cell or self.cell).partition("/")
        row, _, context = rest.rpartition("/")
        return table, row, context


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes:
        name: stem of its files.
        source: where the paper shows it; empty if it does not.
    """

    name: str
    kind: Kind
    title: str
    caption: str
    panels: tuple[Panel, ...]
    source: str = ""

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that it is drawn from, each once."""
        cells = ((panel, cell) for panel in self.panels for cell in (panel.cell, panel.across) if cell)
        return tuple(dict.fromkeys(panel.split(cell)[0] for panel, cell in cells))


def load(privileged: str = PAPER) -> tuple[Drawing, ...]:
    """Return all figures in the order of the file, checked against the tables.

    Args:
        privileged: letters of the privileged streams.

    Raises:
        InvalidDefinition: naming file, section and key; an unknown key, kind, table, row or context.
    """
    table = functools.cache(functools.partial(definitions.table, privileged=privileged))  # several name the same
    found = []
    for name, definition in filled_sections("figures", privileged).items():
        where = definition.where
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", name):
            raise InvalidDefinition(f"{where}: names become file names: small letters, digits and hyphens")
        content = section(definition.content, where)
        panels = tuple(
            build(Panel, one, f"{where}, panel {number}")
            for number, one in enumerate(sections(content.pop("panels", []), f"{where}, panels"), 1)
        )
        if not panels:
            raise InvalidDefinition(f"{where}: a figure needs panels")
        drawing = build(Drawing, content, where, ("panels",), name=name, panels=panels)
        _check(drawing, [_row(panel, table, f"{where}, panel {i}") for i, panel in enumerate(panels, 1)], where)
        for number, panel in enumerate(panels, 1):
            if panel.across:
                _row(replace(panel, cell=panel.across), table, f"{where}, panel {number}, across")
        found.append(drawing)
    return tuple(found)


def _row(panel: Panel, table: Callable[[str], Table], where: str) -> Row:
    name, row, context = panel.split()
    found = table(known(name, definitions.table_names(), where, "table"))
    known(f"{row}/{context}", [f"{r.name}/{c}" for r in found.rows for c in r.contexts], where, f"cell of {name}")
    return next(each for each in found.rows if each.name == row)


def _check(drawing: Drawing, rows: list[Row], where: str) -> None:
    if drawing.kind == "scatter" and not any(panel.across for panel in drawing.panels):
        raise InvalidDefinition(f"{where}: a scatter needs panels with across, the cell on the horizontal axis")
    for number, (panel, row) in enumerate(zip(drawing.panels, rows, strict=True), 1):
        context = panel.split()[2]
        # Dev scores are measured in that context only.
        if drawing.kind == "curves" and context != row.arm.select:
            raise InvalidDefinition(
                f"{where}, panel {number}: context {context}, but the epoch is selected at {row.arm.select}"
            )
        if (drawing.kind == "logged") != bool(panel.prefix):
            raise InvalidDefinition(f"{where}, panel {number}: prefix is for kind 'logged', which needs it")
        if drawing.kind == "logged" and row.arm.method is None:
            raise InvalidDefinition(f"{where}, panel {number}: {row.arm.name} has no distillation method")
        if drawing.kind != "scatter" and (panel.across or (panel.series and drawing.kind != "front")):
            raise InvalidDefinition(f"{where}, panel {number}: across and series are for kind 'scatter'")
        if drawing.kind != "front" and bool(panel.across) != bool(panel.series):
            raise InvalidDefinition(
                f"{where}, panel {number}: a point needs both across and series, a baseline neither"
            )
        # The width of embeddings is proportional to the heads; the panels share the axes of panel 1, in every protocol.
        if drawing.kind == "embedding" and row.arm.gnn_heads != rows[0].arm.gnn_heads:
            raise InvalidDefinition(f"{where}, panel {number}: its embedding is not as wide as that of panel 1")
