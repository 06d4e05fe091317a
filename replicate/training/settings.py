"""What a run is made of: an arm, a protocol, a training budget. Plain values; ``tables/*.toml`` fills them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# Streams that each context sees. A context that a model was not trained on keeps the model's width: what is
# not seen is zero.
CONTEXTS: dict[str, tuple[str, ...]] = {"A": ("audio",), "V": ("visual",), "AV": ("audio", "visual")}

MaskUnit = Literal["utterance", "dialogue", "batch"]


@dataclass(frozen=True)
class Masking:
    """How masked training draws (the paper's masked training and its Appendix A).

    Attributes:
        unit: what shares one draw. Text: each input of its own; released code: the whole batch.
        none, audio, visual, random: probabilities of the four scenarios; they sum to 1.
        start: in the random scenario, the probability with which a feature column starts a mask.
        length: columns that a mask covers.
    """

    unit: MaskUnit = "utterance"
    none: float = 0.1
    audio: float = 0.3
    visual: float = 0.3
    random: float = 0.3
    start: float = 0.2
    length: int = 1


@dataclass(frozen=True)
class Protocol:
    """A reading of the paper; see ``tables/protocols.toml``."""

    name: str
    attend_padding: bool = False
    masking: Masking = field(default_factory=Masking)


@dataclass(frozen=True)
class Arm:
    """A model plus a way to train it; see ``tables/arms.toml``.

    Attributes:
        train: context whose streams the model is built for and trained on.
        contexts: contexts it is tested in.
        select: context whose dev F1 picks the epoch.
        masked: whether training draws masks.
    """

    name: str
    train: str
    contexts: tuple[str, ...]
    select: str
    masked: bool = False
    context_layers: int = 2
    gnn_heads: int = 7
    window: tuple[int, int] = (5, 5)
    dropout: float = 0.1

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams side by side in the model's input."""
        return CONTEXTS[self.train]


@dataclass(frozen=True)
class Budget:
    """How long and how fast to train; the defaults are the original's."""

    epochs: int = 55
    batch: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 1e-8


@dataclass(frozen=True)
class RunSpec:
    """One run but for its corpus: what to train, how, and from which seed."""

    arm: Arm
    protocol: Protocol
    budget: Budget
    seed: int
