"""Feature streams that rows need and a corpus lacks. Such rows are shown as missing; the other rows are trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from replicate.config.tables import Row, Table
from replicate.corpus.types import Corpus
from replicate.errors import MissingStream
from replicate.training.arm import Arm, is_audio

# Stands for the privileged streams of a row where none is chosen.
PRIVILEGED = "privileged"


def lacking(rows: Iterable[Row], corpus: Corpus) -> dict[str, tuple[str, ...]]:
    """Return the rows that cannot be trained, by name, with the streams that the corpus lacks for them.

    A row that needs a privileged stream where none is chosen lacks the stream ``privileged``.
    """
    found = {row.name: _lacking(row, corpus) for row in rows}
    return {row: streams for row, streams in found.items() if streams}


def _lacking(row: Row, corpus: Corpus) -> tuple[str, ...]:
    streams = row.arm.required_streams
    if not row.withheld:
        return tuple(name for name in streams if name not in corpus.widths)
    return (*(name for name in streams if is_audio(name) and name not in corpus.widths), PRIVILEGED)


def check_streams(arm: Arm, privileged: str) -> None:
    """Refuse an arm that needs a privileged stream where none is chosen.

    Raises:
        MissingStream: naming the streams.
    """
    needs = [name for name in arm.required_streams if not is_audio(name)]
    if needs and not privileged:
        raise MissingStream(
            f"arm {arm.name} needs {words(needs)}, and no stream is privileged: choose one with --privileged"
        )


def trainable(table: Table, corpus: Corpus) -> bool:
    """Return whether the corpus has the streams of at least one row."""
    return len(lacking(table.rows, corpus)) < len(table.rows)


def parted(tables: Sequence[Table], corpus: Corpus) -> tuple[tuple[Table, ...], tuple[Table, ...]]:
    """Return the tables of which some row can be trained, and the others.

    Raises:
        MissingStream: no row of any table can be trained.
    """
    kept = tuple(table for table in tables if trainable(table, corpus))
    without = tuple(table for table in tables if table not in kept)
    if without and not kept:
        raise MissingStream(
            f"corpus {corpus.name} has only the streams {', '.join(corpus.widths)}, with which no row of "
            f"{' or '.join(table.name for table in tables)} can be trained: it lacks {words(_all(tables, corpus))}"
        )
    return kept, without


def remarks(kept: Iterable[Table], without: Iterable[Table], corpus: Corpus) -> list[str]:
    """Return a line for every table of which some rows cannot be trained."""
    lines = []
    for table in kept:
        rows = lacking(table.rows, corpus)
        if rows:
            lines.append(f"{table.name}: {len(rows)} of {len(table.rows)} rows need {words(_all([table], corpus))}")
    return lines + [f"{table.name}: left out, its rows need {words(_all([table], corpus))}" for table in without]


def words(streams: Sequence[str]) -> str:
    """Return streams in words: ``the hubert stream``, ``the audio and visual streams``, ``a privileged stream``."""
    if PRIVILEGED in streams:
        rest = tuple(name for name in streams if name != PRIVILEGED)
        return f"{words(rest)} and a {PRIVILEGED} stream" if rest else f"a {PRIVILEGED} stream"
    *others, last = streams
    return f"the {', '.join(others)} and {last} streams" if others else f"the {last} stream"


def _all(tables: Iterable[Table], corpus: Corpus) -> tuple[str, ...]:
    """Return the streams that the corpus lacks for any row of the tables, each once."""
    rows = (streams for table in tables for streams in lacking(table.rows, corpus).values())
    return tuple(dict.fromkeys(name for streams in rows for name in streams))
