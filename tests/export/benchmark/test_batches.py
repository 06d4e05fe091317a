"""The measurement behind the size of the predictor's batches."""

from export.benchmark.batches import measure, report
from export.predictor import BATCH_UTTERANCES


class Recorder:
    """A predictor whose clock runs by the number of batches, of dialogues of 4 utterances."""

    width, speakers, batch_utterances = 3, ["M", "F"], 7

    def __init__(self):
        self.now, self.sizes = 0.0, []

    def predict(self, dialogues):
        assert all(d.features.shape == (4, 3) and len(d.speakers) == 4 for d in dialogues)
        self.sizes.append(self.batch_utterances)
        self.now += len(dialogues) / max(1, self.batch_utterances // 4)


def test_sizes_alternate_and_the_last_one_is_the_unit():
    predictor = Recorder()
    found = measure(predictor, (4, 8, 16), {"four": (4,) * 8}, 2, lambda: predictor.now)
    assert found == {"four": {4: 4.0, 8: 2.0, 16: 1.0}}
    assert predictor.sizes == [4, 8, 16] * 3 and predictor.batch_utterances == 7


def test_the_median_is_over_all_rounds_but_the_first():
    predictor, ticks = Recorder(), iter([0, 90, 0, 1, 0, 5, 0, 1, 0, 4, 0, 1, 0, 7, 0, 1])
    assert measure(predictor, (1, 2), {"one": (4,)}, 3, lambda: float(next(ticks))) == {"one": {1: 5.0, 2: 1.0}}
    assert next(ticks, None) is None


def test_the_size_in_use_is_marked():
    lines = report({"a": {1: 1.234, BATCH_UTTERANCES: 0.5}, "b": {1: 1.0, BATCH_UTTERANCES: 0.25}})
    assert [line.split() for line in lines] == [
        ["utterances", "a", "b"],
        ["1", "1.23", "1.00"],
        [str(BATCH_UTTERANCES), "*", "0.50", "0.25"],
    ]
