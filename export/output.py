"""Write predictions as JSON and as CSV, with the letters of any script and nothing that controls a terminal.

``predict.py`` of every bundle contains this module, so it imports nothing else of this package.
"""

import csv
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

# What spreadsheets take for the beginning of a formula, and what they cannot: numbers with spaces between them.
FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NUMBERS = re.compile(r"[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan)(?: [-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|inf|nan))*")


class _Prediction(TypedDict):
    dialogue: str
    utterance: int
    speaker: str
    start: float | None
    end: float | None
    label: str
    probabilities: dict[str, float]


class UtterancePrediction(_Prediction, total=False):
    """One utterance of the JSON output; ``docs/prediction.schema.json`` describes it. CSV has the same columns.

    ``utterance`` counts from 1 in each dialogue; ``start`` and ``end`` are seconds, None where no times are known.
    ``overlap`` is in predictions from recordings only: seconds in which another speaker speaks, too.
    """

    overlap: float


def utterance(
    dialogue: str,
    number: int,
    speaker: str,
    labels: Sequence[str],
    probabilities: Sequence[float] | NDArray[np.float32],
    times: tuple[float, float] | None = None,
    overlap: float | None = None,
) -> UtterancePrediction:
    """Build the output for one utterance: probabilities are rounded to 6 digits, times (start, end) to milliseconds."""
    values = [float(value) for value in probabilities]
    start, end = (None, None) if times is None else (round(times[0], 3), round(times[1], 3))
    found: UtterancePrediction = {
        "dialogue": dialogue,
        "utterance": number,
        "speaker": speaker,
        "start": start,
        "end": end,
        "label": labels[values.index(max(values))],
        "probabilities": {label: round(value, 6) for label, value in zip(labels, values, strict=True)},
    }
    if overlap is not None:
        found["overlap"] = round(overlap, 3)
    return found


def to_json(utterances: Sequence[UtterancePrediction]) -> str:
    """Write predictions as a JSON array with an object for each utterance."""
    return json_text(utterances) + "\n"


def to_csv(utterances: Sequence[UtterancePrediction], header: bool = True) -> str:
    """Write predictions as CSV: a row for each utterance, with a column of probabilities for each label.

    Predictions from recordings have a last column ``overlap``.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        labels = list(utterances[0]["probabilities"]) if utterances else []
        last = ["overlap"] if utterances and "overlap" in utterances[0] else []
        writer.writerow(["dialogue", "utterance", "speaker", "start", "end", "label", *map(csv_cell, labels), *last])
    for one in utterances:
        times = ["" if time is None else f"{time:.3f}" for time in (one["start"], one["end"])]
        values = [f"{value:.6f}" for value in one["probabilities"].values()]
        names = [csv_cell(one[key]) for key in ("dialogue", "speaker", "label")]
        last = [f"{one['overlap']:.3f}"] if "overlap" in one else []
        writer.writerow([names[0], one["utterance"], names[1], *times, names[2], *values, *last])
    return text.getvalue()


def one_line(text: str) -> str:
    """Return text on one line: line ends and wide spaces become spaces, other unprintable characters U+FFFD."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _harmless(c) for c in text)


def _harmless(c: str) -> str:
    return " " if c in "\n\r\t\v\f\x85" or unicodedata.category(c) in ("Zs", "Zl", "Zp") else "\ufffd"


def csv_cell(text: str) -> str:
    """Return text for a CSV file: an apostrophe is put in front of what spreadsheets take for a formula."""
    text = one_line(text)
    formula = text.lstrip().startswith(FORMULA) and not NUMBERS.fullmatch(text)
    return f"'{text}" if formula else text


def json_text(content: Any, indent: int | None = 1) -> str:
    r"""Return JSON in which letters of all scripts stay readable, and unprintable characters are ``\uXXXX``."""
    text = json.dumps(content, indent=indent, ensure_ascii=False)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
