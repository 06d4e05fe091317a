"""Features adapted to a recording: another scale of all its features leaves nothing behind, and one utterance stays."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.normalise import BY, FULL, normalised, unchanged
from export.predictor import BadInput, DialogueFeatures, Predictor
from tests.export import tiny_bundle

SCALE = {"mean": [2.0, -1.0, 0.0], "deviation": [1.0, 3.0, 0.5]}


def dialogue(features, speakers=None):
    return DialogueFeatures("d", speakers or ["M"] * len(features), np.asarray(features, np.float32))


def drawn(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 3)) * [2, 5, 1] + [1, 4, -3]


def test_a_recording_computed_by_hand():
    values = np.arange(10.0)[:, None].repeat(3, 1)  # mean 4.5, deviation sqrt(8.25)
    found = normalised(dialogue(values), SCALE, "recording").features
    assert np.allclose(found[9], 4.5 / np.sqrt(8.25) * np.array(SCALE["deviation"]) + SCALE["mean"])
    assert np.allclose(found.mean(0), SCALE["mean"], atol=1e-6) and np.allclose(found.std(0), SCALE["deviation"])
    # Two utterances have a ninth of the weight: the mean is 1 / 9 of theirs, the scale the ninth root.
    two = normalised(dialogue([[0.0] * 3, [8.0] * 3]), SCALE, "recording").features
    mean, deviation = (np.array(SCALE[name]) for name in ("mean", "deviation"))
    expected = (8 - 4 / 9 - mean * 8 / 9) / (4 ** (1 / 9) * deviation ** (8 / 9)) * deviation + mean
    assert np.allclose(two[1], expected, rtol=1e-5)


@settings(deadline=None)
@given(
    st.integers(FULL, 60),
    st.integers(0, 1000),
    st.lists(st.floats(0.01, 100), min_size=3, max_size=3),
    st.lists(st.floats(-100, 100), min_size=3, max_size=3),
)
def test_another_scale_of_a_whole_recording_makes_no_difference(count, seed, factor, shift):
    values = drawn(count, seed).astype(np.float32).astype(np.float64)
    first, second = (
        normalised(DialogueFeatures("d", ["M"] * count, each), SCALE, "recording").features
        for each in (values, values * factor + shift)
    )
    assert np.allclose(first, second, atol=1e-3)


@settings(deadline=None)
@given(st.integers(1, 3 * FULL), st.integers(0, 1000))
def test_few_utterances_stay_nearer_to_what_they_were(count, seed):
    values = drawn(count, seed)
    found = normalised(dialogue(values), SCALE, "recording").features
    weight = min(1, (count - 1) / (FULL - 1))
    assert np.isfinite(found).all()
    if count == 1:
        assert np.allclose(found, values, atol=1e-5)
    expected = values.mean(0) - weight * values.mean(0) - (1 - weight) * np.array(SCALE["mean"])
    assert (np.sign(np.round(found.mean(0) - SCALE["mean"], 4)) == np.sign(np.round(expected, 4))).all() or weight == 1


def test_each_speaker_has_a_scale_of_their_own():
    quiet, loud = drawn(20), 10 * drawn(20, 1) + 50
    mixed = np.stack([quiet, loud], 1).reshape(40, 3)
    found = normalised(dialogue(mixed, ["M", "F"] * 20), SCALE, "speaker").features
    alone = [normalised(dialogue(each), SCALE, "recording").features for each in (quiet, loud)]
    assert np.allclose(found[0::2], alone[0], atol=1e-4) and np.allclose(found[1::2], alone[1], atol=1e-4)
    whole = normalised(dialogue(mixed, ["M", "F"] * 20), SCALE, "recording").features
    assert abs(whole[0::2].mean() - whole[1::2].mean()) > 1 > abs(found[0::2].mean() - found[1::2].mean())


def test_people_who_share_a_speaker_of_the_model_have_a_scale_of_their_own():
    quiet, loud = drawn(20), 10 * drawn(20, 1) + 50
    mixed = np.stack([quiet, loud], 1).reshape(40, 3)
    same = replace(dialogue(mixed, ["M"] * 40), voices=["agent", "customer"] * 20)
    expected = normalised(dialogue(mixed, ["M", "F"] * 20), SCALE, "speaker").features
    assert np.allclose(normalised(same, SCALE, "speaker").features, expected)
    with pytest.raises(BadInput, match="dialogue d has 1 voices for 40 utterances"):
        normalised(replace(same, voices=["agent"]), SCALE, "speaker")


def test_constant_features_keep_their_scale():
    values = drawn(20)
    values[:, 1] = 7
    found = normalised(dialogue(values), SCALE, "recording").features
    assert np.isfinite(found).all() and np.allclose(found[:, 1], SCALE["mean"][1])
    assert np.isfinite(normalised(dialogue(np.full((20, 3), 3e38)), SCALE, "recording").features).all()


def test_the_predictor_takes_normalised_features_and_names_what_it_does_not_know(tmp_path):
    predictor = Predictor(tiny_bundle.write(tmp_path / "b"))
    values = np.random.default_rng(0).standard_normal((30, 2)).astype(np.float32)
    found, moved = (predictor(each, ["M"] * 30, "recording") for each in (values, 5 * values + 70))
    assert np.allclose(found.probabilities, moved.probabilities, atol=1e-4)
    assert not np.allclose(predictor(5 * values + 70, ["M"] * 30).probabilities, found.probabilities, atol=0.1)
    assert BY == ("recording", "speaker")
    with pytest.raises(BadInput, match="cannot normalise by 'room': choose recording or speaker"):
        predictor(values, ["M"] * 30, "room")
    with pytest.raises(BadInput, match="no utterance"):
        predictor(values[:0], [], "speaker")


@pytest.mark.parametrize(
    ("dialogues", "by", "note"),
    [
        (["a", "b"], "recording", "--normalise recording changes nothing: it needs two utterances of a recording"),
        (["a", "ab"], "recording", "--normalise recording changes nothing in 1 of 2 dialogues: it needs two"),
        (["ab", "aab"], "recording", None),
        (["ab", "aab", "c"], "speaker", "--normalise speaker changes nothing in 2 of 3 dialogues: it needs two"),
        (["aa"], "speaker", None),
        (["a"], None, None),
        ([], "recording", None),
    ],
)
def test_dialogues_that_stay_as_they_are_are_noted(dialogues, by, note):
    found = unchanged(dialogues, by)
    assert found is None if note is None else found.startswith(note)
    if by:  # the note counts those that the function leaves as they are
        made = [dialogue(drawn(len(who)), list(who)) for who in dialogues]
        same = [np.allclose(normalised(one, SCALE, by).features, one.features, atol=1e-6) for one in made]
        assert any(same) == bool(note) and (note is None or all(same) == (" in " not in note))


def test_the_note_on_recordings_of_one_utterance_is_printed_once(tmp_path, replicate):
    bundle = tiny_bundle.write(tmp_path / "b")
    (tmp_path / "x.csv").write_text(tiny_bundle.HEADER + "a,M,0,1\nb,M,1,0\n")
    note = "note: --normalise recording changes nothing: it needs two utterances of a recording\n"
    done = replicate("predict", bundle, tmp_path / "x.csv", "--csv", "--normalise", "recording")
    assert done.status == 0 and done.stderr.startswith(note) and done.stderr.count("--normalise") == 1
    assert done.stdout == replicate("predict", bundle, tmp_path / "x.csv", "--csv").stdout
    script = [sys.executable, str(bundle / "predict.py"), str(tmp_path / "x.csv"), "--normalise", "recording"]
    assert subprocess.run(script, capture_output=True, text=True, check=True).stderr == note
