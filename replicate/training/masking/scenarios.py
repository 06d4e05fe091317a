"""Masked training as in the paper: hide audio, video, or single feature columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from replicate.errors import InvalidDefinition
from replicate.training.arm import is_audio
from replicate.training.checks import check_choices
from replicate.training.masking.base import MaskingStrategy, register

_NONE, _AUDIO, _VISUAL, _RANDOM = range(4)


@register("scenarios")
@dataclass(frozen=True)
class Masking(MaskingStrategy):
    """Masked training of the paper (with Appendix A): one of four scenarios is drawn at random.

    Attributes:
        unit: what shares one draw of the scenario: an utterance (the paper's text), a dialogue, or a batch (the
            released code).
        none, audio, visual, random: probabilities of the four scenarios: no mask, audio hidden, video hidden, random
            feature columns hidden. They sum to 1.
        start: in the random scenario, the probability that a mask starts at a feature column.
        length: number of columns that a mask covers.
    """

    unit: Literal["utterance", "dialogue", "batch"] = "utterance"
    none: float = 0.1
    audio: float = 0.3
    visual: float = 0.3
    random: float = 0.3
    start: float = 0.2
    length: int = 1

    def __post_init__(self) -> None:
        check_choices(self, "masking")
        chances = (self.none, self.audio, self.visual, self.random)
        if not (min(chances) >= 0 and abs(sum(chances) - 1) <= 1e-9):  # so that NaN fails
            raise InvalidDefinition("masking.none, audio, visual and random must be 0 or more, and sum to 1")
        if self.none + self.random == 0:
            raise InvalidDefinition(
                "masking.none and masking.random are both 0, so that uni-modal masking has no scenario left"
            )
        if not 0 <= self.start <= 1 or self.length < 1:
            raise InvalidDefinition("masking.start must be a probability, and masking.length 1 or more")

    def draw(self, dialogues: int, utterances: int, widths: dict[str, int], draws: torch.Generator) -> Tensor:
        """Draw a mask, see ``MaskingStrategy``.

        A model with a single stream only has the scenarios without a mask and with random masks, in their proportion,
        because its one stream cannot be hidden as a whole (the paper gives no probabilities for uni-modal masking).
        """
        units = {"batch": (1, 1), "dialogue": (dialogues, 1), "utterance": (dialogues, utterances)}[self.unit]
        several = len(widths) > 1
        chances = torch.tensor([self.none, self.audio * several, self.visual * several, self.random])
        scenario = torch.multinomial(chances, units[0] * units[1], replacement=True, generator=draws).view(units)
        columns = sum(widths.values())
        start = torch.rand(*units, columns, generator=draws) < self.start
        hidden = _extend(start, self.length) & (scenario == _RANDOM)[..., None]
        stream = torch.cat(
            [torch.full((width,), _AUDIO if is_audio(name) else _VISUAL) for name, width in widths.items()]
        )
        hidden |= stream == scenario[..., None]
        return (~hidden).float()


def _extend(start: Tensor, length: int) -> Tensor:
    """Extend every mask to ``length`` columns from its start, cut at the last column."""
    if length == 1:
        return start
    padded = F.pad(start.float().flatten(0, 1)[:, None], (length - 1, 0))
    return F.max_pool1d(padded, length, stride=1).view(start.shape).bool()
