"""Metrics of predictions, computed from additive statistics of dialogues.

Counts of two dialogues add up to the counts of both. So a score of any selection of dialogues, such as a bootstrap
sample, needs a sum and no prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replicate.errors import InvalidArgument
from replicate.suggest import choices

Statistics = NDArray[np.float64]
Metric = Callable[[Statistics], NDArray[np.float64]]

# The paper's metric.
DEFAULT = "weighted_f1"
# Bins of the expected calibration error: of equal width, as in Guo et al. (2017), who also use 15.
BINS = 15
# Names of a class's F1 begin with it.
BY_CLASS = "f1:"


def by_dialogue(labels: ArrayLike, log_prob: ArrayLike, lengths: Sequence[int], classes: int) -> Statistics:
    """Return the statistics of each dialogue from which all metrics are computed, (dialogues, K).

    K is ``classes * classes + 3 * BINS``: how often each true class (rows) was predicted as each class (columns), then
    for the bins of the top probability the number of utterances, the sum of their top probabilities, and the number of
    correct ones.

    Shapes:
        labels: (N,) int, dialogue after dialogue; log_prob: (N, classes); lengths: (dialogues,), their sum is N.
    """
    true, scores = np.asarray(labels, np.int64), np.asarray(log_prob, np.float64)
    predicted, top = scores.argmax(1), np.exp(scores.max(1))
    dialogue = np.repeat(np.arange(len(lengths)), lengths)
    # A bin holds its upper edge.
    place = np.clip(np.ceil(top * BINS).astype(np.int64) - 1, 0, BINS - 1)
    found = np.zeros((len(lengths), statistics_width(classes)))
    first = classes * classes
    np.add.at(found, (dialogue, classes * true + predicted), 1)
    for offset, values in ((0, 1.0), (BINS, top), (2 * BINS, true == predicted)):
        np.add.at(found, (dialogue, first + offset + place), values)
    return found


def statistics_width(classes: int) -> int:
    """Return K, the number of statistics of a dialogue."""
    return classes * classes + 3 * BINS


def confusion(statistics: Statistics) -> NDArray[np.float64]:
    """Return the counts of predicted classes (columns) for each true class (rows): (..., K) -> (..., C, C)."""
    classes = math.isqrt(statistics.shape[-1] - 3 * BINS)
    return statistics[..., : classes * classes].reshape(*statistics.shape[:-1], classes, classes)


def f1_by_class(statistics: Statistics) -> NDArray[np.float64]:
    """Return F1 of every class: (..., K) -> (..., C); 0 for a class that is neither true nor predicted."""
    counts = confusion(statistics)
    correct = np.diagonal(counts, axis1=-2, axis2=-1)
    return _share(2 * correct, counts.sum(-1) + counts.sum(-2))


def weighted_f1(statistics: Statistics) -> NDArray[np.float64]:
    """Return F1 of the classes, averaged with their shares as weights: the paper's metric."""
    support = confusion(statistics).sum(-1)
    return _share((f1_by_class(statistics) * support).sum(-1), support.sum(-1))


def accuracy(statistics: Statistics) -> NDArray[np.float64]:
    """Return the share of correct utterances, called weighted accuracy (WA) in the field."""
    counts = confusion(statistics)
    return _share(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def recall_by_class(statistics: Statistics) -> NDArray[np.float64]:
    """Return the share of every class that is predicted as such: (..., K) -> (..., C); 0 for a class that is absent."""
    counts = confusion(statistics)
    return _share(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def unweighted_recall(statistics: Statistics) -> NDArray[np.float64]:
    """Return recall averaged over the classes that occur (UA)."""
    present = confusion(statistics).sum(-1) > 0
    return _share(recall_by_class(statistics).sum(-1), present.sum(-1))


def macro_f1(statistics: Statistics) -> NDArray[np.float64]:
    """Return F1 averaged over the classes that are true or predicted at least once."""
    counts = confusion(statistics)
    present = counts.sum(-1) + counts.sum(-2) > 0
    return _share(f1_by_class(statistics).sum(-1), present.sum(-1))


def calibration_error(statistics: Statistics) -> NDArray[np.float64]:
    """Return the expected calibration error: the mean over utterances of |accuracy - confidence| of their bin.

    There are ``BINS`` bins of equal width on the top probability (Guo et al., 2017); 0 is best.
    """
    number, confidence, correct = np.split(statistics[..., -3 * BINS :], 3, axis=-1)
    return _share(np.abs(correct - confidence).sum(-1), number.sum(-1))


def _share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return part / whole, and 0 where there is nothing to divide."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=np.asarray(whole) > 0)


# The metrics that a table can show. Each maps summed statistics (..., K) to scores (...) in 0..1.
METRICS: dict[str, Metric] = {
    DEFAULT: weighted_f1,
    "accuracy": accuracy,
    "ua": unweighted_recall,
    "macro_f1": macro_f1,
    "ece": calibration_error,
}
# Those of which the lowest value is the best.
LOWER_IS_BETTER = frozenset({"ece"})
# Titles in tables.
TITLES = {
    DEFAULT: "weighted F1",
    "accuracy": "accuracy (WA)",
    "ua": "unweighted recall (UA)",
    "macro_f1": "macro F1",
    "ece": f"expected calibration error ({BINS} bins)",
}


def metric(name: str, labels: Sequence[str] = ()) -> Metric:
    """Return a metric by name: one of ``METRICS``, or ``f1:<class>`` for one of the classes ``labels``.

    Raises:
        InvalidArgument: there is no such metric.
    """
    if name in METRICS:
        return METRICS[name]
    names = all_names(labels)
    if name not in names:
        raise InvalidArgument(f"unknown metric {name!r}: {choices(name, names)}")
    number = names.index(name) - len(METRICS)
    return lambda statistics: f1_by_class(statistics)[..., number]


def all_names(labels: Sequence[str]) -> list[str]:
    """Return the names of all metrics for a corpus with these classes."""
    return [*METRICS, *(BY_CLASS + label for label in labels)]


def title(name: str) -> str:
    """Return the title of a metric in tables, such as ``weighted F1`` or ``F1 of happy``."""
    return TITLES.get(name) or f"F1 of {name.removeprefix(BY_CLASS)}"
