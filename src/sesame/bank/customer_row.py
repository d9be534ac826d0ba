"""One row of a file: a customer to be enrolled, a bank card to be given, or all that is wrong.

No I/O: which countries and keys there are comes in with `Rules`. What a row holds is printed
nowhere, and no problem repeats any of it.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TypedDict, TypeVar

from sesame.bank.card_numbers import has_card_number
from sesame.bank.customer_file import Fields, Problem, Trouble
from sesame.bank.customers import CardKind, NewCard
from sesame.bank.details import Details, PostalAddress, WantedCard
from sesame.bank.errors import MalformedUserCode, UnsuitableOldCode
from sesame.bank.user_code import UserCode, has_check_character, parse_user_code
from sesame.cap.profiles import BANK_CARD, ISSUED
from sesame.cap.verification import HIGHEST_ATC
from sesame.catalogue import Language
from sesame.custody.custodian import LONGEST_PAN, CardRecord, KeyRef
from sesame.emv.errors import MalformedPan
from sesame.emv.pan import Pan
from sesame.postal import (
    LINE,
    LONGEST_NAME,
    MOST_LINES,
    LetterFormat,
    fits_window,
    unprintable,
    unseen,
)

TO_COME, NO_OLD_CODE = "will-be-set", "none"

# Characters, at most.
LENGTHS: Mapping[str, int] = {
    "user_code": 32,  # with spaces
    "reference": 40,
    "name": LONGEST_NAME,
    "line_2": LINE,
    "line_3": LINE,
    "line_4": LINE,
    "line_5": LINE,
    "postcode": 10,
    "city": LINE,
    "email": 254,
    "old_code_hash": 200,
}
_LONGEST_WORD = 40  # of all other fields
_FRENCH_POSTCODE = re.compile(r"[0-9]{5}")
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
_ARGON2ID = re.compile(r"\$argon2id\$v=19\$m=\d+,t=\d+,p=\d+\$[A-Za-z0-9+/]+\$[A-Za-z0-9+/]+")
# Begins as no formula of a spreadsheet, in which the list of user codes may be opened.
_REFERENCE = re.compile(r"[A-Za-z0-9._/][A-Za-z0-9 ._/-]*")
_DKI = re.compile(r"[0-9A-Fa-f]{2}")
_PSN = re.compile(r"[0-9]{2}")
_ATC = re.compile(r"[0-9]{1,5}")
_LAST4 = re.compile(r"[0-9]{4}")
# Text in UTF-8 that was read as Latin-1 or Windows-1252 and written once more: an é became an Ã and
# a ©, an É an Ã and a ‰, a ’ three characters.
_HIGH = "\u0080-\u00bf" + re.escape(bytes(range(0x80, 0xC0)).decode("cp1252", "ignore"))
_TWICE_ENCODED = re.compile(f"[ÂÃ][{_HIGH}]|â€|\ufffd")
# What nobody's name has, so that an É or Ç before a dash is right: all but Ș ș Ț ț.
_SELDOM = re.compile("[\u01c0-\u0217\u021c-\u02ff]")
_ON_LETTERS = frozenset({"name", "line_2", "line_3", "line_4", "line_5", "city"})
_NO_CARD_NUMBER = frozenset({"pan", "old_code_hash"})  # have a form of their own
_LINES = ("line_2", "line_3", "line_4", "line_5")
ADDRESS_FIELDS = (*_LINES, "postcode", "city", "country")
_SHORTEST = 8  # digits of a PAN
_CARD_FIELDS = ("pan", "psn", "profile", "dki", "last_atc")

Word = TypeVar("Word", Language, LetterFormat, WantedCard)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a row is held against.

    `check_hash` refuses an old code's hash that costs another time than ours. With
    `check_characters` every user code must end with its check character; without `may_generate`
    there must be one.
    """

    countries: Collection[str]
    keys: Mapping[int, KeyRef]  # issuer keys of cards, by DKI
    check_hash: Callable[[str], None]
    check_characters: bool = False
    may_generate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Row:
    """A customer as a line of the file has them; it prints its line alone."""

    line: int
    user_code: UserCode | None  # None: it is to be generated
    name: str
    language: Language
    old_code: str | None  # argon2id
    details: Details
    card: NewCard | None

    def __repr__(self) -> str:
        return f"Row({self.line})"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardRow:
    """A bank card of somebody who is a customer, as a line of a file has it; it prints its line."""

    line: int
    user_code: UserCode | None  # one of the two says whose it is, or both
    reference: str | None
    name: str  # of its owner, so that no slip gives it to somebody else
    card: NewCard
    ends: str | None  # the last four digits of the bank card that it replaces

    def __repr__(self) -> str:
        return f"CardRow({self.line})"


class _KeyOfCard(TypedDict):
    """The part of a `CardRecord` that the DKI decides."""

    key: KeyRef
    dki: int


class _Wrong(Exception):
    """A field is not as it must be."""

    def __init__(self, field: str, trouble: Trouble, number: int = 0) -> None:
        super().__init__(trouble)
        self.field = field
        self.trouble = trouble
        self.number = number


def read_row(line: int, fields: Fields, rules: Rules) -> Row | list[Problem]:
    """The row on *line*, or everything that is wrong with it: one problem a field at most."""
    problems = [*_check_text(line, fields)]
    if problems:
        return problems
    values = {name: _text(value) for name, value in fields.items()}
    reader = _Reader(values, rules)
    row = reader.read(line)
    if reader.wrong:
        return [Problem(line, one.field, one.trouble, one.number) for one in reader.wrong]
    return row


def read_card_row(line: int, fields: Fields, keys: Mapping[int, KeyRef]) -> CardRow | list[Problem]:
    """The bank card on *line*, or everything that is wrong with it; *keys* are issuer keys by DKI.

    One problem a field at most, and none that is not of the line by itself.
    """
    problems = [*_check_text(line, fields)]
    if problems:
        return problems
    rules = Rules(countries=(), keys=keys, check_hash=lambda _: None)
    reader = _Reader({name: _text(value) for name, value in fields.items()}, rules)
    row = reader.read_card(line)
    return row or [Problem(line, one.field, one.trouble, one.number) for one in reader.wrong]


def read_address(fields: Fields, countries: Collection[str]) -> PostalAddress | list[Problem]:
    """The address of these fields, held against the same rule; its problems are of line 0.

    A field that is not there is empty.
    """
    problems = [*_check_text(0, fields)]
    if problems:
        return problems
    rules = Rules(countries=countries, keys={}, check_hash=lambda _: None)
    reader = _Reader({name: _text(value) for name, value in fields.items()}, rules)
    address = reader.address()
    return [Problem(0, one.field, one.trouble, one.number) for one in reader.wrong] or address


def _check_text(line: int, fields: Fields) -> Iterator[Problem]:
    for name, value in fields.items():
        # Most lines are of plain letters, and need no look at each of them.
        if not value.isprintable():
            odd = unseen(value)
            if odd is not None:
                yield Problem(line, name, Trouble.CHARACTER, ord(odd))
                continue
        if not value.isascii() and _is_garbled(value):
            yield Problem(line, name, Trouble.GARBLED)
        elif len(_text(value)) > (most := LENGTHS.get(name, _LONGEST_WORD)):
            yield Problem(line, name, Trouble.TOO_LONG, most)
        elif name not in _NO_CARD_NUMBER and has_card_number(_text(value)):
            yield Problem(line, name, Trouble.CARD_NUMBER)
        elif name in _ON_LETTERS and (odd := unprintable(_text(value))) is not None:
            yield Problem(line, name, Trouble.CHARACTER, ord(odd))


def _is_garbled(text: str) -> bool:
    """Whether *text* is, in whole or here and there, UTF-8 that was taken for something else."""
    if _TWICE_ENCODED.search(text):
        return True
    try:
        meant = text.encode("cp1252").decode()
    except UnicodeError:
        return False
    return not _SELDOM.search(meant)


def _text(value: str) -> str:
    """*value* with accents composed (NFC), and one space where there were several."""
    text = " ".join(value.split())
    return text if text.isascii() else unicodedata.normalize("NFC", text)


class _Reader:
    """Reads the fields of one row, and goes on where one is wrong."""

    def __init__(self, values: Mapping[str, str], rules: Rules) -> None:
        self._values = values
        self._rules = rules
        self.wrong: list[_Wrong] = []

    def read(self, line: int) -> Row:
        """The row; of worth only where nothing was wrong."""
        user_code = self._user_code()
        reference = self._reference()
        if not self._values.get("user_code"):
            if not self._rules.may_generate:
                self._note("user_code", Trouble.NOT_GENERATED)
            elif reference is None:
                self._note("reference", Trouble.NO_REFERENCE)
        kind = self._word("card_kind", WantedCard, None, Trouble.CARD_KIND)
        old_code = self._old_code()
        to_come = self._values.get("old_code_hash") == TO_COME
        if kind is WantedCard.NONE and self._values.get("old_code_hash") == NO_OLD_CODE:
            self._note("card_kind", Trouble.NO_WAY_IN)
        return Row(
            line=line,
            user_code=user_code,
            name=self._required("name"),
            language=self._word("language", Language, Language.FRENCH, Trouble.LANGUAGE),
            old_code=old_code,
            details=Details(
                address=self.address(),
                letter_format=self._word(
                    "letter_format", LetterFormat, LetterFormat.NORMAL, Trouble.LETTER_FORMAT
                ),
                card_kind=kind,
                email=self._email(),
                old_code_to_come=to_come,
                reference=reference,
            ),
            card=self._card(kind),
        )

    def read_card(self, line: int) -> CardRow | None:
        """The card that is given; None where something was wrong."""
        user_code, reference = self._user_code(), self._reference()
        if not (self._values.get("user_code") or reference):
            self._note("user_code", Trouble.WHO)
        name, card = self._required("name"), self._card(WantedCard.BANK)
        ends = self._values.get("ends") or None
        if ends is not None and not _LAST4.fullmatch(ends):
            self._note("ends", Trouble.ENDS)
        if card is None or self.wrong:
            return None
        return CardRow(
            line=line, user_code=user_code, reference=reference, name=name, card=card, ends=ends
        )

    def _note(self, field: str, trouble: Trouble, number: int = 0) -> None:
        self.wrong.append(_Wrong(field, trouble, number))

    def _required(self, name: str) -> str:
        value = self._values.get(name, "")
        if not value:
            self._note(name, Trouble.MISSING)
        return value

    def _word(self, name: str, words: type[Word], default: Word | None, trouble: Trouble) -> Word:
        value = self._values.get(name, "")
        if not value and default is not None:
            return default
        try:
            return words(value.lower())
        except ValueError:
            self._note(name, trouble if value else Trouble.MISSING)
            return next(iter(words))

    def _user_code(self) -> UserCode | None:
        typed = self._values.get("user_code", "")
        if not typed:
            return None
        try:
            user_code = parse_user_code(typed)
        except MalformedUserCode:
            self._note("user_code", Trouble.USER_CODE)
            return None
        if self._rules.check_characters and not has_check_character(user_code):
            self._note("user_code", Trouble.CHECK_CHARACTER)
        return user_code

    def _reference(self) -> str | None:
        reference = self._values.get("reference") or None
        if reference is not None and not _REFERENCE.fullmatch(reference):
            self._note("reference", Trouble.REFERENCE)
        return reference

    def address(self) -> PostalAddress:
        """Likewise, of the address alone."""
        lines = {name: self._values.get(name, "") for name in _LINES}
        if not any(lines.values()):
            self._note("line_4", Trouble.NO_STREET)
        country = self._values.get("country", "").upper() or "FR"
        if country not in self._rules.countries:
            self._note("country", Trouble.COUNTRY)
        postcode, city = self._values.get("postcode", ""), self._required("city")
        if country == "FR" and not _FRENCH_POSTCODE.fullmatch(postcode):
            self._note("postcode", Trouble.POSTCODE)
        elif len(f"{postcode} {city}") > LINE:
            self._note("city", Trouble.LINE_6, LINE)
        address = PostalAddress(**lines, postcode=postcode, city=city, country=country)
        if any(lines.values()) and not fits_window(address.below_name()):
            self._note("line_2", Trouble.LINES, MOST_LINES)
        return address

    def _email(self) -> str | None:
        email = self._values.get("email") or None
        if email is not None and not _EMAIL.fullmatch(email):
            self._note("email", Trouble.EMAIL)
        return email

    def _old_code(self) -> str | None:
        value = self._required("old_code_hash")
        if value in {"", TO_COME, NO_OLD_CODE}:
            return None
        if not _ARGON2ID.fullmatch(value):
            self._note("old_code_hash", Trouble.OLD_CODE)
            return None
        try:
            self._rules.check_hash(value)
        except UnsuitableOldCode:
            self._note("old_code_hash", Trouble.OLD_CODE_COST)
        return value

    def _card(self, kind: WantedCard) -> NewCard | None:
        if kind is not WantedCard.BANK:
            for name in _CARD_FIELDS:
                if self._values.get(name):
                    self._note(name, Trouble.NO_CARD)
            return None
        try:
            return NewCard(
                kind=CardKind.BANK,
                record=CardRecord(
                    pan=self._pan(),
                    psn=self._matching("psn", _PSN, Trouble.PSN),
                    profile=self._profile(),
                    **self._key(),
                ),
                last_atc=self._last_atc(),
            )
        except _Wrong as wrong:
            self.wrong.append(wrong)
            return None

    def _pan(self) -> Pan:
        digits = self._values.get("pan", "").replace(" ", "")
        if not digits:
            raise _Wrong("pan", Trouble.MISSING)
        if not (digits.isascii() and digits.isdigit()) or not _SHORTEST <= len(digits) <= (
            LONGEST_PAN
        ):
            raise _Wrong("pan", Trouble.PAN, LONGEST_PAN)
        try:
            return Pan(digits)
        except MalformedPan:
            raise _Wrong("pan", Trouble.LUHN) from None

    def _matching(self, name: str, pattern: re.Pattern[str], trouble: Trouble) -> str:
        value = self._values.get(name, "")
        if not pattern.fullmatch(value):
            raise _Wrong(name, trouble if value else Trouble.MISSING)
        return value

    def _profile(self) -> str:
        profile = self._values.get("profile") or BANK_CARD.name
        if profile not in ISSUED:
            raise _Wrong("profile", Trouble.PROFILE)
        return profile

    def _key(self) -> "_KeyOfCard":
        dki = int(self._matching("dki", _DKI, Trouble.DKI), 16)
        key = self._rules.keys.get(dki)
        if key is None:
            raise _Wrong("dki", Trouble.DKI)
        return {"key": key, "dki": dki}

    def _last_atc(self) -> int:
        if not self._values.get("last_atc"):
            return 0
        atc = int(self._matching("last_atc", _ATC, Trouble.LAST_ATC))
        if atc >= HIGHEST_ATC:
            raise _Wrong("last_atc", Trouble.LAST_ATC)
        return atc
