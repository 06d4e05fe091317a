"""``replicate run``: train tables and print them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from replicate.cli import console, options
from replicate.cli.training import training_options

if TYPE_CHECKING:
    from replicate.experiment.context import CommandContext, Training
    from replicate.experiment.plan import Plan
    from replicate.report.stream import Stream
    from replicate.report.tracking import Tracking
    from replicate.results.aggregate import TableResult
    from replicate.runner.tasks import Task


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="TABLE...")
@training_options()
@click.option("--keep-dropped", is_flag=True, help="Use the dialogues that tables 4 and 5 leave out on IEMOCAP.")
@click.option(
    "--folds",
    metavar="session|speaker|K|dev-K",
    default="",
    help="Cross-validation instead of the corpus's splits: each session, or speaker, is the test split once; K folds "
    "of whole dialogues; or dev-K: the test split stays, dev rotates.",
)
@options.metric
@click.option(
    "--track",
    type=click.Choice(["mlflow", "tensorboard"]),
    multiple=True,
    help="Write curve, settings and scores of each completed run into this tracker, too, below --out (needs the extra "
    "[tracking]); may be repeated.",
)
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Train nothing; write a profiler trace of one epoch of the first run to FILE.",
)
@click.option(
    "--task", "share", metavar="K/N", help="Train only share K of N of the runs, such as 3/16; for job arrays."
)
def run(
    tables: tuple[str, ...],
    keep_dropped: bool,
    folds: str,
    metric: str | None,
    track: tuple[str, ...],
    repair: bool,
    dry_run: bool,
    trace: Path | None,
    share: str | None,
    **how: Any,
) -> None:
    """Train and print tables.

    Each TABLE is a name such as table2, or all: the tables of the paper. Each is printed as soon as its runs are
    complete, the cheapest first. Completed runs are not repeated.
    """
    from replicate.config import folders
    from replicate.config.check import check
    from replicate.experiment import wording
    from replicate.experiment.completed import CompletedRuns
    from replicate.experiment.prepare import Options, prepare
    from replicate.experiment.resume import check_manifest
    from replicate.metrics import DEFAULT
    from replicate.report import outputs

    names = _table_names(tables)
    plan, context = prepare(names, Options(keep_dropped=keep_dropped, folds=folds, metric=metric or DEFAULT, **how))
    if trace is not None:
        _trace(plan, trace)
        return
    check(plan.privileged)
    check_manifest(context.folder(plan))
    todo = _to_train(plan, context, share, repair, dry_run)
    if dry_run:
        for task in todo:
            console.results().print(task.name)
        return
    outputs.check_before_training(context.folder(plan))
    # A share of the runs completes no table, or one that another share prints, too.
    tracking = _tracking(track, context, plan, share, todo)
    training, stream = _train(plan, context, todo, names if share is None else [], tracking)
    tracking.require_complete()
    if share is not None:
        training.require_complete()
        console.note(f"Share {share} is complete; once all shares are: {wording.command(plan, context)}")
        return
    completed = CompletedRuns(plan, context.store, {run.key: run for run in training.failed})
    with console.status().status("writing tables, claims and figures"):
        written = outputs.write(completed, context, training.seconds, stream.results)
    outputs.show(written, names, console.results(), stream.shown)
    console.note(f"Written to {written.folder}/; in a browser: {written.folder}/index.html")
    training.require_complete()
    if not folds:  # runs of folds cannot be exported
        console.suggest("export", "onnx", "--results", written.folder, *folders.as_options())


def _table_names(tables: tuple[str, ...]) -> list[str]:
    """Return each table's name once; ``all`` stands for those that are not extra."""
    from replicate.config import table_files
    from replicate.config.tables import table_names

    # Only this key is read: a whole table is built with all arms, which is slow.
    every = table_names() if "all" in tables else []
    shown = [name for name in every if table_files.load(name).content.get("extra") is not True]
    return list(dict.fromkeys([*shown, *(name for name in tables if name != "all")]))


def _to_train(plan: Plan, context: CommandContext, share: str | None, repair: bool, dry_run: bool) -> list[Task]:
    """Return the runs that this command has to train, and print what they are for."""
    from replicate.experiment import wording
    from replicate.experiment.context import share_of
    from replicate.experiment.order import table_by_table

    chosen = plan.tasks.keys() if share is None else share_of(plan.graph, share)
    todo = context.missing(plan.graph, repair, remove=not dry_run, among=chosen)
    todo = table_by_table(plan, todo)
    first = wording.self_test(plan.corpus)
    if first:
        console.note(first)
    console.note(wording.describe(plan, context, len(chosen), len(todo)))
    console.detail(f"corpus hash {plan.corpus.hash}, device {plan.device}, {context.jobs} jobs")
    console.detail(f"completed runs are in {context.store.root}")
    if share is not None:
        console.note(f"share {share}: {len(chosen)} of {len(plan.tasks)} runs, {len(todo)} of them to train")
    for line in wording.remarks(plan, context.store):
        console.note(line)
    return todo


def _tracking(
    names: tuple[str, ...], context: CommandContext, plan: Plan, share: str | None, todo: list[Task]
) -> Tracking:
    """Open the trackers, and write the runs that are complete already."""
    from replicate.experiment.context import share_of
    from replicate.report.trackers import open_trackers
    from replicate.report.tracking import Tracking

    tracking = Tracking(open_trackers(names, context.out), context.store)
    chosen = plan.tasks.keys() if share is None else share_of(plan.graph, share)
    lacking = {task.key for task in todo}
    tracking.write(key for key in chosen if key not in lacking)
    return tracking


def _train(
    plan: Plan, context: CommandContext, todo: list[Task], names: list[str], tracking: Tracking
) -> tuple[Training, Stream]:
    """Train the runs, and print each of the named tables once it is complete."""
    from replicate.experiment.completed import CompletedRuns
    from replicate.report import progress, tables
    from replicate.report.stream import Stream

    with progress.training(todo, plan.graph.corpora, console.status(), context.jobs) as bar:

        def show(result: TableResult) -> None:
            with bar.paused():
                tables.show(result, console.results())

        stream = Stream(CompletedRuns(plan, context.store), context, todo, show, names)
        stream.show_complete()
        return context.train(plan.graph, todo, tracking.after(stream.after(bar))), stream


def _trace(plan: Plan, target: Path) -> None:
    """Write a profiler trace of the first run, which is never a student."""
    from replicate.benchmark import trace

    task = next(iter(plan.tasks.values()))
    with console.status().status(f"tracing {task.name}"):
        seconds = trace.write(task.spec, plan.graph.corpora[task.corpus], plan.device, target)
    console.note(f"{task.name}: one epoch, {seconds:.2f} s while traced")
    console.note(f"Written to {target}: open it at https://ui.perfetto.dev or chrome://tracing")
