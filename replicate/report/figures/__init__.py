"""Figures of a results folder, as PNG and SVG.

matplotlib is imported by ``write`` alone, because importing it is slow and most commands draw nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replicate.config import figures as definitions
from replicate.experiment.completed import CompletedRuns
from replicate.files import atomic_path
from replicate.report.figures import panels
from replicate.results.aggregate import TableResult


@dataclass(frozen=True)
class Figure:
    """One figure that was drawn.

    Attributes:
        title: the figure's title with the corpus it was measured on.
        caption: what the figure shows, how to read it, under which conditions it was measured, and the corpus's notes.
    """

    name: str
    title: str
    caption: str
    png: Path
    svg: Path


def write(completed: CompletedRuns, results: list[TableResult], folder: Path) -> list[Figure]:
    """Draw the figures of ``figures.toml`` into a folder and return them in the order of the file.

    A figure is left out if one of its tables is not among ``results``, one of its rows could not be trained, or it
    shows exported files that were not measured. The same runs give the same bytes.

    Raises:
        InvalidDefinition: ``figures.toml`` has an error. CorruptRun: a run is missing. DiskFull, CannotWrite: naming
            the file.
    """
    by_name = {result.table.name: result for result in results}
    drawings = definitions.load(completed.plan.privileged)
    wanted = [(drawing, panels.find(drawing, completed, by_name)) for drawing in drawings]
    return [_write(drawing, found, folder) for drawing, found in wanted if found is not None]


def _write(drawing: definitions.Drawing, found: list[panels.PanelRuns], folder: Path) -> Figure:
    from replicate import plotting
    from replicate.report.figures import classes, confusion, curves, embedding, front, logged, scatter

    kind = {
        "confusion": confusion, "curves": curves, "classes": classes, "embedding": embedding, "logged": logged,
        "scatter": scatter, "front": front,
    }[drawing.kind]  # fmt: skip
    title = f"{drawing.title} ({found[0].result.corpus})"
    footer = f"{kind.HOW_TO_READ} {panels.conditions(found, first_seed=drawing.kind == 'embedding')}"
    with plotting.style(drawing.name) as letters:
        content = plotting.render(kind.draw(found, plotting.Frame(title, footer)))
    png, svg = folder / f"{drawing.name}.png", folder / f"{drawing.name}.svg"
    # Both files or none: both are written before either is renamed into place.
    with atomic_path(png) as first, atomic_path(svg) as second:
        first.write_bytes(content["png"])
        second.write_bytes(content["svg"])
    caption = f"{drawing.caption} {panels.source(drawing)} {footer}"
    if letters.numbers.words:
        caption += f" Numbers in the figure: {letters.numbers.legend()}."
    return Figure(drawing.name, title, caption, png, svg)
