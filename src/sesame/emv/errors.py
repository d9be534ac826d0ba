"""Errors of the EMV layer.

EmvError
 ├ MalformedTlv       bytes that are not BER-TLV
 ├ MalformedDol       bytes that are not a list of tags and lengths
 ├ MalformedApdu      bytes that are no command or response
 ├ MalformedAtr       bytes that are no Answer to Reset
 ├ MalformedIad       Issuer Application Data of no layout that we know
 ├ MalformedKey       a key of the wrong length
 ├ MalformedTree      a tree of session keys that cannot be
 ├ MalformedPan       digits that are no card number
 ├ MalformedPin       digits, or a block, that are no PIN
 ├ WrongLength        a value longer or shorter than its clause gives it
 └ CardRefused        a status word other than 9000
"""

from sesame.errors import SesameError


class EmvError(SesameError):
    """Anything wrong with EMV data or with a card's answer."""


class MalformedTlv(EmvError):
    """The bytes are not TLV. `offset` counts bytes from 0."""

    def __init__(self, problem: str, *, offset: int, remedy: str) -> None:
        super().__init__(f"TLV at byte {offset}: {problem}. {remedy}")
        self.problem = problem
        self.offset = offset
        self.remedy = remedy

    def moved(self, base: int) -> "MalformedTlv":
        """The same error, its offset counted from *base* bytes before."""
        return MalformedTlv(self.problem, offset=base + self.offset, remedy=self.remedy)


class MalformedDol(EmvError):
    """The bytes are not a Data Object List, or not its values. `offset` counts bytes from 0."""

    def __init__(
        self,
        problem: str,
        *,
        offset: int,
        remedy: str = "A DOL holds tags and one-byte lengths, no values.",
    ) -> None:
        super().__init__(f"DOL at byte {offset}: {problem}. {remedy}")
        self.problem = problem
        self.offset = offset
        self.remedy = remedy


class MalformedApdu(EmvError):
    """The bytes are no command or response of ISO/IEC 7816-3, 12.1; none are repeated."""


class MalformedAtr(EmvError):
    """The bytes are no Answer to Reset of ISO/IEC 7816-3, 8.2."""


class MalformedIad(EmvError):
    """The Issuer Application Data (9F10) follows no layout that we know."""


class MalformedKey(EmvError):
    """A double-length DES key has 16 bytes."""


class MalformedTree(EmvError):
    """A tree of session keys has 2 to 256 branches, one level at least, and an IV of 16 bytes."""


class MalformedPan(EmvError):
    """A card number has 8 to 19 digits, the last its Luhn digit; none are repeated."""


class MalformedPin(EmvError):
    """A PIN has 4 to 12 digits, and its block 8 bytes. The message never repeats the digits."""


class WrongLength(EmvError):
    """A value has more or fewer bytes than its clause gives it; the message repeats none."""

    def __init__(self, name: str, length: int, clause: str) -> None:
        super().__init__(f"{name} of {length} bytes: it has {clause}")
        self.name = name
        self.length = length


class CardRefused(EmvError):
    """The card answered a command with a status word other than 9000."""

    def __init__(self, sw: int, command: str) -> None:
        super().__init__(f"the card answered {command} with {sw:04X}")
        self.sw = sw
        self.command = command
