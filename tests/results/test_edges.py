from types import SimpleNamespace

import pytest

from replicate.results.edges import EdgeWeight, edge_weights, times_largest

LOGGED = [
    {"nll": 0.5, "homo edge text to audio": 0.75, "homo edge audio to text": 0.25, "homo prior text to audio": 0.5},
    {"nll": 0.4, "homo edge text to audio": 0.25, "homo edge audio to text": 0.75, "homo prior text to audio": 0.5},
]


def run(logged):
    earlier = dict.fromkeys(logged, 0.0)
    return SimpleNamespace(record=SimpleNamespace(curve=[SimpleNamespace(logged=each) for each in (earlier, logged)]))


def test_weights_are_those_of_the_last_epoch_of_every_run():
    found = edge_weights({"plain": [run({"nll": 0.5})], "DMD": [run(logged) for logged in LOGGED], "failed": []})
    assert found == (
        EdgeWeight("DMD", "homo", "text to audio", 0.5, (0.75, 0.25)),
        EdgeWeight("DMD", "homo", "audio to text", None, (0.25, 0.75)),
    )
    assert found[0].mean == 0.5 and found[0].std == pytest.approx(0.5 / 2**0.5)
    assert EdgeWeight("DMD", "homo", "a to b", None, (0.5,)).std is None


def test_in_how_many_runs_some_edges_are_the_largest():
    values = {"a": (0.5, 0.2, 0.4), "b": (0.3, 0.5, 0.3), "c": (0.2, 0.3, 0.3)}
    weights = [EdgeWeight("DMD", "homo", edge, None, each) for edge, each in values.items()]
    # In the second run c is above a, in the third equal to b.
    assert times_largest(weights, ("a", "b")) == 1
    assert times_largest(weights, ("a", "d")) is None and times_largest(weights[:2], ("a", "b")) is None
