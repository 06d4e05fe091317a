"""The definition of a run: arm, protocol, training budget and seed, as plain values that ``tables/*.toml`` sets."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from replicate.corpus.types import Corpus
from replicate.errors import InvalidDefinition
from replicate.model.extractors.base import extractor_traits
from replicate.training.arm import AUDIO, CONTEXTS, HUBERT, Arm
from replicate.training.checks import check_choices
from replicate.training.masking.base import DEFAULT_STRATEGY, MaskingStrategy, masking_strategy
from replicate.training.model_defaults import ModelDefaults

__all__ = [
    "AUDIO", "CONTEXTS", "HUBERT", "Arm", "Budget", "Hubert", "ModelDefaults", "Precision", "Protocol", "RunSpec",
    "TripletForm", "relevant_settings",
]  # fmt: skip

TripletForm = Literal["one", "n-way"]
Projection = Literal["learned", "random", "random-per-run", "none", "pca"]
Order = Literal["time", "release"]
Precision = Literal["float32", "bf16"]


@dataclass(frozen=True)
class Hubert:
    """How HuBERT features enter a model.

    Attributes:
        projection: how their columns are projected to the model's hidden width: "learned" with the model; "random",
            with a bias, drawn once for all models and seeds and frozen (as released); "random-per-run", the same drawn
            anew for every run; "pca", the principal components, frozen; or "none". See ``frozen_projection``.
        order: "time", or "release": audio and labels as the release lists them, with all utterances of the second
            speaker (F) first, while speakers and video keep the order of time.
    """

    projection: Projection = "learned"
    order: Order = "time"

    def __post_init__(self) -> None:
        check_choices(self, "hubert")


def _paper_masking() -> MaskingStrategy:
    return masking_strategy(DEFAULT_STRATEGY)()


@dataclass(frozen=True)
class Protocol:
    """One way to understand the paper where its text and its code differ; see ``tables/protocols.toml``.

    Attributes:
        attend_padding: whether padding takes part in attention, as in the released code.
        triplet: negatives of the triplet loss: "one" of any other class, or one of each other class ("n-way").
        masking: strategy of masked training and its settings.
        model: layers, heads and dropout of arms that set none themselves.
    """

    name: str
    attend_padding: bool = False
    triplet: TripletForm = "one"
    masking: MaskingStrategy = field(default_factory=_paper_masking)
    hubert: Hubert = field(default_factory=Hubert)
    model: ModelDefaults = field(default_factory=ModelDefaults)

    def __post_init__(self) -> None:
        check_choices(self, f"protocol {self.name}")


def relevant_settings(arm: Arm, protocol: Protocol) -> dict[str, Any]:
    """Return the settings of a protocol that change the numbers of an arm or its teachers; its name is not one."""
    arms = arm.with_teachers
    used = {name for each in arms if each.method for name in each.method.traits.protocol_settings}
    used |= {"attend_padding"} if any(extractor_traits(each.context).can_attend_padding for each in arms) else set()
    used |= {"masking"} if any(each.masked for each in arms) else set()
    # Also for a video-only arm with a HuBERT stream: its labels are in the order of the HuBERT features.
    used |= {"hubert"} if any(each.uses_hubert for each in arms) else set()
    found = {name: value for name, value in asdict(protocol).items() if name in used}
    unset = {name for each in arms for name in each.unset}
    return found | ({"model": {name: getattr(protocol.model, name) for name in sorted(unset)}} if unset else {})


@dataclass(frozen=True)
class Budget:
    """The training budget: epochs, batch size, optimiser and encoder size; defaults are those of the released code.

    Attributes:
        steps: least number of optimiser steps: a corpus with few batches in an epoch is trained for more epochs.
        batch: dialogues in a batch.
        feed_forward: width of the hidden layers in the context extractor, which take most of the training time.
    """

    epochs: int = 55
    batch: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 1e-8
    feed_forward: int = 2048
    steps: int = 0

    def __post_init__(self) -> None:
        for key, least in (("epochs", 1), ("batch", 1), ("feed_forward", 1), ("steps", 0)):
            if getattr(self, key) < least:
                raise InvalidDefinition(f"{key} = {getattr(self, key)} must be {least} or more")
        for key in ("learning_rate", "weight_decay"):
            if not 0 <= getattr(self, key) < math.inf:  # so that NaN fails
                raise InvalidDefinition(f"{key} = {getattr(self, key)} must be 0 or more")

    def epochs_for(self, dialogues: int, shortest: int) -> int:
        """Return for how many epochs a number of dialogues is trained; ``shortest`` is the length of the shortest."""
        # A batch of a single utterance is merged with its neighbour (``Batch.shuffled``).
        alone = dialogues % self.batch == 1 and shortest == 1
        batches = max(1, math.ceil(dialogues / self.batch) - alone)
        return max(self.epochs, math.ceil(self.steps / batches))


@dataclass(frozen=True)
class RunSpec:
    """One run without its corpus: what to train, how, and from which seed.

    Attributes:
        arm: the arm with the protocol's values where it sets none itself (``Arm.resolved``).
        precision: number format of products in training; "bf16" is autocast. Evaluation and weights are always float32.
        seed_group: seeds of the runs that train as one program, including this one's; empty for a run that trains
            alone.
    """

    arm: Arm
    protocol: Protocol
    budget: Budget
    seed: int
    precision: Precision = "float32"
    seed_group: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_choices(self)
        object.__setattr__(self, "arm", self.arm.resolved(self.protocol.model))

    def epochs(self, corpus: Corpus) -> int:
        """Return how many epochs the run is trained for on a corpus: the arm's share of those of its budget."""
        return max(1, round(self.arm.epoch_share * self.epochs_of_budget(corpus)))

    def epochs_of_budget(self, corpus: Corpus) -> int:
        """Return how many epochs the budget gives to the dialogues of a corpus that the arm is trained on."""
        train = corpus.split("train")
        return self.budget.epochs_for(self.arm.dialogues_used(len(train)), min(map(len, train)))

    @property
    def projected(self) -> str | None:
        """The stream that is projected to the model's hidden width; None if no stream is."""
        arm = self.arm
        wanted = arm.project or (arm.uses_hubert and self.protocol.hubert.projection != "none")
        return arm.audio if wanted and arm.audio in arm.streams else None

    @property
    def projection(self) -> Projection:
        """How it is projected: as the protocol sets for HuBERT, else by a layer that is learned."""
        hubert = self.protocol.hubert.projection
        return hubert if self.arm.uses_hubert and hubert != "none" else "learned"

    @property
    def teachers(self) -> tuple[RunSpec, ...]:
        """The runs that must be complete before this one, the joint teacher's first."""
        return tuple(replace(self, arm=arm) for arm in self.arm.teachers)

    def seed_group_specs(self) -> list[RunSpec]:
        """Return the runs that train as one program with this one, including this one."""
        return [replace(self, seed=seed) for seed in self.seed_group or (self.seed,)]
