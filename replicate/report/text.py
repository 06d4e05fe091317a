"""Words that every form of a table shares: how a cell is written, what is said of the corpus."""

from __future__ import annotations

from replicate.experiment.results import Cell, TableResult

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
    """The paper's number as the paper prints it."""
    return "–" if cell is None or cell.published is None else f"{cell.published:.3f}"


def heading(result: TableResult) -> str:
    """Name of the table, corpus it was measured on, title."""
    return f"{result.table.name} on {result.corpus}: {result.table.title}"


def conditions(result: TableResult) -> list[str]:
    """Under which conditions the numbers came about; the first line names the corpus."""
    seeds = ", ".join(map(str, result.seeds))
    lines = [
        f"Measured on {result.corpus} ({result.corpus_hash[:12]}), protocol {result.protocol}, "
        f"profile {result.profile}; weighted F1 on test, mean ± sample deviation over n = {len(result.seeds)} "
        f"seeds ({seeds}); epoch chosen on dev.",
        f"Published: {result.table.source}, measured on {PUBLISHED_ON}.",
    ]
    cells = [cell for row in result.rows.values() for cell in row.values()]
    if any(cell.published is not None for cell in cells) and not any(cell.verdict for cell in cells):
        lines.append("No verdict: this is not the corpus of the published numbers, they are for orientation only.")
    return lines + [note[0].upper() + note[1:] + "." for note in result.notes]


def header(result: TableResult) -> list[str]:
    """Column titles: the row, n, then measured and published for each context, then the verdicts if any."""
    titles = ["model", "n"]
    for context in result.table.contexts:
        titles += [f"{context} inference", f"{PUBLISHED_ON}, paper"]
        if _judged(result):
            titles.append("verdict")
    return titles


def body(result: TableResult) -> list[list[str]]:
    """One list of texts per row, in the order of ``header``."""
    lines = []
    for name, cells in result.rows.items():
        line = [name, str(len(result.seeds))]
        for context in result.table.contexts:
            cell = cells.get(context)
            line += [measured(cell), published(cell)]
            if _judged(result):
                line.append((cell and cell.verdict) or "–")
        lines.append(line)
    return lines


def _judged(result: TableResult) -> bool:
    return any(cell.verdict for row in result.rows.values() for cell in row.values())
