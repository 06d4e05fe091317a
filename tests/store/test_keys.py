from dataclasses import fields, replace

import pytest
import torch
import torch_geometric

from replicate.config.arms import arms as arms_of_files
from replicate.config.protocols import protocol
from replicate.store import keys
from replicate.store import versions as versions_module
from replicate.store.keys import run_key, versions
from replicate.store.versions import shared
from replicate.training.config import Arm, Budget, Hubert, ModelDefaults, Protocol, RunSpec
from replicate.training.masking.scenarios import Masking
from replicate.training.methods import METHODS
from replicate.training.methods.logits import LogitsSettings
from replicate.training.methods.triplet import TripletSettings
from tests.small_runs import SPEC, TEACHER
from tests.small_runs import STUDENT as STUDENT_ARM

MASKED = replace(SPEC, arm=replace(SPEC.arm, train="AV", masked=True))
STUDENT = replace(SPEC, arm=STUDENT_ARM)
HUBERT = replace(SPEC, arm=replace(SPEC.arm, audio="hubert"))

OF_STUDENTS = ("teacher", "unimodal_teachers", "distillation")


def key(spec, corpus, device="cpu"):
    return run_key(spec, corpus, device)


# Another valid value of each field of an arm.
OTHER = {
    "train": "V",
    "contexts": ("A", "AV"),
    "select": "V",
    "masked": False,
    "audio": "hubert",
    "context_layers": 3,
    "gnn_heads": 8,
    "window": (1, 5),
    "dropout": 0.2,
    "context": "gru",
    "causal": True,
    "fusion": "late",
    "dialogue_share": 0.5,
    "label_noise": 0.1,
    "epoch_share": 0.5,
    "privileged_noise": 1.0,
    "hidden": 50,
    "project": True,
}
BASE = Arm("base", "AV", ("A", "V"), "A", masked=True, window=(0, 5))


def moved(arm, field):
    """The arm with another value of a field."""
    change = {field: OTHER[field]}
    return replace(arm, **change | ({"contexts": ("V",), "select": "V"} if field == "train" else {}))


def other(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    return {"learned": "random", "time": "release"}[value] if isinstance(value, str) else value + 1


def names(cls, *without):
    return [f.name for f in fields(cls) if f.name not in ("name", *without)]


def with_settings(spec, **settings):
    """The spec under another protocol."""
    return replace(spec, protocol=replace(spec.protocol, **settings))


def test_every_setting_of_an_arm_is_tried_below():
    assert {*OTHER, *OF_STUDENTS, "memory"} == set(names(Arm))


@pytest.mark.parametrize("field", OTHER)
def test_every_setting_of_an_arm_decides_the_key(corpus, field):
    spec = replace(SPEC, arm=BASE)
    assert key(replace(spec, arm=moved(BASE, field)), corpus) != key(spec, corpus)


@pytest.mark.parametrize("field", OTHER)
def test_every_setting_of_a_teacher_decides_the_key_of_its_student(corpus, field):
    settings = LogitsSettings()
    student = Arm("student", "AV", ("A",), "A", teacher=BASE, distillation=settings)
    teacher = moved(BASE, field)
    other_student = replace(student, teacher=teacher, audio=teacher.audio)
    if field == "audio":
        student = replace(student, teacher=moved(BASE, "audio"), audio="hubert")
        other_student = replace(
            student, teacher=replace(student.teacher, audio="hubert-second-to-last"), audio="hubert-second-to-last"
        )
    assert key(replace(SPEC, arm=other_student), corpus) != key(replace(SPEC, arm=student), corpus)


def test_memory_decides_the_key_of_causal_transformers_only(corpus):
    for change, decides in (({}, False), ({"causal": True}, True), ({"causal": True, "context": "gru"}, False)):
        arm = replace(BASE, **change)
        both = [key(replace(MASKED, arm=replace(arm, memory=memory)), corpus) for memory in (64, 65)]
        assert (both[0] != both[1]) is decides


def test_a_teacher_and_the_weights_of_the_losses_decide_the_key_of_students_only(corpus):
    alone = key(SPEC, corpus)
    settings = [TripletSettings(), TripletSettings(triplet_weight=0.5), TripletSettings(nll_weight=0.5)]
    students = {key(replace(STUDENT, arm=replace(STUDENT.arm, distillation=each)), corpus) for each in settings}
    assert len(students | {alone}) == 4
    assert key(STUDENT, corpus) in students  # the paper's method is the default


def test_the_method_and_every_teacher_decide_the_key(corpus):
    methods = [METHODS.get(name)() for name in METHODS.names()]
    arms = [
        replace(STUDENT.arm, distillation=each)
        if each.traits.needs_teacher
        else arms_of_files()["DMD-ATV"]
        if each.method == "dmd-trimodal"  # needs three streams
        else replace(STUDENT.arm, distillation=each, teacher=None)
        for each in methods
    ]
    further = replace(STUDENT.arm, distillation=METHODS.get("dmd")())
    arms += [replace(further, unimodal_teachers=(each,)) for each in (TEACHER, replace(TEACHER, dropout=0.3))]
    assert len({key(replace(STUDENT, arm=arm), corpus) for arm in arms}) == len(methods) + 2


@pytest.mark.parametrize("field", names(Budget, "steps"))
def test_every_setting_of_a_budget_decides_the_key(corpus, field):
    moved = replace(SPEC, budget=replace(SPEC.budget, **{field: other(getattr(SPEC.budget, field))}))
    assert key(moved, corpus) != key(SPEC, corpus)


def test_steps_decide_the_key_only_through_the_number_of_epochs(corpus):
    def with_steps(steps):
        return key(replace(SPEC, budget=replace(SPEC.budget, steps=steps)), corpus)

    # Four training dialogues in batches of 2, for 2 epochs.
    assert with_steps(4) == key(SPEC, corpus) != with_steps(5)
    assert with_steps(6) == with_steps(5) == key(replace(SPEC, budget=replace(SPEC.budget, epochs=3)), corpus)


def test_every_setting_of_a_protocol_is_tried_below():
    assert names(Protocol) == ["attend_padding", "triplet", "masking", "hubert", "model"]


@pytest.mark.parametrize(("field", "value"), [("context_layers", 3), ("gnn_heads", 1), ("dropout", 0.5)])
def test_sizes_of_the_protocol_decide_the_key_of_arms_that_set_none_and_of_their_students(corpus, field, value):
    model = replace(ModelDefaults(), **{field: value})
    plain = Arm("plain", "AV", ("A",), "A")
    own = replace(plain, context_layers=2, gnn_heads=7, dropout=0.1)
    for arm, decides in (
        (plain, True),
        (own, False),
        (replace(own, teacher=plain), True),
        (replace(own, teacher=own), False),
    ):
        here, there = (
            key(RunSpec(arm, each, SPEC.budget, 24), corpus) for each in (Protocol("a"), Protocol("b", model=model))
        )
        assert (here != there) is decides
    # An arm that sets the protocol's values is the same run.
    assert key(RunSpec(own, Protocol("a"), SPEC.budget, 24), corpus) == key(
        RunSpec(plain, Protocol("a"), SPEC.budget, 24), corpus
    )


def test_padding_decides_the_key_of_every_arm(corpus):
    for spec in (SPEC, MASKED, STUDENT, HUBERT):
        assert key(with_settings(spec, attend_padding=True), corpus) != key(spec, corpus)


def test_the_form_of_the_triplet_decides_the_key_of_students_only(corpus):
    assert key(with_settings(STUDENT, triplet="n-way"), corpus) != key(STUDENT, corpus)
    for spec in (SPEC, MASKED, HUBERT, STUDENT.teachers[0]):
        assert key(with_settings(spec, triplet="n-way"), corpus) == key(spec, corpus)


@pytest.mark.parametrize(
    "change",
    [
        {"unit": "batch"},
        {"start": 0.3},
        {"length": 2},
        {"none": 0.3, "random": 0.1},
        {"audio": 0.2, "privileged": 0.4},
        {"schedule": "rising"},
        {"unimodal_none": 0.5},
    ],
)
def test_masks_decide_the_key_of_masked_arms_and_their_students_only(corpus, change):
    masking = replace(Masking(), **change)
    teacher_outputs = replace(SPEC, arm=replace(SPEC.arm, teacher=MASKED.arm))
    for spec, decides in ((MASKED, True), (teacher_outputs, True), (SPEC, False), (STUDENT, False), (HUBERT, False)):
        assert (key(with_settings(spec, masking=masking), corpus) != key(spec, corpus)) is decides


@pytest.mark.parametrize("field", names(Hubert))
def test_hubert_settings_decide_the_key_of_hubert_arms_only(corpus, field):
    hubert = replace(Hubert(), **{field: other(getattr(Hubert(), field))})
    other_layer = replace(HUBERT, arm=replace(HUBERT.arm, audio="hubert-second-to-last"))
    specs = ((HUBERT, True), (other_layer, True), (SPEC, False), (MASKED, False), (STUDENT, False))
    for spec, decides in specs:
        assert (key(with_settings(spec, hubert=hubert), corpus) != key(spec, corpus)) is decides
    # A video-only arm counts, too: its labels are in the order of the HuBERT features.
    video = replace(HUBERT, arm=replace(HUBERT.arm, train="V", contexts=("V",), select="V"))
    assert key(with_settings(video, hubert=hubert), corpus) != key(video, corpus)


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
    monkeypatch.setattr(versions_module, "code_version", lambda: "0")
    found.add(key(SPEC, corpus))
    assert len(found) == 8


def test_names_do_not_decide_the_key(corpus):
    renamed = replace(STUDENT, arm=replace(STUDENT.arm, name="x", teacher=replace(TEACHER, name="t")))
    renamed = replace(renamed, protocol=replace(STUDENT.protocol, name="y"))
    assert key(renamed, replace(corpus, name="z")) == key(STUDENT, corpus)


def test_an_override_with_the_same_value_keeps_the_key(corpus):
    for spec in (MASKED, STUDENT, HUBERT):
        again = replace(spec, protocol=protocol("paper+masking.unit=utterance,triplet=one"))
        plain = replace(spec, protocol=protocol("paper"))
        assert key(again, corpus) == key(plain, corpus)


def test_versions_of_a_run_are_those_of_the_core_and_of_what_its_arm_uses():
    assert versions(SPEC).keys() - shared().keys() == {
        "source of replicate.model.context.packed",
        "source of replicate.model.context.transformer",
        "source of replicate.model.extractors.transformer",
    }
    assert shared().keys() == {"torch", "torch_geometric", "code"}
    pkdot = replace(STUDENT, arm=replace(STUDENT.arm, distillation=METHODS.get("pkdot")()))
    assert "geomloss" in versions(pkdot) and "geomloss" not in versions(STUDENT)


def test_the_format_of_records_decides_the_key(corpus, monkeypatch):
    before = key(SPEC, corpus)
    monkeypatch.setattr(keys, "FORMAT", keys.FORMAT + 1)
    assert key(SPEC, corpus) != before


def test_the_key_of_a_known_run_stays(corpus, monkeypatch):
    """Runs of an earlier version are found again: 2.13.0 comes after 2.8.1 in a key."""
    found = {"torch": "2.13.0+cpu", "torch_geometric": "2.8.1", "code": "40f61451cce3350b", "source of a": "e793dfe8"}
    monkeypatch.setattr(keys, "versions", lambda spec: found)
    assert key(SPEC, corpus) == "6767144e456f684f6375"
