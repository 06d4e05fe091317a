"""Cells of tables, made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replicate.metrics import BINS
from replicate.results.cell import Cell
from replicate.results.estimate import Estimate
from replicate.results.statistics import Summary


@dataclass(frozen=True, eq=False)
class MadeCell(Cell):
    """A cell of which verdict, summary and F1 of every class may be chosen by hand, so that they are round numbers."""

    chosen: tuple[tuple[float, ...], ...] = ()
    judged: str | None = None
    rounded: Summary | None = None

    @property
    def summary(self) -> Summary:
        return self.rounded or super().summary

    @property
    def by_class(self) -> tuple[tuple[float, ...], ...]:
        return self.chosen or super().by_class

    @property
    def verdict(self) -> str | None:
        return self.judged


@dataclass(frozen=True)
class MadeEstimate(Estimate):
    """An estimate whose interval is chosen by hand, so that it is of round numbers."""

    rounded: tuple[float, float] | None = None

    @property
    def ci95(self) -> tuple[float, float] | None:
        return self.rounded


def made_estimate(mean: float, ci95: tuple[float, float] | None = None, n: int = 2, dialogues: int = 12) -> Estimate:
    """An estimate with this interval."""
    return MadeEstimate(mean, n, dialogues, rounded=ci95)


def statistics(scores: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Statistics of seeds by dialogues, of two classes, that give each seed and dialogue this F1 in every metric."""
    right = np.asarray(scores, np.float64)
    counts = np.stack([right, 1 - right, 1 - right, right], -1)
    return np.concatenate([counts, np.zeros((*right.shape, 3 * BINS))], -1)


def cell(
    values: Sequence[float],
    by_class: Sequence[Sequence[float]] = (),
    published: float | None = None,
    published_std: float | None = None,
    verdict: str | None = None,
    summary: Summary | None = None,
    name: str = "run",
    teachers: frozenset[str] = frozenset(),
) -> Cell:
    """A cell with one dialogue and these values of weighted F1, seed by seed, exactly."""
    chosen = tuple(map(tuple, by_class))
    labels = ("angry", "happy") if not chosen else tuple(f"class {i}" for i in range(len(chosen[0])))
    runs = tuple(f"{name}{i}" for i in range(len(values)))
    return MadeCell(
        statistics([[value] for value in values]),
        np.zeros(1, np.int64),
        ("dialogue",),
        labels,
        runs,
        teachers,
        published,
        published_std,
        chosen=chosen,
        judged=verdict,
        rounded=summary,
    )


def of_dialogues(
    scores: Sequence[Sequence[float]],
    name: str = "run",
    teachers: frozenset[str] = frozenset(),
    published: float | None = None,
    fold: Sequence[int] = (),
) -> Cell:
    """A cell with this F1 for each seed and dialogue, all of one length; ``name`` makes the keys of its runs."""
    seeds, dialogues = np.shape(scores)
    return Cell(
        statistics(scores),
        np.asarray(fold or [0] * dialogues, np.int64),
        tuple(f"dialogue {i}" for i in range(dialogues)),
        ("angry", "happy"),
        tuple(f"{name}{seed}" for seed in range(seeds)),
        teachers,
        published,
    )
