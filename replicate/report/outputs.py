"""Everything that is written to a results folder."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib import import_module
from itertools import chain
from pathlib import Path

from rich.console import Console

from replicate.config import tables as definitions
from replicate.errors import CannotWrite
from replicate.experiment import collect
from replicate.experiment.completed import CompletedRuns
from replicate.experiment.context import CommandContext
from replicate.experiment.manifest import Manifest
from replicate.experiment.plan import Plan
from replicate.experiment.resume import why_removed, with_earlier_tables, write_manifest
from replicate.files import probe, visible
from replicate.machine import lacks_memory
from replicate.metrics import DEFAULT
from replicate.report import checksums, claims, figures, page, ro_crate, tables
from replicate.report.paper import Style
from replicate.report.types import Outputs
from replicate.results import claims as judging
from replicate.results.aggregate import TableResult
from replicate.results.deployments import Deployments
from replicate.results.timings import Timings

log = logging.getLogger(__name__)


def write(
    completed: CompletedRuns,
    context: CommandContext,
    seconds: float | None,
    known: Mapping[str, TableResult] | None = None,
    styles: Collection[Style] = (),
) -> Outputs:
    """Write tables, claims, figures, the page and the manifest of a plan whose runs are complete or have failed.

    Args:
        seconds: how long this command trained; with None the manifest stays as it is, because it describes the
            machine that trained.
        known: tables that were computed from the same runs before, by name.
        styles: see ``tables.write``.

    Raises:
        CorruptRun: a run is missing. DiskFull, CannotWrite: naming the file.
    """
    completed = with_earlier_tables(completed, context)
    results = [with_measurements(result, completed, context) for result in collect.tables(completed, known)]
    # Claims are about the paper's metric, whatever the tables show.
    rule, judged = judging.judge({result.table.name: result.of(DEFAULT) for result in results})
    folder = context.folder(completed.plan)
    _remove_other_tables(folder, completed.plan)
    checksums.remove(folder)
    tables.write_all(results, folder, styles)
    claims.write(rule, judged, results[0], folder)
    manifest = Manifest.load(folder) if seconds is None else write_manifest(completed, context, seconds)
    outputs = Outputs(folder, results, rule, judged)
    drawn = figures.write(completed, results, folder / "figures")
    _remove_other_figures(folder, {figure.name for figure in drawn})
    page.write(outputs, drawn, manifest)
    if (folder / ro_crate.NAME).is_file():  # it has the hashes of what was just replaced
        ro_crate.write(folder)
    checksums.write(folder, [result.table.name for result in results])
    return outputs


def check_before_training(folder: Path) -> None:
    """Make sure that tables, figures and the page can be written once the runs are complete.

    Raises:
        DiskFull, CannotWrite: the folder cannot be written, or a library does not load in this environment.
    """
    probe(folder)
    try:
        for library in ("replicate.plotting", "jinja2"):
            import_module(library)
    except (ImportError, ValueError, RuntimeError, OSError) as error:
        if lacks_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise CannotWrite(
            f"{library} does not load here, which figures and page need after the training ({reason}): repair the "
            "installation, or the environment variables that it reads"
        ) from error


def with_measurements(result: TableResult, completed: CompletedRuns, context: CommandContext) -> TableResult:
    """Return a table with the times of its models, and with what they are as exported files, where it shows these."""
    folder = context.folder(completed.plan)
    if result.resources:
        result = replace(result, timings=Timings.find(folder))
    return replace(result, deployments=Deployments.find(folder)) if result.table.deployments else result


def _remove_other_tables(folder: Path, plan: Plan) -> None:
    """Remove the files of tables that are not of the plan's runs, and log which: a folder describes the same runs."""
    earlier = Manifest.find(folder)
    others = {*definitions.table_names(), *(earlier.tables if earlier else ())} - {table.name for table in plan.tables}
    suffixes = (*tables.SUFFIXES, *tables.STYLED.values())
    files = {
        name: [path for suffix in suffixes if (path := folder / f"{name}.{suffix}").is_file()]
        for name in sorted(others)
    }
    names = [name for name, paths in files.items() if paths]
    if names:
        log.warning("%s", why_removed(names, plan, folder))
    for path in chain.from_iterable(files.values()):
        path.unlink()


def _remove_other_figures(folder: Path, names: set[str]) -> None:
    for path in visible(folder / "figures", "*.*"):
        if path.stem not in names:
            path.unlink()


def show(outputs: Outputs, names: list[str], console: Console, shown: Collection[str] = ()) -> None:
    """Print the named tables and the outcome of the claims about them; all claims are in the files.

    Args:
        shown: names of the tables that were printed before.
    """
    for result in outputs.results:
        if result.table.name in names and result.table.name not in shown:
            tables.show(result, console)
    judged = [claim for claim in outputs.judged if claim.claim.tables & set(names)]
    if judged:
        claims.show(outputs.rule, judged, outputs.results[0], console)
