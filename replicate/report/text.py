"""How numbers, notes and missing streams are put into words; every form of a report uses these functions."""

from __future__ import annotations

from collections.abc import Iterable

from replicate.config import requirements
from replicate.config.privileged import PAPER, choice
from replicate.config.tables import Row
from replicate.grids import MISSING
from replicate.results.aggregate import Cell, TableResult
from replicate.results.estimate import Estimate
from replicate.results.statistics import Summary
from replicate.training.config import HUBERT

# The corpus of all tables of the paper.
PUBLISHED_ON = "IEMOCAP-4"


def measured(cell: Cell | None) -> str:
    """Return mean and deviation of a cell, as in ``0.612 ± 0.014``; with one seed, ``0.612 (1 seed)``."""
    return MISSING if cell is None else mean_and_deviation(cell.summary)


def mean_and_deviation(summary: Summary) -> str:
    """Return ``mean ± deviation`` with three decimals, or the mean and ``(1 seed)``."""
    if summary.std is None:
        return f"{summary.mean:.3f} (1 seed)"
    return f"{summary.mean:.3f} ± {summary.std:.3f}"


def baseline(cell: Cell) -> str:
    """Return the mean of a cell without seeds; with its deviation over folds, if there are several."""
    return f"{cell.summary.mean:.3f}" if cell.folds == 1 else mean_and_deviation(cell.summary)


def published(cell: Cell | None) -> str:
    """Return the paper's number, with its deviation where the paper gives one."""
    if cell is None or cell.published is None:
        return MISSING
    return f"{cell.published:.3f}" + ("" if cell.published_std is None else f" ± {cell.published_std:.3f}")


def signed(summary: Summary | Estimate) -> str:
    """Return a difference with its interval, as in ``+0.021 [-0.004, +0.046]``."""
    interval = "" if summary.ci95 is None else f" [{summary.ci95[0]:+.3f}, {summary.ci95[1]:+.3f}]"
    return f"{summary.mean:+.3f}{interval}"


def p_value(p: float | None) -> str:
    """Return p with three decimals, or a dash where there is none (one seed cannot be tested)."""
    if p is None:
        return MISSING
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def count(seeds: int) -> str:
    """Return ``1 seed``, ``5 seeds``."""
    return f"{seeds} seed{'s' if seeds > 1 else ''}"


def privileged(letters: str) -> str:
    """Return ``, privileged: text`` for streams of these letters; nothing for those of the paper."""
    return "" if letters == PAPER else f", privileged: {choice(letters)}"


def runs(result: TableResult) -> str:
    """Return the runs behind a cell, as in ``2 seeds (24, 25)`` or ``10 runs: 2 seeds (24, 25) x 5 folds``."""
    seeds = f"{count(len(result.seeds))} ({', '.join(map(str, result.seeds))})"
    return f"{result.runs_per_cell} runs: {seeds} x {len(result.folds)} folds" if result.folds else seeds


def sentences(notes: Iterable[str]) -> list[str]:
    """Return notes as sentences: first letter in upper case, full stop at the end."""
    return [f"{note[:1].upper()}{note[1:]}." for note in notes]


def why_missing(result: TableResult, row: Row) -> str | None:
    """Return the text that replaces a row's numbers if its arm could not be trained, else None."""
    if row.name in result.needs:
        return f"needs {requirements.words(result.needs[row.name])}"
    # The kind of the error only: a note below the table has the whole reason.
    return f"failed: {result.failed[row.name].partition(':')[0]}" if row.name in result.failed else None


# How `replicate features` makes a stream, from what, and how `replicate data merge` adds it to a corpus, by stream.
_EXTRACTED = {
    "audio": ("recordings", "opensmile RECORDINGS", "audio"),
    "hubert": ("recordings", "hubert --layer last RECORDINGS", "hubert"),
    "hubert-second-to-last": (
        *("recordings", "hubert --layer second-to-last RECORDINGS"),
        "hubert --as hubert-second-to-last",
    ),
    "text": ("transcripts", "text TRANSCRIPTS --like CORPUS", "text"),
}
_KINDS = {"visual": "video"}


def remedy(stream: str) -> str:
    """Return how a user can add a missing stream to the corpus."""
    if stream == requirements.PRIVILEGED:
        return "Some rows need a privileged stream, and none is used: --privileged chooses visual or text features."
    if stream not in _EXTRACTED:
        return f"Some rows need the {stream} stream: the corpus has no {_KINDS.get(stream, stream)} features."
    source, extract, attach = _EXTRACTED[stream]
    absent = "no public release has it; " if stream in HUBERT else ""
    return (
        f"Some rows need the {stream} stream: {absent}extract it from {source} (`replicate features {extract} "
        f"--out extra.npz`), attach it (`replicate data merge CORPUS extra.npz --stream {attach} --out "
        "both.npz`), and run on that file."
    )
