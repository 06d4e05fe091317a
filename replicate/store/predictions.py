"""Predictions of a run for one split in one context, and the metrics that can be computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replicate.errors import InvalidArgument
from replicate.frames import frame
from replicate.suggest import choices
from replicate.training.metrics import weighted_f1

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Predictions:
    """Predictions for N utterances, dialogue after dialogue, each in order of time.

    Attributes:
        classes: class names, in the order of the columns of ``probabilities``.
        speaker_names: in the order of their numbers; empty for a run that an earlier version saved without them.

    Shapes:
        dialogues: (N,) names; speakers: (N,) numbers; labels: (N,) numbers of the true classes;
        probabilities: (N, classes) float32.
    """

    classes: tuple[str, ...]
    dialogues: NDArray[np.str_]
    speakers: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    speaker_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Numbers of the most probable classes (N,)."""
        return self.probabilities.argmax(1)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a data frame with a row per utterance; ``utterance`` counts from 1 in each dialogue.

        ``dialogue``, ``utterance``, ``speaker`` and ``label`` mean what they mean in the output of `replicate predict`:
        ``label`` is the most probable class. ``true_label`` is the class in the corpus.

        Raises:
            MissingExtra: pandas is not installed.
        """
        counts: Counter[str] = Counter()
        numbers = []
        for dialogue in map(str, self.dialogues):
            counts[dialogue] += 1
            numbers.append(counts[dialogue])
        names = np.array(self.classes)
        columns = {
            "dialogue": self.dialogues,
            "utterance": numbers,
            "speaker": np.array(self.speaker_names)[self.speakers] if self.speaker_names else self.speakers,
            "label": names[self.predicted],
            "true_label": names[self.labels],
        }
        return frame(columns | {f"probability_{name}": self.probabilities[:, i] for i, name in enumerate(self.classes)})


def _accuracy(labels: ArrayLike, scores: ArrayLike) -> float:
    return float(np.mean(np.asarray(labels) == np.asarray(scores).argmax(1)))


def _unweighted_recall(labels: ArrayLike, scores: ArrayLike) -> float:
    from sklearn.metrics import recall_score

    found = np.asarray(labels)
    predicted = np.asarray(scores).argmax(1)
    return float(recall_score(found, predicted, labels=np.unique(found), average="macro", zero_division=0))


def _macro_f1(labels: ArrayLike, scores: ArrayLike) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(labels, np.asarray(scores).argmax(1), average="macro", zero_division=0))


_METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "weighted_f1": weighted_f1,
    "f1": weighted_f1,
    "accuracy": _accuracy,
    "wa": _accuracy,
    "ua": _unweighted_recall,
    "macro_f1": _macro_f1,
}


def score(metric: str, labels: ArrayLike, scores: ArrayLike) -> float:
    """Compute a metric of predictions, in 0..1.

    Args:
        metric: "weighted_f1" or "f1" (the paper's), "accuracy" or "wa", "ua" (recall, averaged over the classes that
            occur), or "macro_f1".

    Shapes:
        labels: (N,) int; scores: (N, classes), the largest is the prediction.

    Raises:
        InvalidArgument: there is no such metric.
    """
    if metric not in _METRICS:
        raise InvalidArgument(f"unknown metric {metric!r}: {choices(metric, list(_METRICS))}")
    return _METRICS[metric](labels, scores)
