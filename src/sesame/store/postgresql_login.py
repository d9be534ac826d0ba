"""The statements of a login on PostgreSQL, by hand: what an attempt reads, what a step writes.

Beside them in `sesame.store.sqlite_login` stand those of SQLite. Here the database is a round
trip away, so each carries a whole group: one read, and one statement that is a transaction by
itself (docs/decisions/0020). Every table is asked by bucket and user code (0003).
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

from sesame.store.access import (
    DEVICES_ASKED,
    READ_COLUMNS,
    Access,
    AccessQuestion,
    access_of,
    state_columns,
)
from sesame.store.notices import NEW, OLD_CODE_OVER
from sesame.store.steps import Fate, Step


class Fetching(Protocol):
    """What is asked of a connection of asyncpg."""

    async def fetch(self, query: str, *args: object) -> list[Sequence[Any]]:
        """Run *query*, prepared where it came before, and return its rows."""
        ...


# The rows of a group, whether each browser is known, and the cards. A user code that nobody
# has has no line in the answer.
READ_GROUP = f"""
SELECT asked.place,
       (SELECT max(expires_at) FROM devices
        WHERE devices.bucket = asked.bucket AND devices.user_code = asked.user_code
          AND device_hash IN (asked.device_1, asked.device_2, asked.device_3, asked.device_4)),
       {READ_COLUMNS}
FROM unnest($1::smallint[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[])
     WITH ORDINALITY AS asked(bucket, user_code, device_1, device_2, device_3, device_4, place)
JOIN access ON access.bucket = asked.bucket AND access.user_code = asked.user_code
LEFT JOIN cards ON cards.bucket = asked.bucket AND cards.user_code = asked.user_code
ORDER BY asked.place, card_number
"""  # noqa: S608 -- columns

# What becomes of the row: column and type.
_STATE: Mapping[str, str] = {
    "open_failures": "smallint",
    "open_suspensions": "smallint",
    "open_suspended_until": "bigint",
    "open_failed_at": "bytea",
    "open_refused": "bytea",
    "reserved_failures": "smallint",
    "reserved_suspensions": "smallint",
    "reserved_suspended_until": "bigint",
    "reserved_failed_at": "bytea",
    "reserved_refused": "bytea",
    "session_epoch": "integer",
    "stepped_at": "bigint",
    "accepted": "bytea",
    "accepted_version": "bigint",
    "signed_in_at": "bigint",
    "old_code": "text",
    "replayed_at": "bigint",
    "rehearsal_failures": "smallint",
    "rehearsal_failed_at": "bigint",
}
CARDS_MOVED = 2  # by one step at most
_WRITERS = 8  # rows a bucket and hour, so that connections seldom wait for one another

# A step as the statement below gets it: an array a column.
_STEP: Mapping[str, str] = {
    "bucket": "smallint",
    "user_code": "text",
    "read_version": "bigint",
    "enrolled": "boolean",
    "head": "bytea",
    **_STATE,
    "attempt": "bytea",
    "at": "bigint",
    "line": "bytea",
    "salt": "bytea",
    "address": "text",
    "cards": "smallint",  # how many it moves
    "card_1": "smallint",
    "atc_1": "integer",
    "card_2": "smallint",
    "atc_2": "integer",
    "answers": "bytea",  # null: no challenge
    "token_hash": "bytea",  # null: it opens no session
    "epoch_opened_in": "integer",
    "means": "text",
    "erased_old_code": "smallint",
    "opened_at": "bigint",
    "ends_at": "bigint",
    "previous_login_at": "bigint",
    "forgets_devices": "boolean",
    "device_hash": "bytea",  # null: it makes none known
    "known_since": "bigint",
    "expires_at": "bigint",
    "failed_hour": "integer",  # null: no stranger failed
}
# And in a group where one retires an old code, which no other login pays for: a table and its
# indexes are opened for a statement that names them, rows or none.
_TELLING: Mapping[str, str] = {"farewell": "bytea"}  # null: it retires none
_TOLD = f"""
-- Who retires an old code is told so, once and for all.
told AS (
    INSERT INTO notices (bucket, user_code, id, event, at, facts, email_state, tries, next_try_at)
    SELECT bucket, user_code, farewell, '{OLD_CODE_OVER}', at, '{{}}'::bytea, '{NEW}', 0, at
    FROM taken WHERE farewell IS NOT NULL
),"""  # noqa: S608 -- two constants
_STATE_COLUMNS = ", ".join(_STATE)
_HELD_STATE = ", ".join(f"held.{column}" for column in _STATE)


# By bytes, as Python sorts groups and enrolments, whatever language the database sorts as.
_KEY_ORDER = 'bucket, user_code COLLATE "C"'
_FIRST_WAIT = 100  # milliseconds in which a group of first steps gets each row, or goes back
# The session's lock_timeout is for table locks and counts, which everybody waits for.
_IMPATIENT = f"""
patience AS MATERIALIZED (
    SELECT current_setting('lock_timeout') AS usual,
           set_config('lock_timeout', least(extract(epoch FROM
               current_setting('lock_timeout')::interval) * 1000, {_FIRST_WAIT})::text, TRUE)
),"""  # noqa: S608 -- a number

# A card that is unsure is moved by the answer to a challenge of this life of the database only.
_SURE = """CASE WHEN {step}.answers IS NULL
                       THEN cards.generation = (SELECT generation FROM now)
                       ELSE {step}.answers = (SELECT mark FROM now) END"""


def _swap(*, skip: str = "", impatient: bool = False, telling: bool = False) -> str:
    """The statement of a group.

    *skip* says what becomes of a row that another program holds. An *impatient* one waits for a
    row that another program makes for `_FIRST_WAIT` at most. A *telling* one has what `_TELLING`
    has too.
    """
    kinds = {**_STEP, **(_TELLING if telling else {})}
    arrays = ", ".join(f"${at}::{kind}[]" for at, kind in enumerate(kinds.values(), 1))
    held_step = ", ".join(f"held.{column}" for column in kinds)
    taken_step = ", ".join(f"step.{column}" for column in kinds)
    told = _TOLD if telling else ""
    patience, hurried, as_usual = "", "", ""
    if impatient:
        patience = _IMPATIENT
        hurried = "CROSS JOIN patience"
        as_usual = "CROSS JOIN (SELECT set_config('lock_timeout', usual, TRUE) FROM patience) AS p"
    return f"""
WITH step AS MATERIALIZED (
    SELECT * FROM unnest({arrays}) AS step({", ".join(kinds)})
),{patience}
-- After the locks of the tables: whoever begins another life of the database keeps others out.
now AS MATERIALIZED (
    SELECT generation, mark FROM incarnation WHERE id = 1
),
-- Each row is locked in key order, and after it the cards that the step may move: what is
-- decided below stays true until the commit. Nothing of a row that another program holds is
-- touched: one blocked row delays its own customer only.
held AS MATERIALIZED (
    SELECT step.*, found.version, moved.moves
    FROM (SELECT * FROM step WHERE read_version > 0 ORDER BY {_KEY_ORDER}) AS step
    CROSS JOIN LATERAL (
        SELECT access.version FROM access
        WHERE access.bucket = step.bucket AND access.user_code = step.user_code
        FOR NO KEY UPDATE {skip}
    ) AS found
    CROSS JOIN LATERAL (
        SELECT count(*) AS moves FROM (
            SELECT FROM cards
            WHERE cards.bucket = step.bucket AND cards.user_code = step.user_code
              AND (cards.card_number = step.card_1 AND cards.last_atc < step.atc_1
                   OR cards.card_number = step.card_2 AND cards.last_atc < step.atc_2)
              AND found.version = step.read_version
              AND {_SURE.format(step="step")}
            FOR NO KEY UPDATE {skip}
        ) AS card
    ) AS moved
),
-- Compare-and-swap: of two guesses that read the same row only one is written. A step whose
-- cards do not all rise is not taken either, nor one that was judged in another life of the
-- database: an old code moves no card that would say so.
swapped AS (
    UPDATE access SET (version, head, {_STATE_COLUMNS})
                    = (held.read_version + 1, held.head, {_HELD_STATE})
    FROM held
    WHERE access.bucket = held.bucket AND access.user_code = held.user_code
      AND access.version = held.read_version
      AND held.version = held.read_version AND held.moves = held.cards
      AND (held.answers IS NULL OR held.answers = (SELECT mark FROM now))
    RETURNING {held_step}
),
-- A user code that nobody has gets its row by the same statement; a row that was read and has
-- gone meanwhile does not come back. A row that another program makes or changes just now is
-- waited for, with all that is held above: such steps are a statement of their own.
begun AS (
    INSERT INTO access (bucket, user_code, version, head, {_STATE_COLUMNS})
    SELECT bucket, user_code, 1, head, {_STATE_COLUMNS}
    FROM step {hurried} WHERE read_version = 0 AND cards = 0
    ORDER BY {_KEY_ORDER}
    ON CONFLICT (bucket, user_code) DO NOTHING
    RETURNING bucket, user_code
),
taken AS MATERIALIZED (
    SELECT * FROM swapped
    UNION ALL
    SELECT {taken_step} FROM begun JOIN step
    ON step.bucket = begun.bucket AND step.user_code = begun.user_code
),
-- Says by itself that an ATC only ever rises, whatever was decided above, and which life of the
-- database a card's code must be of.
advanced AS (
    UPDATE cards SET last_atc = CASE cards.card_number WHEN taken.card_1 THEN taken.atc_1
                                                       ELSE taken.atc_2 END,
                     generation = (SELECT generation FROM now)
    FROM taken
    WHERE cards.bucket = taken.bucket AND cards.user_code = taken.user_code
      AND (cards.card_number = taken.card_1 AND cards.last_atc < taken.atc_1
           OR cards.card_number = taken.card_2 AND cards.last_atc < taken.atc_2)
      AND {_SURE.format(step="taken")}
),
lined AS (
    INSERT INTO audit_lines (bucket, user_code, version, attempt, at, line, head)
    SELECT bucket, user_code, read_version + 1, attempt, at, line, head
    FROM taken WHERE enrolled
),
personal AS (
    INSERT INTO audit_personal (bucket, user_code, version, at, salt, address)
    SELECT bucket, user_code, read_version + 1, at, salt, address
    FROM taken WHERE enrolled
),
stranger_lined AS (
    INSERT INTO stranger_lines (bucket, user_code, version, attempt, at, line, head)
    SELECT bucket, user_code, read_version + 1, attempt, at, line, head
    FROM taken WHERE NOT enrolled
),
stranger_personal AS (
    INSERT INTO stranger_personal (bucket, user_code, version, at, salt, address)
    SELECT bucket, user_code, read_version + 1, at, salt, address
    FROM taken WHERE NOT enrolled
),
opened AS (
    INSERT INTO sessions (bucket, user_code, token_hash, session_epoch, means, erased_old_code,
                          opened_at, seen_at, ends_at, previous_login_at)
    SELECT bucket, user_code, token_hash, epoch_opened_in, means, erased_old_code,
           opened_at, opened_at, ends_at, previous_login_at
    FROM taken WHERE token_hash IS NOT NULL
),
-- All but the one that the same step makes known: no row is written twice by one statement.
forgotten AS (
    DELETE FROM devices USING taken
    WHERE devices.bucket = taken.bucket AND devices.user_code = taken.user_code
      AND taken.forgets_devices AND devices.device_hash IS DISTINCT FROM taken.device_hash
),
known AS (
    INSERT INTO devices (bucket, user_code, device_hash, known_since, expires_at)
    SELECT bucket, user_code, device_hash, known_since, expires_at
    FROM taken WHERE device_hash IS NOT NULL
    ON CONFLICT (bucket, user_code, device_hash) DO UPDATE
    SET known_since = excluded.known_since, expires_at = excluded.expires_at
),{told}
-- The only rows that groups of different customers share: they come last, after all that
-- `taken` waits for, in key order, and seldom two connections have the same one.
counted AS (
    INSERT INTO stranger_failures (bucket, hour, writer, failures)
    SELECT bucket, failed_hour, pg_backend_pid() % {_WRITERS}, count(*)
    FROM taken {as_usual} WHERE failed_hour IS NOT NULL
    GROUP BY bucket, failed_hour ORDER BY bucket, failed_hour
    ON CONFLICT (bucket, hour, writer) DO UPDATE
    SET failures = stranger_failures.failures + excluded.failures
)
SELECT bucket, user_code, TRUE FROM taken
UNION ALL
SELECT bucket, user_code, FALSE FROM held WHERE version <> read_version
"""  # noqa: S608 -- columns, types and two words


SWAP_GROUP = _swap(skip="SKIP LOCKED")
SWAP_FIRST = _swap(skip="SKIP LOCKED", impatient=True)
SWAP_ALONE = _swap()  # waits for whoever holds the row, for as long as lock_timeout says
SWAP_GROUP_TELLING = _swap(skip="SKIP LOCKED", telling=True)
SWAP_ALONE_TELLING = _swap(telling=True)


async def read_group(connection: Fetching, asked: Sequence[AccessQuestion]) -> list[Access]:
    """Read the access rows that are *asked* for, each with its cards, in one round trip."""
    rows = await connection.fetch(READ_GROUP, *zip(*map(_question, asked), strict=True))
    found = {
        place: [row[1:] for row in of_one]
        for place, of_one in groupby(rows, key=lambda row: int(row[0]))
    }
    return [
        access_of(question.user_code, found.get(place, []))
        for place, question in enumerate(asked, 1)
    ]


async def swap_group(connection: Fetching, steps: Sequence[Step]) -> list[Fate]:
    """Take *steps* in one statement and commit; one that is not taken leaves nothing behind.

    Its row or card may be held, or have gone, or a card may have moved aside: alone it will be
    seen.
    """
    telling = any(step.farewell is not None for step in steps)
    statement = SWAP_GROUP_TELLING if telling else SWAP_GROUP
    decided = await _run(connection, statement, steps, telling=telling)
    return [decided.get((step.bucket, step.user_code), Fate.HELD_UP) for step in steps]


async def swap_first(connection: Fetching, steps: Sequence[Step]) -> list[Fate]:
    """Take *steps* that begin their rows, likewise; one that is not taken has lost.

    Raises:
        LockNotAvailableError: asyncpg's; another program is making one of the rows. Nothing
            was written.
    """
    decided = await _run(connection, SWAP_FIRST, steps)
    return [decided.get((step.bucket, step.user_code), Fate.LOST) for step in steps]


async def swap_alone(connection: Fetching, step: Step) -> Fate:
    """Take one step, waiting for whoever holds its row."""
    telling = step.farewell is not None
    statement = SWAP_ALONE_TELLING if telling else SWAP_ALONE
    decided = await _run(connection, statement, [step], telling=telling)
    return decided.get((step.bucket, step.user_code), Fate.LOST)


async def _run(
    connection: Fetching, statement: str, steps: Sequence[Step], *, telling: bool = False
) -> dict[tuple[int, str], Fate]:
    arrays = [*zip(*map(_columns, steps), strict=True)]
    if telling:
        arrays.append(tuple(step.farewell for step in steps))
    rows = await connection.fetch(statement, *arrays)
    return {(bucket, user_code): Fate.WON if won else Fate.LOST for bucket, user_code, won in rows}


def _question(asked: AccessQuestion) -> tuple[object, ...]:
    devices = (*asked.devices, *[None] * (DEVICES_ASKED - len(asked.devices)))
    return (asked.bucket, asked.user_code, *devices)


def _columns(step: Step) -> tuple[Any, ...]:
    """*step* as the columns of `_STEP`."""
    line, session, device = step.line, step.session, step.device
    moves: list[int | None] = [value for card in step.atcs for value in card]
    if len(step.atcs) > CARDS_MOVED:
        raise ValueError(f"a step moves {CARDS_MOVED} cards at most, not {len(step.atcs)}")
    return (
        step.bucket,
        step.user_code,
        step.read_version,
        step.enrolled,
        line.head,
        *state_columns(step.state).values(),
        line.attempt,
        line.at,
        line.line,
        line.salt,
        line.address,
        len(step.atcs),
        *moves,
        *[None] * (2 * CARDS_MOVED - len(moves)),
        step.answers,
        *(
            (None,) * 7
            if session is None
            else (
                session.token_hash,
                session.session_epoch,
                session.means,
                int(session.erased_old_code),
                session.opened_at,
                session.ends_at,
                session.previous_login_at,
            )
        ),
        step.forgets_devices,
        *(
            (None,) * 3
            if device is None
            else (device.device_hash, device.known_since, device.expires_at)
        ),
        step.failed_hour,
    )
