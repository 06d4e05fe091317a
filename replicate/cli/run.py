"""``replicate run``: train tables and print them."""

from __future__ import annotations

from pathlib import Path

import click

from replicate.cli import console


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@click.option("--data", metavar="NAME|PATH", help="Corpus by name or file (default: the profile's).")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Folder that holds the files of a named corpus.")
@click.option(
    "--profile",
    default="quick",
    show_default=True,
    help="How much work: smoke (seconds), quick (minutes), paper (full size).",
)
@click.option(
    "--protocol",
    default="paper",
    show_default=True,
    help="paper: the text's reading; released: the released code's. Single knobs can be changed: "
    "paper+hubert.projection=none,masking.unit=batch (all in tables/protocols.toml).",
)
@click.option("--seeds", help="Seeds such as 24,25,26, or a count such as 5 (default: the profile's).")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Runs at a time, one thread each (default: one per core, 1 on a GPU). Same numbers with any.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="Folder for results; finished runs in it are not repeated.",
)
@click.option("--keep-dropped", is_flag=True, help="Use the dialogues that tables 4 and 5 leave out on IEMOCAP.")
@click.option("--repair", is_flag=True, help="Train damaged runs again; without it they are named and nothing is done.")
@click.option("--dry-run", is_flag=True, help="Say what would be trained, and train nothing.")
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
    err_console = console.status()
    todo = campaign.missing(repair and not dry_run)
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
    err_console.print(f"Written to {written.folder}/", soft_wrap=True)
    console.suggest("export", "onnx", "--results", written.folder)
