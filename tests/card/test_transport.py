"""What T=0 makes of a card's answers, and that a terminal which follows loses nothing by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.card.chip import Chip
from sesame.card.transport import T0
from sesame.emv.apdu import Response, get_data, read_record, select
from sesame.emv.tags import Tag
from tests.card.cards import CDOL1_DATA, DPA, GPO, NEW, RIGHT, WRONG, sesame_image
from tests.card.terminal import terminal

FCI = bytes.fromhex("6F1D8407A0000000038002A5125006534553414D458701015F2D046672656E")
SELECT = select(DPA).encode()


def card() -> T0:
    """A Sésame card behind T=0, reset."""
    chip = Chip(sesame_image(), NEW, lambda _: None)
    chip.reset()
    return T0(chip.respond)


def answering(answer: str) -> T0:
    """A card that gives this one answer."""
    return T0(lambda _: bytes.fromhex(answer))


@pytest.mark.parametrize("le", ["", "00", "1F", "05"])
def test_an_answer_to_data_waits(le: str) -> None:
    """SELECT with an Le or without: 611F, and GET RESPONSE has the rest, once."""
    reader = card()
    assert reader.respond(SELECT + bytes.fromhex(le)).hex() == "611f"
    assert reader.respond(bytes.fromhex("00C000001F")) == FCI + b"\x90\x00"
    assert reader.respond(bytes.fromhex("00C000001F")).hex() == "6985"


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("80CA9F1700", "6c04"),
        ("80CA9F17", "6c04"),  # four bytes get P3 = 00
        ("80CA9F1703", "6c04"),
        ("80CA9F1705", "6c04"),
        ("80CA9F1704", "9f1701039000"),
        ("80CA9F7F00", "6a88"),
        ("00B2020C00", "6a83"),
        ("00B2020C", "6a83"),
        ("00", "6700"),
        ("00B2", "6700"),
        ("", "6700"),
    ],
)
def test_another_length_than_was_asked_for_is_told(raw: str, answer: str) -> None:
    """6C04: ask again with Le = 04. A status word alone is never a matter of length."""
    reader = card()
    reader.respond(SELECT)
    assert reader.respond(bytes.fromhex(raw)).hex() == answer


def test_a_command_without_an_answer_is_done_at_once() -> None:
    """VERIFY, also with the Le that some programs put behind it."""
    reader = terminal(card().respond)
    for command in (select(DPA), GPO):
        assert reader(command.encode())[-2:] == b"\x90\x00"
    assert reader(RIGHT.encode()) == b"\x90\x00"
    assert reader(WRONG.encode() + b"\x00") == b"\x63\xc2"


def test_an_answer_that_waits_is_gone_with_the_next_command() -> None:
    """And with the power."""
    reader = card()
    reader.respond(SELECT)
    reader.respond(bytes.fromhex("80CA9F1704"))
    assert reader.respond(bytes.fromhex("00C000001F")).hex() == "6985"
    reader.respond(SELECT)
    reader.reset()
    assert reader.respond(bytes.fromhex("00C000001F")).hex() == "6985"


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        ("00C0000000", "6c04"),
        ("00C00000", "6c04"),
        ("00C0000005", "6c04"),
        ("00C0010004", "6a86"),
        ("00C0000104", "6a86"),
        ("00C00000010000", "6700"),
        ("00C0", "6700"),
    ],
)
def test_a_get_response_that_is_refused_leaves_the_answer(raw: str, answer: str) -> None:
    """It goes on waiting."""
    reader = answering("01020304 9000")
    assert reader.respond(SELECT).hex() == "6104"
    assert reader.respond(bytes.fromhex(raw)).hex() == answer
    assert reader.respond(bytes.fromhex("00C0000004")).hex() == "010203049000"


def test_an_answer_can_be_fetched_in_parts() -> None:
    """In the class of the command too, as some programs do."""
    reader = answering("01020304 9000")
    reader.respond(SELECT)
    assert reader.respond(bytes.fromhex("80C0000003")).hex() == "0102036101"
    assert reader.respond(bytes.fromhex("00C0000001")).hex() == "049000"


def test_a_get_response_of_another_class_is_the_cards_to_refuse() -> None:
    """Nothing waits after it."""
    reader = card()
    reader.respond(SELECT)
    assert reader.respond(bytes.fromhex("FFC000001F")).hex() == "6e00"
    assert reader.respond(bytes.fromhex("00C000001F")).hex() == "6985"


def test_the_longest_answer_is_written_as_00() -> None:
    """256 bytes."""
    reader = answering("00" * 256 + "9000")
    assert reader.respond(SELECT).hex() == "6100"
    assert reader.respond(bytes.fromhex("00C0000000")).hex() == "00" * 256 + "9000"
    assert reader.respond(bytes.fromhex("80CA9F1700")).hex() == "00" * 256 + "9000"


@given(
    st.lists(
        st.sampled_from(
            [
                SELECT,
                GPO.encode(),
                RIGHT.encode(),
                WRONG.encode(),
                read_record(1, 1).encode(),
                get_data(Tag.ATC).encode(),
                bytes.fromhex("80AE80001D") + CDOL1_DATA,
            ]
        )
        | st.binary(max_size=20).filter(lambda raw: raw[1:2] != b"\xc0"),
        max_size=20,
    )
)
def test_a_terminal_that_follows_hears_what_the_card_said(commands: list[bytes]) -> None:
    """Whatever is sent, it comes to the same as without T=0."""
    plain = Chip(sesame_image(), NEW, lambda _: None)
    through = terminal(card().respond)
    for raw in commands:
        assert Response.decode(through(raw)).encode() == plain.respond(raw)
