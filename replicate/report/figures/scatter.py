"""Scores of some cells against those of others: one point for each panel, baselines as lines."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from replicate.metrics import title
from replicate.plotting import COLOURS, MARKERS, SMALL, Frame, in_legend, label, sheet
from replicate.report.figures.panels import PanelRuns

HOW_TO_READ = "Points: means over seeds, with bars of ± 1 sample deviation; dashed lines: the mean of the baseline."


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw the score of every panel's cell over that of its ``across``, and panels without one as dashed lines."""
    figure = sheet(frame, 4.6, 3.4)
    axis = figure.subplots()
    baselines = [panel for panel in panels if panel.across is None]
    for panel in baselines:
        mean = panel.cell.summary.mean
        axis.axhline(mean, color="0.5", linewidth=0.8, linestyle="--", label=in_legend(panel.title))
        axis.axvline(mean, color="0.5", linewidth=0.8, linestyle="--")
    looks = {name: i for i, name in enumerate(dict.fromkeys(panel.series for panel in panels if panel.across))}
    named: set[str] = set()
    for panel in panels:
        if panel.across is None:
            continue
        look = looks[panel.series]
        across, up = panel.across.cell.summary, panel.cell.summary
        axis.errorbar(
            across.mean,
            up.mean,
            xerr=across.std,
            yerr=up.std,
            fmt=MARKERS[look % len(MARKERS)],
            color=COLOURS[look % len(COLOURS)],
            markersize=5,
            elinewidth=0.4,
            label=in_legend(panel.series) if panel.series not in named else None,
        )
        named.add(panel.series)
        axis.annotate(label(panel.title), (across.mean, up.mean), xytext=(4, 4), textcoords="offset points", size=SMALL)
    point = next(panel for panel in panels if panel.across)
    score = label(title(point.result.metric))
    axis.set_xlabel(f"{score} on test, {point.across.context if point.across else ''} inference")
    axis.set_ylabel(f"{score} on test, {point.context} inference")
    axis.grid(color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.2)
    return figure
