"""``deployments.json``: models of a table as exported files, kept with the results because times never repeat."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from replicate.records import FINITE, check_names, check_range
from replicate.results import measured_files

DEPLOYMENTS = "deployments.json"
FORMAT = 1

Precision = Literal["fp32", "int8"]


@dataclass(frozen=True)
class Deployment:
    """The exported models of one row in one precision.

    Attributes:
        runs: keys of the row's runs, which the scores are of, seed by seed.
        dev_f1, test_f1: weighted F1 from audio alone of every run, the 8-bit ones from their quantised files.
        p50, p90: milliseconds of one dialogue, median and 90th percentile.
        megabytes: size of the file (10^6 bytes).
        peak_megabytes: peak memory of a process that predicts the dialogue; None if it could not be measured.
    """

    table: str
    row: str
    precision: Precision
    runs: tuple[str, ...]
    dev_f1: tuple[float, ...]
    test_f1: tuple[float, ...]
    p50: float
    p90: float
    megabytes: float
    peak_megabytes: float | None

    def __post_init__(self) -> None:
        check_names(self, "table", "row", "runs")
        check_range(self, 0, 1, "dev_f1", "test_f1")
        check_range(self, 0, FINITE, "p50", "p90", "megabytes", "peak_megabytes")


@dataclass(frozen=True)
class Deployments:
    """The content of ``deployments.json``: one dialogue at a time on one thread of the CPU.

    Attributes:
        calls: timed calls of each model.
        utterances: length of the dialogue, the median of the corpus.
    """

    format: int
    processor: str | None
    onnxruntime: str
    calls: int
    utterances: int
    deployments: tuple[Deployment, ...]

    def __post_init__(self) -> None:
        check_names(self, "onnxruntime", *(["processor"] if self.processor is not None else []))
        check_range(self, 1, FINITE, "calls", "utterances")

    @classmethod
    def find(cls, folder: Path) -> Deployments | None:
        """Return the deployments of a results folder, or None if nobody has measured them.

        Raises:
            NotThisFormat: the file is damaged. OldFormat, NewerFormat: another version wrote it.
        """
        return measured_files.find(folder / DEPLOYMENTS, cls, FORMAT)

    def save(self, folder: Path) -> None:
        """Write the deployments into a results folder."""
        measured_files.save(folder / DEPLOYMENTS, self)

    def of(self, table: str, row: str, runs: Collection[str]) -> list[Deployment]:
        """Return the deployments of a row in both precisions; none if other runs than these were measured."""
        found = (each for each in self.deployments if (each.table, each.row) == (table, row))
        return [each for each in found if set(each.runs) == set(runs)]


def front(found: Collection[Deployment]) -> list[Deployment]:
    """Return the deployments than which none is both faster and as good on dev, or as fast and better."""

    def better(one: Deployment, other: Deployment) -> bool:
        ours, theirs = (one.p50, -mean(one.dev_f1)), (other.p50, -mean(other.dev_f1))
        return ours != theirs and all(own <= each for own, each in zip(ours, theirs, strict=True))

    return [each for each in found if not any(better(other, each) for other in found)]
