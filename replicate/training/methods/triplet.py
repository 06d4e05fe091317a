"""Settings and declaration of ``replicate.training.distillation.triplet``."""

from __future__ import annotations

from dataclasses import dataclass

from replicate.training.methods.base import MethodTraits, Settings, register


@dataclass(frozen=True)
class TripletSettings(Settings):
    """Settings of the paper's method. How negatives are drawn is part of the protocol (``Protocol.triplet``)."""

    triplet_weight: float = 1.0


@register("triplet", TripletSettings)
class TripletTraits(MethodTraits):
    """What the paper's method declares."""

    stackable = True
    protocol_settings = ("triplet",)
    implemented_by = "replicate.training.distillation.triplet:TripletDistillation"
