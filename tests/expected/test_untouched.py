"""A folder that nobody altered agrees with itself, whatever its tables hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from replicate.expected import choose
from replicate.results.aggregate import TableResult
from tests import cells
from tests.expected.conftest import expected_file, result, write
from tests.hostile import NAME, TEXT
from tests.report import builders


def hostile(published_for: str) -> TableResult:
    """Names that mean something to LaTeX, HTML, CSV or Markdown, or with letters that LaTeX's fonts lack."""
    names = (builders.NASTY, NAME, "*", "[4, 7]", "0.5 ± 0.1", "-1", "=x")
    rows = {
        name: {"A": cells.cell([0.5 + i / 64, 0.625]), "AV": cells.cell([0.25, 0.5])} for i, name in enumerate(names)
    }
    of = builders.table(rows=names, compare=())
    made = replace(result(), table=of, rows=rows, comparisons=(), notes=(TEXT, NAME))
    return replace(made, published_for=published_for)


def unmeasured(*names: str, **why: dict[str, object]) -> TableResult:
    """A table of which some rows have no scores."""
    made = result()
    rows = {name: {} if name in names else found for name, found in made.rows.items()}
    return replace(made, rows=rows, comparisons=(), baselines={} if len(names) > 1 else made.baselines, **why)  # type: ignore[arg-type]


def one_seed() -> TableResult:
    """A table of one seed, which has no deviations."""
    made = result((24,))
    rows = {
        name: {context: cells.cell([cell.values[0]]) for context, cell in found.items()}
        for name, found in made.rows.items()
    }
    return replace(made, rows=rows, comparisons=())


CASES: dict[str, Callable[[], TableResult]] = {
    "hostile names": lambda: hostile(""),
    "hostile names with published numbers": lambda: hostile("release"),
    "a failed row": lambda: unmeasured("plain", failed={"plain": "diverged: loss 12 at epoch 3"}),
    "a row without its stream": lambda: unmeasured("plain", needs={"plain": ("hubert-second-to-last",)}),
    "no measured row": lambda: unmeasured("plain", "a | b [4, 7]"),
    "one seed": one_seed,
}


@pytest.mark.parametrize("case", CASES)
def test_it_agrees(case, tmp_path):
    folder = write(tmp_path / "made", CASES[case]())
    report = choose.check(folder, expected_file(folder, tmp_path))
    assert [each.words for each in report.findings if each.status in ("FAIL", "missing")] == []
