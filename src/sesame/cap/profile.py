"""A profile: everything needed to predict a card's cryptogram but its number and keys.

docs/reference/emv-cap.md, sections 10.5, 11 and 14.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from sesame.cap.errors import ProfileError
from sesame.cap.terminal_data import DPA_AID, Scheme, standard_elements
from sesame.cap.token import MOST_BITS, compress
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr, VisaIad

CID_ARQC = 0x80
CVN_18 = 0x12  # card key option B, common session key, whole IAD, padding method 2
FEWEST_BITS = 16  # of the AC, and so of the whole token: below, guessing pays

_SHORTEST_AID, _LONGEST_AID = 5, 16  # bytes
_CID_LENGTH = 1  # bytes
_ATC_LENGTH = 2
_AC_LENGTH = 8
_IAD_LENGTH = 7  # Visa's without discretionary data
_AC_AT = _CID_LENGTH + _ATC_LENGTH
_IAD_AT = _AC_AT + _AC_LENGTH
_DATA_LENGTH = _IAD_AT + _IAD_LENGTH
_REST = bytes(_DATA_LENGTH - _CID_LENGTH)
_IAF_AMOUNT = 0x80  # docs/reference/emv-cap.md, section 7.1
_IAF_PSN = 0x40
_IAF_AMOUNT_ONLY = 0x20
_IAF_BITS = _IAF_AMOUNT | _IAF_PSN | _IAF_AMOUNT_ONLY
_PIN_BITS = (
    Cvr.SECOND_AC_TC
    | Cvr.SECOND_AC_NOT_REQUESTED
    | Cvr.FIRST_AC_TC
    | Cvr.FIRST_AC_ARQC
    | Cvr.PIN_PERFORMED
    | Cvr.PIN_FAILED
    | Cvr.UNABLE_TO_GO_ONLINE
    | Cvr.PIN_TRY_LIMIT_EXCEEDED
    | Cvr.APPLICATION_BLOCKED_BY_PIN
    | Cvr.PIN_NOT_RECEIVED
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the verifier knows of one kind of card, bytes as the card gives them.

    Build one and it is right: no other module checks a profile again.

    Raises:
        ProfileError: what contradicts itself, and what to personalise instead.
    """

    name: str
    aid: bytes  # 5 to 16 bytes
    scheme: Scheme
    aip: bytes  # 82, 2 bytes
    cvn: int  # one byte
    cvr: Cvr  # as the card sets it when the PIN was right
    ipb: bytes  # 9F56: which bits of CID, ATC, AC and IAD (18 bytes) make the code
    iaf: int = 0x00  # 9F55, one byte
    bits: int = field(init=False)  # how many bits the code holds
    atc_bits: int = field(init=False)  # how many of them are low bits of the ATC
    ac_bits: int = field(init=False)  # how many are bits of the AC
    constant: int = field(init=False)  # the token's bits that every ARQC has
    constant_mask: int = field(init=False)  # where in the token they stand
    answer_mask: int = field(init=False)  # the IPB's part for CID, ATC and AC, 11 bytes
    message_head: bytes = field(init=False)  # 29 bytes of terminal data, and the AIP

    def __post_init__(self) -> None:
        self._check_application()
        self._check_cryptogram()
        self._check_bitmap()
        atc_mask = self._selected(_CID_LENGTH, _ATC_LENGTH)
        derive = object.__setattr__  # the way of a frozen dataclass
        derive(self, "bits", int.from_bytes(self.ipb).bit_count())
        derive(self, "atc_bits", atc_mask.bit_length())
        derive(self, "ac_bits", self._selected(_AC_AT, _AC_LENGTH).bit_count())
        derive(self, "constant", compress(bytes([CID_ARQC]) + _REST, self.ipb))
        derive(self, "constant_mask", compress(b"\xff" + _REST, self.ipb))
        derive(self, "answer_mask", self._selected(0, _IAD_AT))
        derive(self, "message_head", standard_elements(self.scheme) + self.aip)

    @property
    def window(self) -> int:
        """How many ATCs above the last one a single code may claim without ambiguity."""
        return (1 << self.atc_bits) - 1

    def iad(self, dki: int) -> bytes:
        """The IAD (7 bytes) of a good cryptogram under issuer key *dki* (one byte)."""
        return _iad(dki, self.cvn, self.cvr)

    def message(self, dki: int, atc: int) -> bytes:
        """What the cryptogram of *atc* authenticates: 29 bytes, AIP, ATC, IAD."""
        return self.message_head + atc.to_bytes(_ATC_LENGTH) + self.iad(dki)

    def token(self, dki: int, atc: int, ac: bytes) -> int:
        """The token that a reader makes of a good answer with this *ac* (8 bytes)."""
        return compress(answer(atc, ac) + self.iad(dki), self.ipb)

    def fits(self, token: int) -> bool:
        """Whether a card of this profile can make *token* at all."""
        return token < 1 << self.bits and token & self.constant_mask == self.constant

    def _check_application(self) -> None:
        if not _SHORTEST_AID <= len(self.aid) <= _LONGEST_AID:
            raise ProfileError(
                f"the AID of {self.name} has {len(self.aid)} bytes: personalise 84 with 5 to 16"
            )
        if self.iaf & ~_IAF_BITS:
            raise ProfileError(
                f"the IAF of {self.name} is {self.iaf:02X}: "
                "personalise 9F55 as one byte with b5 to b1 clear, they are reserved"
            )
        if self.iaf & _IAF_PSN:
            raise ProfileError(
                f"the IAF of {self.name} puts the PSN in front of the answer, "
                "and its IPB has no byte for it: personalise 9F55 with b7 clear"
            )
        if self.iaf & _IAF_AMOUNT_ONLY and not self.iaf & _IAF_AMOUNT:
            raise ProfileError(
                f"the IAF of {self.name} says how to read an amount and wants none: "
                "personalise 9F55 with b6 clear, or with b8 set too"
            )

    def _check_cryptogram(self) -> None:
        if len(self.aip) != 2:  # noqa: PLR2004 -- tag 82
            raise ProfileError(
                f"the AIP of {self.name} has {len(self.aip)} bytes: personalise 82 with 2"
            )
        if self.cvn != CVN_18:
            raise ProfileError(
                f"the CVN of {self.name} is {self.cvn:02X}: personalise {CVN_18:02X} "
                "(common session key, whole IAD), the only one that is predicted"
            )
        if self.cvr & _PIN_BITS != PIN_VERIFIED_ARQC:
            raise ProfileError(
                f"the CVR of {self.name} does not say: ARQC, PIN performed, PIN right. "
                "Personalise a card that says so, for nothing else may verify "
                "(docs/reference/emv-cap.md, section 12.4)"
            )

    def _check_bitmap(self) -> None:
        selected = int.from_bytes(self.ipb).bit_count()
        if not FEWEST_BITS <= selected <= MOST_BITS:
            raise ProfileError(
                f"the IPB of {self.name} selects {selected} bits: "
                f"personalise 9F56 with {FEWEST_BITS} to {MOST_BITS}, the code has eight digits"
            )
        if any(self.ipb[_DATA_LENGTH:]):
            raise ProfileError(
                f"the IPB of {self.name} selects bits past the card's {_DATA_LENGTH} bytes: "
                "personalise 9F56 with no bit set there"
            )
        if self._selected(_IAD_AT, _IAD_LENGTH):
            raise ProfileError(
                f"the IPB of {self.name} selects bits of the IAD, which its profile makes "
                "constant: personalise 9F56 with no bit set there, spend them on the AC"
            )
        atc_mask = self._selected(_CID_LENGTH, _ATC_LENGTH)
        if not atc_mask:
            raise ProfileError(
                f"the IPB of {self.name} selects no bit of the ATC: "
                "personalise 9F56 with its lowest, or the bank cannot tell codes apart"
            )
        if atc_mask & (atc_mask + 1):
            raise ProfileError(
                f"the IPB of {self.name} selects bits of the ATC that are not its lowest: "
                "personalise 9F56 with the lowest, so that the bank can rebuild the ATC"
            )
        ac_bits = self._selected(_AC_AT, _AC_LENGTH).bit_count()
        if ac_bits < FEWEST_BITS:
            raise ProfileError(
                f"the IPB of {self.name} selects {ac_bits} bits of the AC: "
                f"personalise 9F56 with {FEWEST_BITS} at least, or codes can be guessed"
            )

    def _selected(self, start: int, length: int) -> int:
        part = self.ipb[start : start + length].ljust(length, b"\x00")
        return int.from_bytes(part)


def answer(atc: int, ac: bytes) -> bytes:
    """CID, ATC and AC (11 bytes), as a card answers when it makes an ARQC."""
    return bytes([CID_ARQC]) + atc.to_bytes(_ATC_LENGTH) + ac


@lru_cache(maxsize=1024)  # an institution has a few issuer keys and kinds of card
def _iad(dki: int, cvn: int, cvr: Cvr) -> bytes:
    return VisaIad(dki=dki, cvn=cvn, cvr=cvr).encode()


# What all our cards report beside the PIN: constant, so that one variant is predicted.
_CVR = PIN_VERIFIED_ARQC | Cvr.LAST_ONLINE_NOT_COMPLETED

# 1 constant bit, 5 of the ATC, 20 of the AC: the card's ATC moves with its codes only.
SESAME_CARD = Profile(
    name="sesame-card-1",
    aid=DPA_AID,
    scheme=Scheme.DPA,
    aip=bytes.fromhex("1000"),
    cvn=CVN_18,
    cvr=_CVR,
    ipb=bytes.fromhex("80001F00000000000FFFFF"),
)

# 1 constant bit, 8 of the ATC, 17 of the AC: payments move the ATC outside our sight.
BANK_CARD = Profile(
    name="bank-card-1",
    aid=DPA_AID,
    scheme=Scheme.DPA,
    aip=bytes.fromhex("1000"),
    cvn=CVN_18,
    cvr=_CVR,
    ipb=bytes.fromhex("8000FF000000000001FFFF"),
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (SESAME_CARD, BANK_CARD)}
)
