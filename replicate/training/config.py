"""What a run is made of: an arm, a protocol, a training budget. Plain values; ``tables/*.toml`` fills them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from replicate.model.config import Context
from replicate.training.distillation_config import Dmd, DmdOnline, Method, MtPkdot
from replicate.training.distillation_config import Triplet as TripletMethod

# Streams that each context sees. A context that a model was not trained on keeps the model's width: what is
# not seen is zero.
CONTEXTS: dict[str, tuple[str, ...]] = {"A": ("audio",), "V": ("visual",), "AV": ("audio", "visual")}

# The last layer is what the released code took, the second-to-last what the text says.
HUBERT = ("hubert", "hubert-second-to-last")
AUDIO = ("audio", *HUBERT)

MaskUnit = Literal["utterance", "dialogue", "batch"]
Triplet = Literal["one", "n-way"]
Projection = Literal["learned", "random", "none", "pca"]
Order = Literal["time", "release"]
Precision = Literal["float32", "bf16"]


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
class Hubert:
    """How HuBERT features enter a model.

    Attributes:
        projection: of their columns to the model's hidden width: "learned" with the model, "random" and fixed
            (as released), "none", or "pca", fixed to their principal components (see ``projection``).
        order: "time", or "release": audio and labels as the release lists them, all utterances of the second
            speaker (F) first, while speakers and video keep the order of time.
    """

    projection: Projection = "learned"
    order: Order = "time"


@dataclass(frozen=True)
class Protocol:
    """A reading of the paper; see ``tables/protocols.toml``."""

    name: str
    attend_padding: bool = False
    triplet: Triplet = "one"
    masking: Masking = field(default_factory=Masking)
    hubert: Hubert = field(default_factory=Hubert)


@dataclass(frozen=True)
class Arm:
    """A model plus a way to train it; see ``tables/arms.toml``.

    Attributes:
        train: context whose streams the model is built for and trained on.
        contexts: contexts it is tested in.
        select: context whose dev F1 picks the epoch.
        masked: whether training draws masks.
        audio: stream that is heard, one of ``AUDIO``: "audio" (openSMILE-like), or a layer of HuBERT.
        teacher: arm that this one learns from; the teacher sees all it was trained on.
        unimodal_teachers: further ones, for methods that take several; ``teacher`` is then the joint one.
        distillation: how it learns from them; the paper's method where a teacher is all that is said.
        window: [past, future] of ``ModelConfig``: how far an utterance is heard before it and after it.
        context: which context extractor.
        causal, memory: see ``ModelConfig``.
    """

    name: str
    train: str
    contexts: tuple[str, ...]
    select: str
    masked: bool = False
    audio: str = "audio"
    teacher: Arm | None = None
    unimodal_teachers: tuple[Arm, ...] = ()
    distillation: Method | None = None
    context_layers: int = 2
    gnn_heads: int = 7
    window: tuple[int, int] = (5, 5)
    dropout: float = 0.1
    context: Context = "transformer"
    causal: bool = False
    memory: int = 64

    @property
    def stackable(self) -> bool:
        """Whether runs of the arm, and of those that teach it, can train as one program."""
        return all(
            arm.context == "transformer" and not isinstance(arm.method, Dmd) and arm.guesses is None
            for arm in self.with_teachers
        )

    @property
    def uses_hubert(self) -> bool:
        """Whether its audio stream is a layer of HuBERT."""
        return self.audio in HUBERT

    @property
    def guesses(self) -> Arm | None:
        """The teacher whose embeddings the arm guesses, if it does."""
        if isinstance(self.method, MtPkdot) and self.method.hallucinate != "off":
            return next((teacher for teacher in self.teachers if teacher.train == "V"), None)
        return None

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams side by side in the model's input."""
        return self.seen(self.train)

    def seen(self, context: str) -> tuple[str, ...]:
        """Streams that the arm gets in a context."""
        return tuple(self.audio if name == "audio" else name for name in CONTEXTS[context])

    @property
    def teachers(self) -> tuple[Arm, ...]:
        """All arms that this one learns from, the joint one first."""
        return (*([self.teacher] if self.teacher else []), *self.unimodal_teachers)

    @property
    def method(self) -> Method | None:
        """How the arm learns from teachers; None without any, and without one that learns beside it."""
        if isinstance(self.distillation, DmdOnline):
            return self.distillation
        return (self.distillation or TripletMethod()) if self.teacher else None

    @property
    def with_teachers(self) -> tuple[Arm, ...]:
        """The arm, its teachers, the teachers' teachers, and so on."""
        return (self, *(arm for teacher in self.teachers for arm in teacher.with_teachers))

    @property
    def beside(self) -> tuple[str, ...]:
        """Streams of a model that learns beside this one; they are not in this one's input."""
        return ("visual",) if isinstance(self.distillation, DmdOnline) else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Streams that a corpus must have: those of the arm, and of all that it learns from."""
        return tuple(dict.fromkeys(name for arm in self.with_teachers for name in (*arm.streams, *arm.beside)))


def reading(arm: Arm, protocol: Protocol) -> dict[str, Any]:
    """What of a protocol decides an arm's numbers: not its name, and no knob that nobody of the arm's lineage sees."""
    content = asdict(protocol)
    del content["name"]
    if not any(each.masked for each in arm.with_teachers):
        del content["masking"]
    if not any(isinstance(each.method, TripletMethod) for each in arm.with_teachers):
        del content["triplet"]
    # One of them that only sees has its labels in their order.
    if not any(each.uses_hubert for each in arm.with_teachers):
        del content["hubert"]
    return content


@dataclass(frozen=True)
class Budget:
    """How long, how fast and how much to train; the defaults are the original's.

    Attributes:
        feed_forward: width of the hidden layers in the context extractor, where most of the arithmetic is.
    """

    epochs: int = 55
    batch: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 1e-8
    feed_forward: int = 2048


@dataclass(frozen=True)
class RunSpec:
    """One run but for its corpus: what to train, how, and from which seed.

    Attributes:
        precision: of products in training; "bf16" is autocast. Evaluation and weights are float32 in any case.
        together: seeds of the runs that train as one program, this one's among them; empty for a run alone.
    """

    arm: Arm
    protocol: Protocol
    budget: Budget
    seed: int
    precision: Precision = "float32"
    seed_group: tuple[int, ...] = ()

    @property
    def projected(self) -> str | None:
        """The stream whose columns a projection takes to the model's hidden width, None without one."""
        heard = self.arm.uses_hubert and self.arm.audio in self.arm.streams
        return self.arm.audio if heard and self.protocol.hubert.projection != "none" else None

    @property
    def teachers(self) -> tuple[RunSpec, ...]:
        """The runs that have to be finished before this one, the joint teacher's first."""
        return tuple(replace(self, arm=arm) for arm in self.arm.teachers)

    def seed_group_specs(self) -> list[RunSpec]:
        """The runs that train as one program with this one, itself among them."""
        return [replace(self, seed=seed) for seed in self.seed_group or (self.seed,)]
