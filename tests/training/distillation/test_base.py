"""A distillation method of one's own: registered, configured, trained like the built-in ones."""

from __future__ import annotations

import copy
from dataclasses import asdict, dataclass, replace

import pytest
import torch
import torch.nn.functional as F

from replicate.errors import BadPlugin, InvalidDefinition
from replicate.training.distillation import DistillationMethod, MethodLosses, MethodSetup, Settings, register
from replicate.training.methods import method_settings
from replicate.training.methods.logits import LogitsSettings

from ..conftest import STUDENT, TEACHER, embeddings, run


@dataclass(frozen=True)
class CosineSettings(Settings):
    cosine_weight: float = 1.0
    offset: float = -0.5


class CosineDistillation(DistillationMethod):
    """Pull the student's embedding towards the teacher's direction."""

    def __init__(self, setup: MethodSetup[CosineSettings]) -> None:
        super().__init__(setup, {"cosine": setup.settings.cosine_weight})

    def forward(self, student, teachers, labels):
        return MethodLosses({"cosine": 1 - F.cosine_similarity(student.embedding, teachers[0].embedding).mean()})


@pytest.fixture(autouse=True)
def _registered():
    register("cosine", CosineSettings)(CosineDistillation)


def test_settings_know_their_method():
    assert CosineSettings().method == "cosine" and CosineSettings().traits is CosineDistillation
    assert asdict(CosineSettings(nll_weight=0.5)) == {
        "nll_weight": 0.5,
        "weights": "fixed",
        "weights_rate": 0.01,
        "method": "cosine",
        "cosine_weight": 1.0,
        "offset": -0.5,
    }
    assert method_settings("cosine") is CosineSettings
    assert copy.deepcopy(CosineSettings(offset=2.0)) == CosineSettings(offset=2.0) != CosineSettings()


def test_a_student_is_trained_by_it():
    arm = replace(STUDENT, distillation=CosineSettings(cosine_weight=3.0))
    teacher = embeddings(TEACHER)
    result, again, without = (
        run(each, teacher=teacher, epochs=8, learning_rate=3e-3)
        for each in (arm, arm, replace(STUDENT, distillation=CosineSettings(cosine_weight=0.0)))
    )
    assert all(torch.equal(result.weights[name], again.weights[name]) for name in result.weights)
    assert result.curve[-1].logged["cosine"] < without.curve[-1].logged["cosine"] - 0.05
    assert result.curve[0].logged.keys() == {"cosine", "nll"}


def test_it_is_safe_by_default():
    arm = replace(STUDENT, distillation=CosineSettings())
    assert not arm.stackable and arm.auxiliary_streams == () and arm.model_heads == {}
    with pytest.raises(InvalidDefinition, match="arm student: distillation 'cosine': it takes one teacher only"):
        replace(arm, unimodal_teachers=(TEACHER,))


def test_a_settings_class_belongs_to_one_method():
    with pytest.raises(BadPlugin, match="LogitsSettings is the settings class of 'logits' and 'other'"):
        register("other", LogitsSettings)(CosineDistillation)
    with pytest.raises(BadPlugin, match="two plugins of one name: distillation method 'logits'"):

        @register("logits", type("Mine", (Settings,), {"__module__": __name__}))
        class Other(DistillationMethod):
            pass


def test_settings_of_no_method_are_refused():
    @dataclass(frozen=True)
    class Undecorated(Settings):
        pass

    with pytest.raises(InvalidDefinition, match="Undecorated belongs to no method"):
        replace(STUDENT, distillation=Undecorated())


def test_an_unknown_method_is_named_with_the_nearest():
    with pytest.raises(InvalidDefinition, match=r"here: unknown distillation method 'tripled': did you mean triplet\?"):
        method_settings("tripled", "here")


@pytest.mark.parametrize(
    ("hook", "returned", "message"),
    [
        ("model_heads", ZeroDivisionError("no width"), "model_heads of .* 'cosine' raises ZeroDivisionError: no width"),
        ("model_heads", {"unknown": 3}, "model_heads of .* 'cosine' returns .*; return a dictionary with .*decoupled"),
        (
            "model_heads",
            {"decoupled": 0.5},
            "model_heads of .* 'cosine' returns .*; return a dictionary with .*decoupled",
        ),
        ("check", KeyError("key"), "check of .* 'cosine' raises KeyError: 'key'"),
        ("check", SystemExit(0), "check of .* 'cosine' raises SystemExit: 0"),
    ],
)
def test_a_hook_that_fails_before_training_is_named(monkeypatch, hook, returned, message):
    def called(settings, arm):
        if isinstance(returned, BaseException):
            raise returned
        return returned

    monkeypatch.setattr(CosineSettings.traits, hook, called)
    with pytest.raises(BadPlugin, match=f"^plugin .*test_base.py: {message}"):
        replace(STUDENT, distillation=CosineSettings())


def test_two_methods_of_one_name_cannot_share_their_settings():
    class Another(CosineSettings.traits):
        pass

    with pytest.raises(BadPlugin, match=r"two plugins of one name: distillation method 'cosine' .*Another; rename one"):
        register("cosine", CosineSettings)(Another)
