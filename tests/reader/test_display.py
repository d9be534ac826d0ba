"""How long and how large a code is shown: row 9 of docs/reference/requirements.md, 4.2."""

import pytest

from sesame.reader.machine import (
    SHOWN,
    DisplayTime,
    Key,
    KeyPressed,
    Reader,
    Show,
    State,
    Tick,
)
from sesame.reader.screens import ending
from tests.reader.dialogue import CODE, PIN, Table

SHORT, LONG, UNTIL_KEY = DisplayTime
FUNCTIONS = {
    State.CODE_SHOWN: ["code"],
    State.RESPONSE_SHOWN: ["respond", "1234", "ok"],
    State.SIGNATURE_SHOWN: ["sign", "1250", "ok", "34567890", "ok", "sign"],
}


def table_for(time: DisplayTime, state: State = State.CODE_SHOWN) -> Table:
    """A code on a reader of this display time."""
    table = Table(Reader(display_time=time))
    table.insert()
    table.press(*FUNCTIONS[state], PIN, "ok")
    assert table.state() is state
    return table


def test_the_three_times() -> None:
    """By the names that settings have for them."""
    assert [time.value for time in DisplayTime] == ["35", "90", "until-key"]
    assert Reader().display_time is SHORT


@pytest.mark.parametrize("state", sorted(SHOWN))
@pytest.mark.parametrize(("time", "announced"), [(SHORT, [35, 10, 5]), (LONG, [90, 10, 5])])
def test_a_code_lasts_as_long_as_its_holder_chose(
    state: State, time: DisplayTime, announced: list[int]
) -> None:
    """Whatever it was made for; announced at the start, 10 and 5 seconds before it goes."""
    table = table_for(time, state)
    start, lasts = table.seconds, announced[0]
    assert table.reader.screen.lasts == lasts
    assert table.reader.screen.ends_at == start + lasts
    table.wait(lasts - 0.1)
    assert table.state() is state
    assert table.announced == announced
    table.wait(0.1)
    assert table.state() is State.OFF


@pytest.mark.parametrize("state", sorted(SHOWN))
@pytest.mark.parametrize("key", ["c", "on"])
def test_a_code_that_stays_until_a_key(state: State, key: str) -> None:
    """No time ends it, nothing is announced; C and on/off do."""
    table = table_for(UNTIL_KEY, state)
    screen = table.reader.screen
    assert (screen.lasts, screen.ends_at, table.reader.deadline) == (None, None, None)
    table.wait(100_000)
    table.happen(Tick())
    table.press("5", "code", ",", "ok", "ok")
    table.remove()
    assert table.state() is state
    assert table.announced == []
    table.press(key)
    assert table.state() is State.OFF
    assert table.reader.screen.code is None


@pytest.mark.parametrize("time", [SHORT, LONG, UNTIL_KEY])
def test_ok_is_a_slip(time: DisplayTime) -> None:
    """Who presses it once more than was asked loses nothing."""
    table = table_for(time)
    table.press("ok")
    assert table.reader.screen.code == CODE


@pytest.mark.parametrize(("time", "seconds"), [(SHORT, 35), (LONG, 90), (UNTIL_KEY, 350)])
def test_the_reader_waits_as_patiently_for_a_key(time: DisplayTime, seconds: int) -> None:
    """Who needs longer to read needs longer to type."""
    table = Table(Reader(display_time=time))
    table.insert()
    table.press("code")
    table.wait(seconds - 0.1)
    assert table.state() is State.AWAITING_PIN
    assert table.announced == [5]
    table.wait(0.1)
    assert table.state() is State.OFF


@pytest.mark.parametrize("time", list(DisplayTime))
def test_a_notice_stays_three_seconds(time: DisplayTime) -> None:
    """It asks nothing of anybody."""
    table = Table(Reader(display_time=time))
    table.insert()
    table.remove()
    table.wait(3)
    assert table.state() is State.AWAITING_CARD


def test_more_time_while_a_code_is_shown() -> None:
    """Counted from when it came, and announced anew."""
    table = table_for(SHORT)
    start = table.seconds
    table.wait(31)
    assert table.announced == [35, 10, 5]
    table.reader.display_time = LONG
    assert table.reader.screen.ends_at == start + 90
    assert table.reader.deadline == start + 80
    table.wait(58.9)
    assert table.reader.screen.code == CODE
    assert table.announced == [35, 10, 5, 10, 5]
    table.wait(0.1)
    assert table.state() is State.OFF


@pytest.mark.parametrize("time", [LONG, UNTIL_KEY])
def test_less_time_while_a_code_is_shown(time: DisplayTime) -> None:
    """If it has gone by already, the code goes with the next thing that happens."""
    table = table_for(time)
    table.wait(40)
    table.reader.display_time = SHORT
    due = table.reader.deadline
    assert due is not None
    assert due <= table.seconds
    table.happen(Tick())
    assert table.state() is State.OFF


def test_less_time_that_is_nearly_over() -> None:
    """Only what is still true is said."""
    table = table_for(LONG)
    table.seconds += 32
    table.reader.display_time = SHORT
    table.happen(Tick())
    assert table.announced == [90, 5]


@pytest.mark.parametrize("state", sorted(SHOWN))
def test_0_enlarges_the_code_and_has_it_said_again(state: State) -> None:
    """Each time: a face shows and says what it is told to show."""
    table = table_for(SHORT, state)
    assert not table.reader.screen.large
    for _ in range(3):
        effects = table.reader.handle(KeyPressed(Key.DIGIT_0), table.seconds)
        assert effects == [Show(table.reader.screen)]
        assert table.reader.screen.large
    table.wait(35)
    assert not table.reader.screen.large


def test_the_next_code_begins_small() -> None:
    """And the 0 of a PIN enlarges nothing."""
    table = table_for(SHORT)
    table.press("0", "c", "on", "code", "0")
    assert not table.reader.screen.large
    table.press("c", PIN, "ok")
    assert table.reader.screen.code == CODE
    assert not table.reader.screen.large


def test_0_does_not_make_the_code_stay() -> None:
    """Its time runs on."""
    table = table_for(SHORT)
    table.wait(34)
    table.press("0")
    table.wait(1)
    assert table.state() is State.OFF


def test_the_end_of_a_state_stands_on_the_display_once_it_is_announced() -> None:
    """Who hears nothing sees the seconds too, and a key takes them away again."""
    table = Table()
    table.insert()
    ends: list[float | None] = []
    for wait, keys in ((0, ["sign", "1250"]), (29, []), (1, []), (0, ["5"])):
        table.wait(wait)
        table.press(*keys)
        ends.append(table.reader.screen.ends_at)
    assert [end is not None for end in ends] == [False, False, True, False]
    assert table.announced == [5]


@pytest.mark.parametrize("state", sorted(SHOWN))
def test_what_ends_a_code_that_stays(state: State) -> None:
    """It stands below the code, and where time ends it there is a bar instead."""
    assert ending(table_for(UNTIL_KEY, state).reader.screen) == "C POUR EFFACER"
    assert ending(table_for(SHORT, state).reader.screen) == ""
    assert ending(Reader().screen) == ""
