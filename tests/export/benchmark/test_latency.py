"""Latency of exported files."""

import pytest

from export.benchmark import latency
from export.bundle.opening import open_run
from export.predictor import INT8, MODEL


def test_files_alternate_and_percentiles_are_of_the_timed_calls(monkeypatch, tmp_path):
    calls = []

    def by_clock(call):
        def once():
            calls.append(call())
            return len(calls) / 1e3

        return once

    monkeypatch.setattr(latency, "session", lambda path: path.name)
    monkeypatch.setattr(latency, "as_function", lambda name: lambda inputs: (name, inputs))
    monkeypatch.setattr(latency, "by_clock", by_clock)
    rounds = []
    found = latency.latencies(
        {1: (tmp_path / "a", "in"), 2: (tmp_path / "b", "put")}, 11, lambda done, total: rounds.append((done, total))
    )
    # 3 calls to warm up and 2 timed ones of each file in every round.
    assert calls == ([("a", "in")] * 5 + [("b", "put")] * 5) * 10 and rounds[-1] == (10, 10)
    timed = sorted(10 * number + place for number in range(10) for place in (4, 5))
    assert found[1].p50 == pytest.approx((timed[9] + timed[10]) / 2) and found[2].p50 == found[1].p50 + 5
    assert found[1].p90 > found[1].p50


def test_real_files_run_on_the_example(smoke_bundle):
    inputs = latency.example(open_run(smoke_bundle.folder), 7)
    assert inputs["audio"].shape == (1, 7, 12)
    found = latency.latencies({name: (smoke_bundle.folder / name, inputs) for name in (MODEL, INT8)}, 10)
    assert all(0 < each.p50 <= each.p90 for each in found.values())
