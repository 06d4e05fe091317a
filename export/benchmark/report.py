"""Show a benchmark in the terminal, as Markdown, as CSV and as a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator
from rich.console import Console

from export.benchmark.base import COMPILED, FLOOR, REFERENCE, STREAMED
from export.benchmark.measurements import EngineSummary, Place, Setup, Timing
from replicate import grids
from replicate.escape import csv_cell
from replicate.plotting import COLOURS, DPI, MARKERS, style

COLUMNS = ("engine", "on", "batch", "utterances", "p50", "p90", "p99", "n", "speed", "per second", "of peak")


def cells(timings: Sequence[Timing], setup: Setup) -> list[tuple[str, ...]]:
    """Return the lines of the latency table; speed is the reference's median for the same case over the engine's."""
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
    if setup.gpu is None:
        rows.append(("no GPU on this machine", "GPU", *[""] * (len(COLUMNS) - 2)))
    return rows


def _case(timing: Timing) -> tuple[Place, int, int]:
    return timing.place, timing.batch, timing.utterances


PROFILE_TITLE = (
    "Where onnxruntime spends its time: microseconds for one dialogue, 1 thread, by its own profiler, which slows "
    "small nodes down"
)
# Kinds of nodes with a line of their own; the others share one.
KINDS = 8


def profile_columns(setup: Setup) -> tuple[str, ...]:
    """Return the headings of the table of onnxruntime's profile."""
    times = [heading for length in setup.profiles for heading in (f"{length} utterances", "share")]
    return ("kind of node", "nodes", *times)


def profile_cells(setup: Setup) -> list[tuple[str, ...]]:
    """Return the lines of the table of onnxruntime's profile: the kinds that take longest at any length."""
    totals = {length: sum(kind.microseconds for kind in kinds) for length, kinds in setup.profiles.items()}
    times = {length: {kind.kind: kind.microseconds for kind in kinds} for length, kinds in setup.profiles.items()}
    nodes = {kind.kind: kind.nodes for kinds in setup.profiles.values() for kind in kinds}
    by_share = sorted(nodes, key=lambda name: -max(times[length].get(name, 0) / totals[length] for length in times))
    lines = [(name, [name]) for name in by_share[:KINDS]] + [("others", by_share[KINDS:])]
    found = []
    for title, names in lines:
        cells = [title, str(sum(nodes[name] for name in names))]
        for length, total in totals.items():
            spent = sum(times[length].get(name, 0) for name in names)
            cells += [f"{spent:,.0f}", f"{100 * spent / total:.0f} %"]
        found.append(tuple(cells))
    return found


def remarks(timings: Sequence[Timing], engines: Sequence[EngineSummary], setup: Setup) -> list[str]:
    """Return notes to the table: model and machine, each engine's score, size and memory, and why one is missing."""
    lines = [
        f"{setup.arm}, seed {setup.seed}: milliseconds per call; speed: median against {REFERENCE}; of "
        f"peak: products with weights ({setup.flops / 1e6:.1f} MFLOP per utterance) per second, as a share of the "
        f"speed of a large matrix product; {FLOOR}: only those products, a lower bound. "
        f"{setup.processor}, {setup.cores} cores.",
    ]
    if any(timing.engine == STREAMED for timing in timings):
        lines.append(f"{STREAMED}: the next utterance of a dialogue that is long enough to fill the state.")
    if setup.gpu is not None:
        lines.append(f"GPU: {setup.gpu}; inputs and outputs stay in its memory.")
    for one in engines:
        name = one.engine if one.device == "cpu" else f"{one.engine}, GPU"
        if one.missing is not None:
            lines.append(f"{name}: not timed, {one.missing}.")
            continue
        if one.engine == COMPILED:  # its score is that of the banded form
            continue
        score = "test F1 not measured" if one.test_f1 is None else f"test F1 on {setup.corpus} {one.test_f1:.4f}"
        size = "" if one.megabytes is None else f", {one.megabytes:.1f} MB"
        peak = (
            "" if one.peak_megabytes is None else f"; {one.longest} utterances: {one.peak_megabytes:.0f} MB of memory"
        )
        lines.append(f"{name}: {score}{size}{peak}.")
    return [*lines, *setup.failures]


def show(timings: Sequence[Timing], engines: Sequence[EngineSummary], setup: Setup, console: Console) -> None:
    """Print the benchmark, with a gap between the tables' input shapes."""
    lines = cells(timings, setup)
    grid = grids.terminal(COLUMNS, lines, console.width)
    for row, line, following in zip(grid.rows, lines, lines[1:], strict=False):
        row.end_section = line[1:4] != following[1:4]
    console.print(grid, crop=False)
    console.print(grids.terminal(profile_columns(setup), profile_cells(setup), console.width, title=PROFILE_TITLE))
    for remark in remarks(timings, engines, setup):
        console.print(remark, highlight=False)


def markdown(timings: Sequence[Timing], engines: Sequence[EngineSummary], setup: Setup) -> str:
    """Return the content of ``benchmark.md``."""
    lines = grids.markdown(COLUMNS, cells(timings, setup))
    lines += ["", *grids.notes(remarks(timings, engines, setup)), "", PROFILE_TITLE, ""]
    return "\n".join([*lines, *grids.markdown(profile_columns(setup), profile_cells(setup))]) + "\n"


def to_csv(timings: Sequence[Timing], setup: Setup) -> str:
    """Return the content of ``benchmark.csv``: the latency table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([*map(csv_cell, line)] for line in (COLUMNS, *cells(timings, setup)))
    return text.getvalue()


def plot(timings: Sequence[Timing], path: Path) -> None:
    """Draw latency over length at the smallest batch: a line for each engine, a panel for each place."""
    timings = [timing for timing in timings if timing.engine != STREAMED]  # it has a single length, one utterance
    places = list(dict.fromkeys(timing.place for timing in timings))
    batch = min(timing.batch for timing in timings)
    engines = list(dict.fromkeys(timing.engine for timing in timings))
    with style("benchmark"):
        rows = -(-len(engines) // len(places))  # of the legend, each 0.17 inches high
        figure = Figure(figsize=(3.6 * len(places), 2.8 + 0.17 * rows), layout="constrained")
        panels = figure.subplots(1, len(places), sharey=True, squeeze=False)[0]
        lines = {}
        for panel, place in zip(panels, places, strict=True):
            for engine, marker, colour in zip(engines, MARKERS, cycle(COLOURS), strict=False):
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
