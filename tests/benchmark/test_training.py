import dataclasses

import pytest

from replicate.benchmark import training
from replicate.benchmark.training import Measured, Point, exponent, points
from replicate.model.cogmen import COGMEN
from replicate.training.loop import model_config


def measured(sizes, power, curve="dialogues"):
    return [
        Measured(dataclasses.replace(Point(curve), **{curve: size}), 2.0 * size**power, 3.0 * size, 1e9)
        for size in sizes
    ]


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_the_exponent_of_a_power_is_that_power(power):
    found = exponent(measured((10, 100, 1000, 10_000), power), lambda one: one.seconds)
    assert found == pytest.approx(power)


def test_the_exponent_is_fitted_to_the_upper_half():
    chosen = [dataclasses.replace(one, seconds=one.seconds + 100) for one in measured((1, 2, 10_000, 20_000), 2)]
    assert exponent(chosen, lambda one: one.seconds) == pytest.approx(2, abs=0.01)


def test_there_is_no_exponent_of_one_point_or_of_zeros():
    assert exponent(measured((10,), 1), lambda one: one.seconds) is None
    assert exponent(measured((10, 100), 1), lambda one: 0.0) is None


def test_points_have_at_most_the_given_number_of_utterances():
    chosen = points(2_000, 4)
    assert {point.curve for point in chosen} == {"dialogues", "width", "seeds", "jobs", "graph", "layer"}
    assert all(point.dialogues * point.utterances * point.seeds <= 2_000 for point in chosen)
    assert [point.jobs for point in chosen if point.curve == "jobs"] == [1, 2, 4]
    everything = points(10**9, 1)
    for curve, largest in (("dialogues", 10_000), ("utterances", 2_000), ("width", 1024), ("seeds", 64)):
        assert max(point.value for point in everything if point.curve == curve) == largest
    assert len({point.dialogues * point.utterances for point in everything if point.curve == "utterances"}) == 1


@pytest.mark.slow
def test_measuring_trains_every_point():
    seen = []
    chosen = [Point("seeds", 2, 5, 10, seeds=2), Point("graph", 1, 30), Point("layer", 1, 30)]
    stack, graph, layer = training.measure(chosen, seen.append)
    assert seen == chosen and [stack.point, graph.point, layer.point] == chosen
    assert stack.seconds > 0 and stack.megabytes > 0 and graph.flops is None and layer.seconds > 0
    model = COGMEN(model_config(training._spec(chosen[0]), training._corpus(chosen[0])))
    weights = sum(weight.numel() for weight in model.parameters() if weight.dim() > 1)
    # 6 operations for each weight and each of 10 utterances.
    assert stack.flops * stack.seconds == pytest.approx(6 * weights * 10)
