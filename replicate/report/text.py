"""Words that every form of a table shares: how a cell is written, what is said of the corpus."""

from __future__ import annotations

from collections.abc import Sequence

from replicate.config import requirements
from replicate.config.tables import Row
from replicate.results.aggregate import Cell, TableResult
from replicate.results.statistics import Summary, smallest_p
from replicate.training.config import HUBERT

# The corpus of all tables of the paper.
PUBLISHED_ON = "IEMOCAP-4"


def measured(cell: Cell | None) -> str:
    """``0.612 ± 0.014``; one seed has no spread and says so."""
    if cell is None:
        return "–"
    if cell.summary.std is None:
        return f"{cell.summary.mean:.3f} (1 seed)"
    return f"{cell.summary.mean:.3f} ± {cell.summary.std:.3f}"


def published(cell: Cell | None) -> str:
    """The paper's number, with its deviation where the paper gives one."""
    if cell is None or cell.published is None:
        return "–"
    return f"{cell.published:.3f}" + ("" if cell.published_std is None else f" ± {cell.published_std:.3f}")


def signed(summary: Summary) -> str:
    """A difference with its interval: ``+0.021 [-0.004, +0.046]``."""
    interval = "" if summary.ci95 is None else f" [{summary.ci95[0]:+.3f}, {summary.ci95[1]:+.3f}]"
    return f"{summary.mean:+.3f}{interval}"


def p_value(p: float | None) -> str:
    """Three decimals; what one pair cannot give is a dash."""
    return "–" if p is None else f"{p:.3f}"


def count(seeds: int) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{seeds} seed{'s' if seeds > 1 else ''}"


def needs(lacking: Sequence[str]) -> str:
    """What stands in the row of an arm that could not be trained."""
    return f"needs {requirements.words(lacking)}"


# How recordings give a stream, by the options of `replicate features` and `replicate data merge`.
_FROM_RECORDINGS = {
    "audio": ("opensmile", "audio"),
    "hubert": ("hubert --layer last", "hubert"),
    "hubert-second-to-last": ("hubert --layer second-to-last", "hubert --as hubert-second-to-last"),
}


def remedy(stream: str) -> str:
    """How a corpus gets a stream that it lacks."""
    if stream not in _FROM_RECORDINGS:
        return f"Rows that need the {stream} stream: the corpus has no video features."
    extract, attach = _FROM_RECORDINGS[stream]
    absent = "no public release has it; " if stream in HUBERT else ""
    return (
        f"Rows that need the {stream} stream: {absent}extract it from recordings (`replicate features {extract} "
        f"RECORDINGS --out extra.npz`), attach it (`replicate data merge CORPUS extra.npz --stream {attach} --out "
        "both.npz`), and run on that file."
    )


def heading(result: TableResult) -> str:
    """Name of the table, corpus it was measured on, title."""
    return f"{result.table.name} on {result.corpus}: {result.table.title}"


def conditions(result: TableResult) -> list[str]:
    """Under which conditions the numbers came about; the first line names the corpus."""
    seeds = ", ".join(map(str, result.seeds))
    lines = [
        f"Measured on {result.corpus} ({result.corpus_hash[:12]}), protocol {result.protocol}, "
        f"profile {result.profile}; weighted F1 on test, mean ± sample deviation over n = {count(len(result.seeds))} "
        f"({seeds}); epoch chosen on dev.",
    ]
    cells = [cell for row in result.rows.values() for cell in row.values()]
    if result.table.in_paper:
        lines.append(f"Published: {result.table.source}, measured on {PUBLISHED_ON}.")
    else:
        lines.append("This table is not in the paper.")
    if any(cell.published is not None for cell in cells) and not any(cell.verdict for cell in cells):
        lines.append("No verdict: this is not the corpus of the published numbers, they are for orientation only.")
    lines += map(remedy, dict.fromkeys(stream for lacking in result.needs.values() for stream in lacking))
    return lines + [note[0].upper() + note[1:] + "." for note in (*result.table.notes, *result.notes)]


def header(result: TableResult) -> list[str]:
    """Column titles: the row, n, then per context measured, published, verdicts if any, and the table beside."""
    titles = ["model", "n"]
    for context in result.table.contexts:
        titles.append(f"{context} inference")
        if result.table.in_paper:
            titles.append(f"{PUBLISHED_ON}, paper")
        if _judged(result):
            titles.append("verdict")
        if result.table.beside is not None:
            titles += [f"{context}, {result.table.beside.title}", f"{PUBLISHED_ON}, paper, {result.table.beside.title}"]
    return titles


def body(result: TableResult) -> list[list[str]]:
    """One list of texts per row, in the order of ``header``."""
    lines = []
    for row in result.table.rows:
        line = [row.name, str(len(result.seeds)) if row.name not in result.needs else "–"]
        for context in result.table.contexts:
            cell = result.rows[row.name].get(context)
            # Published values stay visible where nothing could be measured.
            paper = shown(result, row).get(context)
            lacking = row.name in result.needs and context in row.contexts
            line.append(needs(result.needs[row.name]) if lacking else measured(cell))
            if result.table.in_paper:
                line.append(published(paper))
            if _judged(result):
                line.append((cell and cell.verdict) or "–")
            if result.table.beside is not None:
                other = result.beside.get(row.name, {}).get(context)
                line += [measured(other), published(other)]
        lines.append(line)
    return lines


COMPARISON_HEADER = ["first", "second", "difference [95 % interval]", "p", "p (Holm)"]


def comparisons(result: TableResult) -> list[list[str]]:
    """One list of texts per comparison, in the order of ``COMPARISON_HEADER``."""
    return [
        [each.first, each.second, signed(each.difference), p_value(each.p), p_value(each.p_holm)]
        for each in result.comparisons
    ]


def comparison_conditions(result: TableResult) -> str:
    """What the comparisons are, in one sentence."""
    n = len(result.seeds)
    floor = "" if n < 2 else f"; with {n} seeds no p can be below {2 * smallest_p(n):.3g}"
    return (
        "Differences are paired over seeds: mean, 95 % bootstrap interval, two-sided paired permutation test, Holm "
        f"correction for the number of comparisons in this table, {len(result.comparisons)}{floor}."
    )


def cost_header(result: TableResult) -> list[str]:
    """Column titles of what training costs."""
    return ["model", "seconds a run", f"in runs of {result.table.cost}", "seconds of its teachers"]


def costs(result: TableResult) -> list[list[str]]:
    """One list of texts per row, in the order of ``cost_header``."""
    base = result.costs.get(result.table.cost)
    return [
        [
            name,
            f"{cost.own:.1f}",
            "–" if base is None else f"{cost.own / base.own:.2f}",
            f"{cost.teachers:.1f}" if cost.teachers else "–",
        ]
        for name, cost in result.costs.items()
    ]


COST_CONDITIONS = (
    "Training costs are medians over seeds of a run's own time, in a process of its own while others may train beside "
    "it; ratios are worth more than seconds, and nothing where some seeds trained as one program and others alone. "
    "Teachers are trained once for all students of a seed."
)


def shown(result: TableResult, row: Row) -> dict[str, Cell]:
    """The cells of a row; those of a row that could not be trained hold what was published alone."""
    measured_cells = result.rows[row.name]
    return {
        context: measured_cells.get(context) or _unmeasured(row.published.get(context), row.published_std.get(context))
        for context in row.contexts
    }


def _unmeasured(value: float | None, std: float | None) -> Cell:
    return Cell(Summary(float("nan"), None, 0, None), (), (), value, std, None)


def _judged(result: TableResult) -> bool:
    return any(cell.verdict for row in result.rows.values() for cell in row.values())
