"""Lay a table that was trained in several ways side by side: ``compare_paths.py TARGET LABEL=TABLE.json ...``.

The first is what the others are compared with, seed by seed.
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from replicate.files import write_text


def compared(ways: dict[str, dict[str, Any]]) -> str:
    """The comparison of tables by label, as Markdown."""
    cells = {
        label: {(row["row"], name): cell for row in table["rows"] for name, cell in row["cells"].items()}
        for label, table in ways.items()
    }
    first, *others = ways
    table = ways[first]
    seeds = ", ".join(map(str, table["seeds"]))
    lines = [
        f"# {table['table']} trained in {len(ways)} ways",
        "",
        f"Weighted F1 on test, {table['corpus']['name']}, profile {table['profile']}, seeds {seeds}: mean ± deviation.",
        "",
        f"| model | inference | {' | '.join(ways)} |",
        "|---|---|" + "---:|" * len(ways),
    ]
    for case in cells[first]:
        shown = [f"{found[case]['mean']:.3f} ± {found[case]['std']:.3f}" for found in cells.values()]
        lines.append(f"| {case[0]} | {case[1]} | {' | '.join(shown)} |")
    lines.append("")
    for label in others:
        pairs = [(cells[label][case], cells[first][case]) for case in cells[first]]
        mean = statistics.fmean(one["mean"] - other["mean"] for one, other in pairs)
        apart = max(abs(one["mean"] - other["mean"]) / other["std"] for one, other in pairs)
        same = sum(a == b for one, other in pairs for a, b in zip(one["values"], other["values"], strict=True))
        of = sum(len(one["values"]) for one, _ in pairs)
        lines.append(
            f"- {label}: {mean:+.4f} on average; means at most {apart:.2f} deviations apart; {same} of {of} scores are "
            "the same."
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    target, *given = sys.argv[1:]
    split = (way.partition("=") for way in given)
    found = {label: json.loads(Path(path).read_text(encoding="utf-8")) for label, _, path in split}
    write_text(Path(target), compared(found))
