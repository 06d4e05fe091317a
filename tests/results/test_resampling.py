import numpy as np
import pytest

from replicate.results.resampling import RESAMPLES, draw_weights, grouped, resample


def mean(sums):
    """A score that is linear but for the number of utterances: sums are (right, all)."""
    return sums[..., 0] / sums[..., 1]


def counted(seeds, dialogues, generator=None, length=10):
    """Right answers of equally long dialogues, (seeds, dialogues, 2)."""
    generator = generator or np.random.default_rng(0)
    right = generator.binomial(length, generator.uniform(0.3, 0.9, dialogues), (seeds, dialogues))
    return np.stack([right, np.full_like(right, length)], -1).astype(float)


def test_scores_are_those_of_all_dialogues():
    found = resample(np.array([[[1.0, 2], [3, 6]], [[2, 2], [0, 6]]]), np.zeros(2, int), mean)
    assert found.scores.tolist() == [0.5, 0.25]


def test_one_draw_less_gives_the_variance_of_a_mean_without_bias():
    statistics = counted(3, 12)
    found = resample(statistics, np.zeros(12, int), mean)
    assert found.draws.shape == (RESAMPLES, 3)
    shares = statistics[..., 0] / 10
    assert found.draws.var(0) == pytest.approx(shares.var(1, ddof=1) / 12, rel=0.15)
    assert found.draws.mean(0) == pytest.approx(found.scores, abs=0.005)


def test_a_draw_is_the_score_of_the_drawn_dialogues():
    statistics = counted(2, 5)
    found = resample(statistics, np.zeros(5, int), mean, 7)
    (weights,) = draw_weights((5,), 7)
    for weight, draw in zip(weights, found.draws, strict=True):
        times = np.rint(weight * 4 / 5).astype(int)
        assert times.sum() == 4  # one less than there are
        drawn = np.repeat(statistics, times, axis=1)
        assert draw == pytest.approx(mean(drawn.sum(1)))


def test_cells_of_the_same_dialogues_have_the_same_draws():
    statistics = counted(2, 6)
    first, second = (resample(each, np.zeros(6, int), mean).draws for each in (statistics, statistics[::-1]))
    assert first.tolist() == second[:, ::-1].tolist()


def test_dialogues_are_drawn_within_their_fold_and_folds_count_the_same():
    statistics = np.concatenate([counted(2, 4), counted(2, 8)], 1)
    fold = np.repeat([0, 1], [4, 8])
    found = resample(statistics, fold, mean)
    by_fold = [
        resample(statistics[:, fold == number], np.zeros((fold == number).sum(), int), mean) for number in (0, 1)
    ]
    assert found.scores == pytest.approx((by_fold[0].scores + by_fold[1].scores) / 2)
    assert found.draws.var(0) == pytest.approx((by_fold[0].draws.var(0) + by_fold[1].draws.var(0)) / 4, rel=0.15)
    assert found.stratum.tolist() == fold.tolist() and found.influence.shape == (2, 12)


def test_influence_is_how_far_a_dialogue_lies_from_the_mean():
    statistics = counted(2, 5)
    found = resample(statistics, np.zeros(5, int), mean)
    shares = statistics[..., 0] / 10
    assert found.influence == pytest.approx(shares - shares.mean(1, keepdims=True))


def test_folds_of_one_dialogue_each_are_resampled_themselves():
    statistics = counted(2, 9)
    alone = resample(statistics, np.arange(9), mean)
    # Dialogues of one length: the mean over folds is the mean over dialogues.
    one_fold = resample(statistics, np.zeros(9, int), mean)
    assert alone.scores == pytest.approx(one_fold.scores)
    assert alone.draws == pytest.approx(one_fold.draws)
    assert alone.influence == pytest.approx(one_fold.influence)


def test_folds_that_test_on_the_same_dialogues_are_resampled_as_one():
    once = counted(2, 6)
    single = resample(once, np.zeros(6, int), mean)
    thrice = resample(np.concatenate([once] * 3, 1), np.repeat([0, 1, 2], 6), mean, same_dialogues=True)
    # The same predictions in every fold tell no more than those of one.
    assert thrice.draws == pytest.approx(single.draws) and thrice.influence == pytest.approx(single.influence)
    assert thrice.stratum.tolist() == single.stratum.tolist()
    apart = resample(np.concatenate([once] * 3, 1), np.repeat([0, 1, 2], 6), mean)
    assert apart.draws.var(0) == pytest.approx(single.draws.var(0) / 3, rel=0.15)


@pytest.mark.parametrize("fold", [[0], [0, 0, 1], [0, 1, 1]])
def test_a_single_dialogue_cannot_be_resampled(fold):
    found = resample(counted(2, len(fold)), np.array(fold), mean)
    assert (found.draws.shape, found.influence.shape, found.stratum.shape) == ((0, 2), (2, 0), (0,))
    assert len(found.scores) == 2


def test_dialogues_of_a_speaker_are_resampled_as_one():
    statistics = counted(2, 12)
    fold, speaker = np.zeros(12, int), np.repeat(np.arange(6), 2)[::-1]
    found, folds = grouped(statistics, fold, speaker)
    assert found.shape == (2, 6, 2) and folds.tolist() == [0] * 6
    assert found[:, 0].tolist() == statistics[:, 10:].sum(1).tolist()
    assert mean(found.sum(1)) == pytest.approx(mean(statistics.sum(1)))


def test_equal_dialogues_of_a_speaker_tell_no_more_than_one():
    """Resampled one by one, each speaker counts as two: the variance would be too small by half."""
    once = counted(3, 6)
    twice = np.repeat(once, 2, 1)
    fold = np.zeros(12, int)
    by_speaker = resample(*grouped(twice, fold, np.repeat(np.arange(6), 2)), mean)
    assert by_speaker.draws == pytest.approx(resample(once, fold[:6], mean).draws)
    assert resample(twice, fold, mean).draws.var(0) == pytest.approx(by_speaker.draws.var(0) / 2, rel=0.2)


@pytest.mark.parametrize(
    ("fold", "speaker", "same"),
    [
        ([0] * 6, range(6), False),  # a speaker for each dialogue
        ([0] * 6, [0] * 6, False),  # a session
        ([0] * 8, [0, 0, 1, 1, 2, 2, 3, 3], False),  # 3 degrees of freedom
        ([0] * 6 + [1] * 2, [0, 1, 2, 3, 4, 4, 5, 5], False),  # one fold has a single speaker
        ([0] * 6 + [1] * 6, [0, 0, 1, 1, 2, 3] * 2, True),  # 4 speakers, in both folds
    ],
)
def test_dialogues_are_resampled_one_by_one_where_speakers_are_few_or_as_many(fold, speaker, same):
    assert grouped(counted(2, len(fold)), np.array(fold), np.array(speaker), same) is None


def test_speakers_stay_in_their_fold():
    fold, speaker = np.repeat([0, 1], 8), np.repeat(np.arange(8), 2)
    found, folds = grouped(counted(2, 16), fold, speaker)
    assert found.shape == (2, 8, 2) and folds.tolist() == [0] * 4 + [1] * 4
