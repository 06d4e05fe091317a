"""A benchmark in the terminal, as Markdown, as CSV and as a picture: the same numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from export.benchmark import Row, Timing
from replicate.report.figures.canvas import COLOURS, DPI, MARKERS, style

COLUMNS = ("engine", "threads", "batch", "utterances", "p50", "p90", "p99", "n", "speed", "per second", "of peak")


def cells(timings: Sequence[Timing]) -> list[tuple[str, ...]]:
    """The latency table, row by row; speed is the median against the first engine on the same input."""
    baseline: dict[tuple[int, int, int], float] = {}
    rows = []
    for timing in timings:
        first = baseline.setdefault((timing.threads, timing.batch, timing.utterances), timing.p50)
        rows.append(
            (
                timing.engine,
                *(str(value) for value in (timing.threads, timing.batch, timing.utterances)),
                *(f"{value:.2f}" for value in (timing.p50, timing.p90, timing.p99)),
                str(timing.n),
                f"{first / timing.p50:.2f}x",
                f"{timing.per_second:.0f}",
                "" if timing.share_of_peak is None else f"{timing.share_of_peak:.2f}",
            )
        )
    return rows


def remarks(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any]) -> list[str]:
    """What the table rests on, and every engine's score and size; why an engine is not there."""
    lines = [
        f"{about['arm']}, seed {about['seed']}: milliseconds per call; speed: median against {timings[0].engine}; of "
        f"peak: products with weights ({about['flops'] / 1e6:.1f} MFLOP per utterance) per second, as a share of this "
        f"machine's matrix product with as many threads. {about['processor']}, {about['cores']} cores.",
        about["gpu"],
    ]
    for row in rows:
        if row.missing is not None:
            lines.append(f"{row.engine}: not timed, {row.missing}.")
            continue
        score = "test F1 not measured" if row.test_f1 is None else f"test F1 on {about['corpus']} {row.test_f1:.4f}"
        size = "" if row.megabytes is None else f", {row.megabytes:.1f} MB"
        peak = (
            "" if row.peak_megabytes is None else f"; {row.longest} utterances: {row.peak_megabytes:.0f} MB of memory"
        )
        lines.append(f"{row.engine}: {score}{size}{peak}.")
    return lines + about["failures"]


def show(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any], console: Console) -> None:
    """Print all of it."""
    grid = Table(box=box.SIMPLE_HEAD)
    for name in COLUMNS:
        grid.add_column(name, justify="left" if name == "engine" else "right", no_wrap=True)
    before = None
    for timing, row in zip(timings, cells(timings), strict=True):
        case = (timing.threads, timing.batch, timing.utterances)
        if before not in (None, case):
            grid.add_section()
        before = case
        grid.add_row(*row)
    console.print(grid, crop=False)
    for line in remarks(timings, rows, about):
        console.print(line, highlight=False)


def markdown(timings: Sequence[Timing], rows: Sequence[Row], about: dict[str, Any]) -> str:
    """The same as a Markdown table with its remarks."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * (len(COLUMNS) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in cells(timings)]
    return "\n".join([*lines, "", "  \n".join(remarks(timings, rows, about))]) + "\n"


def as_csv(timings: Sequence[Timing]) -> str:
    """The latency table as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *cells(timings)])
    return text.getvalue()


def plot(timings: Sequence[Timing], path: Path) -> None:
    """Latency over length at the smallest batch, a line per engine, a panel per number of threads."""
    counts = sorted({timing.threads for timing in timings})
    batch = min(timing.batch for timing in timings)
    with style("benchmark"):
        figure = Figure(figsize=(3.6 * len(counts), 3.4), layout="constrained")
        panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
        for panel, count in zip(panels, counts, strict=True):
            for i, engine in enumerate(dict.fromkeys(timing.engine for timing in timings)):
                mine = [t for t in timings if (t.engine, t.threads, t.batch) == (engine, count, batch)]
                lengths = [t.utterances for t in mine]
                panel.plot(lengths, [t.p50 for t in mine], marker=MARKERS[i], color=COLOURS[i], label=engine)
            panel.set(
                xscale="log", yscale="log", xlabel="utterances", title=f"{count} thread{'s' if count > 1 else ''}"
            )
            panel.set_xticks(sorted({t.utterances for t in timings if t.batch == batch}))
            panel.get_xaxis().set_major_formatter("{x:.0f}")
            panel.minorticks_off()
            panel.grid(True, color="0.9")
        panels[0].set_ylabel(f"milliseconds per call, batch {batch}: median")
        panels[0].legend(frameon=False)
        figure.savefig(path, dpi=DPI)
