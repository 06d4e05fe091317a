"""``inference.json``: how long models take to predict a dialogue, kept with the results because times never repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from replicate.errors import NotThisFormat
from replicate.files import write_text
from replicate.records import check_format, convert
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

    @classmethod
    def find(cls, folder: Path) -> Timings | None:
        """Return the times of a results folder, or None if nobody has measured them.

        Raises:
            NotThisFormat: the file is damaged. OldFormat, NewerFormat: another version wrote it.
        """
        path = folder / TIMINGS
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            check_format(content, FORMAT, path)
            return convert(content, cls)
        except ValueError as error:
            raise NotThisFormat(f"{path} is damaged ({error}): remove it, and measure again") from error

    def save(self, folder: Path) -> None:
        """Write the times into a results folder."""
        write_text(folder / TIMINGS, json.dumps(asdict(self), indent=1) + "\n")

    def of(self, resources: Resources) -> Timing | None:
        """Return the time of a model for its dialogue, or None if it was not measured."""
        return self._by_model.get((resources.model, resources.utterances))

    @property
    def _by_model(self) -> Mapping[tuple[str, int], Timing]:
        return {(each.model, each.utterances): each for each in self.timings}
