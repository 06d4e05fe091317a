"""A cell of a table: an arm's predictions on test in one context, as statistics of dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from replicate.corpus.speakers import connected, speakers_in
from replicate.metrics import DEFAULT, by_dialogue, f1_by_class, metric, statistics_width
from replicate.results.estimate import estimate
from replicate.results.resampling import Resampled, Score, grouped, resample
from replicate.results.statistics import Summary, summarise, verdict
from replicate.store.run import Run


@dataclass(frozen=True)
class RowRuns:
    """The runs of a row of a table.

    Attributes:
        runs: seed by seed, and the runs of a seed fold by fold.
        folds: how many runs each seed has.
        teachers: keys of all their teachers' runs, and of these teachers' teachers.
    """

    runs: tuple[Run, ...]
    folds: int = 1
    teachers: frozenset[str] = frozenset()


@dataclass(frozen=True, eq=False)
class Cell:
    """An arm's score on test in one context over seeds and folds, and the published value if there is one.

    Its value is the mean over seeds and folds of the metric within a fold.

    Attributes:
        statistics: see ``replicate.metrics.by_dialogue``.
        fold: number of the fold whose test split has the dialogue, from 0.
        dialogues: their ids, those of all folds.
        labels: class names.
        runs: keys of the runs, seed by seed, and the runs of a seed fold by fold. teachers: see ``RowRuns``.
        comparable: whether the published value was measured on the same corpus.
        metric: what ``values`` and ``summary`` are of.
        groups: number of the group that each dialogue is in: dialogues that share a speaker are in one, see
            ``replicate.corpus.speakers``; empty if the speakers are not known.

    Shapes:
        statistics: (seeds, dialogues, K); fold: (dialogues,) int.
    """

    statistics: NDArray[np.float64]
    fold: NDArray[np.int64]
    dialogues: tuple[str, ...]
    labels: tuple[str, ...]
    runs: tuple[str, ...]
    teachers: frozenset[str] = frozenset()
    published: float | None = None
    published_std: float | None = None
    comparable: bool = False
    metric: str = DEFAULT
    groups: tuple[int, ...] = ()

    @classmethod
    def of_runs(
        cls,
        found: RowRuns,
        context: str,
        published: float | None = None,
        published_std: float | None = None,
        comparable: bool = False,
        metric: str = DEFAULT,
    ) -> Cell:
        """Return the cell of a row's runs in one of the row's contexts.

        Raises:
            CorruptRun: a run's predictions cannot be read.
        """
        each = [_of_run(run, context) for run in found.runs]
        seeds = [each[i : i + found.folds] for i in range(0, len(each), found.folds)]
        dialogues = tuple(id_ for _, ids in seeds[0] for id_ in ids)
        return cls(
            np.stack([np.concatenate([statistics for statistics, _ in folds]) for folds in seeds]),
            np.repeat(np.arange(found.folds), [len(ids) for _, ids in seeds[0]]),
            dialogues,
            found.runs[0].record.corpus.labels,
            tuple(run.record.key for run in found.runs),
            found.teachers,
            published,
            published_std,
            comparable,
            metric,
            _groups(found.runs[: found.folds], dialogues),
        )

    @classmethod
    def unmeasured(cls, published: float | None, published_std: float | None, labels: Sequence[str] = ()) -> Cell:
        """Return a cell without a run, for its published value."""
        nothing = np.zeros((0, 0, statistics_width(len(labels))))
        return cls(
            nothing, np.zeros(0, np.int64), (), tuple(labels), (), published=published, published_std=published_std
        )

    def __eq__(self, other: object) -> bool:
        """Return whether two cells are the same predictions under the same metric, next to the same published value."""
        return isinstance(other, Cell) and all(
            np.array_equal(value, getattr(other, name))
            if isinstance(value, np.ndarray)
            else value == getattr(other, name)
            for name in Cell.__dataclass_fields__
            for value in [getattr(self, name)]
        )

    def of(self, metric: str) -> Cell:
        """Return the same predictions under another metric."""
        return self if metric == self.metric else replace(self, metric=metric)

    @property
    def folds(self) -> int:
        """Number of folds; 1 for the corpus's own split."""
        return int(self.fold.max()) + 1 if len(self.fold) else 0

    def by_fold(self) -> NDArray[np.float64]:
        """Return the statistics of whole folds, (seeds, folds, K)."""
        found = [self.statistics[:, self.fold == number].sum(1) for number in range(self.folds)]
        return np.stack(found, 1) if found else np.zeros((0, 0, self.statistics.shape[-1]))

    def scores(self, name: str) -> NDArray[np.float64]:
        """Return a metric for every seed and fold, (seeds, folds).

        Raises:
            InvalidArgument: there is no such metric.
        """
        return metric(name, self.labels)(self.by_fold())

    @cached_property
    def values(self) -> tuple[float, ...]:
        """The metric of each run, in the order of ``runs``."""
        return tuple(self.scores(self.metric).ravel().tolist())

    @cached_property
    def resampled(self) -> Resampled:
        """The metric by seed, and of resampled dialogues."""
        return self.resample(metric(self.metric, self.labels))

    def resample(self, score: Score) -> Resampled:
        """Return another score by seed, and of resampled dialogues."""
        same = self.same_dialogues
        if self.groups and (found := grouped(self.statistics, self.fold, np.array(self.groups), same)):
            return replace(resample(*found, score, same_dialogues=same), by_speaker=True)
        return resample(self.statistics, self.fold, score, same_dialogues=same)

    @property
    def same_dialogues(self) -> bool:
        """Whether several folds test on the same dialogues, as those of ``--folds dev-K``."""
        return len(set(self.dialogues)) < len(self.dialogues)

    @cached_property
    def summary(self) -> Summary:
        """Mean and deviation over seeds and folds; the interval is of the crossed bootstrap."""
        if not self.values:
            return Summary(float("nan"), None, 0, None)
        return replace(summarise(self.values), ci95=estimate([(self, 1.0)]).ci95)

    @cached_property
    def by_class(self) -> tuple[tuple[float, ...], ...]:
        """F1 of every class for each run, in the order of ``runs`` and ``labels``."""
        return tuple(map(tuple, f1_by_class(self.by_fold()).reshape(-1, len(self.labels)).tolist()))

    @property
    def verdict(self) -> str | None:
        """The verdict on the published value, which is a weighted F1; None where there is nothing to compare."""
        comparable = self.comparable and self.metric == DEFAULT
        return verdict(self.summary, self.published, self.published_std, comparable)


def _of_run(run: Run, context: str) -> tuple[NDArray[np.float64], list[str]]:
    """Return the statistics of a run's test dialogues, and the dialogues' ids."""
    ids = run.dialogues("test")
    starts = np.flatnonzero(np.r_[True, ids[1:] != ids[:-1]])
    lengths = np.diff(np.r_[starts, len(ids)]).tolist()
    statistics = by_dialogue(run.labels("test"), run.log_prob("test", context), lengths, len(run.record.corpus.labels))
    return statistics, ids[starts].tolist()


def _groups(runs: Sequence[Run], dialogues: Sequence[str]) -> tuple[int, ...]:
    """Return the group of each dialogue; empty if its speakers are not known.

    Args:
        runs: the folds of one seed. dialogues: ids, those of all folds.
    """
    spoken: dict[str, set[int]] = {}
    for run in runs:
        for id_, speaker in zip(run.dialogues("test").tolist(), run.speakers("test").tolist(), strict=True):
            spoken.setdefault(id_, set()).add(speaker)
    speakers = speakers_in({id_: frozenset(each) for id_, each in spoken.items()}, runs[0].record.corpus.speakers)
    if speakers is None:
        return ()
    number = {id_: i for i, ids in enumerate(connected(speakers)) for id_ in ids}
    return tuple(number[id_] for id_ in dialogues)
