"""How long the entries of ``measured.toml`` took: their order in ``make results``, and the hours that pages state.

The training time of a table is in its ``origin.json``. That of other commands, and how long commands took that train
nothing, is in ``docs/results/costs.json``, which ``make results`` writes when it has run them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from docs.entries import COSTS, RESULTS, Command, Entry, Measurement, everything
from replicate import grids
from replicate.expected.conditions import ORIGIN, conditions
from replicate.experiment.results_folder import named_runs
from replicate.files import write_text

CORES = 2
TITLES = ("entry", f"hours on {CORES} cores")
NEVER = "not measured"


@dataclass(frozen=True)
class Cost:
    """What an entry takes, as far as it was measured.

    Attributes:
        training_seconds: sum over its runs, each of which has one thread; None if that is not known, or it trains none.
        other_seconds: wall time of its commands that train nothing, in the same way.
        complete: whether both are known, as far as it has such commands.
    """

    training_seconds: float | None
    other_seconds: float | None
    complete: bool = True

    @property
    def hours(self) -> float | None:
        """Hours on ``CORES`` cores, each of which trains a run at a time; None if nothing was measured."""
        if self.training_seconds is None and self.other_seconds is None:
            return None
        return ((self.training_seconds or 0) / CORES + (self.other_seconds or 0)) / 3600

    @property
    def words(self) -> str:
        """The hours as a text."""
        if self.hours is None:
            return NEVER
        return f"{'' if self.complete else 'more than '}{self.hours:.2f}"


def trains(words: Sequence[str]) -> bool:
    """Return whether a command trains runs, which are kept; other commands start anew."""
    return tuple(words[:2]) in {("replicate", "run"), ("replicate", "sweep")}


def measured(entry: Entry, results: Path = RESULTS) -> Cost:
    """Return what an entry took when the files in ``results`` were made."""
    saved = _read(results).get(entry.name, {})
    training, other = saved.get("training_seconds"), saved.get("other_seconds")
    if isinstance(entry, Measurement) and (results / entry.folder / ORIGIN).is_file():
        training = conditions(results / entry.folder).training_seconds
    kinds = {trains(words) for words in entry.commands(Path(), Path())}
    known = {True: training is not None, False: other is not None}
    return Cost(training, other, all(known[kind] for kind in kinds))


@dataclass(frozen=True)
class Made:
    """Where the files of an entry were made, as far as that was recorded."""

    processor: str = ""
    commit: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def made(entry: Entry, results: Path = RESULTS) -> Made:
    """Return where the files of an entry were made, from ``costs.json``."""
    saved = _read(results).get(entry.name, {})
    return Made(saved.get("processor", ""), saved.get("commit", ""), saved.get("versions", {}))


def in_order(entries: Sequence[Entry], results: Path = RESULTS) -> list[Entry]:
    """Return entries with the cheapest first; those that were never measured come last."""
    hours = {entry.name: measured(entry, results).hours for entry in entries}
    return sorted(entries, key=lambda entry: math.inf if (found := hours[entry.name]) is None else found)


def training_seconds(folder: Path, store: Path) -> float:
    """Return the training time of all runs that the results below a folder use, by their records in a store."""
    runs = sorted(named_runs(folder) or ())
    return sum(float(json.loads((store / run / "run.json").read_bytes())["seconds"]) for run in runs)


def of_run(entry: Entry, out: Path, other: float | None) -> Cost:
    """Return what an entry took whose commands have been run, given the wall time of those that train nothing."""
    training = None
    if isinstance(entry, Command) and any(trains(words) for words in entry.commands(Path(), Path())):
        training = training_seconds(entry.own(out), out / "runs")
    return Cost(training, other)


def save(found: Mapping[str, Cost], machine: Mapping[str, object], results: Path = RESULTS) -> None:
    """Add costs by the name of their entry to ``costs.json``; those of a table's runs are in its ``origin.json``.

    Args:
        machine: where they were measured.
    """
    content = _read(results)
    for name, cost in found.items():
        seconds = {key: value for key, value in asdict(cost).items() if key != "complete" and value is not None}
        if seconds:
            content[name] = {**{key: round(value, 1) for key, value in seconds.items()}, **machine}
    write_text(results / COSTS, json.dumps(dict(sorted(content.items())), indent=1) + "\n")


def summary(entries: Sequence[Entry], results: Path = RESULTS) -> str:
    """Return the sum over entries in words."""
    costs = [measured(entry, results) for entry in entries]
    never = sum(1 for cost in costs if cost.hours is None)
    partly = sum(1 for cost in costs if not cost.complete) - never
    hours = sum(cost.hours or 0 for cost in costs)
    total = f"{hours:.1f} hours on {CORES} cores for the {len(costs) - never} that were measured"
    total += f", {partly} of them in part" if partly else ""
    return f"{total}; {never} never were" if never else total


def block() -> str:
    """Return all entries with their hours, as a block of a page."""
    entries = in_order(everything())
    lines = [(f"`{entry.name}`", measured(entry).words) for entry in entries]
    return "\n".join([*grids.marked_up(TITLES, lines), "", f"In all: {summary(entries)}.", ""])


def target() -> str:
    """Return the target of the Makefile, whose help states the hours."""
    found = [measured(entry) for entry in everything()]
    hours = math.ceil(sum(cost.hours or 0 for cost in found))
    so_far = "" if all(cost.complete for cost in found) else " as far as measured"
    what = "Make docs/results/ and the blocks of all pages anew, from the corpora in DATA"
    return f"results: $(READY) ## {what} ({hours} hours on {CORES} cores{so_far}; can be interrupted)\n"


def _read(results: Path) -> dict[str, Any]:
    path = results / COSTS
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return content
