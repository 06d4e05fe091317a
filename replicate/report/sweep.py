"""The result of a sweep in the terminal and as files: all trials on dev, two of them on test."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from rich.console import Console

from replicate import grids
from replicate.config.grid import Trial
from replicate.experiment.sweep import Scores, Sweep, SweepResult
from replicate.files import cut_name, write_text
from replicate.report import data_files, text
from replicate.report.types import Column, Grid
from replicate.store.versions import shared


def show(sweep: Sweep, result: SweepResult, console: Console) -> None:
    """Print the trials on dev, the selected trial and the arm itself on test, and the conditions."""
    for title, grid in ((_heading(sweep), _dev(sweep, result)), ("Test", _test(sweep, result))):
        console.print(grids.terminal(grid.titles, grid.lines, console.width, grid.left, title), crop=False)
    for sentence in conditions(sweep, result):
        console.print(sentence, style="dim", highlight=False)


def write(sweep: Sweep, result: SweepResult, folder: Path) -> list[Path]:
    """Write ``sweep-<arm>.md``, ``.csv`` and ``.json`` to ``folder`` and return their paths.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    # An arm may have any name; only a plain one may become that of a file.
    name = cut_name("sweep-" + re.sub(r"[^\w.+,=() -]+", "-", sweep.arm.name))
    contents = {
        "md": _markdown(sweep, result),
        "csv": _csv(sweep, result),
        "json": _json(sweep, result, folder),
    }
    paths = []
    for suffix, content in contents.items():
        paths.append(folder / f"{name}.{suffix}")
        write_text(paths[-1], content)
    return paths


def conditions(sweep: Sweep, result: SweepResult) -> list[str]:
    """Return the notes below the tables; the first one names corpus, protocol, profile and seeds."""
    plan, count = sweep.plan, len(sweep.trials) - 1
    seeds = ", ".join(map(str, plan.seeds))
    streams = text.privileged(plan.privileged)
    drawn = "all" if count == sweep.points else f"{count} of {sweep.points}"
    lines = [
        f"Measured on {plan.corpus.name} ({plan.corpus.hash[:12]}), protocol {plan.protocol.name}, "
        f"profile {plan.profile.name}{streams}; weighted F1, mean ± sample deviation over n = "
        f"{text.count(len(plan.seeds))} ({seeds}).",
        f"Trials: {drawn} points of the grid in tables/sweep.toml, and the unchanged arm. Epochs and the trial are "
        f"selected on dev, {sweep.arm.select} inference.",
        "The dev F1 of the selected trial is biased upwards by the selection. The test split was evaluated only for "
        "this trial and for the unchanged arm.",
    ]
    if sweep.arm.teacher is not None and all(trial.protocol == plan.protocol for trial in sweep.trials):
        lines.append(f"The teacher {sweep.arm.teacher.name} is the same in every trial.")
    if result.winner.number == 0:
        lines.append("No trial is better on dev than the unchanged arm.")
    return lines + text.sentences(plan.corpus.notes)


def _heading(sweep: Sweep) -> str:
    return f"sweep of {sweep.arm.name} on {sweep.plan.corpus.name}: trials by dev F1"


def _dev(sweep: Sweep, result: SweepResult) -> Grid:
    """Return one line per trial, best first."""
    columns = (
        Column("trial", "name"),
        Column("what differs", "name"),
        Column(f"dev F1, {sweep.arm.select} inference", "measured"),
        Column("n"),
    )
    lines = [
        [str(trial.number), trial.words, text.mean_and_deviation(scores.summary), str(scores.summary.n)]
        for trial, scores in result.ranked
    ]
    return Grid(columns, lines)


def _test(sweep: Sweep, result: SweepResult) -> Grid:
    """Return one line for the selected trial and one for the unchanged arm."""
    columns = [Column(f"test F1, {context} inference", "measured") for context in sweep.arm.contexts]
    lines = [
        [_role(trial, result), *(text.mean_and_deviation(each.summary) for each in result.test[trial.number].values())]
        for trial in _on_test(sweep, result)
    ]
    return Grid((Column("trial", "name"), *columns), lines)


def _on_test(sweep: Sweep, result: SweepResult) -> list[Trial]:
    return [sweep.trials[number] for number in result.test]


def _role(trial: Trial, result: SweepResult) -> str:
    if trial.number:
        return f"{trial.number}, selected"
    return "0, unchanged" + (", selected" if result.winner.number == 0 else "")


def _markdown(sweep: Sweep, result: SweepResult) -> str:
    dev, test = _dev(sweep, result), _test(sweep, result)
    lines = [grids.heading(_heading(sweep)), "", *grids.markdown(dev.titles, dev.lines, dev.left), ""]
    lines += [*grids.markdown(test.titles, test.lines, test.left), ""]
    return "\n".join([*lines, *grids.notes(conditions(sweep, result))]) + "\n"


def _csv(sweep: Sweep, result: SweepResult) -> str:
    """Return one line per trial on dev, then the lines on test, in full precision."""
    header = ["sweep", "rank", "trial", "change", "split", "context", "mean", "std", "n"]
    header += ["corpus", "protocol", "profile", "seeds", "values"]
    plan = sweep.plan
    seeds = " ".join(map(str, plan.seeds))
    where = [plan.corpus.name, plan.protocol.name, plan.profile.name, seeds]
    ranks = {trial.number: rank for rank, (trial, _) in enumerate(result.ranked, 1)}
    rows = [(trial, "dev", sweep.arm.select, scores) for trial, scores in result.ranked]
    for trial in _on_test(sweep, result):
        rows += [(trial, "test", context, scores) for context, scores in result.test[trial.number].items()]
    lines = [
        [sweep.arm.name, ranks[trial.number], trial.number, trial.words, split, context]
        + [scores.summary.mean, scores.summary.std, scores.summary.n, *where, " ".join(map(repr, scores.values))]
        for trial, split, context, scores in rows
    ]
    return data_files.as_csv(header, lines)


def _json(sweep: Sweep, result: SweepResult, folder: Path) -> str:
    plan = sweep.plan
    corpus = plan.corpus
    content = {
        "sweep": sweep.arm.name,
        "corpus": {"name": corpus.name, "hash": corpus.hash, "notes": list(corpus.notes)},
        "profile": plan.profile.name,
        "protocol": plan.protocol.name,
        "privileged": plan.privileged_choice,
        "seeds": list(plan.seeds),
        "device": plan.device,
        "select": sweep.arm.select,
        "points": sweep.points,
        "winner": result.winner.number,
        "trials": [
            {
                "trial": trial.number,
                "change": dict(trial.change),
                "arm": trial.arm.name,
                "protocol": trial.protocol.name,
                "runs": [sweep.key(trial, seed) for seed in plan.seeds],
                "dev": _numbers(scores),
                **({"test": _by_context(result, trial)} if trial.number in result.test else {}),
            }
            for trial, scores in result.ranked
        ],
        # `replicate runs prune --unused` keeps the runs that are listed here.
        "runs": list(sweep.graph.tasks),
        "store": os.path.relpath(sweep.context.store.root, folder),
        "versions": shared(),
    }
    return data_files.as_json(content)


def _by_context(result: SweepResult, trial: Trial) -> dict[str, Any]:
    return {context: _numbers(scores) for context, scores in result.test[trial.number].items()}


def _numbers(scores: Scores) -> dict[str, Any]:
    summary = scores.summary
    return {"mean": summary.mean, "std": summary.std, "n": summary.n, "values": list(scores.values)}
