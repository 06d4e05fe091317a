"""``replicate report``: write all outputs of a results folder again, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.report.paper import Style


@click.command()
@options.results
@options.config_dir
@options.metric
@click.option(
    "--style",
    type=click.Choice(["booktabs", "plain"]),
    help=r"Write NAME.STYLE.tex, too: the scores for \input in a paper, a best value bold where a test supports it.",
)
@click.option(
    "--ro-crate",
    is_flag=True,
    help="Write nothing but ro-crate-metadata.json, which describes the files as they are (RO-Crate 1.1), and their "
    "hashes in SHA256SUMS.",
)
@click.option("--open", "open_", is_flag=True, help="Show the page in the browser.")
def report(results: Path, metric: str | None, style: Style | None, ro_crate: bool, open_: bool) -> None:
    """Write tables, claims, figures and the page again from completed runs.

    Nothing is trained. The page, index.html, is one file that needs no network. Where there is an
    ro-crate-metadata.json, it is written again, too.
    """
    from replicate.config import folders
    from replicate.config.check import check
    from replicate.errors import CorruptRun
    from replicate.experiment import wording
    from replicate.experiment.results_folder import newest_results
    from replicate.experiment.resume import from_manifest
    from replicate.report import outputs

    folder = newest_results(results)
    if ro_crate:
        if open_ or metric is not None or style is not None:
            raise click.UsageError("--ro-crate describes the files as they are: leave out --open, --metric and --style")
        _describe(folder)
        return
    check()
    completed, context = from_manifest(folder, metric)
    runs = completed.plan.tasks
    missing = [task for task in context.missing(completed.plan.graph) if task.key not in completed.failed]
    if missing:
        raise CorruptRun(
            f"{len(missing)} of {len(runs)} runs of {folder} are not in {context.store.root}, or another version of "
            f"the code or of torch trained them: train them with `{wording.command(completed.plan, context)}`"
        )
    with console.status().status("writing"):
        written = outputs.write(completed, context, None, styles=[style] if style else [])
    page = written.folder / "index.html"
    console.echo(page)
    names = ", ".join(result.table.name for result in written.results)
    console.note(f"From {len(runs) - len(completed.failed)} completed runs: {names}")
    if open_:
        click.launch(str(page))
    console.suggest("export", "onnx", "--results", written.folder, *folders.as_options())


def _describe(folder: Path) -> None:
    from replicate.experiment.manifest import Manifest
    from replicate.report import checksums, ro_crate

    manifest = Manifest.load(folder)
    console.echo(ro_crate.write(folder))
    checksums.update(folder, manifest.tables, ro_crate.NAME)
    console.note(f"{', '.join(manifest.tables)}: code: {manifest.revision}")
