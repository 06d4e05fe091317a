"""Stack models of one shape into one: weights get a leading axis, and every product becomes a batch of products."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from replicate.model.cogmen import COGMEN


def stack(models: Sequence[COGMEN]) -> COGMEN:
    """Stack models into one that shares its parameters and buffers with them.

    The models' own parameters become views, so that an optimiser step on one of them changes the stack. The stack is
    called with a ``SeedBatch``.
    """
    whole = copy.deepcopy(models[0])
    for name, parameter in models[0].named_parameters():
        joined = nn.Parameter(torch.stack([model.get_parameter(name).detach() for model in models]))
        setattr(_owner(whole, name), name.rpartition(".")[2], joined.requires_grad_(parameter.requires_grad))
        for model, view in zip(models, joined.detach(), strict=True):
            model.get_parameter(name).data = view
    for name, _ in models[0].named_buffers():
        filled = torch.stack([model.get_buffer(name) for model in models])
        setattr(_owner(whole, name), name.rpartition(".")[2], filled)
        for model, view in zip(models, filled, strict=True):
            setattr(_owner(model, name), name.rpartition(".")[2], view)
    return whole


def scatter_gradients(whole: COGMEN, models: Sequence[COGMEN]) -> None:
    """Give each model its slice of the stack's gradients."""
    for name, parameter in whole.named_parameters():
        if parameter.grad is not None:
            for model, gradient in zip(models, parameter.grad, strict=True):
                model.get_parameter(name).grad = gradient


def _owner(model: nn.Module, name: str) -> nn.Module:
    return model.get_submodule(name.rpartition(".")[0])
