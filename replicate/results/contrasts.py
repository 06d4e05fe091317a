"""What the statements of claims compare: differences of cells and of single classes, and their tests at a margin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from replicate.config.claims import Relation, Statement
from replicate.metrics import f1_by_class, recall_by_class
from replicate.results.cell import Cell
from replicate.results.estimate import Estimate, estimate
from replicate.results.resampling import Resampled
from replicate.results.sizes import Needed, needed


@dataclass(frozen=True)
class Tested:
    """A test of one statement.

    Attributes:
        p: two-sided; None with one seed.
        holds: whether the statement holds if p is small enough; else its opposite does.
        emotion: the class whose contrast is largest; "" for a single difference.
        ci95: excludes the margin where p is at or below 0.05; for classes, of the largest contrast.
        open: what is still to be shown: estimates, their distances from the margin, and the share of the level.
    """

    p: float | None
    holds: bool
    emotion: str
    ci95: tuple[float, float] | None
    open: tuple[tuple[Estimate, float, float], ...]

    def needed(self, level: float) -> Needed:
        """Return the size that would decide the statement at ``level``."""
        sizes = [needed(each, distance, level * share) for each, distance, share in self.open]
        if any(size.seeds is size.dialogues is None for size in sizes):
            return Needed()
        return Needed(
            max((size.seeds for size in sizes if size.seeds is not None), default=None),
            max((size.dialogues for size in sizes if size.dialogues is not None), default=None),
            any(size.by_speaker for size in sizes),
        )


@dataclass(frozen=True, eq=False)
class _ByClass:
    """The score of one class in a cell."""

    resampled: Resampled
    dialogues: tuple[str, ...]
    runs: tuple[str, ...]
    teachers: frozenset[str]


def difference(cells: Sequence[tuple[Cell, int]]) -> Estimate:
    """Return the difference of two cells, or of two differences."""
    return estimate([(cell, float(sign)) for cell, sign in cells])


def by_class(statement: Statement, cells: Sequence[tuple[Cell, int]]) -> dict[str, Estimate]:
    """Return the contrasts that a statement about single classes compares with its margin, by class.

    For "evenly above": the gain in F1 of every class from the second cell to the first, less the mean gain of all
    classes. For "least certain of": the recall of the emotion less that of every other class; none if the corpus does
    not have the emotion.
    """
    labels = cells[0][0].labels
    if statement.relation == "evenly above":
        scored = [[(each, sign) for each in _scores(cell, f1_by_class)] for cell, sign in cells]
        mean = 1 / len(labels)
        return {
            label: estimate([(s, sign * ((i == k) - mean)) for scores in scored for k, (s, sign) in enumerate(scores)])
            for i, label in enumerate(labels)
        }
    if statement.emotion not in labels:
        return {}
    recall = dict(zip(labels, _scores(cells[0][0], recall_by_class), strict=True))
    own = recall.pop(statement.emotion)
    return {label: estimate([(own, 1.0), (other, -1.0)]) for label, other in recall.items()}


def _scores(cell: Cell, score: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> list[_ByClass]:
    """Return one score for each class of a cell."""

    def of(number: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        return lambda statistics: score(statistics)[..., number]

    resampled = [cell.resample(of(number)) for number in range(len(cell.labels))]
    return [_ByClass(each, cell.dialogues, cell.runs, cell.teachers) for each in resampled]


def compare(relation: Relation, contrasts: Mapping[str, Estimate], margin: float) -> Tested:
    """Test a statement: a difference above a margin, or within it, or all contrasts of classes below it.

    p values are two-sided, and the statement holds, or fails, where p is small and the estimate lies on that side. A
    statement about several contrasts holds if each of them does, so its p is the largest of theirs; it fails if one
    does, so that p is the smallest, times their number (Bonferroni).
    """
    if relation in ("evenly above", "least certain of"):
        return _all_below(contrasts, margin)
    ((_, found),) = contrasts.items()
    if relation == "within":
        holds = abs(found.mean) < margin
        sides = (margin, -margin) if holds else (math.copysign(margin, found.mean),)
        distance = abs(abs(found.mean) - margin)
    else:
        holds, sides, distance = found.mean > margin, (margin,), abs(found.mean - margin)
    p = [each for side in sides if (each := found.p(side)) is not None]
    return Tested(max(p, default=None), holds, "", found.ci95, ((found, distance, 1.0),))


def _all_below(contrasts: Mapping[str, Estimate], margin: float) -> Tested:
    largest = max(contrasts, key=lambda name: contrasts[name].mean)
    share = 1 / len(contrasts)
    p = {name: each.p(margin) for name, each in contrasts.items()}
    holds = contrasts[largest].mean < margin
    if holds:
        open_ = tuple((each, margin - each.mean, 1.0) for each in contrasts.values())
        found = [each for each in p.values() if each is not None]
        decisive = max(found, default=None)
    else:
        open_ = ((contrasts[largest], contrasts[largest].mean - margin, share),)
        above = [each for name, each in p.items() if each is not None and contrasts[name].mean > margin]
        decisive = min(1.0, min(above) / share) if above else 1.0 if p[largest] is not None else None
    low = [interval[0] for each in contrasts.values() if (interval := each.interval(0.05 * share)) is not None]
    high = [interval[1] for each in contrasts.values() if (interval := each.ci95) is not None]
    return Tested(decisive, holds, largest, (max(low), max(high)) if low else None, open_)
