"""The profiles that we know: those of the cards that we issue, and recorded layouts.

docs/reference/emv-cap.md, sections 8.2 and 11; design of our own two: docs/limits.md. A name is
stored with every card that is registered under it: what a name means never changes, a better
layout gets a new one.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from sesame.cap.mode import Iaf
from sesame.cap.profile import Profile
from sesame.cap.terminal_data import CAP_AID, DPA_AID, Scheme
from sesame.cap.token import VISA_DEFAULT_IPB
from sesame.emv.cryptogram_version import MCHIP_10, MCHIP_14, VISA_10, VISA_18
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr, MChipCvr

_AIP = bytes.fromhex("1000")  # cardholder verification, nothing else

# What all Visa cards were recorded with beside the PIN; on ours it is constant.
_CVR = PIN_VERIFIED_ARQC | Cvr.LAST_ONLINE_NOT_COMPLETED

# 1 constant bit, 8 of the ATC, 17 of the AC: payments move the ATC outside our sight.
BANK_CARD = Profile(
    name="bank-card-1",
    aid=DPA_AID,
    scheme=Scheme.DPA,
    aip=_AIP,
    version=VISA_18,
    cvr=_CVR,
    ipb=bytes.fromhex("8000FF000000000001FFFF"),
)

# 1 constant bit, 5 of the ATC, 20 of the AC: the card's ATC moves with its codes only.
SESAME_CARD_1 = replace(
    BANK_CARD, name="sesame-card-1", ipb=bytes.fromhex("80001F00000000000FFFFF")
)
# The same that signs an amount inside the chip, in mode 1: the first one had to leave it to TDS.
SESAME_CARD = replace(SESAME_CARD_1, name="sesame-card-2", iaf=Iaf.AMOUNT | Iaf.AMOUNT_ONLY)

# What the institution of this program has issued: a login code of any other shape is a typing
# error.
ISSUED: Mapping[str, Profile] = MappingProxyType(
    {profile.name: profile for profile in (SESAME_CARD, SESAME_CARD_1, BANK_CARD)}
)

_FRENCH = Profile(
    name="dpa-fr",  # 1 constant bit, 9 of the ATC, the first 16 of the AC
    aid=DPA_AID,
    scheme=Scheme.DPA,
    aip=_AIP,
    version=VISA_10,
    cvr=_CVR,
    ipb=bytes.fromhex("8001FFFFFF000000000000000000000000"),
)
_MCHIP = Profile(
    name="cap-mchip-10",
    aid=CAP_AID,
    scheme=Scheme.CAP,
    aip=_AIP,
    version=MCHIP_10,
    cvr=MChipCvr(0xA50003040000),
    ipb=bytes.fromhex("00001F00000000001FFFFF"),
    iad_rest=bytes.fromhex("000000000000000000FF"),
)

# What the default Visa bitmap shows of the CVR, but for the ARQC.
_UNFORESEEN = (
    Cvr.LAST_ONLINE_NOT_COMPLETED
    | Cvr.VELOCITY_EXCEEDED
    | Cvr.NEW_CARD
    | Cvr.ISSUER_AUTHENTICATION_FAILED_LAST
    | Cvr.SDA_FAILED_LAST
    | Cvr.SCRIPT_FAILED
    | 0x000030  # the low bits of the script counter
)

PROFILES: Mapping[str, Profile] = MappingProxyType(
    {
        **ISSUED,
        **{
            profile.name: profile
            for profile in (
                _FRENCH,
                replace(
                    _FRENCH,
                    name="dpa-barclays",
                    iaf=Iaf.AMOUNT | Iaf.AMOUNT_ONLY,
                    ipb=bytes.fromhex("8000FF000000000001FFFF00000000000000"),
                ),
                replace(
                    _FRENCH,
                    name="cap-natwest",  # and one bit of the CVR that the bank cannot foresee
                    aid=CAP_AID,
                    scheme=Scheme.CAP,
                    iaf=Iaf.AMOUNT | Iaf.AMOUNT_ONLY,
                    ipb=bytes.fromhex("00001F00000000000FFFFF00000000008000"),
                    varying=Cvr.LAST_ONLINE_NOT_COMPLETED,
                ),
                replace(
                    _FRENCH,
                    name="visa-payment",  # a card without a bitmap, through its payments
                    aid=bytes.fromhex("A0000000031010"),
                    scheme=Scheme.VISA,
                    ipb=VISA_DEFAULT_IPB,
                    varying=_UNFORESEEN,
                ),
                _MCHIP,
                replace(
                    _MCHIP,
                    name="cap-mchip-14",
                    version=MCHIP_14,
                    ipb=bytes.fromhex("0000FF000000000003FFFF"),
                ),
                replace(
                    _MCHIP,
                    name="cap-dutch",  # the PSN in front, amount and currency
                    iaf=Iaf.AMOUNT | Iaf.PSN,
                    ipb=bytes.fromhex("0300001F000000000007FFFF"),
                ),
            )
        },
    }
)
