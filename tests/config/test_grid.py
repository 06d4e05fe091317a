from dataclasses import replace

import pytest
import torch

from replicate.config import folders, grid
from replicate.config.arms import arms
from replicate.config.protocols import protocol
from replicate.errors import InvalidDefinition
from replicate.rng import generator
from replicate.store.keys import run_key
from replicate.training.config import Budget, RunSpec
from replicate.training.masking.scenarios import Masking

SMALL = """
[COGMEN-Mask]
context_layers = [2, 4]
dropout = [0.1, 0.5]
masking = [{ none = 0.1, audio = 0.3, privileged = 0.3, random = 0.3 }, { none = 0.4, random = 0.0 }]
"masking.length" = [1, 3]
"""


def resolved(name):
    """An arm with the values of the paper protocol."""
    return arms()[name].resolved(protocol("paper").model)


@pytest.fixture
def write(tables_folder):
    """Replace sweep.toml."""
    return lambda content: (tables_folder / "sweep.toml").write_text(content)


def trials(name, count, name_of_protocol="paper"):
    return grid.trials(arms()[name], protocol(name_of_protocol), count)


@pytest.mark.parametrize("name_of_protocol", ["paper", "released"])
@pytest.mark.parametrize("name", list(folders.sections("sweep")))
def test_every_grid_of_the_repository_is_sound(name, name_of_protocol, corpus):
    arm = grid.arm_with_grid(name)
    found, points = grid.trials(arm, protocol(name_of_protocol), 0)
    # The arm unchanged is a point of each, under either protocol.
    size = 1
    for values in folders.sections("sweep")[name].content.values():
        size *= len(values)
    assert (points, len(found)) == (size - 1, size)
    keys = {run_key(RunSpec(trial.arm, trial.protocol, Budget(), 24), corpus, "cpu") for trial in found}
    assert len(keys) == len(found), "two trials are the same run"
    assert [trial.number for trial in found] == list(range(size))
    assert all(trial.arm.teacher == arm.teacher and trial.arm.select == arm.select for trial in found)


def test_trial_zero_is_the_unchanged_arm():
    (stands, *others), _ = trials("COGMEN-Mask", 5)
    assert (stands.number, stands.change, stands.words) == (0, {}, "unchanged")
    assert (stands.arm, stands.protocol) == (arms()["COGMEN-Mask"], protocol("paper"))
    assert all(trial.change and trial.words != "unchanged" for trial in others)


def test_the_same_points_are_drawn_every_time_and_none_twice():
    first, points = trials("COGMEN-Mask", 30)
    torch.manual_seed(3)
    assert trials("COGMEN-Mask", 30) == (first, points)
    assert len({trial.words for trial in first}) == 31
    everything, _ = trials("COGMEN-Mask", 0)
    order = torch.randperm(points, generator=generator(0, "sweep")).tolist()[:30]
    assert [trial.words for trial in first[1:]] == [everything[1 + i].words for i in order]
    assert order != sorted(order)


def test_more_trials_begin_with_the_fewer():
    few, _ = trials("COGMEN-A", 3)
    more, _ = trials("COGMEN-A", 10)
    assert more[:4] == few and len(more) == 11


def test_more_trials_than_points_are_all_points():
    found, points = trials("COGMEN-A", 1000)
    assert len(found) == points + 1
    assert {trial.words for trial in found} == {trial.words for trial in trials("COGMEN-A", 0)[0]}


def test_a_value_of_the_protocol_is_no_change(write):
    write("[COGMEN-A]\ngnn_heads = [1, 7]\n")
    for name, changed in (("paper", 1), ("released", 7)):
        found, points = trials("COGMEN-A", 0, name)
        assert points == 1 and found[1].change == {"gnn_heads": changed}


def test_a_point_changes_the_arm_and_the_protocol(write):
    write(SMALL)
    found, points = trials("COGMEN-Mask", 0)
    assert points == 15
    last = found[-1]
    change = {"context_layers": 4, "dropout": 0.5, "masking.none": 0.4, "masking.random": 0.0, "masking.length": 3}
    assert last.change == change
    assert last.words == "context_layers=4, dropout=0.5, masking.none=0.4, masking.random=0.0, masking.length=3"
    stands = resolved("COGMEN-Mask")
    assert last.arm == replace(stands, name="COGMEN-Mask+context_layers=4,dropout=0.5", context_layers=4, dropout=0.5)
    assert last.protocol.masking == Masking(none=0.4, random=0.0, length=3)
    # The name is what --protocol takes.
    assert last.protocol.name == "paper+masking.none=0.4,masking.random=0.0,masking.length=3"
    assert protocol(last.protocol.name) == last.protocol


def test_a_grid_starts_from_the_overrides_of_the_user(write):
    write(SMALL)
    found, _ = trials("COGMEN-Mask", 0, "paper+masking.length=3,masking.start=0.5")
    assert found[0].protocol.masking == Masking(length=3, start=0.5)
    assert {trial.protocol.masking.start for trial in found} == {0.5}
    only = next(trial for trial in found if trial.change == {"masking.length": 1})
    assert only.protocol.masking == Masking(length=1, start=0.5)


def test_an_arm_with_a_name_keeps_it(write):
    write(SMALL)
    found, _ = trials("COGMEN-Mask", 0)
    (deep,) = (trial for trial in found if trial.change == {"context_layers": 4})
    assert deep.arm == resolved("COGMEN-Mask-deep")
    (masks,) = (trial for trial in found if trial.change == {"masking.length": 3})
    assert masks.arm == resolved("COGMEN-Mask")


def test_a_value_that_is_listed_twice_is_one_point(write):
    write("[COGMEN-A]\ndropout = [0.1, 0.3, 0.3, 0.5]\n")
    found, points = trials("COGMEN-A", 0)
    assert points == 2 and [trial.words for trial in found] == ["unchanged", "dropout=0.3", "dropout=0.5"]


@pytest.mark.parametrize(
    ("arm", "content", "named"),
    [
        ("COGMEN-A", "gnn_head = [3]", "gnn_heads"),
        ("COGMEN-A", "select = ['A']", "unknown key 'select'"),
        ("COGMEN-A", "teacher = ['Teacher-AV']", "unknown key 'teacher'"),
        ("COGMEN-A", "dropout = 0.3", "list of values"),
        ("COGMEN-A", "dropout = []", "list of values"),
        ("COGMEN-A", f"context_layers = {[*range(400)]}\ngnn_heads = {[*range(400)]}", "160,000 points, more than"),
        ("COGMEN-A", "dropout = [[0.3]]", "not a single value"),
        ("COGMEN-A", "dropout = [1.5]", "dropout = 1.5 must be from 0 to below 1"),
        ("COGMEN-A", "dropout = ['high']", "dropout"),
        ("COGMEN-A", '"distillation.triplet_weight" = [2.0]', "no distillation method"),
        ("Student-A", '"distillation.blur" = [0.2]', "unknown key 'distillation.blur'"),
        ("Student-MT-PKDOT", '"distillation.triplet_weight" = [2.0]', "unknown key 'distillation.triplet_weight'"),
        ("Student-MT-PKDOT", '"distillation.blur" = [0.0]', "blur = 0.0"),
        ("COGMEN-A", "'masking.length' = [3]", "not masked"),
        ("COGMEN-Mask", "masking = [{ none = 0.5 }]", "sum to 1"),
        ("COGMEN-Mask", "masking = [0.5]", "not a section"),
        ("COGMEN-Mask", "masking = [{ size = 3 }]", "unknown setting 'masking.size'"),
        ("COGMEN-Mask", "'masking.size' = [3]", "unknown key 'masking.size'"),
        ("COGMEN-Mask", "'masking.length' = [1.5]", "masking.length"),
        ("COGMEN-Mask", "masking = [{ length = 2 }]\n'masking.length' = [3]", "masking.length is listed by two keys"),
        ("Student-A", "gnn_heads = [0]", "gnn_heads = 0 must be 1 or more"),
        ("Student-A", '"distillation.triplet_weight" = [0.0]\n"distillation.nll_weight" = [0.0]', "not all be 0"),
    ],
)
def test_a_mistake_in_a_grid_is_named(write, arm, content, named):
    write(f"[{arm}]\n{content}\n")
    with pytest.raises(InvalidDefinition) as error:
        trials(arm, 0)
    assert f"sweep.toml [{arm}]" in str(error.value) and named in str(error.value)


def test_a_point_that_is_not_drawn_is_checked_too(write):
    write("[COGMEN-A]\ndropout = [0.2, 0.3, 0.4, 1.5]\n")
    drawn = torch.randperm(4, generator=generator(0, "sweep")).tolist()[0]
    assert drawn != 3
    with pytest.raises(InvalidDefinition, match="dropout"):
        trials("COGMEN-A", 1)


def test_an_arm_without_a_grid_is_named(write):
    with pytest.raises(InvalidDefinition, match="did you mean COGMEN-Mask"):
        grid.arm_with_grid("COGMEN-Masked")
    write("[Cogmen]\ndropout = [0.1]\n")
    with pytest.raises(InvalidDefinition, match="unknown arm 'Cogmen'"):
        grid.arm_with_grid("Cogmen")
