"""Settings and declarations that all variants of DMD share (``replicate.training.distillation.dmd_losses``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from replicate.errors import InvalidDefinition
from replicate.training.arm import Arm
from replicate.training.methods.base import MethodTraits, Settings


@dataclass(frozen=True)
class GraphSettings(Settings):
    """Settings of a graph.

    Attributes:
        edges: weights of edges, "learned" for each utterance, or "uniform".
        sharpness: factor of the scores in the softmax over edges (1/8 as released).
        distance: distance between two nodes' logits: that of their softmax or log-softmax outputs, summed over classes,
            or their KL divergence at a temperature.
        edge_weight: weight of the penalty that keeps edge weights near their prior; 0 for no penalty.
        features_weight: weight of the distance between features.
    """

    edges: Literal["learned", "uniform"] = "learned"
    sharpness: float = 0.125
    distance: Literal["softmax", "log_softmax", "divergence"] = "softmax"
    temperature: float = 2.0
    edge_weight: float = 10.0
    features_weight: float = 10.0

    positive: ClassVar[tuple[str, ...]] = (*Settings.positive, "sharpness", "temperature")


@dataclass(frozen=True)
class DecouplingSettings(GraphSettings):
    """Settings of all variants of DMD.

    Attributes:
        homo, hetero: whether there is a graph over the shared halves (homo) and over the private halves (hetero).
        private_features: whether private halves are pulled closer ("attract"), pushed apart ("repel", as released,
            where a target of -1 looks like a bug), or neither.
        distil_weight, decouple_weight: weights of the losses of both graphs, and of the losses that separate shared
            from private halves.
        contrast_weight: factor on ``decouple_weight`` for the margin and orthogonality losses.
        margin: required difference between the cosines of utterances of the same class and of other classes.
        margin_form: triplets of the margin loss as in DMD's text ("paper", ``drawn_margin``) or as in its released code
            ("code", ``all_pairs_margin``, where the margin is 0.15).
        margin_utterances: for "code": how many utterances are drawn at random from a larger batch, because the cost
            grows with their third power. The released batches have 16.
        clip: gradients are clipped to values from -clip to clip before every step (0.6 as released); 0 for no clipping.
        homo_size, hetero_size: see ``GraphDistillation``.
    """

    homo: bool = True
    hetero: bool = True
    private_features: Literal["off", "repel", "attract"] = "off"
    distil_weight: float = 0.05
    decouple_weight: float = 0.1
    contrast_weight: float = 0.1
    margin: float = 0.1
    margin_form: Literal["paper", "code"] = "paper"
    margin_utterances: int = 32
    clip: float = 0.0
    homo_size: int = 64
    hetero_size: int = 32

    positive: ClassVar[tuple[str, ...]] = (*GraphSettings.positive, "margin_utterances", "homo_size", "hetero_size")


class DecouplingTraits(MethodTraits):
    """What all variants declare."""

    @classmethod
    def check(cls, settings: DecouplingSettings, arm: Arm) -> None:
        """Refuse a negative margin and a negative bound of gradients."""
        for name in ("margin", "clip"):
            if getattr(settings, name) < 0:
                raise InvalidDefinition(f"{name} = {getattr(settings, name)} must be 0 or more")
