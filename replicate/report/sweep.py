"""A finished sweep in the terminal and as files: all trials on dev, two of them on test."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from replicate.config.grid import Trial
from replicate.experiment.sweep import Scores, Sweep, SweepResult
from replicate.files import write_text
from replicate.report import text
from replicate.report.tables import markdown_grid
from replicate.results.aggregate import Cell
from replicate.store.keys import versions


def show(sweep: Sweep, result: SweepResult, console: Console) -> None:
    """Print trials, the test line and the conditions."""
    dev = RichTable(title=_heading(sweep), title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    _fill(dev, _dev(sweep, result), words=2)
    test = RichTable(title="Test", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    _fill(test, _test(sweep, result), words=1)
    console.print(dev, crop=False)
    console.print(test, crop=False)
    for sentence in conditions(sweep, result):
        console.print(sentence, style="dim", highlight=False)


def write(sweep: Sweep, result: SweepResult, folder: Path) -> list[Path]:
    """``sweep-<arm>.md``, ``.csv`` and ``.json`` in ``folder``; returns their paths.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    contents = {
        "md": _markdown(sweep, result),
        "csv": _comma_separated(sweep, result),
        "json": _as_json(sweep, result, folder),
    }
    paths = []
    for suffix, content in contents.items():
        paths.append(folder / f"sweep-{sweep.arm.name}.{suffix}")
        write_text(paths[-1], content)
    return paths


def conditions(sweep: Sweep, result: SweepResult) -> list[str]:
    """Under which conditions the numbers came about; the first line names the corpus."""
    campaign, tried = sweep.campaign, len(sweep.trials) - 1
    seeds = ", ".join(map(str, campaign.seeds))
    drawn = "all" if tried == sweep.points else f"{tried} of {sweep.points}"
    lines = [
        f"Measured on {campaign.corpus.name} ({campaign.corpus.hash[:12]}), protocol {campaign.protocol.name}, "
        f"profile {campaign.profile.name}; weighted F1, mean ± sample deviation over n = {len(campaign.seeds)} seeds "
        f"({seeds}).",
        f"Tried were {drawn} points of the grid in tables/sweep.toml and the arm as it stands; epochs and the trial "
        f"are chosen on dev, {sweep.arm.select} inference.",
        "The dev F1 of the selected trial is flattered by having been selected; test was looked at for it and for the "
        "arm as it stands alone.",
    ]
    if sweep.arm.teacher is not None and all(trial.protocol == campaign.protocol for trial in sweep.trials):
        lines.append(f"The teacher {sweep.arm.teacher.name} is as it stands in every trial.")
    if result.winner.number == 0:
        lines.append("No trial is better on dev than the arm as it stands.")
    return lines + [note[0].upper() + note[1:] + "." for note in campaign.corpus.notes]


def _heading(sweep: Sweep) -> str:
    return f"sweep of {sweep.arm.name} on {sweep.campaign.corpus.name}: trials by dev F1"


def _dev(sweep: Sweep, result: SweepResult) -> list[list[str]]:
    """Titles, then a line per trial, best first."""
    lines = [["trial", "what differs", f"dev F1, {sweep.arm.select} inference", "n"]]
    for trial, scores in result.ranked:
        lines.append([str(trial.number), trial.words, _measured(scores), str(scores.summary.n)])
    return lines


def _test(sweep: Sweep, result: SweepResult) -> list[list[str]]:
    """Titles, then the selected trial and the arm as it stands."""
    lines = [["trial", *(f"test F1, {context} inference" for context in sweep.arm.contexts)]]
    for trial in _on_test(sweep, result):
        cells = [_measured(scores) for scores in result.test[trial.number].values()]
        lines.append([_role(trial, result), *cells])
    return lines


def _on_test(sweep: Sweep, result: SweepResult) -> list[Trial]:
    return [sweep.trials[number] for number in result.test]


def _role(trial: Trial, result: SweepResult) -> str:
    if trial.number:
        return f"{trial.number}, selected"
    return "0, as it stands" + (", selected" if result.winner.number == 0 else "")


def _measured(scores: Scores) -> str:
    return text.measured(Cell(scores.summary, scores.values, (), None, None, None))


def _fill(grid: RichTable, lines: list[list[str]], words: int) -> None:
    """Columns and rows; texts may break in a narrow terminal, numbers may not."""
    for i, (title, *cells) in enumerate(zip(*lines, strict=True)):
        number = i >= words
        width = max(map(len, cells)) if number else None
        grid.add_column(title, justify="right" if number else "left", min_width=width)
    for line in lines[1:]:
        grid.add_row(*line)


def _markdown(sweep: Sweep, result: SweepResult) -> str:
    dev, test = _dev(sweep, result), _test(sweep, result)
    lines = [f"**{_heading(sweep)}**", "", *markdown_grid(dev[0], dev[1:], left=2), ""]
    lines += [*markdown_grid(test[0], test[1:]), ""]
    return "\n".join([*lines, *(f"{line}  " for line in conditions(sweep, result))]) + "\n"


def _comma_separated(sweep: Sweep, result: SweepResult) -> str:
    """A line per trial on dev, then the test lines, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["sweep", "rank", "trial", "change", "split", "context", "mean", "std", "n"]
        + ["corpus", "protocol", "profile", "seeds", "values"]
    )
    campaign = sweep.campaign
    seeds = " ".join(map(str, campaign.seeds))
    where = [campaign.corpus.name, campaign.protocol.name, campaign.profile.name, seeds]
    ranks = {trial.number: rank for rank, (trial, _) in enumerate(result.ranked, 1)}
    rows = [(trial, "dev", sweep.arm.select, scores) for trial, scores in result.ranked]
    for trial in _on_test(sweep, result):
        rows += [(trial, "test", context, scores) for context, scores in result.test[trial.number].items()]
    for trial, split, context, scores in rows:
        summary = scores.summary
        writer.writerow(
            [sweep.arm.name, ranks[trial.number], trial.number, trial.words, split, context]
            + [summary.mean, summary.std, summary.n, *where, " ".join(map(repr, scores.values))]
        )
    return out.getvalue()


def _as_json(sweep: Sweep, result: SweepResult, folder: Path) -> str:
    campaign = sweep.campaign
    corpus = campaign.corpus
    content = {
        "sweep": sweep.arm.name,
        "corpus": {"name": corpus.name, "hash": corpus.hash, "notes": list(corpus.notes)},
        "profile": campaign.profile.name,
        "protocol": campaign.protocol.name,
        "seeds": list(campaign.seeds),
        "device": campaign.device,
        "select": sweep.arm.select,
        "points": sweep.points,
        "winner": result.winner.number,
        "trials": [
            {
                "trial": trial.number,
                "change": dict(trial.change),
                "arm": trial.arm.name,
                "protocol": trial.protocol.name,
                "runs": [sweep.key(trial, seed) for seed in campaign.seeds],
                "dev": _numbers(scores),
                **({"test": _by_context(result, trial)} if trial.number in result.test else {}),
            }
            for trial, scores in result.ranked
        ],
        # `replicate runs prune --unused` keeps these.
        "runs": list(sweep.tasks),
        "store": os.path.relpath(campaign.store.root, folder),
        "versions": versions(),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _by_context(result: SweepResult, trial: Trial) -> dict[str, Any]:
    return {context: _numbers(scores) for context, scores in result.test[trial.number].items()}


def _numbers(scores: Scores) -> dict[str, Any]:
    summary = scores.summary
    return {"mean": summary.mean, "std": summary.std, "n": summary.n, "values": list(scores.values)}
