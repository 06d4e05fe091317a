"""Tables beyond the paper, trained from end to end on a corpus with audio, text and video."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import replicate
from replicate.config import tables as definitions
from replicate.config.arms import arms
from replicate.corpus.synthetic import generate
from replicate.store.keys import run_key
from tests.small_runs import SPEC


@pytest.fixture(scope="module")
def with_text():
    """The tiny corpus with a text stream of 5 columns."""
    source, draws = generate("synthetic-tiny"), np.random.default_rng(3)
    dialogues = [
        replace(d, features=d.features | {"text": draws.standard_normal((len(d), 5)).astype(np.float32)})
        for d in source.dialogues
    ]
    return replace(source, name="with-text", dialogues=tuple(dialogues))


def trained(name, corpus, folder):
    return replicate.table(name, corpus, seeds=1, profile="smoke", results=folder, progress=False)


@pytest.mark.parametrize(
    "name", ["modalities", pytest.param("imperfect-teacher", marks=pytest.mark.slow), "gap", "fusion"]
)
def test_every_cell_is_measured_and_compared(name, with_text, tmp_path):
    found = trained(name, with_text, tmp_path)
    assert not found.needs and not found.failed and len(found.comparisons) == len(found.table.compare)
    assert {row: set(cells) for row, cells in found.rows.items()} == {
        row.name: set(row.contexts) for row in found.table.rows
    }


def test_table_dmd_shows_the_weights_of_six_edges_in_each_graph(with_text, tmp_path):
    found = trained("dmd", with_text, tmp_path)
    assert not found.needs and not found.failed and len(found.comparisons) == len(found.table.compare)
    edges = {f"{a} to {b}" for a in ("audio", "text", "visual") for b in ("audio", "text", "visual") if a != b}
    graphs = {row.name: {each.graph for each in found.edges if each.row == row.name} for row in found.table.rows}
    assert graphs.pop("plain") == graphs.pop("decoupling only") == set()
    assert (graphs.pop("without HomoGD"), graphs.pop("without HeteroGD")) == ({"hetero"}, {"homo"})
    assert all(each == {"homo", "hetero"} for each in graphs.values())
    for row in graphs:
        weights = {each.edge: each for each in found.edges if (each.row, each.graph) == (row, "homo")}
        assert weights.keys() == edges and sum(each.mean for each in weights.values()) == pytest.approx(1, abs=1e-5)
        priors = [each.prior for each in weights.values()]
        assert priors == [None] * 6 if row == "no prior" else sum(priors) == pytest.approx(1)


@pytest.mark.slow
def test_hallucinated_features_and_methods_follow_the_privileged_streams(with_text, tmp_path):
    found = replicate.table(
        "distillation", with_text, seeds=1, profile="smoke", results=tmp_path, progress=False, privileged="visual+text"
    )
    assert not found.needs and not found.failed and len(found.comparisons) == len(found.table.compare)
    rows = {row.name: row.arm for row in found.table.rows}
    for name in ("PKDOT, hallucinated", "MT-PKDOT, hallucinated", "DMD"):
        assert "TV" in [teacher.train for teacher in rows[name].teachers]
    assert rows["DMD online"].auxiliary_streams == ("text", "visual")
    assert rows["PKDOT, hallucinated"].model_heads == {"hallucinated": 700}


def test_rows_without_their_streams_are_named(tmp_path):
    found = trained("modalities", "synthetic-tiny", tmp_path)
    assert found.needs == {f"COGMEN-{streams}": ("text",) for streams in ("T", "AT", "TV", "ATV")}
    assert {row for row, cells in found.rows.items() if cells} == {"COGMEN-A", "COGMEN-V", "COGMEN-AV"}


@pytest.mark.parametrize("letters", ["V", "T", "TV"])
def test_a_model_of_all_its_streams_is_the_one_of_other_tables(letters, with_text):
    row = next(row for row in definitions.table("modalities").rows if row.contexts == (f"A{letters}",))
    name = f"COGMEN-A{letters}"
    both = [run_key(replace(SPEC, arm=arm), with_text, "cpu") for arm in (row.arm, arms(letters)[name])]
    assert row.name == name and both[0] == both[1]


def test_an_imperfect_teacher_differs_from_the_perfect_one_in_one_way():
    rows = {row.name: row.arm for row in definitions.table("imperfect-teacher").rows}
    students = {name.removeprefix("student: "): arm for name, arm in rows.items() if name.startswith("student")}
    perfect, student = rows["teacher: perfect"], students["perfect"]
    for name, arm in students.items():
        teacher = rows[f"teacher: {name}"]
        assert arm.teacher == teacher and replace(arm, name=student.name, teacher=perfect) == student
        changed = [key for key in vars(teacher) if key != "name" and vars(teacher)[key] != vars(perfect)[key]]
        assert len(changed) == (name != "perfect")
        if changed:
            key = {"dialogues": "dialogue_share", "wrong": "label_noise", "epochs": "epoch_share"}[name.split()[-1]]
            assert changed == [key] and getattr(teacher, key) == int(name.split()[0]) / 100


def test_noise_of_the_gap_is_that_of_its_name():
    for row in definitions.table("gap").rows[1:]:
        source = row.arm.teacher or row.arm
        assert row.name.endswith(f"noise {source.privileged_noise:g}")
