"""A profile: everything needed to predict a card's cryptogram but its number and keys.

docs/reference/emv-cap.md, sections 10.5, 11 and 14.1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from sesame.cap.errors import ProfileError
from sesame.cap.mode import LOGIN, NO_FLAGS, Iaf, Inputs
from sesame.cap.terminal_data import Scheme, standard_elements
from sesame.cap.token import (
    BELGIAN_IPB,
    MOST_BITS,
    VISA_DEFAULT_IPB,
    compress,
    expand,
    from_belgian,
    to_belgian,
)
from sesame.emv.cryptogram_version import (
    VISA_22,
    AnyCvr,
    CryptogramVersion,
    SessionKeyMethod,
)
from sesame.emv.errors import MalformedIad
from sesame.emv.iad import decode_iad

CID_ARQC = 0x80
FEWEST_BITS = 16  # of the AC, and so of the whole token: below, guessing pays
MOST_VARIANTS = 4  # of the CVR: each doubling doubles what one guess is worth

_SHORTEST_AID, _LONGEST_AID = 5, 16  # bytes
_PSN_LENGTH = 1  # bytes
_CID_LENGTH = 1
_ATC_LENGTH = 2
_AC_LENGTH = 8
_AC_AT = _CID_LENGTH + _ATC_LENGTH
_ANSWER = _AC_AT + _AC_LENGTH
_ANY_DKI = 0x01
_IAF_BITS = Iaf.AMOUNT | Iaf.PSN | Iaf.AMOUNT_ONLY


@dataclass(frozen=True, slots=True, repr=False)
class Selected:
    """The bits that a code holds, put back to where the card had them; all others are 0.

    They are the code once more, so it does not print itself.
    """

    psn: bytes  # 1 byte, or none where the IAF does not ask for it
    answer: bytes  # CID, ATC and AC, 11 bytes
    iad: bytes  # as long as the card's


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
    version: CryptogramVersion
    cvr: AnyCvr  # as the card sets it when the PIN was right
    ipb: bytes  # 9F56: which bits of PSN, CID, ATC, AC and IAD make the code
    iaf: Iaf = NO_FLAGS  # 9F55, one byte
    varying: int = 0  # bits of the CVR that the bank cannot foresee
    iad_rest: bytes = b""  # what follows the CVR in the IAD
    belgian: bool = False  # the bits are put into digits by the Belgian function
    bits: int = field(init=False)  # how many bits the code holds
    atc_bits: int = field(init=False)  # how many of them are low bits of the ATC
    # How many ATCs above the last one a single code may claim without ambiguity.
    window: int = field(init=False)
    ac_bits: int = field(init=False)  # how many are bits of the AC
    constant: int = field(init=False)  # the token's bits that every ARQC has
    constant_mask: int = field(init=False)  # where in the token they stand
    psn_mask: bytes = field(init=False)  # the IPB's part for the PSN: 1 byte, or none without it
    answer_mask: int = field(init=False)  # its part for CID, ATC and AC, 11 bytes
    iad_mask: bytes = field(init=False)  # its part for the IAD, as long as that
    message_head: bytes = field(init=False)  # of a login: 29 bytes of terminal data, and the AIP
    _psn_length: int = field(init=False, repr=False)  # bytes in front of the answer
    _data_length: int = field(init=False, repr=False)  # bytes that the IPB may select from
    _after_atc: int = field(init=False, repr=False)  # bits of the token behind the ATC's
    # By DKI, each made once: every code asks for them again.
    _iads: dict[int, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        derive = object.__setattr__  # the way of a frozen dataclass
        derive(self, "_iads", {})
        derive(self, "_psn_length", _PSN_LENGTH if self.iaf & Iaf.PSN else 0)
        self._check_application()
        self._check_cryptogram()
        derive(self, "_data_length", self._psn_length + _ANSWER + self.iad_length)
        self._check_bitmap()
        derive(self, "bits", int.from_bytes(self.ipb).bit_count())
        derive(self, "atc_bits", self._selects(_CID_LENGTH, _ATC_LENGTH).bit_length())
        derive(self, "window", (1 << self.atc_bits) - 1)
        derive(self, "ac_bits", self._selects(_AC_AT, _AC_LENGTH).bit_count())
        derive(self, "psn_mask", self.ipb[: self._psn_length])
        derive(self, "answer_mask", self._selects(0, _ANSWER))
        shown = self._selects(_ANSWER, self.iad_length)
        derive(self, "iad_mask", shown.to_bytes(self.iad_length))
        derive(self, "_after_atc", self.ac_bits + shown.bit_count())
        rest = bytes(_ANSWER - _CID_LENGTH + self.iad_length)
        derive(self, "constant", self._compress(bytes(1), bytes([CID_ARQC]) + rest))
        derive(self, "constant_mask", self._compress(bytes(1), b"\xff" + rest))
        derive(self, "message_head", standard_elements(self.scheme) + self.aip)

    @property
    def iad_length(self) -> int:
        """How many bytes the card's IAD has."""
        layout = self.version.layout
        return layout.cvr_at + layout.cvr_length + len(self.iad_rest)

    def iad(self, dki: int) -> bytes:
        """The IAD of a good cryptogram under issuer key *dki* (one byte), nothing varied."""
        iad = self._iads.get(dki)
        if iad is None:
            iad = self.version.layout.encode(dki, self.version.cvn, self.cvr, self.iad_rest)
            self._iads[dki] = iad
        return iad

    def iads(self, dki: int, disclosed: bytes) -> Iterator[bytes]:
        """Every IAD that a good cryptogram may have, one at least.

        *disclosed* is the IAD's part of a code; of the bits that it does not show, those that
        vary do. Where the code shows what cannot be, that IAD is not among them.
        """
        if not self.varying:
            yield self.iad(dki)
            return
        layout = self.version.layout
        shown = self._shown(layout.cvr_at, layout.cvr_length)
        at = slice(layout.cvr_at, layout.cvr_at + layout.cvr_length)
        given = int.from_bytes(disclosed[at]) & self.varying & shown
        base = int(self.cvr) & ~self.varying | given
        for more in _subsets(self.varying & ~shown):
            yield layout.encode(dki, self.version.cvn, base | more, self.iad_rest)

    def binds(self, inputs: Inputs) -> bool:
        """Whether a code of *inputs* can be told from one of another mode, and of less."""
        return inputs.binds(self.iaf)

    def head(self, inputs: Inputs) -> bytes:
        """29 bytes of terminal data and the AIP: how the message of *inputs* begins."""
        if inputs is LOGIN:
            return self.message_head
        return standard_elements(self.scheme, inputs, self.iaf) + self.aip

    def message(self, dki: int, atc: int, inputs: Inputs = LOGIN) -> bytes:
        """What the cryptogram of *atc* authenticates, nothing varied."""
        closing = self.version.closing(self.iad(dki))
        return self.head(inputs) + atc.to_bytes(_ATC_LENGTH) + closing

    def token(self, dki: int, atc: int, ac: bytes, psn: str = "00") -> int:
        """The number that a reader shows for a good answer with this *ac* (8 bytes).

        With fields to sign, *ac* is what they were mixed into; *psn* is two digits.
        """
        token = self._compress(bytes.fromhex(psn), answer(atc, ac) + self.iad(dki))
        return to_belgian(token) if self.belgian else token

    def fits(self, shown: int) -> bool:
        """Whether a card of this profile can make the number *shown* at all."""
        token = from_belgian(shown) if self.belgian else shown
        if token is None:
            return False
        return token < 1 << self.bits and token & self.constant_mask == self.constant

    def selected(self, shown: int) -> Selected:
        """The bits of the number *shown*, where the card had them.

        Of one that does not fit, what remains of its bits.
        """
        token = (from_belgian(shown) or 0) if self.belgian else shown
        data = expand(token, self.ipb).ljust(self._data_length, b"\x00")
        psn, data = data[: self._psn_length], data[self._psn_length :]
        return Selected(psn, data[:_ANSWER], data[_ANSWER : _ANSWER + self.iad_length])

    def atc_bits_of(self, shown: int) -> int:
        """The low bits of the ATC that the number *shown* holds."""
        token = (from_belgian(shown) or 0) if self.belgian else shown
        return token >> self._after_atc & self.window

    def _compress(self, psn: bytes, data: bytes) -> int:
        return compress(psn[: self._psn_length] + data, self.ipb)

    def _selects(self, start: int, length: int) -> int:
        """The IPB's bits for *length* bytes from the byte *start* of CID, ATC, AC and IAD."""
        start += self._psn_length
        part = self.ipb[start : start + length].ljust(length, b"\x00")
        return int.from_bytes(part)

    def _shown(self, start: int, length: int) -> int:
        """The same, counted from the IAD's first byte."""
        return self._selects(_ANSWER + start, length)

    def _check_application(self) -> None:
        if not _SHORTEST_AID <= len(self.aid) <= _LONGEST_AID:
            raise ProfileError(
                f"the AID of {self.name} has {len(self.aid)} bytes: personalise 84 with 5 to 16"
            )
        if int(self.iaf) & ~int(_IAF_BITS):
            raise ProfileError(
                f"the IAF of {self.name} is {self.iaf:02X}: "
                "personalise 9F55 as one byte with b5 to b1 clear, they are reserved"
            )
        if self.iaf & Iaf.AMOUNT_ONLY and not self.iaf & Iaf.AMOUNT:
            raise ProfileError(
                f"the IAF of {self.name} says how to read an amount and wants none: "
                "personalise 9F55 with b6 clear, or with b8 set too"
            )

    def _check_cryptogram(self) -> None:
        if len(self.aip) != 2:  # noqa: PLR2004 -- tag 82
            raise ProfileError(
                f"the AIP of {self.name} has {len(self.aip)} bytes: personalise 82 with 2"
            )
        layout = self.version.layout
        if type(self.cvr) is not layout.cvr:
            raise ProfileError(
                f"the CVR of {self.name} is no {layout.cvr.__name__}: "
                f"{self.version.name} lays the IAD out as {layout.name}"
            )
        try:
            decode_iad(self.iad(_ANY_DKI))
        except MalformedIad as error:
            raise ProfileError(
                f"what follows the CVR of {self.name} makes {error}: "
                f"personalise 9F10 as {self.version.name} lays it out"
            ) from None
        if self.version.session is SessionKeyMethod.TREE and not self.version.tree.allowed:
            raise ProfileError(
                f"the tree of {self.name} is too small for all ATCs, so keys would come again: "
                "personalise branch 2 and height 16, or branch 4 and height 8"
            )
        # The policy wants single bits set or clear: what varies must be none of them.
        for cvr in (self.cvr, self.cvr ^ self.varying):
            if not layout.cvr(cvr).pin_verified_arqc:
                raise ProfileError(
                    f"the CVR of {self.name} does not say: ARQC, PIN performed, PIN right. "
                    "Personalise a card that says so, for nothing else may verify "
                    "(docs/reference/emv-cap.md, section 12.4)"
                )
        if self.varying >> 8 * layout.cvr_length:
            raise ProfileError(
                f"a bit of {self.name} varies that the CVR has not: "
                f"it has {layout.cvr_length} bytes"
            )
        if self.version is VISA_22:
            raise ProfileError(
                f"the CVR of {self.name} cannot be read: where the IAD format of CVN 22 has it "
                "is not known here. Personalise CVN 18, whose cryptogram is the same"
            )
        undisclosed = self.varying & ~self._shown(layout.cvr_at, layout.cvr_length)
        if 1 << undisclosed.bit_count() > MOST_VARIANTS:
            raise ProfileError(
                f"{undisclosed.bit_count()} bits of the CVR of {self.name} vary unseen: "
                f"personalise a card that keeps them still, or shows them through the IPB; "
                f"{MOST_VARIANTS} variants are the most that is tried"
            )

    def _check_bitmap(self) -> None:
        if self.belgian and self.ipb != BELGIAN_IPB:
            raise ProfileError(
                f"the IPB of {self.name} is not what the Belgian function takes: "
                f"name {BELGIAN_IPB.hex().upper()}, whatever the card has"
            )
        # A Visa card without a bitmap gets the reader's: nobody can personalise that.
        own = self.ipb != VISA_DEFAULT_IPB or self.scheme is not Scheme.VISA
        selected = int.from_bytes(self.ipb).bit_count()
        if own and not FEWEST_BITS <= selected <= MOST_BITS:
            raise ProfileError(
                f"the IPB of {self.name} selects {selected} bits: "
                f"personalise 9F56 with {FEWEST_BITS} to {MOST_BITS}, the code has eight digits"
            )
        if any(self.ipb[self._data_length :]):
            raise ProfileError(
                f"the IPB of {self.name} selects bits past the card's {self._data_length} bytes: "
                "personalise 9F56 with no bit set there"
            )
        self._check_constant_bits(own=own)
        atc_mask = self._selects(_CID_LENGTH, _ATC_LENGTH)
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
        ac_bits = self._selects(_AC_AT, _AC_LENGTH).bit_count()
        if ac_bits < FEWEST_BITS:
            raise ProfileError(
                f"the IPB of {self.name} selects {ac_bits} bits of the AC: "
                f"personalise 9F56 with {FEWEST_BITS} at least, or codes can be guessed"
            )

    def _check_constant_bits(self, *, own: bool) -> None:
        if self._psn_length and not self.ipb[0]:
            raise ProfileError(
                f"the IAF of {self.name} puts the PSN in front of the answer, and its IPB takes "
                "no bit of it: personalise 9F55 with b7 clear, and 9F56 without its first byte"
            )
        layout = self.version.layout
        after = len(self.iad_rest) * 8  # bits of the IAD behind the CVR
        constant = self._selects(_ANSWER, self.iad_length) & ~(self.varying << after)
        if own and constant:
            raise ProfileError(
                f"the IPB of {self.name} selects bits of the IAD, which its profile makes "
                "constant: personalise 9F56 with no bit set there, spend them on the AC; or name "
                f"them as bits of the {layout.cvr.__name__} that vary"
            )


def answer(atc: int, ac: bytes) -> bytes:
    """CID, ATC and AC (11 bytes), as a card answers when it makes an ARQC."""
    return bytes([CID_ARQC]) + atc.to_bytes(_ATC_LENGTH) + ac


def _subsets(bits: int) -> Iterator[int]:
    """Every number whose bits are among *bits*, 0 first."""
    subset = 0
    while True:
        yield subset
        subset = (subset - bits) & bits
        if not subset:
            return
