"""The driver's frames, and what a plugged card makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.card.chip import Chip
from sesame.card.vpcd import Frames, Happening, PluggedCard, Turn, Word, frame
from sesame.emv.apdu import get_data, read_record, select
from sesame.emv.tags import Tag
from tests.card.cards import DPA, GPO, NEW, PAN, RIGHT, WRONG, sesame_image
from tests.card.driver import ATR, OFF, ON, RESET

SELECT = select(DPA).encode()
THE_ATR = sesame_image().atr
LATER = bytes.fromhex("6985")


def card(*, tpdu: bool = False) -> PluggedCard:
    """A Sésame card in the slot."""
    return PluggedCard(Chip(sesame_image(), NEW, lambda _: None), THE_ATR, tpdu=tpdu)


def powered(*, tpdu: bool = False) -> PluggedCard:
    """The same, under power."""
    plugged = card(tpdu=tpdu)
    plugged.handle(ON)
    return plugged


@given(st.lists(st.binary(max_size=300)), st.data())
def test_frames_are_cut_wherever_the_stream_was(bodies: list[bytes], data: st.DataObject) -> None:
    """The length and the rest come in two segments, or in twenty."""
    stream = b"".join(frame(body) for body in bodies)
    frames, read = Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        read += frames.feed(stream[:size])
        stream = stream[size:]
    assert read == bodies


def test_the_longest_frame_is_one() -> None:
    """65535 bytes."""
    assert Frames().feed(frame(bytes(0xFFFF)) + b"\x00") == [bytes(0xFFFF)]


def test_power_is_never_answered() -> None:
    """An answer there would shift every later one by one."""
    plugged = card()
    turns = [plugged.handle(body) for body in (OFF, ON, RESET, OFF, OFF)]
    assert [turn.answer for turn in turns] == [None] * 5
    assert [turn.happening and turn.happening.word for turn in turns] == [
        None,  # it had no power
        Word.POWER_ON,
        Word.RESET,
        Word.POWER_OFF,
        None,
    ]


def test_the_atr_is_given_in_any_state_and_is_not_worth_a_line() -> None:
    """It is the driver's way to ask, for ever, whether the card is there."""
    plugged = card()
    for before in (OFF, ON, SELECT, RESET, OFF):
        plugged.handle(before)
        assert plugged.handle(ATR) == Turn(answer=THE_ATR)


@pytest.mark.parametrize("ways", [[ON], [RESET], [OFF, ON]])
def test_power_begins_anew(ways: list[bytes]) -> None:
    """Nothing is selected any more."""
    plugged = powered()
    assert plugged.handle(SELECT).answer != LATER
    for body in ways:
        plugged.handle(body)
    assert plugged.handle(read_record(1, 1).encode()).answer == LATER


def test_a_card_without_power_answers_that_this_is_not_the_time() -> None:
    """A mute one would hang the reader."""
    plugged = card()
    assert plugged.handle(SELECT).answer == LATER
    plugged.handle(RESET)
    assert plugged.handle(SELECT).answer != LATER
    plugged.power_off()
    assert plugged.handle(SELECT).answer == LATER


@pytest.mark.parametrize("raw", ["", "03", "FF", "0000", "00A4", "00A404", "0104"])
def test_a_command_too_short_to_be_one(raw: str) -> None:
    """6700, and one byte that is no control is a command too."""
    turn = powered().handle(bytes.fromhex(raw))
    assert turn == Turn(bytes.fromhex("6700"), Happening(Word.COMMAND, "?", 0x6700))


def test_a_command_too_long_to_be_one() -> None:
    """6700, as long as a frame can be."""
    for raw in (SELECT + bytes(3), SELECT[:4] + bytes(0xFFFF - 4), bytes(0xFFFF)):
        assert powered().handle(raw).answer == bytes.fromhex("6700")


def test_answers_are_whole_or_as_t0_has_them() -> None:
    """The latter wait for GET RESPONSE, until the power goes."""
    assert powered().handle(SELECT).answer[-2:] == bytes.fromhex("9000")  # type: ignore[index]
    plugged = powered(tpdu=True)
    assert plugged.handle(SELECT).answer == bytes.fromhex("611F")
    plugged.handle(RESET)
    assert plugged.handle(bytes.fromhex("00C000001F")).answer == LATER


def test_a_line_of_log_names_the_command_and_its_answer() -> None:
    """By name where it has one."""
    plugged = powered()
    said = [SELECT, GPO.encode(), WRONG.encode(), bytes.fromhex("00880000081122334455667788")]
    turns = [plugged.handle(raw) for raw in said]
    assert [str(turn.happening) for turn in turns] == [
        'command name="SELECT" sw=9000',
        'command name="GET PROCESSING OPTIONS" sw=9000',
        'command name="VERIFY" sw=63C2',
        'command name="INS 88" sw=6D00',
    ]
    assert str(plugged.power_off().happening) == "power-off"


def test_no_line_of_log_holds_data() -> None:
    """Neither the PIN nor the card number: an instruction's name and a status word are all."""
    plugged = powered()
    lines = ""
    for command in (select(DPA), GPO, RIGHT, WRONG, read_record(1, 1), get_data(Tag.ATC)):
        lines += str(plugged.handle(command.encode()).happening)
    for secret in ("1234", "4321", RIGHT.data.hex(), PAN.digits, DPA.hex()):
        assert secret not in lines.lower()


@given(st.lists(st.sampled_from([OFF, ON, RESET, ATR, SELECT]) | st.binary(max_size=300)))
def test_any_frames_leave_the_card_whole(bodies: list[bytes]) -> None:
    """Never an empty answer; none to power; the ATR whenever it is asked; else a status word."""
    for tpdu in (False, True):
        plugged = card(tpdu=tpdu)
        for body in bodies:
            answer = plugged.handle(body).answer
            if body in (OFF, ON, RESET):
                assert answer is None
            elif body == ATR:
                assert answer == THE_ATR
            else:
                assert answer is not None
                assert 2 <= len(answer) <= 258
