"""Arms, protocols and budgets built in Python are checked like those read from TOML."""

from __future__ import annotations

from dataclasses import replace

import pytest

from replicate.errors import InvalidDefinition
from replicate.training.arm import CONTEXTS, is_audio
from replicate.training.config import Arm, Budget, Hubert, ModelDefaults, Protocol, RunSpec, relevant_settings
from replicate.training.masking.scenarios import Masking
from replicate.training.methods.dmd import DmdOnlineSettings, DmdSettings
from replicate.training.methods.logits import LogitsSettings
from replicate.training.methods.pkdot import MtPkdotSettings
from replicate.training.methods.triplet import TripletSettings

from .conftest import AV, STUDENT, TEACHER, A

VIDEO = Arm("video", "V", ("V",), "V", gnn_heads=3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": "audio"}, "train: unknown context 'audio'"),
        ({"contexts": ("A", "VA")}, "contexts: unknown context 'VA': did you mean V"),
        ({"contexts": ("A", "AV")}, "contexts: context AV needs a stream that train = 'A' lacks"),
        ({"select": "AV"}, "select = 'AV' is none of its contexts, A"),
        ({"audio": "huber"}, "audio: unknown audio stream 'huber': did you mean hubert"),
        ({"context_layers": 0}, "context_layers = 0 must be 1 or more"),
        ({"gnn_heads": 0}, "gnn_heads = 0 must be 1 or more"),
        ({"memory": 0}, "memory = 0 must be 1 or more"),
        ({"window": (5,)}, r"window = \[5\] must be two numbers"),
        ({"window": (5, -1)}, r"window = \[5, -1\] must be two numbers, 0 or more"),
        ({"dropout": 1.0}, "dropout = 1.0 must be from 0 to below 1"),
        ({"dropout": float("nan")}, "dropout = nan"),
        ({"causal": True}, r"causal = true, but window = \[5, 5\] lets an utterance receive from 5 later ones"),
        ({"distillation": TripletSettings()}, "distillation 'triplet': it needs a teacher"),
        ({"unimodal_teachers": (AV,)}, "distillation 'triplet': it needs a teacher"),
        ({"teacher": replace(AV, audio="hubert")}, "audio = 'audio', but its teacher both has audio = 'hubert'"),
    ],
)
def test_an_impossible_arm_is_refused(change, message):
    with pytest.raises(InvalidDefinition, match=f"^arm speech: {message}"):
        replace(A, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"unimodal_teachers": (VIDEO,)}, "'triplet': it takes one teacher only"),
        ({"distillation": DmdOnlineSettings()}, "'dmd-online': it takes no teacher"),
        ({"distillation": LogitsSettings(temperature=0.0)}, "'logits': temperature = 0.0 must be above 0"),
        ({"distillation": LogitsSettings(weights="free")}, "'logits': weights = 'free' is none of 'fixed', 'learned'"),
        ({"distillation": LogitsSettings(logits_weight=-1.0)}, "'logits': logits_weight = -1.0 must be 0 or more"),
        ({"distillation": LogitsSettings(nll_weight=float("nan"))}, "'logits': nll_weight = nan"),
        ({"distillation": LogitsSettings(1e9)}, "'logits': nll_weight = 1000000000.0 must be a finite number"),
        ({"distillation": LogitsSettings(0.0, logits_weight=0.0)}, "'logits': its weights must not all be 0"),
        ({"distillation": MtPkdotSettings(select="best")}, "'mtpkdot': select = 'best' is none of 'batch'"),
        ({"distillation": MtPkdotSettings(utterances=7)}, "'mtpkdot': utterances = 7, but transport needs 8"),
        ({"distillation": MtPkdotSettings(hallucinate="mse")}, "'mtpkdot': hallucinate needs a teacher without audio"),
        ({"distillation": DmdSettings(margin=-0.1)}, "'dmd': margin = -0.1 must be 0 or more"),
        ({"distillation": DmdSettings(sharpness=0.0)}, "'dmd': sharpness = 0.0 must be above 0"),
    ],
)
def test_an_impossible_student_is_refused(change, message):
    with pytest.raises(InvalidDefinition, match=f"^arm student: distillation {message}"):
        replace(STUDENT, **change)


def test_a_video_model_is_trained_next_to_a_speech_only_student():
    with pytest.raises(InvalidDefinition, match="train = 'AV' must be 'A'"):
        replace(AV, distillation=DmdOnlineSettings())
    assert replace(A, distillation=DmdOnlineSettings()).required_streams == ("audio", "visual")


def test_an_additional_head_has_the_size_of_what_it_predicts():
    arm = replace(STUDENT, unimodal_teachers=(VIDEO,), distillation=MtPkdotSettings(hallucinate="mse"))
    assert arm.resolved(ModelDefaults()).model_heads == {"hallucinated": 300} and not arm.stackable
    assert replace(arm, distillation=MtPkdotSettings()).model_heads == {}


@pytest.mark.parametrize(
    ("context", "streams"),
    [
        ("A", ("audio",)),
        ("T", ("text",)),
        ("V", ("visual",)),
        ("AT", ("audio", "text")),
        ("AV", ("audio", "visual")),
        ("TV", ("text", "visual")),
        ("ATV", ("audio", "text", "visual")),
    ],
)
def test_a_context_lists_its_streams_in_the_order_of_the_columns(context, streams):
    arm = Arm("any", context, (context,), context)
    assert arm.streams == streams and arm.uses_audio == ("audio" in streams)
    assert replace(arm, audio="hubert").streams == tuple("hubert" if name == "audio" else name for name in streams)


@pytest.mark.parametrize("train", list(CONTEXTS))
def test_an_arm_is_tested_in_the_contexts_whose_streams_it_was_trained_on(train):
    allowed = []
    for context in CONTEXTS:
        try:
            Arm("any", train, (train, context), train)
        except InvalidDefinition as error:
            assert f"context {context} needs a stream that train = '{train}' lacks" in str(error)
        else:
            allowed.append(context)
    assert allowed == [context for context in CONTEXTS if all(letter in train for letter in context)]


def test_every_stream_but_audio_is_privileged():
    assert [name for name in ("audio", "text", "hubert", "visual", "hubert-second-to-last") if is_audio(name)] == [
        *("audio", "hubert", "hubert-second-to-last")
    ]


def test_an_arm_takes_what_it_does_not_set_from_the_protocol():
    middle = replace(TEACHER, name="middle", teacher=replace(AV, dropout=0.3))
    arm = replace(STUDENT, teacher=middle)
    found = arm.resolved(ModelDefaults(3, 4, 0.5))
    assert [each.model for each in found.with_teachers] == [
        ModelDefaults(1, 2, 0.5), ModelDefaults(1, 2, 0.5), ModelDefaults(3, 4, 0.3)
    ]  # fmt: skip
    assert found.resolved(ModelDefaults()) is found
    with pytest.raises(ValueError, match="arm speech takes context_layers, gnn_heads, dropout from the protocol"):
        A.model  # noqa: B018


def test_a_run_has_the_values_of_its_protocol():
    protocol = Protocol("mine", model=ModelDefaults(3, 4, 0.5))
    spec = RunSpec(replace(A, gnn_heads=1), protocol, Budget(), 24)
    assert spec.arm.model == ModelDefaults(3, 1, 0.5)
    student = RunSpec(replace(STUDENT, teacher=AV), protocol, Budget(), 24)
    assert student.teachers[0].arm.model == ModelDefaults(3, 4, 0.5)


def test_a_setting_of_the_protocol_is_relevant_to_arms_that_take_it():
    protocol = Protocol("mine", model=ModelDefaults(3, 4, 0.5))
    assert relevant_settings(replace(A, dropout=0.1), protocol)["model"] == {"context_layers": 3, "gnn_heads": 4}
    own = replace(A, context_layers=1, gnn_heads=2, dropout=0.1)
    assert "model" not in relevant_settings(own, protocol)
    assert relevant_settings(replace(own, teacher=TEACHER), protocol)["model"] == {"dropout": 0.5}


@pytest.mark.parametrize(
    ("dialogues", "shortest", "epochs"),
    [
        (108, 1, 55),
        (97, 3, 55),
        (96, 3, 74),
        (56, 3, 110),
        (28, 3, 220),
        # The last batch would have a single utterance: it is merged with another one in some epochs.
        (97, 1, 74),
        (1, 1, 220),
    ],
)
def test_a_corpus_with_few_batches_is_trained_for_more_epochs(dialogues, shortest, epochs):
    assert Budget(epochs=55, batch=32, steps=220).epochs_for(dialogues, shortest) == epochs
    assert Budget(epochs=55, batch=32).epochs_for(dialogues, shortest) == 55


def test_teachers_are_transitive():
    middle = replace(TEACHER, name="middle", teacher=TEACHER)
    assert [arm.name for arm in replace(STUDENT, teacher=middle).with_teachers] == ["student", "middle", "teacher"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Masking(none=0.2), "masking.none, audio, privileged and random must be 0 or more, and sum to 1"),
        (lambda: Masking(unit="word"), "masking: unit = 'word' is none of 'utterance', 'dialogue', 'batch'"),
        (lambda: Masking(start=1.5), "masking.start and masking.unimodal_none must be probabilities"),
        (lambda: Masking(unimodal_none=float("nan")), "masking.unimodal_none must be prob"),
        (lambda: Masking(schedule="up"), "masking: schedule = 'up' is none of 'constant', 'rising', 'falling'"),
        (lambda: Hubert("fixed"), "hubert: projection = 'fixed' is none of 'learned'"),
        (lambda: Protocol("mine", triplet="two"), "protocol mine: triplet = 'two' is none of 'one', 'n-way'"),
        (lambda: Protocol("mine", model=ModelDefaults(gnn_heads=0)), "gnn_heads = 0 must be 1 or more"),
        (lambda: Budget(epochs=0), "epochs = 0 must be 1 or more"),
        (lambda: Budget(steps=-1), "steps = -1 must be 0 or more"),
        (lambda: Budget(learning_rate=float("nan")), "learning_rate = nan must be 0 or more"),
    ],
)
def test_an_impossible_protocol_or_budget_is_refused(build, message):
    with pytest.raises(InvalidDefinition, match=message):
        build()
