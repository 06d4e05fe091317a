"""Predictions of a run for one split in one context, and the metrics that can be computed from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from replicate.frames import frame
from replicate.metrics import by_dialogue, metric

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


# Short names, which only Python calls take.
_ALIASES = {"f1": "weighted_f1", "wa": "accuracy"}


def score(name: str, labels: ArrayLike, log_prob: ArrayLike, classes: Sequence[str]) -> float:
    """Compute a metric of predictions, in 0..1.

    Args:
        name: one of ``replicate.metrics.METRICS``, "f1:<class>", "f1" (the paper's, weighted F1) or "wa" (accuracy).

    Shapes:
        labels: (N,) int; log_prob: (N, classes).

    Raises:
        InvalidArgument: there is no such metric.
    """
    function = metric(_ALIASES.get(name, name), classes)
    number = len(np.asarray(labels))
    return float(function(by_dialogue(labels, log_prob, [number], len(classes)).sum(0)))
