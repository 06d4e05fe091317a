"""F1 on dev and on test against latency, size and memory of exported files: two points for each panel, by precision."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from replicate.plotting import COLOURS, Frame, in_legend, sheet
from replicate.report.figures.panels import PanelRuns
from replicate.results.deployments import Deployment, front

HOW_TO_READ = (
    "Points: means over seeds; filled: 32-bit weights, hollow: 8-bit weights. Line: models than which none is both "
    "faster and at least as good on dev."
)

# Only markers that can be hollow.
_MARKERS = ("o", "^", "s", "D", "v", "<", ">", "p", "h", "*")
_ACROSS = {"p50": "ms for one dialogue", "megabytes": "MB of the file", "peak_megabytes": "MB of memory"}
_UP = {"dev_f1": "F1 on dev", "test_f1": "F1 on test"}


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw the deployments of every panel; panels of one title share a marker, those of one series a colour."""
    figure = sheet(frame, 7.2, 5.0)
    titles = list(dict.fromkeys(panel.title for panel in panels))
    series = list(dict.fromkeys(panel.series for panel in panels))
    best = sorted(front([each for panel in panels for each in panel.deployments]), key=lambda each: each.p50)
    above = figure.add_gridspec(2, 1, height_ratios=[1, 12])
    top, below = above[0], above[1]
    panes = below.subgridspec(len(_UP), len(_ACROSS))
    axes = panes.subplots(sharex="col", sharey="row", squeeze=False)
    for row, up in zip(axes, _UP, strict=True):
        for axis, across in zip(row, _ACROSS, strict=True):
            for panel in panels:
                marker = _MARKERS[titles.index(panel.title) % len(_MARKERS)]
                colour = COLOURS[series.index(panel.series) % len(COLOURS)]
                for each in panel.deployments:
                    _point(axis, each, across, up, marker, colour)
            axis.locator_params(axis="x", nbins=5)
            axis.grid(color="0.9", linewidth=0.5)
            axis.set_axisbelow(True)
            axis.spines[["top", "right"]].set_visible(False)
        row[0].plot([each.p50 for each in best], [mean(getattr(each, up)) for each in best], "-", color="0.7", lw=0.8)
        row[0].set_ylabel(_UP[up])
    for axis, words in zip(axes[-1], _ACROSS.values(), strict=True):
        axis.set_xlabel(words)
    _legend(figure.add_subplot(top), titles, series)
    return figure


def _point(axis: Axes, each: Deployment, across: str, up: str, marker: str, colour: str) -> None:
    place = getattr(each, across)
    if place is None:  # memory that could not be measured
        return
    fill = colour if each.precision == "fp32" else "none"
    axis.plot(place, mean(getattr(each, up)), marker, color=colour, markerfacecolor=fill, markersize=5, mew=0.8)


def _legend(axis: Axes, titles: Sequence[str], series: Sequence[str]) -> None:
    """Name the markers and the colours, in axes as wide as the figure: in narrower ones, the panels would shrink."""
    grey: dict[str, Any] = {"color": "0.3", "linestyle": "", "markersize": 5}
    marks = [
        Line2D([], [], marker=_MARKERS[i % len(_MARKERS)], label=in_legend(title), **grey)
        for i, title in enumerate(titles)
    ]
    marks += [
        Line2D([], [], color=COLOURS[i % len(COLOURS)], linewidth=3, label=in_legend(name))
        for i, name in enumerate(series)
        if name
    ]
    axis.set_axis_off()
    axis.legend(handles=marks, loc="center left", ncols=6, frameon=False)
