"""How a student learns from its teachers: what each method can be set to; ``tables/arms.toml`` fills the values.

What is not from the paper (arXiv 2401.03000) is from Hinton et al. (2015), PKDOT (arXiv 2401.15489), MT-PKDOT (arXiv
2408.09035) and DMD (arXiv 2303.13802), adapted to a student that hears and teachers that also see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Weights = Literal["fixed", "learned"]

# With fewer utterances a batch has no structure to speak of: transport is left out, and the log says so.
LEAST = 8


@dataclass(frozen=True)
class Weighted:
    """What every method has.

    Attributes:
        nll_weight: of the cross-entropy of the labels.
        weights: "learned" gives every loss a variance that is trained with the model, and divides by it (Kendall, Gal,
            Cipolla, 2018); training begins with the fixed weights.
        weights_rate: learning rate of the logarithms of these variances. The model's own would hardly move them.
    """

    nll_weight: float = 1.0
    weights: Weights = "fixed"
    weights_rate: float = 0.01


@dataclass(frozen=True)
class Triplet(Weighted):
    """The paper's method: embeddings are drawn to the teacher's by a triplet loss."""

    method: Literal["triplet"] = "triplet"
    triplet_weight: float = 1.0


@dataclass(frozen=True)
class Logits(Weighted):
    """Hinton's: the student's logits are drawn to the teacher's, both softened by a temperature."""

    method: Literal["logits"] = "logits"
    logits_weight: float = 1.0
    temperature: float = 2.0


@dataclass(frozen=True)
class Alignment:
    """How teachers of single streams are aligned to the joint one before a student learns (MT-PKDOT's first stage).

    Attributes:
        rank: of the affine map that takes a teacher's embedding to the joint one's width.
        detach_joint: whether the joint embedding stays as the joint teacher has it. In the original it moves towards
            the others, for its fusion goes on training; here, without that, it goes through a linear map that begins
            as the identity, at ``joint_learning_rate``.
    """

    epochs: int = 10
    batch: int = 128
    learning_rate: float = 5e-3
    rank: int = 256
    detach_joint: bool = True
    joint_learning_rate: float = 1e-4


@dataclass(frozen=True)
class MtPkdot(Weighted):
    """MT-PKDOT: a batch's structure of similarities is drawn to that of the teacher that does best on the batch.

    Attributes:
        select: which teacher. "batch" the one with the least cross-entropy on the batch (as released); "sample" the
            one with the least on each utterance; "joint_only" the first, as PKDOT has it; "uniform" any, drawn anew for
            every batch.
        anchors: utterances whose similarity to an utterance is compared. "row_lowest" for each those that its teacher
            finds least similar to it (as released), "row_highest" most similar; "shared_lowest" the same for all, least
            similar on average; "all" the whole batch.
        anchor_count: how many; fewer where a batch has not one more than these.
        blur: of the optimal transport, the square root of its entropic regularisation.
        scale_by_count: divide the transport by the number of anchors, with which it grows.
        centroid_weight: of the distance between mean similarities; 0 leaves it out.
        hallucinate: whether the student also guesses what the teacher that sees would say, and its classifier gets the
            guess beside the embedding; "mse" and "mmd" are how the guess learns. In the original guessing is learned
            before the student and then fixed; a student that learns from nothing has nothing to guess from by then, so
            that here both learn together.
        hallucination_weight: of the guess's own loss, which moves nothing but the guess.
        utterances: of a batch at most, drawn at random, that transport looks at: its cost grows with their square.
    """

    method: Literal["mtpkdot"] = "mtpkdot"
    select: Literal["batch", "sample", "joint_only", "uniform"] = "batch"
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
    alignment: Alignment = field(default_factory=Alignment)


@dataclass(frozen=True)
class Pkdot(MtPkdot):
    """PKDOT: MT-PKDOT with the joint teacher alone, without the centroid, and with weights of its own."""

    method: Literal["pkdot"] = "pkdot"  # type: ignore[assignment]
    select: Literal["batch", "sample", "joint_only", "uniform"] = "joint_only"
    transport_weight: float = 0.6
    centroid_weight: float = 0.0
    nll_weight: float = 1.0


@dataclass(frozen=True)
class Dmd(Weighted):
    """DMD: every embedding falls into a shared and a private part; in each, a graph distils teachers into the student.

    Attributes:
        space: numbers in a shared or private part.
        homo, hetero: whether the graphs over shared and over private parts are there.
        edges: weights of a graph's edges, "learned" for each utterance, or "uniform".
        prior: what is added to the weights of edges, and what their mean over a batch is held to: most for the first
            teacher, or the same for all.
        sharpness: of the softmax over edges (1/8 as released).
        distance: of two logits: between softmax or log-softmax outputs, summed over classes, or their divergence at a
            temperature.
        private_features: whether private parts are drawn together ("attract"), pushed apart ("repel", as released,
            where a target of -1 looks like a slip), or neither.
        edge_weight: of the demand that edges keep to their prior; 0 leaves them free.
        features_weight: of the distance of private parts.
        distil_weight, decouple_weight: of both graphs, and of the losses that part shared from private.
        contrast_weight: of margin and orthogonality among the latter.
        margin: between cosines of utterances of the same and of other classes.
    """

    method: Literal["dmd"] = "dmd"
    space: int = 64
    homo: bool = True
    hetero: bool = True
    edges: Literal["learned", "uniform"] = "learned"
    prior: Literal["joint", "uniform"] = "joint"
    sharpness: float = 0.125
    distance: Literal["softmax", "log_softmax", "divergence"] = "softmax"
    temperature: float = 2.0
    private_features: Literal["off", "repel", "attract"] = "off"
    edge_weight: float = 10.0
    features_weight: float = 10.0
    distil_weight: float = 0.05
    decouple_weight: float = 0.1
    contrast_weight: float = 0.1
    margin: float = 0.1
    homo_size: int = 64
    hetero_size: int = 32


@dataclass(frozen=True)
class DmdOnline(Dmd):
    """DMD without a frozen teacher: a model that sees learns beside the student, and each distils into the other."""

    method: Literal["dmd-online"] = "dmd-online"  # type: ignore[assignment]
    prior: Literal["joint", "uniform"] = "uniform"


Method: TypeAlias = Triplet | Logits | MtPkdot | Dmd
METHODS: dict[str, type[Method]] = {
    "triplet": Triplet,
    "logits": Logits,
    "pkdot": Pkdot,
    "mtpkdot": MtPkdot,
    "dmd": Dmd,
    "dmd-online": DmdOnline,
}
