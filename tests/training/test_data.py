import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from replicate.corpus.types import Corpus, Dialogue
from replicate.errors import MissingSplit
from replicate.rng import generator
from replicate.training.data import scales, tensors

from .conftest import corpus

THREE = ("train", "dev", "test")


def made(*audio_of_train, standardise=True, others=100.0):
    """One or two training dialogues with this audio, a visual column that is constant, dev and test far away."""
    rows = [("train", np.array(a, np.float32)) for a in audio_of_train]
    rows += [(split, np.full((2, rows[0][1].shape[1]), others, np.float32)) for split in ("dev", "test")]
    dialogues = tuple(
        Dialogue(
            f"{split}{i}",
            np.arange(len(audio)) % 2,
            np.arange(len(audio)) % 3,
            {"audio": audio, "visual": np.full((len(audio), 1), 0.1, np.float32)},
            split,
        )
        for i, (split, audio) in enumerate(rows)
    )
    return Corpus("made-up", ("a", "b", "c"), dialogues, standardise=standardise)


def test_scaling_uses_the_training_split_only():
    scale = scales(made([[0, 5], [2, 5]], [[4, 5]]), ("audio",))["audio"]
    assert scale.mean.tolist() == [2, 5]
    # Deviation of 0, 2, 4 over all three (not n - 1), and 1 for the constant column.
    assert scale.deviation.tolist() == pytest.approx([(8 / 3) ** 0.5, 1])
    assert scale.mean.dtype == scale.deviation.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 + 0.1, -3e30])
def test_a_constant_column_stays_finite_and_small(value):
    source = made([[value]] * 7, others=value)
    x = tensors(source, "train", scales(source, ("audio", "visual"))).x
    assert x.abs().max() <= 1e-6 * max(1, abs(value))


def test_without_standardisation_features_are_used_as_they_are():
    source = made([[0, 5], [2, 5]], standardise=False)
    scaling = scales(source, ("audio",))
    assert scaling["audio"].mean.tolist() == [0, 0] and scaling["audio"].deviation.tolist() == [1, 1]
    assert tensors(source, "train", scaling).x.tolist() == [[[0, 5], [2, 5]]]


def test_streams_are_concatenated_and_padding_is_zero():
    source = made([[1, 2]], [[3, 4], [5, 6], [7, 8]], standardise=False)
    data = tensors(source, "train", scales(source, ("audio", "visual")))
    v = np.float32(0.1)
    assert data.x.tolist() == [[[1, 2, v], [0, 0, 0], [0, 0, 0]], [[3, 4, v], [5, 6, v], [7, 8, v]]]
    assert data.x.dtype == torch.float32
    assert data.lengths.tolist() == [1, 3]
    assert data.speakers.tolist() == [[0, 0, 0], [0, 1, 0]]
    assert data.labels.tolist() == [[0, 0, 0], [0, 1, 2]]
    assert data.packed_labels().tolist() == [0, 0, 1, 2]


def test_scaled_padding_is_still_zero():
    source = made([[1.0]], [[3.0], [5.0], [7.0]])
    x = tensors(source, "train", scales(source, ("audio",))).x
    assert x[0, 1:].abs().max() == 0
    assert x[..., 0].tolist()[1] == pytest.approx([-1 / 5**0.5, 1 / 5**0.5, 3 / 5**0.5])


def test_take_keeps_the_given_order_and_cuts_to_the_longest():
    source = corpus((2, 5, 3), standardise=False)
    data = tensors(source, "train", scales(source, ("audio",)))
    taken = data.take(torch.tensor([2, 0]))
    assert taken.x.shape == (2, 3, 4) and taken.lengths.tolist() == [3, 2]
    first, second = source.dialogues[2], source.dialogues[0]
    assert torch.equal(taken.x[0], torch.from_numpy(first.features["audio"]))
    assert torch.equal(taken.x[1, :2], torch.from_numpy(second.features["audio"]))
    assert taken.packed_labels().tolist() == [*first.labels, *second.labels]


def test_taken_utterances_keep_their_place_in_the_split():
    data = tensors(corpus((2, 5, 3)), "train", scales(corpus((2, 5, 3)), ("audio",)))
    assert data.starts.tolist() == [0, 2, 7] and data.packed_rows().tolist() == list(range(10))
    taken = data.take(torch.tensor([2, 0]))
    assert taken.packed_rows().tolist() == [7, 8, 9, 0, 1]
    assert taken.take(torch.tensor([1])).packed_rows().tolist() == [0, 1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=2, max_size=7), st.integers(1, 3), st.integers(0, 99))
def test_shuffled_rows_point_at_their_own_utterance(lengths, size, seed):
    source = corpus((*lengths,), standardise=False)
    data = tensors(source, "train", scales(source, ("audio",)))
    packed = data.x[data.present]
    batches = [data.take(chosen) for chosen in data.shuffled(size, generator(seed, "order"))]
    for batch in batches:
        assert torch.equal(packed[batch.packed_rows()], batch.x[batch.present])
    assert sorted(torch.cat([batch.packed_rows() for batch in batches]).tolist()) == list(range(sum(lengths)))


def test_in_order_gives_every_dialogue_once_in_the_corpus_order():
    source = corpus((2, 5, 3, 1, 4))
    data = tensors(source, "train", scales(source, ("audio",)))
    batches = [data.take(chosen) for chosen in data.in_order(2)]
    assert [batch.lengths.tolist() for batch in batches] == [[2, 5], [3, 1], [4]]
    assert torch.cat([batch.packed_labels() for batch in batches]).tolist() == data.packed_labels().tolist()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 3), min_size=1, max_size=9), st.integers(1, 4), st.integers(0, 99))
def test_shuffled_batches_hold_every_dialogue_once_and_never_one_utterance(lengths, size, seed):
    assume(sum(lengths) > 1)
    source = corpus((*lengths,), standardise=False)
    data = tensors(source, "train", scales(source, ("audio",)))
    batches = [data.take(chosen) for chosen in data.shuffled(size, generator(seed, "order"))]
    rows = [tuple(row[0].tolist()) for batch in batches for row in batch.x]
    assert sorted(rows) == sorted(tuple(row[0].tolist()) for row in data.x)
    assert all(int(batch.lengths.sum()) > 1 for batch in batches)
    if 1 not in lengths:
        assert [len(batch.lengths) for batch in batches[:-1]] == [size] * (len(batches) - 1)


@pytest.mark.parametrize("split", THREE)
def test_a_missing_split_is_named(split):
    whole = corpus()
    rest = Corpus("made-up", whole.labels, tuple(d for d in whole.dialogues if d.split != split))
    with pytest.raises(MissingSplit, match=f"no {split} dialogue"):
        scales(rest, ("audio",))
