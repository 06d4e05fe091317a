"""``inference.json``: how long models take to predict a dialogue, kept with the results because times never repeat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from replicate.records import FINITE, check_names, check_range
from replicate.results import measured_files
from replicate.results.resources import Resources

TIMINGS = "inference.json"
FORMAT = 1


@dataclass(frozen=True)
class Timing:
    """Time of one dialogue in milliseconds, from many calls.

    Attributes:
        model, utterances: see ``Resources``.
        p50, p90: median and 90th percentile.
    """

    model: str
    utterances: int
    p50: float
    p90: float

    def __post_init__(self) -> None:
        check_names(self, "model")
        check_range(self, 1, FINITE, "utterances")
        check_range(self, 0, FINITE, "p50", "p90")


@dataclass(frozen=True)
class Timings:
    """The content of ``inference.json``: one dialogue at a time on one thread of the CPU.

    Attributes:
        calls: timed calls of each model.
    """

    format: int
    processor: str | None
    torch: str
    calls: int
    timings: tuple[Timing, ...]

    def __post_init__(self) -> None:
        check_names(self, "torch", *(["processor"] if self.processor is not None else []))
        check_range(self, 1, FINITE, "calls")

    @classmethod
    def find(cls, folder: Path) -> Timings | None:
        """Return the times of a results folder, or None if nobody has measured them.

        Raises:
            NotThisFormat: the file is damaged. OldFormat, NewerFormat: another version wrote it.
        """
        return measured_files.find(folder / TIMINGS, cls, FORMAT)

    def save(self, folder: Path) -> None:
        """Write the times into a results folder."""
        measured_files.save(folder / TIMINGS, self)

    def of(self, resources: Resources) -> Timing | None:
        """Return the time of a model for its dialogue, or None if it was not measured."""
        return self._by_model.get((resources.model, resources.utterances))

    @property
    def _by_model(self) -> Mapping[tuple[str, int], Timing]:
        return {(each.model, each.utterances): each for each in self.timings}
