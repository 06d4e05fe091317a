"""Deployments as they are kept, and the front of speed and accuracy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicate.errors import NotThisFormat
from replicate.results.deployments import DEPLOYMENTS, Deployment, Deployments, front


def deployment(row, p50=1.0, dev=0.5, precision="fp32", runs=("a", "b")):
    return Deployment("deploy", row, precision, runs, (dev, dev), (0.25, 0.5), p50, p50 + 1, 2.5, 70.0)


FOUND = Deployments(1, "Processor 2", "1.2", 200, 30, (deployment("x"), deployment("x", precision="int8")))


def test_they_are_saved_and_found(tmp_path):
    assert Deployments.find(tmp_path) is None
    FOUND.save(tmp_path)
    assert Deployments.find(tmp_path) == FOUND
    (tmp_path / DEPLOYMENTS).write_text("[]")
    with pytest.raises(NotThisFormat):
        Deployments.find(tmp_path)


def test_a_row_whose_runs_were_trained_again_has_none():
    assert FOUND.of("deploy", "x", ["b", "a"]) == list(FOUND.deployments)
    assert FOUND.of("deploy", "x", ["a", "c"]) == FOUND.of("deploy", "y", ["a", "b"]) == []
    assert FOUND.of("other", "x", ["a", "b"]) == []


def test_the_front_has_what_is_not_beaten_in_speed_and_dev():
    slow, fast, worse, same = deployment("slow", 2, 0.75), deployment("fast"), deployment("w", 2, 0.5), deployment("s")
    assert front([slow, worse, fast, same]) == [slow, fast, same]


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 5)), min_size=1))
def test_the_front_beats_all_others(places):
    found = [deployment(str(i), time, score / 8) for i, (time, score) in enumerate(places)]
    best = front(found)
    assert all(any(one.p50 <= each.p50 and one.dev_f1 >= each.dev_f1 for one in best) for each in found)
    assert len({one.p50 for one in best}) == len({one.dev_f1 for one in best}) == len({(b.p50, b.dev_f1) for b in best})
