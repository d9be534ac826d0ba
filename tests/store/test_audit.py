"""`sesame.store.audit`."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.store.audit import (
    AuditRow,
    cap_stranger_lines,
    delete_stranger_lines,
    has_line,
    read_lines,
)
from sesame.store.buckets import bucket_of
from sesame.store.steps import swap_group
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    connect,
    enrol,
    everything,
    in_transaction,
    line,
    step,
)


def _fill(path: Path, moments: list[int]) -> None:
    with closing(connect(path)) as connection:
        for version, at in enumerate(moments):
            swap_group(connection, [step(STRANGER, version, at=at)])


def _versions(path: Path, table: str = "stranger_lines") -> list[object]:
    return [row[2] for row in everything(path)[table]]


def test_a_chain_is_read_in_order(path: Path) -> None:
    """Version, line and head of one customer, and nobody else's."""
    enrol(path)
    enrol(path, "ADA22222")
    with closing(connect(path)) as connection:
        for version in range(1, 12):
            swap_group(connection, [step(read_version=version)])
    chain = in_transaction(path, lambda c: read_lines(c, bucket_of(USER_CODE), USER_CODE))
    assert chain == [(v, line(v).line, line(v).head) for v in range(1, 13)]


@pytest.mark.parametrize("user_code", [USER_CODE, STRANGER])
def test_a_line_is_recognised_by_its_head(path: Path, user_code: str) -> None:
    """The line of that version with that hash; another attempt's is not taken for it."""
    enrol(path)
    version = 1 if user_code == USER_CODE else 0
    taken = step(user_code, version)
    other = replace(taken.line, head=bytes(32))
    with closing(connect(path)) as connection:
        swap_group(connection, [taken])

    def has(row: AuditRow, *, enrolled: bool) -> bool:
        return in_transaction(
            path,
            lambda c: has_line(c, taken.bucket, user_code, row, enrolled=enrolled),
        )

    assert has(taken.line, enrolled=taken.enrolled)
    assert not has(taken.line, enrolled=not taken.enrolled)
    assert not has(other, enrolled=taken.enrolled)
    assert not has(line(version + 2), enrolled=taken.enrolled)


def test_strangers_lines_are_capped(path: Path) -> None:
    """The newest stay, with their personal values."""
    _fill(path, [10, 20, 30, 40, 50])
    in_transaction(path, lambda c: cap_stranger_lines(c, most=3))
    assert _versions(path) == _versions(path, "stranger_personal") == [3, 4, 5]


@pytest.mark.parametrize("most", [5, 6])
def test_a_cap_that_is_not_reached_takes_nothing(path: Path, most: int) -> None:
    """As many as allowed is not too many."""
    _fill(path, [10, 20, 30, 40, 50])
    in_transaction(path, lambda c: cap_stranger_lines(c, most=most))
    assert len(_versions(path)) == 5


def test_lines_of_one_moment_do_not_break_the_cap(path: Path) -> None:
    """Never more than allowed, if need be fewer."""
    _fill(path, [10, 20, 20, 20, 50])
    in_transaction(path, lambda c: cap_stranger_lines(c, most=3))
    assert _versions(path) == [5]


def test_old_lines_of_strangers_are_forgotten_and_no_customers(path: Path) -> None:
    """By age, in both tables; the chains keep theirs for ever."""
    enrol(path)
    _fill(path, [1, 2, 3])
    in_transaction(path, lambda c: delete_stranger_lines(c, before=3))
    assert _versions(path) == _versions(path, "stranger_personal") == [3]
    assert _versions(path, "audit_lines") == _versions(path, "audit_personal") == [1]
