"""A masking strategy of one's own, and the mask of inference."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import pytest
import torch

from replicate.errors import InvalidDefinition
from replicate.training.config import Protocol
from replicate.training.masking import MaskingStrategy, register
from replicate.training.masking.base import keep_seen, masking_strategy

from ..conftest import MASK, run


@dataclass(frozen=True)
class Columns(MaskingStrategy):
    """Hide every column of the batch with one probability."""

    chance: float = 0.5

    def draw(self, dialogues, utterances, widths, draws):
        return (torch.rand(1, 1, sum(widths.values()), generator=draws) >= self.chance).float()


@pytest.fixture(autouse=True)
def _registered():
    register("columns")(Columns)


def test_a_strategy_has_its_name_and_trains():
    assert asdict(Columns(0.2)) == {"strategy": "columns", "chance": 0.2} and masking_strategy("columns") is Columns
    results = [
        run(MASK, protocol=Protocol("mine", masking=masking)) for masking in (Columns(), Columns(), Columns(1.0))
    ]
    first, again, hidden = ([w.tolist() for w in result.weights.values()] for result in results)
    assert first == again != hidden
    unmasked = run(replace(MASK, masked=False), protocol=Protocol("mine", masking=Columns()))
    assert [w.tolist() for w in unmasked.weights.values()] not in (first, hidden)


def test_an_unknown_strategy_is_named_with_the_nearest():
    with pytest.raises(InvalidDefinition, match=r"here: unknown masking strategy 'scenario': did you mean scenarios\?"):
        masking_strategy("scenario", "here")


def test_streams_outside_the_context_are_hidden():
    streams = {"audio": 1, "visual": 2}
    assert keep_seen(streams, ("audio",)).tolist() == [[[1, 0, 0]]]
    assert keep_seen(streams, ("visual",)).tolist() == [[[0, 1, 1]]]
    assert keep_seen(streams, ("audio", "visual")).tolist() == [[[1, 1, 1]]]
    assert keep_seen({"hubert": 2, "visual": 1}, ("hubert",)).tolist() == [[[1, 1, 0]]]
    assert keep_seen(streams, ("audio",)).dtype == torch.float32
