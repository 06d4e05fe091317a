from itertools import groupby

import pytest

from replicate.config import check, search
from replicate.config.protocols import protocol
from replicate.errors import InvalidDefinition
from replicate.store.keys import run_key
from replicate.training.config import Budget, RunSpec

SMALL = """
[mine]
title = "Mine"
rows = ["COGMEN-A", "COGMEN-Mask"]
seeds = [1, 2]

[[mine.candidates]]
name = "audio"
arm = "COGMEN-A"
grid = { dropout = [0.1, 0.3, 0.5], gnn_heads = [1, 7] }

[[mine.candidates]]
name = "masks"
arm = { like = "COGMEN-Mask", fusion = "late" }
grid = { "masking.unit" = ["utterance", "dialogue"] }

[[mine.candidates]]
name = "student"
arm = { like = "Student-A", teacher = "COGMEN-A{P}" }
"""


@pytest.fixture
def write(tables_folder):
    """Replace search.toml."""
    return lambda content=SMALL: (tables_folder / "search.toml").write_text(content)


def drawn(count, name="mine", privileged="V", asked="paper"):
    return search.candidates(search.search(name, privileged), protocol(asked), count, privileged)


@pytest.mark.parametrize("name", search.searches())
def test_every_search_of_the_repository_is_sound(name, corpus):
    found, total = drawn(0, name)
    assert [each.number for each in found] == list(range(total + 1))
    keys = {run_key(RunSpec(each.trial.arm, each.trial.protocol, Budget(), 24), corpus, "cpu") for each in found}
    assert len(keys) == len(found), "two candidates are the same run"
    # Other privileged streams leave the order of candidates as it is.
    for letters in ("T", "TV"):
        others, _ = drawn(0, name, letters)
        assert [each.words for each in others] == [each.words for each in found]
        assert all(set(letters) <= set(each.trial.arm.train) for each in others if "Mask:" in each.words)
    definition = search.search(name)
    assert not {*definition.seeds, *definition.final_seeds} & {*range(24, 34)}, "tables have these seeds by default"
    assert {each.privileged for each in found} == {False, True}


def test_groups_give_one_candidate_at_a_time(write):
    write()
    found, total = drawn(0)
    assert total == 5 + 2 + 1
    assert found[0].words == "COGMEN-A: unchanged" and found[0].group is None
    names = [each.group.name for each in found[1:]]
    # The unchanged arm of the first group is the baseline, so it is no candidate.
    assert [found[1].words, found[2].words] == ["masks: unchanged", "student: unchanged"]
    assert names[:4] == ["masks", "student", "audio", "masks"] and names[4:] == ["audio"] * 4
    assert len({each.words for each in found}) == 9
    assert [len([*run]) for _, run in groupby(each.privileged for each in found)] == [1, 2, 1, 1, 4]


def test_a_larger_budget_begins_with_the_same_candidates(write):
    write()
    few, total = drawn(3)
    assert len(few) == 4 and drawn(5)[0][:4] == few and drawn(100)[0] == drawn(0)[0]
    assert drawn(3)[1] == total == 8


def test_candidates_start_from_the_overrides_of_the_user(write):
    write()
    found, _ = drawn(0, asked="paper+masking.unit=dialogue")
    (changed,) = (each for each in found if each.trial.change == {"masking.unit": "utterance"})
    assert changed.trial.protocol.name == "paper+masking.unit=dialogue,masking.unit=utterance"
    assert changed.trial.protocol.masking == protocol("paper").masking


def test_arms_have_the_streams_of_the_command_and_keep_the_placeholder_in_what_is_written(write):
    write()
    found = search.search("mine", "T")
    assert found.groups[2].arm.teacher.name == "COGMEN-AT"
    assert found.groups[2].written == {"like": "Student-A", "teacher": "COGMEN-A{P}"}


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("seeds = [1, 2]", "", "key 'seeds' is missing"),
        ("seeds = [1, 2]", "seeds = []", "different whole numbers"),
        ("seeds = [1, 2]", "seeds = [1, 1]", "different whole numbers"),
        ("seeds = [1, 2]", "seeds = [1, 2]\nfinalists = 3", "set both or none"),
        ("seeds = [1, 2]", "seeds = [1, 2]\nfinalists = 1\nfinal_seeds = [2, 3]", "different whole numbers"),
        ("seeds = [1, 2]", "seeds = [1, 2]\nbudget = 3", "unknown key 'budget'"),
        ('rows = ["COGMEN-A", "COGMEN-Mask"]', "", "the baseline first"),
        ('rows = ["COGMEN-A", "COGMEN-Mask"]', 'rows = ["COGMEN-B"]', "unknown arm 'COGMEN-B'"),
        ('rows = ["COGMEN-A", "COGMEN-Mask"]', 'rows = ["COGMEN-A{P}"]', "select = 'AV'"),
        ('arm = "COGMEN-A"', 'arm = "COGMEN-B"', "candidates 1 (audio), arm: unknown arm 'COGMEN-B'"),
        ('arm = "COGMEN-A"', 'arm = "COGMEN-A{P}"', "select = 'AV'"),
        ('arm = "COGMEN-A"', "", "candidates 1: key 'arm' is missing"),
        ('name = "audio"', 'name = "audio"\ndropout = [0.1]', "candidates 1: unknown key 'dropout'"),
        ("teacher =", "teachers =", "candidates 3 (student), arm: unknown key 'teachers'"),
    ],
)
def test_a_mistake_is_named_before_anything_is_trained(write, old, new, named):
    assert old in SMALL
    write(SMALL.replace(old, new, 1))
    with pytest.raises(InvalidDefinition) as error:
        check.check()
    assert "search.toml" in str(error.value) and named in str(error.value)


@pytest.mark.parametrize("name", ["COGMEN-A", "none"])
def test_names_of_searches_are_no_names_of_arms(write, name):
    write(SMALL.replace("mine", "COGMEN-A"))
    with pytest.raises(InvalidDefinition, match="an arm of this name" if name == "COGMEN-A" else "unknown search"):
        search.search(name)


def test_a_search_without_candidates_is_refused(write):
    write('[mine]\ntitle = "Mine"\nrows = ["COGMEN-A"]\nseeds = [1]\n')
    with pytest.raises(InvalidDefinition, match=r"needs \[\[mine.candidates\]\]"):
        search.search("mine")
