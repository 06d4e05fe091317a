"""Projections of embeddings."""

import numpy as np
import pytest

from replicate.report.figures import embedding


def test_embeddings_are_placed_on_the_axes_of_the_first():
    rng = np.random.default_rng(0)
    base = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    first = rng.standard_normal((50, 5)) * (4, 2, 0.1, 0.1, 0.1) @ base + 3
    second = rng.standard_normal((50, 5)) * (0.1, 2, 0.1, 0.1, 4) @ base + 3
    projection = embedding.Projection.of(first)
    places = projection(first)
    assert places.mean(0) == pytest.approx([0, 0], abs=1e-9)
    left, sizes, _ = np.linalg.svd(first - first.mean(0), full_matrices=False)
    assert np.abs(places) == pytest.approx(np.abs(left * sizes)[:, :2])  # up to a sign
    assert projection.shares(first) == pytest.approx(sizes[:2] ** 2 / (sizes**2).sum())
    # Most of the second set's variance is in directions in which the first has none.
    assert projection.shares(second)[0] < 0.05 and projection.shares(second).sum() < 0.3


def test_a_single_utterance_has_a_place():
    one = np.ones((1, 4))
    projection = embedding.Projection.of(one)
    assert projection(one).tolist() == [[0, 0]] and projection.shares(one).tolist() == [0, 0]
