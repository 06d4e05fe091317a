"""Write the cost of training as tables, a figure, and the numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from replicate import grids
from replicate.benchmark.training import ALONE, ARM, Machine, Measured, exponent
from replicate.files import atomic_path, write_text
from replicate.plotting import COLOURS, DPI, NORMAL, Frame, sheet, style, wrapped

TITLES = {
    "dialogues": "dialogues of 20 utterances, batches of 32",
    "utterances": "utterances in a dialogue, 4,000 in all, two dialogues in a batch",
    "width": "columns of the input",
    "seeds": "seeds trained as one program, a corpus of one batch",
    "jobs": "processes at the same time",
    "layer": "utterances of one dialogue, only a layer of the context extractor",
    "graph": "utterances of one dialogue, only the graph layers",
}


def write(measured: Sequence[Measured], machine: Machine, folder: Path) -> None:
    """Write ``training.md``, ``training.csv`` and ``training.png``.

    Raises:
        DiskFull, CannotWrite: a file cannot be written.
    """
    write_text(folder / "training.md", markdown(measured, machine))
    write_text(folder / "training.csv", _csv(measured, machine.peak))
    with style("training"), atomic_path(folder / "training.png") as temporary:
        figure(measured, machine).savefig(temporary, dpi=DPI, metadata={"Software": None})


def markdown(measured: Sequence[Measured], machine: Machine) -> str:
    """Write a table for each curve, with the fitted exponents below it."""
    lines = [
        "# What training costs",
        "",
        f"{ARM}, one thread, {machine.processor}, where products of two large matrices reach "
        f"{machine.peak / 1e9:.0f} GFLOP/s. An epoch is the training split and one dialogue of dev, of noise. Memory "
        "is the peak of a process above that of Python and torch.",
    ]
    for curve, title in TITLES.items():
        chosen = [one for one in measured if one.point.curve == curve]
        if not chosen:
            continue
        lines += ["", f"## {title[0].upper()}{title[1:]}", ""]
        unit = "forward and backward pass" if curve in ALONE else "epoch and run"
        titles = ("size", f"s per {unit}", "ms per utterance", "MB", "GFLOP/s", "of peak")
        lines += grids.markdown(titles, [_cells(one, machine.peak) for one in chosen], left=0)
        fitted = [
            f"{what} to the power {slope:.2f}"
            for what, slope in (("time", exponent(chosen, _seconds)), ("memory", exponent(chosen, _megabytes)))
            if slope is not None and curve != "jobs"
        ]
        lines += ["", f"Fitted to the upper half: {', '.join(fitted)}."] if fitted else []
    return "\n".join(lines) + "\n"


def _cells(one: Measured, peak: float) -> list[str]:
    utterances = one.point.dialogues * one.point.utterances
    rate = ["", ""] if one.flops is None else [f"{one.flops / 1e9:.0f}", f"{one.flops / one.point.jobs / peak:.2f}"]
    return [
        f"{one.point.value:,}",
        f"{one.seconds:.3g}",
        f"{one.seconds / utterances * 1e3:.3f}",
        f"{one.megabytes:,.0f}",
        *rate,
    ]


def _seconds(one: Measured) -> float:
    return one.seconds


def _megabytes(one: Measured) -> float:
    return one.megabytes


def figure(measured: Sequence[Measured], machine: Machine) -> Figure:
    """Draw seconds over size, and megabytes below, for each curve; all axes are logarithmic."""
    curves = [curve for curve in TITLES if any(one.point.curve == curve for one in measured)]
    times = "Time of an epoch of one run, or of one forward and backward pass."
    footer = f"{ARM} on noise, one thread, {machine.processor}. {times}"
    columns = 4
    rows = 2 * ((len(curves) + columns - 1) // columns)
    drawn = sheet(Frame("What training costs", footer), 7.2, 1.5 * rows)
    axes = drawn.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_visible(False)
    for place, curve in enumerate(curves):
        chosen = sorted((one for one in measured if one.point.curve == curve), key=lambda one: one.point.value)
        row, column = 2 * (place // columns), place % columns
        for axis, of, colour in ((axes[row, column], _seconds, 0), (axes[row + 1, column], _megabytes, 4)):
            axis.set_visible(True)
            sizes = [one.point.value for one in chosen]
            axis.loglog(sizes, [max(of(one), 1e-4) for one in chosen], "o-", color=COLOURS[colour], markersize=3)
            axis.grid(color="0.9", linewidth=0.5)
            for scale in (axis.xaxis, axis.yaxis):
                scale.set_major_locator(LogLocator(10, numticks=5))
                scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
                scale.set_minor_formatter(NullFormatter())
            if curve == "jobs":
                axis.set_xticks(sizes, [str(size) for size in sizes])
            low, high = axis.get_ylim()
            if high / low < 10:  # at least one power of ten, so that no slope looks steeper than it is
                middle = (high * low) ** 0.5
                axis.set_ylim(middle / 10**0.5, middle * 10**0.5)
        axes[row, column].set_title(wrapped(TITLES[curve].replace("utterances of one dialogue, ", ""), 1.6, NORMAL))
    for row in range(rows):
        axes[row, 0].set_ylabel("MB" if row % 2 else "s")
    return drawn


def _csv(measured: Sequence[Measured], peak: float) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    fields = ("curve", "dialogues", "utterances", "width", "seeds", "jobs", "batch")
    lines.writerow([*fields, "seconds", "megabytes", "flops_per_second", "peak_flops_per_second"])
    for one in measured:
        lines.writerow([*(getattr(one.point, f) for f in fields), one.seconds, one.megabytes, one.flops or "", peak])
    return text.getvalue()
