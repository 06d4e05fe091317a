"""Times of models at inference."""

from types import SimpleNamespace

import pytest

from replicate.benchmark import inference
from replicate.config import tables
from replicate.errors import NothingToMeasure
from replicate.model.config import ModelConfig
from replicate.results.counting import resources

SMALL = ModelConfig(4, hidden=4, gnn_heads=1, feed_forward=4, context_layers=1)


def test_every_model_is_timed_in_every_round(monkeypatch):
    ticks, rounds = iter(range(10_000)), []

    def by_clock(call):
        call()  # the model takes its input
        return lambda: float(next(ticks))

    monkeypatch.setattr(inference, "by_clock", by_clock)
    found = inference.measure([(SMALL, 3), (SMALL, 9)], 15, lambda done, total: rounds.append((done, total)))
    assert rounds == [(done, 10) for done in range(1, 11)]
    assert found.calls == 20 and [each.utterances for each in found.timings] == [3, 9]
    assert found.timings[0].model == found.timings[1].model == resources(SMALL, 3).model
    # In each round a model is called 3 times to warm up, then 2 times timed; then the other one.
    expected = sorted(1e3 * (10 * number + 3 + call) for number in range(10) for call in range(2))
    assert found.timings[0].p50 == pytest.approx((expected[9] + expected[10]) / 2)


def test_real_times_are_positive_and_ordered():
    (timing,) = inference.measure([(SMALL, 3)], 10).timings
    assert 0 < timing.p50 <= timing.p90


def test_results_without_such_a_table_are_refused():
    completed = SimpleNamespace(plan=SimpleNamespace(tables=(tables.table("table2"),)))
    with pytest.raises(NothingToMeasure, match="run cost"):
        inference.models(completed)
