"""``replicate report``: everything about a finished folder written again, without training."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options


@click.command()
@options.results
@click.option("--open", "open_", is_flag=True, help="Show the page in the browser.")
def report(results: Path, open_: bool) -> None:
    """Write tables, claims, figures and the page again from stored runs.

    Nothing is trained. The page is one file, index.html, which needs no network and can be passed on alone.
    """
    from replicate.errors import CorruptRun
    from replicate.experiment.manifest import newest_results
    from replicate.experiment.resume import from_manifest
    from replicate.report import outputs

    folder = newest_results(results)
    err = console.status()
    campaign = from_manifest(folder)
    gone = campaign.missing()
    if gone:
        raise CorruptRun(
            f"{len(gone)} of {len(campaign.tasks)} runs of {folder} are not in {campaign.store.root}, or another "
            "version of the code or of torch trained them: train them with "
            f"`{campaign.command()}`"
        )
    with err.status("writing"):
        written = outputs.write(campaign, None)
    page = written.folder / "index.html"
    click.echo(page)
    names = ", ".join(result.table.name for result in written.results)
    err.print(f"From {len(campaign.tasks)} stored runs: {names}", soft_wrap=True)
    if open_:
        click.launch(str(page))
    console.suggest("export", "onnx", "--results", written.folder)
