"""``replicate run``: train tables and print them."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console, options


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@options.training
@click.option("--keep-dropped", is_flag=True, help="Use the dialogues that tables 4 and 5 leave out on IEMOCAP.")
def run(
    tables: tuple[str, ...],
    data: str | None,
    data_dir: Path | None,
    profile: str,
    protocol: str,
    seeds: str | None,
    device: str,
    jobs: int | None,
    out: Path,
    keep_dropped: bool,
    repair: bool,
    dry_run: bool,
) -> None:
    """Train and print tables.

    Each TABLE is a name such as table2, or all. Runs that are finished are not repeated.
    """
    from replicate.experiment import definitions
    from replicate.experiment.campaign import Campaign
    from replicate.report import outputs, progress

    names = definitions.table_names() if "all" in tables else list(dict.fromkeys(tables))
    campaign = Campaign.prepare(
        names, profile, protocol, seeds, data, data_dir, device, jobs, out, keep_dropped=keep_dropped
    )
    outputs.check()
    err_console = console.status()
    todo = campaign.missing(repair, remove=not dry_run)
    err_console.print(campaign.describe(len(todo)), soft_wrap=True)
    for line in campaign.remarks():
        err_console.print(line, soft_wrap=True)
    if dry_run:
        for task in todo:
            console.results().print(task.name)
        return
    with progress.training(todo, campaign.corpus, err_console) as listen:
        seconds = campaign.train(todo, listen)
    written = outputs.write(campaign, seconds)
    outputs.show(written, names, console.results())
    err_console.print(f"Written to {written.folder}/; in a browser: {written.folder}/index.html", soft_wrap=True)
    console.suggest("export", "onnx", "--results", written.folder)
