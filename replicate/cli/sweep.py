"""``replicate sweep``: select hyper-parameters on dev that the paper leaves open."""

from __future__ import annotations

from typing import Any

import click

from replicate.cli import console
from replicate.cli.training import training_options


@click.command()
@click.argument("arm")
@training_options
@click.option(
    "--trials",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="Points to draw from the grid, in addition to the unchanged arm; a larger number begins with the same "
    "points, 0 takes all.",
)
def sweep(arm: str, trials: int, repair: bool, dry_run: bool, **how: Any) -> None:
    """Select hyper-parameters and masks of an ARM on dev.

    The grid is tables/sweep.toml; it covers the choices that the paper leaves open. Trials are ranked by mean dev F1
    over seeds, by default the first two of the profile. The test split is evaluated once, for the selected trial and
    the unchanged arm.
    """
    from dataclasses import replace

    from replicate.config.check import check
    from replicate.experiment import wording
    from replicate.experiment.prepare import Options, prepare
    from replicate.experiment.sweep import DEFAULT_SEEDS, Sweep
    from replicate.report import progress
    from replicate.report import sweep as report

    plan, context = prepare([], Options(**how))
    check(plan.privileged)
    if how["seeds"] is None:
        plan = replace(plan, seeds=plan.profile.seeds[:DEFAULT_SEEDS])
    prepared = Sweep.prepare(arm, trials, plan, context)
    todo = context.missing(prepared.graph, repair, remove=not dry_run)
    console.note(prepared.describe(len(todo)))
    for line in wording.remarks(plan, context.store):
        console.note(line)
    if dry_run:
        for trial in prepared.trials:
            click.echo(f"{trial.number}  {trial.words}")
        return
    with progress.training(todo, prepared.graph.corpora, console.status(), context.jobs) as callback:
        training = context.train(prepared.graph, todo, callback)
    result = prepared.result({run.key for run in training.failed})
    folder = context.folder(plan)
    report.write(prepared, result, folder)
    report.show(prepared, result, console.results())
    console.note(f"Written to {folder}/")
    best, _ = result.ranked[0]
    training.require_complete()
    console.suggest("runs", "show", prepared.key(best, plan.seeds[0]), "--store", context.store.root)
