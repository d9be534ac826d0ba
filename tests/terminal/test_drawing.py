"""The display in characters: whatever its size, what it shows is the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.catalogue import Language
from sesame.reader.machine import Screen, State
from sesame.terminal.drawing import draw
from tests.terminal.drawn import digits

_CODES = st.from_regex(r"[0-9]{4} [0-9]{4}", fullmatch=True)
_SIZES = ((34, 5), (34, 15), (20, 4), (9, 3), (9, 2), (9, 1), (80, 24))


def shown(code: str = "3465 6023", *, lasts: int | None = 35, large: bool = False) -> Screen:
    """The screen with a code."""
    return Screen(
        state=State.CODE_SHOWN,
        language=Language.FRENCH,
        code=code,
        large=large,
        lasts=lasts,
        ends_at=None if lasts is None else 1035.0,
    )


@given(code=_CODES, size=st.sampled_from(_SIZES), large=st.booleans())
def test_a_code_can_be_read_at_every_size(code: str, size: tuple[int, int], large: bool) -> None:  # noqa: FBT001 -- hypothesis names it
    """In drawn digits where there is room, else in plain ones; never cut."""
    rows = draw(shown(code, large=large), 20, *size)
    assert digits(rows) == code
    assert len(rows) <= size[1]
    assert all(len(row) <= size[0] for row in rows)


def test_as_a_person_sees_it() -> None:
    """Three rows of the display around the digits, in the width of 34."""
    assert draw(shown(), 22, 34, 5) == [
        "           CODE SÉSAME",
        "▀▀█ █ █ █▀▀ █▀▀   █▀▀ █▀█ ▀▀█ ▀▀█",
        "▀▀█ ▀▀█ █▀█ ▀▀█   █▀█ █ █ █▀▀ ▀▀█",
        "▀▀▀   ▀ ▀▀▀ ▀▀▀   ▀▀▀ ▀▀▀ ▀▀▀ ▀▀▀",
        "  ━━━━━━━━━━━━━━━╌╌╌╌╌╌╌╌╌  22\u00a0s",
    ]


def test_large_digits_stand_in_two_rows() -> None:
    """Four and four, where the customer has asked for them and there is room."""
    rows = draw(shown(large=True), 22, 34, 15)
    assert sum("██" in row for row in rows) == 10
    assert rows[1].split() == ["CODE", "SÉSAME"]
    assert "22\u00a0s" in rows[13]
    assert sum("██" in row for row in draw(shown(large=True), 22, 34, 5)) == 0


def test_a_code_that_stays_says_what_ends_it() -> None:
    """No seconds, no bar."""
    rows = draw(shown(lasts=None), None, 34, 5)
    assert rows[-1].strip() == "C POUR EFFACER"


@pytest.mark.parametrize(("left", "full"), [(35, 24), (18, 12), (1, 0)])
def test_the_bar_is_as_long_as_the_time(left: int, full: int) -> None:
    """Beside it the seconds."""
    bar = draw(shown(), left, 34, 5)[-1]
    assert bar.count("━") == full
    assert bar.count("╌") == 24 - full
    assert bar.endswith(f" {left}\u00a0s")


def test_the_last_seconds_before_the_reader_goes() -> None:
    """Below what it says, whatever that is: who hears nothing sees them."""
    rows = draw(Screen(state=State.MENU, language=Language.FRENCH), 4, 34, 5)
    assert "CHOISISSEZ" in rows[0] + rows[1]
    assert rows[-1].endswith(" 4\u00a0s")


def test_words_stand_in_the_middle() -> None:
    """Of a display that has room; from the top of one that has none."""
    menu = Screen(state=State.MENU, language=Language.ENGLISH, last4="4417")
    assert draw(menu, None, 20, 5) == [
        "",
        "       CHOOSE",
        "     A FUNCTION",
        "     CARD …4417",
    ]
    assert draw(menu, None, 20, 2) == ["       CHOOSE", "     A FUNCTION"]


def test_nothing_is_drawn_when_it_is_off() -> None:
    """Not a space."""
    assert not "".join(draw(Screen(state=State.OFF, language=Language.FRENCH), None, 34, 5))
