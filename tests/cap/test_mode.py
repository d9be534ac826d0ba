"""What is typed for each mode, and what of it reaches the card."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.errors import MalformedInputs
from sesame.cap.mode import LOGIN, NO_FLAGS, Iaf, Inputs, Mode, signature, wants_currency
from sesame.emv.tags import Tag

AMOUNT, BOTH = Iaf.AMOUNT | Iaf.AMOUNT_ONLY, Iaf.AMOUNT


def differs_from_login(inputs: Inputs, iaf: Iaf) -> bool:
    """Whether anything enters that is not zero, in the card or behind its back."""
    return bool(inputs.fields) or any(b"".join(inputs.values(iaf).values()))


def test_a_login_takes_nothing() -> None:
    """Our « Code »: mode 2."""
    assert Inputs(mode=Mode.M2) == LOGIN
    assert not any(b"".join(LOGIN.values(BOTH).values()))
    assert not differs_from_login(LOGIN, BOTH)


@pytest.mark.parametrize(
    ("challenge", "un"),
    [("", "00000000"), ("1234", "00001234"), ("0012", "00000012"), ("12345678", "12345678")],
)
def test_a_challenge_is_the_un(challenge: str, un: str) -> None:
    """BCD with zeros before it, in modes 1 and 3 alike."""
    for mode in (Mode.M1, Mode.M3):
        inputs = Inputs(mode=mode, challenge=challenge)
        assert inputs.values(NO_FLAGS) == {Tag.UN: bytes.fromhex(un)}
        assert differs_from_login(inputs, NO_FLAGS) is (int(un) > 0)


def test_the_iaf_says_whether_the_amount_enters() -> None:
    """docs/reference/emv-cap.md, section 7.1: b8 an amount, b6 no currency."""
    inputs = Inputs(mode=Mode.M1, challenge="1", amount=123456, currency="978")
    un = {Tag.UN: bytes.fromhex("00000001")}
    amount = {Tag.AMOUNT_AUTHORISED: bytes.fromhex("000000123456")}
    currency = {Tag.TRANSACTION_CURRENCY: bytes.fromhex("0978")}
    assert inputs.values(NO_FLAGS) == un
    assert inputs.values(AMOUNT) == un | amount
    assert inputs.values(BOTH) == un | amount | currency
    assert (wants_currency(NO_FLAGS), wants_currency(AMOUNT), wants_currency(BOTH)) == (
        False,
        False,
        True,
    )


def test_an_amount_without_flags_binds_nothing() -> None:
    """The card never sees it: the code is that of a login."""
    inputs = Inputs(mode=Mode.M1, amount=1)
    assert differs_from_login(inputs, AMOUNT)
    assert not differs_from_login(inputs, NO_FLAGS)


@pytest.mark.parametrize(
    ("typed", "problem"),
    [
        ({"challenge": "1"}, "mode M2 takes no challenge"),
        ({"mode": Mode.TDS, "fields": ("1",), "challenge": "1"}, "takes no challenge"),
        ({"mode": Mode.M3, "challenge": "123456789"}, "at most 8 digits"),
        ({"mode": Mode.M3, "challenge": "12a"}, "at most 8 digits"),
        ({"mode": Mode.M3, "challenge": "1\n"}, "at most 8 digits"),
        ({"mode": Mode.M3, "challenge": "\u0661"}, "at most 8 digits"),
        ({"mode": Mode.M3, "challenge": "1", "amount": 1}, "mode M3 takes no amount"),
        ({"amount": 1}, "mode M2 takes no amount"),
        ({"currency": "978"}, "mode M2 takes no amount"),
        ({"mode": Mode.M1, "amount": -1}, "at most 12 digits"),
        ({"mode": Mode.M1, "amount": 10**12}, "at most 12 digits"),
        ({"mode": Mode.M1, "currency": "EUR"}, "three digits of ISO 4217"),
        ({"mode": Mode.M1, "currency": "0978"}, "three digits of ISO 4217"),
        ({"mode": Mode.TDS}, "0 fields to sign"),
        ({"mode": Mode.TDS, "fields": ("1",) * 11}, "11 fields to sign"),
        ({"mode": Mode.TDS, "fields": ("1", "")}, "1 to 10 digits"),
        ({"mode": Mode.TDS, "fields": ("12345678901",)}, "1 to 10 digits"),
        ({"mode": Mode.TDS, "fields": ("F",)}, "1 to 10 digits"),
        ({"mode": Mode.M1, "fields": ("1",)}, "mode M1 takes no fields"),
    ],
)
def test_what_a_mode_has_no_place_for(typed: dict[str, Any], problem: str) -> None:
    """Nothing is cut, and nothing is left out in silence."""
    with pytest.raises(MalformedInputs, match=problem):
        Inputs(**typed)


def test_a_signature_is_what_the_card_can_sign() -> None:
    """Mode 1 where the chip takes an amount; the reader's own step where it does not."""
    asked: dict[str, Any] = {"amount": 125000, "payee": "34567890", "currency": "978"}
    assert signature(AMOUNT, **asked) == Inputs(mode=Mode.M1, challenge="34567890", amount=125000)
    assert signature(BOTH, **asked) == Inputs(
        mode=Mode.M1, challenge="34567890", amount=125000, currency="978"
    )
    assert signature(NO_FLAGS, **asked) == Inputs(mode=Mode.TDS, fields=("125000", "34567890"))


@pytest.mark.parametrize(("amount", "payee"), [(0, "1"), (-1, "1"), (1, "")])
def test_nothing_is_no_signature(amount: int, payee: str) -> None:
    """A code for no amount, or nobody, would be a code for anything."""
    with pytest.raises(MalformedInputs, match="signature"):
        signature(AMOUNT, amount=amount, payee=payee, currency="978")


@given(
    st.sampled_from([NO_FLAGS, AMOUNT, BOTH, Iaf.PSN]),
    st.integers(1, 10**10 - 1),
    st.from_regex(r"[0-9]{1,8}", fullmatch=True),
)
def test_a_signature_is_never_a_login(iaf: Iaf, amount: int, payee: str) -> None:
    """Whatever the card and the payee: something enters that is not zero."""
    signed = signature(iaf, amount=amount, payee=payee, currency="978")
    assert differs_from_login(signed, iaf)
    assert signed.binds(iaf)
