"""Values between 0 and 1 that a distillation method logs, by epoch: shares of chosen teachers, edge weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from replicate.plotting import COLOURS, MARKERS, NORMAL, Frame, in_legend, sheet, wrapped
from replicate.report.figures.panels import PanelRuns
from replicate.store.run import Run

HOW_TO_READ = "Thick lines: means over seeds; thin lines: the seeds."
COLUMNS = 2


def values(runs: Sequence[Run], prefix: str) -> dict[str, NDArray[np.float64]]:
    """Return the logged values whose names begin with ``prefix``, by the rest of the name.

    Shapes:
        values: (seeds, epochs), NaN where an epoch has no value of that name.
    """
    curves = [[epoch.logged for epoch in run.record.curve] for run in runs]
    names = dict.fromkeys(name for curve in curves for epoch in curve for name in epoch if name.startswith(prefix))
    return {
        name[len(prefix) :]: np.array([[epoch.get(name, np.nan) for epoch in curve] for curve in curves])
        for name in names
    }


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw two panels per row, with one legend for all."""
    width, legend = 2.6, 1.9
    rows = -(-len(panels) // COLUMNS)
    figure = sheet(frame, min(len(panels), COLUMNS) * width + legend, rows * 2.1 + 0.3)
    axes = figure.subplots(rows, min(len(panels), COLUMNS), sharex=True, sharey=True, squeeze=False)
    found = [values(panel.runs(), panel.prefix) for panel in panels]
    looks = {name: i for i, name in enumerate(dict.fromkeys(name for lines in found for name in lines))}
    handles: dict[str, Line2D] = {}
    for axis, panel, lines in zip(axes.flat, panels, found, strict=False):
        handles |= {name: _line(axis, line, looks[name]) for name, line in lines.items()}
        _finish(axis)
        axis.set_title(wrapped(panel.title, width, NORMAL))
    for axis in axes.flat[len(panels) :]:
        axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    axes[0, 0].set_ylim(0, 1.02)
    figure.legend(list(handles.values()), [*map(in_legend, handles)], loc="outside right center", frameon=False)
    return figure


def _line(axis: Axes, line: NDArray[np.float64], look: int) -> Line2D:
    """Draw the mean of (seeds, epochs), and the seeds: bands would cover each other where seeds differ widely."""
    epochs = np.arange(1, line.shape[1] + 1)
    colour = COLOURS[look % len(COLOURS)]
    axis.plot(epochs, line.T, color=colour, alpha=0.3, linewidth=0.5)
    (drawn,) = axis.plot(epochs, np.nanmean(line, 0), color=colour, linewidth=1.5)
    drawn.set(marker=MARKERS[look % len(MARKERS)], markersize=3, markevery=max(1, len(epochs) // 8))
    return drawn


def _finish(axis: Axes) -> None:
    axis.grid(color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axis.spines[["top", "right"]].set_visible(False)
