"""Types that the writers of a report share."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Literal

from replicate.config.claims import Rule
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim

Kind = Literal["name", "number", "measured", "paper", "verdict"]


@dataclass(frozen=True)
class Column:
    """One column of a grid.

    Attributes:
        kind: what the column holds. Names are words and aligned left; all other kinds are aligned right.
        starts_group: whether a wider gap sets the column off from the one before it.
    """

    title: str
    kind: Kind = "number"
    starts_group: bool = False


@dataclass(frozen=True)
class Grid:
    """A table of texts; every line has one text per column."""

    columns: tuple[Column, ...]
    lines: list[list[str]]

    @property
    def titles(self) -> list[str]:
        """The column titles."""
        return [column.title for column in self.columns]

    @property
    def left(self) -> int:
        """How many of the first columns are aligned left."""
        return len(list(takewhile(lambda column: column.kind == "name", self.columns)))


@dataclass(frozen=True)
class Section:
    """One grid of a table's report under its title, with the sentences that explain it."""

    title: str
    grid: Grid
    notes: list[str]


@dataclass(frozen=True)
class Outputs:
    """What was written for one results folder."""

    folder: Path
    results: list[TableResult]
    rule: Rule
    judged: list[JudgedClaim]
