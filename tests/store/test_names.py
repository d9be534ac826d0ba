"""`sesame.store.names`: a name is found by its words, however they are written."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from sesame.store.buckets import bucket_of
from sesame.store.cards import CARDS
from sesame.store.names import find_by_words, insert_words, typed_words, words_of
from tests.places import Place

_NAMES = {
    "AAAA2222": "Éloïse d’Œuvre",
    "BBBB2222": "Jean-Marie Martin",
    "CCCC2222": "Marie Martinez y O'Brien",
    "DDDD2222": "MARTIN Jean",
    "EEEE2222": "Νίκος Μαρτίνης",
    "FFFF2222": "Ñuño Straße",
}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", ()),
        ("  -  ", ()),
        ("Ÿves  LE GALL", ("gall", "le", "yves")),
        ("Łukasz Ångström-Øre", ("angstrom", "lukasz", "ore")),
        ("D'Artagnan", ("artagnan", "d", "dartagnan")),
        ("Weiß", ("weiss",)),
        ("ﬁnance", ("finance",)),
        ("x" * 99, ("x" * 40,)),
    ],
)
def test_words(name: str, words: tuple[str, ...]) -> None:
    """Without accents and case, each once."""
    assert words_of(name) == words


@given(st.text(max_size=120))
def test_whatever_a_name_is(name: str) -> None:
    """Its words are found by themselves, whatever case they are typed in."""
    words = words_of(name)
    assert all(0 < len(word) <= 40 for word in words)
    for word in words:
        assert word in words_of(word)


def _fill(connection: Connection) -> None:
    insert_words(connection, [((bucket_of(code), code), name) for code, name in _NAMES.items()])
    card = {"kind": "bank", "state": "active", "profile": "", "sealed": b"", "last_atc": 0}
    for code in ("BBBB2222", "CCCC2222"):
        for number, last4 in ((1, "1234"), (2, "1234")):
            key = {"bucket": bucket_of(code), "user_code": code, "card_number": number}
            row = key | card | {"last4": last4, "created_at": 0}
            connection.execute(insert(CARDS).values(row))


def _found(place: Place, typed: str, last4: str = "", most: int = 50) -> set[str]:
    find = partial(find_by_words, words=typed_words(typed), last4=last4, most=most)
    keys = place.write(find)
    assert len(set(keys)) == len(keys)
    return {user_code for _, user_code in keys}


def test_found(place: Place) -> None:
    """By words in any order, by their beginnings, with or without the end of a card."""
    place.write(_fill)
    for typed, last4, codes in (
        ("martin", "", "BCD"),
        ("MARTIN jean", "", "BD"),
        ("jean martin", "", "BD"),
        ("mar", "", "BCD"),
        ("martinez", "", "C"),
        ("eloise", "", "A"),
        ("ÉLOÏSE D'OEUVRE", "", "A"),
        ("doeuvre", "", "A"),
        ("oeuv", "", "A"),
        ("obrien", "", "C"),
        ("o brien", "", "C"),
        ("y", "", "C"),
        ("m", "", ""),  # one letter is that word
        ("νικ", "", "E"),
        ("nuno strasse", "", "F"),
        ("durand", "", ""),
        ("marie", "1234", "BC"),
        ("jean", "1234", "B"),
        ("", "1234", "BC"),
        ("marie", "4321", ""),
        ("%", "1234", "BC"),
    ):
        assert _found(place, typed, last4) == {f"{code * 4}2222" for code in codes}, typed
    assert len(_found(place, "mar", most=2)) == 2
