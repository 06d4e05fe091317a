"""``replicate sweep``: select on dev what the paper leaves open."""

from __future__ import annotations

from typing import Any

import click

from replicate.cli import console, options


@click.command()
@click.argument("arm")
@options.training
@click.option(
    "--trials",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="Points to draw from the grid, beside the arm as it stands; more begin with the same ones, 0 takes all.",
)
def sweep(arm: str, trials: int, repair: bool, dry_run: bool, **how: Any) -> None:
    """Select hyper-parameters and masks of an ARM on dev.

    What is tried is in tables/sweep.toml, for the choices that the paper leaves open. Trials are ranked by mean dev F1
    over seeds, by default the first two of the profile. Test is looked at once, for the selected trial and the arm as
    it stands.
    """
    from dataclasses import replace

    from replicate.experiment.campaign import Campaign
    from replicate.experiment.sweep import DEFAULT_SEEDS, Sweep
    from replicate.report import progress
    from replicate.report import sweep as report

    campaign = Campaign.prepare([], **how)
    if how["seeds"] is None:
        campaign = replace(campaign, seeds=campaign.profile.seeds[:DEFAULT_SEEDS])
    prepared = Sweep.prepare(arm, trials, campaign)
    err_console = console.status()
    todo = prepared.missing(repair, remove=not dry_run)
    err_console.print(prepared.describe(len(todo)), soft_wrap=True)
    for line in campaign.remarks():
        err_console.print(line, soft_wrap=True)
    if dry_run:
        for trial in prepared.trials:
            click.echo(f"{trial.number}  {trial.words}")
        return
    with progress.training(todo, campaign.corpus, err_console) as listen:
        prepared.train(todo, listen)
    result = prepared.result()
    report.write(prepared, result, campaign.folder)
    report.show(prepared, result, console.results())
    err_console.print(f"Written to {campaign.folder}/", soft_wrap=True)
    best, _ = result.ranked[0]
    console.suggest("runs", "show", prepared.key(best, campaign.seeds[0]), "--store", campaign.store.root)
