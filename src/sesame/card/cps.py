"""The data groupings that a bureau writes into a chip.

EMV Card Personalization Specification, as far as docs/reference/emv-cap.md, section 14.2, has it;
docs/reference/bureau-file.md says what stands in each of ours. A grouping is
`DGI (2 bytes) ‖ length (1 byte, or FF and 2) ‖ value`. One card has one spelling.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from sesame.card.errors import MalformedGroupings, PersonalisationError
from sesame.card.memory import (
    LONGEST_ANSWER,
    Application,
    CardData,
    CardImage,
    CardKind,
    Counters,
    Record,
)
from sesame.emv.iad import VisaIad
from sesame.emv.keys import DesKey, key_check_value
from sesame.emv.pan import Pan
from sesame.emv.pin import decode_pin_block, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, encode, encode_one, find
from sesame.errors import SesameError

KEYS = 0x8000
KEY_CHECK_VALUES = 0x9000
PIN_BLOCK = 0x8010
PIN_TRIES = 0x9010
FCI = 0x9102
PROCESSING_OPTIONS = 0x9104
IAD_TEMPLATE = 0x9200
# Ours: EMV has its own records in SFI 1 to 10, and leaves the numbers above to schemes and issuers
# (Book 3, 5.3.2.2).
APPLICATION_DATA = 0x0D01

_FIXED = (
    KEYS,
    KEY_CHECK_VALUES,
    PIN_BLOCK,
    PIN_TRIES,
    FCI,
    PROCESSING_OPTIONS,
    IAD_TEMPLATE,
    APPLICATION_DATA,
)
_HIGHEST_SFI = 10  # of EMV's own records
_LONG_LENGTH = 0xFF  # says that two bytes of length follow
_VERSION = 0x01  # of `APPLICATION_DATA`
_SESAME_CARD = ord("S")  # what kind of card it is
_APPLICATION_HEAD = 7  # bytes: version, kind, strictness, two ATCs
_PIN_TRIES = 2  # bytes
_CENTURY = 2000


def encode_groupings(image: CardImage, counters: Counters) -> bytes:
    """A Sésame card as groupings, in the order of docs/reference/bureau-file.md.

    The key and the PIN stand in it in the clear: it is nothing to keep or to send as it is.

    Raises:
        PersonalisationError: another kind of card, or one whose records say something else than
            its data: it would not come back as it is.
    """
    data = _encode(image, counters)
    if _decode(data) != (image, counters):
        raise PersonalisationError(
            f"{image!r}: its records and what is printed on it differ, or its FCI says what no "
            "grouping holds: personalise it by `sesame_card`"
        )
    return data


def decode_groupings(data: bytes) -> tuple[CardImage, Counters]:
    """The card that *data* make.

    Raises:
        MalformedGroupings: cut, unknown, missing or twice; a value that no card has, or another
            spelling than `encode_groupings` gives.
    """
    image, counters = _decode(data)
    if _encode(image, counters) != data:
        raise MalformedGroupings("they are in another order or spelling than a Sésame card's")
    return image, counters


def _encode(image: CardImage, counters: Counters) -> bytes:
    if image.kind is not CardKind.SESAME or len(image.applications) != 1:
        raise PersonalisationError(f"{image!r}: only a Sésame card is made of groupings")
    (application,) = image.applications
    iad = VisaIad(dki=application.dki, cvn=application.cvn, cvr=application.cvr)
    groupings = [_record(record) for record in application.records]
    groupings += [
        (KEYS, application.mk_ac.value),
        (KEY_CHECK_VALUES, key_check_value(application.mk_ac)),
        (PIN_BLOCK, pin_block(image.data.pin)),
        (PIN_TRIES, bytes([counters.pin_tries_left, image.pin_try_limit])),
        (FCI, _fci_proprietary(application, image.data.languages)),
        (
            PROCESSING_OPTIONS,
            encode([Tlv(Tag.AIP, application.aip), Tlv(Tag.AFL, application.afl)]),
        ),
        (IAD_TEMPLATE, iad.encode()),
        (APPLICATION_DATA, _application_data(image, application, counters)),
    ]
    return b"".join(_grouping(dgi, value) for dgi, value in groupings)


def _record(record: Record) -> tuple[int, bytes]:
    if record.sfi > _HIGHEST_SFI:
        raise PersonalisationError(f"{record!r}: a terminal reads files of SFI 1 to 10")
    return record.sfi << 8 | record.number, record.value


def _fci_proprietary(application: Application, languages: tuple[str, ...]) -> bytes:
    (template,) = decode(application.fci(languages))
    value = find(template.children(), Tag.FCI_PROPRIETARY)
    return encode_one(Tag.FCI_PROPRIETARY, value or b"")


def _application_data(image: CardImage, application: Application, counters: Counters) -> bytes:
    return b"".join(
        (
            bytes([_VERSION, _SESAME_CARD, application.strict]),
            counters.atc.to_bytes(2),
            counters.last_online_atc.to_bytes(2),
            _text(application.aid),
            _text(image.atr),
            _text(image.data.name.encode()),
        )
    )


def _text(value: bytes) -> bytes:
    return bytes([len(value)]) + value


def _grouping(dgi: int, value: bytes) -> bytes:
    if len(value) < _LONG_LENGTH:
        return dgi.to_bytes(2) + _text(value)
    return dgi.to_bytes(2) + bytes([_LONG_LENGTH]) + len(value).to_bytes(2) + value


# ── Back to a card ───────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _ApplicationData:
    """What `APPLICATION_DATA` holds."""

    strict: bool
    atc: int
    last_online_atc: int
    aid: bytes
    atr: bytes
    name: str


def _decode(data: bytes) -> tuple[CardImage, Counters]:
    groupings = _groupings(data)
    records = [dgi for dgi in groupings if dgi not in _FIXED]
    missing = [dgi for dgi in _FIXED if dgi not in groupings]
    if missing:
        raise MalformedGroupings(f"{missing[0]:04X} is missing")
    with _inside(APPLICATION_DATA):
        ours = _read_application_data(groupings[APPLICATION_DATA])
    with _inside(PIN_TRIES):
        tries_left, limit = groupings[PIN_TRIES]
    with _inside(KEYS):
        key = DesKey(groupings[KEYS])
    if key_check_value(key) != groupings[KEY_CHECK_VALUES]:
        raise MalformedGroupings("the check value in 9000 is not that of the key in 8000")
    with _inside(PIN_BLOCK):
        pin = decode_pin_block(groupings[PIN_BLOCK])
    with _inside(FCI):
        about = decode(groupings[FCI])
        label = _of(about, Tag.APPLICATION_LABEL).decode("ascii")
        (priority,) = _of(about, Tag.APPLICATION_PRIORITY)
        pdol = find(about, Tag.PDOL) or b""
        languages = _pairs(_of(about, Tag.LANGUAGE_PREFERENCE).decode("ascii"))
    with _inside(PROCESSING_OPTIONS):
        aip = _of(decode(groupings[PROCESSING_OPTIONS]), Tag.AIP)
    with _inside(IAD_TEMPLATE):
        iad = VisaIad.decode(groupings[IAD_TEMPLATE])
    with _whole():
        kept = tuple(Record(dgi >> 8, dgi & 0xFF, groupings[dgi]) for dgi in records)
        said = [o for record in kept for o in decode(record.value)]
        card = CardData(
            name=ours.name,
            pan=Pan.decode(_of(said, Tag.PAN)),
            psn=_of(said, Tag.PSN).hex(),
            pin=pin,
            languages=languages,
            effective=_day(_of(said, Tag.EFFECTIVE_DATE)),
            expiry=_day(_of(said, Tag.EXPIRY_DATE)),
        )
        application = Application(
            aid=ours.aid,
            label=label,
            priority=priority,
            aip=aip,
            pdol=pdol,
            records=kept,
            cvn=iad.cvn,
            dki=iad.dki,
            cvr=iad.cvr,
            mk_ac=key,
            strict=ours.strict,
        )
        image = CardImage(
            kind=CardKind.SESAME,
            data=card,
            pin_try_limit=limit,
            atr=ours.atr,
            applications=(application,),
        )
        counters = Counters(
            atc=ours.atc, pin_tries_left=tries_left, last_online_atc=ours.last_online_atc
        )
    return image, counters


def _groupings(data: bytes) -> Mapping[int, bytes]:
    """The values by their DGI, in their order."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(data):
        dgi = int.from_bytes(data[at : at + 2])
        length, start = _length(data, at + 2)
        value = data[start : start + length]
        if start + length > len(data):
            raise MalformedGroupings(f"at byte {at}: cut in the middle of a grouping")
        if dgi in found:
            raise MalformedGroupings(f"at byte {at}: {dgi:04X} a second time")
        if dgi not in _FIXED and not _is_record(dgi, length):
            raise MalformedGroupings(f"at byte {at}: {dgi:04X} is no grouping of a Sésame card")
        found[dgi] = value
        at = start + length
    return found


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The length that stands at *at*, and where its value begins; over the end where it is cut."""
    if data[at : at + 1] != bytes([_LONG_LENGTH]):
        return int.from_bytes(data[at : at + 1]), at + 1
    return int.from_bytes(data[at + 1 : at + 3]), at + 3


def _is_record(dgi: int, length: int) -> bool:
    return 1 <= dgi >> 8 <= _HIGHEST_SFI and dgi & 0xFF != 0 and length <= LONGEST_ANSWER


def _read_application_data(value: bytes) -> _ApplicationData:
    if value[:2] != bytes([_VERSION, _SESAME_CARD]):
        raise MalformedGroupings(
            f"{APPLICATION_DATA:04X} is not of version {_VERSION} or not a Sésame card's: was it "
            "made by a later version of this program?"
        )
    texts = value[_APPLICATION_HEAD:]
    aid, texts = _take(texts)
    atr, texts = _take(texts)
    name, _rest = _take(texts)  # a rest is another spelling
    return _ApplicationData(
        strict=value[2] == 1,  # another number is another spelling
        atc=int.from_bytes(value[3:5]),
        last_online_atc=int.from_bytes(value[5:7]),
        aid=aid,
        atr=atr,
        name=name.decode("ascii"),
    )


def _take(texts: bytes) -> tuple[bytes, bytes]:
    """The first of *texts*, and the others; a shorter one where it is cut: another spelling."""
    length = int.from_bytes(texts[:1])
    return texts[1 : 1 + length], texts[1 + length :]


def _of(objects: list[Tlv], tag: Tag) -> bytes:
    value = find(objects, tag)
    if value is None:
        raise PersonalisationError(f"{tag:X} is missing")
    return value


def _pairs(letters: str) -> tuple[str, ...]:
    return tuple(letters[at : at + 2] for at in range(0, len(letters), 2))


def _day(value: bytes) -> date:
    """A date of EMV: YYMMDD in BCD, 3 bytes."""
    digits = value.hex()
    return date(_CENTURY + int(digits[:2]), int(digits[2:4]), int(digits[4:]))


@contextmanager
def _inside(dgi: int) -> Iterator[None]:
    """What is wrong with the value of *dgi* becomes an error of ours."""
    with _named(f"{dgi:04X}"):
        yield


@contextmanager
def _whole() -> Iterator[None]:
    with _named("the card"):
        yield


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except MalformedGroupings:
        raise
    except SesameError as error:
        raise MalformedGroupings(f"{where}: {error}") from None
    except (ValueError, IndexError):
        # Their own words would carry the value.
        raise MalformedGroupings(f"{where}: a value that no card has") from None
