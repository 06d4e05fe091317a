"""How far a recording lies outside the range of the features that a model was trained on.

A feature's distance has two measures, both in robust deviations of the training split: from its median there, and from
the value that the other features of the utterance predict, which is what the main axes of the training leave. The
second one notices another microphone, room or language where every feature alone is within its range. A recording's
distance is that of its median utterance. Not in the paper.

``predict.py`` of every bundle contains this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Deviations above which a feature is called beyond the range.
BEYOND = 4
# Deviations above which a distance counts no more: one broken feature must not decide alone.
MOST = 8.0
# Axes are stored as whole numbers of this fraction.
FRACTION = 1e-3
# Utterances of a recording that decide for a stream.
FIRST = 8
# Dialogues that a warning names.
NAMED = 3


@dataclass(frozen=True)
class Distance:
    """How far the utterances of a recording lie from those of the training.

    Attributes:
        utterances: how many were measured.
        features: how many there are; beyond: how many of them lie beyond ``BEYOND`` deviations.
        deviations: root mean square of the features' distances from what the other features predict.
        usual: the limit of ``deviations``, which hardly a recording of the training with as many utterances exceeds.
        outside: how many features lie beyond ``BEYOND`` deviations of their own; usual_outside: the limit of that.
        far: whether the recording lies outside the range, so that predictions are not to be trusted.
        farthest: names of the three features that lie farthest.

    Shapes:
        medians: both measures of the median utterance, 2 x (width,).
    """

    utterances: int
    features: int
    beyond: int
    deviations: float
    usual: float
    outside: int
    usual_outside: float
    far: bool
    farthest: tuple[str, ...]
    medians: tuple[NDArray[np.float64], NDArray[np.float64]] = field(repr=False, compare=False)


class TrainingRange:
    """The range of the features that a model was trained on, as its metadata describe it.

    Args:
        content: entry ``range`` of the metadata.
        names: of the features, for messages; empty if they are not known.
    """

    def __init__(self, content: dict[str, Any], names: Sequence[str] = ()) -> None:
        self._centre, self._scale, self._residual = (
            np.array(content[key], np.float64) for key in ("centre", "scale", "residual")
        )
        width = len(self._centre)
        self._axes = FRACTION * np.array(content["axes"], np.float64).reshape(-1, width)
        self._limits = sorted((int(size), *limits) for size, limits in content["limits"].items())
        self._names = names if len(names) == width else [f"feature {i}" for i in range(1, width + 1)]

    def measures(self, features: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return both measures of every utterance: deviations from the median, and from what other features predict.

        Shapes:
            features: (utterances, width), not standardised. Returns two arrays of the same shape.
        """
        return measures(features, self._centre, self._scale, self._axes, self._residual)

    def distance(self, features: NDArray[Any]) -> Distance:
        """Measure a recording of at least one utterance. Shapes: features: (utterances, width), not standardised."""
        return self._judged(len(features), *summary(*self.measures(features)))

    def pooled(self, recordings: Sequence[Distance]) -> Distance:
        """Measure several recordings as one, such as files of a sentence each, in which each counts alike."""
        outer, left = (np.stack(medians) for medians in zip(*(one.medians for one in recordings), strict=True))
        return self._judged(sum(one.utterances for one in recordings), *summary(outer, left))

    def _judged(self, utterances: int, outer: NDArray[np.float64], left: NDArray[np.float64]) -> Distance:
        both = np.maximum(np.abs(outer), np.abs(left))
        deviations, outside = statistics(outer, left)
        usual, count = next((rest for size, *rest in reversed(self._limits) if size <= utterances), self._limits[0][1:])
        order = np.argsort(-both, kind="stable")[:3]
        return Distance(
            utterances,
            len(both),
            int((both > BEYOND).sum()),
            deviations,
            float(usual),
            outside,
            float(count),
            bool(deviations > usual or outside > count),
            tuple(self._names[i] for i in order),
            (outer, left),
        )


def training_range(metadata: dict[str, Any]) -> TrainingRange | None:
    """Return the range that a model's metadata describe; None for files of earlier versions and small trainings."""
    columns = (metadata["recipe"] or {}).get("columns", ())
    return TrainingRange(metadata["range"], columns) if metadata["range"] else None


def measures(
    features: NDArray[Any],
    centre: NDArray[np.float64],
    scale: NDArray[np.float64],
    axes: NDArray[np.float64],
    residual: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both measures of every utterance, see ``TrainingRange.measures``."""
    outer = np.clip((np.asarray(features, np.float64) - centre) / scale, -MOST, MOST)
    return outer, np.clip((outer - outer @ axes.T @ axes) / residual, -MOST, MOST)


def summary(outer: NDArray[np.float64], left: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return both measures of a recording's median utterance, (width,), from those of its utterances."""
    return _median(outer), _median(left)


def _median(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each column; numpy's own takes several times as long for hundreds of rows."""
    ordered, middle = np.sort(values.T, axis=1), len(values) // 2
    upper = ordered[:, middle]
    return upper if len(values) % 2 else (ordered[:, middle - 1] + upper) / 2


def statistics(outer: NDArray[np.float64], left: NDArray[np.float64]) -> tuple[float, int]:
    """Return what decides whether a recording is far: ``Distance.deviations``, and features beyond their own range."""
    return float(np.sqrt((left**2).mean())), int((np.abs(outer) > BEYOND).sum())


def warning(found: Sequence[tuple[str, Distance | None]], metadata: dict[str, Any]) -> str | None:
    """Return one line on the dialogues that lie far outside the training, or None if there is none.

    Those that are not far alone are also measured as one: a single utterance tells little, and a folder of them much.

    Args:
        found: name and distance of each dialogue; None where it is not known.
    """
    measured, size = [(name, each) for name, each in found if each is not None], training_range(metadata)
    if not measured or size is None:
        return None
    far = sorted((pair for pair in measured if pair[1].far), key=lambda pair: -pair[1].deviations / pair[1].usual)
    others = [each for _, each in measured if not each.far]
    if others and (rest := size.pooled(others)).far:
        whole = size.pooled([each for _, each in measured])
        worst, count = (whole, len(measured)) if whole.far else (rest, len(others))
        which, most = f"{count} dialogues, measured as one, are", ""
    elif not far:
        return None
    elif len(measured) == 1:
        which, most, worst = f"dialogue {far[0][0][:100]} is", "", far[0][1]
    else:
        names = [name[:100] for name, _ in far]
        listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        which, most = f"{len(far)} of {len(measured)} dialogues ({listed}) are", f"dialogue {names[0]} with "
        worst = far[0][1]
    return (
        f"{which} unlike what {metadata['arm'][:100]} was trained on ({metadata['corpus']['name'][:100]}): "
        f"{most}{worst.beyond} of {worst.features} features beyond {BEYOND} deviations, {_excess(worst)}: "
        "expect wrong emotions"
    )


def _excess(one: Distance) -> str:
    """Return which limit a distance is above, with as many digits as tell the two."""
    if one.deviations <= one.usual:
        return f"{one.outside} of them of their own, above the limit of {one.usual_outside:g}"
    value, limit = next(
        (pair for pair in (_rounded(one, digits) for digits in range(2, 17)) if pair[0] != pair[1]), _rounded(one, 17)
    )
    return f"root mean square {value}, above the limit of {limit}"


def _rounded(one: Distance, digits: int) -> tuple[str, str]:
    return f"{one.deviations:.{digits}f}", f"{one.usual:.{digits}f}"
