"""Masked training: hide audio, video, or single feature columns from the model. Masking happens here alone."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.training.config import Masking

_NONE, _AUDIO, _VISUAL, _RANDOM = range(4)


def draw_keep(
    masking: Masking, dialogues: int, utterances: int, widths: dict[str, int], draws: torch.Generator
) -> Tensor:
    """What stays (1) and what is masked (0) of one batch; multiply the model's columns by it.

    A model with a single stream has no stream to spare: only the scenarios without a mask and with random masks
    are left, in their proportion (the paper gives no probabilities for uni-modal masking).

    Shapes:
        widths: columns per stream, in the order of the input; what is not "visual" is heard.
        returns (dialogues or 1, utterances or 1, sum of widths) float32, size 1 where one draw is shared.
    """
    units = {"batch": (1, 1), "dialogue": (dialogues, 1), "utterance": (dialogues, utterances)}[masking.unit]
    spare = len(widths) > 1
    chances = torch.tensor([masking.none, masking.audio * spare, masking.visual * spare, masking.random])
    scenario = torch.multinomial(chances, units[0] * units[1], replacement=True, generator=draws).view(units)
    columns = sum(widths.values())
    start = torch.rand(*units, columns, generator=draws) < masking.start
    hidden = _extend(start, masking.length) & (scenario == _RANDOM)[..., None]
    stream = torch.cat(
        [torch.full((width,), _VISUAL if name == "visual" else _AUDIO) for name, width in widths.items()]
    )
    hidden |= stream == scenario[..., None]
    return (~hidden).float()


def keep_seen(widths: dict[str, int], seen: tuple[str, ...]) -> Tensor:
    """Inference in a narrower context: 1 for the columns of the streams in ``seen``, 0 for the others.

    Shapes:
        widths: columns per stream, in the order of the input. Returns (1, 1, sum of widths) float32.
    """
    return torch.cat([torch.full((width,), float(name in seen)) for name, width in widths.items()])[None, None]


def _extend(start: Tensor, length: int) -> Tensor:
    """Every mask covers ``length`` columns from its start on, cut at the last column."""
    if length == 1:
        return start
    padded = F.pad(start.float().flatten(0, 1)[:, None], (length - 1, 0))
    return F.max_pool1d(padded, length, stride=1).view(start.shape).bool()
