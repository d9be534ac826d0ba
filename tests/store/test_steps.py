"""`sesame.store.steps`: one commit settles all that belongs to a step, or nothing of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.store.access import State, Tries, delete_stranger_rows, state_columns
from sesame.store.buckets import bucket_of
from sesame.store.cards import advance_card
from sesame.store.devices import DeviceRow
from sesame.store.errors import CardMovedAside
from sesame.store.failures import delete_old_failures, read_failures
from sesame.store.steps import Fate, Step, swap_group
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    accepted,
    connect,
    enrol,
    everything,
    in_transaction,
    last_atcs,
    row_of,
    step,
)

_OTHER = "ADA22222"


@pytest.fixture
def connection(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a database with one customer, who has two cards at ATC 10."""
    enrol(path)
    with closing(connect(path)) as connection:
        yield connection


def test_a_step_settles_everything_in_one_commit(
    connection: sqlite3.Connection, path: Path
) -> None:
    """Row, both cards, session, erased old code, line and its personal values."""
    taken = accepted()
    assert swap_group(connection, [taken]) == [Fate.WON]
    key = (bucket_of(USER_CODE), USER_CODE)
    written = everything(path)
    assert row_of(path, USER_CODE) | {"enrolled_at": 0} == {
        "bucket": key[0],
        "user_code": USER_CODE,
        "version": 2,
        "enrolled_at": 0,
        "head": taken.line.head,
        **state_columns(taken.state),
    }
    assert row_of(path, USER_CODE)["old_code"] is None
    assert last_atcs(path, USER_CODE) == [11, 11]
    assert taken.session is not None
    session = (taken.session.token_hash, 0, 2_000, 2_000, 9_000, None, "code", 1)
    assert written["sessions"] == [(*key, *session)]
    assert written["devices"] == [(*key, bytes(32), 2_000, 99_000)]
    line = taken.line
    assert written["audit_lines"][1:] == [(*key, 2, line.attempt, 2_000, line.line, line.head)]
    assert written["audit_personal"][1:] == [(*key, 2, 2_000, line.salt, "192.0.2.1")]


def test_a_refused_step_leaves_the_login_as_it_was(
    connection: sqlite3.Connection, path: Path
) -> None:
    """It counts, and names its attempt; old code, last login and cards stay."""
    before = row_of(path, USER_CODE)
    tries = Tries(failures=2, suspended_until=7_000, failed_at=(2_000,), refused=b"\x02" * 16)
    state = State(open=tries, stepped_at=2_000, old_code="$argon2id$...")
    refused = step(state=state, failed_hour=7)
    assert swap_group(connection, [refused]) == [Fate.WON]
    changed = {"version": 2, "head": refused.line.head, **state_columns(state)}
    assert row_of(path, USER_CODE) == before | changed
    assert everything(path)["stranger_failures"] == [(bucket_of(USER_CODE), 7, 1)]
    assert last_atcs(path, USER_CODE) == [10, 10]
    assert everything(path)["sessions"] == []


def test_of_two_steps_from_one_version_one_wins(connection: sqlite3.Connection, path: Path) -> None:
    """The other leaves nothing behind, not even a line."""
    assert swap_group(connection, [accepted()]) == [Fate.WON]
    after_the_first = everything(path)
    second = accepted(atcs=((1, 12),))
    assert swap_group(connection, [second]) == [Fate.LOST]
    assert everything(path) == after_the_first


def test_two_connections_take_turns(connection: sqlite3.Connection, path: Path) -> None:
    """Each step of one is a lost swap for the other, until it reads again."""
    with closing(connect(path)) as other:
        for version in range(1, 10, 2):
            assert swap_group(other, [step(read_version=version)]) == [Fate.WON]
            assert swap_group(connection, [step(read_version=version)]) == [Fate.LOST]
            assert swap_group(connection, [step(read_version=version + 1)]) == [Fate.WON]
    assert row_of(path, USER_CODE)["version"] == 11


def test_a_lost_step_takes_nobody_with_it(connection: sqlite3.Connection, path: Path) -> None:
    """The others of its group are taken."""
    enrol(path, _OTHER)
    fates = swap_group(connection, [accepted(_OTHER), accepted(read_version=7)])
    assert fates == [Fate.WON, Fate.LOST]
    assert row_of(path, _OTHER)["version"] == 2
    assert row_of(path, USER_CODE)["version"] == 1


@pytest.mark.parametrize("atcs", [((1, 10),), ((1, 11), (2, 10)), ((1, 11), (3, 11))])
def test_a_card_that_moved_aside_undoes_its_group(
    connection: sqlite3.Connection, path: Path, atcs: tuple[tuple[int, int], ...]
) -> None:
    """A last ATC that is there already, or a card that is not: nothing of the group stays."""
    enrol(path, _OTHER)
    before = everything(path)
    with pytest.raises(CardMovedAside):
        swap_group(connection, [accepted(_OTHER), accepted(atcs=atcs)])
    assert everything(path) == before
    assert swap_group(connection, [accepted(atcs=atcs)]) == [Fate.LOST]
    assert everything(path) == before
    assert swap_group(connection, [accepted(_OTHER)]) == [Fate.WON]


def test_devices_are_forgotten_with_the_step_that_says_so(
    connection: sqlite3.Connection, path: Path
) -> None:
    """All of one customer's; a new one beside it stays, and is known again when it comes twice."""
    enrol(path, _OTHER)
    swap_group(connection, [accepted(), accepted(_OTHER)])
    swap_group(connection, [step(read_version=2, forgets_devices=True)])
    key = (bucket_of(_OTHER), _OTHER)
    assert everything(path)["devices"] == [(*key, bytes(32), 2_000, 99_000)]
    again = DeviceRow(device_hash=bytes(32), known_since=3_000, expires_at=100_000)
    swap_group(connection, [step(_OTHER, 2, device=again)])
    assert everything(path)["devices"] == [(*key, bytes(32), 3_000, 100_000)]


def test_strangers_failures_are_counted_by_the_hour(
    connection: sqlite3.Connection, path: Path
) -> None:
    """One row a bucket and hour; they are read as one number an hour, and forgotten by age."""
    swap_group(connection, [step(read_version=1, failed_hour=7)])
    swap_group(connection, [step(read_version=2, failed_hour=7), step(STRANGER, 0, failed_hour=7)])
    swap_group(connection, [step(read_version=3, failed_hour=8)])
    assert in_transaction(path, lambda c: read_failures(c, since=7)) == {7: 3, 8: 1}
    assert in_transaction(path, lambda c: read_failures(c, since=8)) == {8: 1}
    in_transaction(path, lambda c: delete_old_failures(c, before=8))
    assert in_transaction(path, lambda c: read_failures(c, since=0)) == {8: 1}


@given(wishes=st.lists(st.integers(0, 30), max_size=30))
def test_a_last_atc_never_decreases(wishes: list[int]) -> None:
    """Whatever is asked of it, in any order: the statement itself sees to it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE cards (bucket, user_code, card_number, last_atc)")
        connection.execute("INSERT INTO cards VALUES (0, 'X', 1, 10)")
        last = 10
        for wish in wishes:
            assert advance_card(connection, 0, "X", 1, wish) is (wish > last)
            last = max(last, wish)
            assert connection.execute("SELECT last_atc FROM cards").fetchone() == (last,)


# ── User codes that nobody has ───────────────────────────────────────────────────────────────────


def test_a_stranger_gets_a_row_by_the_same_statement(path: Path) -> None:
    """The first step writes it, the next one moves it; its lines stand outside the chains."""
    with closing(connect(path)) as connection:
        assert swap_group(connection, [step(STRANGER, 0)]) == [Fate.WON]
        assert swap_group(connection, [step(STRANGER, 0)]) == [Fate.LOST]
        assert swap_group(connection, [step(STRANGER, 1)]) == [Fate.WON]
    row = row_of(path, STRANGER)
    assert (row["version"], row["open_failures"], row["enrolled_at"]) == (2, 1, None)
    written = everything(path)
    assert written["audit_lines"] == written["audit_personal"] == []
    assert [line[2] for line in written["stranger_lines"]] == [1, 2]
    assert [line[2] for line in written["stranger_personal"]] == [1, 2]


def test_a_row_that_was_forgotten_meanwhile_does_not_come_back(path: Path) -> None:
    """A step from a version that is gone is lost; the row begins anew from a fresh read."""
    with closing(connect(path)) as connection:
        swap_group(connection, [step(STRANGER, 0)])
        in_transaction(path, lambda c: delete_stranger_rows(c, untouched_since=2_001))
        assert swap_group(connection, [step(STRANGER, 1)]) == [Fate.LOST]
        assert row_of(path, STRANGER) == {}
        assert everything(path)["stranger_lines"] == []
        assert swap_group(connection, [step(STRANGER, 0)]) == [Fate.WON]


def test_a_customer_enrolled_meanwhile_is_not_taken_for_a_stranger(path: Path) -> None:
    """A step that was planned on nothing is lost against the new row."""
    enrol(path, STRANGER)
    with closing(connect(path)) as connection:
        assert swap_group(connection, [step(STRANGER, 0)]) == [Fate.LOST]
    assert row_of(path, STRANGER)["version"] == 1


# ── All or nothing ───────────────────────────────────────────────────────────────────────────────


class Failing(sqlite3.Connection):
    """A connection that fails at its *fails_at*-th statement, before or after it has run."""

    fails_at = 0
    afterwards = False
    statements: list[str]

    def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
        """Run *sql* unless it is the one to fail."""
        self.statements.append(sql.split(maxsplit=1)[0])
        failing = len(self.statements) == self.fails_at
        if failing and not self.afterwards:
            raise sqlite3.OperationalError("disk I/O error")
        cursor = super().execute(sql, *arguments)  # type: ignore[arg-type]  # passed through
        if failing:
            raise sqlite3.OperationalError("disk I/O error")
        return cursor


_STATEMENTS = [
    "BEGIN",
    "INSERT",  # the access row
    "UPDATE",  # two cards
    "UPDATE",
    "INSERT",  # the line and its personal values
    "INSERT",
    "INSERT",  # the session
    "DELETE",  # the devices that were known
    "INSERT",  # the new one
    "INSERT",  # a failure of a stranger, which no accepted step has: the longest there can be
    "COMMIT",
]


def _whole(user_code: str = USER_CODE) -> Step:
    """A step with every part, more than any one event has."""
    return accepted(user_code, forgets_devices=True, failed_hour=7)


def _failing(path: Path, *, at: int, afterwards: bool = False) -> Failing:
    connection = sqlite3.connect(path, isolation_level=None, factory=Failing)
    connection.statements = []
    connection.fails_at, connection.afterwards = at, afterwards
    return connection


def test_the_statements_of_a_whole_step(path: Path) -> None:
    """The test below interrupts each of these."""
    enrol(path)
    with closing(_failing(path, at=0)) as connection:
        assert swap_group(connection, [_whole()]) == [Fate.WON]
        assert connection.statements == _STATEMENTS


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, len(_STATEMENTS) + 1))
def test_a_failure_at_any_statement_leaves_nothing(
    path: Path, *, at: int, afterwards: bool
) -> None:
    """Everything is as before, and the connection is good for the next step.

    After a COMMIT that arrived everything is there instead.
    """
    enrol(path)
    before = everything(path)
    arrived = afterwards and _STATEMENTS[at - 1] == "COMMIT"
    with closing(_failing(path, at=at, afterwards=afterwards)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            swap_group(connection, [_whole()])
        if arrived:
            assert row_of(path, USER_CODE)["version"] == 2
            assert len(everything(path)["sessions"]) == 1
        else:
            assert everything(path) == before
        assert swap_group(connection, [_whole()]) == [Fate.LOST if arrived else Fate.WON]


def test_a_failure_undoes_the_whole_group(path: Path) -> None:
    """What the first of a group wrote does not stay when the second one fails."""
    enrol(path)
    enrol(path, _OTHER)
    before = everything(path)
    with closing(_failing(path, at=len(_STATEMENTS) + 2)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            swap_group(connection, [_whole(_OTHER), _whole()])
        assert everything(path) == before
