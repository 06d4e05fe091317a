"""Tables, read from one TOML file each; the tables of the paper are in ``tables/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from replicate.config import folders, table_files
from replicate.config.arms import arm_in_row, arm_name, arms
from replicate.config.privileged import PAPER, needed
from replicate.config.protocols import mixed_protocol, protocol
from replicate.config.table_files import UnbuiltRow
from replicate.config.toml import build, known
from replicate.errors import InvalidDefinition, UnknownTable
from replicate.files import LONGEST_NAME
from replicate.limits import MOST
from replicate.suggest import choices
from replicate.training.config import CONTEXTS, Arm, Protocol


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        name: unique in the table; in tables of the paper, the paper's name.
        arm: what is trained.
        contexts: contexts that are shown; by default all of the arm's that the table has.
        published, published_std: weighted F1 by context, and its deviation where the paper gives one.
        from_other: settings that the row takes from the table's ``other`` protocol, such as ``masking.unit``.
        overrides: settings of the protocol that the row sets, such as ``hubert.projection=none``.
        feed_forward: width of the hidden layers in the context extractor, by default that of the profile.
        teacher_feed_forward: the same for its teachers.
        withheld: whether the row needs a privileged stream, and the table has none (``--privileged none``).
        comparable: whether the row's streams are those that its published values were measured with.
    """

    name: str
    arm: Arm
    contexts: tuple[str, ...] = ()
    published: dict[str, float] = field(default_factory=dict)
    published_std: dict[str, float] = field(default_factory=dict)
    from_other: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    feed_forward: int | None = None
    teacher_feed_forward: int | None = None
    withheld: bool = False
    comparable: bool = True


@dataclass(frozen=True)
class Companion:
    """Another table, whose rows of the same names are printed in columns next to this table's."""

    table: str
    title: str


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        source: where values were published, or "not in the paper".
        leave_out: dialogues that are not used, if the corpus has them.
        compare: pairs of cells, "row/context", whose difference is tested.
        protocol: the protocol of all rows, whatever ``--protocol`` says; rows may override settings of it.
        other: a second protocol, from which rows may take settings.
        in_paper: whether every cell must have a published value.
        cost: the row whose training time is the unit of all others' times; without it times are not shown.
        arms_of: names of other tables, each of whose arms becomes a row, once, under its own name.
        resources: whether the table shows what each model needs, at inference and with ``cost`` in training.
        edges: whether the learned weights of DMD's edges are shown.
        deployments: whether the table shows F1 on dev and test, latency, size and memory of its models as exported
            files, in 32 and in 8 bits.
        extra: whether ``replicate run all`` leaves the table out.
        notes: sentences printed below the table.
        privileged: letters of the privileged streams, which ``{P}`` stands for in its file; empty for none.
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
    arms_of: tuple[str, ...] = ()
    resources: bool = False
    edges: bool = False
    deployments: bool = False
    extra: bool = False
    notes: tuple[str, ...] = ()
    privileged: str = PAPER

    def protocol_of(self, row: Row, asked: Protocol) -> Protocol:
        """Return the protocol of one row: ``asked``, the user's choice, unless the table sets its own."""
        if not self.protocol:
            return asked
        return mixed_protocol(
            self.protocol, self.other, row.from_other, row.overrides, f"table {self.name}, row {row.name!r}"
        )


def table_names() -> list[str]:
    """Return the names of all tables, those of the paper first.

    Raises:
        InvalidDefinition: two files of one name.
    """
    return sorted(folders.table_files(), key=lambda name: (not name.startswith("table"), name))


def table(name: str, privileged: str = PAPER) -> Table:
    """Return the table of that name, checked against arms, protocols and other tables.

    Args:
        privileged: letters of the privileged streams; empty for none, and then names are the paper's.

    Raises:
        UnknownTable: no such file.
        InvalidDefinition: an unknown key, arm, context, row or setting, or a missing published value; the message names
            the file and the key.
    """
    names = table_names()
    if name not in names:
        raise UnknownTable(f"no table {name!r}: {choices(name, names)}")
    file = table_files.load(name, privileged)
    rows: list[Row] = []
    known_arms = arms(privileged)
    in_place = any(isinstance(unbuilt.content.get("arm"), dict) for unbuilt in file.rows)
    in_rows = table_files.rows_with_own_arm(privileged) if in_place else {}
    for unbuilt in file.rows:
        arm = _arm(unbuilt, known_arms, in_rows, privileged)
        row = _row(unbuilt, arm, file.content.get("contexts", ()), {row.name for row in rows}, privileged)
        rows.append(row)
    also = folders.TABLE_KEYS
    found = build(Table, file.content, file.where, also, name=name, rows=tuple(rows), privileged=privileged)
    others = _rows_of_others(found, file.where)
    found = replace(found, rows=(*rows, *(row for row, _ in others)))
    _check(found, [*(unbuilt.where for unbuilt in file.rows), *(place for _, place in others)], file.where)
    return found


def companion_table(found: Table) -> Table:
    """Return the companion table of a table: only rows that both have, in the contexts that both show."""
    assert found.companion is not None
    other = table(found.companion.table, found.privileged)
    names = {row.name: row for row in found.rows}
    rows = (
        replace(row, contexts=tuple(c for c in names[row.name].contexts if c in row.arm.contexts))
        for row in other.rows
        if row.name in names
    )
    return replace(other, rows=tuple(rows), compare=())


def _rows_of_others(found: Table, where: str) -> list[tuple[Row, str]]:
    """Return a row for every arm of the tables in ``arms_of`` that has a context of this table; and its place."""
    others: dict[str, tuple[Row, str]] = {}
    for other in found.arms_of:
        place = f"{where}, arms_of, {other}"
        known(other, [name for name in table_names() if name != found.name], f"{where}, arms_of", "table")
        source = table(other, found.privileged)
        if source.protocol:
            raise InvalidDefinition(f"{place}: its rows have a protocol of their own, which this table would not use")
        for row in source.rows:
            contexts = tuple(context for context in found.contexts if context in row.arm.contexts)
            if contexts and row.arm.name not in {*others, *(own.name for own in found.rows)}:
                named = replace(row, name=row.arm.name, contexts=contexts, published={}, published_std={})
                others[named.name] = (named, place)
    return list(others.values())


def _row(unbuilt: UnbuiltRow, arm: Arm, contexts: object, above: set[str], privileged: str) -> Row:
    """Build one row; by default it is shown in the contexts that its arm and the table share."""
    where = unbuilt.where
    content = {key: value for key, value in unbuilt.content.items() if key != "arm"}
    special = needed(arm.required_streams)
    withheld, comparable = special and not privileged, not special or privileged == PAPER
    row = build(Row, content, where, arm=arm, withheld=withheld, comparable=comparable)
    if row.name in above:
        raise InvalidDefinition(f"{where}: there is a row {row.name!r} above already")
    for context in (*row.contexts, *row.published, *row.published_std):
        known(context, arm.contexts, where, "context of the arm")
    if not row.contexts and isinstance(contexts, list):
        row = replace(row, contexts=tuple(context for context in contexts if context in arm.contexts))
    return row


def _arm(unbuilt: UnbuiltRow, known_arms: dict[str, Arm], in_rows: Mapping[str, set[str]], privileged: str) -> Arm:
    """Return the arm of a row, which names it or defines it in place; ``in_rows``: see ``rows_with_own_arm``."""
    for key in unbuilt.content:
        known(key, Row.__dataclass_fields__, unbuilt.where, "key")
    if "arm" not in unbuilt.content:
        raise InvalidDefinition(f"{unbuilt.where}: key 'arm' is missing")
    value = unbuilt.content["arm"]
    if not isinstance(value, dict):
        return known_arms[arm_name(str(value)[:LONGEST_NAME], known_arms, unbuilt.where)]
    name = unbuilt.content.get("name")
    if not isinstance(name, str):
        raise InvalidDefinition(f"{unbuilt.where}: key 'name' is missing, or not a text")
    if name in known_arms or in_rows.get(name, set()) - {unbuilt.table}:
        name = f"{unbuilt.table}: {name}"
    return arm_in_row(name, value, f"{unbuilt.where}, arm", privileged)


def _check(found: Table, places: list[str], where: str) -> None:
    """Check a table against its rows and everything that it names."""
    if not found.rows:
        raise InvalidDefinition(f"{where}: a table needs [[rows]], or arms_of")
    for context in found.contexts:
        known(context, CONTEXTS, where, "context")
    for row, place in zip(found.rows, places, strict=True):
        _check_published(row, found, f"{place} ({row.name})")
    cells = [f"{row.name}/{context}" for row in found.rows for context in row.contexts]
    for pair in found.compare:
        for cell in pair:
            known(cell, cells, f"{where}, compare", "cell")
    if found.companion is not None:
        others = [other for other in table_names() if other != found.name]
        known(found.companion.table, others, f"{where}, companion", "table")
    if found.cost:
        known(found.cost, [row.name for row in found.rows], f"{where}, cost", "row")
    for key, name in (("protocol", found.protocol), ("other", found.other)):
        if name:
            protocol(known(name, folders.sections("protocols"), f"{where}, {key}", "protocol"))
    for row in found.rows:
        _check_protocol(row, found, f"{where}, row {row.name!r}")
        _check_widths(row, f"{where}, row {row.name!r}")
    if found.other and not any(row.from_other for row in found.rows):
        raise InvalidDefinition(f"{where}: other is for rows with from_other, and there is none")


def _check_protocol(row: Row, table: Table, where: str) -> None:
    """Check that the row's settings make a protocol."""
    if row.from_other and not (table.protocol and table.other):
        raise InvalidDefinition(f"{where}: from_other needs the table's protocol and other")
    if row.overrides and not table.protocol:
        raise InvalidDefinition(f"{where}: overrides need the table's protocol")
    if table.protocol:
        mixed_protocol(table.protocol, table.other, row.from_other, row.overrides, where)


def _check_widths(row: Row, where: str) -> None:
    """Check the widths of feed-forward layers."""
    arms_of = {"feed_forward": (row.arm,), "teacher_feed_forward": row.arm.with_teachers[1:]}
    for key, of in arms_of.items():
        width = getattr(row, key)
        if width is None:
            continue
        if width < 1:
            raise InvalidDefinition(f"{where}: {key} = {width} must be 1 or more")
        if width > MOST:
            raise InvalidDefinition(f"{where}: {key} = {width} must be at most {MOST:,}")
        if not any(arm.context == "transformer" for arm in of):
            raise InvalidDefinition(f"{where}: {key} has no effect, because no arm that it is for has a transformer")


def _check_published(row: Row, table: Table, where: str) -> None:
    """Check the contexts of a row, and its published values."""
    if not row.contexts or len(set(row.contexts)) < len(row.contexts):
        raise InvalidDefinition(f"{where}: its contexts are empty, or one repeats")
    for context in row.published_std:
        known(context, row.published, where, "context with a published value")
    for context in (*row.contexts, *row.published):
        known(context, table.contexts, where, "context of the table")
    for value in (*row.published.values(), *row.published_std.values()):
        if not 0 <= value <= 1:
            raise InvalidDefinition(f"{where}: published {value} must be an F1 score between 0 and 1")
    if not table.in_paper:
        return
    for context in row.contexts:
        if context not in row.published:
            raise InvalidDefinition(
                f"{where}: the published value for {context} is missing; add it, leave the context out of the "
                "row's contexts, or set in_paper = false"
            )
