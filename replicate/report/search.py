"""The result of a search in the terminal and as files, one of which is the table that reports it on test."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console

from replicate import grids
from replicate.config import folders
from replicate.config.privileged import choice
from replicate.config.toml import as_text, merged
from replicate.experiment.search import CorporaSearch, Gain, SearchResult
from replicate.files import write_text
from replicate.report import data_files, text
from replicate.report.types import Column, Grid
from replicate.store.keys import versions


def show(search: CorporaSearch, result: SearchResult, console: Console) -> None:
    """Print the candidates by their mean gain on dev, what was chosen, and the conditions."""
    grid = _ranking(search, result)
    console.print(grids.terminal(grid.titles, grid.lines, console.width, grid.left, _heading(search)), crop=False)
    for sentence in conditions(search, result):
        console.print(sentence, style="dim", highlight=False)


def write(search: CorporaSearch, result: SearchResult, folder: Path) -> list[Path]:
    """Write ``sweep-<search>.md``, ``.csv`` and ``.json``, and the table ``<search>.toml``; return their paths.

    Raises:
        DiskFull, CannotWrite: naming the file.
    """
    name = search.definition.name
    contents = {
        f"sweep-{name}.md": _markdown(search, result),
        f"sweep-{name}.csv": _csv(search, result),
        f"sweep-{name}.json": _json(search, result, folder),
        f"{name}.toml": table(search, result),
    }
    for file, content in contents.items():
        write_text(folder / file, content)
    return [folder / file for file in contents]


def conditions(search: CorporaSearch, result: SearchResult) -> list[str]:
    """Return the notes below the ranking; the first one states the budget."""
    plan = search.plans[0]
    base = search.definition.baseline.name
    measured = [
        f"{each.corpus.name} ({each.corpus.hash[:12]}; privileged: {choice(each.privileged)})" for each in search.plans
    ]
    lines = [
        f"Budget: {search.budget}.",
        f"Measured on {', '.join(measured)}, protocol {plan.protocol.name}, profile {plan.profile.name}; weighted F1 on "
        f"dev, audio alone, mean over seeds {', '.join(map(str, search.seeds))}; a gain is the difference from {base}, and "
        "candidates are ranked by its mean over corpora.",
        "The gain of the best candidate is biased upwards by the selection. The test splits were not looked at.",
    ]
    return lines + [f"{role}: {_chosen(gain)}." for role, gain in _roles(search, result)]


def table(search: CorporaSearch, result: SearchResult) -> str:
    """Return the table that reports the result on test, as TOML: the rows of the search and what was chosen."""
    found, base = search.definition, search.definition.written_rows[0]
    rows = [{"name": name, "arm": name} for name in found.written_rows]
    compare = [[f"{name}/A", f"{base}/A"] for name in found.written_rows[1:]]
    chosen = dict(_roles(search, result))
    for role, gain in chosen.items():
        if gain.candidate.number:
            rows.append({"name": role, "arm": _arm(gain), "overrides": _overrides(gain.candidate.trial.protocol.name)})
            compare += [[f"{role}/A", f"{other}/A"] for other in (base, *chosen) if other != role]
            compare = [pair for pair in compare if pair[::-1] not in compare[: compare.index(pair)]]
    plan = search.plans[0]
    for row in rows:
        row.setdefault("overrides", _overrides(plan.protocol.name))
    content = {
        "title": found.title,
        "source": "not in the paper",
        "in_paper": False,
        "extra": True,
        "protocol": plan.protocol.name.partition("+")[0],
        "contexts": ["A"],
        "notes": _notes(search, result),
        "compare": compare,
    }
    lines = [f"# Written by `{command(search)}`.", *(f"{key} = {as_text(value)}" for key, value in content.items())]
    for row in rows:
        lines += ["", "[[rows]]", *(f"{key} = {as_text(value)}" for key, value in row.items() if value)]
    return "\n".join(lines) + "\n"


def command(search: CorporaSearch) -> str:
    """Return the command that repeats the search; corpora are given by the names of their files."""
    plan = search.plans[0]
    words = ["replicate", "sweep", search.definition.name, *folders.as_options()]
    words += [word for each in search.plans for word in ("--data", Path(each.source.data).name)]
    words += ["--profile", plan.profile.name, "--protocol", plan.protocol.name]
    words += ["--trials", str(len(search.candidates[0]) - 1), "--seeds", ",".join(map(str, search.seeds)) + ","]
    return shlex.join(words)


def _roles(search: CorporaSearch, result: SearchResult) -> list[tuple[str, Gain]]:
    """Return what was chosen, by its name in the table: the best of audio alone, and the best with other streams."""
    found = [(f"{search.definition.written_rows[0]}, tuned", result.tuned)]
    return found + ([("recipe", result.recipe)] if result.recipe is not None else [])


def _notes(search: CorporaSearch, result: SearchResult) -> list[str]:
    plan, base = search.plans[0], search.definition.baseline.name
    lines = [
        f"What was chosen is the best of {search.budget}, on dev of {search.corpora}, with the profile "
        f"{plan.profile.name} and seeds {', '.join(map(str, search.seeds))}; test was not looked at"
    ]
    for role, gain in _roles(search, result):
        what = f"{role} is {_chosen(gain)}" if gain.candidate.number else f"No candidate of audio alone is above {base}"
        lines.append(what)
    if result.recipe is not None and result.recipe.mean <= 0:
        lines.append(f"No candidate with privileged streams is above {base} on dev")
    return lines


def _chosen(gain: Gain) -> str:
    return f"{gain.candidate.words} ({gain.mean:+.3f} on dev)"


def _arm(gain: Gain) -> str | dict[str, Any]:
    """Return the arm of a candidate as a table's row defines it, with ``{P}`` for the privileged streams."""
    trial, group = gain.candidate.trial, gain.candidate.group
    assert group is not None
    own = {key: value for key, value in trial.change.items() if "." not in key}
    if any(key.startswith("distillation.") for key in trial.change):
        # A row replaces the section that its arm inherits, so it needs all of its keys.
        assert trial.arm.method is not None
        own["distillation"] = {key: value for key, value in asdict(trial.arm.method).items() if value is not None}
    if isinstance(group.written, str):
        return {"like": group.written, **own} if own else group.written
    return merged(group.written, own)


def _overrides(protocol: str) -> list[str]:
    return [each for each in protocol.partition("+")[2].split(",") if each]


def _heading(search: CorporaSearch) -> str:
    return f"search {search.definition.name} on {search.corpora}: candidates by mean gain on dev"


def _ranking(search: CorporaSearch, result: SearchResult) -> Grid:
    """Return one line per candidate, best first."""
    columns = [Column("number", "name"), Column("candidate", "name")]
    columns += [Column(f"dev F1, {plan.corpus.name}", "measured") for plan in search.plans]
    columns += [Column(f"gain, {plan.corpus.name}", "measured") for plan in search.plans]
    lines = [
        [str(gain.candidate.number), gain.candidate.words]
        + [f"{fmean(values):.3f}" for values in gain.dev]
        + [f"{value:+.3f}" for value in (*gain.by_corpus, gain.mean)]
        for gain in result.ranked
    ]
    return Grid((*columns, Column("mean gain", "measured")), lines)


def _markdown(search: CorporaSearch, result: SearchResult) -> str:
    grid = _ranking(search, result)
    lines = [f"**{_heading(search)}**", "", *grids.markdown(grid.titles, grid.lines, grid.left), ""]
    return "\n".join([*lines, *(f"{line}  " for line in conditions(search, result))]) + "\n"


def _csv(search: CorporaSearch, result: SearchResult) -> str:
    """Return one line per candidate and corpus, in full precision."""
    header = ["search", "rank", "candidate", "what", "privileged", "corpus", "dev", "gain", "mean_gain"]
    header += ["protocol", "profile", "seeds", "values"]
    plan, seeds = search.plans[0], " ".join(map(str, search.seeds))
    lines = [
        [search.definition.name, rank, gain.candidate.number, gain.candidate.words]
        + [choice(each.privileged) if gain.candidate.privileged else "none", each.corpus.name]
        + [fmean(values), by_corpus, gain.mean, plan.protocol.name, plan.profile.name, seeds]
        + [" ".join(map(repr, values))]
        for rank, gain in enumerate(result.ranked, 1)
        for each, values, by_corpus in zip(search.plans, gain.dev, gain.by_corpus, strict=True)
    ]
    return data_files.as_csv(header, lines)


def _json(search: CorporaSearch, result: SearchResult, folder: Path) -> str:
    plan = search.plans[0]
    content = {
        "search": search.definition.name,
        "command": command(search),
        "budget": search.budget,
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
        "seeds": list(search.seeds),
        "device": plan.device,
        "total": search.total,
        "baseline": search.definition.baseline.name,
        "chosen": {role: gain.candidate.number for role, gain in _roles(search, result)},
        "candidates": [_candidate(search, gain) for gain in result.ranked],
        # `replicate runs prune --unused` keeps the runs that are listed here.
        "runs": list(search.graph.tasks),
        "store": os.path.relpath(search.context.store.root, folder),
        "versions": versions(),
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
        "runs": search.keys(trial.number),
    }
