"""`sesame.store.access`."""

from contextlib import closing
from pathlib import Path

from sesame.store.access import NO_ATTEMPT, NO_HEAD, Access, delete_stranger_rows, read_group
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardRow
from sesame.store.steps import swap_group
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    accepted,
    connect,
    enrol,
    everything,
    in_transaction,
    line,
    row_of,
    step,
)


def _read(path: Path, *user_codes: str) -> list[Access]:
    with closing(connect(path)) as connection:
        return read_group(connection, user_codes)


def test_a_user_code_that_nobody_has_reads_alike(path: Path) -> None:
    """No row is no exception: version 0, nothing failed, no cards."""
    (access,) = _read(path, STRANGER)
    assert access == Access(STRANGER)
    assert access.bucket == bucket_of(STRANGER)
    assert (access.version, access.enrolled, access.cards) == (0, False, ())
    assert (access.head, access.last_attempt) == (NO_HEAD, NO_ATTEMPT)


def test_a_customer_is_read_with_their_cards(path: Path) -> None:
    """In the order of their numbers, in one statement."""
    enrol(path)
    statements: list[str] = []
    with closing(connect(path)) as connection:
        connection.set_trace_callback(statements.append)
        (access,) = read_group(connection, [USER_CODE])
    assert len(statements) == 1
    assert access == Access(
        user_code=USER_CODE,
        version=1,
        enrolled=True,
        head=line(1).head,
        stepped_at=1_000,
        cards=tuple(CardRow(n, "active", "sesame-card-1", b"sealed", 10) for n in (1, 2)),
    )


def test_a_customer_without_cards(path: Path) -> None:
    """The row is read all the same."""
    enrol(path)
    with closing(connect(path)) as connection:
        connection.execute("DELETE FROM cards")
    (access,) = _read(path, USER_CODE)
    assert (access.version, access.enrolled, access.cards) == (1, True, ())


def test_every_column_of_a_step_is_read_back(path: Path) -> None:
    """What one attempt leaves is what the next one decides on."""
    enrol(path)
    taken, refused = accepted(), step(read_version=2, failures=3, suspended_until=77, at=3_000)
    with closing(connect(path)) as connection:
        swap_group(connection, [taken])
        (after_success,) = read_group(connection, [USER_CODE])
        swap_group(connection, [refused])
        (after_failure,) = read_group(connection, [USER_CODE])
    assert (after_success.last_accepted, after_success.signed_in_at) == (True, 2_000)
    assert [card.last_atc for card in after_success.cards] == [11, 11]
    assert after_failure == Access(
        user_code=USER_CODE,
        version=3,
        enrolled=True,
        failures=3,
        suspended_until=77,
        head=refused.line.head,
        stepped_at=3_000,
        last_attempt=refused.attempt,
        last_accepted=False,
        signed_in_at=2_000,
        cards=after_success.cards,
    )


def test_a_group_is_read_in_its_order(path: Path) -> None:
    """Known and unknown side by side."""
    enrol(path)
    group = _read(path, STRANGER, USER_CODE, "ADA22222")
    assert [access.user_code for access in group] == [STRANGER, USER_CODE, "ADA22222"]
    assert [access.version for access in group] == [0, 1, 0]


def test_a_row_read_by_bucket_alone_is_nobodys(path: Path) -> None:
    """Two user codes of one bucket do not read each other's row."""
    neighbour = next(
        code
        for code in (f"NOBO{n:04d}" for n in range(10_000))
        if bucket_of(code) == bucket_of(USER_CODE)
    )
    enrol(path)
    assert _read(path, neighbour) == [Access(neighbour)]


def test_old_strangers_are_forgotten_with_their_lines(path: Path) -> None:
    """By age only: a customer's row stays, however old, and so does a stranger's of late."""
    enrol(path)
    with closing(connect(path)) as connection:
        swap_group(connection, [step(STRANGER, 0, at=1_999), step("NEMO4444", 0, enrolled=False)])
    in_transaction(path, lambda c: delete_stranger_rows(c, untouched_since=2_000))
    assert row_of(path, STRANGER) == {}
    assert row_of(path, "NEMO4444")
    assert row_of(path, USER_CODE)
    written = everything(path)
    for table in ("stranger_lines", "stranger_personal"):
        assert [row[1] for row in written[table]] == ["NEMO4444"]
    assert len(written["audit_lines"]) == len(written["audit_personal"]) == 1
