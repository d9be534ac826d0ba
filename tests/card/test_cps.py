"""The data groupings of a Sésame card: what stands where, and that nothing else is taken."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sesame.card.cps import decode_groupings, encode_groupings
from sesame.card.errors import MalformedGroupings, PersonalisationError
from sesame.card.memory import CardImage, Counters, Record
from sesame.card.personalisation import sesame_card
from sesame.emv.atr import Protocol
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin
from tests import corpora
from tests.card.cards import DATA, NEW, bank_image, payment_image, sesame_image
from tests.card.groupings import CARD, cut, decode_or_refuse, joined, meet

_DAYS = st.dates(date(2000, 1, 1), date(2049, 12, 31))


def _changed(name: str, value: str) -> bytes:
    """The card with another value in one grouping."""
    return joined([(n, bytes.fromhex(value) if n == name else v) for n, v in cut(CARD)])


def test_what_a_bureau_reads() -> None:
    """The numbers of section 14.2, in their order; values that a hand can check."""
    found = dict(cut(CARD))
    assert list(found) == [
        *("0101", "8000", "9000", "8010", "9010", "9102", "9104", "9200", "0D01"),
    ]
    assert found["0101"] == sesame_image().applications[0].records[0].value
    assert found["8000"].hex().upper() == "0123456789ABCDEF1032547698BADCFE"
    assert found["9000"] == DesKey(found["8000"]).encrypt(bytes(8))[:3]
    assert found["8010"].hex().upper() == "241234FFFFFFFFFF"
    assert found["9010"] == b"\x03\x03"
    assert (
        found["9102"]
        == bytes.fromhex("A512 5006") + b"SESAME" + bytes.fromhex("870101 5F2D04") + b"fren"
    )
    assert found["9104"] == bytes.fromhex("8202 1000 9404 08010100")
    assert found["9200"] == bytes.fromhex("06 01 12 03 008000")
    assert found["0D01"].hex(" ").upper() == (
        "01 53 01 00 00 00 00 "
        "07 A0 00 00 00 03 80 02 "
        "0F 3B 6B 00 00 80 71 C6 57 53 45 53 41 4D 45 53 "
        "0D 4D 41 52 54 49 4E 2F 45 4C 4F 44 49 45"
    )


@st.composite
def _cards(draw: st.DrawFn) -> tuple[CardImage, Counters]:
    digits = draw(st.from_regex(r"\A[0-9]{7,18}\Z"))
    first, last = sorted([draw(_DAYS), draw(_DAYS)])
    languages = st.lists(st.from_regex(r"\A[a-z]{2}\Z"), min_size=1, max_size=4)
    data = replace(
        DATA,
        name=draw(st.from_regex(r"\A[ -~]{2,26}\Z")),
        pan=Pan(digits + luhn_digit(digits)),
        psn=draw(st.from_regex(r"\A[0-9]{2}\Z")),
        pin=Pin(draw(st.from_regex(r"\A[0-9]{4,12}\Z"))),
        languages=tuple(draw(languages)),
        effective=first,
        expiry=last,
    )
    key = DesKey(draw(st.binary(min_size=16, max_size=16)))
    protocol = draw(st.sampled_from(Protocol))
    image, _ = sesame_card(data, dki=draw(st.integers(0, 255)), dpa_key=key, protocol=protocol)
    image = replace(image, pin_try_limit=draw(st.integers(1, 15)))
    atcs = st.integers(0, 65535)
    return image, Counters(
        atc=draw(atcs), pin_tries_left=draw(st.integers(0, 15)), last_online_atc=draw(atcs)
    )


@given(card=_cards())
def test_a_card_comes_back_as_it_was(card: tuple[CardImage, Counters]) -> None:
    """Whatever it is called and numbered, wherever its counters stand."""
    assert decode_groupings(encode_groupings(*card)) == card


def test_a_long_record_and_a_pdol_come_back() -> None:
    """A value of 255 bytes has its length in two bytes behind FF; other files keep their place."""
    image = sesame_image()
    (application,) = image.applications
    long = Record(2, 7, bytes.fromhex("7081FC") + bytes.fromhex("9F0D81F8") + bytes(248))
    assert len(long.value) == 255
    application = replace(
        application, records=(*application.records, long), pdol=bytes.fromhex("9F3303")
    )
    image = replace(image, applications=(application,))
    data = encode_groupings(image, NEW)
    assert bytes.fromhex("0207 FF00FF 7081FC") in data
    assert decode_groupings(data) == (image, NEW)


@given(data=st.binary(max_size=400))
@example(data=b"")
@example(data=CARD)
@example(data=CARD + b"\x01")
@example(data=CARD + bytes.fromhex("0102 FF00"))
def test_any_bytes_are_a_card_or_refused(data: bytes) -> None:
    """And if they are one, they are its only spelling."""
    decode_or_refuse(data)


def test_one_byte_that_changes_is_seen_or_meant() -> None:
    """Each byte of a card, changed in three ways: refused, or another card altogether."""
    for at in range(len(CARD)):
        for other in (CARD[at] ^ 0x01, CARD[at] ^ 0x80, 0xFF):
            decode_or_refuse(CARD[:at] + bytes([other]) + CARD[at + 1 :])


def test_what_is_cut_is_refused() -> None:
    """At every byte."""
    for length in range(len(CARD)):
        with pytest.raises(MalformedGroupings):
            decode_groupings(CARD[:length])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (joined([g for g in cut(CARD) if g[0] != "8010"]), "8010 is missing"),
        (joined([g for g in cut(CARD) if g[0] != "0101"]), "the card: 5A is missing"),
        (joined([*cut(CARD), cut(CARD)[0]]), "0101 a second time"),
        (joined([*cut(CARD), ("8201", b"")]), "8201 is no grouping"),
        (joined([*cut(CARD), ("0B01", b"\x70\0")]), "0B01 is no grouping"),
        (joined([*cut(CARD), ("0100", b"\x70\0")]), "0100 is no grouping"),
        (joined(cut(CARD)[::-1]), "another order"),
        (CARD[:-1], "cut in the middle"),
        (_changed("8000", "00" * 15), "8000: a double-length DES key"),
        (_changed("9000", "000000"), "not that of the key"),
        (_changed("8010", "241234FFFFFFFFF0"), "8010: the PIN block"),
        (_changed("9010", "03"), "9010: a value"),
        (_changed("9010", "0310"), "the card: a PIN try limit"),
        (_changed("9010", "1003"), "the card: a PIN try counter"),
        (_changed("9102", "A506500141870101"), "9102: 5F2D is missing"),
        (_changed("9102", "A50F500141870101 5F2D04667265"), "9102: TLV"),
        (_changed("9104", "82021000"), "another order or spelling"),
        (_changed("9200", "0601120300800001"), "another order or spelling"),
        (_changed("0D01", "02530100000000"), "later version"),
        (_changed("0D01", "01420100000000"), "later version"),
        (_changed("0D01", "015301"), "the card: the name"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, why: str) -> None:
    """By the number of the grouping, and never by its value."""
    with pytest.raises(MalformedGroupings, match=why) as refused:
        decode_groupings(data)
    assert "1234" not in str(refused.value)
    assert DATA.pan.digits not in str(refused.value)


def test_a_date_that_is_none_is_not_repeated() -> None:
    """Python's own error would carry the value."""
    spoiled = CARD.replace(bytes.fromhex("5F2403291231"), bytes.fromhex("5F2403291331"))
    assert spoiled != CARD
    with pytest.raises(MalformedGroupings, match="the card: a value that no card has"):
        decode_groupings(spoiled)


def test_a_card_that_is_not_strict_comes_back_so() -> None:
    """One that makes codes without a right PIN, which no bank accepts: tests have such."""
    image = sesame_image()
    (application,) = image.applications
    image = replace(image, applications=(replace(application, strict=False),))
    assert decode_groupings(encode_groupings(image, NEW)) == (image, NEW)


def test_only_a_sesame_card_is_made_so() -> None:
    """A bank card is made by whoever makes its payments; two applications are no Sésame card."""
    image = sesame_image()
    twice = replace(image, applications=image.applications * 2)
    for image in (bank_image(), payment_image(), twice):
        with pytest.raises(PersonalisationError, match="only a Sésame card"):
            encode_groupings(image, NEW)


def test_a_card_that_would_not_come_back_is_not_made() -> None:
    """Its records carry one number, its data another; or it has a file that no terminal reads."""
    other = Pan("925000000000000" + luhn_digit("925000000000000"))
    with pytest.raises(PersonalisationError, match="what is printed on it differ") as refused:
        encode_groupings(replace(sesame_image(), data=replace(DATA, pan=other)), NEW)
    assert other.digits not in str(refused.value)
    image = sesame_image()
    (application,) = image.applications
    hidden = Record(11, 1, bytes.fromhex("7000"))
    application = replace(application, records=(*application.records, hidden))
    with pytest.raises(PersonalisationError, match="SFI 1 to 10"):
        encode_groupings(replace(image, applications=(application,)), NEW)


def test_every_input_of_the_corpus() -> None:
    """All of them, quickly: what one search found, no later change may break."""
    inputs = corpora.read_corpus(Path(__file__).parent / "groupings.txt")
    assert len(inputs) > 30
    for data in inputs:
        meet(data)


@given(data=st.binary(max_size=200))
def test_any_edits_make_a_card_or_are_refused(data: bytes) -> None:
    """Of a card, with the lengths right again: nothing but our own error."""
    meet(b"\x00" + data)


@pytest.mark.soak
@pytest.mark.timeout(corpora.SECONDS + 120)
@corpora.atheris_is_there
def test_a_coverage_guided_search_finds_nothing(tmp_path: Path) -> None:
    """For two minutes, from the corpus on; SESAME_FUZZ_SECONDS says how long otherwise."""
    corpora.search("groupings", tmp_path)
