"""What those read who look at the audit chains from outside a login: the sealer, and auditors.

A page at a time, so that neither memory nor a transaction grows with the bank.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, Table, bindparam, select, tuple_

from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL
from sesame.store.begun import BEGUN_COUNTERS
from sesame.store.bulk import find_rows
from sesame.store.cards import CARDS
from sesame.store.errors import FileTampered

Key = tuple[int, str]  # bucket, user code
BEFORE_ALL: Key = (-1, "")


class ChainHead(NamedTuple):
    """Where the access row of a customer says that their chain stands."""

    bucket: int
    user_code: str
    version: int
    head: bytes  # 32 bytes


class ChainLine(NamedTuple):
    """A line of a chain."""

    bucket: int
    user_code: str
    version: int
    line: bytes
    head: bytes  # 32 bytes

    def __repr__(self) -> str:
        return f"ChainLine({self.user_code}, {self.version})"


class LastAtc(NamedTuple):
    """How far a card has come."""

    user_code: str
    card_number: int
    last_atc: int
    since: int  # when the card came
    begun: int | None = None  # the last ATC that it began with, where that is kept


class Opening(NamedTuple):
    """What opens the commitments of a line."""

    salt: bytes  # 16 bytes
    address: str

    def __repr__(self) -> str:
        return "Opening()"


def read_heads(connection: Connection, *, after: Key, most: int) -> list[ChainHead]:
    """The heads of the customers behind the key *after*, in the database's order of keys."""
    query = select(ACCESS.c.bucket, ACCESS.c.user_code, ACCESS.c.version, ACCESS.c.head)
    query = query.where(behind(ACCESS, after), ACCESS.c.enrolled_at.is_not(None))
    query = query.order_by(ACCESS.c.bucket, ACCESS.c.user_code).limit(most)
    return [_chain_head(row) for row in connection.execute(query)]


def find_heads(connection: Connection, keys: Sequence[Key]) -> dict[str, ChainHead]:
    """The heads of the customers at *keys*, by user code; without those who are none."""
    wanted = ("version", "head", "enrolled_at")
    rows = find_rows(connection, ACCESS, ("bucket", "user_code"), wanted, keys)
    return {row[1]: _chain_head(row[:4]) for row in rows if row[4] is not None}


def find_last_atcs(connection: Connection, keys: Sequence[Key]) -> list[LastAtc]:
    """The last ATCs of the cards of the customers at *keys*."""
    of, wanted = ("bucket", "user_code"), ("card_number", "last_atc", "created_at")
    rows = find_rows(connection, CARDS, of, wanted, keys)
    for _, user_code, number, last_atc, since in rows:
        _check_types(number, user_code, last_atc)
        _check_types(since, user_code, last_atc)
    kept = find_rows(connection, BEGUN_COUNTERS, of, ("card_number", "last_atc"), keys)
    for _, user_code, number, begun in kept:
        _check_types(number, user_code, begun)
    begun_at = {(user_code, number): begun for _, user_code, number, begun in kept}
    return [
        LastAtc(user_code, number, last_atc, since, begun_at.get((user_code, number)))
        for _, user_code, number, last_atc, since in rows
    ]


def read_chain_lines(
    connection: Connection, *, after: tuple[int, str, int], last: Key | None, most: int
) -> list[ChainLine]:
    """The lines behind the key *after*, up to those of the customer *last*, in order.

    To the end where *last* is None.
    """
    query = _lines().where(behind(AUDIT_LINES, after))
    if last is not None:
        query = query.where(~behind(AUDIT_LINES, last))
    order = (AUDIT_LINES.c.bucket, AUDIT_LINES.c.user_code, AUDIT_LINES.c.version)
    return [_chain_line(row) for row in connection.execute(query.order_by(*order).limit(most))]


def read_chain(connection: Connection, key: Key) -> list[ChainLine]:
    """All lines of one customer, in order."""
    bucket, user_code = key
    query = _lines().where(AUDIT_LINES.c.bucket == bucket, AUDIT_LINES.c.user_code == user_code)
    return [_chain_line(row) for row in connection.execute(query.order_by(AUDIT_LINES.c.version))]


def lines_beyond(connection: Connection, since: Sequence[tuple[int, str, int]]) -> list[ChainLine]:
    """For each key and version in *since*, the lines of a higher version, in order."""
    columns = "audit_lines.bucket, audit_lines.user_code, audit_lines.version, line, head"
    if connection.dialect.name == "postgresql":
        statement = f"""
SELECT {columns} FROM unnest($1::smallint[], $2::text[], $3::bigint[])
                      AS since(bucket, user_code, version)
JOIN audit_lines ON audit_lines.bucket = since.bucket
                AND audit_lines.user_code = since.user_code
                AND audit_lines.version > since.version
"""  # noqa: S608 -- columns
        rows = connection.exec_driver_sql(statement, tuple(zip(*since, strict=True))).fetchall()
    else:
        statement = (
            f"SELECT {columns} FROM audit_lines "  # noqa: S608 -- columns
            "WHERE bucket = ? AND user_code = ? AND version > ?"
        )
        rows = [row for one in since for row in connection.exec_driver_sql(statement, one)]
    return sorted((_chain_line(row) for row in rows), key=lambda line: line[:3])


def changed_since(connection: Connection, at: int, *, most: int) -> list[Key] | None:
    """The customers with a line of the moment *at* or later; None if they are beyond *most*."""
    # By itself, and before anything is put in order: or a planner could walk all lines by key.
    recent = select(AUDIT_LINES.c.bucket, AUDIT_LINES.c.user_code).where(AUDIT_LINES.c.at >= at)
    some = recent.limit(most + 1).cte("recent").prefix_with("MATERIALIZED", dialect="postgresql")
    found = connection.execute(select(some.c.bucket, some.c.user_code)).all()
    if len(found) > most:
        return None
    return sorted({(bucket, user_code) for bucket, user_code in found})


def read_opening(connection: Connection, key: Key, version: int) -> Opening | None:
    """What opens the commitments of a line; None where that was erased."""
    bucket, user_code = key
    query = select(AUDIT_PERSONAL.c.salt, AUDIT_PERSONAL.c.address).where(
        AUDIT_PERSONAL.c.bucket == bucket,
        AUDIT_PERSONAL.c.user_code == user_code,
        AUDIT_PERSONAL.c.version == version,
    )
    row = connection.execute(query).first()
    return None if row is None else Opening(*row)


def version_of_attempt(connection: Connection, key: Key, attempt: bytes) -> int | None:
    """The version to which the attempt of id *attempt* (16 bytes) led."""
    bucket, user_code = key
    query = select(AUDIT_LINES.c.version).where(
        AUDIT_LINES.c.bucket == bucket,
        AUDIT_LINES.c.user_code == user_code,
        AUDIT_LINES.c.attempt == attempt,
    )
    version: int | None = connection.execute(query).scalar()
    return version


def _chain_head(row: Sequence[Any]) -> ChainHead:
    bucket, user_code, version, head = row
    _check_types(bucket, user_code, version)
    return ChainHead(bucket, user_code, version, as_bytes(head))


def _chain_line(row: Sequence[Any]) -> ChainLine:
    bucket, user_code, version, line, head = row
    _check_types(bucket, user_code, version)
    return ChainLine(bucket, user_code, version, as_bytes(line), as_bytes(head))


def _check_types(bucket: object, user_code: object, version: object) -> None:
    """See that a key can be looked for: on SQLite somebody could make it of any type.

    Raises:
        FileTampered: it cannot.
    """
    if not (isinstance(bucket, int) and isinstance(user_code, str) and isinstance(version, int)):
        raise FileTampered


def as_bytes(value: bytes | str | float) -> bytes:
    """*value*, which on SQLite may be of any type once somebody was at it."""
    return value if isinstance(value, bytes) else str(value).encode(errors="surrogateescape")


def _lines() -> Select[Any]:
    columns = ("bucket", "user_code", "version", "line", "head")
    return select(*(AUDIT_LINES.c[name] for name in columns))


def behind(table: Table, key: Sequence[object]) -> ColumnElement[bool]:
    """Whether a row of *table* stands behind *key*, in the database's own order.

    As one comparison of rows, at which the walk along the primary key begins.
    """
    columns = list(table.primary_key)[: len(key)]
    values = [
        bindparam(None, value, column.type) for value, column in zip(key, columns, strict=True)
    ]
    return tuple_(*columns) > tuple_(*values)
