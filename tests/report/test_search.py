"""The files of a search; what was chosen is the same run in the table that is written."""

import csv
import json
from dataclasses import replace

import pytest

from replicate.config import folders, tables
from replicate.experiment.search import CorporaSearch, Gain, SearchResult
from replicate.report import search as report
from replicate.report import search_table
from replicate.store.keys import run_key
from tests.experiment.builders import prepare as prepare_command
from tests.small_runs import small_corpus

SEARCH = """
[mine]
title = "Mine"
rows = ["COGMEN-A", "COGMEN-Mask", "Student-A"]
seeds = [7, 8]

[[mine.candidates]]
name = "audio"
arm = "COGMEN-A"
grid = { dropout = [0.1, 0.3] }

[[mine.candidates]]
name = "masks"
arm = { like = "COGMEN-Mask", fusion = "late" }
grid = { dropout = [0.1, 0.3], "masking.unit" = ["utterance", "dialogue"], masking = [{ none = 0.4, audio = 0.0 }] }

[[mine.candidates]]
name = "students"
arm = { like = "Student-logits", teacher = "COGMEN-A{P}" }
grid = { gnn_heads = [3, 7], "distillation.temperature" = [2.0, 4.0] }

[[mine.candidates]]
name = "online"
arm = "Student-DMD-online"
grid = { "distillation.clip" = [0.0, 0.6] }
"""


def with_text():
    """The small corpus under another name, with text in the place of video."""
    dialogues = (
        replace(each, features={"audio": each.features["audio"], "text": each.features["visual"]})
        for each in small_corpus().dialogues
    )
    return replace(small_corpus(), name="spoken", dialogues=tuple(dialogues))


@pytest.fixture
def search(tmp_path, tables_folder):
    (tables_folder / "search.toml").write_text(SEARCH)
    commands = [prepare_command(tmp_path / "out", (), corpus) for corpus in (small_corpus(), with_text())]
    return CorporaSearch.prepare("mine", 0, [command.plan for command in commands], commands[0].context)


def stages(search, best):
    """One stage, in which the candidates of the numbers in ``best`` are first."""
    order = [*best, *(each.number for each in search.candidates[0] if each.number not in best)]
    gains = [
        Gain(search.candidates[0][number], ((0.5, 0.75), (0.25, 0.5)), (0.5 - place / 8, 0.25 - place / 8))
        for place, number in enumerate(order)
    ]
    return [(search, SearchResult(tuple(gains)))]


def written(search, best, tmp_path, letters):
    """The table of a choice, read with the privileged streams of a corpus."""
    folder = tmp_path / "own"
    folder.mkdir(exist_ok=True)
    (folder / "mine.toml").write_text(search_table.as_toml(stages(search, best)))
    folders.use(folder)
    return tables.table("mine", letters)


def test_every_candidate_is_the_same_run_in_the_table(search, tmp_path):
    for number, first in enumerate(search.candidates[0]):
        if not first.number or not first.privileged:
            continue
        for plan, own in zip(search.plans, search.candidates, strict=True):
            table = written(search, (number,), tmp_path, plan.privileged)
            row = table.rows[-1]
            assert row.name == "recipe"
            spec, searched = plan.spec(table, row, 7), plan.run_of(own[number].trial.arm, own[number].trial.protocol, 7)
            assert run_key(spec, plan.corpus, "cpu") == run_key(searched, plan.corpus, "cpu"), first.words


def test_the_table_compares_what_was_chosen_with_the_baseline_and_with_its_best(search, tmp_path):
    tuned = next(each.number for each in search.candidates[0] if each.number and not each.privileged)
    recipe = next(each.number for each in search.candidates[0] if each.privileged)
    table = written(search, (recipe, tuned), tmp_path, "V")
    names = ["COGMEN-A", "COGMEN-Mask", "Student-A", "COGMEN-A, tuned", "recipe"]
    assert [row.name for row in table.rows] == names
    assert table.compare == (
        *((f"{name}/A", "COGMEN-A/A") for name in names[1:]),
        ("recipe/A", "COGMEN-A, tuned/A"),
    )
    assert table.extra and not table.in_paper and table.contexts == ("A",)
    budget, best, chosen = table.notes
    assert search.budget in budget and "profile smoke" in budget
    assert best.startswith("COGMEN-A, tuned: audio: dropout=0.3 (+0.250 on dev)")
    assert chosen.startswith("recipe: ") and chosen.endswith("(+0.375 on dev)")


def test_a_table_in_which_nothing_beats_the_baseline_says_so(search, tmp_path):
    found = stages(search, (0, *(each.number for each in search.candidates[0] if not each.privileged and each.number)))
    ((_, result),) = found
    worse = tuple(replace(gain, by_corpus=(0.0, 0.0)) for gain in result.ranked)
    text = search_table.as_toml([(search, SearchResult(worse))])
    assert "No candidate of audio alone is above COGMEN-A on dev" in text
    assert "No candidate with privileged streams is above COGMEN-A on dev" in text
    assert "COGMEN-A, tuned" not in text and 'name = "recipe"' in text


def test_files_hold_the_numbers_of_every_stage(search, tmp_path):
    first = stages(search, (2, 1))
    final = [(replace(search, final=True), SearchResult(first[0][1].ranked[:3]))]
    paths = report.write([*first, *final], tmp_path / "files")
    assert [path.name for path in paths] == ["sweep-mine.md", "sweep-mine.csv", "sweep-mine.json", "chosen-mine.toml"]
    with paths[1].open() as file:
        lines = list(csv.DictReader(file))
    count = len(search.candidates[0])
    assert [line["stage"] for line in lines] == ["1"] * 2 * count + ["2"] * 6
    assert [(line["candidate"], line["corpus"]) for line in lines[:4]] == [
        ("2", "small"), ("2", "spoken"), ("1", "small"), ("1", "spoken"),
    ]  # fmt: skip
    assert (lines[0]["values"], float(lines[0]["dev"]), float(lines[0]["gain"])) == ("0.5 0.75", 0.625, 0.5)
    content = json.loads(paths[2].read_text())
    assert content["chosen"] == {role: gain.candidate.number for role, gain in search_table.roles(search, final[0][1])}
    assert [len(stage["candidates"]) for stage in content["stages"]] == [count, 3]
    assert set(content["runs"]) == set(search.graph.tasks)
    assert [each["privileged"] for each in content["corpora"]] == ["visual", "text"]
    markdown = paths[0].read_text()
    assert markdown.index("finalists by mean gain") < markdown.index("candidates by mean gain")
    assert "+0.500" in markdown and "The test splits were not looked at." in markdown
