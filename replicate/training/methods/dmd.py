"""Settings and declarations of ``replicate.training.distillation.dmd``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from replicate.errors import InvalidDefinition
from replicate.suggest import choices
from replicate.training.arm import CONTEXTS, Arm
from replicate.training.methods.base import register
from replicate.training.methods.decoupling import DecouplingSettings, DecouplingTraits


@dataclass(frozen=True)
class DmdSettings(DecouplingSettings):
    """Settings of DMD with frozen teachers.

    Attributes:
        space: columns of a shared or private half.
        prior: prior of the edge weights: largest for the first teacher ("joint"), or equal for all ("uniform"), see
            ``GraphDistillation``; "none" for no prior.
    """

    space: int = 64
    prior: Literal["joint", "uniform", "none"] = "joint"

    positive: ClassVar[tuple[str, ...]] = (*DecouplingSettings.positive, "space")


@dataclass(frozen=True)
class DmdOnlineSettings(DmdSettings):
    """Settings of online DMD: no frozen teacher; see ``DmdOnlineDistillation``.

    Attributes:
        auxiliary: context whose streams are the input of the model that is trained next to the student.
    """

    prior: Literal["joint", "uniform", "none"] = "uniform"
    auxiliary: str = "V"


@register("dmd", DmdSettings)
class DmdTraits(DecouplingTraits):
    """What DMD with frozen teachers declares."""

    several_teachers = True
    implemented_by = "replicate.training.distillation.dmd:DmdDistillation"

    @classmethod
    def model_heads(cls, settings: DmdSettings, arm: Arm) -> dict[str, int]:
        """Return the size of the decoupler, whose two halves are the classifier's input."""
        return {"decoupled": settings.space}


@register("dmd-online", DmdOnlineSettings)
class DmdOnlineTraits(DmdTraits):
    """What DMD without a frozen teacher declares."""

    needs_teacher = False
    several_teachers = False
    implemented_by = "replicate.training.distillation.dmd:DmdOnlineDistillation"

    @classmethod
    def auxiliary_streams(cls, settings: DmdOnlineSettings, arm: Arm) -> tuple[str, ...]:
        """Return the input streams of the second model."""
        return CONTEXTS[settings.auxiliary]

    @classmethod
    def check(cls, settings: DecouplingSettings, arm: Arm) -> None:
        """Refuse a student that has a privileged stream itself, and a second model that has audio."""
        super().check(settings, arm)
        assert isinstance(settings, DmdOnlineSettings)
        if settings.auxiliary not in CONTEXTS or "audio" in CONTEXTS[settings.auxiliary]:
            without = [name for name, streams in CONTEXTS.items() if "audio" not in streams]
            raise InvalidDefinition(
                f"auxiliary: {settings.auxiliary!r} is no context without audio: {choices(settings.auxiliary, without)}"
            )
        if arm.train != "A":
            raise InvalidDefinition(
                f"train = {arm.train!r} must be 'A', because the model of the privileged streams is trained next to a "
                "speech-only student"
            )
