"""``docs/results/expected/*.json``: every cell of the tables of one committed results folder, with its tolerance."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from replicate.errors import ExpectedEdited, NoExpected
from replicate.expected.conditions import Conditions
from replicate.files import visible, write_text
from replicate.limits import shown
from replicate.records import FINITE, check_format, check_names, check_range, convert, read_json

FORMAT = 1
INDEX = "index.json"


@dataclass(frozen=True)
class ExpectedCell:
    """A cell of a table of scores: the mean over seeds and folds of the metric that the tables show.

    Attributes:
        deviation: over seeds; None for a baseline, and with one seed.
        tolerance: see ``replicate.expected.tolerance``; for as many other seeds.
        seeds: empty texts for a baseline. folds: empty texts for the corpus's own split.
        scores: every metric of every run as printed in ``scores.csv``, seed by seed and fold by fold.
    """

    table: str
    row: str
    context: str
    mean: float
    deviation: float | None
    tolerance: float | None
    seeds: tuple[str, ...]
    folds: tuple[str, ...]
    scores: dict[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        check_names(self, "table", "row", "context", "seeds", "folds")
        check_range(self, 0, FINITE, "deviation", "tolerance")
        check_range(self, -FINITE, FINITE, "mean")
        runs = len(self.seeds) * len(self.folds)
        for metric, values in self.scores.items():
            if len(values) != runs or not all(map(_is_number, values)):
                raise ValueError(f"{shown(self.row)} has not one {shown(metric)} for each of its {runs} runs")

    @property
    def n(self) -> int:
        """Number of seeds, 0 for a baseline."""
        return len([seed for seed in self.seeds if seed])


@dataclass(frozen=True)
class ExpectedDifference:
    """A comparison of a table.

    Attributes:
        tolerance: of the difference; None where it is not one of two cells of this table.
        printed: all numbers of its line in ``comparisons.csv``, as printed.
    """

    table: str
    first: str
    second: str
    difference: float
    deviation: float | None
    tolerance: float | None
    n: int
    printed: dict[str, str]

    def __post_init__(self) -> None:
        check_names(self, "table", "first", "second", "printed")
        check_range(self, -FINITE, FINITE, "difference")
        check_range(self, 0, FINITE, "deviation", "tolerance", "n")


@dataclass(frozen=True)
class ExpectedClaim:
    """A claim's outcome, None where it was not measured; and the numbers of its statements, from ``claims.json``.

    Attributes:
        open: whether at least one statement is open and none fails.
    """

    number: int
    text: str
    outcome: str | None
    statements: tuple[tuple[float | None, ...], ...]
    open: bool = False

    def __post_init__(self) -> None:
        check_names(self, "text")


@dataclass(frozen=True)
class ExpectedGrid:
    """A printed table, with a tolerance for each of its cells that is a mean over seeds."""

    titles: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    tolerances: tuple[tuple[float | None, ...], ...]

    def __post_init__(self) -> None:
        if any(len(line) != len(self.titles) for line in (*self.lines, *self.tolerances)):
            raise ValueError("a printed line has not one cell per column")
        if not self.titles:
            raise ValueError("a printed table has no column")
        if any(not 0 <= each <= FINITE for line in self.tolerances for each in line if each is not None):
            raise ValueError("a tolerance is no number from 0")
        if len(self.lines) != len(self.tolerances):
            raise ValueError("there is not one line of tolerances per printed line")


@dataclass(frozen=True)
class ExpectedPage:
    """A Markdown file of the folder: its tables, and the numbers in its sentences."""

    name: str
    grids: tuple[ExpectedGrid, ...]
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """What a results folder should hold.

    Attributes:
        folder: below docs/results/. rule: how tolerances were computed, in words.
    """

    format: int
    folder: str
    origin: Conditions
    rule: str
    cells: tuple[ExpectedCell, ...]
    differences: tuple[ExpectedDifference, ...]
    claims: tuple[ExpectedClaim, ...]
    pages: tuple[ExpectedPage, ...] = field(default=())

    def __post_init__(self) -> None:
        check_names(self, "folder")

    @property
    def tables(self) -> set[str]:
        """Names of the tables that it expects."""
        return {cell.table for cell in self.cells}

    @property
    def file_name(self) -> str:
        """Name of its file."""
        return self.folder.replace("/", "--") + ".json"

    def text(self) -> str:
        """Return the content of its file."""
        return laid_out(asdict(self))


def laid_out(fields: Mapping[str, Any]) -> str:
    """Return the content of an expected file, with one cell or printed table in a line."""
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {_laid_out(value)}" for name, value in fields.items()) + "\n}\n"


def _laid_out(value: Any) -> str:
    if not isinstance(value, (list, tuple)) or not value:
        return json.dumps(value, ensure_ascii=False)
    return "[\n" + ",\n".join(" " + json.dumps(each, ensure_ascii=False) for each in value) + "\n]"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


_Kind = TypeVar("_Kind")


def read(path: Path, kind: type[_Kind] = Expected) -> _Kind:  # type: ignore[assignment]
    """Return the content of an expected file: of a results folder, or of another kind.

    Raises:
        NoExpected: there is none, or it is malformed. OldFormat, NewerFormat: of another version.
        ExpectedEdited: its hash is not the one in the index of its folder.
    """
    if _listed(path.parent).get(path.name, digest := _digest(path)) != digest:
        raise ExpectedEdited(
            f"{path} was edited: its SHA-256 is not the one in {INDEX}; restore it, or write all of them again with "
            "`python -m docs.expected`"
        )
    try:
        content = read_json(path)
        check_format(content, FORMAT, path)
        return convert(content, kind)
    except (OSError, ValueError) as error:
        raise NoExpected(f"cannot read {path} ({error}): give a file of docs/results/expected/") from error


def is_listed(path: Path) -> bool:
    """Return whether the index of its folder vouches for a file."""
    return path.name in _listed(path.parent)


def files(folder: Path) -> Iterator[Path]:
    """Yield the expected files in a folder, which its index has to name.

    Raises:
        ExpectedEdited: it does not name one of them. NoExpected: it cannot be read.
    """
    listed = _listed(folder)
    other = next((path for path in visible(folder, "*.json") if path.name not in (*listed, INDEX)), None)
    if other is not None:
        raise ExpectedEdited(
            f"{folder / INDEX} was edited: it does not name {shown(other.name, 100)}; restore it, or write all of them "
            "again with `python -m docs.expected`"
        )
    yield from (folder / name for name in sorted(listed) if Path(name).name == name)


def write_index(folder: Path) -> Path:
    """Write ``index.json`` with the SHA-256 of every expected file in a folder."""
    hashes = {path.name: _digest(path) for path in sorted(folder.glob("*.json")) if path.name != INDEX}
    write_text(folder / INDEX, json.dumps({"format": FORMAT, "files": hashes}, indent=1) + "\n")
    return folder / INDEX


@dataclass(frozen=True)
class _Index:
    files: dict[str, str]


def _listed(folder: Path) -> dict[str, str]:
    """Return the hashes of the index of a folder; none if it has no index."""
    path = folder / INDEX
    try:
        content = read_json(path)
        check_format(content, FORMAT, path)
        return convert(content, _Index).files
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise NoExpected(f"cannot read {path} ({error}): restore it from the repository") from error


def _digest(path: Path) -> str:
    try:
        if not path.is_file():
            raise NoExpected(f"there is no file {path}: give a file of docs/results/expected/")
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise NoExpected(f"cannot read {path} ({error}): give a file of docs/results/expected/") from error
