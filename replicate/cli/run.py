"""``replicate run``: train tables and print them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options

if TYPE_CHECKING:
    from replicate.experiment.campaign import Campaign


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@options.training
@click.option("--keep-dropped", is_flag=True, help="Use the dialogues that tables 4 and 5 leave out on IEMOCAP.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Only profile an epoch of the first run into FILE.",
)
@click.option(
    "--task", "part", metavar="K/N", help="Only train share K of N of the runs, such as 3/16; for job arrays."
)
def run(
    tables: tuple[str, ...],
    keep_dropped: bool,
    repair: bool,
    dry_run: bool,
    trace: Path | None,
    part: str | None,
    **how: Any,
) -> None:
    """Train and print tables.

    Each TABLE is a name such as table2, or all: those of the paper, and protocol. Runs that are finished are not
    repeated.
    """
    from replicate.experiment.campaign import Campaign
    from replicate.report import outputs, progress

    names = _asked(tables)
    campaign = Campaign.prepare(names, keep_dropped=keep_dropped, **how)
    if trace is not None:
        _trace(campaign, trace)
        return
    outputs.check()
    err_console = console.status()
    chosen = None if part is None else campaign.share(part)
    todo = campaign.missing(repair, remove=not dry_run)
    if chosen is not None:
        todo = [task for task in todo if task.key in chosen]
    err_console.print(campaign.describe(len(todo)), soft_wrap=True)
    if chosen is not None:
        err_console.print(f"share {part}: {len(chosen)} runs, {len(todo)} of them to train", soft_wrap=True)
    for line in campaign.remarks():
        err_console.print(line, soft_wrap=True)
    if dry_run:
        for task in todo:
            console.results().print(task.name)
        return
    with progress.training(todo, campaign.corpus, err_console) as listen:
        seconds = campaign.train(todo, listen)
    if chosen is not None:
        err_console.print(f"Share {part} is finished; once all are: {campaign.command()}", soft_wrap=True)
        return
    with err_console.status("writing tables, claims and figures"):
        written = outputs.write(campaign, seconds)
    outputs.show(written, names, console.results())
    err_console.print(f"Written to {written.folder}/; in a browser: {written.folder}/index.html", soft_wrap=True)
    console.suggest("export", "onnx", "--results", written.folder)


def _asked(tables: tuple[str, ...]) -> list[str]:
    """Each table once; ``all`` stands for those that are not extra."""
    from replicate.config import tables as definitions

    every = [name for name in definitions.table_names() if not definitions.table(name).extra] if "all" in tables else []
    return list(dict.fromkeys([*every, *(name for name in tables if name != "all")]))


def _trace(campaign: Campaign, target: Path) -> None:
    """Profile an epoch of the first run, which is never a student."""
    from replicate.benchmark import trace

    task = next(iter(campaign.tasks.values()))
    err = console.status()
    with err.status(f"tracing {task.name}"):
        seconds = trace.write(task.spec, campaign.corpus_of(campaign.tables[0]), campaign.device, target)
    err.print(f"{task.name}: one epoch, {seconds:.2f} s while traced", soft_wrap=True)
    err.print(f"Written to {target}: open it at https://ui.perfetto.dev or chrome://tracing", soft_wrap=True)
