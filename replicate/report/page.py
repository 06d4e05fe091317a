"""One HTML page with all results of a folder; it needs no network, no script and no other file."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate import escape
from replicate.experiment.manifest import Manifest
from replicate.files import write_text
from replicate.report import claims, sections, text
from replicate.report.types import Grid
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim
from replicate.results.outcomes import OUTCOMES

if TYPE_CHECKING:
    from replicate.report.figures import Figure
    from replicate.report.types import Outputs

_TEMPLATE = "page.html.j2"
# Figures are embedded in the page. One with thousands of points is smaller as PNG than as SVG.
_LARGEST_SVG = 300_000


def write(outputs: Outputs, figures: Sequence[Figure], manifest: Manifest) -> Path:
    """Write ``index.html`` to the results folder and return its path.

    Raises:
        DiskFull, CannotWrite: naming the file; an earlier page is left as it was.
    """
    path = outputs.folder / "index.html"
    write_text(path, html(outputs, figures, manifest))
    return path


def html(outputs: Outputs, figures: Sequence[Figure], manifest: Manifest) -> str:
    """Return the page."""
    # Imported here because most commands write no page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names of corpora and rows, and notes, may contain HTML
        finalize=_on_one_line,  # or control characters
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(
        manifest=manifest,
        banner=_banner(outputs.results, manifest.corpus.notes),
        counts=_counts(outputs.judged),
        claims=_claims(outputs.judged),
        claims_heading=claims.heading(outputs.results[0]),
        claim_conditions=claims.conditions(outputs.rule, outputs.results[0]),
        tables=[_table(result) for result in outputs.results],
        figures=[
            {"name": each.name, "title": each.title, "caption": each.caption, "source": _embedded(each)}
            for each in figures
        ],
        conditions=_conditions(manifest),
        versions=[(name, version or "not installed") for name, version in manifest.versions.items()],
    )


def _on_one_line(value: object) -> object:
    return escape.line(value) if type(value) is str else value


def _banner(results: Sequence[TableResult], notes: Sequence[str]) -> tuple[str, list[str]] | None:
    """Return title and sentences of the warning at the top of the page; None if there is nothing to warn about."""
    sentences = text.sentences(notes)
    if results[0].control:
        return (f"Self-test on the {results[0].control} control", sentences)
    if any(map(sections.has_verdicts, results)):
        return ("About this corpus", sentences) if sentences else None
    if any(result.table.in_paper for result in results):
        other = "splits" if results[0].published_for == "release" else "features"
        sentences.append(
            f"Published numbers were measured on {text.PUBLISHED_ON} "
            + (
                f"with other {other}: they are shown for orientation only, without a verdict."
                if results[0].published_for
                else "and are not shown here."
            )
        )
    return ("No replication of the published scores", sentences) if sentences else None


def _counts(judged: Sequence[JudgedClaim]) -> list[tuple[str, int]]:
    """Return the number of claims by outcome."""
    found: Counter[str] = Counter(claim.outcome or "incomplete" for claim in judged)
    always: tuple[str, ...] = OUTCOMES[judged[0].control if judged else ""]
    return [(word, found[word]) for word in (*always, "incomplete") if word in always or found[word]]


def _claims(judged: Sequence[JudgedClaim]) -> list[dict[str, Any]]:
    """Return all claims, each with the table of its statements."""
    return [
        {
            "number": claim.claim.number,
            "text": claim.claim.text,
            "words": claims.outcome(claim),
            "mark": _mark(claim),
            "grid": _grid(claims.statements(claim)),
        }
        for claim in judged
    ]


def _mark(claim: JudgedClaim) -> str:
    """Return the name of the style of a claim's outcome, which decides its colour and sign."""
    if claim.outcome is None:
        return "incomplete"
    good, bad, _ = OUTCOMES[claim.control]
    return {good: "good", bad: "bad"}.get(claim.outcome, "incomplete" if claim.control else "neutral")


def _table(result: TableResult) -> dict[str, Any]:
    """Return the sections of a table: the page shows the scores, the other sections can be opened."""
    first, *others = sections.sections(result)
    return {
        "name": result.table.name,
        "heading": first.title,
        "grid": _grid(first.grid),
        "notes": first.notes,
        "others": [{"title": each.title, "grid": _grid(each.grid), "notes": each.notes} for each in others],
    }


def _grid(grid: Grid) -> dict[str, Any]:
    """Return titles, lines, and the CSS classes of every column."""
    classes = [f"{column.kind} group" if column.starts_group else column.kind for column in grid.columns]
    return {"titles": grid.titles, "classes": classes, "lines": grid.lines}


def _embedded(figure: Figure) -> str | None:
    """Return the figure as a data URI, None if its files are missing."""
    if figure.svg.is_file() and figure.svg.stat().st_size <= _LARGEST_SVG:
        path, kind = figure.svg, "svg+xml"
    elif figure.png.is_file():
        path, kind = figure.png, "png"
    else:
        return None
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _conditions(manifest: Manifest) -> list[tuple[str, str]]:
    """Return settings and machine of the runs, by name."""
    machine = manifest.machine
    return [
        ("tables", ", ".join(manifest.tables)),
        ("corpus", manifest.corpus.name),
        ("corpus hash", manifest.corpus.hash),
        ("protocol", manifest.protocol),
        ("profile", manifest.profile),
        ("privileged streams", manifest.privileged or "the corpus's default"),
        ("seeds", ", ".join(map(str, manifest.seeds))),
        *([("folds", ", ".join(manifest.test_splits))] if manifest.folds else []),
        ("runs", str(len(manifest.runs))),
        ("device", f"{manifest.device}, {manifest.jobs} at a time"),
        ("wall time", f"{_duration(manifest.wall_seconds)} in the last command"),
        ("training time", f"{_duration(manifest.training_seconds)}, sum of all runs"),
        ("processor", f"{machine.processor or 'unknown'}, {machine.cores} cores"),
        ("system", machine.system),
        ("code", manifest.revision),
        *([("builds", ", ".join(map(" ".join, manifest.builds.items())))] if manifest.builds else []),
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
