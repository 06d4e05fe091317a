"""Settings and declaration of ``replicate.training.distillation.pkdot``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from replicate.errors import InvalidDefinition
from replicate.training.arm import Arm
from replicate.training.methods.base import MethodTraits, Settings, register

# A smaller batch has no structure worth comparing: transport is skipped, which is logged.
LEAST_UTTERANCES = 8

Select = Literal["batch", "sample", "joint_only", "uniform"]


@dataclass(frozen=True)
class AlignmentSettings:
    """Settings of the alignment.

    Attributes:
        rank: of the affine map from a teacher's embedding to the joint one's width.
        detach_joint: whether the joint teacher's embedding is kept fixed. In the original it moves towards the others,
            because its fusion layers are trained further; here False trains a linear map of it that starts as the
            identity, with ``joint_learning_rate``.
    """

    epochs: int = 10
    batch: int = 128
    learning_rate: float = 5e-3
    rank: int = 256
    detach_joint: bool = True
    joint_learning_rate: float = 1e-4


@dataclass(frozen=True)
class MtPkdotSettings(Settings):
    """Settings of MT-PKDOT: the student is matched to the teacher that does best on the batch.

    Attributes:
        select: which teacher is the target. "batch": the one with the lowest cross-entropy on the batch (as released);
            "sample": for each utterance, the one with the lowest cross-entropy on it; "joint_only": the first, as in
            PKDOT; "uniform": one drawn at random for every batch.
        anchors: to which utterances of the batch (columns of the similarity matrix) similarities are compared.
            "row_lowest": for each utterance, those least similar to it in the teacher (as released); "row_highest":
            those most similar to it; "shared_lowest": the same for all, least similar on average; "all": the whole
            batch.
        anchor_count: number of anchors; at most one fewer than utterances in the batch.
        blur: square root of the entropic regularisation of optimal transport.
        scale_by_count: divide the transport cost by the number of anchors, with which it grows.
        centroid_weight: weight of the distance between mean similarities; 0 leaves it out.
        utterances: how many are drawn at random from a larger batch, because the cost of transport grows with their
            square.
        hallucinate: whether a head of the student predicts the embedding of the teacher without audio, and its
            classifier gets the prediction as additional input; "mse" and "mmd" are the losses of the head. The original
            trains the head before the student and freezes it; here both are trained at once, because no student exists
            before.
        hallucination_weight: weight of that loss, whose gradient changes only the head.
    """

    select: Select = "batch"
    anchors: Literal["row_lowest", "shared_lowest", "row_highest", "all"] = "row_lowest"
    anchor_count: int = 30
    blur: float = 0.1
    scale_by_count: bool = False
    transport_weight: float = 0.2
    centroid_weight: float = 0.2
    nll_weight: float = 0.8
    utterances: int = 128
    hallucinate: Literal["off", "mse", "mmd"] = "off"
    hallucination_weight: float = 1.0
    alignment: AlignmentSettings = field(default_factory=AlignmentSettings)

    positive: ClassVar[tuple[str, ...]] = (
        *Settings.positive, "anchor_count", "blur",
        *(f"alignment.{name}" for name in AlignmentSettings.__dataclass_fields__ if name != "detach_joint"),
    )  # fmt: skip


@dataclass(frozen=True)
class PkdotSettings(MtPkdotSettings):
    """Settings of PKDOT: MT-PKDOT with the joint teacher only, without the centroid, and with other weights."""

    select: Select = "joint_only"
    transport_weight: float = 0.6
    centroid_weight: float = 0.0
    nll_weight: float = 1.0


@register("pkdot", PkdotSettings)
@register("mtpkdot", MtPkdotSettings)
class TransportTraits(MethodTraits):
    """What both methods declare."""

    several_teachers = True
    stackable = True
    libraries = ("geomloss",)
    implemented_by = "replicate.training.distillation.pkdot:TransportDistillation"

    @classmethod
    def model_heads(cls, settings: MtPkdotSettings, arm: Arm) -> dict[str, int]:
        """Return the size of the head that predicts the teacher without audio, if ``hallucinate`` is set."""
        if settings.hallucinate == "off":
            return {}
        teacher = next(teacher for teacher in arm.teachers if not teacher.uses_audio)
        return {"hallucinated": teacher.hidden * teacher.model.gnn_heads}

    @classmethod
    def check(cls, settings: MtPkdotSettings, arm: Arm) -> None:
        """Refuse batches that are too small for transport, and a head without a teacher to predict."""
        if settings.utterances < LEAST_UTTERANCES:
            raise InvalidDefinition(
                f"utterances = {settings.utterances}, but transport needs {LEAST_UTTERANCES} or more"
            )
        if settings.hallucinate != "off" and all(teacher.uses_audio for teacher in arm.teachers):
            raise InvalidDefinition(
                "hallucinate needs a teacher without audio, such as one with train = 'V': add it to unimodal_teachers"
            )
