"""Base class of distillation methods, which compute losses from the outputs of a student and its teachers.

A method is one file: a dataclass of settings, and a class that is registered under a name with ``register``. Built-in
methods have their settings, and what else is needed without torch, in ``replicate.training.methods``.
"""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from replicate.corpus.types import Corpus
from replicate.errors import BadPlugin
from replicate.model.cogmen import COGMEN
from replicate.registry import implementation
from replicate.training.arm import Arm
from replicate.training.config import Protocol, RunSpec, relevant_settings
from replicate.training.data import Batch
from replicate.training.methods.base import MethodTraits, Settings

S = TypeVar("S", bound=Settings)


class UtteranceOutputs(NamedTuple):
    """A model's outputs for N utterances.

    Shapes:
        embedding: (N, d), output of the graph part; log_prob: (N, classes).
    """

    embedding: Tensor
    log_prob: Tensor

    def to(self, device: torch.device) -> UtteranceOutputs:
        """Return the same outputs on another device."""
        return UtteranceOutputs(self.embedding.to(device), self.log_prob.to(device))


class TeacherOutputs(NamedTuple):
    """A frozen teacher's outputs for the utterances of the training and dev split, packed in the corpus's order.

    Attributes:
        origin: hash of the corpus and the protocol that the teacher was trained on, see ``origin``.
    """

    train: UtteranceOutputs
    dev: UtteranceOutputs
    origin: str

    def to(self, device: torch.device) -> TeacherOutputs:
        """Return the same outputs on another device."""
        return TeacherOutputs(self.train.to(device), self.dev.to(device), self.origin)


def origin(corpus: Corpus, teacher: Arm, protocol: Protocol) -> str:
    """Return a hash of a corpus and of the protocol settings that change a teacher's numbers; its sizes are some."""
    sizes = [asdict(arm.model) for arm in teacher.resolved(protocol.model).with_teachers]
    content = json.dumps([corpus.hash, relevant_settings(teacher.resolved(protocol.model), protocol), sizes])
    return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True)
class MethodSetup(Generic[S]):
    """What a method is built from.

    Attributes:
        settings: the method's settings.
        spec: the student's run: arm, protocol, seed and so on.
        model: the student's model.
        teacher_outputs: one entry for each of the arm's frozen teachers, the joint one first.
        auxiliary_width: columns of the auxiliary streams, 0 without any.

    Shapes:
        labels: of the training and of the dev split, packed, (N,) and (M,) int64.
    """

    settings: S
    spec: RunSpec
    model: COGMEN
    teacher_outputs: Sequence[TeacherOutputs]
    labels: tuple[Tensor, Tensor]
    auxiliary_width: int = 0

    @property
    def seed(self) -> int:
        """The seed that all random draws of the method start from, see ``replicate.rng``."""
        return self.spec.seed

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.model.config.classes

    @property
    def embedding_width(self) -> int:
        """Columns of the student's embedding."""
        return self.model.config.hidden * self.model.config.gnn_heads

    @property
    def teacher_names(self) -> list[str]:
        """Names of the frozen teachers."""
        return [teacher.name for teacher in self.spec.arm.teachers]

    @property
    def teacher_widths(self) -> list[int]:
        """Columns of the frozen teachers' embeddings."""
        return [each.train.embedding.shape[1] for each in self.teacher_outputs]


class MethodLosses(NamedTuple):
    """Losses of a batch by name, before weighting, and values that are only logged. All are scalars."""

    losses: dict[str, Tensor]
    logged: dict[str, Tensor] = {}  # noqa: RUF012  (never changed in place)


class DistillationMethod(MethodTraits, nn.Module):
    """Base of all distillation methods. Its parameters are trained with the student and discarded after training.

    Args:
        weights: weight of each loss that ``forward`` may return; one of weight 0 is only logged. The cross-entropy with
            the labels, "nll", is always added to them, weighted by ``nll_weight`` of the settings.

    Attributes:
        train_outputs: teacher outputs for the whole training split; ``forward`` gets those of its batch as
            ``teachers``. A method that transforms the teachers' outputs before training replaces this attribute.
        constants: values that are logged with every epoch.
        loss_names: names of the losses that ``forward`` may return.
        clip: before every step, gradients are clipped to values from -clip to clip; 0 for no clipping.

    Raises:
        BadPlugin: one of the losses is named "nll".
    """

    def __init__(self, setup: MethodSetup[Any], weights: Mapping[str, float]) -> None:
        super().__init__()
        if "nll" in weights:
            raise BadPlugin(
                f"distillation method {setup.settings.method!r} (class {type(self).__name__}): nll is the "
                "cross-entropy with the labels, which is always added; name the loss otherwise, or set nll_weight"
            )
        self.loss_names = tuple(weights)
        self.weights = {name: weight for name, weight in weights.items() if weight}
        self.nll_weight: float = setup.settings.nll_weight
        self.weights_rate: float = setup.settings.weights_rate
        self.train_outputs = [each.train for each in setup.teacher_outputs]
        self.constants: dict[str, float] = {}
        self.clip = 0.0

    def peer_outputs(self, batch: Batch) -> list[UtteranceOutputs]:
        """Return outputs of models trained alongside the student; ``forward`` gets them after the teachers'."""
        return []

    @abstractmethod
    def forward(self, student: UtteranceOutputs, teachers: Sequence[UtteranceOutputs], labels: Tensor) -> MethodLosses:
        """Compute the losses of a batch of N utterances from outputs for these utterances.

        Shapes:
            labels: (N,) int64.
        """


def method_class(settings: Settings) -> type[DistillationMethod]:
    """Return the class of the method that the settings belong to."""
    return implementation(settings.traits)


def build_method(setup: MethodSetup[Any]) -> DistillationMethod:
    """Build the method that the settings belong to, on the student's device.

    Raises:
        BadPlugin: the class does not call the ``__init__`` of its base.
    """
    cls: Any = method_class(setup.settings)
    mistake: Exception | None = None
    try:
        method: DistillationMethod = cls(setup)
        if "loss_names" in vars(method):
            return method
    except AttributeError as error:  # of torch
        if "before Module.__init__() call" not in str(error):
            raise
        mistake = error
    raise BadPlugin(
        f"distillation method {setup.settings.method!r} (class {cls.__name__}): its __init__ "
        "must begin with super().__init__(setup, weights)"
    ) from mistake
