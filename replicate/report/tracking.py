"""What trackers of experiments get of a completed run: its settings, learning curve and scores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from replicate.corpus.types import SPLITS
from replicate.errors import CannotWrite, CorruptRun
from replicate.escape import line
from replicate.metrics import METRICS, all_names
from replicate.runner.progress import Progress, ProgressCallback
from replicate.store.predictions import score
from replicate.store.run import Run
from replicate.store.store import Store

# Longer settings, such as those of nested arms, are cut: MLflow takes up to 6,000 characters.
_LONGEST = 2_000


@dataclass(frozen=True)
class TrackedRun:
    """A completed run, in the words of trackers.

    Attributes:
        corpus: its name.
        settings: of arm, protocol and budget, by names such as ``arm.masked``.
        curve: by epoch, from 1: train and dev loss, dev F1, learning rate, and what a method logs.
        scores: by names such as ``test/A/weighted_f1``, of every split, context and metric.
        tags: the run's key, corpus and hash of the corpus, and the commit of the code where the record has it.
    """

    key: str
    arm: str
    seed: int
    corpus: str
    settings: Mapping[str, str]
    curve: Mapping[int, Mapping[str, float]]
    scores: Mapping[str, float]
    tags: Mapping[str, str]

    @classmethod
    def of(cls, run: Run) -> TrackedRun:
        """Return what trackers get of a run.

        Raises:
            CorruptRun: its predictions cannot be read.
        """
        record = run.record
        kinds = {"arm": asdict(record.arm), "protocol": asdict(record.protocol), "budget": asdict(record.budget)}
        settings = dict(pair for kind, each in kinds.items() for pair in _flat(kind, each))
        settings |= {"seed": str(record.seed), "precision": record.precision, "streams": " ".join(record.streams)}
        tags = {
            "key": record.key,
            "corpus": line(record.corpus.name),
            "corpus_hash": record.corpus.hash,
            "device": record.device,
            "best_epoch": str(record.best_epoch),
            "teacher_runs": " ".join(record.teacher_runs),
        }
        if record.provenance is not None and record.provenance.git_commit:
            tags["git_commit"] = record.provenance.git_commit
        what = record.key, record.arm.name, record.seed, record.corpus.name
        return cls(*what, settings, _curve(run), _scores(run), tags)

    @property
    def name(self) -> str:
        """Return ``arm/seed/corpus``."""
        return line(f"{self.arm}/{self.seed}/{self.corpus}")


class Tracker(Protocol):
    """Where runs are tracked; ``replicate.report.trackers`` has those that there are."""

    @property
    def place(self) -> str:
        """Folder or address of the tracker."""

    def has(self, run: Run) -> bool:
        """Return whether the tracker has a run."""

    def write(self, run: TrackedRun) -> None:
        """Write a run."""


class Tracking:
    """Writes each completed run of a command into trackers, once.

    A tracker that fails ends no training: the first error is raised by ``require_complete``.
    """

    def __init__(self, trackers: Iterable[Tracker], store: Store) -> None:
        self._trackers, self._store = tuple(trackers), store
        self._failure: Exception | None = None
        self._where = ""

    def write(self, keys: Iterable[str]) -> None:
        """Write the runs of these keys that are in the store, and that a tracker does not have."""
        for key in keys if self._trackers else ():
            run = self._store.get(key)
            for tracker in self._trackers if run is not None else ():
                assert run is not None
                self._write(tracker, run)

    def after(self, callback: ProgressCallback) -> ProgressCallback:
        """Return a callback for the runner that calls ``callback``, and then writes the run that is complete."""

        def on_progress(progress: Progress) -> None:
            callback(progress)
            if progress.epoch is None:
                self.write([progress.task.key])

        return on_progress

    def require_complete(self) -> None:
        """Raise an error if a tracker failed.

        Raises:
            CannotWrite: naming the tracker.
        """
        if self._failure is not None:
            reason = " ".join(str(self._failure).split())[:300]
            raise CannotWrite(
                f"not all runs could be written to {self._where} ({reason}): they are complete, and the same command "
                "writes the others, without training"
            ) from self._failure

    def _write(self, tracker: Tracker, run: Run) -> None:
        try:
            if not tracker.has(run):
                tracker.write(TrackedRun.of(run))
        except CorruptRun:
            raise
        except Exception as error:  # each library has its own
            self._failure, self._where = self._failure or error, self._where or tracker.place


def plain(name: str) -> str:
    """Return a step of a name such as ``test/A/accuracy``: letters, digits and what all trackers allow."""
    found = re.sub(r"[^\w. -]", "_", name)[:100]
    return found if found.strip(".") else "_"


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(f"{name}.{key}", each)
    else:
        text = value if isinstance(value, str) else json.dumps(value)
        yield plain(name), line(text)[:_LONGEST]


def _curve(run: Run) -> dict[int, dict[str, float]]:
    return {
        each.epoch: {
            "train/loss": each.train_loss,
            "dev/loss": each.dev_loss,
            "dev/f1": each.dev_f1,
            "train/learning_rate": each.learning_rate,
            **{f"logged/{plain(name)}": value for name, value in each.logged.items()},
        }
        for each in run.record.curve
    }


def _scores(run: Run) -> dict[str, float]:
    found = {}
    labels = run.record.corpus.labels
    names = [*METRICS, *(f"f1/{each}" for each in _classes(labels))]
    for split in SPLITS:
        true = run.labels(split)
        for context in run.record.arm.contexts:
            log_prob = run.log_prob(split, context)
            for metric, name in zip(all_names(labels), names, strict=True):
                found[f"{split}/{plain(context)}/{name}"] = score(metric, true, log_prob, labels)
    return found


def _classes(labels: Sequence[str]) -> list[str]:
    """Return names of classes; one that trackers do not allow gets a number, so that no two are the same."""
    return [label if plain(label) == label else f"{plain(label)} {i}" for i, label in enumerate(labels)]
