"""`sesame.store.notices`: whoever takes a notice has it alone."""

import asyncpg
import pytest
from sqlalchemy import Connection

from sesame.store.buckets import bucket_of
from sesame.store.dispatches import DispatchRow, list_dispatches
from sesame.store.notices import (
    NoticeRow,
    RecipientRow,
    Settled,
    count_waiting,
    find_by_letters,
    find_recipient,
    insert_notice,
    list_notices,
    oldest_waiting,
    settle_notice,
    sort_notices,
    take_due,
)
from tests.places import Place
from tests.store.databases import USER_CODE, enrol

KEY = (bucket_of(USER_CODE), USER_CODE)


def _insert(place: Place, *ids: int) -> None:
    def insert(connection: Connection) -> None:
        for number in ids:
            insert_notice(
                connection, KEY, notice=bytes([number]) * 16, event="hold", facts=b"{}", at=number
            )

    place.write(insert)


def _due(row: NoticeRow, _to: RecipientRow | None) -> Settled:
    return Settled("due", row.at, None)


def _sort(place: Place, at: int, stale_since: int = 0) -> list[Settled]:
    return place.write(lambda c: sort_notices(c, _due, at=at, stale_since=stale_since, most=10))


def test_new_ones_are_sorted_once(place: Place) -> None:
    """Those that are due only once they are too old, and nobody's who is sending."""
    assert place.write(oldest_waiting) is None
    _insert(place, 1, 2)
    assert place.write(count_waiting) == 2
    assert place.write(oldest_waiting) == 1
    assert len(_sort(place, 5)) == 2
    assert _sort(place, 5) == []
    taken = place.write(lambda c: take_due(c, at=5, until=9))
    assert taken is not None
    assert (taken.id, taken.tries, taken.next_try_at) == (b"\x01" * 16, 1, 9)
    assert len(_sort(place, 5, stale_since=2)) == 1
    assert len(_sort(place, 9, stale_since=2)) == 2


def test_one_is_taken_by_one(place: Place) -> None:
    """The one that has waited longest; and again only after its time."""
    _insert(place, 2, 1)
    _sort(place, 5)
    first = place.write(lambda c: take_due(c, at=5, until=9))
    second = place.write(lambda c: take_due(c, at=5, until=9))
    assert (first and first.at, second and second.at) == (1, 2)
    assert place.write(lambda c: take_due(c, at=8, until=12)) is None
    again = place.write(lambda c: take_due(c, at=9, until=12))
    assert again is not None
    assert again.tries == 2
    sent = Settled("sent", None, 10)
    assert first is not None
    assert not place.write(lambda c: settle_notice(c, first, sent))  # it is another's by now
    assert place.write(lambda c: settle_notice(c, again, sent))
    (row, _) = place.write(lambda c: list_notices(c, KEY))
    assert (row.email_state, row.sent_at, row.next_try_at) == ("sent", 10, None)


def test_a_letter_is_written_with_it(place: Place) -> None:
    """In the same commit, and found by its reference."""
    _insert(place, 1)
    letter = DispatchRow("7QK4-XM2P", *KEY, "hold", None, 5)
    (row,) = place.write(lambda c: list_notices(c, KEY))
    place.write(lambda c: settle_notice(c, row, Settled("none", None, None, letter)))
    assert place.write(lambda c: list_dispatches(c, KEY)) == [letter]
    found = place.write(lambda c: find_by_letters(c, [(KEY, "2222-2222"), (KEY, letter.reference)]))
    assert list(found) == ["7QK4-XM2P"]
    assert found["7QK4-XM2P"].id == row.id


def test_how_somebody_can_be_told(place: Place) -> None:
    """Nobody who is no customer; without details neither way."""
    assert place.write(lambda c: find_recipient(c, KEY)) is None
    enrol(place)
    found = place.write(lambda c: find_recipient(c, KEY))
    assert found == RecipientRow("fr", None, has_address=False)
    assert "fr" not in repr(found)


@pytest.mark.needs("postgresql")
async def test_what_another_takes_just_now_is_passed_over(server: Place) -> None:
    """And waited for by nobody: neither its e-mail, nor the sorting of others."""
    _insert(server, 1, 2)
    _sort(server, 5)
    _insert(server, 3, 4)
    other = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    try:
        await other.execute("BEGIN")
        await other.execute("SELECT * FROM notices WHERE at IN (1, 3) FOR UPDATE")
        taken = server.write(lambda c: take_due(c, at=5, until=9))
        assert taken is not None
        assert taken.at == 2
        assert len(_sort(server, 5)) == 1
    finally:
        await other.close()
