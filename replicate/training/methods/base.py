"""What a distillation method declares about itself, and the names of all methods; without torch.

Arms are checked, and keys of runs computed, with these declarations alone. The methods themselves are in
``replicate.training.distillation``, whose modules are imported when a method is built.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Literal, TypeVar

from replicate.errors import BadPlugin, InvalidDefinition, ReplicateError
from replicate.model.heads import HEADS
from replicate.registry import Registry
from replicate.training.checks import check_choices


class MethodTraits:
    """What a distillation method declares about itself, so that arms can be checked before anything is trained.

    Attributes:
        needs_teacher: whether the arm must have a frozen teacher (``Arm.teacher``); if False, it must have none.
        several_teachers: whether it can use ``Arm.unimodal_teachers``.
        stackable: whether runs that differ in their seeds may train as one program. Safe if ``forward`` draws random
            numbers from generators of its own only, never from torch's global one.
        protocol_settings: names of the fields of ``Protocol`` that change what the method computes. Other methods' runs
            do not depend on them.
        libraries: packages whose version changes the results.
        implemented_by: "MODULE:CLASS" of the method, if it is another class than this one
            (``replicate.registry.implementation``).
    """

    needs_teacher: ClassVar[bool] = True
    several_teachers: ClassVar[bool] = False
    stackable: ClassVar[bool] = False
    protocol_settings: ClassVar[tuple[str, ...]] = ()
    libraries: ClassVar[tuple[str, ...]] = ()
    implemented_by: ClassVar[str] = ""

    @classmethod
    def auxiliary_streams(cls, settings: Any, arm: Any) -> tuple[str, ...]:
        """Streams that the method itself uses in training; they are not in the student's input.

        Args: as of ``model_heads``.
        """
        return ()

    @classmethod
    def model_heads(cls, settings: Any, arm: Any) -> dict[str, int]:
        """Sizes of the heads that the student's model gets for this method, by their field in ``ModelConfig``.

        Args:
            settings: the method's own settings. arm: the ``Arm`` (not typed, because its module imports this one).
        """
        return {}

    @classmethod
    def check(cls, settings: Any, arm: Any) -> None:
        """Check what else the method requires of an arm; arguments as in ``model_heads``.

        Raises:
            InvalidDefinition: with the reason only; the caller puts arm and method in front of it.
        """


@dataclass(frozen=True)
class Settings:
    """Settings of a distillation method; each method has a subclass with fields of its own.

    Attributes:
        nll_weight: weight of the cross-entropy with the labels.
        weights: "learned" gives every loss a variance that is trained with the model, and divides by it (Kendall, Gal,
            Cipolla, 2018); training starts from the fixed weights. Not in the paper.
        weights_rate: learning rate of the logarithms of these variances; at the model's rate they would hardly change.
        method: name of the method, set by ``register``.
        traits: class with what the method declares, set by ``register``.
        positive: names of the fields that must be above 0.
    """

    nll_weight: float = 1.0
    weights: Literal["fixed", "learned"] = "fixed"
    weights_rate: float = 0.01
    method: str = field(default="", init=False)

    traits: ClassVar[type[MethodTraits]] = MethodTraits
    positive: ClassVar[tuple[str, ...]] = ("weights_rate",)

    def numbers(self) -> dict[str, float]:
        """Return all settings that are numbers; those of a nested section are named ``section.key``."""
        found: dict[str, float] = {}
        for name, value in asdict(self).items():
            inner = {f"{name}.{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
            found |= {key: each for key, each in inner.items() if type(each) in (int, float)}
        return found


M = TypeVar("M", bound=MethodTraits)

# Settings class of each method, by the method's name.
METHODS: Registry[type[Settings]] = Registry(
    "distillation method", "replicate.training.methods", "replicate.distillation"
)


def register(name: str, settings: type[Settings]) -> Callable[[type[M]], type[M]]:
    """Register a distillation method under a name, with the dataclass of its settings (class decorator).

    Raises:
        BadPlugin: another method has this name, or uses this class of settings.
    """

    def add(method: type[M]) -> type[M]:
        taken = vars(settings).get("method") or name
        if taken != name:
            raise BadPlugin(
                f"{method.__module__}: {settings.__name__} is the settings class of {taken!r} and {name!r}: "
                "give each method a settings class of its own"
            )
        other = vars(settings).get("traits", method)
        if other.__qualname__ != method.__qualname__:
            raise BadPlugin(
                f"{method.__module__}: two plugins of one name: distillation method {name!r} is registered for "
                f"{other.__qualname__} and for {method.__qualname__}; rename one"
            )
        METHODS.register(name)(settings)
        settings.method, settings.traits = name, method
        return method

    return add


def method_settings(name: str, where: str = "") -> type[Settings]:
    """Return the class of a method's settings; ``where`` is the file and key that name the method, for messages.

    Raises:
        InvalidDefinition: no method has this name. BadPlugin: the method's class is not decorated with ``register``.
    """
    found = METHODS.get(name, where)
    if not (isinstance(found, type) and issubclass(found, Settings)):
        raise BadPlugin(
            f"plugin {METHODS.module(name)}: the distillation method {name!r} has no settings; decorate its class with "
            "@register(name, SettingsClass) of replicate.training.distillation"
        )
    return found


def model_heads(settings: Settings, arm: Any) -> dict[str, int]:
    """Return what the method's ``model_heads`` returns, checked.

    Raises:
        BadPlugin: it raises, or returns something else than sizes of the model's heads.
    """
    heads = _call(settings, "model_heads", arm)
    if not isinstance(heads, dict) or any(name not in HEADS or type(size) is not int for name, size in heads.items()):
        raise BadPlugin(
            f"plugin {METHODS.origin(settings.method)}: model_heads of the distillation method {settings.method!r} "
            f"returns {heads!r}; return a dictionary with the sizes of heads, which are {', '.join(HEADS)}"
        )
    return heads


def auxiliary_streams(settings: Settings, arm: Any) -> tuple[str, ...]:
    """Return what the method's ``auxiliary_streams`` returns.

    Raises:
        BadPlugin: it raises, or is not a method.
    """
    return tuple(_call(settings, "auxiliary_streams", arm))


def check_settings(settings: Settings, arm: Any) -> None:
    """Check a method's settings, and the number of the arm's teachers.

    Raises:
        InvalidDefinition: with the reason only.
    """
    method, numbers = settings.traits, settings.numbers()
    if method.needs_teacher and arm.teacher is None:
        raise InvalidDefinition("it needs a teacher: add the key 'teacher'")
    if not method.needs_teacher and arm.teachers:
        raise InvalidDefinition("it takes no teacher: remove the keys 'teacher' and 'unimodal_teachers'")
    if arm.unimodal_teachers and not method.several_teachers:
        raise InvalidDefinition("it takes one teacher only: remove the key 'unimodal_teachers'")
    check_choices(settings)
    for name, value in numbers.items():
        if not (math.isfinite(value) and abs(value) < 1e9):
            raise InvalidDefinition(f"{name} = {value} must be a finite number below 1e9")
        if name.endswith("weight") and value < 0:
            raise InvalidDefinition(f"{name} = {value} must be 0 or more")
        if name in settings.positive and value <= 0:
            raise InvalidDefinition(f"{name} = {value} must be above 0")
    if not any(value for name, value in numbers.items() if name.endswith("weight")):
        raise InvalidDefinition("its weights must not all be 0")


def check_arm(settings: Settings, arm: Any) -> None:
    """Call the method's ``check``.

    Raises:
        InvalidDefinition: from the method. BadPlugin: it raises anything else.
    """
    _call(settings, "check", arm)


def _call(settings: Settings, hook: str, arm: Any) -> Any:
    try:
        return getattr(settings.traits, hook)(settings, arm)
    except ReplicateError:
        raise
    except (Exception, SystemExit) as error:  # a plugin may raise anything
        raise BadPlugin(
            f"plugin {METHODS.origin(settings.method)}: {hook} of the distillation method {settings.method!r} raises "
            f"{type(error).__name__}: {error}"
        ) from error
