"""A reader with its card: in and out, and nothing left when it is put away."""

from pathlib import Path

import pytest

from sesame.card.card_file import open_card
from sesame.card.errors import CardFileMissing, CardInUse
from sesame.catalogue import Language
from sesame.reader.machine import Reader, State
from sesame.reader.virtual_slot import VirtualSlot
from sesame.terminal.device import Device
from tests.terminal.table import RIGHT, Table, verifies


def test_a_code(tmp_path: Path) -> None:
    """The bank accepts it, and the card is free again while it is shown."""
    table = Table(tmp_path)
    table.press("code", RIGHT, "ok")
    screen = table.device.screen
    assert screen.code is not None
    assert verifies(screen.code, atc=1)
    with open_card(table.card):
        pass


def test_when_something_is_due(tmp_path: Path) -> None:
    """The next announcement first, the end of the code last; never in the past."""
    table = Table(tmp_path)
    table.press("code", RIGHT, "ok")
    assert table.device.due_in == 25
    assert table.device.seconds_left(table.device.screen) == 35
    table.seconds += 40
    assert table.device.due_in == 0
    assert table.device.seconds_left(table.device.screen) == 0


def test_nothing_is_due_when_it_is_off(tmp_path: Path) -> None:
    """Neither a tick nor the end of a code."""
    table = Table(tmp_path)
    table.press("on")
    assert table.device.due_in is None
    assert table.device.seconds_left(table.device.screen) is None


def test_the_card_goes_out_and_in(tmp_path: Path) -> None:
    """Out twice is out."""
    table = Table(tmp_path)
    assert table.seen() == (State.MENU, True)
    assert table.device.remove()
    assert table.seen() == (State.CARD_REMOVED, False)
    assert not table.device.remove()
    table.device.insert()
    assert table.seen() == (State.MENU, True)


def test_a_card_in_use_does_not_stay_in(tmp_path: Path) -> None:
    """Whoever has it keeps it; it can be put in later."""
    table = Table(tmp_path)
    table.device.remove()
    with open_card(table.card), pytest.raises(CardInUse):
        table.device.insert()
    assert table.seen() == (State.AWAITING_CARD, False)
    table.device.insert()
    assert table.seen() == (State.MENU, True)


def test_a_card_that_is_not_there(tmp_path: Path) -> None:
    """Its own error comes through, and the reader has nothing to show for it."""
    device = Device(Reader(language=Language.ENGLISH), VirtualSlot(tmp_path / "none.card"))
    with pytest.raises(CardFileMissing):
        device.insert()
    assert not device.card_in


@pytest.mark.parametrize("keys", [[], ["code", "73"], ["code", RIGHT, "ok"], ["on"]])
def test_put_away(tmp_path: Path, keys: list[str]) -> None:
    """Switched off, without card, whatever it was doing."""
    table = Table(tmp_path)
    table.press(*keys)
    table.device.put_away()
    assert table.device.screen.state is State.OFF
    assert table.device.screen.code is None
    assert not table.device.card_in
    with open_card(table.card):
        pass
