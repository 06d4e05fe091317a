"""The learned weights of DMD's edges, from what its runs have logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from replicate.store.run import Run

GRAPHS = ("homo", "hetero")


@dataclass(frozen=True)
class EdgeWeight:
    """The weight of one edge in the last epoch of a row's runs.

    Attributes:
        graph: "homo" or "hetero". edge: "SOURCE to TARGET".
        prior: the edge's prior weight, None without a prior.
        values: mean weight over the training utterances, by run.
    """

    row: str
    graph: str
    edge: str
    prior: float | None
    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over runs."""
        return mean(self.values)

    @property
    def std(self) -> float | None:
        """Sample deviation over runs, None for one."""
        return stdev(self.values) if len(self.values) > 1 else None


def edge_weights(runs: Mapping[str, Sequence[Run]]) -> tuple[EdgeWeight, ...]:
    """Return the weights of all edges of all rows; a row whose method has no edges has none.

    Args:
        runs: of each row, by its name.
    """
    found = []
    for row, of_row in runs.items():
        last = [run.record.curve[-1].logged for run in of_row]
        for graph in GRAPHS:
            prefix = f"{graph} edge "
            for name in last[0] if last else ():
                if name.startswith(prefix):
                    edge = name.removeprefix(prefix)
                    prior = last[0].get(f"{graph} prior {edge}")
                    found.append(EdgeWeight(row, graph, edge, prior, tuple(logged[name] for logged in last)))
    return tuple(found)


def times_largest(weights: Sequence[EdgeWeight], edges: Sequence[str]) -> int | None:
    """Return in how many runs these edges are the largest of one graph; None if the graph lacks one of them."""
    chosen = [each.values for each in weights if each.edge in edges]
    others = [each.values for each in weights if each.edge not in edges]
    if len(chosen) != len(edges) or not others:
        return None
    least, most = zip(*chosen, strict=True), zip(*others, strict=True)
    return sum(min(ours) > max(theirs) for ours, theirs in zip(least, most, strict=True))
