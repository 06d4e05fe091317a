"""F1 of every class: several cells side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from replicate.plotting import COLOURS, MARKERS, Frame, in_legend, sheet, short
from replicate.report.figures.panels import PanelRuns

HOW_TO_READ = (
    "F1 of every class on test. Large markers: mean over seeds, with bars of ± 1 sample deviation; small markers: "
    "single seeds."
)


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw one group per class, with mean, deviation and seeds of every cell."""
    names = [short(name) for name in panels[0].classes]
    room = 0.32 * len(panels) + 0.5  # inches per class, enough for its name
    figure = sheet(frame, max(4.5, room * len(names) + 0.8), 2.9)
    axis = figure.subplots()
    for number, panel in enumerate(panels):
        # Cells are 0.6 / len(panels) apart, centred on their class.
        places = np.arange(len(names)) + (number - (len(panels) - 1) / 2) * 0.6 / len(panels)
        scores = np.array(panel.cell.by_class)
        seeds = len(scores)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        axis.errorbar(
            places,
            scores.mean(0),
            yerr=scores.std(0, ddof=1) if seeds > 1 else None,
            fmt=marker,
            color=colour,
            markersize=5.5,
            capsize=2.5,
            linewidth=1,
            label=in_legend(panel.title),
        )
        if seeds > 1:
            right = places[None, :] + 0.18 / len(panels) + np.linspace(0, 0.12, seeds)[:, None] / len(panels)
            axis.plot(right, scores, marker, color=colour, markersize=2.5, markerfacecolor="none", markeredgewidth=0.5)
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylim(-0.03, 1.03)
    axis.set_ylabel("F1 on test")
    axis.grid(axis="y", color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)
    return figure
