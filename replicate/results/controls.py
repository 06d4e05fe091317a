"""Outcomes of claims on a control: a corpus on which is known what can be found.

See ``replicate.corpus.synthetic`` for what the two controls are built for.
"""

from __future__ import annotations

from collections.abc import Sequence

from replicate.config import tables
from replicate.config.claims import Statement
from replicate.config.privileged import PAPER, needed
from replicate.config.tables import Row
from replicate.results.outcomes import Outcome


def of_built(plain: Outcome | None, built: bool) -> Outcome | None:
    """Return the outcome on the positive control of a claim that is built into it or not, from that on data."""
    if plain is None or not built:
        return plain and "not built in"
    return "found as built" if plain == "reproduced" else "missed"


def of_gains(holds: Sequence[bool | None], number: int) -> Outcome | None:
    """Return the outcome on the negative control of a claim of which ``number`` statements are gains.

    Args:
        holds: whether each of those holds that were measured.
    """
    if any(holds):
        return "found although not built in"
    return None if len(holds) < number else "nothing found, as built"


def is_gain(statement: Statement, privileged: str = PAPER) -> bool:
    """Return whether a statement puts a model trained with privileged streams above a model of speech alone."""
    if statement.relation not in ("above", "far above") or len(statement.cells) != 2:
        return False
    first, second = (needed(_row(name, privileged).arm.required_streams) for name, _ in statement.cells)
    return first and not second


def _row(cell: str, privileged: str) -> Row:
    """Return the row of a cell, "table/row/context"."""
    table, _, rest = cell.partition("/")
    name = rest.rpartition("/")[0]
    return next(row for row in tables.table(table, privileged).rows if row.name == name)
