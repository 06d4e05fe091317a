"""Table 2 trained with other seeds: do its differences lie in the intervals of the first ones? A block of a page."""

from __future__ import annotations

import csv
from pathlib import Path

from docs.entries import measurements
from replicate import grids
from replicate.expected.lines import read_scores
from replicate.expected.make import difference
from replicate.expected.tolerance import tolerance
from replicate.metrics import DEFAULT

RESULTS = Path(__file__).parent / "results"
FOLDER = "other-seeds"


def table() -> str:
    """Return every comparison with its interval and the difference of the other seeds, and how many lie inside.

    The interval of a comparison is also about other test dialogues; the prediction interval is about other seeds alone.
    """
    lines, inside, predicted = [], 0, 0
    for measurement in measurements():
        if measurement.out != FOLDER:
            continue
        folder = measurement.folder.removeprefix(f"{FOLDER}/")
        first, scores = _differences(folder), read_scores(RESULTS / folder / "scores.csv")
        for cells, other in _differences(measurement.folder).items():
            low, high = float(first[cells]["ci95_low"]), float(first[cells]["ci95_high"])
            earlier, value = float(first[cells]["difference"]), float(other["difference"])
            _, deviation, n = difference(*cells, "table2", scores, DEFAULT)
            half = tolerance(deviation, n)
            is_inside, is_predicted = low <= value <= high, half is not None and abs(value - earlier) <= half
            inside, predicted = inside + is_inside, predicted + is_predicted
            words = [f"{earlier:+.3f} [{low:+.3f}, {high:+.3f}]", f"{value:+.3f}", ["no", "yes"][is_inside]]
            words += ["–" if half is None else f"± {half:.3f}", ["no", "yes"][is_predicted]]
            lines.append([folder.split("/")[0], *cells, *words])
    titles = ["corpus", "first", "second", "seeds 24 to 33 [95 % interval]", "other seeds", "inside"]
    titles += ["for seeds alone", "inside"]
    closing = f"{inside} of {len(lines)} lie inside the interval, {predicted} inside that for seeds alone."
    return "\n".join([*grids.markdown(titles, lines, left=3), "", closing, ""])


def _differences(folder: str) -> dict[tuple[str, str], dict[str, str]]:
    """Return the lines of Table 2 in a folder's ``comparisons.csv``, by the two cells that they compare."""
    with (RESULTS / folder / "comparisons.csv").open(encoding="utf-8", newline="") as file:
        return {(line["first"], line["second"]): line for line in csv.DictReader(file) if line["table"] == "table2"}
