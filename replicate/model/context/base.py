"""Base class and registry of context extractors, which compute node features from the utterances of a dialogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from replicate.errors import BadPlugin
from replicate.model.config import ModelConfig
from replicate.model.seed_layers import SeedBatch
from replicate.registry import Registry


class Extractor(nn.Module):
    """Base of all context extractors.

    A subclass takes (width, hidden, layers, dropout, causal), or builds itself from a ``ModelConfig`` in
    ``from_config``. It implements ``forward``, which ``packed`` calls by default.

    Attributes:
        stackable: whether models that differ in their seeds can be stacked into one (``replicate.model.seed_stack``):
            ``packed`` then uses the layers of ``seed_layers`` only.
        exportable: whether the ``export`` package can write it as ONNX.
        uses_memory: whether a causal extractor of this class depends on ``ModelConfig.memory``.
        can_attend_padding: whether the class supports ``ModelConfig.attend_padding``.
        per_stream: whether the class takes the streams apart itself, by ``ModelConfig.stream_widths``, of which there
            must be two or more; its arms have ``fusion = "late"``.
        attend_padding: whether this instance attends to padding.
    """

    stackable: ClassVar[bool] = False
    exportable: ClassVar[bool] = False
    uses_memory: ClassVar[bool] = False
    can_attend_padding: ClassVar[bool] = False
    per_stream: ClassVar[bool] = False

    attend_padding: bool = False

    @classmethod
    def from_config(cls, config: ModelConfig) -> Extractor:
        """Build the extractor of a configuration."""
        return cls(config.encoder_width, config.hidden, config.context_layers, config.dropout, config.causal)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Compute node features of padded dialogues.

        Shapes:
            x: (B, L, width), padding zero; present: (B, L) bool, false on padding. Returns (B, L, hidden).
        """
        raise NotImplementedError

    def packed(self, x: Tensor, lengths: Tensor, seed_batch: SeedBatch) -> Tensor:
        """Compute node features of packed utterances, equal to those of ``forward`` with padding masked out.

        Shapes:
            x: (M, width), dialogue after dialogue, in the rows of ``seed_batch``; lengths: (B,) int64.
            Returns (M, hidden).
        """
        if seed_batch.source is not None:
            raise ValueError(f"{type(self).__name__} trains one run at a time")
        present = torch.arange(int(lengths.max()), device=x.device) < lengths[:, None]
        padded = x.new_zeros(*present.shape, x.shape[1])
        padded[present] = x
        node: Tensor = self(padded, present)[present]
        return node


E = TypeVar("E", bound=Extractor)

EXTRACTORS: Registry[type[Extractor]] = Registry("context extractor", "replicate.model.context", "replicate.context")


def register(name: str) -> Callable[[type[E]], type[E]]:
    """Register a context extractor under a name (class decorator); ``context = "name"`` in an arm selects it.

    Raises:
        BadPlugin: another extractor has this name.
    """

    def add(extractor: type[E]) -> type[E]:
        EXTRACTORS.register(name)(extractor)
        return extractor

    return add


def context_extractor(name: str, where: str = "") -> type[Extractor]:
    """Return the class of a context extractor; ``where`` is the file and key that name it, for messages.

    Raises:
        InvalidDefinition: no extractor has this name. BadPlugin: the class with this name is not an ``Extractor``.
    """
    found = EXTRACTORS.get(name, where)
    if not (isinstance(found, type) and issubclass(found, Extractor)):
        raise BadPlugin(f"plugin {EXTRACTORS.module(name)}: {name!r} is no subclass of Extractor")
    return found
