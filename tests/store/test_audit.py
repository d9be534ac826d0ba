"""`sesame.store.audit`."""

import pytest
from msgspec.structs import replace

from sesame.store.audit import (
    AuditRow,
    cap_stranger_lines,
    delete_stranger_lines,
    has_line,
    read_lines,
)
from sesame.store.buckets import bucket_of
from tests.places import Place
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    enrol,
    line,
    step,
)


def _fill(place: Place, moments: list[int]) -> None:
    for version, at in enumerate(moments):
        place.swap_group([step(STRANGER, version, at=at)])


def _versions(place: Place, table: str = "stranger_lines") -> list[object]:
    return [row[2] for row in place.everything()[table]]


def test_a_chain_is_read_in_order(place: Place) -> None:
    """Version, line and head of one customer, and nobody else's."""
    enrol(place)
    enrol(place, "ADA22222")
    for version in range(1, 12):
        place.swap_group([step(read_version=version)])
    chain = place.write(lambda c: read_lines(c, bucket_of(USER_CODE), USER_CODE))
    assert chain == [(v, line(v).line, line(v).head) for v in range(1, 13)]


@pytest.mark.parametrize("user_code", [USER_CODE, STRANGER])
def test_a_line_is_recognised_by_its_head(place: Place, user_code: str) -> None:
    """The line of that version with that hash; another attempt's is not taken for it."""
    enrol(place)
    version = 1 if user_code == USER_CODE else 0
    taken = step(user_code, version)
    other = replace(taken.line, head=bytes(32))
    place.swap_group([taken])

    def has(row: AuditRow, *, enrolled: bool) -> bool:
        return place.write(
            lambda c: has_line(c, taken.bucket, user_code, row, enrolled=enrolled),
        )

    assert has(taken.line, enrolled=taken.enrolled)
    assert not has(taken.line, enrolled=not taken.enrolled)
    assert not has(other, enrolled=taken.enrolled)
    assert not has(line(version + 2), enrolled=taken.enrolled)


def test_strangers_lines_are_capped(place: Place) -> None:
    """The newest stay, with their personal values."""
    _fill(place, [10, 20, 30, 40, 50])
    place.write(lambda c: cap_stranger_lines(c, most=3))
    assert _versions(place) == _versions(place, "stranger_personal") == [3, 4, 5]


@pytest.mark.parametrize("most", [5, 6])
def test_a_cap_that_is_not_reached_takes_nothing(place: Place, most: int) -> None:
    """As many as allowed is not too many."""
    _fill(place, [10, 20, 30, 40, 50])
    place.write(lambda c: cap_stranger_lines(c, most=most))
    assert len(_versions(place)) == 5


def test_lines_of_one_moment_do_not_break_the_cap(place: Place) -> None:
    """Never more than allowed, if need be fewer."""
    _fill(place, [10, 20, 20, 20, 50])
    place.write(lambda c: cap_stranger_lines(c, most=3))
    assert _versions(place) == [5]


def test_old_lines_of_strangers_are_forgotten_and_no_customers(place: Place) -> None:
    """By age, in both tables; the chains keep theirs for ever."""
    enrol(place)
    _fill(place, [1, 2, 3])
    place.write(lambda c: delete_stranger_lines(c, before=3))
    assert _versions(place) == _versions(place, "stranger_personal") == [3]
    assert _versions(place, "audit_lines") == _versions(place, "audit_personal") == [1]
