"""A benchmark in the terminal, as Markdown, as CSV and as a picture: the same numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from export.benchmark import Row, Timing

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
        score = "corpus not here" if row.test_f1 is None else f"test F1 on {about['corpus']} {row.test_f1:.4f}"
        size = "" if row.megabytes is None else f", {row.megabytes:.1f} MB"
        lines.append(f"{row.engine}: {score}{size}.")
    return lines


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
    from matplotlib.figure import Figure

    counts = sorted({timing.threads for timing in timings})
    batch = min(timing.batch for timing in timings)
    figure = Figure(figsize=(5.2 * len(counts), 4.2), layout="constrained")
    panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    markers = dict(zip(dict.fromkeys(timing.engine for timing in timings), "os^Dv<>", strict=False))
    for panel, count in zip(panels, counts, strict=True):
        for (engine, marker), grey in zip(
            markers.items(), ("0", "0.35", "0.55", "0.2", "0.7", "0.45", "0"), strict=False
        ):
            mine = [t for t in timings if (t.engine, t.threads, t.batch) == (engine, count, batch)]
            lengths = [t.utterances for t in mine]
            panel.plot(lengths, [t.p50 for t in mine], marker=marker, color=grey, label=engine)
            panel.fill_between(lengths, [t.p50 for t in mine], [t.p90 for t in mine], color=grey, alpha=0.15)
        panel.set(xscale="log", yscale="log", xlabel="utterances", title=f"{count} thread{'s' if count > 1 else ''}")
        panel.set_xticks(sorted({t.utterances for t in timings if t.batch == batch}))
        panel.get_xaxis().set_major_formatter("{x:.0f}")
        panel.minorticks_off()
        panel.grid(True, color="0.9")
    panels[0].set_ylabel(f"milliseconds per call, batch {batch}: median to p90")
    panels[-1].legend(frameon=False)
    figure.savefig(path, dpi=150)
