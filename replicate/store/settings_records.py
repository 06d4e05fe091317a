"""Arm, protocol and budget in the record of a run, as typed dataclasses that need no torch to be read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from replicate.limits import MOST, MOST_LAYERS, shown
from replicate.records import FINITE, check_names, check_range, check_settings
from replicate.training.model_defaults import ModelDefaults

if TYPE_CHECKING:  # these import torch, which commands that only look at runs do without
    from replicate.training.config import Arm, Protocol


@dataclass(frozen=True)
class ArmRecord:
    """The arm of a run as it was trained; the attributes are those of ``Arm``.

    Attributes:
        distillation: for an arm with a distillation method, its name under "method", and its settings. They are not
            typed, so that a record can be read where the method's plugin is not installed.
    """

    name: str
    train: str
    contexts: tuple[str, ...]
    select: str
    masked: bool
    audio: str
    teacher: ArmRecord | None
    unimodal_teachers: tuple[ArmRecord, ...]
    distillation: dict[str, Any] | None
    context_layers: int
    gnn_heads: int
    window: tuple[int, int]
    dropout: float
    context: str
    causal: bool
    memory: int
    fusion: str = "early"  # the record of an earlier version lacks this and the following
    dialogue_share: float = 1.0
    label_noise: float = 0.0
    epoch_share: float = 1.0
    privileged_noise: float = 0.0
    hidden: int = 100
    project: bool = False

    def __post_init__(self) -> None:
        check_names(self, "name", "train", "contexts", "select", "audio", "context", "fusion")
        check_range(self, 1, MOST_LAYERS, "context_layers", "gnn_heads")
        check_range(self, 1, MOST, "hidden")
        check_range(self, 0, MOST, "window", "memory")
        check_range(self, 0, 1, "dropout", "dialogue_share", "label_noise", "epoch_share")
        check_range(self, 0, FINITE, "privileged_noise")
        check_settings(self, "distillation")
        method = None if self.distillation is None else self.distillation.get("method")
        if self.distillation is not None and not (isinstance(method, str) and method.isprintable()):
            raise ValueError(f"distillation has the method {shown(method)}, which is no name")

    @classmethod
    def of(cls, arm: Arm) -> ArmRecord:
        """Return the record of an arm and of its teachers."""
        return cls(
            arm.name,
            arm.train,
            arm.contexts,
            arm.select,
            arm.masked,
            arm.audio,
            None if arm.teacher is None else cls.of(arm.teacher),
            tuple(map(cls.of, arm.unimodal_teachers)),
            None if arm.method is None else asdict(arm.method),
            arm.model.context_layers,
            arm.model.gnn_heads,
            arm.window,
            arm.model.dropout,
            arm.context,
            arm.causal,
            arm.memory,
            arm.fusion,
            arm.dialogue_share,
            arm.label_noise,
            arm.epoch_share,
            arm.privileged_noise,
            arm.hidden,
            arm.project,
        )

    @property
    def teachers(self) -> tuple[ArmRecord, ...]:
        """All arms that this one is distilled from, in the order of ``RunRecord.teacher_runs``."""
        return (*([] if self.teacher is None else [self.teacher]), *self.unimodal_teachers)


@dataclass(frozen=True)
class ProtocolRecord:
    """The protocol of a run; the attributes are those of ``Protocol``.

    Attributes:
        masking: settings of the masking strategy, not typed for the same reason as ``ArmRecord.distillation``.
        model: layers, heads and dropout of arms that set none themselves; the values of the run are in ``ArmRecord``.
            In a record of an earlier version, in which arms set all of them, the defaults.
    """

    name: str
    attend_padding: bool
    triplet: str
    masking: dict[str, Any]
    hubert: dict[str, Any]
    model: ModelDefaults = field(default_factory=ModelDefaults)

    def __post_init__(self) -> None:
        check_names(self, "name", "triplet", "masking", "hubert")
        check_settings(self, "masking", "hubert")

    @classmethod
    def of(cls, protocol: Protocol) -> ProtocolRecord:
        """Return the record of a protocol."""
        return cls(**asdict(protocol) | {"model": protocol.model})


@dataclass(frozen=True)
class BudgetRecord:
    """The budget of a run; the attributes are those of ``Budget``."""

    epochs: int
    batch: int
    learning_rate: float
    weight_decay: float
    feed_forward: int
    steps: int = 0  # the record of an earlier version lacks it

    def __post_init__(self) -> None:
        check_range(self, 1, FINITE, "epochs", "batch", "feed_forward")
        check_range(self, 0, FINITE, "learning_rate", "weight_decay", "steps")
