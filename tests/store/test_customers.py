"""`sesame.store.customers`."""

from dataclasses import replace

import pytest

from sesame.store.access import State, Tries, state_columns
from sesame.store.buckets import bucket_of
from sesame.store.customers import insert_customer
from sesame.store.errors import DuplicateCard
from tests.places import Place
from tests.store.databases import (
    STRANGER,
    USER_CODE,
    card,
    customer,
    enrol,
    line,
    step,
)


def test_a_customer_is_written_whole(place: Place) -> None:
    """Name, access row, cards, index and the first line of the chain."""
    enrol(place)
    written = place.everything()
    assert {name: len(rows) for name, rows in written.items()} == {
        "customers": 1,
        "access": 1,
        "cards": 2,
        "pan_index": 2,
        "sessions": 0,
        "devices": 0,
        "stranger_failures": 0,
        "audit_lines": 1,
        "audit_personal": 1,
        "stranger_lines": 0,
        "stranger_personal": 0,
    }
    key = (bucket_of(USER_CODE), USER_CODE)
    assert written["customers"] == [(*key, "Véra Dupont", "fr", 1_000)]
    first = line(1)
    assert written["audit_lines"] == [(*key, 1, first.attempt, 1_000, first.line, first.head)]
    assert written["audit_personal"] == [(*key, 1, 1_000, first.salt, "192.0.2.1")]


def test_a_user_code_is_somebodys_once(place: Place) -> None:
    """The second one is told so and changes nothing."""
    enrol(place)
    before = place.everything()
    again = replace(customer(version=2), cards=[card(1, "somebody else")])
    assert not place.write(lambda c: insert_customer(c, again))
    assert place.everything() == before


def test_a_card_that_somebody_has_undoes_the_enrolment(place: Place) -> None:
    """No half customer stays."""
    enrol(place)
    before = place.everything()
    other = replace(customer("ADA22222"), cards=[card(1, "ADA22222"), card(2, USER_CODE)])
    with pytest.raises(DuplicateCard):
        place.write(lambda c: insert_customer(c, other))
    assert place.everything() == before


def test_enrolment_takes_over_a_strangers_row_clean(place: Place) -> None:
    """Failures, suspension and attempts of strangers are gone; the version goes on."""
    suspended = State(open=Tries(suspended_until=10**18, failed_at=(2_000,)), stepped_at=2_000)
    place.swap_group([step(STRANGER, 0)])
    place.swap_group([step(STRANGER, 1, state=suspended)])
    newcomer = customer(STRANGER, version=3)
    assert place.write(lambda c: insert_customer(c, newcomer))
    assert place.row_of(STRANGER) == {
        "bucket": bucket_of(STRANGER),
        "user_code": STRANGER,
        "version": 3,
        "enrolled_at": 1_000,
        "head": line(3).head,
        **state_columns(State(stepped_at=1_000, old_code="$argon2id$...")),
    }
    assert [row[2] for row in place.everything()["audit_lines"]] == [3]


def test_enrolment_loses_against_a_strangers_step(place: Place) -> None:
    """It was planned on version 0 and finds 1: it is written from a fresh read, not now."""
    place.swap_group([step(STRANGER, 0)])
    before = place.everything()
    assert not place.write(lambda c: insert_customer(c, customer(STRANGER)))
    assert place.everything() == before


def test_enrolment_after_a_stranger_was_forgotten(place: Place) -> None:
    """What the forgotten stranger left does not stand in the way of the same versions."""
    place.swap_group([step(STRANGER, 0)])
    place.execute("DELETE FROM access")
    assert place.write(lambda c: insert_customer(c, customer(STRANGER)))
