"""Card numbers: digits, Luhn's check, and the value of 5A."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.errors import MalformedPan
from sesame.emv.pan import Pan, luhn_digit
from tests.emv.strategies import digits, pans


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("4761730000000011", "4761730000000011"),
        ("5413330000000019", "5413330000000019"),
        ("378282246310005", "378282246310005F"),
        ("6304000000000000", "6304000000000000"),
        ("6759649826438453011", "6759649826438453011F"),
    ],
)
def test_numbers_of_all_lengths(number: str, value: str) -> None:
    """An odd number of digits is filled with one F."""
    assert Pan(number).encode() == bytes.fromhex(value)
    assert Pan.decode(bytes.fromhex(value)) == Pan(number)
    assert Pan(number).last4 == number[-4:]


def test_filling_may_be_longer() -> None:
    """A card may give 5A as ten bytes whatever the number."""
    assert Pan.decode(bytes.fromhex("4761730000000011FFFF")) == Pan("4761730000000011")


@given(pans)
def test_what_was_written_is_read(pan: Pan) -> None:
    """8 to 19 digits."""
    assert Pan.decode(pan.encode()) == pan


@given(st.binary(max_size=12))
def test_any_bytes_are_read_or_refused(value: bytes) -> None:
    """Nothing but our error comes out."""
    try:
        pan = Pan.decode(value)
    except MalformedPan:
        return
    assert value.hex().upper().startswith(pan.digits)


@given(pans, st.data())
def test_one_wrong_digit_is_noticed(pan: Pan, data: st.DataObject) -> None:
    """Luhn's check finds every single mistake."""
    at = data.draw(st.integers(0, len(pan.digits) - 1))
    wrong = data.draw(st.sampled_from("0123456789".replace(pan.digits[at], "")))
    with pytest.raises(MalformedPan, match="Luhn"):
        Pan(pan.digits[:at] + wrong + pan.digits[at + 1 :])


@given(digits(1, 18))
def test_one_digit_fits(body: str) -> None:
    """Of ten last digits, Luhn's check accepts one."""
    total = 0
    for place, digit in enumerate(reversed(body + luhn_digit(body))):
        total += sum(divmod(int(digit) * (1 + place % 2), 10))
    assert total % 10 == 0


@pytest.mark.parametrize(
    "number", ["", "4761731", "47617300000000110000", "476173000000001A", "4761 7300", "٤٧٦١٧٣٠٠٠"]
)
def test_other_texts_are_no_number(number: str) -> None:
    """8 to 19 ASCII digits and nothing else, not even a line end."""
    with pytest.raises(MalformedPan, match="8 to 19 digits"):
        Pan(number)
    with pytest.raises(MalformedPan, match="8 to 19 digits"):
        Pan("4761730000000011\n")
