"""Load the files of tables; a table may start from another one and add rows to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from replicate.config import folders, privileged
from replicate.config.toml import known, section, sections
from replicate.errors import InvalidDefinition


@dataclass(frozen=True)
class UnbuiltRow:
    """A row as it is written in its file.

    Attributes:
        table: name of the table whose file has the row.
        where: file and number of the row, for messages.
    """

    table: str
    where: str
    content: dict[str, Any]


@dataclass(frozen=True)
class TableFile:
    """A table as it is written in its file, with the keys and rows of the table that it is ``like``.

    Attributes:
        where: the file, for messages.
        content: all keys except ``rows`` and ``like``.
    """

    where: str
    content: dict[str, Any]
    rows: list[UnbuiltRow]


def load(name: str, letters: str = privileged.PAPER, above: tuple[str, ...] = ()) -> TableFile:
    """Return the content of a table's file, added to that of the table that it is ``like``.

    New rows and comparisons are added; any other key replaces the inherited one. A table that adds to a
    table of the paper may have rows without published values, and ``replicate run all`` leaves it out.

    Args:
        letters: of the privileged streams.
        above: the tables that inherit from this one through ``like``, to find circles.

    Raises:
        InvalidDefinition: the file cannot be read, or tables are like each other in a circle.
    """
    file = folders.table_file(name)
    if name in above:
        raise InvalidDefinition(f"{file.where}, key 'like': tables in a circle: {' <- '.join([*above, name])}")
    content = privileged.filled(section(file.content, file.where), letters, file.where)
    listed = sections(content.pop("rows", []), f"{file.where}, rows")
    rows = [UnbuiltRow(name, f"{file.where}, row {number}", each) for number, each in enumerate(listed, 1)]
    if "like" not in content:
        return TableFile(file.where, content, rows)
    other = str(content.pop("like"))
    base = load(known(other, folders.table_files(), f"{file.where}, key 'like'", "table"), letters, (*above, name))
    if isinstance(base.content.get("compare"), list) and isinstance(content.get("compare"), list):
        content["compare"] = [*base.content["compare"], *content["compare"]]
    inherited = base.content | {"in_paper": False, "extra": True}
    return TableFile(file.where, inherited | content, [*base.rows, *rows])


def rows_with_own_arm(letters: str = privileged.PAPER) -> dict[str, set[str]]:
    """Return the tables that have a row of their own which defines its arm in place, by the name of the row."""
    found: dict[str, set[str]] = {}
    for name, file in folders.all_tables().items():
        rows = privileged.filled(file.content.get("rows", []), letters, file.where)
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("arm"), dict):
                found.setdefault(str(row.get("name")), set()).add(name)
    return found
