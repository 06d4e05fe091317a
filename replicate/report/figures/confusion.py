"""Confusion matrices (Figures 3 to 6 of the paper)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from rich.cells import cell_len

from replicate import metrics
from replicate.plotting import LETTER, NORMAL, SMALL, Frame, label, sheet, short, wrapped
from replicate.report.figures.panels import PanelRuns
from replicate.report.text import measured

HOW_TO_READ = "Number of test utterances, summed over seeds; shade and percentage: share within the true class (row)."
# Lightness falls steadily with the share, so the map also works in grey. 100 % is at 60 % of the colour map: all
# shades up to there are light enough for black numbers.
SHADES, DARKEST = "Blues", 0.6


def counts(labels: ArrayLike, log_prob: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix of one run.

    Shapes:
        labels: (N,) int; log_prob: (N, classes). Result: (classes, classes), rows true, columns predicted.
    """
    from sklearn.metrics import confusion_matrix

    return np.asarray(confusion_matrix(labels, np.asarray(log_prob).argmax(1), labels=range(classes)))


def shares(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return every row divided by its sum; the row of a class without test utterances is 0."""
    return matrix / np.maximum(matrix.sum(1, keepdims=True), 1)


def summed(panel: PanelRuns) -> NDArray[np.int64]:
    """Return the confusion matrix of a cell, summed over its seeds."""
    # Labels come from the run: with HuBERT features in the release's order they differ from the corpus's labels.
    return sum(
        (counts(run.labels("test"), run.log_prob("test", panel.context), len(panel.classes)) for run in panel.runs()),
        np.zeros((len(panel.classes), len(panel.classes)), np.int64),
    )


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw one matrix per cell, side by side, with the same classes in the same order."""
    names = [short(name) for name in panels[0].classes]
    side = max(1.9, len(names) * (0.6 if len(names) < 5 else 0.5))
    longest = max(map(cell_len, names)) * SMALL * LETTER / 72
    slanted = longest > side / len(names)  # horizontal names would overlap
    figure = sheet(frame, len(panels) * (side + 0.15) + longest + 0.4, side + 1.05 + (0.5 * longest if slanted else 0))
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axis, panel in zip(axes, panels, strict=True):
        _matrix(axis, summed(panel))
        title = (
            f"{wrapped(panel.title, side, NORMAL)}\n{label(metrics.title(panel.cell.metric))} {measured(panel.cell)}"
        )
        axis.set_title(title)
        rotation = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
        axis.set_xticks(range(len(names)), names, **rotation)
        axis.set_xlabel("predicted class")
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylabel("true class")
    return figure


def _matrix(axis: Axes, matrix: NDArray[np.int64]) -> None:
    fractions = shares(matrix)
    axis.imshow(fractions, cmap=SHADES, vmin=0, vmax=1 / DARKEST)
    axis.tick_params(which="both", length=0)
    edges = np.arange(len(matrix) - 1) + 0.5
    axis.set_xticks(edges, minor=True)
    axis.set_yticks(edges, minor=True)
    axis.grid(which="minor", color="0.85", linewidth=0.5)
    for (row, column), count in np.ndenumerate(matrix):
        share = f"{100 * fractions[row, column]:.0f} %" if matrix[row].any() else "–"
        axis.text(column, row, f"{count}\n{share}", ha="center", va="center", size=SMALL)
