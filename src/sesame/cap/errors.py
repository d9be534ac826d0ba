"""Errors of the CAP layer.

CapError
 ├ ProfileError    a profile that no card should carry
 ├ IpbTooLong      the IPB selects bits that the card did not send
 ├ IpbEmpty        the IPB selects nothing
 ├ MalformedCode   what was typed is not eight digits
 └ MalformedInputs what a mode has no place for
"""

from enum import StrEnum, unique

from sesame.errors import SesameError


class CapError(SesameError):
    """Anything wrong with a profile, a bitmap or a code."""


class ProfileError(CapError):
    """The profile contradicts itself; the message says what to personalise instead."""


class IpbTooLong(CapError):
    """The IPB selects bits past the end of what the card sent. Bytes are counted from 1."""

    def __init__(self, *, selected: int, sent: int) -> None:
        super().__init__(
            f"the IPB selects a bit of byte {selected}, the card sent {sent} bytes: "
            "personalise 9F56 with no bit set past CID, ATC, AC and IAD"
        )


class IpbEmpty(CapError):
    """The IPB selects no bit: every code would be zero."""

    def __init__(self) -> None:
        super().__init__("the IPB selects nothing: personalise 9F56 with 16 to 26 bits set")


class MalformedCode(CapError):
    """What was typed is not eight digits. The message never repeats it."""

    def __init__(self) -> None:
        super().__init__("a code has eight digits, written with or without spaces")


@unique
class InputFault(StrEnum):
    """What is wrong with what was typed; `{mode}` and `{count}` are places."""

    CHALLENGE = "a challenge has at most 8 digits and nothing else"
    AMOUNT = "an amount has at most 12 digits, cents included"
    CURRENCY = "a currency has the three digits of ISO 4217: 978 is the euro"
    FIELD = "a field to sign has 1 to 10 digits and nothing else"
    NO_CHALLENGE_HERE = "mode {mode} takes no challenge: use mode 3"
    NO_AMOUNT_HERE = "mode {mode} takes no amount: use mode 1"
    FIELDS = "{count} fields to sign: there must be 1 to 10"
    NO_FIELDS_HERE = "mode {mode} takes no fields: use M2+TDS"
    SPELLING = "an amount is written 1234.56, with at most 10 digits before"
    NOTHING_TO_PAY = "a signature of nothing to pay would be a code for anything"
    NO_PAYEE = "a signature names its payee: 1 to 8 digits"


class MalformedInputs(CapError):
    """A challenge, an amount, a currency or a field that the mode has no place for."""

    def __init__(self, fault: InputFault, *, mode: str = "", count: int = 0) -> None:
        super().__init__(fault.format(mode=mode, count=count))
        self.fault = fault
        self.count = count
