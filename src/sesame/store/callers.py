"""Of whom something was refused lately: whoever answers the telephone hears from them next."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from sesame.store.audit import AUDIT_LINES
from sesame.store.bulk import find_rows
from sesame.store.cards import CARDS, Key
from sesame.store.customers import CUSTOMERS

# As the one spelling of a line has it; inside a string both quotation marks would be escaped.
_REFUSED = (b'"outcome":"refused"', b'"event":"turned-away"')

# Lines that are looked at, whatever they say: a flood of attempts makes this no slower.
_LOOKED_AT = 20_000


class CallerRow(NamedTuple):
    """A customer and the newest line that refused them something; moments as in rows."""

    bucket: int
    user_code: str
    name: str
    lines: int  # such lines since the moment asked for
    version: int
    at: int
    line: bytes

    def __repr__(self) -> str:
        return f"CallerRow({self.user_code}, {self.version})"


def read_callers(
    connection: Connection, *, since: int, most: int, after: int = 0
) -> list[CallerRow]:
    """Customers to whom something was refused at *since* or later, the latest first.

    *most* of them behind the first *after*, out of the latest 20,000 lines of the bank. Neither
    staff, who are no customers, nor user codes that nobody has, whose lines stand elsewhere.
    """
    lines = AUDIT_LINES.c
    refused = or_(*(_says(connection, words) for words in _REFUSED))
    # By itself, or a planner could walk all lines by key: the index on the moment leads here.
    recent = (
        select(lines.bucket, lines.user_code, lines.version, lines.at, refused.label("refused"))
        .where(lines.at >= since)
        .order_by(lines.at.desc())
        .limit(_LOOKED_AT)
        .cte("recent")
        .prefix_with("MATERIALIZED")
    )
    newest = (
        select(
            recent.c.bucket,
            recent.c.user_code,
            func.count().label("lines"),
            func.max(recent.c.version).label("version"),  # the newest: moments never run backwards
            func.max(recent.c.at).label("at"),
        )
        .where(recent.c.refused)
        .group_by(recent.c.bucket, recent.c.user_code)
        .cte("newest")
    )
    is_theirs = and_(
        CUSTOMERS.c.bucket == newest.c.bucket, CUSTOMERS.c.user_code == newest.c.user_code
    )
    shown = (
        select(newest, CUSTOMERS.c.name)
        .select_from(newest.join(CUSTOMERS, is_theirs))
        .order_by(newest.c.at.desc(), newest.c.user_code)
        .limit(most)
        .offset(after)
        .cte("shown")
    )
    of_line = and_(
        lines.bucket == shown.c.bucket,
        lines.user_code == shown.c.user_code,
        lines.version == shown.c.version,
    )
    columns = [shown.c[name] for name in CallerRow._fields[:-1]]
    query = select(*columns, lines.line).select_from(shown.join(AUDIT_LINES, of_line))
    query = query.order_by(shown.c.at.desc(), shown.c.user_code)
    return [CallerRow(*tuple(row)) for row in connection.execute(query)]


def find_last4(connection: Connection, keys: Sequence[Key]) -> Mapping[str, Mapping[int, str]]:
    """The last four digits of the cards of the customers at *keys*, by user code and number."""
    found: dict[str, dict[int, str]] = {user_code: {} for _, user_code in keys}
    wanted = ("card_number", "last4")
    for _, user_code, number, last4 in find_rows(
        connection, CARDS, ("bucket", "user_code"), wanted, keys
    ):
        found[user_code][number] = last4
    return found


def _says(connection: Connection, words: bytes) -> ColumnElement[bool]:
    """Whether a line has *words* in it."""
    if connection.dialect.name == "postgresql":
        return AUDIT_LINES.c.line.bool_op("LIKE")(b"%" + words + b"%")
    return func.instr(AUDIT_LINES.c.line, words) > 0
