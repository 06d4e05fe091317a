"""How far a recording lies from the training: computed by hand, rarely wrong, and never more than one line."""

import json
from dataclasses import replace

import numpy as np
import pytest

from export.distance import BEYOND, FIRST, FRACTION, MOST, Distance, TrainingRange, summary, warning
from export.onnx.training_range import LEAST, fit_range, same_range
from export.predictor import DialogueFeatures, Predictor
from export.program import notes, predict_lines
from replicate.corpus.synthetic import generate
from replicate.corpus.types import Corpus, Dialogue
from tests.export import tiny_bundle

BY_HAND = {
    "centre": [0.0, 10.0],
    "scale": [1.0, 2.0],
    "residual": [0.5, 1.0],
    "axes": [[1000, 0]],
    "limits": {"1": [3.0, 1], "4": [1.0, 0]},
}
ABOUT = {"arm": "A", "corpus": {"name": "ravdess"}, "range": BY_HAND, "recipe": None}


def corpus(train, seed=0, shift=0.0, width=20):
    """Correlated features of two dialogues of train and one of dev."""
    draws = np.random.default_rng(seed)
    mixing = np.random.default_rng(1).standard_normal((3, width))

    def dialogue(name, count, split):
        features = 5 + draws.standard_normal((count, 3)) @ mixing + 0.1 * draws.standard_normal((count, width)) + shift
        whole = np.zeros(count, np.int64)
        return Dialogue(name, whole, whole, {"audio": features.astype(np.float32)}, split)

    made = [dialogue("a", train // 2, "train"), dialogue("b", train - train // 2, "train"), dialogue("c", 30, "dev")]
    return Corpus("made", ("x", "y"), tuple(made), ("s",))


def test_a_distance_computed_by_hand():
    found = TrainingRange(BY_HAND, ["loudness", "pitch"]).distance(np.array([[1.0, 12.0], [2.0, 20.0], [3.0, 30.0]]))
    # Deviations from the median: 1, 2, 3 and 1, 5, 8 (at most 8); the axis explains all of the first feature.
    whole = np.array([2.0, 5.0]), np.array([0.0, 5.0])
    assert found == Distance(3, 2, 1, pytest.approx(np.sqrt(25 / 2)), 3.0, 1, 1.0, True, ("pitch", "loudness"), whole)
    assert all(np.allclose(one, other) for one, other in zip(found.medians, whole, strict=True))
    near = TrainingRange(BY_HAND).distance(np.array([[3.0, 11.0]] * 4))
    assert near.far is False and near.farthest == ("feature 1", "feature 2") and near.usual == 1.0


@pytest.mark.parametrize("count", [1, 2, 7, 8])
def test_a_recording_counts_by_its_median_utterance(count):
    outer, left = np.random.default_rng(count).standard_normal((2, count, 3))
    for found, values in zip(summary(outer, left), (outer, left), strict=True):
        assert np.allclose(found, np.median(values, axis=0))


def test_many_features_beyond_their_own_range_are_far_even_where_they_fit_each_other():
    found = TrainingRange(BY_HAND | {"limits": {"1": [3.0, 0]}}).distance(np.array([[6.0, 10.0]]))
    assert found.deviations == 0 and found.beyond == 1 and found.far


def test_the_fit_recovers_centre_and_scale_and_rounds_to_what_json_holds():
    made = corpus(4000)
    found = fit_range(made, "audio")
    rows = np.concatenate([one.features["audio"] for one in made.split("train")])
    assert np.allclose(found["centre"], np.median(rows, 0), rtol=1e-5)
    assert np.allclose(found["scale"], rows.std(0), rtol=0.15)  # features are normal here
    assert json.loads(json.dumps(found)) == found and set(found["limits"]) == {"1", "2", "4", str(FIRST)}
    axes = FRACTION * np.array(found["axes"])
    assert len(axes) == 5 and np.allclose(axes @ axes.T, np.eye(5), atol=0.02)


def test_recordings_of_the_same_kind_are_near_and_others_far():
    measured = TrainingRange(fit_range(corpus(400), "audio"))
    for split in corpus(400, seed=5).dialogues:
        features = split.features["audio"]
        assert not any(measured.distance(features[i : i + n]).far for n in (1, 2, 4, 30) for i in (0, 20))
    shift = np.zeros(20)
    shift[::3] = 1.5  # within the range of each feature, but not of all at once
    moved = corpus(400, seed=5, shift=shift).dialogues[0].features["audio"]
    found = measured.distance(moved)
    assert found.far and found.beyond >= 3 and np.abs(moved - 5).max(0).mean() < MOST
    assert measured.distance(moved[:1]).far


def test_constant_and_rare_features_have_a_scale():
    made = corpus(400)
    features = {one.id: one.features["audio"].copy() for one in made.dialogues}
    for each in features.values():
        each[:, 0] = 7
        each[:, 1] = 0
        each[::10, 1] = 3
    made = replace(made, dialogues=tuple(replace(d, features={"audio": features[d.id]}) for d in made.dialogues))
    found = fit_range(made, "audio")
    assert found["scale"][0] == 1 and found["scale"][1] == pytest.approx(3 * np.sqrt(0.1), rel=1e-3)
    assert not TrainingRange(found).distance(features["c"]).far


def test_a_small_training_has_no_range_and_a_range_is_compared_up_to_the_direction_of_its_axes():
    assert fit_range(corpus(LEAST - 1), "audio") is None
    found = fit_range(corpus(LEAST), "audio")
    turned = found | {"axes": [[-one for one in axis] for axis in found["axes"]]}
    assert same_range(found, turned, 0.01) and not same_range(found, None, 0.01)
    for key in ("centre", "scale", "residual"):
        assert not same_range(found, found | {key: [1.1 * one for one in found[key]]}, 0.01)
    assert not same_range(found, found | {"axes": found["axes"][1:]}, 0.01)
    assert not same_range(found, found | {"limits": found["limits"] | {"1": [99.0, 1]}}, 0.01)


def test_the_warning_is_one_line_and_names_the_farthest():
    measured = TrainingRange(BY_HAND)
    near, far, farther = (measured.distance(np.array([[0.0, 10 + y]] * 4)) for y in (1, 4, 10))
    assert warning([("a", near), ("b", None)], ABOUT) is None and warning([], ABOUT) is None
    assert warning([("a", far), ("b", None)], ABOUT) == (
        "dialogue a is unlike what A was trained on (ravdess): 0 of 2 features beyond 4 deviations, root mean square "
        "1.41, above the limit of 1.00: expect wrong emotions"
    )
    several = warning([("a", far), ("b", farther), *(("c", near),) * 5], ABOUT)
    assert several.startswith("2 of 7 dialogues (b, a) are") and "dialogue b with 1 of 2 features" in several
    assert len(warning([("x" * 10_000, far)], ABOUT)) < 400 and BEYOND == 4
    assert warning([("a", far)], ABOUT | {"range": None}) is None


def test_single_utterances_that_tell_little_are_also_measured_as_one():
    measured = TrainingRange(BY_HAND)
    single = [measured.distance(np.array([[0.0, 10 + y]])) for y in (2, 2.5, 3, 3.5)]
    assert [one.far for one in single] == [False] * 4
    whole = measured.pooled(single)
    assert (whole.utterances, whole.far, whole.usual, whole.beyond) == (4, False, 1.0, 0)
    assert whole.deviations == pytest.approx(2.75 / 2 / np.sqrt(2))
    names = ["a", "b", "c", "d"]
    assert warning(list(zip(names, single, strict=True)), ABOUT) is None
    further = [measured.distance(np.array([[0.0, 10 + 2 * y]])) for y in (2, 2.5, 3, 3.5)]
    assert [one.far for one in further] == [False] * 4
    text = warning(list(zip(names, further, strict=True)), ABOUT)
    assert (
        text.startswith("4 dialogues, measured as one, are unlike what A was trained on")
        and "root mean square 1.94, above" in text
    )
    assert warning(list(zip(names[:3], further[:3], strict=True)), ABOUT) is None  # of 3, the limit is that of 1
    farthest = measured.distance(np.array([[0.0, 50.0]]))
    assert warning([("a", single[0]), ("far", farthest)], ABOUT).startswith("1 of 2 dialogues (far) are")


def test_three_far_dialogues_are_named_the_farthest_first_and_the_others_counted():
    measured = TrainingRange(BY_HAND)
    found = [(name, measured.distance(np.array([[0.0, 10 + 2 * y]] * 4))) for y, name in enumerate("abcdef", 2)]
    assert ": dialogue e with " in (text := warning(found[:5], ABOUT))
    assert text.startswith("5 of 5 dialogues (e, d, c and 2 more) are unlike")
    assert warning([*found[:2], ("near", found[0][1])], ABOUT).startswith("3 of 3 dialogues (b, a, near) are")


@pytest.mark.parametrize(
    ("deviations", "outside", "words"),
    [
        (2.34, 0, "root mean square 2.34, above the limit of 2.31: "),
        (2.312, 9, "root mean square 2.312, above the limit of 2.310: "),
        (2.31 + 1e-9, 0, "root mean square 2.310000001, above the limit of 2.310000000: "),
        (2.31, 9, "9 of 20 features beyond 4 deviations, 9 of them of their own, above the limit of 7.5: "),
    ],
)
def test_the_warning_says_which_limit_is_exceeded_with_digits_that_show_it(deviations, outside, words):
    nothing = np.zeros(20), np.zeros(20)
    far = Distance(4, 20, outside, deviations, 2.31, outside, 7.5, True, (), nothing)
    assert words in warning([("a", far)], ABOUT)


def test_a_predictor_measures_the_features_as_they_were_given(tmp_path):
    bundle = tiny_bundle.write(tmp_path / "b")
    predictor = Predictor(bundle)
    far, near = np.full((3, 2), 100, np.float32), np.zeros((3, 2), np.float32)
    found = predictor.predict([DialogueFeatures(n, ["M"] * 3, x) for n, x in (("far", far), ("near", near))])
    assert [one.distance.far for one in found] == [True, False] and found[0].distance.farthest == ("a", "b")
    assert predictor(far, ["M"] * 3, "recording").distance == found[0].distance
    (note,) = notes(predictor, found, "recording")
    assert note.startswith("1 of 2 dialogues (far) are unlike what arm was trained on (corpus)")


def test_a_stream_warns_once_for_each_dialogue_when_it_is_clear(tmp_path):
    predictor, told = Predictor(tiny_bundle.write(tmp_path / "b")), []
    values = {"far": [0, 100, 100, 100, 100], "near": [0, 1, 0, -1, 0]}
    lines = [tiny_bundle.HEADER]
    lines += [f"{name},M,{each[i]},{each[i]}\n" for i in range(5) for name, each in values.items()]
    when = []
    for _ in predict_lines(predictor, lines, as_json=False, warn=told.append):
        when.append(len(told))
    assert len(told) == 1 and told[0].startswith("dialogue far is unlike")
    assert when.index(1) == 4  # its third utterance: of two, the median is between them
    stream = predictor.stream()
    found = [stream.feed(np.zeros(2, np.float32), "M").distance.utterances for _ in range(FIRST + 3)]
    assert found == [*range(1, FIRST + 1), FIRST, FIRST, FIRST]


def test_bundles_have_a_range_and_hardly_a_recording_of_their_corpus_is_far(smoke_bundle):
    predictor = Predictor(smoke_bundle.folder)
    made = generate("synthetic-tiny")
    given = [DialogueFeatures(d.id, ["MF"[i] for i in d.speakers], d.features["audio"]) for d in made.dialogues]
    found = predictor.predict(given)
    assert sum(one.distance.far for one in found) <= 1
    loud = [replace(one, features=20 + 3 * one.features) for one in given]
    assert all(one.distance.far for one in predictor.predict(loud))
