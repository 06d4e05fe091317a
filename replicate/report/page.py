"""One HTML page with everything about a campaign; it needs no network, no script and no other file."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicate.files import write_text
from replicate.report import claims, text
from replicate.results.aggregate import TableResult
from replicate.results.claims import JudgedClaim

if TYPE_CHECKING:
    from replicate.report.figures import Figure
    from replicate.report.types import Outputs

_TEMPLATE = "page.html.j2"
# A drawing of many thousand points is larger as SVG than as PNG, and the page carries every figure inside.
_LARGEST_SVG = 300_000


@dataclass(frozen=True)
class Grid:
    """A table as texts.

    Attributes:
        kinds: for every column what it holds, as classes of the style sheet.
    """

    titles: list[str]
    kinds: list[str]
    lines: list[list[str]]


def write(outputs: Outputs, figures: Sequence[Figure], manifest: Mapping[str, Any]) -> Path:
    """Write ``index.html`` beside the tables and return its path.

    Raises:
        DiskFull, CannotWrite: naming the file; a page that stood there before is untouched.
    """
    path = outputs.folder / "index.html"
    write_text(path, html(outputs, figures, manifest))
    return path


def html(outputs: Outputs, figures: Sequence[Figure], manifest: Mapping[str, Any]) -> str:
    """The page as text."""
    # Imported here, so that commands which write no page do not pay for it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # corpora, rows and notes may bear any name
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(_TEMPLATE).render(
        manifest=manifest,
        banner=_banner(outputs.results, manifest["corpus"]["notes"]),
        counts=_counts(outputs.judged),
        claims=_claims(outputs.judged),
        claim_conditions=claims.conditions(outputs.rule, outputs.results[0]),
        tables=[_table(result) for result in outputs.results],
        figures=[
            {"name": each.name, "title": each.title, "caption": each.caption, "source": _embedded(each)}
            for each in figures
        ],
        conditions=_conditions(manifest),
        versions=[(name, version or "not installed") for name, version in manifest["versions"].items()],
    )


def _banner(results: Sequence[TableResult], notes: Sequence[str]) -> tuple[str, list[str]] | None:
    """What must be known before any number is read: title and sentences; None where there is nothing to say."""
    sentences = [note[0].upper() + note[1:] + "." for note in notes]
    if any(cell.verdict for result in results for row in result.rows.values() for cell in row.values()):
        return ("About this corpus", sentences) if sentences else None
    if any(result.table.in_paper for result in results):
        sentences.append(
            f"Published numbers are of {text.PUBLISHED_ON}, not of this corpus: they stand beside the measured ones "
            "for orientation only, and no verdict is given against them."
        )
    return ("No replication of the published scores", sentences) if sentences else None


def _counts(judged: Sequence[JudgedClaim]) -> list[tuple[str, int]]:
    """How many claims came out how, in words."""
    found: Counter[str] = Counter(claim.outcome or "incomplete" for claim in judged)
    always = ("reproduced", "contradicted", "undecided")
    return [(word, found[word]) for word in (*always, "incomplete") if word in always or found[word]]


def _claims(judged: list[JudgedClaim]) -> list[dict[str, Any]]:
    """Every claim with the lines of its statements, as ``claims.lines`` writes them."""
    lines = iter(claims.lines(judged))
    found = []
    for claim in judged:
        own = [next(lines) for _ in claim.statements]
        # One title is empty in the terminal, where a statement reads on across the columns.
        grid = Grid(
            [title or "relation" for title in claims.HEADER[2:]],
            ["name", "name", "name", "measured", "", "paper", "verdict"],
            [line[2:] for line in own],
        )
        found.append(
            {
                "number": claim.claim.number,
                "text": own[0][0].removeprefix(f"{claim.claim.number}. "),
                "words": own[0][1],
                "outcome": claim.outcome or "incomplete",
                "grid": grid,
            }
        )
    return found


def _table(result: TableResult) -> dict[str, Any]:
    titles = text.header(result)
    width = (len(titles) - 2) // len(result.table.contexts)
    kinds = ["name", ""] + [_kind(title) + (" group" if i % width == 0 else "") for i, title in enumerate(titles[2:])]
    compared = Grid(text.COMPARISON_HEADER, ["name", "name", "measured", "", ""], text.comparisons(result))
    return {
        "name": result.table.name,
        "heading": text.heading(result),
        "grid": Grid(titles, kinds, text.body(result)),
        "conditions": text.conditions(result),
        "compared": compared if result.comparisons else None,
        "compared_conditions": text.comparison_conditions(result),
        "costs": Grid(text.cost_header(result), ["name", "measured", "", ""], text.costs(result))
        if result.costs
        else None,
        "cost_conditions": text.COST_CONDITIONS,
    }


def _kind(title: str) -> str:
    if title == "verdict":
        return "verdict"
    return "paper" if title.startswith(f"{text.PUBLISHED_ON}, paper") else "measured"


def _embedded(figure: Figure) -> str | None:
    """The drawing as a data URI, None where its files have gone."""
    if figure.svg.is_file() and figure.svg.stat().st_size <= _LARGEST_SVG:
        path, kind = figure.svg, "svg+xml"
    elif figure.png.is_file():
        path, kind = figure.png, "png"
    else:
        return None
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode('ascii')}"


def _conditions(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What decided the numbers, and on what machine they came about."""
    machine = manifest["machine"]
    return [
        ("tables", ", ".join(manifest["tables"])),
        ("corpus", manifest["corpus"]["name"]),
        ("corpus hash", manifest["corpus"]["hash"]),
        ("protocol", manifest["protocol"]),
        ("profile", manifest["profile"]),
        ("seeds", ", ".join(map(str, manifest["seeds"]))),
        ("runs", str(len(manifest["runs"]))),
        ("device", f"{manifest['device']}, {manifest['jobs']} at a time"),
        ("wall time", f"{_duration(manifest['wall_seconds'])} in the last call"),
        ("training time", f"{_duration(manifest['training_seconds'])}, all runs added up"),
        ("processor", f"{machine['processor'] or 'unknown'}, {machine['cores']} cores"),
        ("system", machine["system"]),
    ]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"
