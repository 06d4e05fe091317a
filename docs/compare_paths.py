"""Compare a table that was trained in several ways: ``compare_paths.py TARGET LABEL=TABLE.json ...``.

Writes the Markdown of docs/results/training/{bf16,stack}.md, see measured.toml. Every table is compared with the first
one, seed by seed.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from replicate.files import write_text
from replicate.grids import markdown

Cells = dict[tuple[str, str], dict[str, Any]]
WAYS = tuple(Path(__file__).parent / "results" / "training" / f"{name}.md" for name in ("stack", "bf16"))
SELF_TEST = "Generated features, a self-test: these scores say nothing about the paper."


def compare(tables: dict[str, dict[str, Any]]) -> str:
    """Return the comparison as Markdown; ``tables`` are contents of table JSON files by label."""
    cells: dict[str, Cells] = {
        label: {(row["row"], context): cell for row in table["rows"] for context, cell in row["cells"].items()}
        for label, table in tables.items()
    }
    first, *others = tables
    about = tables[first]
    lines = [
        [*case, *(f"{cells[label][case]['mean']:.3f} ± {cells[label][case]['std']:.3f}" for label in tables)]
        for case in cells[first]
    ]
    text = [
        f"# {about['table']} trained in {len(tables)} ways",
        "",
        f"Weighted F1 on test, {about['corpus']['name']}, profile {about['profile']}, seeds "
        f"{', '.join(map(str, about['seeds']))}: mean ± deviation.",
        "",
        *([SELF_TEST, ""] if about["corpus"]["control"] else []),
        *markdown(["model", "inference", *tables], lines, left=2),
        "",
        *(f"- {label}: {_differences(cells[label], cells[first])}" for label in others),
    ]
    return "\n".join(text) + "\n"


def summaries() -> str:
    """Return the last lines of both pages, as a block of another page."""
    lines = [line for path in WAYS for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("- ")]
    return "\n".join(["", *lines, "", ""])


def _differences(these: Cells, first: Cells) -> str:
    """Summarise the differences between the cells of two tables, in F1 and in standard deviations of the first."""
    pairs = [(these[case], first[case]) for case in first]
    mean = statistics.fmean(one["mean"] - other["mean"] for one, other in pairs)
    deviations = max(abs(one["mean"] - other["mean"]) / other["std"] for one, other in pairs)
    same = [a == b for one, other in pairs for a, b in zip(one["values"], other["values"], strict=True)]
    return (
        f"{mean:+.4f} on average; means at most {deviations:.2f} deviations apart; {sum(same)} of {len(same)} scores "
        "are the same."
    )


if __name__ == "__main__":
    target, *given = sys.argv[1:]
    labelled = [way.partition("=") for way in given]
    found = {label: json.loads(Path(path).read_text(encoding="utf-8")) for label, _, path in labelled}
    write_text(Path(target), compare(found))
