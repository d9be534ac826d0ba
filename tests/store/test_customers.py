"""`sesame.store.customers`."""

from dataclasses import replace

import pytest

from sesame.store import customers
from sesame.store.access import State, Tries, state_columns
from sesame.store.buckets import bucket_of
from sesame.store.bulk import find_rows, insert_rows
from sesame.store.customers import (
    CUSTOMERS,
    NewCustomerRow,
    Refusal,
    insert_customers,
    read_versions,
)
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.schema import erase
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
        "customer_details": 0,
        "customer_words": 2,
        "access": 1,
        "cards": 2,
        "begun_counters": 2,
        "pan_index": 2,
        "sessions": 0,
        "devices": 0,
        "stranger_failures": 0,
        "source_refusals": 0,
        "audit_lines": 1,
        "audit_personal": 1,
        "stranger_lines": 0,
        "stranger_personal": 0,
        "incarnation": 1,
        "beats": 0,
        "audit_anchors": 0,
        "legal_holds": 0,
        "staff": 0,
        "staff_bootstraps": 0,
        "approvals": 0,
        "card_orders": 0,
        "dispatches": 0,
        "batches": 0,
        "readers": 0,
        "holds": 0,
        "notices": 0,
        "closures": 0,
        "limit_changes": 0,
        "former_addresses": 0,
    }
    key = (bucket_of(USER_CODE), USER_CODE)
    assert written["customers"] == [(*key, "Véra Dupont", "fr", 1_000)]
    first = line(1)
    assert written["audit_lines"] == [(*key, 1, first.attempt, 1_000, first.line, first.head)]
    assert written["audit_personal"] == [(*key, 1, 1_000, first.salt, "192.0.2.1")]


def test_a_customer_does_not_print_what_proves_it() -> None:
    """Neither the old code's hash, nor a card's seal, nor what its number is found by."""
    shown = repr(customer())
    assert "argon2" not in shown
    assert repr(card(1).sealed) not in shown
    assert repr(card(1).pan_hash) not in shown


def _insert(place: Place, *rows: NewCustomerRow) -> dict[int, Refusal]:
    """Who of *rows* was refused."""
    return place.write(lambda connection: insert_customers(connection, rows))


def test_many_are_written_as_one_is(place: Place) -> None:
    """Row for row the same, whoever comes with them; one may have no card."""
    for user_code in (USER_CODE, "ADA22222"):
        enrol(place, user_code)
    one_by_one = place.everything()
    place.write(erase)
    lone = replace(customer("NEMO4444"), cards=[])
    assert _insert(place, customer(), customer("ADA22222"), lone) == {}
    together = place.everything()
    del one_by_one["incarnation"]  # erased, it begins another life
    for name, rows in one_by_one.items():
        assert [row for row in together[name] if "NEMO4444" not in row] == rows
    assert len(together["customers"]) == 3
    assert len(together["cards"]) == 4


def test_nobody_is_no_customer(place: Place) -> None:
    """Without rows there is nothing to write, and none is found."""
    before = place.everything()
    assert _insert(place) == {}
    assert place.write(lambda c: insert_rows(c, CUSTOMERS, ("bucket",), [])) == 0
    assert place.write(lambda c: find_rows(c, CUSTOMERS, ("bucket",), (), [])) == []
    assert place.everything() == before


def test_a_user_code_is_somebodys_once(place: Place) -> None:
    """The second one is told so, and of those beside them nobody is written."""
    enrol(place)
    before = place.everything()
    again = replace(customer(version=2), cards=[card(1, "somebody else")])
    assert _insert(place, customer("ADA22222"), again) == {1: Refusal.USER_CODE_TAKEN}
    assert place.everything() == before


def test_a_card_is_somebodys_once(place: Place) -> None:
    """No half customer stays, nor a whole one beside them."""
    enrol(place)
    before = place.everything()
    other = replace(customer("ADA22222"), cards=[card(1, "ADA22222"), card(2, USER_CODE)])
    assert _insert(place, other, customer("NEMO4444")) == {0: Refusal.CARD_TAKEN}
    assert place.everything() == before


def test_a_batch_has_each_user_code_and_card_once(place: Place) -> None:
    """The first has it and the others are told; what a refused one brings stays free."""
    own, twin = card(1, "own"), card(1, "twin")
    batch = [
        customer(),
        replace(customer(), cards=[own]),
        replace(customer("ADA22222"), cards=[own]),
        replace(customer("NEMO4444"), cards=[twin, replace(twin, card_number=2)]),
        replace(customer("EVE55555"), cards=[twin]),
        replace(customer("EVE66666"), cards=customer().cards),
    ]
    assert _insert(place, *batch) == {
        1: Refusal.USER_CODE_TAKEN,
        3: Refusal.CARD_TAKEN,
        5: Refusal.CARD_TAKEN,
    }
    assert not place.everything()["customers"]
    assert _insert(place, batch[0], batch[2], batch[4]) == {}


@pytest.mark.parametrize("taken", ["a user code", "a card"])
def test_somebody_enrols_meanwhile(
    place: Place, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    """What was free when it was looked at is seen when it is written; nothing stays."""
    enrol(place)
    before = place.everything()
    monkeypatch.setattr(customers, "_refused", lambda *_: {})
    late = customer(version=2)
    if taken == "a card":
        late = replace(customer("ADA22222"), cards=[card(2, USER_CODE)])
    with pytest.raises(EnrolledMeanwhile):
        _insert(place, customer("NEMO4444"), late)
    assert place.everything() == before


def test_enrolment_takes_over_a_strangers_row_clean(place: Place) -> None:
    """Failures, suspension and attempts of strangers are gone; the version goes on."""
    suspended = State(open=Tries(suspended_until=10**18, failed_at=(2_000,)), stepped_at=2_000)
    place.swap_group([step(STRANGER, 0)])
    place.swap_group([step(STRANGER, 1, state=suspended)])
    key = (bucket_of(STRANGER), STRANGER)
    keys = [key, (bucket_of(USER_CODE), USER_CODE)]
    assert place.write(lambda c: read_versions(c, keys)) == {key: 2}
    assert _insert(place, customer(), customer(STRANGER, version=3)) == {}
    assert place.row_of(STRANGER) == {
        "bucket": bucket_of(STRANGER),
        "user_code": STRANGER,
        "version": 3,
        "enrolled_at": 1_000,
        "head": line(3).head,
        **state_columns(State(stepped_at=1_000, old_code="$argon2id$...")),
    }
    assert sorted(row[2] for row in place.everything()["audit_lines"]) == [1, 3]


def test_enrolment_loses_against_a_strangers_step(place: Place) -> None:
    """It was planned on version 0 and finds 1: it is written from a fresh read, not now."""
    place.swap_group([step(STRANGER, 0)])
    before = place.everything()
    assert _insert(place, customer(), customer(STRANGER)) == {1: Refusal.MOVED_ON}
    assert place.everything() == before


def test_enrolment_goes_on_where_the_row_stands(place: Place) -> None:
    """It was planned on version 2; the row was forgotten meanwhile, or has begun anew."""
    late = customer(STRANGER, version=3)
    assert _insert(place, customer(), late) == {1: Refusal.MOVED_ON}
    place.swap_group([step(STRANGER, 0)])
    assert _insert(place, customer(), late) == {1: Refusal.MOVED_ON}
    assert not place.everything()["customers"]


def test_enrolment_after_a_stranger_was_forgotten(place: Place) -> None:
    """What the forgotten stranger left does not stand in the way of the same versions."""
    place.swap_group([step(STRANGER, 0)])
    place.execute("DELETE FROM access")
    assert _insert(place, customer(STRANGER)) == {}
