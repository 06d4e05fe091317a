"""Masked training: hide audio, video, or single feature columns from the model. Masking happens here alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.training.settings import Masking

_NONE, _AUDIO, _VISUAL, _RANDOM = range(4)


def draw_keep(
    masking: Masking, dialogues: int, utterances: int, widths: dict[str, int], draws: torch.Generator
) -> Tensor:
    """What stays (1) and what is masked (0) of one batch; multiply the input by it.

    Shapes:
        widths: columns of "audio" and "visual", in the order of the input.
        returns (dialogues or 1, utterances or 1, sum of widths) float32, size 1 where one draw is shared.
    """
    units = {"batch": (1, 1), "dialogue": (dialogues, 1), "utterance": (dialogues, utterances)}[masking.unit]
    chances = torch.tensor([masking.none, masking.audio, masking.visual, masking.random])
    scenario = torch.multinomial(chances, units[0] * units[1], replacement=True, generator=draws).view(units)
    columns = sum(widths.values())
    start = torch.rand(*units, columns, generator=draws) < masking.start
    hidden = _extend(start, masking.length) & (scenario == _RANDOM)[..., None]
    numbers = {"audio": _AUDIO, "visual": _VISUAL}
    stream = torch.cat([torch.full((width,), numbers[name]) for name, width in widths.items()])
    hidden |= stream == scenario[..., None]
    return (~hidden).float()


def zero_unseen(x: Tensor, streams: dict[str, int], seen: tuple[str, ...]) -> Tensor:
    """``x`` with the columns of every stream outside ``seen`` at zero: inference in a narrower context.

    Shapes:
        x: (..., sum of widths); streams: name -> width, in the order of the columns.
    """
    keep = torch.cat([torch.full((width,), float(name in seen)) for name, width in streams.items()])
    return x * keep.to(x.device)


def _extend(start: Tensor, length: int) -> Tensor:
    """Every mask covers ``length`` columns from its start on, cut at the last column."""
    if length == 1:
        return start
    padded = F.pad(start.float().flatten(0, 1)[:, None], (length - 1, 0))
    return F.max_pool1d(padded, length, stride=1).view(start.shape).bool()
