"""What a method of distillation logs, by epoch: which teacher is chosen, what edges weigh."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from replicate.experiment.stored import StoredRun
from replicate.report.figures.canvas import COLOURS, MARKERS, NORMAL, Frame, sheet, wrapped
from replicate.report.figures.parts import Part

READING = "Line: mean over the seeds; band: smallest to largest."
COLUMNS = 2


def values(runs: Sequence[StoredRun], prefix: str) -> dict[str, NDArray[np.float64]]:
    """What is logged under names that begin so, by the rest of the name: (seeds, epochs), NaN where it was not."""
    curves = [[epoch["terms"] for epoch in run.record["curve"]] for run in runs]
    names = dict.fromkeys(name for curve in curves for epoch in curve for name in epoch if name.startswith(prefix))
    return {
        name[len(prefix) :]: np.array([[epoch.get(name, np.nan) for epoch in curve] for curve in curves])
        for name in names
    }


def draw(parts: Sequence[Part], frame: Frame) -> Figure:
    """Panels two in a row, with one axis and one legend for each."""
    width = 3.1
    rows = -(-len(parts) // COLUMNS)
    figure = sheet(frame, min(len(parts), COLUMNS) * width + 0.4, rows * 2.3)
    axes = figure.subplots(rows, min(len(parts), COLUMNS), sharex=True, sharey=True, squeeze=False)
    for axis, part in zip(axes.flat, parts, strict=False):
        _lines(axis, values(part.runs(), part.terms))
        axis.set_title(wrapped(part.title, width, NORMAL))
    for axis in axes.flat[len(parts) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return figure


def _lines(axis: Axes, lines: dict[str, NDArray[np.float64]]) -> None:
    for i, (name, each) in enumerate(lines.items()):
        epochs = np.arange(1, each.shape[1] + 1)
        colour = COLOURS[i % len(COLOURS)]
        axis.fill_between(epochs, np.nanmin(each, 0), np.nanmax(each, 0), color=colour, alpha=0.15, linewidth=0)
        (line,) = axis.plot(epochs, np.nanmean(each, 0), color=colour, linewidth=1, label=name)
        line.set(marker=MARKERS[i % len(MARKERS)], markersize=3, markevery=max(1, len(epochs) // 8))
    axis.grid(color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
