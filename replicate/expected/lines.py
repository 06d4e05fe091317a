"""The CSV files of a results folder, read as texts of limited size."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from replicate.errors import NotThisFormat
from replicate.limits import in_mib, shown
from replicate.records import MOST_BYTES

SCORES = ("table", "row", "context", "seed", "fold", "metric", "value")
COMPARISONS = ("table", "first", "second", "difference", "ci95_low", "ci95_high", "n", "p", "p_holm")
# Of a table, in bytes: file systems allow 255 with the suffix.
_LONGEST_NAME = 200
_MOST_LINES = 1_000_000
_REPORT = "write it again with `replicate report`"


@dataclass(frozen=True, order=True)
class CellName:
    """Which cell of which table."""

    table: str
    row: str
    context: str

    @property
    def short(self) -> str:
        """Row and context, as comparisons name a cell."""
        return f"{self.row}/{self.context}"


@dataclass(frozen=True)
class Score:
    """One number of one run: the seed and the fold are empty where there is none, and the value is as printed."""

    seed: str
    fold: str
    value: str


# The scores of every cell by metric, in the order of the file.
Scores = dict[CellName, dict[str, list[Score]]]


def file_of(folder: Path, name: str, suffix: str) -> Path | None:
    """Return the file ``NAME.SUFFIX`` of a folder; None without one, or for a name with folders in it."""
    is_plain = name == Path(name).name and name.isprintable() and len(name.encode()) <= _LONGEST_NAME
    path = folder / f"{name}{suffix}"
    return path if is_plain and path.is_file() else None


def text_of(path: Path, remedy: str = _REPORT) -> str:
    """Return the text of a results folder's file.

    Raises:
        NotThisFormat: it is not an ordinary file of limited size in UTF-8.
    """
    try:
        if not path.is_file():  # /dev/zero never ends, and a pipe is waited for
            raise ValueError("it is no ordinary file")
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{in_mib(path.stat().st_size)}, where no such file has more than {in_mib(MOST_BYTES)}")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _unusable(path, str(error), remedy) from error


def read_csv(path: Path, header: Sequence[str]) -> list[dict[str, str]]:
    """Return the lines of a CSV file as texts by column; columns other than those of ``header`` are left out.

    Raises:
        NotThisFormat: it lacks a column, or a line has not one text per column.
    """
    rows = csv.reader(text_of(path).splitlines(keepends=True), strict=True)
    try:
        titles = next(rows, [])
        lacking = [name for name in header if titles.count(name) != 1]
        if lacking:
            raise ValueError(f"there is no column {lacking[0]}, or several")
        found: list[dict[str, str]] = []
        for line in rows:
            if len(line) != len(titles):
                raise ValueError(f"line {rows.line_num} has {len(line)} fields, not {len(titles)}")
            if len(found) >= _MOST_LINES:
                raise ValueError(f"more than {_MOST_LINES:,} lines")
            named = dict(zip(titles, line, strict=True))
            found.append({name: named[name] for name in header})
        return found
    except (ValueError, csv.Error) as error:
        raise _unusable(path, str(error)) from error


def read_scores(path: Path) -> Scores:
    """Return the scores of ``scores.csv``.

    Raises:
        NotThisFormat: it cannot be read, or a seed and fold has two values of a metric.
    """
    found: Scores = {}
    seen: set[tuple[str, ...]] = set()
    for line in read_csv(path, SCORES):
        key = tuple(line[name] for name in SCORES[:-1])
        if key in seen:
            raise _unusable(path, f"two values for {shown('/'.join(key), 80)}")
        seen.add(key)
        cell = CellName(line["table"], line["row"], line["context"])
        score = Score(line["seed"], line["fold"], line["value"])
        found.setdefault(cell, {}).setdefault(line["metric"], []).append(score)
    return found


def number(text: str) -> float:
    """Return the number that a text is, NaN for anything else and for what is not finite."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def by_seed(scores: Sequence[Score]) -> dict[str, float]:
    """Return the mean over folds of each seed, in the order of the seeds; NaN where one is no number."""
    seeds: dict[str, list[float]] = {}
    for score in scores:
        seeds.setdefault(score.seed, []).append(number(score.value))
    return {seed: float(np.mean(values)) for seed, values in seeds.items()}


def _unusable(path: Path, reason: str, remedy: str = _REPORT) -> NotThisFormat:
    return NotThisFormat(f"cannot read {path} ({reason}): {remedy}")
