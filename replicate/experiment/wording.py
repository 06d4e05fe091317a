"""Lines about a plan: what will be trained and where, what a reader should know, and the command that repeats it."""

from __future__ import annotations

import shlex
from pathlib import Path

from replicate.config import folders, requirements
from replicate.config.privileged import PAPER
from replicate.corpus import usage
from replicate.corpus.types import Corpus
from replicate.experiment import relation_memory
from replicate.experiment.context import CommandContext
from replicate.experiment.plan import Plan
from replicate.metrics import DEFAULT
from replicate.runner.tasks import TaskGraph
from replicate.store import prune
from replicate.store.remote import RemoteStore
from replicate.store.store import Store


def describe(plan: Plan, context: CommandContext, total: int, todo: int) -> str:
    """Return one line on ``total`` runs of a plan; ``todo`` of them are still to be trained."""
    return (
        f"{', '.join(table.name for table in plan.tables)} on {plan.corpus.name}{_in_folds(plan)}: {total} runs, "
        f"{total - todo} completed, {todo} to train ({epochs(plan.graph)} each, "
        f"{plan.device}, {where(plan, context, todo)})"
    )


def _in_folds(plan: Plan) -> str:
    """Return the folds of the first table, which all tables have."""
    found = plan.folds_of(plan.tables[0]) if plan.tables else ()
    named = [fold.name for fold in found if not fold.name.isdigit()]
    names = f" ({', '.join(named)})" if named else ""
    return f" in {len(found)} folds{names}" if found else ""


def self_test(corpus: Corpus) -> str | None:
    """Return the first line of a command that trains on a control, None for measured data."""
    if not corpus.control:
        return None
    return (
        f"Self-test on generated features: {corpus.name} is a {corpus.control} control, no evidence about the paper. "
        "Real data: `replicate data fetch ravdess4`, then `replicate run table2 --data ravdess4`, or --data FILE."
    )


def epochs(graph: TaskGraph) -> str:
    """Return how many epochs the runs of a graph are trained for: ``1 epoch``, ``55 to 220 epochs``."""
    numbers = {task.spec.epochs(graph.corpora[task.corpus]) for task in graph.tasks.values()} or {0}
    least, most = min(numbers), max(numbers)
    return (f"{most} epoch" if least == most else f"{least} to {most} epoch") + "s" * (most != 1)


def where(plan: Plan, context: CommandContext, todo: int) -> str:
    """Return where ``todo`` runs are trained, and how many at a time."""
    if context.cluster is not None:
        address = context.cluster.address
        return f"on the Ray cluster at {address}" if address else "on a Ray cluster of this machine"
    group = f", {len(plan.seeds)} seeds as one program" if plan.stacked and len(plan.seeds) > 1 else ""
    return f"{min(context.jobs, max(todo, 1))} at a time{group}"


def remarks(plan: Plan, store: Store) -> list[str]:
    """Return remarks to print first: what is odd in the corpus, rows that cannot be trained, and runs of no use."""
    odd = usage.warnings(plan.corpus, not plan.folds) + relation_memory.remarks(plan.corpus)
    lines = [f"warning: {line}" for line in odd]
    lines += requirements.remarks(plan.tables, plan.left_out, plan.corpus)
    found = prune.outdated(store)
    # A plugin's source is compared only where the plugin is loaded.
    words = ["replicate", "runs", "prune"]
    words += [word for path in folders.current() for word in ("--config-dir", str(path))]
    words += ["--store", str(store.root)] if store.root != Path("results", "runs").resolve() else []
    for number, what in (
        (found.old, "in an old format"),
        (found.others, f"of another version ({', '.join(found.differences)})"),
    ):
        if number > 0:
            runs, are = ("run", "is") if number == 1 else ("runs", "are")
            lines.append(
                f"{number} {runs} in {store.root} {are} {what} and left alone (`{shlex.join(words)}` removes them)"
            )
    return lines


def command(plan: Plan, context: CommandContext) -> str:
    """Return the command that repeats the tables of a plan."""
    words = ["replicate", "run", *(table.name for table in plan.tables)]
    words += folders.as_options()
    words += ["--data", plan.source.data]
    words += [] if plan.source.data_dir is None else ["--data-dir", plan.source.data_dir]
    words += ["--profile", plan.profile.name, "--protocol", plan.protocol.name]
    words += ["--seeds", ",".join(map(str, plan.seeds)) + ("," if len(plan.seeds) == 1 else "")]
    words += [] if plan.privileged == PAPER else ["--privileged", plan.privileged_choice]
    words += ["--folds", plan.folds] if plan.folds else []
    words += [] if plan.metric == DEFAULT else ["--metric", plan.metric]
    words += ["--device", plan.device] + (["--keep-dropped"] if plan.keep_dropped else [])
    words += [] if plan.precision == "float32" else ["--precision", plan.precision]
    words += [] if plan.stacked == (plan.device == "cuda") else ["--stack" if plan.stacked else "--no-stack"]
    words += ["--out", str(context.out)] if context.out != Path("results") else []
    if isinstance(context.store, RemoteStore):
        words += ["--store", context.store.address]
    elif context.store.root != context.out.resolve() / "runs":
        words += ["--store", str(context.store.root)]
    return shlex.join(words)
