"""Base class and registry of masking strategies: frozen dataclasses of settings that draw masks for training.

The built-in ones import torch only to draw, because arms and protocols are checked and compared without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from replicate.errors import BadPlugin
from replicate.registry import Registry

if TYPE_CHECKING:
    import torch
    from torch import Tensor

DEFAULT_STRATEGY = "scenarios"


@dataclass(frozen=True)
class MaskingStrategy(ABC):
    """Base of all masking strategies; a subclass has one field for each setting, each with a default.

    Attributes:
        strategy: name of the strategy, set by ``register``.
    """

    strategy: str = field(default="", init=False)

    @abstractmethod
    def draw(self, dialogues: int, utterances: int, widths: dict[str, int], draws: torch.Generator) -> Tensor:
        """Draw the mask of one batch: 1 to keep a column of an utterance, 0 to hide it.

        Args:
            draws: the only source of random numbers, so that runs are repeatable.

        Shapes:
            widths: columns per stream, in the order of the input; ``is_audio`` tells audio from privileged streams.
            Returns (dialogues or 1, utterances or 1, sum of widths) float32, size 1 where one draw is shared.
        """

    def at(self, progress: float) -> MaskingStrategy:
        """Return the strategy for an epoch: ``progress`` is 0 in the first and 1 in the last one. By default itself."""
        return self


M = TypeVar("M", bound=MaskingStrategy)

STRATEGIES: Registry[type[MaskingStrategy]] = Registry(
    "masking strategy", "replicate.training.masking", "replicate.masking"
)


def register(name: str) -> Callable[[type[M]], type[M]]:
    """Register a masking strategy under a name (class decorator); ``strategy = "name"`` in a protocol selects it.

    Raises:
        BadPlugin: another strategy has this name.
    """

    def add(strategy: type[M]) -> type[M]:
        STRATEGIES.register(name)(strategy)
        strategy.strategy = name
        return strategy

    return add


def masking_strategy(name: str, where: str = "") -> type[MaskingStrategy]:
    """Return the class of a masking strategy; ``where`` is the file and key that name it, for messages.

    Raises:
        InvalidDefinition: no strategy has this name. BadPlugin: the class with this name is not a ``MaskingStrategy``.
    """
    found = STRATEGIES.get(name, where)
    if not (isinstance(found, type) and issubclass(found, MaskingStrategy)):
        raise BadPlugin(f"plugin {STRATEGIES.module(name)}: {name!r} is no subclass of MaskingStrategy")
    return found


def keep_seen(widths: dict[str, int], seen: tuple[str, ...]) -> Tensor:
    """Return the mask for inference in a narrower context: 1 for the columns of streams in ``seen``, 0 for the others.

    Shapes:
        widths: columns per stream, in the order of the input. Returns (1, 1, sum of widths) float32.
    """
    import torch

    return torch.cat([torch.full((width,), float(name in seen)) for name, width in widths.items()])[None, None]
