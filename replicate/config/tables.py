"""Tables and profiles, read from ``tables/*.toml``. All of the experiment is data there, none here."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from replicate.config import toml
from replicate.config.arms import arms
from replicate.config.protocols import mixed_protocol, protocol
from replicate.config.toml import build, choices, folder, known, read, section, sections
from replicate.errors import BadSeeds, InvalidDefinition, UnknownTable
from replicate.training.config import CONTEXTS, Arm, Budget, Protocol

__all__ = [
    "Companion",
    "Profile",
    "Row",
    "Table",
    "companion_table",
    "folder",
    "parse_seeds",
    "profile",
    "protocol",
    "table",
    "table_names",
]

_NOT_TABLES = {"arms", "protocols", "profiles", "claims", "figures", "sweep"}


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        name: the paper's name for it.
        arm: what is trained.
        contexts: in which it is shown; all of the arm's that the table has, if none are given.
        published, published_std: weighted F1 by context, and its deviation where the paper gives one.
        from_other: settings that the row takes from the table's ``other`` protocol, such as ``masking.unit``.
        overrides: settings of the protocol that the row sets, such as ``hubert.projection=none``.
    """

    name: str
    arm: Arm
    contexts: tuple[str, ...] = ()
    published: dict[str, float] = field(default_factory=dict)
    published_std: dict[str, float] = field(default_factory=dict)
    from_other: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Companion:
    """Another table; its rows of the same name are printed in columns next to this one's."""

    table: str
    title: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        leave_out: dialogues that are not used, where a corpus has them.
        compare: pairs of cells, "row/context", whose difference is tested.
        protocol: the protocol of all rows, whatever ``--protocol`` says; rows may override settings of it.
        other: a second protocol, from which rows may take settings.
        in_paper: whether every cell must have a published value.
        cost: the row whose time to train that of all others is counted in; empty where it is not shown.
        extra: whether ``replicate run all``, the paper's tables and ``protocol``, leaves it out.
        notes: sentences printed below the table.
    """

    name: str
    title: str
    source: str
    contexts: tuple[str, ...]
    rows: tuple[Row, ...]
    leave_out: tuple[str, ...] = ()
    compare: tuple[tuple[str, str], ...] = ()
    companion: Companion | None = None
    protocol: str = ""
    other: str = ""
    in_paper: bool = True
    cost: str = ""
    extra: bool = False
    notes: tuple[str, ...] = ()

    def protocol_of(self, row: Row, asked: Protocol) -> Protocol:
        """The protocol of one row: ``asked``, the user's choice, unless the table sets its own."""
        if not self.protocol:
            return asked
        return mixed_protocol(
            self.protocol, self.other, row.from_other, row.overrides, f"{self.name}.toml, row {row.name!r}"
        )


@dataclass(frozen=True)
class Profile:
    """How much work: a default corpus, seeds, a training budget."""

    name: str
    corpus: str
    seeds: tuple[int, ...]
    budget: Budget


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        InvalidDefinition: unknown, or its section is not well-formed.
    """
    profiles = read("profiles")
    where = f"profiles.toml [{known(name, profiles, 'profiles.toml', 'profile')}]"
    content = section(profiles[name], where)
    own = {key: content.pop(key) for key in ("corpus", "seeds") if key in content}
    found = build(Profile, own, where, name=name, budget=build(Budget, content, where))
    if not found.seeds or len(set(found.seeds)) < len(found.seeds):
        raise InvalidDefinition(f"{where}: seeds are none, or repeat")
    budget = found.budget
    if min(budget.epochs, budget.batch, budget.feed_forward) < 1 or min(found.seeds) < 0:
        raise InvalidDefinition(f"{where}: epochs, batch and feed_forward must be 1 at least, seeds 0 at least")
    if not 0 < budget.learning_rate < math.inf or not 0 <= budget.weight_decay < math.inf:
        raise InvalidDefinition(f"{where}: learning_rate must be above 0, weight_decay 0 at least")
    return found


def table_names() -> list[str]:
    """Names that ``table`` knows, those of the paper first."""
    names = sorted(path.stem for path in folder().glob("*.toml") if path.stem not in _NOT_TABLES)
    return sorted(names, key=lambda name: not name.startswith("table"))


def table(name: str) -> Table:
    """The table of that name, checked against the arms.

    Raises:
        UnknownTable: no such file. InvalidDefinition: an unknown key, arm, context, row or setting, a missing
            published cell.
    """
    if name not in table_names():
        raise UnknownTable(f"no table {name!r}: {choices(name, table_names())}")
    where = f"{name}.toml"
    content = read(name)
    rows: list[Row] = []
    found_arms = arms()
    contexts = toml.section(content, where).get("contexts", ())
    for number, each in enumerate(sections(content.pop("rows", []), f"{where}, rows"), 1):
        rows.append(_row(each, contexts, found_arms, f"{where}, row {number}", [row.name for row in rows]))
    found = build(Table, content, where, name=name, rows=tuple(rows))
    if not rows:
        raise InvalidDefinition(f"{where}: a table needs [[rows]]")
    for context in found.contexts:
        known(context, CONTEXTS, where, "context")
    for number, row in enumerate(rows, 1):
        _check_published(row, found, f"{where}, row {number} ({row.name})")
    cells = [f"{row.name}/{context}" for row in rows for context in row.contexts]
    for pair in found.compare:
        for cell in pair:
            known(cell, cells, f"{where}, compare", "cell")
    if found.companion is not None:
        known(
            found.companion.table, [other for other in table_names() if other != name], f"{where}, companion", "table"
        )
    if found.cost:
        known(found.cost, [row.name for row in rows], f"{where}, cost", "row")
    for row in rows:
        _check_protocol(row, found, f"{where}, row {row.name!r}")
    if found.other and not any(row.from_other for row in rows):
        raise InvalidDefinition(f"{where}: other is for rows with from_other, and there is none")
    return found


def companion_table(found: Table) -> Table:
    """The companion table: only rows that ``found`` has as well, in the contexts that both have."""
    assert found.companion is not None
    other = table(found.companion.table)
    names = {row.name: row for row in found.rows}
    rows = (
        replace(row, contexts=tuple(c for c in names[row.name].contexts if c in row.arm.contexts))
        for row in other.rows
        if row.name in names
    )
    return replace(other, rows=tuple(rows), compare=())


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from "24,25,26", or as many as a single number says, from 24 on (the released code's seed).

    Raises:
        BadSeeds: no numbers, negative, repeated, or none.
    """
    advice = "give numbers with commas, such as 24,25,26, or a single count, such as 5"
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise BadSeeds(f"seeds {text!r} are not all whole numbers of a sane size: {advice}")
    numbers = tuple(int(part) for part in parts)
    if len(numbers) == 1 and "," not in text:
        numbers = tuple(range(24, 24 + numbers[0])) if numbers[0] <= 1000 else ()
    if not numbers or len(set(numbers)) < len(numbers):
        raise BadSeeds(f"seeds {text!r} are none, too many, or repeat: {advice}")
    return numbers


def _row(content: dict[str, object], contexts: object, found: dict[str, Arm], where: str, above: list[str]) -> Row:
    """One row; its contexts are those it is shown in."""
    name = content.pop("arm", None)
    if name is None:
        raise InvalidDefinition(f"{where}: key 'arm' is missing")
    arm = found[known(str(name), found, where, "arm")]
    row = build(Row, content, where, arm=arm)
    if row.name in above:
        raise InvalidDefinition(f"{where}: there is a row {row.name!r} above already")
    for context in (*row.contexts, *row.published, *row.published_std):
        known(context, arm.contexts, where, "context of the arm")
    if not row.contexts and isinstance(contexts, list):
        row = build(Row, content | {"contexts": [c for c in contexts if c in arm.contexts]}, where, arm=arm)
    return row


def _check_protocol(row: Row, table: Table, where: str) -> None:
    if row.from_other and not (table.protocol and table.other):
        raise InvalidDefinition(f"{where}: from_other needs the table's protocol and other")
    if row.overrides and not table.protocol:
        raise InvalidDefinition(f"{where}: overrides need the table's protocol")
    if table.protocol:
        table.protocol_of(row, protocol(table.protocol))


def _check_published(row: Row, table: Table, where: str) -> None:
    if not row.contexts or len(set(row.contexts)) < len(row.contexts):
        raise InvalidDefinition(f"{where}: its contexts are none, or repeat")
    for context in row.published_std:
        known(context, row.published, where, "context with a published value")
    for context in (*row.contexts, *row.published):
        known(context, table.contexts, where, "context of the table")
    for value in (*row.published.values(), *row.published_std.values()):
        if not 0 <= value <= 1:
            raise InvalidDefinition(f"{where}: published {value} is no F1 between 0 and 1")
    if not table.in_paper:
        return
    for context in row.contexts:
        if context not in row.published:
            raise InvalidDefinition(
                f"{where}: the published value for {context} is missing; state it, leave the context out of the "
                "row's contexts, or say in_paper = false"
            )
