"""Settings and declaration of ``replicate.training.distillation.logits``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from replicate.training.methods.base import MethodTraits, Settings, register


@dataclass(frozen=True)
class LogitsSettings(Settings):
    """Settings of logit distillation: logits of student and teacher are softened by a temperature, then compared."""

    logits_weight: float = 1.0
    temperature: float = 2.0

    positive: ClassVar[tuple[str, ...]] = (*Settings.positive, "temperature")


@register("logits", LogitsSettings)
class LogitsTraits(MethodTraits):
    """What the distillation of logits declares."""

    stackable = True
    implemented_by = "replicate.training.distillation.logits:LogitsDistillation"
