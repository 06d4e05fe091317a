"""Everything that is written to a results folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from replicate.config import tables as definitions
from replicate.experiment import collect
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext
from replicate.experiment.manifest import Manifest
from replicate.experiment.resume import with_earlier_tables, write_manifest
from replicate.report import claims, figures, page, tables
from replicate.report.types import Outputs
from replicate.results import claims as judging


def write(completed: CompletedRuns, context: CommandContext, seconds: float | None) -> Outputs:
    """Write tables, claims, figures, the page and the manifest of a plan whose runs are complete or have failed.

    ``seconds`` is how long this command trained; with None the manifest stays as it is, because it describes the
    machine that trained.

    Raises:
        CorruptRun: a run is missing. DiskFull, CannotWrite: naming the file.
    """
    completed = with_earlier_tables(completed, context)
    results = collect.tables(completed)
    rule, judged = judging.judge({result.table.name: result for result in results})
    folder = context.folder(completed.plan)
    _remove_other_tables(folder, {result.table.name for result in results})
    tables.write_all(results, folder)
    claims.write(rule, judged, results[0], folder)
    manifest = Manifest.load(folder) if seconds is None else write_manifest(completed, context, seconds)
    outputs = Outputs(folder, results, rule, judged)
    drawn = figures.write(completed, results, folder / "figures")
    _remove_other_figures(folder, {figure.name for figure in drawn})
    page.write(outputs, drawn, manifest)
    return outputs


def _remove_other_tables(folder: Path, names: set[str]) -> None:
    """Remove tables of an earlier command under other conditions: all files of a folder describe the same runs."""
    for name in set(definitions.table_names()) - names:
        for suffix in tables.SUFFIXES:
            (folder / f"{name}.{suffix}").unlink(missing_ok=True)


def _remove_other_figures(folder: Path, names: set[str]) -> None:
    for path in (folder / "figures").glob("*.*"):
        if path.stem not in names:
            path.unlink()


def show(outputs: Outputs, names: list[str], console: Console) -> None:
    """Print the named tables and the outcome of all claims that could be judged."""
    for result in outputs.results:
        if result.table.name in names:
            tables.show(result, console)
    if outputs.judged:
        claims.show(outputs.rule, outputs.judged, outputs.results[0], console)
