"""Masked training as in the paper: hide audio, the privileged streams, or single feature columns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from replicate.errors import InvalidDefinition
from replicate.training.arm import is_audio
from replicate.training.checks import check_choices
from replicate.training.masking.base import MaskingStrategy, register

if TYPE_CHECKING:  # see ``base``
    import torch
    from torch import Tensor

_NONE, _AUDIO, _PRIVILEGED, _RANDOM = range(4)


@register("scenarios")
@dataclass(frozen=True)
class Masking(MaskingStrategy):
    """Masked training of the paper (with Appendix A): one of four scenarios is drawn at random.

    Attributes:
        unit: what shares one draw of the scenario: an utterance (the paper's text), a dialogue, or a batch (the
            released code).
        none, audio, privileged, random: probabilities of the four scenarios: no mask, audio hidden, all privileged
            streams hidden at once (video in the paper), random feature columns hidden. They sum to 1.
        start: in the random scenario, the probability that a mask starts at a feature column.
        length: number of columns that a mask covers.
        unimodal_none: for a model without two kinds of streams, which cannot lose either as a whole: the probability of
            no mask; otherwise random columns are hidden. The paper gives none; 0.25 is none : random above, 0 what the
            released code does, 0.4 what it sets and never reads.
        schedule: "rising": the probability of any mask grows linearly from 0 in the first epoch to the set one in the
            middle of training; "falling": it falls to 0 from the middle to the last epoch. Not in the paper.
    """

    unit: Literal["utterance", "dialogue", "batch"] = "utterance"
    none: float = 0.1
    audio: float = 0.3
    privileged: float = 0.3
    random: float = 0.3
    start: float = 0.2
    length: int = 1
    unimodal_none: float = 0.25
    schedule: Literal["constant", "rising", "falling"] = "constant"

    def __post_init__(self) -> None:
        check_choices(self, "masking")
        chances = (self.none, self.audio, self.privileged, self.random)
        if not (min(chances) >= 0 and abs(sum(chances) - 1) <= 1e-9):  # so that NaN fails
            raise InvalidDefinition("masking.none, audio, privileged and random must be 0 or more, and sum to 1")
        if not (0 <= self.start <= 1 and 0 <= self.unimodal_none <= 1) or self.length < 1:
            raise InvalidDefinition(
                "masking.start and masking.unimodal_none must be probabilities, and masking.length 1 or more"
            )

    def at(self, progress: float) -> Masking:
        """Return the strategy for an epoch, see ``MaskingStrategy``: itself without a schedule."""
        if self.schedule == "constant":
            return self
        share = min(1.0, 2 * (progress if self.schedule == "rising" else 1 - progress))
        audio, privileged, random = (share * each for each in (self.audio, self.privileged, self.random))
        return replace(
            self,
            none=1 - share * (1 - self.none),
            audio=audio,
            privileged=privileged,
            random=random,
            unimodal_none=1 - share * (1 - self.unimodal_none),
        )

    def draw(self, dialogues: int, utterances: int, widths: dict[str, int], draws: torch.Generator) -> Tensor:
        """Draw a mask, see ``MaskingStrategy``."""
        import torch

        units = {"batch": (1, 1), "dialogue": (dialogues, 1), "utterance": (dialogues, utterances)}[self.unit]
        kinds = [_AUDIO if is_audio(name) else _PRIVILEGED for name in widths]
        chances = torch.tensor([self.none, self.audio, self.privileged, self.random])
        if len(set(kinds)) == 1:
            chances = torch.tensor([self.unimodal_none, 0, 0, 1 - self.unimodal_none])
        scenario = torch.multinomial(chances, units[0] * units[1], replacement=True, generator=draws).view(units)
        columns = sum(widths.values())
        start = torch.rand(*units, columns, generator=draws) < self.start
        hidden = _extend(start, self.length) & (scenario == _RANDOM)[..., None]
        stream = torch.cat([torch.full((width,), kind) for kind, width in zip(kinds, widths.values(), strict=True)])
        hidden |= stream == scenario[..., None]
        return (~hidden).float()


def _extend(start: Tensor, length: int) -> Tensor:
    """Extend every mask to ``length`` columns from its start, cut at the last column."""
    if length == 1:
        return start
    import torch.nn.functional as F

    padded = F.pad(start.float().flatten(0, 1)[:, None], (length - 1, 0))
    return F.max_pool1d(padded, length, stride=1).view(start.shape).bool()
