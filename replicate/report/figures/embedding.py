"""Embeddings in two dimensions: what a student's look like on the axes of its teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from replicate.plotting import COLOURS, MARKERS, NORMAL, Frame, sheet, short, wrapped
from replicate.report.figures.parts import Part
from replicate.store.record import Run
from replicate.training.loop import embed

READING = (
    "Every mark is an utterance of test, placed by the two main components (PCA) of the first panel's embeddings; per "
    "cent: how much of a panel's own variance lies along them."
)


@dataclass(frozen=True)
class Projection:
    """Two main axes of some embeddings.

    Shapes:
        centre: (d,); axes: (2, d), orthonormal.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of(cls, embeddings: NDArray[np.float64]) -> Projection:
        """Fitted on (N, d)."""
        from sklearn.decomposition import PCA

        # An utterance alone spans nothing; it lies at the centre of any axes.
        if len(embeddings) < 2:
            return cls(embeddings.mean(0), np.eye(2, embeddings.shape[1]))
        # The full solver: the default draws at random where there are many rows.
        fitted = PCA(2, svd_solver="full").fit(embeddings)
        return cls(fitted.mean_, fitted.components_)

    def __call__(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Places (N, 2) of (N, d) on the axes."""
        return (embeddings - self.centre) @ self.axes.T

    def shares(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Which share of the variance of (N, d) lies along each axis: (2,)."""
        total = float(embeddings.var(0).sum())
        return self(embeddings).var(0) / total if total > 0 else np.zeros(2)


def draw(parts: Sequence[Part], frame: Frame) -> Figure:
    """Test embeddings of the first seed of every cell, in the same limits."""
    runs = [part.runs()[0] for part in parts]
    found = [_embeddings(part, run) for part, run in zip(parts, runs, strict=True)]
    projection = Projection.of(found[0])
    figure = sheet(frame, len(parts) * 2.9 + 1.2, 3.1)
    axes = figure.subplots(1, len(parts), sharex=True, sharey=True, squeeze=False)[0]
    for axis, part, run, embeddings in zip(axes, parts, runs, found, strict=True):
        _scatter(axis, projection(embeddings), run.labels("test"), len(part.classes))
        first, second = projection.shares(embeddings)
        axis.set_title(wrapped(part.title, 2.9, NORMAL))
        axis.set_xlabel(f"component 1 ({100 * first:.0f} % of the variance)")
        axis.set_ylabel(f"component 2 ({100 * second:.0f} % of the variance)")
    marks = [Line2D([], [], label=short(name), **_mark(number, 0)) for number, name in enumerate(parts[0].classes)]
    axes[-1].legend(
        handles=marks, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, handletextpad=0.1, borderaxespad=0
    )
    return figure


def _embeddings(part: Part, run: Run) -> NDArray[np.float64]:
    """(N, d) on test, of the run of the first seed."""
    campaign, table = part.campaign, part.result.table
    spec = campaign.spec(table, part.row, campaign.seeds[0])
    corpus = campaign.corpus_of(table)
    tensor = embed(run.model(), run.scaling(), spec, corpus, split="test", context=part.context)
    return tensor.double().numpy()


def _scatter(axis: Axes, places: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> None:
    for number in range(classes):
        x, y = places[labels == number].T
        axis.plot(x, y, **_mark(number, len(places)))
    axis.grid(color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)


def _mark(number: int, among: int) -> dict[str, Any]:
    """Hollow, and smaller among many, so that those below stay visible."""
    return {
        "linestyle": "",
        "marker": MARKERS[number % len(MARKERS)],
        "color": COLOURS[number % len(COLOURS)],
        "markerfacecolor": "none",
        "markersize": 4 if among < 400 else 2.5,
        "markeredgewidth": 0.7 if among < 400 else 0.5,
    }
