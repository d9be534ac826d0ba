"""What a reader answers to a card, and what of it enters the cryptogram."""

import pytest

from sesame.cap.mode import NO_FLAGS, Iaf, Inputs, Mode
from sesame.cap.terminal_data import (
    AIDS,
    ALL_AIDS,
    DPA_AID,
    STANDARD_ELEMENTS,
    Scheme,
    scheme_of,
    standard_elements,
    terminal_data,
)
from sesame.emv.dol import DolEntry, decode_dol, dol_length, fill
from sesame.emv.tags import Tag


def test_the_application_chooses_the_scheme() -> None:
    """In the order of a recorded reader; payments only for a bank that knows them."""
    assert {aid.hex().upper(): scheme for aid, scheme in ALL_AIDS.items()} == {
        "A0000000038002": Scheme.DPA,
        "A0000000048002": Scheme.CAP,
        "D056000666111010": Scheme.BANCONTACT,
        "A0000000032010": Scheme.VISA,
        "A0000000031010": Scheme.VISA,
        "A0000000041010": Scheme.MASTERCARD,
        "A0000000043060": Scheme.MAESTRO,
    }
    assert list(ALL_AIDS)[: len(AIDS)] == list(AIDS)
    assert list(ALL_AIDS)[2:5] == [
        bytes.fromhex(aid) for aid in ("D056000666111010", "A0000000032010", "A0000000031010")
    ]
    assert AIDS[DPA_AID] is Scheme.DPA
    assert len(AIDS) == 2


# The table of docs/reference/emv-cap.md, section 6: ARC, TVR, date, CVM results, terminal type.
TABLE = {
    Scheme.CAP: "5A33 8000000000 000000 010002 34",
    Scheme.DPA: "5A33 8000000000 010101 010002 34",
    Scheme.VISA: "5A33 8000000000 010101 000000 37",
    Scheme.MAESTRO: "5A33 8000000000 000000 000000 34",
    Scheme.MASTERCARD: "5A33 8000000000 000000 000000 34",
    Scheme.BELGIAN: "5A31 8000000800 000000 000000 37",
    Scheme.BANCONTACT: "5A31 8000000800 000000 000000 37",
}
COLUMN = (Tag.ARC, Tag.TVR, Tag.TRANSACTION_DATE, Tag.CVM_RESULTS, Tag.TERMINAL_TYPE)


@pytest.mark.parametrize("scheme", Scheme)
def test_every_column(scheme: Scheme) -> None:
    """Byte for byte; what no column names is zeros."""
    values = terminal_data(scheme)
    assert b"".join(values[tag] for tag in COLUMN) == bytes.fromhex(TABLE[scheme])
    assert values[Tag.TERMINAL_CAPABILITIES] == bytes.fromhex("208000")
    zeros = [DolEntry(0x5F2A, 2), DolEntry(0x91, 10), DolEntry(0x9C, 1), DolEntry(0x9F03, 6)]
    zeros += [DolEntry(tag, 2) for tag in (0x9F15, 0x9F1A, 0x9F40, 0x9F45, 0x9F4C, 0xDF40)]
    assert not any(fill(zeros, values))


@pytest.mark.parametrize(
    ("scheme", "nationality", "issuer", "found"),
    [
        (Scheme.VISA, "0056", b"BKS056001", Scheme.BELGIAN),
        (Scheme.MAESTRO, "0056", b"BKS056", Scheme.BELGIAN),
        (Scheme.MAESTRO, "0056", b"BKS05", Scheme.MAESTRO),
        (Scheme.MAESTRO, "0056", None, Scheme.MAESTRO),
        (Scheme.MAESTRO, "0250", b"BKS056001", Scheme.MAESTRO),
        (Scheme.MAESTRO, None, b"BKS056001", Scheme.MAESTRO),
        (Scheme.CAP, "0056", b"BKS056001", Scheme.CAP),
        (Scheme.DPA, "0056", b"BKS056001", Scheme.DPA),
        (Scheme.BANCONTACT, None, None, Scheme.BANCONTACT),
    ],
)
def test_belgian_payments_get_other_data(
    scheme: Scheme, nationality: str | None, issuer: bytes | None, found: Scheme
) -> None:
    """Both objects of the FCI must say so, and codes by CAP or DPA are as everywhere."""
    fci = {} if issuer is None else {Tag.BELGIAN_ISSUER: issuer}
    if nationality is not None:
        fci[Tag.CARDHOLDER_NATIONALITY] = bytes.fromhex(nationality)
    assert scheme_of(scheme, {int(tag): value for tag, value in fci.items()}) is found


def test_what_was_typed_is_in_the_elements() -> None:
    """The amount first, the currency in the middle, the challenge last."""
    inputs = Inputs(mode=Mode.M1, challenge="12345678", amount=1500, currency="978")
    elements = standard_elements(Scheme.CAP, inputs, Iaf.AMOUNT | Iaf.PSN)
    assert elements == bytes.fromhex(
        "000000001500 000000000000 0000 8000000000 0978 000000 00 12345678"
    )
    assert (
        standard_elements(Scheme.CAP, inputs, NO_FLAGS)[:-4] == standard_elements(Scheme.CAP)[:-4]
    )


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
