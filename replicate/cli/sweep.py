"""``replicate sweep``: select on dev what the paper leaves open, for one arm, or over arms and corpora."""

from __future__ import annotations

from typing import Any

import click

from replicate import files
from replicate.cli import console
from replicate.cli.training import training_options


@click.command()
@click.argument("name", metavar="ARM|SEARCH")
@training_options(several_corpora=True)
@click.option(
    "--trials",
    type=click.IntRange(0),
    default=8,
    show_default=True,
    help="Points to draw from the grid, in addition to the unchanged arm, or candidates of a search; a larger number "
    "begins with the same ones, 0 takes all.",
)
def sweep(name: str, data: tuple[str, ...], trials: int, repair: bool, dry_run: bool, **how: Any) -> None:
    """Select hyper-parameters and masks of an ARM on dev, or a recipe among the candidates of a SEARCH.

    The grid of an arm is in tables/sweep.toml; it covers the choices that the paper leaves open. Trials are ranked by
    mean dev F1 over seeds, by default the first two of the profile. The test split is evaluated once, for the selected
    trial and the unchanged arm.

    A search of tables/search.toml compares candidates of several arms over one or more corpora (--data, repeated), by
    their mean gain over its baseline on dev, audio alone; it has its own seeds. It never looks at test: it writes the
    table that does, for `replicate run` and other seeds.
    """
    from replicate.config.search import searches

    if name in searches():
        _search(name, data, trials, repair, dry_run, **how)
        return
    if len(data) > 1:
        raise click.UsageError(f"{name} is an arm, which is swept on one corpus: give --data once, or name a search")
    _arm(name, data[0] if data else None, trials, repair, dry_run, **how)


def _arm(name: str, data: str | None, trials: int, repair: bool, dry_run: bool, **how: Any) -> None:
    from dataclasses import replace

    from replicate.config.check import check
    from replicate.experiment import wording
    from replicate.experiment.prepare import Options, prepare
    from replicate.experiment.sweep import DEFAULT_SEEDS, Sweep
    from replicate.report import progress
    from replicate.report import sweep as report

    plan, context = prepare([], Options(data=data, **how))
    check(plan.privileged)
    if how["seeds"] is None:
        plan = replace(plan, seeds=plan.profile.seeds[:DEFAULT_SEEDS])
    prepared = Sweep.prepare(name, trials, plan, context)
    todo = context.missing(prepared.graph, repair, remove=not dry_run)
    console.note(prepared.describe(len(todo)))
    for line in wording.remarks(plan, context.store):
        console.note(line)
    if dry_run:
        for trial in prepared.trials:
            console.echo(f"{trial.number}  {trial.words}")
        return
    files.probe(context.folder(plan))
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


def _search(name: str, data: tuple[str, ...], trials: int, repair: bool, dry_run: bool, **how: Any) -> None:
    from replicate.config import folders
    from replicate.config.check import check
    from replicate.experiment import wording
    from replicate.experiment.prepare import Options, prepare
    from replicate.experiment.search import CorporaSearch
    from replicate.report import progress, search_table
    from replicate.report import search as report

    if len(data) > 1 and how["data_dir"] is not None:
        raise click.UsageError("--data-dir is for one corpus: give the others as files with --data")
    prepared_plans = [prepare([], Options(data=each, **how)) for each in data or (None,)]
    plans, context = [plan for plan, _ in prepared_plans], prepared_plans[0][1]
    for plan in plans:
        check(plan.privileged)
    stage: CorporaSearch | None = CorporaSearch.prepare(name, trials, plans, context, own_seeds=how["seeds"] is None)
    for line in wording.remarks(plans[0], context.store):
        console.note(line)
    stages, trained = [], []
    while stage is not None:
        todo = context.missing(stage.graph, repair, remove=not dry_run)
        console.note(stage.describe(len(todo)))
        if dry_run:
            for each in stage.candidates[0]:
                console.echo(f"{each.number}  {each.words}")
            return
        files.probe(stage.folder)
        with progress.training(todo, stage.graph.corpora, console.status(), context.jobs) as callback:
            trained.append(context.train(stage.graph, todo, callback))
        result = stage.result({run.key for run in trained[-1].failed})
        stages.append((stage, result))
        stage = stage.finals(result)
    folder = stages[0][0].folder
    report.write(stages, folder)
    report.show(stages, console.results())
    console.note(f"Written to {folder}/")
    for training in trained:
        training.require_complete()
    corpus = plans[0].source.data
    console.suggest("run", search_table.name(name), *folders.as_options(), "--config-dir", folder, "--data", corpus)
