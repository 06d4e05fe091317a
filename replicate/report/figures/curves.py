"""Learning curves: losses and dev weighted F1 by epoch, one column per arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from replicate.plotting import NORMAL, Frame, sheet, wrapped
from replicate.report.figures.panels import PanelRuns
from replicate.store.run import Run

HOW_TO_READ = (
    "Line: mean over seeds; band: smallest to largest value; circles: the epoch chosen for each seed by dev weighted "
    "F1. The train loss has its own axis in each column, because that of a student includes the distillation loss."
)
# Key in an epoch's record, label, and whether arms share the axis: train losses are not comparable.
ROWS = (("train_loss", "train loss", False), ("dev_loss", "dev loss", True), ("dev_f1", "dev weighted F1", True))


def values(runs: Sequence[Run], key: str) -> NDArray[np.float64]:
    """Return one value of every epoch of every run: (seeds, epochs)."""
    return np.array([[getattr(epoch, key) for epoch in run.record.curve] for run in runs])


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw arms in columns; train loss, dev loss and dev weighted F1 in rows."""
    width = 1.75
    figure = sheet(frame, len(panels) * width + 0.4, 4.6)
    axes = figure.subplots(len(ROWS), len(panels), sharex=True, squeeze=False)
    for column, panel in enumerate(panels):
        runs = panel.runs()
        best = np.array([run.record.best_epoch for run in runs])
        for row, (key, label, shared) in enumerate(ROWS):
            axis = axes[row, column]
            if column == 0:
                axis.set_ylabel(label)
            elif shared:
                axis.sharey(axes[row, 0])
                axis.tick_params(labelleft=False)
            _curve(axis, values(runs, key), best)
        axes[0, column].set_title(f"{wrapped(panel.title, width, NORMAL)}\n(dev at {panel.context} inference)")
        axes[-1, column].set_xlabel("epoch")
    return figure


def _curve(axis: Axes, lines: NDArray[np.float64], best: NDArray[np.int64]) -> None:
    """Draw mean and band of (seeds, epochs), and a circle at the chosen epoch of each seed (counted from 1)."""
    epochs = np.arange(1, lines.shape[1] + 1)
    axis.fill_between(epochs, lines.min(0), lines.max(0), color="0.8", linewidth=0)
    axis.plot(epochs, lines.mean(0), color="black", linewidth=1, marker="." if len(epochs) == 1 else "")
    axis.plot(best, lines[np.arange(len(lines)), best - 1], "o", color="#0072B2", markerfacecolor="none", markersize=4)
    axis.grid(color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)
    margin = max(0.1, 0.04 * len(epochs))
    axis.set_xlim(1 - margin, len(epochs) + margin)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    axis.spines[["top", "right"]].set_visible(False)
