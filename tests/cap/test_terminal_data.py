"""What a reader answers to a card, and what of it enters the cryptogram."""

import pytest

from sesame.cap.terminal_data import (
    AIDS,
    DPA_AID,
    STANDARD_ELEMENTS,
    Scheme,
    standard_elements,
    terminal_data,
)
from sesame.emv.dol import DolEntry, decode_dol, dol_length, fill
from sesame.emv.tags import Tag


def test_the_application_chooses_the_scheme() -> None:
    """VisaRemAuthen is DPA."""
    assert list(AIDS.items()) == [(bytes.fromhex("A0000000038002"), Scheme.DPA)]
    assert AIDS[DPA_AID] is Scheme.DPA


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (Tag.ARC, "5A33"),
        (Tag.TVR, "8000000000"),
        (Tag.TRANSACTION_DATE, "010101"),
        (Tag.TERMINAL_CAPABILITIES, "208000"),
        (Tag.CVM_RESULTS, "010002"),
        (Tag.TERMINAL_TYPE, "34"),
        (Tag.AMOUNT_AUTHORISED, "000000000000"),
        (Tag.UN, "00000000"),
        (Tag.TERMINAL_COUNTRY, "0000"),
    ],
)
def test_the_values_of_dpa(tag: Tag, value: str) -> None:
    """The column DPA of docs/reference/emv-cap.md, section 6; all else is zeros."""
    asked = DolEntry(tag, len(value) // 2)
    assert fill([asked], terminal_data(Scheme.DPA)) == bytes.fromhex(value)


def test_the_standard_elements_are_the_plain_cdol1() -> None:
    """29 bytes: the list that cards ask for is the list that is authenticated."""
    cdol1 = decode_dol(bytes.fromhex("9F02069F03069F1A0295055F2A029A039C019F3704"))
    assert cdol1 == STANDARD_ELEMENTS
    assert dol_length(STANDARD_ELEMENTS) == 29
    assert standard_elements(Scheme.DPA) == fill(cdol1, terminal_data(Scheme.DPA))


def test_the_values_cannot_be_changed() -> None:
    """Reader and bank read the same table."""
    values = terminal_data(Scheme.DPA)
    with pytest.raises(TypeError):
        values[Tag.TVR] = bytes(5)  # type: ignore[index]
