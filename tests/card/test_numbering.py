"""The numbers of Sésame cards, and names without accents."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.card.errors import NameUnprintable, PersonalisationError
from sesame.card.memory import CardData
from sesame.card.numbering import SESAME_PREFIX, check_prefix, draw_number, printed_name
from sesame.emv.pin import Pin
from tests.card.cards import DATA


def test_a_number_is_prefix_serial_and_luhn() -> None:
    """Sixteen digits; the serial is all of chance, and two draws differ."""
    number = draw_number(SESAME_PREFIX, (12345).to_bytes)
    assert number.digits[:15] == "925000000012345"
    assert draw_number("925012345", secrets.token_bytes).digits[:9] == "925012345"
    drawn = {draw_number(SESAME_PREFIX, secrets.token_bytes).digits for _ in range(50)}
    assert len(drawn) == 50


@pytest.mark.parametrize(
    "prefix", ["", "9", "925", "9250123456", "4000", "5250", "925x", "92\u06650"]
)
def test_a_number_that_a_scheme_may_have_is_not_drawn(prefix: str) -> None:
    """Nine first; short ones leave out the country, long ones leave too few to chance."""
    with pytest.raises(PersonalisationError, match="give 4 to 9 digits"):
        check_prefix(prefix)
    with pytest.raises(PersonalisationError, match="give 4 to 9 digits"):
        draw_number(prefix, secrets.token_bytes)


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("Inès Lefèvre", "INES LEFEVRE"),
        ("Les Jardins partagés", "LES JARDINS PARTAGES"),
        ("Cœur d’Œil", "COEUR D'OEIL"),
        ("Straße Łukasz Ðđ Ø", "STRASSE LUKASZ DD O"),
        ("Marie-Thérèse d'Aubigné-Desroches", "MARIE-THERESE"),
        ("Wolfeschlegelsteinhausenbergerdorff", "WOLFESCHLEGELSTEINHAUSENBE"),
        ("Jean  \t (dit «\u00a0Jo\u00a0»)", "JEAN DIT JO"),
        ("Ħabiba Ŧuomas-Ŋ", "HABIBA TUOMAS-N"),
        ("O\u02bcNeill Marie\u2011Ange L\u2018Hermite", "O'NEILL MARIE-ANGE"),
        ("\uff26\uff55ll \ufb01n", "FULL FIN"),
    ],
)
def test_a_name_as_a_card_shows_it(name: str, printed: str) -> None:
    """Capitals of ASCII; what is too long ends with a whole word."""
    assert printed_name(name) == printed


@pytest.mark.parametrize("name", ["", "陳大文", "Ж", "!", "X"])
def test_a_name_without_letters_is_refused(name: str) -> None:
    """Somebody has to say how it is written in Latin ones."""
    with pytest.raises(NameUnprintable, match="no two letters"):
        printed_name(name)


@given(name=st.text(max_size=60))
def test_every_printed_name_fits_a_card(name: str) -> None:
    """Whatever a customer is called; and printed again it stays."""
    try:
        printed = printed_name(name)
    except NameUnprintable:
        return
    CardData(
        name=printed,
        pan=DATA.pan,
        pin=Pin("0000"),
        effective=DATA.effective,
        expiry=DATA.expiry,
    )
    assert printed_name(printed) == printed
