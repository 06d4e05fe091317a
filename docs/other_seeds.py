"""Table 2 trained with other seeds: do its differences lie in the intervals of the first ones? A block of a page."""

from __future__ import annotations

import csv
from pathlib import Path

from docs.entries import measurements
from replicate import grids

RESULTS = Path(__file__).parent / "results"
FOLDER = "other-seeds"


def table() -> str:
    """Return every comparison with its interval and the difference of the other seeds, and how many lie inside."""
    lines, inside = [], 0
    for measurement in measurements():
        if measurement.out != FOLDER:
            continue
        repeated = _differences(measurement.folder)
        first = _differences(measurement.folder.removeprefix(f"{FOLDER}/"))
        for cells, other in repeated.items():
            low, high = float(first[cells]["ci95_low"]), float(first[cells]["ci95_high"])
            value = float(other["difference"])
            is_inside = low <= value <= high
            inside += is_inside
            earlier = f"{float(first[cells]['difference']):+.3f} [{low:+.3f}, {high:+.3f}]"
            corpus = measurement.folder.split("/")[1]
            lines.append([corpus, *cells, earlier, f"{value:+.3f}", "yes" if is_inside else "no"])
    titles = ["corpus", "first", "second", "seeds 24 to 33 [95 % interval]", "other seeds", "inside"]
    return "\n".join([*grids.markdown(titles, lines, left=3), "", f"{inside} of {len(lines)} lie inside.", ""])


def _differences(folder: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the lines of Table 2 in a folder's ``comparisons.csv``, by the two cells that they compare."""
    with (RESULTS / folder / "comparisons.csv").open(encoding="utf-8", newline="") as file:
        return {(line["first"], line["second"]): line for line in csv.DictReader(file) if line["table"] == "table2"}
