"""The section of a table's report that shows DMD's learned edge weights under their priors."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from replicate.report import text
from replicate.report.types import Column, Grid, Section
from replicate.results.aggregate import TableResult
from replicate.results.edges import EdgeWeight, times_largest

# The edges that dominate in Figure 13 of DMD.
FIGURE_13 = ("text to audio", "text to visual")
CONDITIONS = (
    "Edge weights are means over the training utterances in the last epoch, mean ± sample deviation over runs. "
    "Those of an utterance sum to 1 within a graph. Learned weights are pulled towards their prior where there is one. "
    "Last column: in how many runs the edges from text to audio and to visual are the two largest (DMD's Figure 13)."
)


def section(result: TableResult) -> Section:
    """Return the weights of all edges."""
    return Section("Edge weights", grid(result.edges), [CONDITIONS])


def grid(edges: Sequence[EdgeWeight]) -> Grid:
    """Return one line for a graph's prior, and one for what was learned."""
    names = list(dict.fromkeys(each.edge for each in edges))
    lines = []
    for (row, graph), group in groupby(edges, lambda each: (each.row, each.graph)):
        weights = {each.edge: each for each in group}
        priors = [
            text.MISSING if each is None or each.prior is None else f"{each.prior:.3f}"
            for each in map(weights.get, names)
        ]
        lines.append([row, graph, "prior", *priors, ""])
        lines.append(
            [row, graph, "learned", *(_learned(weights.get(name)) for name in names), _largest([*weights.values()])]
        )
    columns = [Column("model", "name"), Column("graph", "name"), Column("weight", "name")]
    columns += [*(Column(name, "measured") for name in names), Column("from text largest")]
    return Grid(tuple(columns), lines)


def _learned(weight: EdgeWeight | None) -> str:
    if weight is None:
        return text.MISSING
    return f"{weight.mean:.3f}" + ("" if weight.std is None else f" ± {weight.std:.3f}")


def _largest(weights: list[EdgeWeight]) -> str:
    times = times_largest(weights, FIGURE_13)
    return text.MISSING if times is None else f"{times} of {len(weights[0].values)}"
