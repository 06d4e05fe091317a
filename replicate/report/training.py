"""Curves of training cost: a table, a picture, and the numbers behind them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from replicate.experiment.curves import ARM, Measured, exponent
from replicate.files import atomic_path, write_text
from replicate.report.figures.canvas import COLOURS, DPI, Frame, sheet, style

TITLES = {
    "dialogues": "dialogues of 20 utterances, batches of 32",
    "utterances": "utterances a dialogue, 4,000 in all, two dialogues a batch",
    "width": "columns of the input",
    "seeds": "seeds trained as one program",
    "jobs": "processes at a time",
    "graph": "utterances of a dialogue, graph part alone",
}


def write(measured: Sequence[Measured], about: dict[str, Any], folder: Path) -> None:
    """``training.md``, ``.csv`` and ``.png``.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    write_text(folder / "training.md", markdown(measured, about))
    write_text(folder / "training.csv", _csv(measured, about["peak"]))
    with style("training"), atomic_path(folder / "training.png") as temporary:
        figure(measured, about).savefig(temporary, dpi=DPI, metadata={"Software": None})


def markdown(measured: Sequence[Measured], about: dict[str, Any]) -> str:
    """One table a curve, the fitted exponents under it."""
    lines = [
        "# What training costs",
        "",
        f"{ARM}, one thread, {about['processor']}; products of two large matrices reach {about['peak'] / 1e9:.0f} "
        "GFLOP/s there. An epoch holds the training split and a dialogue of dev, on noise. Memory is what a process "
        "takes at its peak beside Python and torch.",
    ]
    for curve, title in TITLES.items():
        chosen = [one for one in measured if one.point.curve == curve]
        if not chosen:
            continue
        lines += ["", f"## {title[0].upper()}{title[1:]}", ""]
        lines += ["| size | s per epoch and run | ms per utterance | MB | GFLOP/s | of peak |", "|---:" * 6 + "|"]
        lines += [f"| {' | '.join(_cells(one, about['peak']))} |" for one in chosen]
        fitted = [
            f"{what} to the power {slope:.2f}"
            for what, slope in (("time", exponent(chosen, _seconds)), ("memory", exponent(chosen, _megabytes)))
            if slope is not None and curve != "jobs"
        ]
        lines += ["", f"In the upper half: {', '.join(fitted)}."] if fitted else []
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


def figure(measured: Sequence[Measured], about: dict[str, Any]) -> Figure:
    """Seconds (black) and megabytes (orange) over size, curve by curve, both axes logarithmic."""
    curves = [curve for curve in TITLES if any(one.point.curve == curve for one in measured)]
    footer = f"{ARM} on noise, one thread, {about['processor']}. Solid: seconds per epoch and run; dashed: megabytes."
    drawn = sheet(Frame("What training costs", footer), 7.0, 2.0 * ((len(curves) + 2) // 3))
    axes = drawn.subplots((len(curves) + 2) // 3, 3, squeeze=False).flat
    for axis, curve in zip(axes, curves, strict=False):
        chosen = sorted((one for one in measured if one.point.curve == curve), key=lambda one: one.point.value)
        sizes = [one.point.value for one in chosen]
        axis.loglog(sizes, [one.seconds for one in chosen], "o-", color=COLOURS[0], markersize=3)
        beside = axis.twinx()
        beside.loglog(sizes, [max(one.megabytes, 1) for one in chosen], "s--", color=COLOURS[4], markersize=3)
        beside.tick_params(axis="y", labelcolor=COLOURS[4])
        axis.set_xlabel(TITLES[curve].partition(",")[0])
        axis.grid(color="0.9", linewidth=0.5)
        for one in (axis, beside):
            one.yaxis.set_major_locator(LogLocator(10, numticks=5))
            one.yaxis.set_minor_formatter(NullFormatter())
        axis.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=45)
        axis.xaxis.set_minor_formatter(NullFormatter())
    for axis in list(axes):
        axis.set_visible(False)
    return drawn


def _csv(measured: Sequence[Measured], peak: float) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    fields = ("curve", "dialogues", "utterances", "width", "seeds", "jobs", "batch")
    lines.writerow([*fields, "seconds", "megabytes", "flops_per_second", "peak_flops_per_second"])
    for one in measured:
        lines.writerow([*(getattr(one.point, f) for f in fields), one.seconds, one.megabytes, one.flops or "", peak])
    return text.getvalue()
