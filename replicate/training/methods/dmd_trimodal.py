"""Settings and declaration of ``replicate.training.distillation.dmd_trimodal``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from replicate.errors import InvalidDefinition
from replicate.training.arm import CONTEXTS, Arm
from replicate.training.methods.base import register
from replicate.training.methods.decoupling import DecouplingSettings, DecouplingTraits

CONTEXT = "decoupled-streams"


@dataclass(frozen=True)
class DmdTrimodalSettings(DecouplingSettings):
    """Settings of DMD with three streams.

    Attributes:
        prior: prior of the edge weights: that of the released code ("released", see ``FAVOURED``), equal for all edges
            ("uniform"), or "none"; see ``GraphDistillation``.
    """

    prior: Literal["released", "uniform", "none"] = "released"
    clip: float = 0.6


@register("dmd-trimodal", DmdTrimodalSettings)
class DmdTrimodalTraits(DecouplingTraits):
    """What DMD between three streams declares."""

    needs_teacher = False
    implemented_by = "replicate.training.distillation.dmd_trimodal:DmdTrimodalDistillation"

    @classmethod
    def check(cls, settings: DecouplingSettings, arm: Arm) -> None:
        """Refuse an arm without three streams, with another extractor, or with masks."""
        super().check(settings, arm)
        if len(CONTEXTS[arm.train]) != 3:
            raise InvalidDefinition(f"train = {arm.train!r} must be 'ATV': it distils between three streams")
        if arm.context != CONTEXT:
            raise InvalidDefinition(f"context = {arm.context!r} must be {CONTEXT!r}, whose halves it distils")
        if arm.masked:
            raise InvalidDefinition("masked = true, but it distils between whole streams: remove the key")
