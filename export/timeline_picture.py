"""A timeline as a picture: how probable each emotion is over time, a row for every speaker."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from export.timeline import Timeline
from replicate.report.figures.canvas import COLOURS, Frame, render, sheet, short, style

# Inches of a row, and of a second of speech, within the narrowest and the widest sheet that still reads well.
ROW, SECOND, NARROW, WIDE = 1.1, 0.08, 6.5, 40.0
# Seconds from which on an axis counts minutes.
MINUTES = 120.0
# Beyond the colours that are told apart, hatches tell the rest.
HATCHES = ("", "////", "....", "xxxx")


def picture(timeline: Timeline) -> dict[str, bytes]:
    """One dialogue as png and svg, by suffix: a stacked bar for each utterance, as wide as it lasts."""
    with style(timeline.turns[0].dialogue):
        return render(draw(timeline))


def draw(timeline: Timeline) -> Figure:
    """The figure behind ``picture``; to be called within ``canvas.style``."""
    turns = timeline.turns
    speakers = list(dict.fromkeys(turn.speaker for turn in turns))
    end = max(turn.stop for turn in turns)
    frame = Frame(
        turns[0].dialogue,
        "Height: how probable the model finds each emotion. Width: from start to end of an utterance.",
    )
    figure = sheet(frame, min(WIDE, max(NARROW, end * SECOND)), ROW * len(speakers) + 0.7)
    axes = figure.subplots(len(speakers), sharex=True, squeeze=False)[:, 0]
    for axis, speaker in zip(axes, speakers, strict=True):
        own = [turn for turn in turns if turn.speaker == speaker]
        bottom = [0.0] * len(own)
        for number, label in enumerate(timeline.labels):
            height = [turn.probability[number] for turn in own]
            axis.bar(
                [turn.start for turn in own],
                height,
                [turn.stop - turn.start for turn in own],
                bottom,
                align="edge",
                color=COLOURS[1:][number % (len(COLOURS) - 1)],
                hatch=HATCHES[number // (len(COLOURS) - 1) % len(HATCHES)],
                edgecolor="white",
                linewidth=0.4,
                label=label,
            )
            bottom = [low + more for low, more in zip(bottom, height, strict=True)]
        axis.set_ylabel(short(speaker))
        axis.set_ylim(0, 1)
        axis.set_xlim(0, end)
        axis.set_yticks([0, 0.5, 1])
        axis.spines[["top", "right"]].set_visible(False)
    if end > MINUTES:
        axes[-1].xaxis.set_major_locator(MultipleLocator(_step(end)))
        axes[-1].xaxis.set_major_formatter(lambda seconds, _: f"{int(seconds) // 60}:{int(seconds) % 60:02d}")
    axes[-1].set_xlabel("minutes and seconds" if end > MINUTES else "seconds")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(6, len(timeline.labels)), frameon=False)
    return figure


def _step(seconds: float) -> int:
    """Seconds between ticks: whole parts or numbers of minutes, some twenty ticks at most."""
    return next((step for step in (10, 15, 30, 60, 120, 300) if seconds / step <= 20), 600)
