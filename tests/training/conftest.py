"""Small corpora made up on the spot, and the shortest runs on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from replicate.corpus.types import Corpus, Dialogue
from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.training.config import Arm, Budget, Protocol, RunSpec
from replicate.training.distillation.base import MethodSetup, TeacherOutputs, UtteranceOutputs, origin
from replicate.training.inference import embed
from replicate.training.loop import RunResult, train
from replicate.training.methods import Settings

A = Arm("speech", "A", ("A",), "A")
AV = Arm("both", "AV", ("A", "AV"), "AV")
MASK = replace(AV, name="masked", select="A", masked=True)
TEACHER = replace(AV, name="teacher", gnn_heads=2, context_layers=1)
STUDENT = replace(A, name="student", gnn_heads=2, context_layers=1, teacher=TEACHER)
PAPER = Protocol("paper")


def corpus(lengths: tuple[int, ...] = (5, 3, 4, 1, 6, 2), classes: int = 2, **replaced: Any) -> Corpus:
    """``lengths`` of the training dialogues, two dev and two test dialogues of 3 and 4; audio (n, 4), visual (n, 3)."""
    rng = np.random.default_rng(7)
    dialogues = []
    sizes = [("train", n) for n in lengths] + [("dev", 3), ("dev", 4), ("test", 3), ("test", 4)]
    for i, (split, n) in enumerate(sizes):
        labels = rng.integers(classes, size=n)
        features = {
            name: (rng.standard_normal((n, width)) + labels[:, None]).astype(np.float32)
            for name, width in (("audio", 4), ("visual", 3))
        }
        dialogues.append(Dialogue(f"{split}{i}", rng.integers(2, size=n), labels, features, split))
    return Corpus(
        **{"name": "made-up", "labels": ("a", "b", "c", "d")[:classes], "dialogues": tuple(dialogues)} | replaced
    )


def changed(source: Corpus, split: str, change: Callable[[Dialogue], dict[str, Any]], **replaced: Any) -> Corpus:
    """The corpus with fields of one split's dialogues replaced."""
    dialogues = [replace(d, **change(d)) if d.split == split else d for d in source.dialogues]
    return replace(source, dialogues=tuple(dialogues), **replaced)


def louder(dialogue: Dialogue) -> dict[str, Any]:
    """Other features for ``changed``."""
    return {"features": {name: 3 * array + 1 for name, array in dialogue.features.items()}}


def with_hubert(source: Corpus, width: int = 5, stream: str = "hubert") -> Corpus:
    """The corpus with a third stream (n, width)."""
    rng = np.random.default_rng(8)
    dialogues = [
        replace(d, features=d.features | {stream: rng.standard_normal((len(d), width)).astype(np.float32)})
        for d in source.dialogues
    ]
    return replace(source, dialogues=tuple(dialogues))


def spec_of(arm: Arm = A, seed: int = 24, protocol: Protocol | None = None, **budget: Any) -> RunSpec:
    """Two epochs in batches of 3, unless overridden."""
    return RunSpec(arm, protocol or PAPER, Budget(**{"epochs": 2, "batch": 3, "learning_rate": 1e-3} | budget), seed)


def run(
    arm: Arm = A,
    on: Corpus | None = None,
    seed: int = 24,
    protocol: Protocol | None = None,
    teacher: Tensor | None = None,
    teacher_outputs: Sequence[TeacherOutputs] = (),
    **budget: Any,
) -> RunResult:
    """Train for two epochs in batches of 3, unless overridden.

    ``teacher`` are the embeddings of a teacher, for methods that need nothing else of it.
    """
    on = on or corpus()
    teacher_outputs = teacher_outputs if teacher is None else [speaking(teacher, on, protocol, arm.teacher or TEACHER)]
    return train(spec_of(arm, seed, protocol, **budget), on, teacher_outputs=teacher_outputs)


def speaking(embedding: Tensor, on: Corpus, protocol: Protocol | None = None, arm: Arm = TEACHER) -> TeacherOutputs:
    """A teacher with these embeddings of the training split, which gives all classes the same probability."""
    sizes = [sum(map(len, on.split(split))) for split in ("train", "dev")]
    classes = len(on.labels)
    even = [torch.full((size, classes), -math.log(classes)) for size in sizes]
    dev = UtteranceOutputs(torch.zeros(sizes[1], embedding.shape[1]), even[1])
    return TeacherOutputs(UtteranceOutputs(embedding, even[0]), dev, origin(on, arm, protocol or PAPER))


def method_setup(
    settings: Settings,
    teachers: dict[str, int] | None = None,
    hidden: int = 4,
    classes: int = 4,
    heads: dict[str, int] | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
) -> MethodSetup[Any]:
    """What a method is built from: a student with embeddings of ``hidden`` columns, and teachers of these widths."""
    teachers = {"teacher": hidden} if teachers is None else teachers
    joint, *others = [replace(TEACHER, name=name) for name in teachers] or [None]
    arm = replace(STUDENT, gnn_heads=1, teacher=joint, unimodal_teachers=tuple(others), distillation=settings)
    labels = labels or (torch.zeros(2, dtype=torch.int64), torch.zeros(2, dtype=torch.int64))
    outputs = [
        TeacherOutputs(
            *(UtteranceOutputs(torch.zeros(len(y), width), torch.zeros(len(y), classes)) for y in labels), ""
        )
        for width in teachers.values()
    ]
    torch.manual_seed(1)
    model = COGMEN(ModelConfig(width=4, hidden=hidden, gnn_heads=1, classes=classes, **heads or {}))
    return MethodSetup(settings, spec_of(arm), model, outputs, labels, auxiliary_width=3)


def trained(result: RunResult) -> COGMEN:
    """The model of a run, in eval mode."""
    model = COGMEN(result.model)
    model.load_state_dict(result.weights)
    return model.eval()


def embeddings(arm: Arm, on: Corpus | None = None, protocol: Protocol | None = None) -> Tensor:
    """Train an arm and return its outputs for the training split."""
    result = run(arm, on, protocol=protocol)
    return embed(trained(result), result.scaling, spec_of(arm, protocol=protocol), on or corpus())
