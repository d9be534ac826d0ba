"""The documentation draws the reader as it is."""

from pathlib import Path

import pytest

from sesame.reader.machine import Reader, State, Tick
from tools import draw_reader


@pytest.mark.parametrize("page", draw_reader.PAGES, ids=lambda page: page.name)
def test_pages_are_in_step(page: Path) -> None:
    """`tools/draw_reader.py update` has nothing to do."""
    assert draw_reader.drawn(page) == page.read_text(encoding="utf-8")
    assert "<!-- drawn: " in page.read_text(encoding="utf-8")


def test_every_state_is_drawn_and_can_be_left() -> None:
    """By name, and by an arrow of its own or of its group."""
    drawing = draw_reader.diagram()
    for state in State:
        assert f'state "{state.value}" as' in drawing
    assert "    on --> off: on/off (not in computing), time-out" in drawing
    assert "    card_removed --> awaiting_card: 3 s" in drawing
    assert "    powered --> card_removed: card out" in drawing
    assert "    card_blocked --> off: any key, card out" in drawing
    assert "    menu --> awaiting_pin: Code" in drawing


def test_every_arrow_of_the_table_is_drawn() -> None:
    """From the state, or from a group that it belongs to; loops are left out."""
    arrows = {line.split(":")[0].strip() for line in draw_reader.diagram().splitlines()}
    for (state, trigger), transition in Reader.TRANSITIONS.items():
        name = state.value.replace("-", "_")
        for target in transition.to:
            end = target.value.replace("-", "_")
            sources = {name, "on", "powered"} if trigger is not Tick else {name, "on"}
            assert end == name or arrows & {f"{source} --> {end}" for source in sources}


def test_a_page_out_of_step_is_named_and_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` fails until `update` has written it; what is by hand stays."""
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- drawn: screens -->\nold\n<!-- end -->\nAfter\n", encoding="utf-8")
    monkeypatch.setattr(draw_reader, "PAGES", [page])
    assert draw_reader.main("check") == 1
    assert capsys.readouterr().out.startswith("page.md: is out of step")
    assert draw_reader.main("update") == 0
    assert draw_reader.main("check") == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("Before\n<!-- drawn: screens -->\n| State | French | English |\n")
    assert text.endswith("\n<!-- end -->\nAfter\n")
    assert "| `card-removed` | CARTE RETIRÉE | CARD REMOVED |" in text
