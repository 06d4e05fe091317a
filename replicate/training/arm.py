"""An arm: a model plus a way to train it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from replicate.errors import InvalidDefinition
from replicate.model.config import ModelConfig
from replicate.model.extractors.base import extractor_traits
from replicate.suggest import choices
from replicate.training.checks import check_choices
from replicate.training.methods.base import (
    Settings,
    auxiliary_streams,
    check_arm,
    check_settings,
    method_settings,
    model_heads,
)
from replicate.training.model_defaults import ModelDefaults, check_sizes

# Stream of each letter of a context, in the order of the input's columns.
LETTERS = {"A": "audio", "T": "text", "V": "visual"}
# Feature streams of each context. A model that is tested in a narrower context than it was trained on keeps its width:
# columns of the other streams are set to zero.
CONTEXTS: dict[str, tuple[str, ...]] = {
    context: tuple(LETTERS[letter] for letter in context) for context in ("A", "V", "T", "AV", "AT", "TV", "ATV")
}

# The released code uses HuBERT's last layer, the paper's text the second-to-last.
HUBERT = ("hubert", "hubert-second-to-last")
AUDIO = ("audio", *HUBERT)

DEFAULT_METHOD = "triplet"

Fusion = Literal["early", "late"]


def is_audio(stream: str) -> bool:
    """Return whether a stream is audio, which is there at deployment; every other stream is privileged."""
    return stream in AUDIO


@dataclass(frozen=True)
class Arm:
    """A model plus a way to train it; ``tables/arms.toml`` has those of the paper.

    Attributes:
        train: context whose streams the model is built for and trained on.
        contexts: contexts it is tested in.
        select: context whose dev F1 chooses the epoch.
        masked: whether training masks part of the input.
        audio: audio stream of the input, one of ``AUDIO``: "audio" (openSMILE-like), or a layer of HuBERT.
        teacher: arm whose outputs this one is distilled from; outputs are computed in the teacher's ``train`` context.
        unimodal_teachers: additional teachers of single streams, for methods that take several; ``teacher`` is then the
            joint teacher, which has all streams.
        distillation: method and its settings; the paper's method for an arm that has a teacher and names none.
        context_layers, gnn_heads, dropout: see ``ModelConfig``; None takes the value of the protocol, see ``resolved``.
        window: how many utterances [past, future] of ``ModelConfig``.
        context: name of the context extractor.
        causal, memory, hidden: see ``ModelConfig``.
        project: whether a linear layer maps the audio stream to ``hidden`` columns first, also if it is not HuBERT.
        fusion: "early", one context extractor for the columns of all streams (the paper), or "late", one per stream
            (``model.context.late``).
        dialogue_share, label_noise: the share of the training dialogues that is used, and the share of their labels
            that is wrong; see ``training.imperfect``. Only for arms without a distillation method.
        epoch_share: training stops after this share of the epochs; the best of them on dev is used.
        privileged_noise: deviation of the Gaussian noise on the standardised streams other than audio, in all splits.

    Raises:
        InvalidDefinition: naming the arm and the key.
    """

    name: str
    train: str
    contexts: tuple[str, ...]
    select: str
    masked: bool = False
    audio: str = "audio"
    teacher: Arm | None = None
    unimodal_teachers: tuple[Arm, ...] = ()
    distillation: Settings | None = None
    context_layers: int | None = None
    gnn_heads: int | None = None
    window: tuple[int, int] = (5, 5)
    dropout: float | None = None
    context: str = "transformer"
    causal: bool = False
    memory: int = 64
    fusion: Fusion = "early"
    dialogue_share: float = 1.0
    label_noise: float = 0.0
    epoch_share: float = 1.0
    privileged_noise: float = 0.0
    hidden: int = ModelConfig.hidden
    project: bool = False

    def __post_init__(self) -> None:
        try:
            _check_contexts(self)
            _check_model(self)
            _check_teachers(self)
            _check_data(self)
        except InvalidDefinition as error:
            raise InvalidDefinition(f"arm {self.name}: {error}") from error
        self.resolved(ModelDefaults())  # checks what depends on all values

    def resolved(self, model: ModelDefaults) -> Arm:
        """Return the arm and its teachers with a protocol's values where they set none themselves."""
        return _resolved(self, model) if any(arm.unset for arm in self.with_teachers) else self

    @property
    def unset(self) -> tuple[str, ...]:
        """The settings that it takes from the protocol, by their names in ``ModelDefaults``."""
        return tuple(name for name in ModelDefaults.__dataclass_fields__ if getattr(self, name) is None)

    @property
    def model(self) -> ModelDefaults:
        """Layers, heads and dropout of a ``resolved`` arm, or of one that sets all of them; others raise ValueError."""
        layers, heads, dropout = self.context_layers, self.gnn_heads, self.dropout
        if layers is None or heads is None or dropout is None:
            raise ValueError(f"arm {self.name} takes {', '.join(self.unset)} from the protocol")
        return ModelDefaults(layers, heads, dropout)

    @property
    def stackable(self) -> bool:
        """Whether runs of the arm and of its teachers may train as one program.

        Additional heads exclude it, and so do training data that depend on the seed.
        """
        return all(
            extractor_traits(arm.context).stackable
            and (arm.method is None or arm.method.traits.stackable)
            and not arm.model_heads
            and not arm.data_of_seed
            for arm in self.resolved(ModelDefaults()).with_teachers  # additional heads exist whatever their size
        )

    @property
    def exportable(self) -> bool:
        """Whether its model can be written as ONNX."""
        return self.fusion == "early" and extractor_traits(self.context).exportable

    def dialogues_used(self, total: int) -> int:
        """Return how many of the training dialogues it is trained on."""
        return max(1, round(self.dialogue_share * total))

    @property
    def data_of_seed(self) -> bool:
        """Whether the data that it is trained on depend on the seed."""
        return self.dialogue_share < 1 or self.label_noise > 0 or self.privileged_noise > 0

    @property
    def model_heads(self) -> dict[str, int]:
        """Sizes of the heads that the method of a ``resolved`` arm adds, by their field in ``ModelConfig``."""
        return {} if self.method is None else model_heads(self.method, self)

    @property
    def uses_hubert(self) -> bool:
        """Whether its audio stream is a layer of HuBERT."""
        return self.audio in HUBERT

    @property
    def streams(self) -> tuple[str, ...]:
        """Streams in the model's input, in the order of its columns."""
        return self.seen(self.train)

    @property
    def uses_audio(self) -> bool:
        """Whether its model has an audio stream; a model without one cannot be deployed on speech."""
        return any(map(is_audio, self.streams))

    def seen(self, context: str) -> tuple[str, ...]:
        """Return the input streams that a context provides; the model's other streams are set to zero in it."""
        return tuple(self.audio if name == "audio" else name for name in CONTEXTS[context])

    @property
    def teachers(self) -> tuple[Arm, ...]:
        """The frozen teachers, the joint one first."""
        return (*([self.teacher] if self.teacher else []), *self.unimodal_teachers)

    @property
    def method(self) -> Settings | None:
        """Settings of the distillation method; None for an arm that is trained on labels only."""
        if self.distillation is not None:
            used = self.teacher is not None or not self.distillation.traits.needs_teacher
            return self.distillation if used else None
        return method_settings(DEFAULT_METHOD)() if self.teacher else None

    @property
    def with_teachers(self) -> tuple[Arm, ...]:
        """The arm, its teachers, the teachers' teachers, and so on."""
        return (self, *(arm for teacher in self.teachers for arm in teacher.with_teachers))

    @property
    def auxiliary_streams(self) -> tuple[str, ...]:
        """Streams that the arm's method uses in training next to the model's input."""
        return () if self.method is None else auxiliary_streams(self.method, self)

    @property
    def required_streams(self) -> tuple[str, ...]:
        """Streams that a corpus must have for the arm and all its teachers."""
        return tuple(
            dict.fromkeys(name for arm in self.with_teachers for name in (*arm.streams, *arm.auxiliary_streams))
        )

    @property
    def privileged_streams(self) -> tuple[str, ...]:
        """The streams other than audio that training uses, with those of the arm's method, without its teachers'."""
        return tuple(dict.fromkeys(name for name in (*self.streams, *self.auxiliary_streams) if not is_audio(name)))


def _resolved(arm: Arm, model: ModelDefaults) -> Arm:
    values = {name: getattr(model, name) for name in arm.unset}
    teacher = arm.teacher and arm.teacher.resolved(model)
    others = tuple(other.resolved(model) for other in arm.unimodal_teachers)
    return replace(arm, **values, teacher=teacher, unimodal_teachers=others)


def _check_contexts(arm: Arm) -> None:
    given = [("train", arm.train), ("select", arm.select), *(("contexts", context) for context in arm.contexts)]
    for key, context in given:
        if context not in CONTEXTS:
            raise InvalidDefinition(f"{key}: unknown context {context!r}: {choices(context, list(CONTEXTS))}")
    for context in arm.contexts:
        if not set(CONTEXTS[context]) <= set(CONTEXTS[arm.train]):
            raise InvalidDefinition(f"contexts: context {context} needs a stream that train = {arm.train!r} lacks")
    if arm.select not in arm.contexts:
        raise InvalidDefinition(f"select = {arm.select!r} is none of its contexts, {', '.join(arm.contexts)}")
    if arm.audio not in AUDIO:
        raise InvalidDefinition(f"audio: unknown audio stream {arm.audio!r}: {choices(arm.audio, AUDIO)}")


def _check_model(arm: Arm) -> None:
    per_stream = extractor_traits(arm.context, "context").per_stream
    check_choices(arm)
    if per_stream and (arm.fusion != "late" or len(CONTEXTS[arm.train]) < 2):
        raise InvalidDefinition(
            f"context = {arm.context!r} takes two streams or more apart: set fusion = 'late', and train to a context "
            "of several streams"
        )
    check_sizes(arm.context_layers, arm.gnn_heads, arm.dropout)
    for key in ("memory", "hidden"):
        if getattr(arm, key) < 1:
            raise InvalidDefinition(f"{key} = {getattr(arm, key)} must be 1 or more")
    if len(arm.window) != 2 or min(arm.window) < 0:
        raise InvalidDefinition(f"window = {list(arm.window)} must be two numbers, 0 or more")
    if arm.causal and arm.window[0] != 0:
        raise InvalidDefinition(
            f"causal = true, but window = {list(arm.window)} lets an utterance receive from {arm.window[0]} later ones:"
            " set the first number to 0 (the second one counts the earlier utterances that it receives from)"
        )


def _check_teachers(arm: Arm) -> None:
    for teacher in arm.teachers:
        if arm.audio != teacher.audio:
            raise InvalidDefinition(
                f"audio = {arm.audio!r}, but its teacher {teacher.name} has audio = {teacher.audio!r}: use one stream"
            )
    if arm.distillation is None and not arm.teachers:
        return
    settings = arm.distillation or method_settings(DEFAULT_METHOD)()
    if not settings.method:
        raise InvalidDefinition(
            f"distillation: {type(settings).__name__} belongs to no method: decorate the method's class with @register"
        )
    try:
        check_settings(settings, arm)
        if not any(each.unset for each in arm.with_teachers):  # otherwise the resolved arm is checked
            check_arm(settings, arm)
            model_heads(settings, arm)
    except InvalidDefinition as error:
        raise InvalidDefinition(f"distillation {settings.method!r}: {error}") from error


def _check_data(arm: Arm) -> None:
    for key in ("dialogue_share", "epoch_share"):
        if not 0 < getattr(arm, key) <= 1:  # so that NaN fails
            raise InvalidDefinition(f"{key} = {getattr(arm, key)} must be above 0, and at most 1")
    if not 0 <= arm.label_noise <= 1:
        raise InvalidDefinition(f"label_noise = {arm.label_noise} must be from 0 to 1")
    if not 0 <= arm.privileged_noise < math.inf:
        raise InvalidDefinition(f"privileged_noise = {arm.privileged_noise} must be a number of 0 or more")
    for key, perfect in (("dialogue_share", 1), ("label_noise", 0)):
        if arm.method is not None and getattr(arm, key) != perfect:
            raise InvalidDefinition(
                f"{key} is for arms that are trained on labels only: an arm with a distillation method is trained on "
                "all dialogues and true labels (set it for a teacher instead)"
            )
    if arm.privileged_noise and not arm.privileged_streams:
        raise InvalidDefinition(
            f"privileged_noise = {arm.privileged_noise}, but train = {arm.train!r} has no stream other than audio: "
            "remove the key, or set it for a teacher"
        )
