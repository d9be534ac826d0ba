"""How far each customer is on the way from the old code to codes Sésame, in counts and in lists.

One statement classifies everybody by facts that it can tell; what they mean is the bank's to say
(`sesame.bank.switching`). No login reads any of it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    Select,
    Subquery,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from sesame.store.access import ACCESS
from sesame.store.approvals import Move, Signer, take_moves
from sesame.store.audit import AUDIT_LINES
from sesame.store.bulk import insert_rows
from sesame.store.cards import CARDS, CardState, Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import DISPATCHES, REMINDER
from sesame.store.orders import ORDERS, SESAME
from sesame.store.staff import has_right

# Not all columns, as EXISTS has them else: SQLite would leave the index to read them.
_ANYTHING: ColumnElement[int] = literal_column("1")
_CARD_LETTER = "card"
_READER = "reader"
# As an attempt's line has it, whatever came of it (`sesame.bank.audit`, JSON without blanks).
_MEANS = tuple(f'"means":"{means}"'.encode() for means in ("code", "two-codes", "challenge"))


class Facts(NamedTuple):
    """What is true of a customer."""

    old_code: bool  # there is one, and it opens the account
    old_code_to_come: bool  # it is set elsewhere, later
    active: bool  # a card may sign in
    waiting: bool  # a card was made and waits for its activation
    held: bool
    ordered: bool  # a card is to be made
    posted: bool  # the letter that carries the card that waits left, and did not come back
    reader_due: bool  # a reader is to be sent still
    returned: bool  # a letter came back, and none was sent since
    tried: bool  # a code Sésame was typed, right or wrong: asked of who has both codes only


class Found(NamedTuple):
    """A customer of a list."""

    user_code: str
    name: str
    reminded_at: int | None  # when the last reminder was planned


def count_facts(connection: Connection) -> dict[Facts, int]:
    """How many customers there are of each kind."""
    told = _told().subquery()
    columns = [told.c[name] for name in Facts._fields]
    rows = connection.execute(select(*columns, func.count()).group_by(*columns))
    return {Facts(*map(bool, row[:-1])): row[-1] for row in rows}


def list_customers(
    connection: Connection, wanted: Callable[[Facts], bool], *, after: Key | None, most: int
) -> list[Found]:
    """Those whose facts are *wanted*, *most* at once, by key, behind *after*."""
    told = _told().subquery()
    query = select(told.c.user_code, told.c.name, told.c.reminded_at)
    query = query.where(_are(connection, told, wanted))
    if after is not None:
        beyond = and_(told.c.bucket == after[0], told.c.user_code > after[1])
        query = query.where(or_(told.c.bucket > after[0], beyond))
    rows = connection.execute(query.order_by(told.c.bucket, told.c.user_code).limit(most))
    return [Found(*row) for row in rows]


def remind_customers(  # noqa: PLR0913 -- whom, by whom, and what stands of it
    connection: Connection,
    by: Signer,
    wanted: Callable[[Facts], bool],
    move: Move,
    *,
    at: int,
    before: int,
    reference: Callable[[], str],
) -> int | None:
    """Plan a reminder to whose facts are *wanted* and who had none since *before*; how many.

    None, and nothing is written, where *by* has no right any more.

    Raises:
        StepLost: the row of *by* went on meanwhile; undo the transaction, and plan again.
    """
    if not has_right(connection, by.key, by.roles):
        return None
    take_moves(connection, [move])
    told = _told().subquery()
    of_kind = _are(connection, told, wanted)
    long_ago = or_(told.c.reminded_at.is_(None), told.c.reminded_at <= before)
    keys = connection.execute(select(told.c.bucket, told.c.user_code).where(of_kind, long_ago))
    return insert_rows(
        connection,
        DISPATCHES,
        ("reference", "bucket", "user_code", "kind", "due_at"),
        [(reference(), *key, REMINDER, at) for key in keys],
    )


def _are(
    connection: Connection, told: Subquery, wanted: Callable[[Facts], bool]
) -> ColumnElement[bool]:
    """Whether somebody's facts are *wanted*: those that there are, for there could be hundreds."""
    return or_(
        false(),
        *[
            and_(*[told.c[name] == literal(value) for name, value in facts._asdict().items()])
            for facts in count_facts(connection)
            if wanted(facts)
        ],
    )


def _told() -> Select[Any]:
    """Every customer with their facts."""
    old_code = ACCESS.c.old_code.is_not(None)
    active = _has(CARDS, CARDS.c.state == CardState.ACTIVE)
    sent = DISPATCHES.alias("sent")
    since = exists(_ANYTHING).where(
        sent.c.bucket == DISPATCHES.c.bucket,
        sent.c.user_code == DISPATCHES.c.user_code,
        sent.c.posted_at > DISPATCHES.c.returned_at,
    )
    away = (DISPATCHES.c.posted_at.is_not(None), DISPATCHES.c.returned_at.is_(None))
    # The letter of a card before it left before this one was made, or was voided with it.
    made_at = select(func.max(CARDS.c.created_at)).where(
        *_same(CARDS), CARDS.c.state == CardState.WAITING
    )
    since_made = DISPATCHES.c.posted_at >= made_at.correlate(CUSTOMERS).scalar_subquery()
    to_post = (DISPATCHES.c.posted_at.is_(None), DISPATCHES.c.voided_at.is_(None))
    to_make = (
        ORDERS.c.kind == SESAME,
        ORDERS.c.card_number.is_(None),
        ORDERS.c.cancelled_at.is_(None),
    )
    reminded = select(func.max(DISPATCHES.c.due_at)).where(
        *_same(DISPATCHES), DISPATCHES.c.kind == REMINDER
    )
    tried = _has(AUDIT_LINES, or_(*map(_in_line, _MEANS)))
    return (
        select(
            CUSTOMERS.c.bucket,
            CUSTOMERS.c.user_code,
            CUSTOMERS.c.name,
            reminded.correlate(CUSTOMERS).scalar_subquery().label("reminded_at"),
            old_code.label("old_code"),
            func.coalesce(CUSTOMER_DETAILS.c.old_code_to_come, false()).label("old_code_to_come"),
            active.label("active"),
            _has(CARDS, CARDS.c.state == CardState.WAITING).label("waiting"),
            _has(CARDS, CARDS.c.state == CardState.HELD).label("held"),
            _has(ORDERS, *to_make).label("ordered"),
            _has(DISPATCHES, DISPATCHES.c.kind == _CARD_LETTER, *away, since_made).label("posted"),
            _has(DISPATCHES, DISPATCHES.c.kind == _READER, *to_post).label("reader_due"),
            _has(DISPATCHES, DISPATCHES.c.returned_at.is_not(None), ~since).label("returned"),
            case((and_(old_code, active), tried), else_=false()).label("tried"),
        )
        .select_from(CUSTOMERS)
        .join(ACCESS, _on(ACCESS))
        .outerjoin(CUSTOMER_DETAILS, _on(CUSTOMER_DETAILS))
    )


class _Place(FunctionElement[int]):
    """Where bytes begin in others, from 1; 0 where they are not."""

    inherit_cache = True
    type = Integer()


@compiles(_Place, "sqlite")
def _(element: _Place, compiler: SQLCompiler, **how: object) -> str:
    return f"instr({compiler.process(element.clauses, **how)})"


@compiles(_Place, "postgresql")
def _(element: _Place, compiler: SQLCompiler, **how: object) -> str:
    within, said = (compiler.process(part, **how) for part in element.clauses)
    return f"position({said} IN {within})"


def _in_line(said: bytes) -> ColumnElement[bool]:
    return _Place(AUDIT_LINES.c.line, literal(said, LargeBinary)) > 0


def _has(table: Table, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists(_ANYTHING).where(*_same(table), *conditions).correlate(CUSTOMERS)


def _same(table: Table) -> tuple[ColumnElement[bool], ...]:
    return table.c.bucket == CUSTOMERS.c.bucket, table.c.user_code == CUSTOMERS.c.user_code


def _on(table: Table) -> ColumnElement[bool]:
    return and_(*_same(table))
