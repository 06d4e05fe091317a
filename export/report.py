"""A benchmark in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from export.benchmark import Accuracy, Timing


def show(timings: Sequence[Timing], accuracy: Sequence[Accuracy], record: dict[str, Any], console: Console) -> None:
    """Print latencies, each with its speed relative to the first engine, and the F1 of all engines."""
    title = f"{record['arm']['name']}, seed {record['seed']}: CPU latency in milliseconds per call"
    grid = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    grid.add_column("engine", no_wrap=True)
    for name in ("threads", "batch", "p50", "p90", "p99", "n", "speed"):
        grid.add_column(name, justify="right", no_wrap=True)
    baseline: dict[tuple[int, int], float] = {}
    for timing in timings:
        case = (timing.threads, timing.batch)
        if case not in baseline and baseline:
            grid.add_section()
        first = baseline.setdefault(case, timing.p50)
        spread = [f"{value:.2f}" for value in (timing.p50, timing.p90, timing.p99)]
        grid.add_row(
            timing.engine, str(timing.threads), str(timing.batch), *spread, str(timing.n), f"{first / timing.p50:.2f}x"
        )
    console.print(grid, crop=False)
    utterances = timings[0].utterances
    console.print(
        f"Dialogues of {utterances} utterances; speed: median against {timings[0].engine}.",
        style="dim",
        highlight=False,
    )
    corpus = record["corpus"]["name"]
    for entry in accuracy:
        console.print(f"test F1 on {corpus}, {entry.engine}: {entry.test_f1:.4f}", highlight=False)
    if record["protocol"]["attend_padding"]:
        console.print(
            "Trained under the released protocol, where padding takes part; the deployed model leaves it out, so its "
            "F1 differs from the table's.",
            style="dim",
            highlight=False,
        )
