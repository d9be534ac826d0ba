"""From a customer's data and the card's keys to a chip that can be used.

docs/reference/emv-cap.md, section 14.1; the record of the codes is that of the recorded
French card, section 4.5. AID, AIP, CVN, CVR and IPB come from the profile that the bank
predicts with, so that both agree by construction.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.terminal_data import STANDARD_ELEMENTS
from sesame.card.memory import Application, CardData, CardImage, CardKind, Counters, Record
from sesame.emv.atr import Protocol, encode_atr
from sesame.emv.cryptogram_version import VISA_18
from sesame.emv.dol import DolEntry
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr
from sesame.emv.keys import DesKey
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, encode, encode_one

PIN_TRY_LIMIT = 3

CODE_LABEL = "SESAME"
PAYMENT_LABEL = "CARTE BANCAIRE"
PAYMENT_AID = bytes.fromhex("A0000000031010")

_PAYMENT_AIP = bytes.fromhex("1000")  # cardholder verification, nothing else
_CODE_VERSION = bytes.fromhex("0001")  # 9F08
_PAYMENT_VERSION = bytes.fromhex("008C")
_NO_AMOUNTS = bytes(8)  # X and Y of a CVM list
_PLAINTEXT_PIN_ALWAYS = bytes.fromhex("0100")
_PLAINTEXT_PIN_OR_NOTHING = bytes.fromhex("4103 1F03")  # by what the terminal supports
_SERVICE_CODE = "201"  # international, has a chip; any service
_TRACK_2 = 37  # digits and separator, the most that a stripe holds; a nibble F makes them even
_ARC = DolEntry(Tag.ARC, 2)

# Historical bytes, ISO/IEC 7816-4, 8.1.1: compact TLV (80); this card selects by a whole name or
# its beginning, and reads records by SFI and number (71 C6); seven bytes of the issuer's (57).
_HISTORICAL = bytes.fromhex("80 71C6 57") + b"SESAME"
_KIND: Mapping[CardKind, bytes] = MappingProxyType(
    {CardKind.BANK: b"B", CardKind.SESAME: b"S", CardKind.PAYMENT: b"P"}
)


def atr(kind: CardKind, protocol: Protocol) -> bytes:
    """The ATR of a card of this *kind* that speaks *protocol*."""
    return encode_atr(protocol, _HISTORICAL + _KIND[kind])


def sesame_card(
    data: CardData, *, dki: int, dpa_key: DesKey, protocol: Protocol = Protocol.T0
) -> tuple[CardImage, Counters]:
    """A card that makes codes and does nothing else.

    Args:
        data: what is written on it and in it.
        dki: index of the issuer keys that its own were derived from, one byte.
        dpa_key: the card's own key for codes.
        protocol: what its ATR offers.

    Raises:
        PersonalisationError: the data contradict themselves; says what to change.
    """
    applications = [_code_application(SESAME_CARD, data, dki, dpa_key)]
    return _card(CardKind.SESAME, protocol, data, applications)


def bank_card(
    data: CardData,
    *,
    dki: int,
    dpa_key: DesKey,
    payment_key: DesKey,
    protocol: Protocol = Protocol.T0,
) -> tuple[CardImage, Counters]:
    """A card that pays and makes codes; arguments as for `sesame_card`.

    *payment_key* is the card's own key for payments, derived from another issuer key.
    """
    # Codes last: the directory is read for payments, codes are found by their AID.
    applications = [
        _payment_application(data, dki, payment_key),
        _code_application(BANK_CARD, data, dki, dpa_key, priority=2),
    ]
    return _card(CardKind.BANK, protocol, data, applications)


def payment_card(
    data: CardData, *, dki: int, payment_key: DesKey, protocol: Protocol = Protocol.T0
) -> tuple[CardImage, Counters]:
    """A card that only pays: no reader makes a code with it. Arguments as for `bank_card`."""
    applications = [_payment_application(data, dki, payment_key)]
    return _card(CardKind.PAYMENT, protocol, data, applications)


def _card(
    kind: CardKind, protocol: Protocol, data: CardData, applications: Sequence[Application]
) -> tuple[CardImage, Counters]:
    image = CardImage(
        kind=kind,
        data=data,
        pin_try_limit=PIN_TRY_LIMIT,
        atr=atr(kind, protocol),
        applications=tuple(applications),
    )
    return image, Counters(atc=0, pin_tries_left=PIN_TRY_LIMIT)


def _code_application(
    profile: Profile, data: CardData, dki: int, key: DesKey, *, priority: int = 1
) -> Application:
    objects = [
        *_lists(),
        *_number(data),
        Tlv(Tag.CVM_LIST, _NO_AMOUNTS + _PLAINTEXT_PIN_ALWAYS),
        Tlv(Tag.IPB, profile.ipb),
        Tlv(Tag.IAF, bytes([profile.iaf])),
        *_dates(data),
        Tlv(Tag.APPLICATION_VERSION, _CODE_VERSION),
    ]
    return Application(
        aid=profile.aid,
        label=CODE_LABEL,
        priority=priority,
        aip=profile.aip,
        records=(_record(1, objects),),
        cvn=profile.version.cvn,
        dki=dki,
        cvr=Cvr(profile.cvr ^ PIN_VERIFIED_ARQC),  # a profile's CVR has all of these bits
        mk_ac=key,
        strict=True,
    )


def _payment_application(data: CardData, dki: int, key: DesKey) -> Application:
    # No 9F55 and no 9F56: in a payment application these tags mean something else.
    holder = [
        Tlv(Tag.TRACK_2, _track_2(data)),
        Tlv(Tag.CARDHOLDER_NAME, data.name.encode()),
    ]
    objects = [
        *_lists(),
        *_number(data),
        Tlv(Tag.CVM_LIST, _NO_AMOUNTS + _PLAINTEXT_PIN_OR_NOTHING),
        *_dates(data),
        Tlv(Tag.APPLICATION_VERSION, _PAYMENT_VERSION),
    ]
    return Application(
        aid=PAYMENT_AID,
        label=PAYMENT_LABEL,
        priority=1,
        aip=_PAYMENT_AIP,
        records=(_record(1, holder), _record(2, objects)),
        cvn=VISA_18.cvn,
        dki=dki,
        cvr=Cvr(BANK_CARD.cvr ^ PIN_VERIFIED_ARQC),
        mk_ac=key,
        strict=False,
    )


def _lists() -> list[Tlv]:
    """Both CDOLs ask for the eight standard elements, the second for the ARC before them."""
    return [
        Tlv(Tag.CDOL1, _dol(STANDARD_ELEMENTS)),
        Tlv(Tag.CDOL2, _dol([_ARC, *STANDARD_ELEMENTS])),
    ]


def _dol(entries: Sequence[DolEntry]) -> bytes:
    return bytes.fromhex("".join(f"{entry.tag:X}{entry.length:02X}" for entry in entries))


def _number(data: CardData) -> list[Tlv]:
    return [Tlv(Tag.PAN, data.pan.encode()), Tlv(Tag.PSN, bytes.fromhex(data.psn))]


def _track_2(data: CardData) -> bytes:
    """The magnetic stripe's second track, ISO/IEC 7813, always of its longest: 19 bytes.

    EMV leaves it to the scheme, and Visa asks for it; programs that read payment cards often look
    nowhere else, and some want something behind the service code. There the issuer's check values
    would stand. Ours are zeros, so no stripe that anybody takes is copied from a chip.
    """
    nibbles = f"{data.pan.digits}D{data.expiry:%y%m}{_SERVICE_CODE}"
    return bytes.fromhex(nibbles.ljust(_TRACK_2, "0") + "F")


def _dates(data: CardData) -> list[Tlv]:
    return [
        Tlv(Tag.EXPIRY_DATE, _yymmdd(data.expiry)),
        Tlv(Tag.EFFECTIVE_DATE, _yymmdd(data.effective)),
    ]


def _yymmdd(day: date) -> bytes:
    return bytes.fromhex(f"{day:%y%m%d}")


def _record(number: int, objects: Sequence[Tlv]) -> Record:
    return Record(1, number, encode_one(Tag.RECORD_TEMPLATE, encode(objects)))
