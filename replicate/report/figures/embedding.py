"""Embeddings in two dimensions: a student's embeddings on the principal axes of its teacher's."""

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
from replicate.report.figures.panels import PanelRuns
from replicate.store.run import Run

HOW_TO_READ = (
    "Every mark is a test utterance, projected onto the first two principal components of the first panel's "
    "embeddings; percentages: the share of a panel's own variance along each component."
)


@dataclass(frozen=True)
class Projection:
    """The first two principal axes of a set of embeddings.

    Shapes:
        centre: (d,); axes: (2, d), orthonormal.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def of(cls, embeddings: NDArray[np.float64]) -> Projection:
        """Fit the axes to embeddings (N, d)."""
        from sklearn.decomposition import PCA

        # A single utterance has no variance; it is at the centre of any axes.
        if len(embeddings) < 2:
            return cls(embeddings.mean(0), np.eye(2, embeddings.shape[1]))
        # The full solver: the default one is randomised if there are many utterances.
        fitted = PCA(2, svd_solver="full").fit(embeddings)
        return cls(fitted.mean_, fitted.components_)

    def __call__(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the coordinates (N, 2) of embeddings (N, d)."""
        return (embeddings - self.centre) @ self.axes.T

    def shares(self, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the share of the variance of embeddings (N, d) along each axis: (2,)."""
        total = float(embeddings.var(0).sum())
        return self(embeddings).var(0) / total if total > 0 else np.zeros(2)


def draw(panels: Sequence[PanelRuns], frame: Frame) -> Figure:
    """Draw the test embeddings of the first seed of every cell, with the same limits."""
    runs = [panel.runs()[0] for panel in panels]
    found = [_embeddings(panel, run) for panel, run in zip(panels, runs, strict=True)]
    projection = Projection.of(found[0])
    figure = sheet(frame, len(panels) * 2.9 + 1.2, 3.1)
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    for axis, panel, run, embeddings in zip(axes, panels, runs, found, strict=True):
        _scatter(axis, projection(embeddings), run.labels("test"), len(panel.classes))
        first, second = projection.shares(embeddings)
        axis.set_title(wrapped(panel.title, 2.9, NORMAL))
        axis.set_xlabel(f"component 1 ({100 * first:.0f} % of the variance)")
        axis.set_ylabel(f"component 2 ({100 * second:.0f} % of the variance)")
    marks = [Line2D([], [], label=short(name), **_mark(number, 0)) for number, name in enumerate(panels[0].classes)]
    axes[-1].legend(
        handles=marks, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, handletextpad=0.1, borderaxespad=0
    )
    return figure


def _embeddings(panel: PanelRuns, run: Run) -> NDArray[np.float64]:
    """Return the test embeddings (N, d) of one run."""
    from replicate.training.inference import embed  # imports torch, which all other figures do without

    plan, table = panel.completed.plan, panel.result.table
    spec = plan.spec(table, panel.row, plan.seeds[0])
    corpus = plan.corpora_of(table)[0]
    tensor = embed(run.model(), run.scaling(), spec, corpus, split="test", context=panel.context)
    return tensor.double().numpy()


def _scatter(axis: Axes, places: NDArray[np.float64], labels: NDArray[np.int64], classes: int) -> None:
    for number in range(classes):
        x, y = places[labels == number].T
        axis.plot(x, y, **_mark(number, len(places)))
    axis.grid(color="0.9", linewidth=0.5)
    axis.set_axisbelow(True)


def _mark(number: int, among: int) -> dict[str, Any]:
    """Return a marker style: hollow, and small if there are many, so that overlapping marks stay visible."""
    return {
        "linestyle": "",
        "marker": MARKERS[number % len(MARKERS)],
        "color": COLOURS[number % len(COLOURS)],
        "markerfacecolor": "none",
        "markersize": 4 if among < 400 else 2.5,
        "markeredgewidth": 0.7 if among < 400 else 0.5,
    }
