"""The tables of a Markdown, LaTeX or HTML file of a results folder, as the texts that were printed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from replicate.expected.lines import number
from replicate.report.text import mean_and_deviation
from replicate.results.statistics import Summary

_RULE = re.compile(r"\|[-:|]+\|")
_MEAN = re.compile(r"(\d\.\d{3}) ± (\d\.\d{3})")
_SHARE = re.compile(r"(\d+\.\d)% ± (\d+\.\d)%")
# Numbers of a sentence, such as seeds, hashes of corpora, and intervals.
NUMBERS = re.compile(r"(?:(?<!\w)[-+])?\b\w*\d[\w.,]*")


@dataclass(frozen=True)
class PrintedGrid:
    """One table of texts."""

    titles: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Printed:
    """The tables and the sentences of a page."""

    grids: tuple[PrintedGrid, ...] = ()
    notes: tuple[str, ...] = ()

    def numbers(self) -> list[str]:
        """Return the numbers in the sentences."""
        return NUMBERS.findall("\n".join(self.notes))


def markdown(text: str) -> Printed:
    """Return what ``replicate.grids`` wrote as Markdown; every line has as many cells as its table has columns."""
    grids: list[tuple[tuple[str, ...], list[tuple[str, ...]]]] = []
    notes, inside = [], False
    for line in text.splitlines():
        if not line.startswith("|"):
            inside = False
            notes += [_plain(line)] if line.strip() else []
        elif not inside:
            grids.append((_cells(line), []))
            inside = True
        elif not _RULE.fullmatch(line.strip()):
            cells, width = _cells(line), len(grids[-1][0])
            grids[-1][1].append((*cells, *[""] * (width - len(cells)))[:width])
    return Printed(tuple(PrintedGrid(titles, tuple(lines)) for titles, lines in grids), tuple(notes))


def _cells(line: str) -> tuple[str, ...]:
    pieces = re.split(r"(?<!\\)\|", line.strip())
    return tuple(_plain(piece) for piece in pieces[1:-1])


def _plain(words: str) -> str:
    """Return the text that ``replicate.escape.markdown`` was given."""
    words = re.sub(r"\\([\\*|~_\]#.)+>=`-])", r"\1", words.strip())
    return words.replace("&lt;", "<").replace("&amp;", "&")


def mean_of(cell: str) -> tuple[float, float] | None:
    """Return mean and deviation of a cell such as ``0.612 ± 0.014``, else None."""
    found = _MEAN.fullmatch(cell)
    return (number(found[1]), number(found[2])) if found else None


def share_of(cell: str) -> tuple[float, float] | None:
    """Return the share and its standard error, in percent, of a cell such as ``93.8% ± 0.5%``, else None."""
    found = _SHARE.fullmatch(cell)
    return (number(found[1]), number(found[2])) if found else None


def center_of(cell: str) -> float | None:
    """Return the number before ± of a cell, else None."""
    found = mean_of(cell) or share_of(cell)
    return found[0] if found else None


def as_printed(mean: float, deviation: float | None) -> str:
    """Return a mean and its deviation as a table prints them."""
    return mean_and_deviation(Summary(mean, deviation, 0, None))


@dataclass
class _Rows(HTMLParser):
    """Collects the rows of all tables of a page."""

    found: list[tuple[str, ...]] = field(default_factory=list)
    _row: list[str] = field(default_factory=list)
    _inside: bool = False

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row or a cell."""
        if tag == "tr":
            self._row = []
        elif tag in ("td", "th"):
            self._row.append("")
            self._inside = True

    def handle_endtag(self, tag: str) -> None:
        """End a row or a cell."""
        if tag == "tr":
            self.found.append(tuple(cell.strip() for cell in self._row))
        elif tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        """Add text to the cell."""
        if self._inside and self._row:
            self._row[-1] += data


def html_rows(text: str) -> list[tuple[str, ...]]:
    """Return the rows of all tables of an HTML page."""
    parser = _Rows()
    parser.feed(text)
    return parser.found


def tex_rows(text: str) -> list[str]:
    """Return the lines of all tabulars of a LaTeX file, without their heads."""
    found, inside = [], False
    for line in text.splitlines():
        if line in (r"\midrule", r"\bottomrule"):
            inside = line == r"\midrule"
        elif inside:
            found.append(line)
    return found
