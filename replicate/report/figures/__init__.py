"""Figures of a finished campaign, as PNG and SVG.

matplotlib is imported by ``write`` alone: what draws nothing does not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from replicate.config import figures as definitions
from replicate.experiment.campaign import Campaign
from replicate.files import atomic_path
from replicate.report.figures import parts
from replicate.results.aggregate import TableResult


@dataclass(frozen=True)
class Figure:
    """One figure that was drawn.

    Attributes:
        title: says on which corpus it was measured.
        caption: what it shows, under which conditions, and what the corpus's notes say.
    """

    name: str
    title: str
    caption: str
    png: Path
    svg: Path


def write(campaign: Campaign, results: list[TableResult]) -> list[Figure]:
    """Draw into ``figures/`` what can be drawn of the campaign's tables, in the order of ``figures.toml``.

    A figure is left out where one of its tables is not among ``results``, or one of its rows lacks a stream. The
    same runs give the same bytes.

    Raises:
        InvalidDefinition: in ``figures.toml``. CorruptRun: a run is missing. DiskFull, CannotWrite: naming the file.
    """
    by_name = {result.table.name: result for result in results}
    wanted = [(drawing, parts.find(drawing, campaign, by_name)) for drawing in definitions.load()]
    return [_write(drawing, found, campaign.folder / "figures") for drawing, found in wanted if found is not None]


def _write(drawing: definitions.Drawing, found: list[parts.Part], folder: Path) -> Figure:
    from replicate import plotting as canvas
    from replicate.report.figures import classes, confusion, curves, embedding, terms

    kinds = {"confusion": confusion, "curves": curves, "classes": classes, "embedding": embedding, "logged": terms}
    kind = kinds[drawing.kind]
    title = f"{drawing.title} ({found[0].result.corpus})"
    footer = f"{kind.READING} {parts.conditions(found, first_seed=drawing.kind == 'embedding')}"
    with canvas.style(drawing.name):
        content = canvas.render(kind.draw(found, canvas.Frame(title, footer)))
    png, svg = folder / f"{drawing.name}.png", folder / f"{drawing.name}.svg"
    # Both or none: the second is made before the first takes its place.
    with atomic_path(png) as first, atomic_path(svg) as second:
        first.write_bytes(content["png"])
        second.write_bytes(content["svg"])
    return Figure(drawing.name, title, f"{drawing.caption} {parts.origin(drawing)} {footer}", png, svg)
