"""A table's numbers, computed from saved predictions alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Literal

from replicate.config.requirements import lacking
from replicate.config.tables import Row, Table
from replicate.corpus.catalogue import is_iemocap4
from replicate.corpus.types import Control, Corpus
from replicate.frames import frame
from replicate.metrics import DEFAULT
from replicate.metrics import metric as named
from replicate.results.cell import Cell, RowRuns
from replicate.results.deployments import Deployments
from replicate.results.edges import EdgeWeight
from replicate.results.estimate import Estimate, estimate
from replicate.results.resources import Resources
from replicate.results.statistics import holm
from replicate.results.timings import Timings
from replicate.store.run import Run

if TYPE_CHECKING:
    import pandas

# The corpus that the paper's numbers are of: the release itself, or the same dialogues with other features or another
# selection of utterances. Empty for any other corpus.
PublishedFor = Literal["", "release", "features"]


@dataclass(frozen=True)
class Comparison:
    """Two cells of one table.

    Attributes:
        first, second: "row/context".
        difference: first - second.
        p: two-sided. p_holm: corrected for all comparisons of the table.
    """

    first: str
    second: str
    difference: Estimate
    p: float | None
    p_holm: float | None


@dataclass(frozen=True)
class Cost:
    """Training time of an arm in seconds of one process: medians over seeds.

    Attributes:
        teachers: time for its frozen teachers, each counted once.
    """

    own: float
    teachers: float


@dataclass(frozen=True)
class TableResult:
    """The numbers of a table; cells by row name and context.

    Attributes:
        companion: cells of another table's rows of the same name.
        needs: rows that could not be trained, and the streams that the corpus lacks for them.
        costs: by row name, where the table shows them.
        resources: what the row's model needs at inference, by row name, where the table shows it.
        timings: times of these models, where they were measured.
        deployments: what the rows' models are as exported files, where that was measured.
        labels: class names, in the order of ``Cell.by_class``.
        failed: rows whose training failed, and why: kind of the error, message and plugin.
        metric: what the cells and comparisons are of.
        edges: weights of DMD's edges, where the table shows them.
        folds: names of the folds, in their order; empty for the splits of the corpus.
        baselines: cells of the baselines on the same splits by name and context, see ``replicate.results.baselines``.
        divided: how the folds were made, see ``replicate.corpus.folds``; "" without any.
        published_for: whether published numbers are of this corpus; see ``shows_published``.
        control: what the corpus is a control of, see ``Corpus.control``.
    """

    table: Table
    corpus: str
    corpus_hash: str
    notes: tuple[str, ...]
    profile: str
    protocol: str
    seeds: tuple[int, ...]
    rows: Mapping[str, Mapping[str, Cell]]
    companion: Mapping[str, Mapping[str, Cell]]
    needs: Mapping[str, tuple[str, ...]]
    comparisons: tuple[Comparison, ...]
    costs: Mapping[str, Cost] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    metric: str = DEFAULT
    folds: tuple[str, ...] = ()
    divided: str = ""
    baselines: Mapping[str, Mapping[str, Cell]] = field(default_factory=dict)
    resources: Mapping[str, Resources] = field(default_factory=dict)
    timings: Timings | None = None
    deployments: Deployments | None = None
    edges: tuple[EdgeWeight, ...] = ()
    published_for: PublishedFor = ""
    control: Control = ""

    def __repr__(self) -> str:
        setting = f"corpus {self.corpus}, profile {self.profile}, protocol {self.protocol}"
        folds = f" in {len(self.folds)} folds" if self.folds else ""
        return f"TableResult({self.table.name}, {setting}, {len(self.seeds)} seeds{folds}, {len(self.rows)} rows)"

    @property
    def runs_per_cell(self) -> int:
        """Number of runs behind a cell: seeds by folds."""
        return len(self.seeds) * max(1, len(self.folds))

    @property
    def shows_published(self) -> bool:
        """Whether published numbers are shown: they are weighted F1 on IEMOCAP-4, and shown next to nothing else."""
        return bool(self.published_for) and self.metric == DEFAULT

    def of(self, metric: str) -> TableResult:
        """Return the same table under another metric, its comparisons computed anew.

        Raises:
            InvalidArgument: there is no such metric.
        """
        named(metric, self.labels)
        if metric == self.metric:
            return self
        rows, companion, simple = (_under(each, metric) for each in (self.rows, self.companion, self.baselines))
        return replace(
            self,
            rows=rows,
            companion=companion,
            baselines=simple,
            comparisons=compared(self.table, rows),
            metric=metric,
        )

    def to_pandas(self, metric: str = "") -> pandas.DataFrame:
        """Return a data frame with a line per cell: row, context, mean, std (None with one seed), n, paper's numbers.

        The baselines come last. The paper's numbers are None where they are not of this corpus.

        Args:
            metric: one of ``replicate.metrics.METRICS`` or "f1:<class>"; "" takes that of the table.

        Raises:
            InvalidArgument: there is no such metric. MissingExtra: pandas is not installed.
        """
        result = self.of(metric) if metric else self
        rows = {**result.rows, **result.baselines}
        known = bool(self.published_for)
        found = [(row, context, cell) for row, cells in rows.items() for context, cell in cells.items()]
        return frame(
            {
                "row": [row for row, _, _ in found],
                "context": [context for _, context, _ in found],
                "mean": [cell.summary.mean for _, _, cell in found],
                "std": [cell.summary.std for _, _, cell in found],
                "n": [cell.summary.n for _, _, cell in found],
                "ci95_low": [(cell.summary.ci95 or (None, None))[0] for _, _, cell in found],
                "ci95_high": [(cell.summary.ci95 or (None, None))[1] for _, _, cell in found],
                "published": [cell.published if known else None for _, _, cell in found],
                "published_std": [cell.published_std if known else None for _, _, cell in found],
                "verdict": [cell.verdict for _, _, cell in found],
            }
        )

    def cell(self, name: str) -> Cell | None:
        """Return the cell "row/context"; None if its row could not be trained."""
        row, _, context = name.rpartition("/")
        return self.rows[row].get(context)


def published_for(corpus: Corpus) -> PublishedFor:
    """Return whether the paper's numbers are of a corpus."""
    if corpus.published:
        return "release"
    return "features" if is_iemocap4(corpus) and not corpus.control else ""


def cells(
    rows: Sequence[Row], corpus: Corpus, runs_of: Callable[[Row], RowRuns | None], metric: str = DEFAULT
) -> tuple[dict[str, dict[str, Cell]], dict[str, tuple[str, ...]]]:
    """Return the cells of all rows by name and context, and the streams that rows need and the corpus lacks.

    ``runs_of`` gives the runs of a row, or None where it has no cells.
    """
    found: dict[str, dict[str, Cell]] = {}
    needs = lacking(rows, corpus)
    for row in rows:
        runs = None if row.name in needs else runs_of(row)
        # The published numbers were measured on the splits of the corpus.
        found[row.name] = {} if runs is None else _cells(runs, row, corpus.published and runs.folds == 1, metric)
    return found, needs


def _cells(runs: RowRuns, row: Row, comparable: bool, metric: str) -> dict[str, Cell]:
    return {
        context: Cell.of_runs(
            runs,
            context,
            row.published.get(context),
            row.published_std.get(context),
            comparable and row.comparable,
            metric,
        )
        for context in row.contexts
    }


def _under(rows: Mapping[str, Mapping[str, Cell]], metric: str) -> dict[str, dict[str, Cell]]:
    return {row: {context: cell.of(metric) for context, cell in cells.items()} for row, cells in rows.items()}


def compared(table: Table, rows: Mapping[str, Mapping[str, Cell]]) -> tuple[Comparison, ...]:
    """Return the table's comparisons of which both cells exist, with p values corrected for their number."""
    found = []
    for names in table.compare:
        first, second = (rows[name.rpartition("/")[0]].get(name.rpartition("/")[2]) for name in names)
        if first is not None and second is not None:
            found.append((names, estimate([(first, 1.0), (second, -1.0)])))
    p_values = [difference.p() for _, difference in found]
    return tuple(
        Comparison(*names, difference, p, p_holm)
        for (names, difference), p, p_holm in zip(found, p_values, holm(p_values), strict=True)
    )


def cost(runs: Sequence[Run], teachers: Sequence[Sequence[Run]]) -> Cost:
    """Return the training time of a row's runs, and of the runs of each of its teachers, seed by seed."""
    return Cost(_seconds(runs), sum(map(_seconds, teachers)))


def _seconds(runs: Sequence[Run]) -> float:
    return median(run.record.seconds for run in runs)
