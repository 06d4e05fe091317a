"""Several models of one shape as one: weights get a leading axis, and every product becomes a batch of products."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from replicate.model.cogmen import COGMEN


def stack(models: Sequence[COGMEN]) -> COGMEN:
    """One model whose parameters and buffers hold those of all, which become views of it.

    What trains a single model changes the whole one, and the other way round. The whole one runs with ``SeedBatch``.
    """
    whole = copy.deepcopy(models[0])
    for name, parameter in models[0].named_parameters():
        joined = nn.Parameter(torch.stack([model.get_parameter(name).detach() for model in models]))
        setattr(_owner(whole, name), name.rpartition(".")[2], joined.requires_grad_(parameter.requires_grad))
        for model, part in zip(models, joined.detach(), strict=True):
            model.get_parameter(name).data = part
    for name, _ in models[0].named_buffers():
        filled = torch.stack([model.get_buffer(name) for model in models])
        setattr(_owner(whole, name), name.rpartition(".")[2], filled)
        for model, part in zip(models, filled, strict=True):
            setattr(_owner(model, name), name.rpartition(".")[2], part)
    return whole


def scatter_gradients(whole: COGMEN, models: Sequence[COGMEN]) -> None:
    """Give every model its part of the whole one's gradients."""
    for name, parameter in whole.named_parameters():
        if parameter.grad is not None:
            for model, part in zip(models, parameter.grad, strict=True):
                model.get_parameter(name).grad = part


def _owner(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])
