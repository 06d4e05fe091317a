"""The distance of every recording from the training, as a table for files and as one line for the screen.

Unlike ``export.distance``, it is not contained in ``predict.py`` of bundles, which prints a note alone.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from export.distance import BEYOND, Distance, warning
from export.output import csv_cell

COLUMNS = ("dialogue", "utterances", "features", "beyond", "deviations", "limit", "far", "farthest")


def to_csv(distances: Mapping[str, Distance]) -> str:
    """Write a row for each dialogue; ``far`` is yes or no, and ``farthest`` names the three farthest features."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, one in distances.items():
        numbers = (one.utterances, one.features, one.beyond, f"{one.deviations:.6f}", f"{one.usual:.6f}")
        writer.writerow([csv_cell(name), *numbers, "yes" if one.far else "no", csv_cell("; ".join(one.farthest))])
    return text.getvalue()


def status(found: Sequence[tuple[str, Distance | None]], metadata: dict[str, Any]) -> str | None:
    """Return one line on the farthest dialogue; None if the distance is not known, or a warning names it.

    Args:
        found: name and distance of each dialogue; None where it is not known.
    """
    measured = [(name, each) for name, each in found if each is not None]
    if not measured or warning(measured, metadata):
        return None
    name, one = max(measured, key=lambda pair: pair[1].deviations / pair[1].usual)
    which = f", dialogue {name[:100]} as the farthest of {len(measured)}" if len(measured) > 1 else ""
    return (
        f"distance from the training{which}: {one.beyond} of {one.features} features beyond {BEYOND} deviations, "
        f"root mean square {one.deviations:.2f} (limit {one.usual:.2f})"
    )
