"""Confusion matrices: which class is taken for which (Figures 3 to 6 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from replicate.plotting import LETTER, NORMAL, SMALL, Frame, sheet, short, wrapped
from replicate.report.figures.parts import Part
from replicate.report.text import measured

READING = "Counts of utterances on test, summed over the seeds; shade and per cent: share of the true class (row)."
# Lightness falls steadily with the share, so that the map reads the same in grey. 100 % is the map's middle: all its
# shades up to there let black numbers stand out.
SHADES, DARKEST = "Blues", 0.6


def counts(labels: ArrayLike, log_prob: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How often each class was predicted for each.

    Shapes:
        labels: (N,) int; log_prob: (N, classes). Result: (classes, classes), rows true, columns predicted.
    """
    found = np.zeros((classes, classes), np.int64)
    np.add.at(found, (np.asarray(labels), np.asarray(log_prob).argmax(1)), 1)
    return found


def shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row in parts of its sum; a class that test does not hold is 0 throughout."""
    return matrix / np.maximum(matrix.sum(1, keepdims=True), 1)


def summed(part: Part) -> NDArray[np.int64]:
    """The counts of one cell over all its seeds."""
    # Labels come from the run: under the release's order of HuBERT features they are not the corpus's.
    return sum(
        (counts(run.labels("test"), run.log_prob("test", part.context), len(part.classes)) for run in part.runs()),
        np.zeros((len(part.classes), len(part.classes)), np.int64),
    )


def draw(parts: Sequence[Part], frame: Frame) -> Figure:
    """One matrix per cell, side by side, the same classes in the same order."""
    names = [short(name) for name in parts[0].classes]
    side = max(1.9, len(names) * (0.6 if len(names) < 5 else 0.5))
    longest = max(map(len, names)) * SMALL * LETTER / 72
    turned = longest > side / len(names)  # names would run into each other
    figure = sheet(frame, len(parts) * (side + 0.15) + longest + 0.4, side + 1.05 + (0.5 * longest if turned else 0))
    axes = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    for axis, part in zip(axes, parts, strict=True):
        _matrix(axis, summed(part))
        title = f"{wrapped(part.title, side, NORMAL)}\nweighted F1 {measured(part.cell)}"
        axis.set_title(title)
        rotation = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if turned else {}
        axis.set_xticks(range(len(names)), names, **rotation)
        axis.set_xlabel("predicted class")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylabel("true class")
    return figure


def _matrix(axis: Axes, matrix: NDArray[np.int64]) -> None:
    parts = shares(matrix)
    axis.imshow(parts, cmap=SHADES, vmin=0, vmax=1 / DARKEST)
    axis.tick_params(which="both", length=0)
    edges = np.arange(len(matrix) - 1) + 0.5
    axis.set_xticks(edges, minor=True)
    axis.set_yticks(edges, minor=True)
    axis.grid(which="minor", color="0.85", linewidth=0.5)
    for (row, column), count in np.ndenumerate(matrix):
        share = f"{100 * parts[row, column]:.0f} %" if matrix[row].any() else "–"
        axis.text(column, row, f"{count}\n{share}", ha="center", va="center", size=SMALL)
