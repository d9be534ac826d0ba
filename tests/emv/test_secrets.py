"""What must not be printed is not: alone, in a text, in another value, in an error."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.apdu import Command, Response, verify
from sesame.emv.errors import EmvError
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin, decode_pin_block, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode

KEY = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")
PAN = "4761730000000011"


@dataclass(frozen=True)
class Holder:
    """A value that has another inside, as most of ours do."""

    inside: object


@pytest.mark.parametrize(
    ("secret", "shown", "hidden"),
    [
        (Pin("8264"), "Pin(****)", ["8264"]),
        (DesKey(KEY), "DesKey(…)", [KEY.hex(), repr(KEY)]),
        (Pan(PAN), "Pan(…0011)", [PAN, PAN[:6]]),
        (
            verify(pin_block(Pin("8264"))),
            "Command(VERIFY: 00 20 00 80, 8 bytes)",
            ["8264", repr(pin_block(Pin("8264")))],
        ),
        (Response(0x9000, Pan(PAN).encode()), "Response(9000, 8 bytes)", [PAN]),
        (Tlv(Tag.PAN, Pan(PAN).encode()), "Tlv(tag=5A, length=8)", [PAN]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_secrets_do_not_print(secret: object, shown: str, hidden: list[str]) -> None:
    """By `repr`, `str`, a format, inside a dataclass, a list, or the text of an error."""
    assert repr(secret) == str(secret) == f"{secret}" == shown
    for text in (
        f"{secret!r}",
        f"{Holder(secret)}",
        f"{[secret]} { ({'k': secret}) }",
        repr(ValueError(secret)),
        str(ValueError(Holder(secret))),
    ):
        assert shown in text
        assert not any(word in text for word in hidden)


def refusal(make: Callable[[Any], object], value: object) -> str:
    """All that our error says when *make* refuses *value*; nothing when it does not."""
    try:
        make(value)
    except EmvError as error:
        return f"{error} {error!r}"
    return ""


@given(st.text("0123456789x", min_size=5, max_size=24))
def test_errors_do_not_repeat_what_was_typed(typed: str) -> None:
    """Neither a PIN nor a card number nor a key that was refused."""
    for make in (Pin, Pan, lambda text: DesKey(text.encode())):
        assert typed not in refusal(make, typed)


@given(st.binary(min_size=8, max_size=24))
def test_errors_do_not_repeat_what_a_card_sent(raw: bytes) -> None:
    """Records hold card numbers, blocks hold PINs, commands hold both."""
    secret = raw[-6:].hex().upper()
    for read in (decode, decode_pin_block, Command.decode, Response.decode, Pan.decode):
        assert secret not in refusal(read, raw).replace(" ", "").upper()
