"""Protocols by name, with overrides, and mixed from two; mistakes are named."""

from dataclasses import replace

import pytest

from replicate.config.protocols import mixed_protocol, protocol
from replicate.errors import InvalidDefinition
from replicate.training.config import Hubert, ModelDefaults, Protocol
from replicate.training.masking.base import masking_strategy
from replicate.training.masking.scenarios import Masking

RELEASED_MASKS = Masking("batch", 0.0, 0.3, 0.3, 0.4, 0.2, 1, unimodal_none=0.0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("paper", Protocol("paper")),
        ("paper+", Protocol("paper+")),
        (
            "released",
            Protocol("released", True, "n-way", RELEASED_MASKS, Hubert("random", "release"), ModelDefaults(2, 1, 0.5)),
        ),
        (
            "paper+model.gnn_heads=1,model.dropout=0.5",
            Protocol("paper+model.gnn_heads=1,model.dropout=0.5", model=ModelDefaults(gnn_heads=1, dropout=0.5)),
        ),
        ("paper+attend_padding=true", Protocol("paper+attend_padding=true", attend_padding=True)),
        ("paper+hubert.projection=none", Protocol("paper+hubert.projection=none", hubert=Hubert("none"))),
        ("paper+hubert.projection=pca", Protocol("paper+hubert.projection=pca", hubert=Hubert("pca"))),
        (
            "paper+masking.unit=dialogue,masking.start=0.5,masking.length=3",
            Protocol(
                "paper+masking.unit=dialogue,masking.start=0.5,masking.length=3",
                masking=Masking("dialogue", 0.1, 0.3, 0.3, 0.3, 0.5, 3),
            ),
        ),
        (
            "paper+ triplet = n-way , masking.start = 1",
            Protocol("paper+ triplet = n-way , masking.start = 1", triplet="n-way", masking=Masking(start=1.0)),
        ),
        (
            "released+attend_padding=false,triplet=one,hubert.order=time",
            Protocol(
                "released+attend_padding=false,triplet=one,hubert.order=time",
                masking=RELEASED_MASKS,
                hubert=Hubert("random", "time"),
                model=ModelDefaults(2, 1, 0.5),
            ),
        ),
    ],
)
def test_protocols_and_single_settings(name, expected):
    found = protocol(name)
    assert found == expected
    assert type(found.masking.start) is float and type(found.masking.length) is int


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("mine", ["protocols.toml", "unknown protocol 'mine'", "released"]),
        ("", ["unknown protocol ''"]),
        ("papers", ["did you mean paper?"]),
        ("paper+padding=true", ["unknown setting 'padding'", "attend_padding"]),
        ("paper+attend_padding", ["attend_padding", "''"]),
        ("paper+attend_padding=yes", ["'yes'", "attend_padding", "False"]),
        ("paper+attend_padding=True", ["'True'", "attend_padding"]),
        ("paper+masking=none", ["masking is a section", "masking.unit"]),
        ("paper+masking.none.x=1", ["masking.none"]),
        ("paper+masking.units=batch", ["unknown setting 'units'", "did you mean unit?"]),
        ("paper+masking.unit=speaker", ["'speaker'", "'utterance'", "'dialogue'", "'batch'"]),
        ("paper+masking.start=often", ["'often'", "start", "0.2"]),
        ("paper+masking.start=1.5", ["masking.start"]),
        ("paper+masking.start=nan", ["masking.start"]),
        ("paper+masking.length=0", ["masking.length"]),
        ("paper+masking.length=1.5", ["'1.5'", "length"]),
        ("paper+masking.none=0.2", ["sum to 1"]),
        ("paper+masking.none=nan", ["sum to 1"]),
        ("paper+masking.none=-0.1,masking.audio=0.5", ["0 or more"]),
        ("paper+masking.unimodal_none=2", ["masking.unimodal_none"]),
        ("paper+masking.visual=0.3", ["unknown setting 'visual'", "privileged"]),
        ("paper+model.gnn_heads=0", ["gnn_heads = 0"]),
        ("paper+model.heads=1", ["unknown setting 'heads'", "gnn_heads"]),
        ("paper+triplet=two", ["'two'", "'one'", "'n-way'"]),
        ("paper+hubert.projection=PCA", ["'PCA' is none of 'learned', 'random', 'random-per-run', 'none', 'pca'"]),
        ("paper+hubert.order=", ["''", "'release'"]),
        ("paper+name=x", ["unknown setting 'name'"]),
    ],
)
def test_a_bad_setting_is_named(name, named):
    with pytest.raises(InvalidDefinition) as raised:
        protocol(name)
    message = str(raised.value)
    assert "\n" not in message and all(part in message for part in named), message


def test_a_mixed_protocol_takes_settings_from_the_other_one():
    paper, released = protocol("paper"), protocol("released")
    assert mixed_protocol("paper", "released", (), (), "here") == paper
    found = mixed_protocol("paper", "released", ("masking.unit",), (), "here")
    assert found == replace(
        paper, name="paper, released masking.unit", masking=replace(paper.masking, unit=released.masking.unit)
    )
    found = mixed_protocol("paper", "released", ("attend_padding", "masking"), (), "here")
    assert found.name == "paper, released attend_padding and masking"
    assert replace(found, name="paper") == replace(paper, attend_padding=True, masking=released.masking)
    found = mixed_protocol("released", "paper", ("hubert.order", "triplet"), (), "here")
    assert replace(found, name="released") == replace(released, triplet="one", hubert=Hubert("random", "time"))
    whole = mixed_protocol("paper", "released", ("attend_padding", "triplet", "masking", "hubert", "model"), (), "here")
    assert replace(whole, name="released") == released


@pytest.mark.parametrize(
    ("from_other", "named"),
    [
        (("padding",), ["here", "unknown setting 'padding'", "attend_padding"]),
        (("masking.units",), ["here", "'units'"]),
        (("masking.unit.x",), ["here"]),
        (("",), ["here", "unknown setting ''"]),
        (("masking.none",), ["here", "sum to 1"]),
    ],
)
def test_a_setting_that_the_other_protocol_lacks_is_named(from_other, named):
    with pytest.raises(InvalidDefinition) as raised:
        mixed_protocol("paper", "released", from_other, (), "here")
    assert all(part in str(raised.value) for part in named), str(raised.value)


def test_overrides_are_written_as_in_the_name_of_a_protocol():
    for overrides in (
        ("hubert.projection=none",),
        ("hubert.projection = pca", "hubert.order=release", "masking.start=1"),
    ):
        assert mixed_protocol("paper", "", (), overrides, "here") == protocol(f"paper+{','.join(overrides)}")
    # They come last.
    found = mixed_protocol("paper", "released", ("hubert",), ("hubert.order=time",), "here")
    assert found == replace(
        protocol("paper"), name="paper, released hubert+hubert.order=time", hubert=Hubert("random", "time")
    )


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("hubert.projection=fixed", ["'fixed' is none of", "'pca'"]),
        ("hubert.projections=none", ["unknown setting 'projections'"]),
        ("hubert=none", ["hubert is a section", "hubert.projection"]),
        ("hubert.order", ["''", "'release'"]),
        ("", ["unknown setting ''"]),
        ("masking.none=0.2", ["sum to 1"]),
        ("hubert.order=release,triplet=n-way", ["'release,triplet=n-way'"]),
    ],
)
def test_an_override_that_cannot_be_made_is_named(override, named):
    with pytest.raises(InvalidDefinition, match=r"^here") as raised:
        mixed_protocol("paper", "", (), (override,), "here")
    assert all(part in str(raised.value) for part in named), str(raised.value)


STRATEGY = """
from dataclasses import dataclass
import torch
from replicate.training.masking import MaskingStrategy, register

@register("columns")
@dataclass(frozen=True)
class Columns(MaskingStrategy):
    chance: float = 0.5
    hard: bool = False

    def draw(self, dialogues, utterances, widths, draws):
        return (torch.rand(1, 1, sum(widths.values()), generator=draws) >= self.chance).float()
"""
MINE = """
[mine]
attend_padding = false
triplet = "one"
[mine.masking]
strategy = "columns"
chance = 0.25
"""


def test_a_protocol_may_name_another_masking_strategy(use_folder):
    use_folder(columns_py=STRATEGY, protocols_toml=MINE)
    strategy = masking_strategy("columns")
    assert protocol("mine") == Protocol("mine", masking=strategy(0.25))
    assert protocol("mine+masking.hard=true").masking == strategy(0.25, True)
    assert protocol("mine+model.gnn_heads=1").model == ModelDefaults(gnn_heads=1)
    # An override of the strategy starts from the defaults of the new one.
    assert protocol("paper+masking.strategy=columns,masking.chance=1").masking == strategy(1.0)
    assert protocol("mine+masking.strategy=scenarios,masking.length=2").masking == Masking(length=2)
    assert mixed_protocol("paper", "mine", ("masking",), (), "here").masking == strategy(0.25)
    assert mixed_protocol("mine", "paper", ("masking",), (), "here").masking == Masking()
    for name, named in (
        ("paper+masking.strategy=column", "unknown masking strategy 'column': did you mean columns"),
        ("mine+masking.unit=batch", "unknown setting 'unit'"),
        ("mine+masking.chance=often", "'often' is not a value for chance"),
    ):
        with pytest.raises(InvalidDefinition) as raised:
            protocol(name)
        assert named in str(raised.value) and name in str(raised.value)
