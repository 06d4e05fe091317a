"""A benchmark in the terminal, as Markdown, as CSV and as a picture: the same numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from rich import box
from rich.console import Console
from rich.table import Table

from export.benchmark.base import COMPILED, FLOOR, REFERENCE, STREAMED
from export.benchmark.timing import USUAL_LENGTH, Place, Row, Timing
from replicate.plotting import COLOURS, DPI, MARKERS, style

COLUMNS = ("engine", "on", "batch", "utterances", "p50", "p90", "p99", "n", "speed", "per second", "of peak")


def cells(timings: Sequence[Timing], about: dict[str, Any]) -> list[tuple[str, ...]]:
    """The latency table, row by row; speed is the median against the reference's on the same input and device."""
    baseline = {_case(timing): timing.p50 for timing in timings if timing.engine == REFERENCE}
    rows = []
    for timing in timings:
        first = baseline.get(_case(timing))
        rows.append(
            (
                timing.engine,
                *(str(value) for value in _case(timing)),
                *(f"{value:.2f}" for value in (timing.p50, timing.p90, timing.p99)),
                str(timing.n),
                "" if first is None else f"{first / timing.p50:.2f}x",
                f"{timing.per_second:.0f}",
                "" if timing.share_of_peak is None else f"{timing.share_of_peak:.2f}",
            )
        )
    if about["gpu"] is None:
        rows.append(("no GPU on this machine", "GPU", *[""] * (len(COLUMNS) - 2)))
    return rows


def _case(timing: Timing) -> tuple[Place, int, int]:
    return timing.place, timing.batch, timing.utterances


SPENT = ("kind of node", "nodes", "microseconds", "share")
SPENT_TITLE = (
    f"Where onnxruntime's time goes: one dialogue of {USUAL_LENGTH} utterances, 1 thread, by its own profiler, which "
    "slows small nodes down"
)
# Kinds that are shown by themselves; the rest in one line.
KINDS = 8


def spent(about: dict[str, Any]) -> list[tuple[str, ...]]:
    """Where onnxruntime spends its time, row by row."""
    kinds = about["profile"]
    shown = [(kind.kind, kind.nodes, kind.microseconds) for kind in kinds[:KINDS]]
    rest = kinds[KINDS:]
    shown.append(("others", sum(kind.nodes for kind in rest), sum(kind.microseconds for kind in rest)))
    total = sum(kind.microseconds for kind in kinds)
    return [(name, str(nodes), f"{time:.0f}", f"{100 * time / total:.0f} %") for name, nodes, time in shown]


def remarks(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any]) -> list[str]:
    """What the table rests on, and every engine's score and size; why an engine is not there."""
    lines = [
        f"{about['arm']}, seed {about['seed']}: milliseconds per call; speed: median against {REFERENCE}; of "
        f"peak: products with weights ({about['flops'] / 1e6:.1f} MFLOP per utterance) per second, as a share of a "
        f"large matrix product's there; {FLOOR}: nothing but those products, the floor. "
        f"{about['processor']}, {about['cores']} cores.",
    ]
    if any(timing.engine == STREAMED for timing in timings):
        lines.append(f"{STREAMED}: one utterance of a long dialogue, all that the model remembers being there.")
    if about["gpu"] is not None:
        lines.append(f"GPU: {about['gpu']}; inputs and results stay in its memory.")
    for row in rows:
        engine = row.engine if row.device == "cpu" else f"{row.engine}, GPU"
        if row.missing is not None:
            lines.append(f"{engine}: not timed, {row.missing}.")
            continue
        if row.engine == COMPILED:  # shares its score with the banded form
            continue
        score = "test F1 not measured" if row.test_f1 is None else f"test F1 on {about['corpus']} {row.test_f1:.4f}"
        size = "" if row.megabytes is None else f", {row.megabytes:.1f} MB"
        peak = (
            "" if row.peak_megabytes is None else f"; {row.longest} utterances: {row.peak_megabytes:.0f} MB of memory"
        )
        lines.append(f"{engine}: {score}{size}{peak}.")
    return lines + about["failures"]


def show(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any], console: Console) -> None:
    """Print all of it."""
    grid = Table(box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        grid.add_column(name, justify="left" if name == "engine" else "right", no_wrap=True)
    before = None
    for row in cells(timings, about):
        if before not in (None, row[1:4]):
            grid.add_section()
        before = row[1:4]
        grid.add_row(*row)
    console.print(grid, crop=False)
    grid = Table(box=box.SIMPLE_HEAD, title=SPENT_TITLE, title_justify="left", title_style="")
    for name in SPENT:
        grid.add_column(name, justify="left" if name == SPENT[0] else "right")
    for row in spent(about):
        grid.add_row(*row)
    console.print(grid)
    for line in remarks(timings, rows, about):
        console.print(line, highlight=False)


def markdown(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any]) -> str:
    """The same as a Markdown table with its remarks."""
    lines = _grid(COLUMNS, cells(timings, about))
    lines += ["", "  \n".join(remarks(timings, rows, about)), "", SPENT_TITLE, "", *_grid(SPENT, spent(about))]
    return "\n".join(lines) + "\n"


def _grid(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|---|" + "---:|" * (len(header) - 1)]
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def as_csv(timings: Sequence[Timing], about: dict[str, Any]) -> str:
    """The latency table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *cells(timings, about)])
    return text.getvalue()


def plot(timings: Sequence[Timing], path: Path) -> None:
    """Latency over length at the smallest batch, a line per engine, a panel per device and number of threads."""
    timings = [timing for timing in timings if timing.engine != STREAMED]  # a point, at one utterance
    places = list(dict.fromkeys(timing.place for timing in timings))
    batch = min(timing.batch for timing in timings)
    with style("benchmark"):
        figure = Figure(figsize=(3.6 * len(places), 3.4), layout="constrained")
        panels = figure.subplots(1, len(places), sharey=True, squeeze=False)[0]
        engines = list(dict.fromkeys(timing.engine for timing in timings))
        lines = {}
        for panel, place in zip(panels, places, strict=True):
            for engine, marker, colour in zip(engines, MARKERS, COLOURS, strict=False):
                mine = [t for t in timings if (t.engine, t.place, t.batch) == (engine, place, batch)]
                lengths = [t.utterances for t in mine]
                if mine:
                    medians = [t.p50 for t in mine]
                    lines[engine] = panel.plot(lengths, medians, marker=marker, color=colour, label=engine)[0]
            panel.set(xscale="log", yscale="log", xlabel="utterances", title=str(place))
            panel.set_xticks(sorted({t.utterances for t in timings if t.batch == batch}))
            panel.get_xaxis().set_major_formatter("{x:.0f}")
            panel.get_yaxis().set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
            panel.get_yaxis().set_major_formatter("{x:g}")
            panel.minorticks_off()
            panel.grid(True, color="0.9")
        panels[0].set_ylabel(f"milliseconds per call, batch {batch}: median")
        figure.legend(handles=list(lines.values()), loc="outside lower center", ncols=len(places), frameon=False)
        figure.savefig(path, dpi=DPI)
