"""What a search chose, as the TOML file of a table: ``replicate run`` trains it with other seeds and reports test."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from replicate import escape
from replicate.config import folders
from replicate.config.privileged import PLACEHOLDER
from replicate.config.toml import as_text, merged
from replicate.experiment.search import CorporaSearch, Gain, SearchResult

RECIPE = "recipe"


def name(search: str) -> str:
    """Return the name of the table; the package may have one of the search's own name, for other corpora."""
    return f"chosen-{search}"


def as_toml(stages: Sequence[tuple[CorporaSearch, SearchResult]]) -> str:
    """Return the table: the arms that the search lists, the best candidate of audio alone, and the recipe."""
    search, result = stages[-1]
    found, protocol = search.definition, search.plans[0].protocol.name
    rows: list[dict[str, Any]] = [
        {"name": name, "arm": name, "overrides": _overrides(protocol)} for name in found.written_rows
    ]
    chosen_rows = [(role, gain) for role, gain in roles(search, result) if gain.candidate.number]
    rows += [
        {
            "name": role,
            "arm": _arm(gain, search.plans[0].privileged),
            "overrides": _overrides(gain.candidate.trial.protocol.name),
        }
        for role, gain in chosen_rows
    ]
    base, *others = (str(row["name"]) for row in rows)
    compare = [[f"{name}/A", f"{base}/A"] for name in others]
    if len(chosen_rows) == 2:
        compare.append([f"{chosen_rows[1][0]}/A", f"{chosen_rows[0][0]}/A"])
    content = {
        "title": found.title,
        "source": "not in the paper",
        "in_paper": False,
        "extra": True,
        "protocol": protocol.partition("+")[0],
        "contexts": ["A"],
        "notes": _notes(stages),
        "compare": compare,
    }
    lines = [
        f"# Written by `{escape.line(command(stages))}`: do not edit.",
        *(f"{k} = {as_text(v)}" for k, v in content.items()),
    ]
    for row in rows:
        lines += ["", "[[rows]]", *(f"{key} = {as_text(value)}" for key, value in row.items() if value)]
    return "\n".join(lines) + "\n"


def budget(stages: Sequence[tuple[CorporaSearch, SearchResult]]) -> str:
    """Return the budget of all stages in words."""
    return "; then ".join(search.budget for search, _ in stages)


def command(stages: Sequence[tuple[CorporaSearch, SearchResult]]) -> str:
    """Return the command that repeats the search; corpora are given by the names of their files."""
    search = stages[0][0]
    plan = search.plans[0]
    words = ["replicate", "sweep", search.definition.name, *folders.as_options()]
    words += [word for each in search.plans for word in ("--data", Path(each.source.data).name)]
    words += ["--profile", plan.profile.name, "--protocol", plan.protocol.name]
    words += ["--trials", str(len(search.candidates[0]) - 1), "--seeds", ",".join(map(str, search.seeds)) + ","]
    return shlex.join(words)


def roles(search: CorporaSearch, result: SearchResult) -> list[tuple[str, Gain]]:
    """Return what was chosen, by its name in the table: the best of audio alone, and the best with other streams."""
    found = [(f"{search.definition.written_rows[0]}, tuned", result.tuned)]
    return found + ([(RECIPE, result.recipe)] if result.recipe is not None else [])


def chosen(gain: Gain) -> str:
    """Return a candidate and its gain in words."""
    return f"{gain.candidate.words} ({gain.mean:+.3f} on dev)"


def _notes(stages: Sequence[tuple[CorporaSearch, SearchResult]]) -> list[str]:
    search, result = stages[-1]
    base = search.definition.baseline.name
    lines = [
        f"What was chosen is the best on dev of {search.corpora}, profile {search.plans[0].profile.name}, where a "
        f"candidate's gain is its F1 on audio alone minus that of {base}; the search did not look at test. Its budget: "
        f"{budget(stages)}"
    ]
    for role, gain in roles(search, result):
        none = f"No candidate of audio alone is above {base} on dev"
        lines.append(f"{role}: {chosen(gain)}" if gain.candidate.number else none)
    if result.recipe is not None and result.recipe.mean <= 0:
        lines.append(f"No candidate with privileged streams is above {base} on dev")
    return lines


def _arm(gain: Gain, letters: str) -> str | dict[str, Any]:
    """Return the arm of a candidate as a table's row defines it, with ``{P}`` for the privileged streams."""
    trial, group = gain.candidate.trial, gain.candidate.group
    assert group is not None
    own = {key: value for key, value in trial.change.items() if "." not in key}
    if any(key.startswith("distillation.") for key in trial.change):
        # A row replaces the section that its arm inherits, so it needs all of its keys.
        assert trial.arm.method is not None
        method = {key: value for key, value in asdict(trial.arm.method).items() if value is not None}
        # A setting that is a context, such as that of the model that is trained at the same time, is of these streams.
        own["distillation"] = {key: PLACEHOLDER if value == letters else value for key, value in method.items()}
    if isinstance(group.written, str):
        return {"like": group.written, **own} if own else group.written
    return merged(group.written, own)


def _overrides(protocol: str) -> list[str]:
    return [each for each in protocol.partition("+")[2].split(",") if each]
