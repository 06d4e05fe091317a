from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from replicate.config.protocols import protocol
from replicate.rng import generator
from replicate.training.masking.scenarios import Masking

WIDTHS = {"audio": 3, "visual": 4}
# A probability so small that it is never drawn: "none" and "random" must not both be 0.
NEVER = 1e-10
# With start = 1 the random scenario hides everything, so the four scenarios differ.
SHOWN = Masking(start=1.0)
LEFT = {
    (1, 1, 1, 1, 1, 1, 1): "none",
    (0, 0, 0, 1, 1, 1, 1): "audio",
    (1, 1, 1, 0, 0, 0, 0): "visual",
    (0,) * 7: "random",
}


def draw(masking, dialogues=2, utterances=3, seed=0, widths=WIDTHS):
    return masking.draw(dialogues, utterances, widths, generator(seed, "masks"))


def scenarios(masking, dialogues=100, utterances=200, seed=0):
    """Counts of the four scenarios."""
    rows = [LEFT[tuple(row)] for row in draw(masking, dialogues, utterances, seed).flatten(0, 1).int().tolist()]
    return [rows.count(name) for name in ("none", "audio", "visual", "random")]


@pytest.mark.parametrize(("unit", "shape"), [("batch", (1, 1, 7)), ("dialogue", (2, 1, 7)), ("utterance", (2, 3, 7))])
def test_the_unit_decides_what_shares_a_draw(unit, shape):
    keep = draw(Masking(unit=unit))
    assert keep.shape == shape and keep.dtype == torch.float32
    assert set(keep.flatten().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(("unit", "size"), [("utterance", (100, 200)), ("dialogue", (20_000, 3))])
def test_scenarios_come_in_their_shares(unit, size):
    counts = scenarios(replace(SHOWN, unit=unit), *size)
    chi_square = sum((n - 20_000 * p) ** 2 / (20_000 * p) for n, p in zip(counts, (0.1, 0.3, 0.3, 0.3), strict=True))
    assert chi_square < 16.27  # 0.999 of 3 degrees of freedom


def test_neighbours_are_drawn_independently():
    rows = draw(SHOWN, 1, 20_000)[0]
    same = (rows[1:] == rows[:-1]).all(1).float().mean()
    assert same == pytest.approx(0.1**2 + 3 * 0.3**2, abs=0.02)


def test_the_released_protocol_always_hides_something():
    masking = protocol("released").masking
    counts = [0, 0, 0, 0]
    for seed in range(1000):
        found = scenarios(replace(masking, start=1.0), 4, 5, seed)
        assert sum(found) == 1
        counts = [a + b for a, b in zip(counts, found, strict=True)]
    assert counts[0] == 0
    assert counts[1:] == pytest.approx([300, 300, 400], abs=60)


@pytest.mark.parametrize("names", [("audio", "text"), ("hubert", "text"), ("hubert-second-to-last", "visual")])
def test_every_stream_that_is_not_audio_is_hidden_as_video_is(names):
    widths = dict(zip(names, WIDTHS.values(), strict=True))
    assert torch.equal(draw(SHOWN, 20, 30, widths=widths), draw(SHOWN, 20, 30))


def test_text_and_video_are_hidden_at_once():
    masking = replace(SHOWN, none=NEVER, audio=0.5, privileged=0.5, random=0.0)
    rows = draw(masking, 20, 30, widths={"audio": 2, "text": 3, "visual": 1})
    assert {tuple(row) for row in rows.flatten(0, 1).int().tolist()} == {(0, 0, 1, 1, 1, 1), (1, 1, 0, 0, 0, 0)}


def test_a_column_starts_a_mask_with_its_probability():
    keep = draw(Masking(none=0.0, audio=0.0, privileged=0.0, random=1.0), 50, 200)
    assert keep.mean() == pytest.approx(0.8, abs=0.01)
    assert keep.mean((0, 1)).tolist() == pytest.approx([0.8] * 7, abs=0.02)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.sampled_from(["batch", "dialogue", "utterance"]), st.integers(0, 1000))
def test_a_mask_covers_the_columns_that_follow_its_start(length, unit, seed):
    masking = Masking(unit, none=0.0, audio=0.0, privileged=0.0, random=1.0)
    starts = (1 - draw(masking, seed=seed)).flatten(0, 1).tolist()
    expected = []
    for row in starts:
        keep = [1.0] * 7
        for column, start in enumerate(row):
            for covered in range(column, min(7, column + length)):
                keep[covered] *= 1 - start
        expected.append(keep)
    assert draw(replace(masking, length=length), seed=seed).flatten(0, 1).tolist() == expected


def test_the_length_does_not_touch_whole_stream_scenarios():
    masking = Masking(none=NEVER, audio=0.5, privileged=0.5, random=0.0, length=4)
    assert set(map(tuple, draw(masking, 5, 9).flatten(0, 1).int().tolist())) == {
        (0, 0, 0, 1, 1, 1, 1),
        (1, 1, 1, 0, 0, 0, 0),
    }


def test_the_same_generator_gives_the_same_masks():
    assert torch.equal(draw(Masking(), 9, 9), draw(Masking(), 9, 9))
    assert not torch.equal(draw(Masking(), 9, 9), draw(Masking(), 9, 9, seed=1))


SPEECH = {"audio": 4}


@pytest.mark.parametrize("name", ["audio", "visual", "hubert"])
@pytest.mark.parametrize(("unit", "size"), [("utterance", (100, 200)), ("dialogue", (20_000, 3))])
def test_a_single_stream_is_never_masked_as_a_whole(name, unit, size):
    rows = draw(replace(SHOWN, unit=unit), *size, widths={name: 4}).flatten(0, 1)
    none, hidden = int(rows.all(1).sum()), int((rows == 0).all(1).sum())
    assert none + hidden == 20_000
    assert none / 20_000 == pytest.approx(0.1 / (0.1 + 0.3), abs=0.015)


def test_single_columns_of_a_single_stream_are_masked():
    keep = draw(Masking(), 100, 200, widths=SPEECH)
    assert keep.shape == (100, 200, 4)
    assert 1 - keep.mean() == pytest.approx(0.75 * 0.2, abs=0.01)
    # Random masks of all four columns are as rare as chance makes them.
    assert (keep == 0).all(-1).float().mean() == pytest.approx(0.75 * 0.2**4, abs=0.001)


@pytest.mark.parametrize("left", [0.0, 1.0])
def test_a_single_stream_may_have_one_scenario_only(left):
    masking = Masking(start=1.0, unimodal_none=left)
    assert draw(masking, 9, 9, widths=SPEECH).unique().tolist() == [left]


@pytest.mark.parametrize(
    ("name", "none"), [("paper", 0.25), ("released", 0.0), ("paper+masking.unimodal_none=0.4", 0.4)]
)
def test_uni_modal_masking_leaves_a_share_without_a_mask(name, none):
    masking = replace(protocol(name).masking, unit="utterance", start=1.0)
    whole = draw(masking, 100, 200, widths=SPEECH).all(-1)
    assert whole.float().mean() == pytest.approx(none, abs=0.015)


def test_all_privileged_streams_are_hidden_at_once():
    widths = {"audio": 1, "text": 2, "visual": 1}
    rows = draw(SHOWN, 20, 50, widths=widths).flatten(0, 1).unique(dim=0).tolist()
    assert sorted(rows) == [[0, 0, 0, 0], [0, 1, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]


def test_without_audio_no_stream_is_hidden_as_a_whole():
    rows = draw(SHOWN, 20, 50, widths={"text": 2, "visual": 1})
    assert set(map(tuple, rows.flatten(0, 1).tolist())) == {(0, 0, 0), (1, 1, 1)}


def test_a_constant_strategy_is_the_same_in_every_epoch():
    masking = Masking(schedule="constant")
    assert all(masking.at(progress) is masking for progress in (0.0, 0.3, 1.0))


@pytest.mark.parametrize("name", ["paper", "released"])
def test_a_rising_schedule_reaches_its_probabilities_in_the_middle(name):
    masking = replace(protocol(name).masking, schedule="rising")
    assert scenarios(replace(masking.at(0.0), unit="utterance", start=1.0)) == [20_000, 0, 0, 0]
    quarter = masking.at(0.25)
    assert [quarter.audio, quarter.privileged, quarter.random] == pytest.approx(
        [masking.audio / 2, masking.privileged / 2, masking.random / 2]
    )
    assert 1 - quarter.unimodal_none == pytest.approx((1 - masking.unimodal_none) / 2)
    for progress in (0.5, 0.8, 1.0):
        assert replace(masking.at(progress), none=masking.none) == masking
        assert masking.at(progress).none == pytest.approx(masking.none)


@given(st.floats(0, 1))
def test_a_falling_schedule_is_a_rising_one_backwards(progress):
    rising, falling = Masking(schedule="rising"), Masking(schedule="falling")
    assert replace(falling.at(1 - progress), schedule="rising") == rising.at(1 - (1 - progress))


def test_hubert_columns_are_masked_as_audio():
    masking = Masking(none=NEVER, audio=1.0, privileged=0.0, random=0.0)
    assert draw(masking, 1, 1, widths={"hubert": 2, "visual": 1}).tolist() == [[[0, 0, 1]]]
    masking = replace(masking, audio=0.0, privileged=1.0)
    assert draw(masking, 1, 1, widths={"hubert": 2, "visual": 1}).tolist() == [[[1, 1, 0]]]
