"""F1 by class: several cells beside each other, class by class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from replicate.plotting import COLOURS, MARKERS, Frame, sheet, short
from replicate.report.figures.parts import Part

READING = "F1 of every class on test. Large: mean over the seeds, bars: ± sample deviation; small: the single seeds."


def draw(parts: Sequence[Part], frame: Frame) -> Figure:
    """One group per class; in it mean, deviation and seeds of every cell."""
    names = [short(name) for name in parts[0].classes]
    room = 0.32 * len(parts) + 0.5  # inches of a class; its name fits
    figure = sheet(frame, max(4.5, room * len(names) + 0.8), 2.9)
    axis = figure.subplots()
    for number, part in enumerate(parts):
        # Cells stand 0.6 / len(parts) apart, around the place of their class.
        places = np.arange(len(names)) + (number - (len(parts) - 1) / 2) * 0.6 / len(parts)
        scores = np.array(part.cell.by_class)
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
            label=part.title,
        )
        if seeds > 1:
            beside = places[None, :] + 0.18 / len(parts) + np.linspace(0, 0.12, seeds)[:, None] / len(parts)
            axis.plot(beside, scores, marker, color=colour, markersize=2.5, markerfacecolor="none", markeredgewidth=0.5)
    axis.set_xticks(range(len(names)), names)
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylim(-0.03, 1.03)
    axis.set_ylabel("F1 on test")
    axis.grid(axis="y", color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)
    return figure
