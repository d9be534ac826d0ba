"""Letters refuse what they cannot print, and never show what they keep."""

from dataclasses import replace

import pytest

from sesame.letters.contents import contents_of
from sesame.letters.errors import MalformedLetter
from sesame.letters.letter import (
    Addressee,
    CardKind,
    Letter,
    PinLetter,
    Sheet,
    kind_of,
    name_of,
)
from sesame.web.institution import Institution
from tests.letters.mail import (
    ACTIVATION,
    ADDRESS,
    NAME,
    ON,
    PIN,
    REFERENCE,
    USER_CODE,
    addressee,
    card_letter,
    pin_letter,
    reader_letter,
    welcome_letter,
)


@pytest.mark.parametrize(
    "lines",
    [(), ("a",) * 6, ("",), ("  ",), ("a" * 101,), ("a\nb",), ("a\u202eb",), ("a\ud800",)],
)
def test_no_address_of_another_form(lines: tuple[str, ...]) -> None:
    """Empty, overlong, with control characters, or more lines than a window has."""
    with pytest.raises(MalformedLetter):
        Addressee(name="Camille", address=lines)


def test_the_name_is_a_line_like_the_others() -> None:
    """A name of two lines would make an address of its own."""
    with pytest.raises(MalformedLetter, match="control character"):
        addressee(name="Camille\n1 rue d’ailleurs")


@pytest.mark.parametrize("reference", ["", "A", "A-", "-AB", "a-b", "A B", "A" * 25, "../A", "É-9"])
def test_no_reference_of_another_form(reference: str) -> None:
    """It becomes the name of a file too."""
    with pytest.raises(MalformedLetter):
        card_letter(reference=reference)


@pytest.mark.parametrize("pin", ["", "123", "1" * 13, "12a4", "\u0661\u0662\u0663\u0664", "1234\n"])
def test_a_pin_is_four_to_twelve_digits(pin: str) -> None:
    """And the message does not repeat what was given."""
    with pytest.raises(MalformedLetter) as caught:
        replace(pin_letter(), pin=pin)
    assert str(caught.value) == f"letter {REFERENCE}: a PIN has 4 to 12 digits"


def test_a_pattern_has_sixteen_bytes() -> None:
    """Fewer could be tried out."""
    with pytest.raises(MalformedLetter, match="16 bytes"):
        replace(pin_letter(), pattern=b"short")


@pytest.mark.parametrize("code", ["", "W7M2XQ9", "W7M2XQ9PP", "w7m2xq9p", "W7M2XQ9é"])
def test_a_user_code_has_eight_characters(code: str) -> None:
    """And the message does not repeat what was given."""
    with pytest.raises(MalformedLetter) as caught:
        replace(welcome_letter(), user_code=code)
    assert not code or code not in str(caught.value)


@pytest.mark.parametrize("field", ["serial", "model", "activation"])
@pytest.mark.parametrize("value", ["", " A", "A ", "A" * 41, "é", "A\nB"])
def test_what_is_copied_is_plain(field: str, value: str) -> None:
    """Printable ASCII, so that it is typed as it is read."""
    with pytest.raises(MalformedLetter):
        replace(reader_letter(), **{field: value})  # type: ignore[arg-type] # all three are str


def test_nothing_secret_is_shown() -> None:
    """Neither a PIN nor what hides it, nor a user code or an activation number."""
    shown = f"{pin_letter()!r} {welcome_letter()!r} {reader_letter()!r}"
    for secret in (PIN, "pattern", NAME, ADDRESS[0], USER_CODE, ACTIVATION):
        assert secret not in shown


def test_each_pin_letter_has_a_pattern_of_its_own() -> None:
    """Two letters that are alike otherwise."""
    one, other = (
        PinLetter(to=addressee(), reference=REFERENCE, on=ON, card=CardKind.BANK, pin=PIN)
        for _ in range(2)
    )
    assert one.pattern != other.pattern


def test_kinds_and_names() -> None:
    """What files are named for."""
    assert (kind_of(pin_letter()), name_of(pin_letter())) == ("pin", REFERENCE)
    sheet = Sheet(card=CardKind.BANK)
    assert (kind_of(sheet), name_of(sheet)) == ("sheet", "bank-fr-normal")


def test_a_letter_of_no_kind_has_no_words() -> None:
    """A further kind has to say what stands in it."""
    letter = Letter(to=addressee(), reference=REFERENCE, on=ON)
    with pytest.raises(NotImplementedError, match="Letter"):
        contents_of(letter, Institution())  # type: ignore[arg-type] # that is the point


def test_what_a_letter_is_made_of_shows_nothing_secret() -> None:
    """Where a page is taken apart, in a trace for instance."""
    for letter in (pin_letter(), welcome_letter(), reader_letter()):
        shown = repr(contents_of(letter, Institution()))
        assert REFERENCE not in shown  # it is a fact like others
        for secret in (PIN, NAME, ADDRESS[0], USER_CODE, ACTIVATION, "<path"):
            assert secret not in shown
