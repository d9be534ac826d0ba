"""`sesame.store.cards`."""

from dataclasses import replace

import pytest

from sesame.store.buckets import bucket_of
from sesame.store.cards import CardRow, SealedCardRow, any_card, insert_cards, seal_context
from sesame.store.errors import EnrolledMeanwhile
from tests.places import Place
from tests.store.databases import USER_CODE, card, enrol


def test_a_card_and_its_entry_in_the_index(place: Place) -> None:
    """A new card is active; the index knows its row."""
    place.write(lambda c: insert_cards(c, [((5, "ADA22222"), card(1, last_atc=7))], 99))
    written = place.everything()
    assert written["cards"] == [
        (5, "ADA22222", 1, "sesame", "active", "sesame-card-1", b"sealed", "4417", 7, 99)
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
