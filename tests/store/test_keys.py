import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
import torch_geometric

import replicate
from replicate.config import tables
from replicate.store import keys
from replicate.store.keys import code_version, run_key
from replicate.training.config import Arm, Budget, Hubert, Masking, Protocol
from replicate.training.distillation_config import METHODS, Triplet
from tests.small_runs import SPEC, TEACHER
from tests.small_runs import STUDENT as STUDENT_ARM

MASKED = replace(SPEC, arm=replace(SPEC.arm, train="AV", masked=True))
STUDENT = replace(SPEC, arm=STUDENT_ARM)
HUBERT = replace(SPEC, arm=replace(SPEC.arm, audio="hubert"))

OF_STUDENTS = ("teacher", "unimodal_teachers", "distillation")


def key(spec, corpus, device="cpu"):
    return run_key(spec, corpus, device)


def other(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, str):
        return {"AV": "A", "A": "AV", "audio": "hubert"}.get(value, value + "x")
    return value + value[:1]


def names(cls, *without):
    return [f.name for f in fields(cls) if f.name not in ("name", *without)]


def turned(spec, **knobs):
    """The spec under another protocol."""
    return replace(spec, protocol=replace(spec.protocol, **knobs))


@pytest.mark.parametrize("field", names(Arm, *OF_STUDENTS, "memory"))
def test_every_knob_of_an_arm_decides_the_key(corpus, field):
    moved = replace(MASKED, arm=replace(MASKED.arm, **{field: other(getattr(MASKED.arm, field))}))
    assert key(moved, corpus) != key(MASKED, corpus)


@pytest.mark.parametrize("field", names(Arm, *OF_STUDENTS, "memory"))
def test_every_knob_of_a_teacher_decides_the_key_of_its_student(corpus, field):
    teacher = replace(TEACHER, **{field: other(getattr(TEACHER, field))})
    moved = replace(STUDENT, arm=replace(STUDENT.arm, teacher=teacher))
    assert key(moved, corpus) != key(STUDENT, corpus)


def test_memory_decides_the_key_of_causal_transformers_alone(corpus):
    for change, decides in (({}, False), ({"causal": True}, True), ({"causal": True, "context": "gru"}, False)):
        arm = replace(MASKED.arm, **change)
        both = [key(replace(MASKED, arm=replace(arm, memory=memory)), corpus) for memory in (64, 65)]
        assert (both[0] != both[1]) is decides


def test_a_teacher_and_the_weights_of_the_losses_decide_the_key_of_students_alone(corpus):
    alone, weights = (
        key(SPEC, corpus),
        [{"distillation": Triplet(**w)} for w in ({"triplet_weight": 0.5}, {"nll_weight": 0.5})],
    )
    students = {key(replace(STUDENT, arm=replace(STUDENT.arm, **moved)), corpus) for moved in ({}, *weights)}
    assert len(students | {alone}) == 4
    assert {key(replace(SPEC, arm=replace(SPEC.arm, **moved)), corpus) for moved in weights} == {alone}
    students = [replace(STUDENT, arm=replace(STUDENT.arm, distillation=method())) for method in METHODS.values()]
    assert len({key(spec, corpus) for spec in students} | {alone}) == 1 + len(METHODS)
    # A second teacher matters, and what it is.
    for further in (TEACHER, replace(TEACHER, dropout=0.3)):
        students.append(replace(STUDENT, arm=replace(STUDENT.arm, unimodal_teachers=(further,))))
    assert len({key(spec, corpus) for spec in students}) == len(METHODS) + 2
    # Of a teacher they do not matter either.
    for moved in weights:
        same = replace(STUDENT, arm=replace(STUDENT.arm, teacher=replace(TEACHER, **moved)))
        assert key(same, corpus) == key(STUDENT, corpus)


@pytest.mark.parametrize("field", names(Budget))
def test_every_knob_of_a_budget_decides_the_key(corpus, field):
    moved = replace(SPEC, budget=replace(SPEC.budget, **{field: other(getattr(SPEC.budget, field))}))
    assert key(moved, corpus) != key(SPEC, corpus)


def test_every_knob_of_a_protocol_is_looked_at_below():
    assert names(Protocol) == ["attend_padding", "triplet", "masking", "hubert"]


def test_padding_decides_the_key_of_every_arm(corpus):
    for spec in (SPEC, MASKED, STUDENT, HUBERT):
        assert key(turned(spec, attend_padding=True), corpus) != key(spec, corpus)


def test_the_form_of_the_triplet_decides_the_key_of_students_alone(corpus):
    assert key(turned(STUDENT, triplet="n-way"), corpus) != key(STUDENT, corpus)
    for spec in (SPEC, MASKED, HUBERT, STUDENT.teachers[0]):
        assert key(turned(spec, triplet="n-way"), corpus) == key(spec, corpus)


@pytest.mark.parametrize("field", names(Masking))
def test_masks_decide_the_key_of_masked_arms_and_of_their_students_alone(corpus, field):
    masking = replace(Masking(), **{field: other(getattr(Masking(), field))})
    teacher_outputs = replace(SPEC, arm=replace(SPEC.arm, teacher=MASKED.arm))
    for spec, decides in ((MASKED, True), (teacher_outputs, True), (SPEC, False), (STUDENT, False), (HUBERT, False)):
        assert (key(turned(spec, masking=masking), corpus) != key(spec, corpus)) is decides


@pytest.mark.parametrize("field", names(Hubert))
def test_the_way_of_hubert_decides_the_key_of_hubert_arms_alone(corpus, field):
    hubert = replace(Hubert(), **{field: other(getattr(Hubert(), field))})
    other_layer = replace(HUBERT, arm=replace(HUBERT.arm, audio="hubert-second-to-last"))
    specs = ((HUBERT, True), (other_layer, True), (SPEC, False), (MASKED, False), (STUDENT, False))
    for spec, decides in specs:
        assert (key(turned(spec, hubert=hubert), corpus) != key(spec, corpus)) is decides
    # One that only sees is arranged like those that hear, whose teacher it may be.
    video = replace(HUBERT, arm=replace(HUBERT.arm, train="V", contexts=("V",), select="V"))
    assert key(turned(video, hubert=hubert), corpus) != key(video, corpus)


def test_seed_device_corpus_and_versions_decide_the_key(corpus, monkeypatch):
    first = corpus.dialogues[0]
    moved = {name: array + 1 for name, array in first.features.items()}
    found = {
        key(SPEC, corpus),
        key(replace(SPEC, seed=25), corpus),
        key(SPEC, corpus, "cuda"),
        key(SPEC, replace(corpus, dialogues=(replace(first, features=moved), *corpus.dialogues[1:]))),
        key(SPEC, replace(corpus, standardise=False)),
    }
    for package in (torch, torch_geometric):
        with monkeypatch.context() as patch:
            patch.setattr(package, "__version__", "0.0")
            found.add(key(SPEC, corpus))
    monkeypatch.setattr(keys, "code_version", lambda: "0")
    found.add(key(SPEC, corpus))
    assert len(found) == 8


def test_names_do_not_decide_the_key(corpus):
    renamed = replace(STUDENT, arm=replace(STUDENT.arm, name="x", teacher=replace(TEACHER, name="t")))
    renamed = replace(renamed, protocol=replace(STUDENT.protocol, name="y"))
    assert key(renamed, replace(corpus, name="z")) == key(STUDENT, corpus)


def test_a_knob_turned_to_where_it_stands_is_no_other_run(corpus):
    for spec in (MASKED, STUDENT, HUBERT):
        again = replace(spec, protocol=tables.protocol("paper+masking.unit=utterance,triplet=one"))
        plain = replace(spec, protocol=tables.protocol("paper"))
        assert key(again, corpus) == key(plain, corpus)


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        ("model/window_graph.py", "BLOCK = 16", "BLOCK  =  16  # why not", True),
        ("model/window_graph.py", '"""The window graph', '"""A window graph', True),
        ("training/loop.py", '"""One optimiser step', '"""A step', True),
        ("training/parity.py", "TOLERANCE = 1e-5", "TOLERANCE = 1e-4", True),
        ("store/keys.py", "[:20]", "[:21]", True),
        ("model/window_graph.py", "BLOCK = 16", "BLOCK = 32", False),
        ("training/trainer.py", '"min")', '"max")', False),
        ("training/distillation/triplet.py", "MARGIN = 1.0", "MARGIN = 2.0", False),
        ("training/released_order.py", "reversed(range(speakers))", "range(speakers)", False),
        ("rng.py", ">> 1", ">> 2", False),
    ],
)
def test_the_code_version_is_of_code_that_decides_numbers(tmp_path, monkeypatch, file, old, new, same):
    copy = tmp_path / "replicate"
    shutil.copytree(Path(replicate.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__", "_tables"))
    monkeypatch.setattr(replicate, "__file__", str(copy / "__init__.py"))
    before = code_version.__wrapped__()
    content = (copy / file).read_text(encoding="utf-8")
    assert old in content
    (copy / file).write_text(content.replace(old, new, 1), encoding="utf-8")
    assert (code_version.__wrapped__() == before) is same
