"""The statements of a login on SQLite, by hand: what an attempt reads, and what a step writes.

Beside them in `sesame.store.postgresql_login` stand those of PostgreSQL. A group is one
explicit transaction. Each row and card is swapped by a statement of its own; lines and sessions
are one statement a group each, as is the read: the driver lets go of the interpreter for each step
of a statement, and waits for it afterwards.
"""

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import msgspec

from sesame.store.access import (
    DEVICES_ASKED,
    READ_COLUMNS,
    Access,
    AccessQuestion,
    State,
    access_of,
    state_columns,
)
from sesame.store.audit import (
    AUDIT_LINES,
    AUDIT_PERSONAL,
    STRANGER_LINES,
    STRANGER_PERSONAL,
)
from sesame.store.devices import DeviceRow
from sesame.store.errors import CardMovedAside
from sesame.store.groups import LARGEST_GROUP
from sesame.store.notices import NEW, OLD_CODE_OVER
from sesame.store.sessions import SessionRow
from sesame.store.steps import Fate, Step

_READ = tuple(column.strip() for column in READ_COLUMNS.split(","))
# What JSON has no words for goes as hexadecimal digits.
_BYTES = frozenset(
    {
        "head",
        "open_failed_at",
        "open_refused",
        "reserved_failed_at",
        "reserved_refused",
        "accepted",
        "sealed",
    }
)
_BYTES_AT = [at for at, column in enumerate(_READ, 2) if column in _BYTES]
_JSON = ", ".join(f"hex({column})" if column in _BYTES else column for column in _READ)
_CARD_NUMBER = 2 + _READ.index("card_number")


# The rows of a group, whether each browser is known, and the cards, as one value of one row.
# A user code that nobody has has no line in the answer.
@lru_cache(maxsize=LARGEST_GROUP)
def _read_group_of(size: int) -> str:
    asked = ", ".join(f"({place}, ?, ?, ?, ?, ?, ?)" for place in range(size))
    return f"""
WITH asked(place, bucket, user_code, device_1, device_2, device_3, device_4) AS (VALUES {asked})
SELECT json_group_array(json_array(
       place,
       (SELECT max(expires_at) FROM devices
        WHERE devices.bucket = asked.bucket AND devices.user_code = asked.user_code
          AND device_hash IN (device_1, device_2, device_3, device_4)),
       {_JSON}))
FROM asked
CROSS JOIN access ON access.bucket = asked.bucket AND access.user_code = asked.user_code
LEFT JOIN cards ON cards.bucket = asked.bucket AND cards.user_code = asked.user_code
"""  # noqa: S608 -- columns


_NO_DEVICE = b""  # no hash is empty

# Compare-and-swap, so that of two guesses that read the same row only one is written. A
# user code that nobody has gets its row by the same statement; a row that was read and
# has gone meanwhile does not come back.
_SWAP_ACCESS = """
INSERT INTO access (bucket, user_code, version, head,
    open_failures, open_suspensions, open_suspended_until, open_failed_at, open_refused,
    reserved_failures, reserved_suspensions, reserved_suspended_until, reserved_failed_at,
    reserved_refused,
    session_epoch, stepped_at, accepted, accepted_version, signed_in_at, old_code,
    replayed_at, rehearsal_failures, rehearsal_failed_at)
SELECT :bucket, :user_code, :read_version + 1, :head,
    :open_failures, :open_suspensions, :open_suspended_until, :open_failed_at, :open_refused,
    :reserved_failures, :reserved_suspensions, :reserved_suspended_until, :reserved_failed_at,
    :reserved_refused,
    :session_epoch, :stepped_at, :accepted, :accepted_version, :signed_in_at, :old_code,
    :replayed_at, :rehearsal_failures, :rehearsal_failed_at
WHERE :read_version = 0 OR EXISTS (
    SELECT 1 FROM access WHERE bucket = :bucket AND user_code = :user_code
                           AND version = :read_version)
ON CONFLICT (bucket, user_code) DO UPDATE
SET version = excluded.version, head = excluded.head,
    open_failures = excluded.open_failures, open_suspensions = excluded.open_suspensions,
    open_suspended_until = excluded.open_suspended_until,
    open_failed_at = excluded.open_failed_at, open_refused = excluded.open_refused,
    reserved_failures = excluded.reserved_failures,
    reserved_suspensions = excluded.reserved_suspensions,
    reserved_suspended_until = excluded.reserved_suspended_until,
    reserved_failed_at = excluded.reserved_failed_at,
    reserved_refused = excluded.reserved_refused,
    session_epoch = excluded.session_epoch, stepped_at = excluded.stepped_at,
    accepted = excluded.accepted, accepted_version = excluded.accepted_version,
    signed_in_at = excluded.signed_in_at, old_code = excluded.old_code,
    replayed_at = excluded.replayed_at, rehearsal_failures = excluded.rehearsal_failures,
    rehearsal_failed_at = excluded.rehearsal_failed_at
WHERE access.version = :read_version
"""

# Says by itself that an ATC only ever rises, whatever the access row allowed, and that a card
# which is unsure is moved by the answer to a challenge of this life of the database only.
_ADVANCE_CARD = """
UPDATE cards SET last_atc = :atc,
                 generation = (SELECT now.generation FROM incarnation AS now WHERE now.id = 1)
WHERE bucket = :bucket AND user_code = :user_code AND card_number = :card_number
  AND last_atc < :atc
  AND CASE WHEN :answers IS NULL
           THEN generation = (SELECT now.generation FROM incarnation AS now WHERE now.id = 1)
           ELSE :answers = (SELECT now.mark FROM incarnation AS now WHERE now.id = 1) END
"""
_IN_THIS_LIFE = "SELECT 1 FROM incarnation WHERE id = 1 AND mark = ?"
_INSERT_LINE = {
    enrolled: f"INSERT INTO {table} (bucket, user_code, version, attempt, at, line, head) "  # noqa: S608 -- two constants
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
    for enrolled, table in ((True, AUDIT_LINES.name), (False, STRANGER_LINES.name))
}
_INSERT_PERSONAL = {
    enrolled: f"INSERT INTO {table} (bucket, user_code, version, at, salt, address) "  # noqa: S608 -- two constants
    "VALUES (?, ?, ?, ?, ?, ?)"
    for enrolled, table in ((True, AUDIT_PERSONAL.name), (False, STRANGER_PERSONAL.name))
}
_INSERT_SESSION = """
INSERT INTO sessions (bucket, user_code, token_hash, session_epoch, means, erased_old_code,
                      opened_at, seen_at, ends_at, previous_login_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_DEVICE = """
INSERT INTO devices (bucket, user_code, device_hash, known_since, expires_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (bucket, user_code, device_hash) DO UPDATE
SET known_since = excluded.known_since, expires_at = excluded.expires_at
"""
_INSERT_FAREWELL = f"""
INSERT INTO notices (bucket, user_code, id, event, at, facts, email_state, tries, next_try_at)
VALUES (?, ?, ?, '{OLD_CODE_OVER}', ?, x'7b7d', '{NEW}', 0, ?)
"""  # noqa: S608 -- two constants
_FORGET_DEVICES = "DELETE FROM devices WHERE bucket = ? AND user_code = ?"
_COUNT_FAILURE = """
INSERT INTO stranger_failures (bucket, hour, writer, failures) VALUES (?, ?, 0, 1)
ON CONFLICT (bucket, hour, writer) DO UPDATE SET failures = stranger_failures.failures + 1
"""


def read_group(connection: sqlite3.Connection, asked: Sequence[AccessQuestion]) -> list[Access]:
    """Read the access rows that are *asked* for, each with its cards, in one statement."""
    parameters = [value for question in asked for value in _question(question)]
    (said,) = connection.execute(_read_group_of(len(asked)), parameters).fetchone()
    rows: list[list[Any]] = _decode(said)
    for row in rows:
        for at in _BYTES_AT:
            row[at] = bytes.fromhex(row[at])
    rows.sort(key=_place_and_card)
    by_place = groupby(rows, key=lambda row: row[0])
    found = {place: [row[1:] for row in of_one] for place, of_one in by_place}
    return [
        access_of(question.user_code, found.get(place, [])) for place, question in enumerate(asked)
    ]


def swap_group(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[Fate]:
    """Take all *steps* in one commit; a step that lost leaves nothing behind.

    Raises:
        CardMovedAside: a card had moved while its access row had not. Nothing of the
            group is written; alone, such a step is simply lost.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        fates = [_swap(connection, step) for step in steps]
        _write(connection, [s for s, fate in zip(steps, fates, strict=True) if fate is Fate.WON])
        connection.execute("COMMIT")
    except CardMovedAside:
        connection.execute("ROLLBACK")
        if len(steps) > 1:
            raise
        return [Fate.LOST]
    except BaseException:
        # On a full disk SQLite has rolled back by itself; a COMMIT that failed may have not.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return fates


def _swap(connection: sqlite3.Connection, step: Step) -> Fate:
    """Swap the row of *step* and raise its cards."""
    key = (step.bucket, step.user_code)
    if step.answers is not None and not _is_of_this_life(connection, step.answers):
        return Fate.LOST  # also where it moves no card, as an old code does
    if not swap_row(
        connection,
        *key,
        read_version=step.read_version,
        head=step.line.head,
        state=step.state,
    ):
        return Fate.LOST
    for card_number, atc in step.atcs:
        if not advance_card(connection, *key, card_number, atc, answers=step.answers):
            raise CardMovedAside
    return Fate.WON


def _is_of_this_life(connection: sqlite3.Connection, mark: bytes) -> bool:
    return connection.execute(_IN_THIS_LIFE, (mark,)).fetchone() is not None


def _write(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Write what the *steps* that won bring with them."""
    for enrolled in (True, False):
        insert_lines(connection, [s for s in steps if s.enrolled is enrolled], enrolled=enrolled)
    insert_sessions(
        connection, [(s.bucket, s.user_code, s.session) for s in steps if s.session is not None]
    )
    insert_farewells(connection, [step for step in steps if step.farewell is not None])
    for step in steps:
        if step.forgets_devices:
            forget_devices(connection, step.bucket, step.user_code)
        if step.device is not None:
            insert_device(connection, step.bucket, step.user_code, step.device)
        if step.failed_hour is not None:
            count_failure(connection, step.bucket, step.failed_hour)


def _question(asked: AccessQuestion) -> tuple[object, ...]:
    devices = (*asked.devices, *[_NO_DEVICE] * (DEVICES_ASKED - len(asked.devices)))
    return (asked.bucket, asked.user_code, *devices)


def _place_and_card(row: list[Any]) -> tuple[int, int]:
    """By question, and of one by card number: a row without cards is alone."""
    return row[0], row[_CARD_NUMBER] or 0


def _insert(connection: sqlite3.Connection, statement: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert all *rows* by the *statement* of one, which ends with its values."""
    if rows:
        values = statement.rstrip().rpartition("VALUES ")[2]
        more = f", {values}" * (len(rows) - 1)
        connection.execute(statement.rstrip() + more, [value for row in rows for value in row])


def swap_row(  # noqa: PLR0913 -- a key, a version, and what becomes of the row
    connection: sqlite3.Connection,
    bucket: int,
    user_code: str,
    *,
    read_version: int,
    head: bytes,
    state: State,
) -> bool:
    """Take an access row from *read_version* to the next; False where somebody was faster."""
    row = {
        "bucket": bucket,
        "user_code": user_code,
        "read_version": read_version,
        "head": head,
        **state_columns(state),
    }
    return connection.execute(_SWAP_ACCESS, row).rowcount == 1


def advance_card(  # noqa: PLR0913 -- a key, and what becomes of the card
    connection: sqlite3.Connection,
    bucket: int,
    user_code: str,
    card_number: int,
    atc: int,
    *,
    answers: bytes | None,
) -> bool:
    """Raise a card's last ATC to *atc*; False where it is there already or beyond, or unsure."""
    parameters = {
        "atc": atc,
        "bucket": bucket,
        "user_code": user_code,
        "card_number": card_number,
        "answers": answers,
    }
    return connection.execute(_ADVANCE_CARD, parameters).rowcount == 1


def insert_lines(connection: sqlite3.Connection, steps: Sequence[Step], *, enrolled: bool) -> None:
    """Write the lines of *steps* and their personal values, in the transaction of the steps."""
    lines = [(step.bucket, step.user_code, step.line) for step in steps]
    _insert(
        connection,
        _INSERT_LINE[enrolled],
        [(*key, row.version, row.attempt, row.at, row.line, row.head) for *key, row in lines],
    )
    _insert(
        connection,
        _INSERT_PERSONAL[enrolled],
        [(*key, row.version, row.at, row.salt, row.address) for *key, row in lines],
    )


def insert_sessions(
    connection: sqlite3.Connection, opened: Sequence[tuple[int, str, SessionRow]]
) -> None:
    """Write new sessions, by bucket and user code, in the transaction that opens them."""
    _insert(
        connection,
        _INSERT_SESSION,
        [
            (
                bucket,
                user_code,
                session.token_hash,
                session.session_epoch,
                session.means,
                session.erased_old_code,
                session.opened_at,
                session.opened_at,
                session.ends_at,
                session.previous_login_at,
            )
            for bucket, user_code, session in opened
        ],
    )


def insert_farewells(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    """Have the owners of old codes be told that these are over, in the transaction of *steps*."""
    rows = [(s.bucket, s.user_code, s.farewell, s.line.at, s.line.at) for s in steps]
    _insert(connection, _INSERT_FAREWELL, rows)


def insert_device(
    connection: sqlite3.Connection, bucket: int, user_code: str, device: DeviceRow
) -> None:
    """Write a device, in the transaction of the step that makes it known, or known again."""
    parameters = (bucket, user_code, device.device_hash, device.known_since, device.expires_at)
    connection.execute(_INSERT_DEVICE, parameters)


def forget_devices(connection: sqlite3.Connection, bucket: int, user_code: str) -> None:
    """Forget every device of a customer, in the transaction of the step that says so."""
    connection.execute(_FORGET_DEVICES, (bucket, user_code))


def count_failure(connection: sqlite3.Connection, bucket: int, hour: int) -> None:
    """Count one more, in the transaction of the step that failed."""
    connection.execute(_COUNT_FAILURE, (bucket, hour))


_decode = msgspec.json.Decoder(list[list[Any]]).decode
