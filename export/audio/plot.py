"""A timeline as a picture: how probable each emotion is over time, a row for every speaker, in strips of minutes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from export.audio.timeline import Timeline, Turn
from replicate.plotting import COLOURS, Frame, render, sheet, short, style

# Seconds of a strip, more or less, and how many strips a picture has at most: of longer recordings, strips are longer.
STRIP, STRIPS = 300.0, 24
# Inches of a row, of a second of speech, and of the narrowest and the widest sheet.
ROW, SECOND, NARROW, WIDE = 0.95, 0.08, 6.5, 12.0
# Seconds from which on an axis counts minutes.
MINUTES = 120.0
# Beyond the colours that are told apart, hatches tell the rest.
HATCHES = ("", "////", "....", "xxxx")

Lane = tuple[str, list[Turn]]


def picture(timeline: Timeline) -> dict[str, bytes]:
    """One dialogue as png and svg, by suffix: a stacked bar for each utterance, as wide as it lasts."""
    with style(timeline.turns[0].dialogue):
        return render(draw(timeline))


def draw(timeline: Timeline) -> Figure:
    """The figure behind ``picture``; to be called within ``canvas.style``."""
    turns = timeline.turns
    end = max(turn.stop for turn in turns)
    frame = Frame(
        turns[0].dialogue,
        "Height: how probable the model finds each emotion. Width: from start to end of an utterance. Who speaks twice "
        "at a time has two rows.",
    )
    many = min(STRIPS, max(1, round(end / STRIP)))
    strip = end if many == 1 else 10 * math.ceil(end / many / 10)
    rows = [
        (start, *lane) for start in (number * strip for number in range(many)) for lane in lanes(turns, start, strip)
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
    # Empty bars, for the first strip need not hold every emotion's.
    marks = [axes[0].bar([0], [0], label=label, **_look(number)) for number, label in enumerate(timeline.labels)]
    columns = min(6, len(timeline.labels))
    axes[0].legend(handles=marks, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False)
    return figure


def lanes(turns: Sequence[Turn], start: float, strip: float) -> list[Lane]:
    """The turns of a strip by speaker, in the order in which the dialogue hears them first, whoever speaks there.

    Those of one speaker that overlap are in rows of their own.
    """
    found: list[Lane] = []
    for speaker in dict.fromkeys(turn.speaker for turn in turns):
        own: list[list[Turn]] = [[]]
        for turn in sorted((turn for turn in turns if turn.speaker == speaker), key=lambda turn: turn.start):
            if turn.start >= start + strip or turn.stop <= start:
                continue
            free = next((lane for lane in own if not lane or lane[-1].stop <= turn.start + 1e-6), None)
            if free is None:
                own.append([turn])
            else:
                free.append(turn)
        found += [(speaker, lane) for lane in own]
    return found


def _bars(axis: Axes, timeline: Timeline, turns: Sequence[Turn], strip: float) -> None:
    bottom = [0.0] * len(turns)
    # The edge of a bar that is a hair's breadth wide would hide it.
    edges = [0.4 if turn.stop - turn.start > strip / 150 else 0.0 for turn in turns]
    for number in range(len(timeline.labels)):
        height = [turn.probability[number] for turn in turns]
        starts, widths = [turn.start for turn in turns], [turn.stop - turn.start for turn in turns]
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
        steps = (10, 15, 30, 60, 120, 300, 600, 1800, 3600)
        axis.xaxis.set_major_locator(MultipleLocator(next(step for step in steps if strip / step <= 20)))
        axis.xaxis.set_major_formatter(lambda seconds, _: f"{round(seconds) // 60}:{round(seconds) % 60:02d}")
