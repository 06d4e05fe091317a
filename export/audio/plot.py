"""Draw a timeline: the probability of each emotion over time, one row for each speaker; long recordings in strips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from export.audio.lanes import lanes
from export.audio.timeline import Segment, Timeline
from replicate.plotting import COLOURS, Frame, render, sheet, short, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# About how many seconds a strip shows, and the most strips of a picture: longer recordings have longer strips.
STRIP, STRIPS = 300.0, 24
# Inches: height of a row, width of a second of speech, smallest and largest width of the figure.
ROW, SECOND, NARROW, WIDE = 0.95, 0.08, 6.5, 12.0
# Recordings longer than this many seconds have an axis in minutes.
MINUTES = 120.0
# With more classes than distinguishable colours, colours repeat with a hatch.
HATCHES = ("", "////", "....", "xxxx")


def picture(timeline: Timeline) -> dict[str, bytes]:
    """Draw one dialogue; returns the contents of the png and svg files by suffix.

    Each utterance is a stacked bar from its start to its end.
    """
    with style(timeline.segments[0].dialogue):
        return render(draw(timeline))


def draw(timeline: Timeline) -> Figure:
    """Build the figure of ``picture``; call it within ``replicate.plotting.style``."""
    segments = timeline.segments
    end = max(segment.end for segment in segments)
    frame = Frame(
        segments[0].dialogue,
        "Height: probability of each emotion. Width: from start to end of an utterance. Overlapping utterances of one "
        "speaker are in separate rows.",
    )
    many = min(STRIPS, max(1, round(end / STRIP)))
    strip = end if many == 1 else 10 * math.ceil(end / many / 10)
    rows = [
        (start, *lane) for start in (number * strip for number in range(many)) for lane in lanes(segments, start, strip)
    ]
    figure = sheet(frame, min(WIDE, max(NARROW, strip * SECOND)), ROW * len(rows) + 0.7)
    axes = figure.subplots(len(rows), squeeze=False)[:, 0]
    for number, (start, speaker, own) in enumerate(rows):
        axis = axes[number]
        axis.set_ylabel(short(speaker))
        axis.set_xlim(start, start + strip)
        _axis(axis, strip, end)
        _bars(axis, timeline, own, strip)
        if number + 1 < len(rows) and rows[number + 1][0] == start:
            axis.tick_params(labelbottom=False)
    axes[-1].set_xlabel("minutes and seconds" if end > MINUTES else "seconds")
    # Empty bars for the legend, since the first strip need not show every emotion.
    marks = [axes[0].bar([0], [0], label=short(name), **_look(number)) for number, name in enumerate(timeline.labels)]
    columns = min(6, len(timeline.labels))
    axes[0].legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False)
    return figure


def _bars(axis: Axes, timeline: Timeline, segments: Sequence[Segment], strip: float) -> None:
    bottom = [0.0] * len(segments)
    # A white edge would hide a very narrow bar.
    edges = [0.4 if segment.end - segment.start > strip / 150 else 0.0 for segment in segments]
    for number in range(len(timeline.labels)):
        height = [segment.probabilities[number] for segment in segments]
        starts, widths = [segment.start for segment in segments], [segment.end - segment.start for segment in segments]
        axis.bar(starts, height, widths, bottom, align="edge", linewidth=edges, **_look(number))
        bottom = [low + more for low, more in zip(bottom, height, strict=True)]


def _look(number: int) -> dict[str, str]:
    colours = COLOURS[1:]
    hatch = HATCHES[number // len(colours) % len(HATCHES)]
    return {"color": colours[number % len(colours)], "hatch": hatch, "edgecolor": "white"}


def _axis(axis: Axes, strip: float, end: float) -> None:
    axis.set_ylim(0, 1)
    axis.set_yticks([0, 0.5, 1])
    axis.spines[["top", "right"]].set_visible(False)
    if end > MINUTES:
        from matplotlib.ticker import MultipleLocator

        steps = (10, 15, 30, 60, 120, 300, 600, 1800, 3600)
        axis.xaxis.set_major_locator(MultipleLocator(next(step for step in steps if strip / step <= 20)))
        axis.xaxis.set_major_formatter(lambda seconds, _: f"{round(seconds) // 60}:{round(seconds) % 60:02d}")
