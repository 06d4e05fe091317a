"""Tables of one or more dialogues: CSV, JSON and TSV, with the same columns."""

from __future__ import annotations

import csv
import io

from export import output
from export.audio.timeline import Timeline


def to_csv(timeline: Timeline) -> str:
    """Write CSV with a row for each utterance; see ``export.output.to_csv``."""
    return output.to_csv(timeline.utterances())


def to_json(timeline: Timeline) -> str:
    """Write JSON with an object for each utterance; see ``export.output.to_json``."""
    return output.to_json(timeline.utterances())


def to_tsv(timeline: Timeline) -> str:
    """Write the same cells as ``to_csv`` with tabs between them; none contains a tab."""
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(csv.reader(io.StringIO(to_csv(timeline))))
    return text.getvalue()
