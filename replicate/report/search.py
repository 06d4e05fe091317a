"""The result of a search in the terminal and as files, one of which is the table that reports it on test."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

from replicate import grids
from replicate.config.privileged import choice
from replicate.experiment.search import CorporaSearch, Gain, SearchResult
from replicate.files import write_text
from replicate.report import data_files, search_table, text
from replicate.report.types import Column, Grid
from replicate.store.versions import shared

Stages = Sequence[tuple[CorporaSearch, SearchResult]]


def show(stages: Stages, console: Console) -> None:
    """Print the candidates of every stage by their mean gain on dev, what was chosen, and the conditions."""
    for search, result in stages:
        grid = _ranking(search, result)
        console.print(grids.terminal(grid.titles, grid.lines, console.width, grid.left, _heading(search)), crop=False)
    for sentence in conditions(stages):
        console.print(sentence, style="dim", highlight=False)


def write(stages: Stages, folder: Path) -> list[Path]:
    """Write ``sweep-<search>.md``, ``.csv`` and ``.json``, and the table ``chosen-<search>.toml``; return their
    paths.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    name = stages[0][0].definition.name
    contents = {
        f"sweep-{name}.md": _markdown(stages),
        f"sweep-{name}.csv": _csv(stages),
        f"sweep-{name}.json": _json(stages, folder),
        f"{search_table.name(name)}.toml": search_table.as_toml(stages),
    }
    for file, content in contents.items():
        write_text(folder / file, content)
    return [folder / file for file in contents]


def conditions(stages: Stages) -> list[str]:
    """Return the notes below the rankings; the first one states the budget."""
    search, result = stages[-1]
    plan, base = search.plans[0], search.definition.baseline.name
    measured = [
        f"{each.corpus.name} ({each.corpus.hash[:12]}; privileged: {choice(each.privileged)})" for each in search.plans
    ]
    lines = [
        f"Budget: {search_table.budget(stages)}.",
        f"Measured on {', '.join(measured)}, protocol {plan.protocol.name}, profile {plan.profile.name}; weighted "
        f"F1 on dev, audio alone, mean over n seeds; a gain is the difference from {base}, and candidates are ranked "
        "by its mean over corpora.",
        "The gain of the best candidate is biased upwards by the selection. The test splits were not looked at.",
    ]
    return lines + [f"{role}: {search_table.chosen(gain)}." for role, gain in search_table.roles(search, result)]


def _heading(search: CorporaSearch) -> str:
    what = "finalists" if search.final else "candidates"
    return f"search {search.definition.name} on {search.corpora}: {what} by mean gain on dev"


def _ranking(search: CorporaSearch, result: SearchResult) -> Grid:
    """Return one line per candidate, best first."""
    columns = [Column("number", "name"), Column("candidate", "name")]
    columns += [Column(f"dev F1, {plan.corpus.name}", "measured") for plan in search.plans]
    columns += [Column(f"gain, {plan.corpus.name}", "measured") for plan in search.plans]
    lines = [
        [str(gain.candidate.number), gain.candidate.words]
        + [f"{fmean(values):.3f}" for values in gain.dev]
        + [f"{value:+.3f}" for value in (*gain.by_corpus, gain.mean)]
        + [str(len(search.seeds))]
        for gain in result.ranked
    ]
    return Grid((*columns, Column("mean gain", "measured"), Column("n")), lines)


def _markdown(stages: Stages) -> str:
    lines = []
    for search, result in reversed(stages):
        grid = _ranking(search, result)
        lines += [grids.heading(_heading(search)), "", *grids.markdown(grid.titles, grid.lines, grid.left), ""]
    lines += grids.notes(conditions(stages))
    notes = [note for plan in stages[0][0].plans for note in plan.corpus.notes]
    return "\n".join([*lines, *grids.notes(text.sentences(dict.fromkeys(notes)))]) + "\n"


def _csv(stages: Stages) -> str:
    """Return one line per stage, candidate and corpus, in full precision."""
    header = ["search", "stage", "rank", "candidate", "what", "privileged", "corpus", "dev", "gain", "mean_gain"]
    header += ["protocol", "profile", "seeds", "values"]
    lines = []
    for number, (search, result) in enumerate(stages, 1):
        plan, seeds = search.plans[0], " ".join(map(str, search.seeds))
        lines += [
            [search.definition.name, number, rank, gain.candidate.number, gain.candidate.words]
            + [choice(each.privileged) if gain.candidate.privileged else "none", each.corpus.name]
            + [fmean(values), by_corpus, gain.mean, plan.protocol.name, plan.profile.name, seeds]
            + [" ".join(map(repr, values))]
            for rank, gain in enumerate(result.ranked, 1)
            for each, values, by_corpus in zip(search.plans, gain.dev, gain.by_corpus, strict=True)
        ]
    return data_files.as_csv(header, lines)


def _json(stages: Stages, folder: Path) -> str:
    search, result = stages[-1]
    plan = search.plans[0]
    content = {
        "search": search.definition.name,
        "command": search_table.command(stages),
        "budget": search_table.budget(stages),
        "corpora": [
            {
                "name": each.corpus.name,
                "hash": each.corpus.hash,
                "notes": list(each.corpus.notes),
                "privileged": each.privileged_choice,
            }
            for each in search.plans
        ],
        "profile": plan.profile.name,
        "protocol": plan.protocol.name,
        "device": plan.device,
        "total": search.total,
        "baseline": search.definition.baseline.name,
        "chosen": {role: gain.candidate.number for role, gain in search_table.roles(search, result)},
        "stages": [
            {"seeds": list(each.seeds), "candidates": [_candidate(each, gain) for gain in found.ranked]}
            for each, found in stages
        ],
        # `replicate runs prune --unused` keeps the runs that are listed here.
        "runs": list(dict.fromkeys(key for each, _ in stages for key in each.graph.tasks)),
        "store": os.path.relpath(search.context.store.root, folder),
        "versions": shared(),
    }
    return data_files.as_json(content)


def _candidate(search: CorporaSearch, gain: Gain) -> Mapping[str, Any]:
    trial, group = gain.candidate.trial, gain.candidate.group
    return {
        "candidate": trial.number,
        "group": None if group is None else group.name,
        "change": dict(trial.change),
        "arm": trial.arm.name,
        "protocol": trial.protocol.name,
        "privileged": gain.candidate.privileged,
        "gain": gain.mean,
        "by_corpus": list(gain.by_corpus),
        "dev": [list(values) for values in gain.dev],
        "runs": search.keys(gain.candidate),
    }
