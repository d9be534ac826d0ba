"""The documentation draws the reader as it is."""

import re
from pathlib import Path

import pytest

from sesame.reader.machine import Reader, State, Tick
from tools import draw_reader


@pytest.mark.parametrize("page", draw_reader.PAGES, ids=lambda page: page.name)
def test_pages_are_in_step(page: Path) -> None:
    """`tools/draw_reader.py update` has nothing to do."""
    assert draw_reader.drawn(page) == page.read_text(encoding="utf-8")
    assert "<!-- drawn: " in page.read_text(encoding="utf-8")


DRAWINGS = {"way": draw_reader.way(), "cards": draw_reader.cards(), "power": draw_reader.power()}
ARROW = re.compile(r"    (\w+) --> (\w+): (.+)")

Row = tuple[str, str, str]  # state, what happens there, the next state


def rows_of_the_table() -> set[Row]:
    """Without those that lead back to the same state."""
    rows = set()
    for (state, trigger), transition in Reader.TRANSITIONS.items():
        for target in set(transition.to) - {state}:
            words = draw_reader.WORDS.get(trigger, "")
            if trigger is Tick:
                words = "time-out" if target is State.OFF else "3 s"
            rows.add((state.value, words, target.value))
    return rows


def rows_of(drawing: str) -> list[Row]:
    """Each group as its states, but for the one that the label excepts; any key as all keys."""
    members = {state.value: {state.value} for state in State}
    members |= {
        name: {state.value for state in states} for name, (states, _) in draw_reader.GROUPS.items()
    }
    rows = []
    for source, target, label in ARROW.findall(drawing):
        start, end = (
            name if name in members else name.replace("_", "-") for name in (source, target)
        )
        for part in re.split(r", ?(?:<br>)?", label):
            words, _, unless = part.removesuffix(")").partition(" (not in ")
            happens = draw_reader.KEYS if words == "any key" else [words]
            rows += [
                (state, one, end) for state in members[start] - {unless} for one in set(happens)
            ]
    return rows


def test_every_row_of_the_table_is_drawn_and_nothing_else() -> None:
    """Each row once, in one of the drawings."""
    drawn = [row for drawing in DRAWINGS.values() for row in rows_of(drawing)]
    rows = {row for row in drawn if row[0] != row[2]}
    assert rows == rows_of_the_table()
    assert len(drawn) == len(set(drawn))


def test_what_is_special_is_said() -> None:
    """What a time-out leads to, and what a group does not do."""
    power = DRAWINGS["power"]
    assert "    on --> off: on/off (not in computing),<br>time-out (not in card-removed)" in power
    assert "    card_removed --> awaiting_card: 3 s" in power
    assert "    powered --> card_removed: card out" in power
    assert "    card_blocked --> off: any key, card out" in DRAWINGS["cards"]
    assert "    menu --> awaiting_pin: Code" in DRAWINGS["way"]


@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
def test_a_drawing_fits_its_page(drawing: str) -> None:
    """As far as its source tells: few boxes, short lines, and every box in an arrow or a frame."""
    boxes = re.findall(r'state "(.+)" as (\w+)', drawing)
    assert len(boxes) <= 18
    assert all(len(words) <= 32 for words, _ in boxes)
    for _, _, label in ARROW.findall(drawing):
        assert all(len(line) <= 32 for line in label.split("<br>"))
    for _, name in boxes:
        assert re.search(rf"    {name} -->|--> {name}:", drawing)


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
