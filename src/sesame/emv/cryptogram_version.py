"""Cryptogram versions: by which recipe a kind of card makes its Application Cryptogram.

Which card key, which session key, which part of the card's answer closes the message, which
padding. docs/reference/emv-cap.md, sections 10.2 to 10.6. The CVN byte names the recipe inside
one scheme only: 12 is Visa's CVN 18 and an M/Chip version too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, unique
from types import MappingProxyType

from sesame.emv.cryptogram import Padding, application_cryptogram, cryptograms_by_atc, pad
from sesame.emv.iad import CcdCvr, Cvr, MChipCvr
from sesame.emv.keys import (
    TREE_B4_H8,
    DesKey,
    Tree,
    card_diversifier_a,
    card_diversifier_b,
    card_key_a,
    card_key_b,
    common_session_key,
    mastercard_session_key,
    tree_session_key,
)

_ATC = 2  # bytes

AnyCvr = Cvr | MChipCvr | CcdCvr


@unique
class CardKeyOption(Enum):
    """How a card's key comes from its issuer's, EMV 4.4 Book 2, A1.4."""

    A = "A"
    B = "B"


@unique
class SessionKeyMethod(Enum):
    """How the key of one transaction comes from the card's."""

    NONE = "none"  # it is the card's
    COMMON = "common"  # EMV 4.4 Book 2, A1.3
    MASTERCARD = "MasterCard SKD"  # with the UN
    TREE = "EMV2000 tree"


@unique
class IadLayout(Enum):
    """Where the CVR stands in the Issuer Application Data (9F10), and of which bits it is."""

    VISA = (Cvr, 4, 3)
    MCHIP = (MChipCvr, 2, 6)
    CCD = (CcdCvr, 3, 5)

    def __init__(self, cvr: type[AnyCvr], cvr_at: int, cvr_length: int) -> None:
        self.cvr = cvr
        self.cvr_at = cvr_at  # bytes before it
        self.cvr_length = cvr_length  # bytes

    def encode(self, dki: int, cvn: int, cvr: int, rest: bytes) -> bytes:
        """The IAD of these parts; *rest* is what follows the CVR."""
        heads = {
            IadLayout.VISA: bytes([0x06, dki, cvn, self.cvr_length]),
            IadLayout.MCHIP: bytes([dki, cvn]),
            IadLayout.CCD: bytes([0x0F, cvn, dki]),
        }
        return heads[self] + cvr.to_bytes(self.cvr_length) + rest


@unique
class Tail(Enum):
    """Which bytes of the IAD close the message."""

    IAD = "all of them"
    CVR = "the CVR, Visa's with its length byte"
    CVR_AND_COUNTERS = "the CVR, and M/Chip's eight bytes of counters"


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptogramVersion:
    """One recipe. Everything that it needs beside keys and data."""

    name: str
    cvn: int  # the byte in the IAD; CCD: the Common Core Identifier
    layout: IadLayout
    option: CardKeyOption
    session: SessionKeyMethod
    tail: Tail
    padding: Padding = Padding.METHOD_2
    tree: Tree = TREE_B4_H8  # where the session key is the tree's

    def card_key(self, imk: DesKey, pan: str, psn: str = "00") -> DesKey:
        """The card's own key from its issuer's, and the digits of its PAN and PSN (two)."""
        derive = card_key_a if self.option is CardKeyOption.A else card_key_b
        return derive(imk, pan, psn)

    def card_diversifier(self, pan: str, psn: str) -> bytes:
        """The 16 bytes that the issuer's key makes the card's key of, by triple DES in ECB mode.

        For who derives keys without holding them.
        """
        diversify = card_diversifier_a if self.option is CardKeyOption.A else card_diversifier_b
        return diversify(pan, psn)

    def session_key(self, card_key: DesKey, atc: int, un: bytes) -> DesKey:
        """The key of the transaction *atc* (0 to 65535) with the Unpredictable Number *un*."""
        match self.session:
            case SessionKeyMethod.NONE:
                return card_key
            case SessionKeyMethod.COMMON:
                return common_session_key(card_key, atc)
            case SessionKeyMethod.MASTERCARD:
                return mastercard_session_key(card_key, atc, un)
        return tree_session_key(card_key, atc, self.tree)

    def padded_message(self, before: bytes, atc: int, iad: bytes) -> bytes:
        """What the cryptogram of *atc* is made over, in whole blocks: see `cryptograms`."""
        return pad(before + atc.to_bytes(_ATC) + self.closing(iad), self.padding)

    def closing(self, iad: bytes) -> bytes:
        """What of *iad* closes the message."""
        cvr_at, end = self.layout.cvr_at, self.layout.cvr_at + self.layout.cvr_length
        match self.tail:
            case Tail.IAD:
                return iad
            case Tail.CVR_AND_COUNTERS:
                return iad[cvr_at:end] + iad[-_COUNTERS:]
        return iad[cvr_at - 1 if self.layout is IadLayout.VISA else cvr_at : end]

    def cryptograms(
        self, card_key: DesKey, atcs: Sequence[int], *, before: bytes, un: bytes, iad: bytes
    ) -> list[bytes]:
        """The 8-byte AC for each of *atcs* (0 to 65535).

        Args:
            card_key: the card's own key.
            atcs: the transactions.
            before: the terminal's 29 bytes and the AIP.
            un: the Unpredictable Number (4 bytes), which is among them.
            iad: as the card gives it.
        """
        after = self.closing(iad)
        if self.session is SessionKeyMethod.COMMON:
            return cryptograms_by_atc(card_key, atcs, before=before, after=after)
        return [
            application_cryptogram(
                self.session_key(card_key, atc, un),
                before + atc.to_bytes(_ATC) + after,
                self.padding,
            )
            for atc in atcs
        ]


_COUNTERS = 8  # bytes at the end of M/Chip's IAD


def _mchip(cvn: int, session: SessionKeyMethod, tail: Tail) -> CryptogramVersion:
    return CryptogramVersion(
        name=f"mchip-{cvn:02x}",
        cvn=cvn,
        layout=IadLayout.MCHIP,
        option=CardKeyOption.A,
        session=session,
        tail=tail,
    )


VISA_10 = CryptogramVersion(
    name="visa-10",
    cvn=0x0A,
    layout=IadLayout.VISA,
    option=CardKeyOption.A,
    session=SessionKeyMethod.NONE,
    tail=Tail.CVR,
    padding=Padding.METHOD_1,
)
VISA_18 = CryptogramVersion(
    name="visa-18",
    cvn=0x12,
    layout=IadLayout.VISA,
    option=CardKeyOption.B,
    session=SessionKeyMethod.COMMON,
    tail=Tail.IAD,
)
VISA_22 = replace(VISA_18, name="visa-22", cvn=0x22)
MCHIP_10 = _mchip(0x10, SessionKeyMethod.MASTERCARD, Tail.CVR)
MCHIP_11 = _mchip(0x11, SessionKeyMethod.MASTERCARD, Tail.CVR_AND_COUNTERS)
MCHIP_12 = _mchip(0x12, SessionKeyMethod.TREE, Tail.CVR)
MCHIP_13 = _mchip(0x13, SessionKeyMethod.TREE, Tail.CVR_AND_COUNTERS)
MCHIP_14 = _mchip(0x14, SessionKeyMethod.COMMON, Tail.CVR)
MCHIP_15 = _mchip(0x15, SessionKeyMethod.COMMON, Tail.CVR_AND_COUNTERS)
CCD = CryptogramVersion(
    name="ccd",
    cvn=0xA5,
    layout=IadLayout.CCD,
    option=CardKeyOption.B,
    session=SessionKeyMethod.COMMON,
    tail=Tail.IAD,
)

VERSIONS: Mapping[str, CryptogramVersion] = MappingProxyType(
    {
        version.name: version
        for version in (
            VISA_10,
            VISA_18,
            VISA_22,
            MCHIP_10,
            MCHIP_11,
            MCHIP_12,
            MCHIP_13,
            MCHIP_14,
            MCHIP_15,
            CCD,
        )
    }
)
