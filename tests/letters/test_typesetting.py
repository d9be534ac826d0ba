"""The pages as others read them: their text, their structure, their fonts, their picture."""

import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from html import unescape
from math import dist
from shutil import which
from typing import Any

import msgspec
import pytest
import typst
from hypothesis import given, settings
from hypothesis import strategies as st
from pypdf.generic import IndirectObject

from sesame.catalogue import Language, translator
from sesame.letters import contents, typesetting
from sesame.letters.contents import contents_of
from sesame.letters.errors import AddressTooLong, LetterError, UnprintableText
from sesame.letters.letter import CardKind, Letter, PinLetter, Posted, Sheet, kind_of
from sesame.letters.scrambling import DIGITS, pattern_of
from sesame.letters.sheets import title_of
from sesame.postal import LetterFormat
from sesame.web.drawn_reader import FACES, draw
from sesame.web.institution import Institution
from tests.letters.mail import (
    ACTIVATION,
    ADDRESS,
    NAME,
    PATTERN,
    PIN,
    REFERENCE,
    TYPESETTER,
    USER_CODE,
    addressee,
    card_letter,
    everything,
    pdf,
    pin_letter,
    read,
    reader_letter,
    text_of,
    welcome_letter,
)

_ALL = [one for language in Language for size in LetterFormat for one in everything(language, size)]
_IDS = [f"{kind_of(one)}-{number}" for number, one in enumerate(_ALL)]
_LONG_PIN = "123456789012"
_SECRETS = {"pin": PIN, "welcome": USER_CODE, "reader": ACTIVATION}
_POINTS = 72 / 25.4  # in a millimetre

# Millimetres from the left and the top of a sheet, folded to 99 mm, in an envelope of 110 x 220
# with a window of 45 x 100, 20 from the right and 20 from below: letter.typ reckons them.
_SEEN_AT_TIMES = (90, 34, 200, 90)
_SEEN_ALWAYS = (100, 55, 190, 79)  # also with a window of 35 mm


def _language_of(posted: Posted) -> Language:
    return posted.language if isinstance(posted, Sheet) else posted.to.language


@pytest.mark.parametrize("posted", _ALL, ids=_IDS)
def test_a_screen_reader_can_read_it(posted: Posted) -> None:
    """PDF/UA-1: tagged, with a language, a title that is shown, and a word for each drawing."""
    document = read(posted)
    root: Any = document.trailer["/Root"]
    said = contents_of(posted, Institution())
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"].startswith(_language_of(posted).value)
    assert document.metadata is not None
    assert document.metadata.title == said.title
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert b"pdfuaid:part" in root["/Metadata"].get_data()
    tags = list(_tags(root["/StructTreeRoot"]))
    assert [tag for tag, _ in tags].count("/H1") == 1
    figures = [alt for tag, alt in tags if tag == "/Figure"]
    drawn = [part for part in said.parts if type(part).__name__ == "Pictures"]
    assert all(figures)
    if drawn:
        labels = [draw(face, _language_of(posted)).label for face in FACES.values()]
        assert sum(alt in labels for alt in figures) == 5


def _tags(node: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 -- a tree of PDF objects
    if isinstance(node, IndirectObject):
        node = node.get_object()
    if isinstance(node, list):
        for child in node:
            yield from _tags(child)
    elif isinstance(node, dict):
        if "/S" in node:
            yield str(node["/S"]), str(node.get("/Alt", ""))
        yield from _tags(node.get("/K", []))


@pytest.mark.parametrize("posted", _ALL, ids=_IDS)
def test_its_fonts_are_inside(posted: Posted) -> None:
    """Each of them, on each page; and it is A4."""
    for page in read(posted).pages:
        assert (round(page.mediabox.width / _POINTS), round(page.mediabox.height / _POINTS)) == (
            210,
            297,
        )
        for font in page["/Resources"]["/Font"].values():  # type: ignore[index] # a dictionary
            inside = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"]
            assert {"/FontFile2", "/FontFile3"} & inside.get_object().keys()


@pytest.mark.parametrize("posted", _ALL, ids=_IDS)
def test_each_secret_stands_in_its_own_letter_and_the_name_once(posted: Posted) -> None:
    """Looked for in the words, and in every stream and string of the file."""
    text, everywhere = text_of(posted), _bytes_of(posted)
    for kind, secret in _SECRETS.items():
        expected = kind == kind_of(posted) and getattr(posted, "pin", "") != _LONG_PIN
        # The digits of a PIN stand apart, and are read one by one.
        assert (secret in text.replace(" ", "")) == expected
        if not expected:
            assert secret.encode() not in everywhere
            assert secret.encode("utf-16-be") not in everywhere
    if isinstance(posted, Letter):
        assert text.count(NAME) == 1
        assert text.count("Lefèvre") == 1
        pages = [page.extract_text() for page in read(posted).pages]
        assert all(REFERENCE in page for page in pages)
        assert text.count(REFERENCE) == (1 if len(pages) == 1 else len(pages) + 1)
    assert NAME.encode("utf-16-be") not in everywhere
    assert NAME.encode() not in everywhere
    assert not re.search(
        r"(?:\d[ -]?){13,}", text.replace("01 99 00 26 4", "…")
    )  # no number as long as that of a card


@pytest.mark.parametrize("posted", _ALL, ids=_IDS)
def test_nothing_hides_in_it(posted: Posted) -> None:
    """No attachment, script, form or comment, and no name of this machine."""
    document = read(posted)
    root: Any = document.trailer["/Root"]
    assert not document.attachments
    assert not {"/AcroForm", "/OpenAction", "/AA", "/AF"} & root.keys()
    assert not {"/JavaScript", "/EmbeddedFiles"} & root.get("/Names", {}).keys()
    assert not any("/Annots" in page for page in document.pages)
    assert set(document.metadata or {}) <= {
        "/Title",
        "/Author",
        "/Creator",
        "/CreationDate",
        "/ModDate",
    }


def _bytes_of(posted: Posted) -> bytes:
    """The file, with every stream of it unpacked."""
    document = read(posted)
    streams = []
    size: Any = document.trailer["/Size"]
    for number in range(1, size):
        found: Any = document.get_object(IndirectObject(number, 0, document))
        if hasattr(found, "get_data"):
            streams.append(found.get_data())
    return b"\n".join([pdf(posted), *streams])


def test_the_same_letter_is_the_same_file() -> None:
    """And another pattern another one: its SHA-256 tells nothing of the PIN."""
    assert TYPESETTER.pdf(pin_letter()) == pdf(pin_letter())


@pytest.mark.parametrize("language", Language)
def test_what_each_letter_gives(language: Language) -> None:
    """The datum that it is there for, under its name."""
    say, to = translator(language), addressee(language)
    reader, welcome = text_of(reader_letter(to)), text_of(welcome_letter(to))
    assert f"{say('Code utilisateur')} {USER_CODE}" in welcome
    assert f"{say('Numéro d’activation')} {ACTIVATION}" in reader
    assert ("31 mars 2026" if language is Language.FRENCH else "31 March 2026") in reader
    assert ("1er mars 2026" if language is Language.FRENCH else "1 March 2026") in reader


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("card", CardKind)
def test_both_formats_say_the_same(language: Language, card: CardKind) -> None:
    """Large print leaves nothing out."""
    normal, large = (
        contents_of(Sheet(card=card, language=language, format=size), Institution())
        for size in LetterFormat
    )
    assert normal.parts == large.parts
    assert normal.title == title_of(Sheet(card=card, language=language))


_SIGNS = st.characters(min_codepoint=0x20, max_codepoint=0x17E, exclude_categories=["Cc", "Cf"])
_HAS = set("ĈĉĔĕĜĝĤĥĨĩĬĭİĲĳĴĵĸĹĺĿŀŉŊŋŌōŎŏŖŗŜŝŦŧŨũŬŭŴŵŶŷ")  # not in the font, set in the other


@settings(max_examples=40, deadline=None)
@given(
    line=st.text(_SIGNS.filter(lambda sign: sign not in _HAS), min_size=1, max_size=24).filter(
        lambda line: bool(line.strip())
    )
)
def test_an_address_prints_as_it_was_typed(line: str) -> None:
    """Whatever it would mean as markup."""
    _prints(line)


@pytest.mark.parametrize(
    "line",
    [
        "#panic() $x^2$ *gras* _it_",
        r"\ \u{41} \n @ref <label>",
        "= Titre",
        "- liste",
        "+ liste",
        "1. liste",
        "/ terme: mot",
        "// commentaire",
        "/* commentaire */",
        "`code` ```code```",
        "https://example.org",
        "-- --- ... ~ ' \"",
        '"}, "pin": "0000',
        "#(sys.inputs)",
    ],
)
def test_markup_prints_as_it_was_typed(line: str) -> None:
    """Typst's own signs, one by one."""
    _prints(line)


def _prints(line: str) -> None:
    text = text_of(card_letter(addressee(address=(line, "69002 LYON"))))
    assert "".join(line.split()) in "".join(text.split())


def test_letters_that_the_font_lacks_come_from_the_other() -> None:
    """Turkish, Welsh, Greek, Cyrillic."""
    text = text_of(card_letter(addressee(name="Ŵ. İpek Ŋ", address=("Ελλάδα", "Київ"))))
    for word in ("İpek", "Ελλάδα", "Київ"):
        assert word in text


def test_letters_that_no_font_has_are_refused() -> None:
    """Rather than printed as boxes; the message does not repeat the name."""
    with pytest.raises(UnprintableText) as caught:
        TYPESETTER.pdf(card_letter(addressee(name="山田")))
    assert REFERENCE in str(caught.value)
    assert "山田" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "address",
    [
        ("W" * 60,),
        ("Résidence Les Tilleuls de la République Bâtiment B Escalier 3 Porte 12 Étage 4",) * 5,
    ],
)
def test_an_address_that_no_window_holds_is_refused(address: tuple[str, ...]) -> None:
    """One word that is too wide, or too many lines."""
    with pytest.raises(AddressTooLong) as caught:
        TYPESETTER.pdf(card_letter(addressee(address=address)))
    assert "Tilleuls" not in str(caught.value)


def test_any_other_refusal_is_told_without_the_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typst's words may repeat what stands in it."""

    class Refusing:
        def compile(self, **_: object) -> bytes:
            raise typst.TypstError(f"the digits {PIN}", "")

    typesetter = typesetting.Typesetter(Institution())
    monkeypatch.setattr(typesetter, "_compiler", Refusing())
    with pytest.raises(LetterError) as caught:
        typesetter.pdf(pin_letter())
    assert str(caught.value).startswith(f"pin {REFERENCE}: ")
    assert PIN not in str(caught.value)
    assert caught.value.__context__ is None


# ── As poppler sees them ─────────────────────────────────────────────────────────────────────────

_LONG = (
    "Mme Marie-Antoinette DE LA ROCHEFOUCAULD",
    *("APPARTEMENT 12 ESCALIER B RÉSIDENCE ÉTÉ",) * 5,
)
_HUGE = "Établissement d’hébergement pour personnes âgées dépendantes Les Jardins de la République"


def _tool(name: str) -> str:
    found = which(name)
    assert found
    return found


def _words(posted: Posted) -> list[tuple[int, str, tuple[float, ...]]]:
    """Page, word, and where it stands: left, top, right, bottom in millimetres."""
    found = subprocess.run(
        [_tool("pdftotext"), "-bbox", "-", "-"], input=pdf(posted), capture_output=True, check=True
    ).stdout.decode()
    words = []
    for number, page in enumerate(found.split("<page ")[1:], start=1):
        for *box, word in re.findall(
            r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">(.*?)</word>',
            page,
        ):
            words.append((number, unescape(word), tuple(float(edge) / _POINTS for edge in box)))
    return words


@pytest.mark.needs("poppler-utils")
@pytest.mark.parametrize("size", LetterFormat)
@pytest.mark.parametrize(
    ("name", "address"),
    [(NAME, ADDRESS), (_LONG[0], _LONG[1:]), (NAME, (_HUGE, "69002 LYON"))],
)
def test_the_window_shows_name_and_address_and_nothing_else(
    size: LetterFormat, name: str, address: tuple[str, ...]
) -> None:
    """However the sheet lies in the envelope, and however long the lines are."""
    to = addressee(Language.FRENCH, size, name, address)
    for posted in (pin_letter(to), card_letter(to), reader_letter(to), welcome_letter(to)):
        words = _words(posted)
        inside = [word for page, word, box in words if page == 1 and _touches(box, _SEEN_AT_TIMES)]
        assert inside == " ".join([name, *address]).split()
        for page, word, box in words:
            if page == 1 and _touches(box, _SEEN_AT_TIMES):
                # A box has room for the tallest letter of the font; the words have 1 mm less.
                left, top, right, bottom = box
                assert left >= _SEEN_ALWAYS[0], word
                assert right <= _SEEN_ALWAYS[2], word
                assert top >= _SEEN_ALWAYS[1] - 1, word
                assert bottom <= _SEEN_ALWAYS[3] + 1, word


def _touches(box: tuple[float, ...], area: tuple[int, ...]) -> bool:
    return box[0] < area[2] and box[2] > area[0] and box[1] < area[3] and box[3] > area[1]


@pytest.mark.needs("poppler-utils")
@pytest.mark.parametrize("size", LetterFormat)
@pytest.mark.parametrize("language", Language)
def test_the_pin_is_folded_inside(language: Language, size: LetterFormat) -> None:
    """On the first page, between the two folds: paper covers it on both sides."""
    page, _, top, _, bottom = _place_of_pin(pin_letter(addressee(language, size)))
    assert page == 1
    assert 99 < top < bottom < 198


def _place_of_pin(posted: PinLetter) -> tuple[int, float, float, float, float]:
    """The page, and where its digits stand: one word or several."""
    words = _words(posted)
    ends = range(1, len(posted.pin) + 1)
    digits = next(
        words[at : at + end]
        for at in range(len(words))
        for end in ends
        if "".join(word for _, word, _ in words[at : at + end]) == posted.pin
    )
    lefts, tops, rights, bottoms = zip(*(box for _, _, box in digits), strict=True)
    return digits[0][0], min(lefts), min(tops), max(rights), max(bottoms)


_Pixels = list[tuple[int, int, int]]


@pytest.mark.needs("poppler-utils")
@pytest.mark.parametrize(
    ("size", "seed", "dpi"),
    [
        (LetterFormat.NORMAL, 0, 75),
        (LetterFormat.NORMAL, 1, 130),
        (LetterFormat.LARGE_PRINT, 0, 75),
        (LetterFormat.LARGE_PRINT, 1, 130),
    ],
)
def test_the_pin_does_not_stand_out_without_the_filter(
    size: LetterFormat, seed: int, dpi: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it in green and blue; else less than what goes on from stroke to stroke."""
    posted = replace(pin_letter(addressee(size=size)), pin="4827", pattern=bytes([seed] * 16))
    with_digits, digits = _area_of_pin(posted, dpi, monkeypatch), _digits(posted, dpi, monkeypatch)
    without = _area_of_pin(posted, dpi, monkeypatch, digits="#ffffff")
    for one, other in zip(with_digits, without, strict=True):
        assert abs(one[1] - other[1]) <= 2
        assert abs(one[2] - other[2]) <= 2
    # A digit's stroke is about as wide as this.
    step = round((1.5 if size is LetterFormat.NORMAL else 2.4) * dpi / 25.4)
    for measure, part in ((_in_colour, 1), (_in_grey, 0.7)):
        made = _mean(measure(with_digits[at], without[at]) for at in digits)
        pattern = _mean(
            measure(one, other) for one, other in zip(without, without[step:], strict=False)
        )
        assert made < part * pattern


@pytest.mark.needs("poppler-utils")
@pytest.mark.parametrize(
    ("size", "seed"), [(LetterFormat.NORMAL, 0), (LetterFormat.LARGE_PRINT, 1)]
)
def test_the_pin_is_read_through_the_filter(
    size: LetterFormat, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In red, all of each digit is darker than all else: an 8 that reads as a 6 blocks a card."""
    posted = replace(pin_letter(addressee(size=size)), pin="8888", pattern=bytes([seed] * 16))
    area, digits = _area_of_pin(posted, 130, monkeypatch), _digits(posted, 130, monkeypatch)
    without = _area_of_pin(posted, 130, monkeypatch, digits="#ffffff")
    assert len(digits) > len(area) / 10
    assert max(area[at][0] for at in digits) < min(red for red, _, _ in without)
    for at in digits:
        assert area[at][0] < 0.85 * without[at][0]


def _digits(posted: PinLetter, dpi: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which pixels of the area are wholly of digits."""
    bare = _area_of_pin(posted, dpi, monkeypatch, over="<svg xmlns='http://www.w3.org/2000/svg'/>")
    ink = tuple(bytes.fromhex(DIGITS[1:]))
    return [at for at, pixel in enumerate(bare) if pixel == ink]


def _area_of_pin(
    posted: PinLetter, dpi: int, monkeypatch: pytest.MonkeyPatch, **changes: str
) -> _Pixels:
    """The pixels where its digits stand, with another ink for them or another pattern."""
    with monkeypatch.context() as patched:
        changed = msgspec.structs.replace(pattern_of(posted.pattern), **changes)
        patched.setattr(contents, "pattern_of", lambda _: changed)
        made = TYPESETTER.pdf(posted)
    _, *box = _place_of_pin(posted)
    left, top, right, bottom = (round(edge * dpi / 25.4) for edge in box)
    where = {"-x": left, "-y": top, "-W": right - left, "-H": bottom - top, "-r": dpi, "-l": 1}
    found = subprocess.run(
        [_tool("pdftoppm"), *(str(word) for option in where.items() for word in option), "-"],
        input=made,
        capture_output=True,
        check=True,
    ).stdout
    _, _, _, data = found.split(b"\n", 3)  # P6, width and height, 255, RGB
    return [(r, g, b) for r, g, b in zip(*[iter(data)] * 3, strict=True)]


def _in_grey(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """As a photocopy tells them apart."""
    weights = (0.299, 0.587, 0.114)
    return abs(sum(w * (a - b) for w, a, b in zip(weights, one, other, strict=True)))


def _in_colour(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """As far as eyes tell them apart: ΔE of 1976."""
    return dist(_lab(one), _lab(other))


@cache
def _lab(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    """CIE 1976 L*a*b* of sRGB, by the white of D65."""
    r, g, b = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (value / 255 for value in rgb)
    )
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089
    x, y, z = (
        part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in (x, y, z)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _mean(values: Iterable[float]) -> float:
    numbers = list(values)
    return sum(numbers) / len(numbers)


def test_the_pattern_of_the_tests_is_fixed() -> None:
    """So that the same pixels are looked at each time."""
    assert pin_letter().pattern == PATTERN
