"""`sesame.bank.customer_row`: a row becomes a customer, or everything that is wrong with it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.customer_file import BANK_CARDS, CUSTOMERS, Problem, Trouble
from sesame.bank.customer_row import LENGTHS, CardRow, Row, Rules, read_card_row, read_row
from sesame.bank.details import WantedCard
from sesame.bank.importing import countries
from sesame.bank.old_code import OldCode
from sesame.catalogue import Language
from sesame.custody.custodian import KeyRef
from sesame.postal import LetterFormat
from tests.bank.branch import OMAR, quick_old_codes

_HASH = quick_old_codes().hash(OldCode("tilleul-1971"))
_DEAR = _HASH.replace("t=1", "t=2")
_PAN = OMAR.card.record.pan.digits
_RULES = Rules(
    countries=countries(), keys={1: KeyRef("dpa-01")}, check_hash=quick_old_codes().check_hash
)
_STRICT = Rules(
    countries=countries(),
    keys={},
    check_hash=quick_old_codes().check_hash,
    check_characters=True,
    may_generate=False,
)
_ZOE = {
    "user_code": "zoe12345",
    "name": "Zoé  Petit",
    "language": "EN",
    "line_2": "Appartement 4",
    "line_4": "12\u00a0rue de l’Église",
    "postcode": "75011",
    "city": "PARIS",
    "letter_format": "large-print",
    "email": "zoe@example.org",
    "old_code_hash": _HASH,
    "card_kind": "bank",
    "pan": f"{_PAN[:4]} {_PAN[4:]}",
    "psn": "01",
    "dki": "01",
    "last_atc": "312",
}


def _row(changes: dict[str, str] | None = None, rules: Rules = _RULES) -> Row | list[Problem]:
    return read_row(7, _ZOE | (changes or {}), rules)


def _card_row(changes: dict[str, str]) -> CardRow | list[Problem]:
    """The row of a bank card in Zoé's hand that takes the place of another."""
    whole = {name: _ZOE[name] for name in BANK_CARDS.fields if name in _ZOE} | {"ends": "0119"}
    return read_card_row(7, whole | changes, _RULES.keys)


_EMPTY = dict.fromkeys(("pan", "psn", "dki", "last_atc"), "")


def test_a_whole_row() -> None:
    """Every field has its place, spaces are one, accents composed."""
    row = _row({"name": unicodedata.normalize("NFD", _ZOE["name"])})
    assert isinstance(row, Row)
    assert (row.line, row.user_code, row.name) == (7, "ZOE12345", "Zoé Petit")
    assert (row.language, row.old_code) == (Language.ENGLISH, _HASH)
    details, card = row.details, row.card
    assert details.row() == (
        "Appartement 4",
        "",
        "12 rue de l’Église",
        "",
        "75011",
        "PARIS",
        "FR",
        "large-print",
        "zoe@example.org",
        "bank",
        False,
        None,
    )
    assert details.letter_format is LetterFormat.LARGE_PRINT
    assert card is not None
    assert card.record == OMAR.card.record
    assert card.last_atc == 312


def test_what_may_be_left_out() -> None:
    """A Sésame card is to be made, the old code is to come, the user code is to be generated."""
    fields = {
        "reference": "R-1",
        "name": "Ann",
        "line_5": "Le Bourg",
        "city": "BRUXELLES",
        "country": "be",
        "old_code_hash": "will-be-set",
        "card_kind": "sesame",
    }
    row = read_row(2, fields, _RULES)
    assert isinstance(row, Row)
    assert (row.user_code, row.language, row.card, row.old_code) == (None, "fr", None, None)
    assert (row.details.letter_format, row.details.email) == ("normal", None)
    assert (row.details.old_code_to_come, row.details.reference) == (True, "R-1")
    assert row.details.card_kind is WantedCard.SESAME
    assert row.details.address.country == "BE"


def test_a_card_that_was_never_seen() -> None:
    """Stands at ATC 0; its profile may be said."""
    row = _row({"last_atc": "", "profile": "bank-card-1"})
    assert isinstance(row, Row)
    assert row.card is not None
    assert (row.card.last_atc, row.card.record.profile) == (0, "bank-card-1")


def test_nobody_is_printed() -> None:
    """Neither by the row, nor by what it holds."""
    row = _row()
    assert isinstance(row, Row)
    for shown in map(repr, (row, row.details, row.details.address, row.details.row(), row.card)):
        assert not any(value in shown for value in (_PAN, _HASH, "Zoé", "Église", "example"))


@pytest.mark.parametrize(
    ("changes", "field", "trouble", "number"),
    [
        ({"user_code": "ZOE1234"}, "user_code", Trouble.USER_CODE, 0),
        ({"user_code": ""}, "reference", Trouble.NO_REFERENCE, 0),
        ({"reference": "=cmd|x!A1"}, "reference", Trouble.REFERENCE, 0),
        ({"reference": "-1+2"}, "reference", Trouble.REFERENCE, 0),
        ({"reference": "@SUM"}, "reference", Trouble.REFERENCE, 0),
        ({"reference": "R,7"}, "reference", Trouble.REFERENCE, 0),
        ({"reference": "Réf 7"}, "reference", Trouble.REFERENCE, 0),
        ({"name": " "}, "name", Trouble.MISSING, 0),
        ({"name": "Zo\x00é"}, "name", Trouble.CHARACTER, 0),
        ({"name": "Zo\u202e"}, "name", Trouble.CHARACTER, 0x202E),
        ({"name": "Zo\ud800"}, "name", Trouble.CHARACTER, 0xD800),
        ({"name": "Zo\u2028"}, "name", Trouble.CHARACTER, 0x2028),
        ({"name": "ZoÃ©"}, "name", Trouble.GARBLED, 0),
        ({"name": "Zo\ufffd"}, "name", Trouble.GARBLED, 0),
        ({"name": "x" * 101}, "name", Trouble.TOO_LONG, 100),
        ({"pan": "1" * 41}, "pan", Trouble.TOO_LONG, 40),
        ({"line_4": "x" * 39}, "line_4", Trouble.TOO_LONG, 38),
        ({"line_2": "", "line_4": ""}, "line_4", Trouble.NO_STREET, 0),
        ({"language": "de"}, "language", Trouble.LANGUAGE, 0),
        ({"postcode": "7501"}, "postcode", Trouble.POSTCODE, 0),
        ({"city": ""}, "city", Trouble.MISSING, 0),
        ({"city": "x" * 33}, "city", Trouble.LINE_6, 38),
        ({"name": "王 Wang"}, "name", Trouble.CHARACTER, ord("王")),
        (
            dict.fromkeys(("line_2", "line_3", "line_5"), "x") | {"country": "BE"},
            "line_2",
            Trouble.LINES,
            6,
        ),
        ({"country": "ZZ"}, "country", Trouble.COUNTRY, 0),
        ({"letter_format": "huge"}, "letter_format", Trouble.LETTER_FORMAT, 0),
        ({"email": "zoe@example"}, "email", Trouble.EMAIL, 0),
        ({"email": "a@b.fr, c@d.fr"}, "email", Trouble.EMAIL, 0),
        ({"old_code_hash": ""}, "old_code_hash", Trouble.MISSING, 0),
        ({"old_code_hash": "tilleul-1971"}, "old_code_hash", Trouble.OLD_CODE, 0),
        ({"old_code_hash": _DEAR}, "old_code_hash", Trouble.OLD_CODE_COST, 0),
        ({"card_kind": ""}, "card_kind", Trouble.MISSING, 0),
        ({"pan": ""}, "pan", Trouble.MISSING, 0),
        ({"pan": "4970-1012"}, "pan", Trouble.PAN, 16),
        ({"pan": "1234567"}, "pan", Trouble.PAN, 16),
        ({"pan": _PAN + "0"}, "pan", Trouble.PAN, 16),
        ({"pan": "٤٩٧٠١٠١٢٣٤"}, "pan", Trouble.PAN, 16),
        ({"pan": _PAN[:-1] + str(9 - int(_PAN[-1]))}, "pan", Trouble.LUHN, 0),
        ({"psn": "1"}, "psn", Trouble.PSN, 0),
        ({"psn": ""}, "psn", Trouble.MISSING, 0),
        ({"profile": "dpa-fr"}, "profile", Trouble.PROFILE, 0),
        ({"dki": "02"}, "dki", Trouble.DKI, 0),
        ({"dki": "1"}, "dki", Trouble.DKI, 0),
        ({"last_atc": "-1"}, "last_atc", Trouble.LAST_ATC, 0),
        ({"last_atc": "65535"}, "last_atc", Trouble.LAST_ATC, 0),
    ],
)
def test_one_thing_is_wrong(
    changes: dict[str, str], field: str, trouble: Trouble, number: int
) -> None:
    """It is named, with its field."""
    assert _row(changes) == [Problem(7, field, trouble, number)]


@pytest.mark.parametrize(
    "name",
    [
        "Élodie Lefèvre",
        "ÉLODIE LEFÈVRE",
        "ÇA À ÖZGÜR",
        "Le Clos de l’eau",
        "5 €",
        "Łukasz Żak",
        "Ștefan Țepeș",
        "Νίκος",
        "Мария",
    ],
)
def test_text_that_was_read_as_another_encoding(name: str) -> None:
    """UTF-8 read as Windows-1252 or Latin-1, capitals and quotation marks too; not the text."""
    windows = "".join(
        bytes([byte]).decode("cp1252") if byte not in _UNDEFINED else chr(byte)
        for byte in name.encode()
    )
    for spoilt in (windows, name.encode().decode("latin-1")):
        problems = _row({"name": spoilt})
        assert isinstance(problems, list)
        assert problems[0].trouble in {Trouble.GARBLED, Trouble.CHARACTER}, spoilt
    assert isinstance(_row({"name": name}), Row)


_UNDEFINED = b"\x81\x8d\x8f\x90\x9d"  # in Windows-1252


@pytest.mark.parametrize(
    ("name", "is_garbled"),
    [
        ("Ã‰LODIE LEFÃ\u02c6VRE", True),
        ("lâ€™eau", True),
        ("ZoÃ« Őry Ã‰", True),  # the Ő is of no Western encoding
        ("DONA MÃE DE JOÃO", False),
        ("CITÉ–JARDIN", False),
        ("CHÂTEAU D’EAU", False),
        ("Straße", False),
        ("Þór Ægisson", False),
    ],
)
def test_what_looks_like_it(name: str, *, is_garbled: bool) -> None:
    """Letters of other languages, a capital before a dash, a quotation mark that is right."""
    assert (_row({"name": name}) == [Problem(7, "name", Trouble.GARBLED)]) is is_garbled


@pytest.mark.parametrize("reference", ["R-7", "0042", "2026/11_b 3.A-", "./x"])
def test_a_plain_reference(reference: str) -> None:
    """Letters, digits, and what numbers of files have between them."""
    row = _row({"reference": reference})
    assert isinstance(row, Row)
    assert row.details.reference == reference


@pytest.mark.parametrize("field", ["name", "reference", "line_2", "city", "email"])
def test_a_card_number_in_a_wrong_column(field: str) -> None:
    """Is refused however it is written, for there it would stand in clear."""
    groups = [_PAN[place : place + 4] for place in range(0, len(_PAN), 4)]
    end = "@example.org" if field == "email" else ""
    for written in (
        _PAN,
        f"A{_PAN}B",
        *(between.join(groups) for between in "-._/\u2011"),
        *([" ".join(groups), f"12 {' - '.join(groups)} 75011"] if field != "email" else []),
        _PAN.translate({ord("0") + digit: chr(0x0660 + digit) for digit in range(10)}),
        "4000000000006",  # 13
        "4000000000000000006",  # 19
    ):
        assert _row({field: written + end}) == [Problem(7, field, Trouble.CARD_NUMBER)], written


def test_what_is_no_card_number() -> None:
    """Other long numbers: Luhn's check fails, or they are shorter or longer."""
    for text in (
        _PAN[:-1] + str(9 - int(_PAN[-1])),
        "400000000002",  # 12
        "40000000000000000002",  # 20
        "4000:0000:0000:6",
    ):
        row = _row({"line_2": text})
        assert isinstance(row, Row), text


def test_several_things_are_wrong() -> None:
    """All are told at once; a card beside a row that has none, field by field."""
    wrong = _row({"card_kind": "sesame", "postcode": "x", "email": "@"})
    assert isinstance(wrong, list)
    assert {(one.field, one.trouble) for one in wrong} == {
        ("postcode", Trouble.POSTCODE),
        ("email", Trouble.EMAIL),
        *((name, Trouble.NO_CARD) for name in ("pan", "psn", "dki", "last_atc")),
    }
    nothing = _row(_EMPTY | {"card_kind": "none", "old_code_hash": "none"})
    assert nothing == [Problem(7, "card_kind", Trouble.NO_WAY_IN)]
    kind = _row(_EMPTY | {"card_kind": "gold"})
    assert isinstance(kind, list)
    assert kind[0] == Problem(7, "card_kind", Trouble.CARD_KIND)


def test_stricter_rules() -> None:
    """User codes of ours only, and none to be generated."""
    wrong = Problem(7, "user_code", Trouble.CHECK_CHARACTER)
    to_come = _EMPTY | {"card_kind": "sesame"}
    assert _row(to_come, _STRICT) == [wrong]
    assert _row(to_come | {"user_code": "CAMRA252"}, _STRICT) == [wrong]
    assert isinstance(_row(to_come | {"user_code": "CAMAR252"}, _STRICT), Row)
    assert _row(to_come | {"user_code": ""}, _STRICT) == [
        Problem(7, "user_code", Trouble.NOT_GENERATED)
    ]


def test_every_country() -> None:
    """Those of ISO 3166-1, and Kosovo, which has a post."""
    assert len(countries()) == 249 + 1
    assert {"FR", "BE", "RE", "XK"} < countries()


def test_a_whole_row_of_a_bank_card() -> None:
    """Whose it is, by name as well; which card ends; and a log reads none of it."""
    row = _card_row({})
    assert isinstance(row, CardRow)
    assert (row.line, row.user_code, row.reference) == (7, "ZOE12345", None)
    assert (row.name, row.ends) == ("Zoé Petit", "0119")
    assert (row.card.record.pan.digits, row.card.record.psn) == (_PAN, "01")
    assert row.card.last_atc == 312
    assert repr(row) == "CardRow(7)"


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"user_code": ""}, {"user_code": Trouble.WHO}),
        ({"name": "", "ends": "119"}, {"name": Trouble.MISSING, "ends": Trouble.ENDS}),
        ({"dki": "02"}, {"dki": Trouble.DKI}),
        # A character that no letter shows, or a card's number beside its own field.
        ({"name": "Zoé\u200bPetit"}, {"name": Trouble.CHARACTER}),
        ({"ends": _PAN}, {"ends": Trouble.CARD_NUMBER}),
        ({"name": f"Zoé {_PAN}", "ends": "?"}, {"name": Trouble.CARD_NUMBER}),
    ],
)
def test_what_is_wrong_with_the_row_of_a_bank_card(
    changes: dict[str, str], wrong: dict[str, Trouble]
) -> None:
    """One problem a field; what a text holds that it must not is told before anything is read."""
    problems = _card_row(changes)
    assert isinstance(problems, list)
    assert {problem.field: problem.trouble for problem in problems} == wrong
    assert {problem.line for problem in problems} == {7}


@given(st.dictionaries(st.sampled_from(BANK_CARDS.fields), st.text(max_size=60)))
def test_any_text_of_a_bank_card(changes: dict[str, str]) -> None:
    """A card with an owner, or problems of its line; and nothing else."""
    row = _card_row(changes)
    if isinstance(row, CardRow):
        assert row.user_code or row.reference
        assert row.name
    else:
        assert row
        assert all(problem.line == 7 for problem in row)


@given(st.dictionaries(st.sampled_from(CUSTOMERS.fields), st.text(max_size=60)))
def test_any_text(changes: dict[str, str]) -> None:
    """A row that fits its columns, or problems of its line; and nothing else."""
    row = read_row(7, _ZOE | changes, _RULES)
    if isinstance(row, Row):
        assert 1 <= len(row.name) <= LENGTHS["name"]
        written = row.details.row()
        assert all(len(line) <= LENGTHS["line_2"] for line in written[:4])
        assert len(written.postcode) <= LENGTHS["postcode"]
        assert len(written.reference or "") <= LENGTHS["reference"]
    else:
        assert row
        assert all(problem.line == 7 for problem in row)
