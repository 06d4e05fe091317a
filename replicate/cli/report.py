"""``replicate report``: write all outputs of a results folder again, without training."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options


@click.command()
@options.results
@options.config_dir
@click.option("--open", "open_", is_flag=True, help="Show the page in the browser.")
def report(results: Path, open_: bool) -> None:
    """Write tables, claims, figures and the page again from completed runs.

    Nothing is trained. The page, index.html, is one file that needs no network.
    """
    from replicate.errors import CorruptRun
    from replicate.experiment.manifest import newest_results
    from replicate.experiment.resume import from_manifest
    from replicate.report import outputs

    folder = newest_results(results)
    campaign = from_manifest(folder)
    missing = campaign.missing()
    if missing:
        raise CorruptRun(
            f"{len(missing)} of {len(campaign.tasks)} runs of {folder} are not in {campaign.store.root}, or another "
            f"version of the code or of torch trained them: train them with `{campaign.command()}`"
        )
    with console.status().status("writing"):
        written = outputs.write(campaign, None)
    page = written.folder / "index.html"
    click.echo(page)
    names = ", ".join(result.table.name for result in written.results)
    console.note(f"From {len(campaign.tasks)} completed runs: {names}")
    if open_:
        click.launch(str(page))
    console.suggest("export", "onnx", "--results", written.folder)
