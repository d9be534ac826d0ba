"""A slot with a card file in it: one user at a time, from power on to power off."""

from pathlib import Path

import pytest

from sesame.cap.terminal_data import DPA_AID
from sesame.card.card_file import open_card, read_summary
from sesame.card.errors import CardFileMissing, CardInUse
from sesame.emv.apdu import get_processing_options, select
from sesame.reader.errors import CardIsMute
from sesame.reader.virtual_slot import VirtualSlot
from tests.reader.cards import card_file


def test_the_chip_answers_as_long_as_it_has_power(tmp_path: Path) -> None:
    """Before and after, the slot is mute."""
    with VirtualSlot(card_file(tmp_path, "sesame")) as slot:
        with pytest.raises(CardIsMute):
            slot.transmit(select(DPA_AID))
        assert slot.power_on()[0] == 0x3B
        assert slot.transmit(select(DPA_AID)).ok
        slot.power_off()
        slot.power_off()
        with pytest.raises(CardIsMute):
            slot.transmit(select(DPA_AID))


def test_the_file_is_held_from_power_on_to_power_off(tmp_path: Path) -> None:
    """Not a moment longer: `sesame code` and a window of the simulator share it."""
    path = card_file(tmp_path, "sesame")
    with VirtualSlot(path) as slot, VirtualSlot(path) as other:
        slot.power_on()
        with pytest.raises(CardInUse):
            other.power_on()
        slot.power_off()
        other.power_on()
    with open_card(path):
        pass


def test_power_on_again_is_a_new_reset(tmp_path: Path) -> None:
    """The chip has forgotten what was selected; the ATC has not gone back."""
    path = card_file(tmp_path, "sesame")
    with VirtualSlot(path) as slot:
        slot.power_on()
        slot.transmit(select(DPA_AID))
        assert slot.transmit(get_processing_options()).ok
        slot.power_on()
        assert slot.transmit(get_processing_options()).sw == 0x6985
    assert read_summary(path).counters.atc == 1


def test_leaving_the_context_takes_the_power(tmp_path: Path) -> None:
    """Also when the program fails in it."""
    path = card_file(tmp_path, "sesame")

    def fail() -> None:
        with VirtualSlot(path) as slot:
            slot.power_on()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with open_card(path):
        pass


def test_a_card_upside_down_is_mute(tmp_path: Path) -> None:
    """Nothing touches its chip: nobody is kept from it, nothing is counted."""
    path = card_file(tmp_path, "sesame")
    with VirtualSlot(path, upside_down=True) as slot:
        with pytest.raises(CardIsMute):
            slot.power_on()
        with open_card(path):
            pass
    assert read_summary(path).counters.atc == 0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The card's own error comes through."""
    with pytest.raises(CardFileMissing):
        VirtualSlot(tmp_path / "none.card").power_on()
