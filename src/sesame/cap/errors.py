"""Errors of the CAP layer.

CapError
 ├ ProfileError    a profile that no card should carry
 ├ IpbTooLong      the IPB selects bits that the card did not send
 ├ IpbEmpty        the IPB selects nothing
 ├ MalformedCode   what was typed is not eight digits
 └ MalformedInputs what a mode has no place for
"""

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


class MalformedInputs(CapError):
    """A challenge, an amount, a currency or a field that the mode has no place for."""
