"""`sesame.store.sqlite_login`: one transaction settles a group, or nothing of it."""

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.store.access import AccessQuestion
from sesame.store.errors import CardMovedAside
from sesame.store.sqlite_login import advance_card, read_group, swap_group
from sesame.store.steps import Fate, Step
from tests.places import Place, connect
from tests.store.databases import USER_CODE, accepted, enrol

_OTHER = "ADA22222"


def test_a_customer_is_read_in_one_statement(file: Place) -> None:
    """The row, whether the browser is known, and the cards."""
    enrol(file)
    statements: list[str] = []
    with closing(connect(file.path)) as connection:
        connection.set_trace_callback(statements.append)
        (access,) = read_group(connection, [AccessQuestion(USER_CODE)])
    assert len(statements) == 1
    assert len(access.cards) == 2


def test_a_card_that_moved_aside_undoes_its_group(file: Place) -> None:
    """Nothing of the group stays; alone the step is lost."""
    enrol(file)
    enrol(file, _OTHER)
    before = file.everything()
    moved = accepted(atcs=((1, 11), (2, 10)))
    with closing(connect(file.path)) as connection:
        with pytest.raises(CardMovedAside):
            swap_group(connection, [accepted(_OTHER), moved])
        assert file.everything() == before
        assert swap_group(connection, [moved]) == [Fate.LOST]


@given(wishes=st.lists(st.integers(0, 30), max_size=30))
def test_a_last_atc_never_decreases(wishes: list[int]) -> None:
    """Whatever is asked of it, in any order: the statement itself sees to it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(
            "CREATE TABLE cards (bucket, user_code, card_number, last_atc, generation)"
        )
        connection.execute("CREATE TABLE incarnation (id, generation, mark)")
        connection.execute("INSERT INTO incarnation VALUES (1, 3, 'now')")
        connection.execute("INSERT INTO cards VALUES (0, 'X', 1, 10, 3)")
        last = 10
        for wish in wishes:
            assert advance_card(connection, 0, "X", 1, wish, answers=None) is (wish > last)
            last = max(last, wish)
            assert connection.execute("SELECT last_atc FROM cards").fetchone() == (last,)


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
    "INSERT",  # the notice that the old code is over
    "DELETE",  # the devices that were known
    "INSERT",  # the new one
    "INSERT",  # a failure of a stranger, which no accepted step has: the longest there can be
    "COMMIT",
]


def _whole(user_code: str = USER_CODE) -> Step:
    """A step with every part, more than any one event has."""
    farewell = 2 * user_code.encode()
    return accepted(user_code, forgets_devices=True, farewell=farewell, failed_hour=7)


def _failing(file: Place, *, at: int, afterwards: bool = False) -> Failing:
    connection = sqlite3.connect(file.path, isolation_level=None, factory=Failing)
    connection.statements = []
    connection.fails_at, connection.afterwards = at, afterwards
    return connection


def test_the_statements_of_a_whole_step(file: Place) -> None:
    """The test below interrupts each of these."""
    enrol(file)
    with closing(_failing(file, at=0)) as connection:
        assert swap_group(connection, [_whole()]) == [Fate.WON]
        assert connection.statements == _STATEMENTS


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, len(_STATEMENTS) + 1))
def test_a_failure_at_any_statement_leaves_nothing(
    file: Place, *, at: int, afterwards: bool
) -> None:
    """Everything is as before, and the connection is good for the next step.

    After a COMMIT that arrived everything is there instead.
    """
    enrol(file)
    before = file.everything()
    arrived = afterwards and _STATEMENTS[at - 1] == "COMMIT"
    with closing(_failing(file, at=at, afterwards=afterwards)) as connection:
        with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            swap_group(connection, [_whole()])
        if arrived:
            assert file.row_of(USER_CODE)["version"] == 2
            assert len(file.everything()["sessions"]) == 1
        else:
            assert file.everything() == before
        assert swap_group(connection, [_whole()]) == [Fate.LOST if arrived else Fate.WON]


def test_a_failure_undoes_the_whole_group(file: Place) -> None:
    """What the first of a group wrote does not stay when the second one fails."""
    enrol(file)
    enrol(file, _OTHER)
    before = file.everything()
    with closing(_failing(file, at=len(_STATEMENTS) + 2)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            swap_group(connection, [_whole(_OTHER), _whole()])
        assert file.everything() == before


def test_a_session_is_found_without_a_search(file: Place) -> None:
    """A browser brings no user code: the index leads to the row by bucket and hash."""
    plan = file.execute(
        "EXPLAIN QUERY PLAN SELECT * FROM sessions WHERE bucket = 1 AND token_hash = x'00'"
    )
    assert "sessions_by_token (bucket=? AND token_hash=?)" in plan[0][3]
