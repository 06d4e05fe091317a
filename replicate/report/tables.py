"""A table in the terminal and as files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.console import Console

from replicate import grids
from replicate.files import write_text
from replicate.report import data_files, latex, paper
from replicate.report.sections import sections
from replicate.report.types import Grid
from replicate.results.aggregate import TableResult

# Suffixes of the files that each table has, and of those that are written on request.
SUFFIXES = ("md", "tex", "tabular.tex", "csv", "json")
STYLED = {style: f"{style}.tex" for style in paper.STYLES}


def show(result: TableResult, console: Console) -> None:
    """Print all sections of a table; the notes on the scores come last."""
    first, *others = sections(result)
    _grid(first.grid, console, first.title)
    for section in others:
        _grid(section.grid, console)
        _notes(section.notes, console)
    _notes(first.notes, console)


def write_all(results: Sequence[TableResult], folder: Path, styles: Collection[paper.Style] = ()) -> None:
    """Write every table, and the numbers of all of them in long form: ``scores.csv`` and ``comparisons.csv``.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    for result in results:
        write(result, folder, styles)
    write_text(folder / "scores.csv", data_files.scores_csv(results))
    write_text(folder / "comparisons.csv", data_files.comparisons_csv(results))


def _grid(grid: Grid, console: Console, title: str = "") -> None:
    console.print(grids.terminal(grid.titles, grid.lines, console.width, grid.left, title), crop=False)


def _notes(notes: list[str], console: Console) -> None:
    for note in notes:
        console.print(note, style="dim", highlight=False)


def write(result: TableResult, folder: Path, styles: Collection[paper.Style] = ()) -> list[Path]:
    """Write the table to ``folder`` in every format of ``SUFFIXES`` and return the paths.

    Args:
        styles: of fragments for papers. Those that the folder has already are written again, too, so that no paper
            includes numbers of earlier runs.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    contents = {
        "md": markdown(result),
        "tex": latex.document(result),
        "tabular.tex": latex.fragment(result),
        "csv": data_files.table_csv(result),
        "json": data_files.table_json(result),
    }
    for style, suffix in STYLED.items():
        if style in styles or (folder / f"{result.table.name}.{suffix}").is_file():
            contents[suffix] = paper.fragment(result, style)
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{result.table.name}.{suffix}"
        write_text(path, content)
        paths.append(path)
    return paths


def markdown(result: TableResult) -> str:
    """Return all sections of a table as GitHub Markdown; the notes on the scores come last."""
    first, *others = sections(result)
    lines = [grids.heading(first.title), "", *grids.markdown(first.grid.titles, first.grid.lines, first.grid.left)]
    for section in others:
        lines += ["", *grids.markdown(section.grid.titles, section.grid.lines, section.grid.left), ""]
        lines += grids.notes(section.notes)
    return "\n".join([*lines, *([] if others else [""]), *grids.notes(first.notes)]) + "\n"
