"""What a figure is drawn from: the runs of its cells, and the words that say under which conditions they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from replicate.config.figures import Drawing
from replicate.config.tables import Row
from replicate.experiment.campaign import Campaign
from replicate.report.text import PUBLISHED_ON
from replicate.results.aggregate import Cell, TableResult
from replicate.store.record import Run


@dataclass(frozen=True)
class Part:
    """One panel and what it shows."""

    title: str
    campaign: Campaign
    result: TableResult
    row: Row
    context: str
    terms: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the corpus's order, which is that of every figure."""
        return self.campaign.corpus.labels

    @property
    def cell(self) -> Cell:
        """The cell as the table has it."""
        return self.result.rows[self.row.name][self.context]

    def runs(self) -> list[Run]:
        """Its runs, seed by seed."""
        return self.campaign.runs(self.result.table, self.row)


def find(drawing: Drawing, campaign: Campaign, results: Mapping[str, TableResult]) -> list[Part] | None:
    """The panels of a figure, None where a table was not asked for or a row lacks a stream."""
    found = []
    for panel in drawing.panels:
        table, name, context = panel.split()
        if table not in results or name in results[table].needs:
            return None
        row = next(row for row in results[table].table.rows if row.name == name)
        found.append(Part(panel.title, campaign, results[table], row, context, panel.prefix))
    return found


def conditions(parts: Sequence[Part], first_seed: bool) -> str:
    """On what and how the runs were made; a figure that shows the first seed alone says so."""
    results = [part.result for part in parts]
    protocols = " and ".join(dict.fromkeys(result.protocol for result in results))
    seeds = results[0].seeds
    which = f"seed {seeds[0]} alone" if first_seed else f"n = {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
    notes = dict.fromkeys(note for result in results for note in result.notes)
    return " ".join(
        [
            f"Measured on {results[0].corpus}, protocol {protocols}, profile {results[0].profile}, {which}.",
            *(f"{note[0].upper()}{note[1:]}." for note in notes),
        ]
    )


def origin(drawing: Drawing) -> str:
    """Where the paper shows the figure, and on which corpus."""
    if not drawing.source:
        return "This figure is not in the paper."
    return f"Published: {drawing.source}, measured on {PUBLISHED_ON}."
