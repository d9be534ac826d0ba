"""The statements of a login on SQLite, by hand: what an attempt reads, and what a step writes.

Beside them in `sesame.store.postgresql_login` stand those of PostgreSQL. A group is one
explicit transaction; within it each step has statements of its own, which cost next to
nothing where the database is in the same process.
"""

import sqlite3
from collections.abc import Sequence

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
    AuditRow,
)
from sesame.store.devices import DeviceRow
from sesame.store.errors import CardMovedAside
from sesame.store.sessions import SessionRow
from sesame.store.steps import Fate, Step

# The row, whether the browser is known, and the cards, in one statement. A user code that
# nobody has reads alike.
_READ_ACCESS = f"""
SELECT (SELECT max(expires_at) FROM devices
        WHERE devices.bucket = access.bucket AND devices.user_code = access.user_code
          AND device_hash IN (?, ?, ?, ?)),
       {READ_COLUMNS}
FROM access LEFT JOIN cards USING (bucket, user_code)
WHERE access.bucket = ? AND access.user_code = ?
ORDER BY card_number
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

# Says by itself that an ATC only ever rises, whatever the access row allowed.
_ADVANCE_CARD = """
UPDATE cards SET last_atc = ?
WHERE bucket = ? AND user_code = ? AND card_number = ? AND last_atc < ?
"""
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
_FORGET_DEVICES = "DELETE FROM devices WHERE bucket = ? AND user_code = ?"
_COUNT_FAILURE = """
INSERT INTO stranger_failures (bucket, hour, writer, failures) VALUES (?, ?, 0, 1)
ON CONFLICT (bucket, hour, writer) DO UPDATE SET failures = stranger_failures.failures + 1
"""


def read_group(connection: sqlite3.Connection, asked: Sequence[AccessQuestion]) -> list[Access]:
    """Read the access rows that are *asked* for, each with its cards."""
    return [_read_one(connection, question) for question in asked]


def swap_group(connection: sqlite3.Connection, steps: Sequence[Step]) -> list[Fate]:
    """Take all *steps* in one commit; a step that lost leaves nothing behind.

    Raises:
        CardMovedAside: a card had moved while its access row had not. Nothing of the
            group is written; alone, such a step is simply lost.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        fates = [_swap_one(connection, step) for step in steps]
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


def _swap_one(connection: sqlite3.Connection, step: Step) -> Fate:
    key = (step.bucket, step.user_code)
    if not swap_row(
        connection,
        *key,
        read_version=step.read_version,
        head=step.line.head,
        state=step.state,
    ):
        return Fate.LOST
    for card_number, atc in step.atcs:
        if not advance_card(connection, *key, card_number, atc):
            raise CardMovedAside
    insert_line(connection, *key, step.line, enrolled=step.enrolled)
    if step.session is not None:
        insert_session(connection, *key, step.session)
    if step.forgets_devices:
        forget_devices(connection, *key)
    if step.device is not None:
        insert_device(connection, *key, step.device)
    if step.failed_hour is not None:
        count_failure(connection, step.bucket, step.failed_hour)
    return Fate.WON


def _read_one(connection: sqlite3.Connection, asked: AccessQuestion) -> Access:
    devices = (*asked.devices, *[_NO_DEVICE] * (DEVICES_ASKED - len(asked.devices)))
    parameters = (*devices, asked.bucket, asked.user_code)
    return access_of(asked.user_code, connection.execute(_READ_ACCESS, parameters).fetchall())


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


def advance_card(
    connection: sqlite3.Connection, bucket: int, user_code: str, card_number: int, atc: int
) -> bool:
    """Raise a card's last ATC to *atc*; False where it is there already or beyond."""
    parameters = (atc, bucket, user_code, card_number, atc)
    return connection.execute(_ADVANCE_CARD, parameters).rowcount == 1


def insert_line(
    connection: sqlite3.Connection, bucket: int, user_code: str, row: AuditRow, *, enrolled: bool
) -> None:
    """Write *row* and its personal values, in the transaction of the step it records."""
    connection.execute(
        _INSERT_LINE[enrolled],
        (bucket, user_code, row.version, row.attempt, row.at, row.line, row.head),
    )
    connection.execute(
        _INSERT_PERSONAL[enrolled],
        (bucket, user_code, row.version, row.at, row.salt, row.address),
    )


def insert_session(
    connection: sqlite3.Connection, bucket: int, user_code: str, session: SessionRow
) -> None:
    """Write a new session, in the transaction of the step that opens it."""
    connection.execute(
        _INSERT_SESSION,
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
        ),
    )


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
