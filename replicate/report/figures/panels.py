"""The panels of a figure with the runs that they show, and the sentences on the conditions of these runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from replicate.config.figures import Drawing, Panel
from replicate.config.tables import Row
from replicate.experiment.completed import CompletedRuns
from replicate.report import deployments, text
from replicate.results.aggregate import Cell, TableResult
from replicate.results.deployments import Deployment
from replicate.store.run import Run


@dataclass(frozen=True)
class PanelRuns:
    """One panel and the runs of the cell that it shows.

    Attributes:
        prefix: for figures of the kind "logged", see ``replicate.config.figures.Panel``.
        across, series: for figures of the kind "scatter", what is on the horizontal axis, and the name of the series.
    """

    title: str
    completed: CompletedRuns
    result: TableResult
    row: Row
    context: str
    prefix: str = ""
    across: PanelRuns | None = None
    series: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the corpus's order, which every figure keeps."""
        return self.completed.plan.corpus.labels

    @property
    def cell(self) -> Cell:
        """The table's cell."""
        return self.result.rows[self.row.name][self.context]

    @property
    def deployments(self) -> list[Deployment]:
        """What the row's models are as exported files; empty if that was not measured."""
        return [each for each in deployments.measured(self.result) if each.row == self.row.name]

    def runs(self) -> list[Run]:
        """Return the runs of the cell, seed by seed."""
        return self.completed.of_row(self.result.table, self.row)


def find(drawing: Drawing, completed: CompletedRuns, results: Mapping[str, TableResult]) -> list[PanelRuns] | None:
    """Return the panels of a figure, or None if a table, a row or a measurement that it shows is not there."""
    found = []
    for panel in drawing.panels:
        shown = _shown(panel, panel.cell, completed, results)
        across = _shown(panel, panel.across, completed, results) if panel.across else None
        if shown is None or (panel.across and across is None):
            return None
        if drawing.kind == "front" and not shown.deployments:
            return None
        found.append(replace(shown, across=across))
    return found


def _shown(panel: Panel, cell: str, completed: CompletedRuns, results: Mapping[str, TableResult]) -> PanelRuns | None:
    """Return the runs of a panel's cell, or None if they are not there."""
    table, name, context = panel.split(cell)
    if table not in results or not results[table].rows[name]:
        return None
    row = next(row for row in results[table].table.rows if row.name == name)
    return PanelRuns(panel.title, completed, results[table], row, context, panel.prefix, series=panel.series)


def conditions(panels: Sequence[PanelRuns], first_seed: bool) -> str:
    """Return corpus, protocol, profile and seeds in words; ``first_seed``: the figure shows the first seed alone."""
    results = [panel.result for panel in panels]
    protocols = " and ".join(dict.fromkeys(result.protocol for result in results))
    seeds = results[0].seeds
    folds = f", {len(results[0].folds)} folds" if results[0].folds else ""
    which = f"seed {seeds[0]} alone" if first_seed else f"n = {text.count(len(seeds))}{folds}"
    which += ", the first fold" if first_seed and folds else ""
    notes = dict.fromkeys(note for result in results for note in result.notes)
    profile = f"profile {results[0].profile}{text.privileged(results[0].table.privileged)}"
    measured = f"Measured on {results[0].corpus}, protocol {protocols}, {profile}, {which}."
    return " ".join([measured, *text.sentences(notes)])


def source(drawing: Drawing) -> str:
    """Return where the paper shows the figure, and on which corpus."""
    if not drawing.source:
        return "This figure is not in the paper."
    return f"Published: {drawing.source}, measured on {text.PUBLISHED_ON}."
