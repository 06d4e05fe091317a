"""Count what a model needs at inference, with a model of random weights."""

from __future__ import annotations

import hashlib
import json
import warnings
import weakref
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from replicate.model.cogmen import COGMEN
from replicate.model.config import ModelConfig
from replicate.results.resources import Resources
from replicate.rng import deterministic, generator, seeded


@cache
def resources(config: ModelConfig, length: int) -> Resources:
    """Return what a model of this configuration needs for one dialogue of ``length`` utterances on the CPU."""
    model, inputs = example(config, length)
    with deterministic(), torch.no_grad():
        with warnings.catch_warnings(), FlopCounterMode(display=False, custom_mapping=_ONEDNN) as counter:
            warnings.simplefilter("ignore")  # a switch of another device is set, too
            with torch.backends.mkldnn.flags(enabled=False):  # its LSTM hides the products
                model(**inputs)
        with PeakMemory(model) as memory:
            model(**inputs)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return Resources(_hash(config), length, parameters, counter.get_total_flops() / length, memory.peak)


def example(config: ModelConfig, length: int) -> tuple[COGMEN, Mapping[str, Tensor]]:
    """Return a model of this configuration with random weights, in eval mode, and a random dialogue as its input."""
    with seeded(0, "example weights"):
        model = COGMEN(config).eval()
    draws = generator(0, "example dialogue")
    return model, {
        "x": torch.randn(1, length, config.width, generator=draws),
        "lengths": torch.tensor([length]),
        "speakers": torch.randint(config.speakers, (1, length), generator=draws),
    }


def _hash(config: ModelConfig) -> str:
    return hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()[:16]


def _product_flops(x: tuple[int, ...], weight: tuple[int, ...], *_: Any, **__: Any) -> int:
    """Count the operations of ``replicate.model.products`` from the shapes (M, a) and (b, a), which torch does not."""
    return 2 * x[0] * x[1] * weight[0]


_ONEDNN = {torch.ops.mkldnn._linear_pointwise: _product_flops} if torch.backends.mkldnn.is_available() else {}


class PeakMemory(TorchDispatchMode):
    """Sums the sizes of the tensors that exist at a time inside the block, the model's weights among them.

    Attributes:
        now, peak: bytes of these tensors, and the most so far. Views of a tensor count with it, once.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()
        for tensor in (*model.parameters(), *model.buffers()):
            self._add(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        for each in tree_leaves(found):
            if isinstance(each, Tensor):
                self._add(each)
        return found

    def _add(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self._known:
            self._known.add(storage)
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._remove, storage.nbytes())

    def _remove(self, size: int) -> None:
        self.now -= size
