"""`sesame.store.cards`."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.staff import BANK_ITSELF, generate_staff_code
from sesame.bank.user_code import ALPHABET
from sesame.store.access import AccessQuestion
from sesame.store.buckets import bucket_of
from sesame.store.cards import (
    CardRow,
    CardState,
    SealedCardRow,
    any_card,
    insert_cards,
    raise_atc,
    seal_context,
    set_card_state,
)
from sesame.store.errors import EnrolledMeanwhile
from sesame.store.staff_mark import is_staff_context
from tests.places import Place
from tests.store.databases import USER_CODE, card, enrol


def test_a_card_and_its_entry_in_the_index(place: Place) -> None:
    """A new card is active; the index knows its row."""
    place.write(lambda c: insert_cards(c, [((5, "ADA22222"), card(1, last_atc=7))], 99))
    written = place.everything()
    assert written["cards"] == [
        (5, "ADA22222", 1, "sesame", "active", "sesame-card-1", b"sealed", "4417", 7, 99, 0)
    ]
    assert written["pan_index"] == [(card(1).pan_hash, "00", 5, "ADA22222", 1)]


def test_a_card_is_somebodys_once(place: Place) -> None:
    """The same PAN and PSN a second time is refused, whoever it is for; nothing stays."""
    enrol(place)
    before = place.everything()
    with pytest.raises(EnrolledMeanwhile) as refused:
        place.write(lambda c: insert_cards(c, [((5, "ADA22222"), card(1))], 99))
    assert place.everything() == before
    assert card(1).pan_hash.hex() not in str(refused.value)


def test_any_card(place: Place) -> None:
    """One of those that there are, as custody opens it."""
    assert place.write(any_card) is None
    enrol(place)
    assert place.write(any_card) == SealedCardRow(USER_CODE, 1, card(1).sealed)


def test_any_card_is_a_customers(place: Place) -> None:
    """Custody would refuse a portal one of staff, wherever that stands in the table."""
    officer = generate_staff_code(bytes)
    place.write(lambda c: insert_cards(c, [((0, officer), card(7))], 99))
    assert place.write(any_card) is None
    enrol(place)
    assert place.write(any_card) == SealedCardRow(USER_CODE, 1, card(1).sealed)


def test_a_card_with_another_psn_is_another_card(place: Place) -> None:
    """5F34 is there to tell apart cards of one number."""
    enrol(place)
    twin = replace(card(1), psn="01")
    place.write(lambda c: insert_cards(c, [((5, "ADA22222"), twin)], 99))
    assert len(place.everything()["cards"]) == 3


def test_a_seal_holds_for_one_row() -> None:
    """The context is the row's key: user code and card number both tell rows apart."""
    contexts = {
        seal_context(user_code, number)
        for user_code in (USER_CODE, "VERA2223", "VERA222")
        for number in (1, 2, 12)
    }
    assert len(contexts) == 9
    assert seal_context(USER_CODE, 2) == f"{bucket_of(USER_CODE)}|VERA2222|2".encode()


@given(chance=st.binary(min_size=7, max_size=7), number=st.integers(1, 99))
def test_a_seal_of_staff_is_told_by_its_context(chance: bytes, number: int) -> None:
    """Of every staff code and of no user code, whatever the bucket and the card."""
    for code, is_staff in (
        (generate_staff_code(lambda many: chance[:many]), True),
        (BANK_ITSELF, True),
        ("".join(ALPHABET[byte % len(ALPHABET)] for byte in (*chance, 1)), False),
    ):
        assert is_staff_context(seal_context(code, number)) is is_staff


def test_no_row_prints_its_seal() -> None:
    """Nor the hash that finds its PAN; but which card it is."""
    seal = card(1).sealed
    rows = {
        CardRow(1, "active", "sesame-card-1", seal, 7): "CardRow(1, active, sesame-card-1, 7)",
        SealedCardRow(USER_CODE, 1, seal): f"SealedCardRow(user_code={USER_CODE!r}, card_number=1)",
    }
    for row, printed in rows.items():
        assert (repr(row), str([row])) == (printed, f"[{printed}]")
    for secret in (seal, card(1).pan_hash):
        assert repr(secret) not in repr(card(1))


def test_a_card_is_held_and_let_go(place: Place) -> None:
    """The one, and not the other one."""

    def states() -> list[str]:
        (access,) = place.read_group([AccessQuestion(USER_CODE)])
        return [row.state for row in access.cards]

    enrol(place)
    place.write(lambda c: set_card_state(c, _KEY, 2, CardState.HELD))
    assert states() == ["active", "held"]
    place.write(lambda c: set_card_state(c, _KEY, 2, CardState.ACTIVE))
    assert states() == ["active", "active"]


def test_an_atc_is_taken_upwards_only_and_of_a_sure_card(place: Place) -> None:
    """Not the last one again, not one below it; none of a card that a restore made unsure."""
    enrol(place)
    key = (bucket_of(USER_CODE), USER_CODE)

    def last() -> list[int]:
        of_card = (row for row in place.everything()["cards"] if row[1:3] == (USER_CODE, 1))
        return [row[8] for row in of_card]

    begun = last()[0]
    for atc, taken in ((begun + 9, True), (begun + 9, False), (begun + 3, False)):
        assert place.write(lambda c, atc=atc: raise_atc(c, key, 1, atc)) == taken  # type: ignore[misc]
    assert last() == [begun + 9]
    place.execute("UPDATE incarnation SET generation = generation + 1")
    assert not place.write(lambda c: raise_atc(c, key, 1, begun + 20))
    assert last() == [begun + 9]


_KEY = (bucket_of(USER_CODE), USER_CODE)
