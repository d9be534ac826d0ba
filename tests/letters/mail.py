"""Letters for the tests, all to one person."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from io import BytesIO

from pypdf import PdfReader

from sesame.catalogue import Language
from sesame.letters.letter import (
    Actor,
    Addressee,
    CardKind,
    CardLetter,
    HoldNotice,
    Notice,
    PinLetter,
    Posted,
    ReaderLetter,
    ReleaseNotice,
    ReminderLetter,
    Sheet,
    WelcomeLetter,
)
from sesame.letters.typesetting import Typesetter
from sesame.postal import LetterFormat
from sesame.web.institution import Institution

NAME = "Mme Élodie Lefèvre-Dubois"
ADDRESS = ("Résidence Les Tilleuls", "12 bis rue de la République", "69002 LYON")
REFERENCE = "K7-3QX-XM"
ON = date(2026, 3, 1)
PIN, USER_CODE, ACTIVATION, SERIAL = "4827", "W7M2XQ9P", "7391-2846", "SN-0512-3456"
PATTERN = bytes(range(16))
TYPESETTER = Typesetter(Institution())


def addressee(
    language: Language = Language.FRENCH,
    size: LetterFormat = LetterFormat.NORMAL,
    name: str = NAME,
    address: tuple[str, ...] = ADDRESS,
) -> Addressee:
    """Élodie, unless somebody else is named."""
    return Addressee(name=name, address=address, language=language, format=size)


def pin_letter(to: Addressee | None = None, reference: str = REFERENCE) -> PinLetter:
    """Her PIN."""
    return PinLetter(
        to=to or addressee(),
        reference=reference,
        on=ON,
        card=CardKind.SESAME,
        pin=PIN,
        pattern=PATTERN,
    )


def card_letter(to: Addressee | None = None, reference: str = REFERENCE) -> CardLetter:
    """Her card."""
    return CardLetter(to=to or addressee(), reference=reference, on=ON, card=CardKind.BANK)


def reader_letter(to: Addressee | None = None) -> ReaderLetter:
    """Her reader."""
    return ReaderLetter(
        to=to or addressee(),
        reference=REFERENCE,
        on=ON,
        serial=SERIAL,
        model="Sesame R1",
        activation=ACTIVATION,
        activate_by=date(2026, 3, 31),
    )


def welcome_letter(to: Addressee | None = None) -> WelcomeLetter:
    """Her user code."""
    return WelcomeLetter(to=to or addressee(), reference=REFERENCE, on=ON, user_code=USER_CODE)


def everything(language: Language, size: LetterFormat) -> Iterator[Posted]:
    """One of each kind, and of each wording."""
    to = addressee(language, size)
    yield from (pin_letter(to), card_letter(to), reader_letter(to), welcome_letter(to))
    for card in CardKind:
        yield Sheet(card=card, language=language, format=size)
    for by in Actor:
        yield HoldNotice(to=to, reference=REFERENCE, on=ON, since=ON, by=by)
        yield ReleaseNotice(to=to, reference=REFERENCE, on=ON, since=ON, by=by)
    for event in ("mail-returned", "opposition"):
        yield Notice(to=to, reference=REFERENCE, on=ON, since=ON, event=event)
    for activated in (True, False):
        yield ReminderLetter(to=to, reference=REFERENCE, on=ON, activated=activated)
    yield PinLetter(to=to, reference=REFERENCE, on=ON, card=CardKind.BANK, pin="123456789012")
    yield CardLetter(to=to, reference=REFERENCE, on=ON, card=CardKind.SESAME)


@cache
def pdf(posted: Posted) -> bytes:
    """Its PDF, set once for all tests of this run."""
    return TYPESETTER.pdf(posted)


def read(posted: Posted) -> PdfReader:
    """Its PDF as another library reads it."""
    return PdfReader(BytesIO(pdf(posted)), strict=True)


def text_of(posted: Posted) -> str:
    """All of its words, with plain spaces and without line ends."""
    pages = (page.extract_text() for page in read(posted).pages)
    return " ".join("\n".join(pages).split())
