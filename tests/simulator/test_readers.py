"""Readers on the table, with real chips in files; the clock is the test's."""

import asyncio
import json
import logging
import re
from collections.abc import Sequence
from itertools import count
from shutil import copytree

import pytest

from sesame.card.card_file import open_card, read_summary
from sesame.card.errors import CardFileDamaged, CardInUse
from sesame.catalogue import Language
from sesame.emv.pin import Pin
from sesame.reader.code import make_code
from sesame.reader.machine import DisplayTime, Key, KeyHeld, KeyPressed, State
from sesame.reader.slot import Clock
from sesame.reader.virtual_slot import VirtualSlot
from sesame.simulator import readers as module
from sesame.simulator.errors import NoReaderLeft, ReaderForgotten
from sesame.simulator.readers import IDLE, MOST, CardSeen, Face, Readers
from tests.simulator.table import CAMILLE, INES, PIN, TODAY, WRONG_PIN, Table

FRENCH = Language.FRENCH


@pytest.fixture
def readers(table: Table) -> Readers:
    """An empty table; ids count from 1."""
    numbers = count(1)
    return Readers(
        Clock(table.seconds, lambda: TODAY), lambda length: next(numbers).to_bytes(length)
    )


async def insert(readers: Readers, reader_id: str, table: Table, name: str) -> Face:
    """Put the card *name* of the drawer in."""
    card = CardSeen(name, wrongly=False)
    return await readers.insert(reader_id, card, table.drawer.card(name))


async def press(readers: Readers, reader_id: str, *keys: str) -> Face:
    """Press one key after the other; the face after the last."""
    faces = [await readers.press(reader_id, KeyPressed(Key(key))) for key in keys]
    return faces[-1]


def code_keys(pin: str = PIN) -> Sequence[str]:
    """Code, PIN, OK."""
    return ["code", *pin, "ok"]


async def test_a_card_and_its_pin_make_its_code(
    readers: Readers, table: Table, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The very code that the chip makes in any reader."""
    path = table.drawer.card(CAMILLE)
    assert path is not None
    twin = copytree(path.parent, tmp_path_factory.mktemp("twin") / "cards") / path.name
    expected = make_code(VirtualSlot(twin), Pin(PIN), Clock(today=lambda: TODAY))

    reader = await readers.open(FRENCH)
    menu = await insert(readers, reader, table, CAMILLE)
    assert menu.state is State.MENU
    assert menu.card == CardSeen(CAMILLE, wrongly=False)
    shown = await press(readers, reader, *code_keys())
    assert shown.state is State.CODE_SHOWN
    assert shown.code is not None
    assert shown.code.replace(" ", "") == expected.digits  # type: ignore[union-attr]  # a Code
    assert re.fullmatch(r"\d{4} \d{4}", shown.code)
    assert shown.seconds_left == 35.0


async def test_each_code_is_another(readers: Readers, table: Table) -> None:
    """C puts the code away, on and Code make the next."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    first = await press(readers, reader, *code_keys())
    assert (await press(readers, reader, "c")).state is State.OFF
    second = await press(readers, reader, "on", *code_keys())
    assert first.code != second.code is not None


async def test_a_wrong_pin_costs_a_try(readers: Readers, table: Table) -> None:
    """The chip counts, on disk; the reader says what it said."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    face = await press(readers, reader, *code_keys(WRONG_PIN))
    assert face.lines == ("CODE SECRET FAUX", "RESTE 2 ESSAIS", "APPUYEZ SUR OK")
    assert face.code is None
    path = table.drawer.card(INES)
    assert path is not None
    assert read_summary(path).counters.pin_tries_left == 2


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("payment-only", State.CARD_UNKNOWN),
        ("mute", State.CARD_MUTE),
        ("expired", State.CARD_EXPIRED),
        ("blocked", State.CARD_BLOCKED),
    ],
)
async def test_odd_cards_are_told_apart(
    readers: Readers, table: Table, name: str, state: State
) -> None:
    """Each shows what its kind shows in a real reader."""
    reader = await readers.open(FRENCH)
    assert (await insert(readers, reader, table, name)).state is state


async def test_the_wrong_way_round_nothing_touches_the_chip(readers: Readers, table: Table) -> None:
    """The reader says so; turned round, the card is read."""
    reader = await readers.open(FRENCH)
    card = CardSeen(INES, wrongly=True)
    face = await readers.insert(reader, card, table.drawer.card(INES))
    assert face.lines == ("CARTE ILLISIBLE", "PUCE VERS LE HAUT")
    assert face.card == card
    assert (await readers.remove(reader)).card is None
    assert (await insert(readers, reader, table, INES)).state is State.MENU


async def test_pulling_the_card_ends_the_dialogue(readers: Readers, table: Table) -> None:
    """Nothing is lost but the digits; the card can be used at once elsewhere."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    await press(readers, reader, "code", "1", "2")
    face = await readers.remove(reader)
    assert face.state is State.CARD_REMOVED
    path = table.drawer.card(INES)
    assert path is not None
    with open_card(path):
        pass
    table.pass_time(3)
    assert (await readers.look(reader, FRENCH)).state is State.AWAITING_CARD


async def test_another_card_takes_the_place_of_the_first(readers: Readers, table: Table) -> None:
    """As a hand does it: out with one, in with the other."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, CAMILLE)
    face = await insert(readers, reader, table, INES)
    assert face.card == CardSeen(INES, wrongly=False)
    other = await readers.open(FRENCH)
    assert (await insert(readers, other, table, CAMILLE)).state is State.MENU


async def test_a_held_c_takes_all_digits(readers: Readers, table: Table) -> None:
    """Pressed, it takes one."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    assert (await press(readers, reader, "code", "1", "2", "3", "c")).lines[1] == "••"
    cleared = await readers.press(reader, KeyHeld(Key.CORRECTION))
    assert cleared.lines[1] == ""


async def test_a_card_is_in_one_reader_at_a_time(readers: Readers, table: Table) -> None:
    """The second hand pulls it out of the first reader, whose window may be closed."""
    first, second = await readers.open(FRENCH), await readers.open(FRENCH)
    await insert(readers, first, table, INES)
    await insert(readers, second, table, INES)
    left = await readers.look(first, FRENCH)
    assert (left.card, left.state) == (None, State.CARD_REMOVED)
    assert (await press(readers, second, *code_keys())).code is not None


async def test_of_many_hands_one_has_the_card_in_the_end(readers: Readers, table: Table) -> None:
    """However close together they reach for it; none of them waits for ever."""
    ids = [await readers.open(FRENCH) for _ in range(8)]
    await asyncio.gather(*(insert(readers, reader, table, CAMILLE) for reader in ids))
    faces = [await readers.look(reader, FRENCH) for reader in ids]
    assert sum(face.card is not None for face in faces) == 1


async def test_a_card_used_by_a_program_comes_out_again(
    readers: Readers, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line holds the file's lock; afterwards the card goes in."""
    monkeypatch.setattr(module, "_CARD_WAIT", 0.0)
    reader = await readers.open(FRENCH)
    path = table.drawer.card(INES)
    assert path is not None
    with open_card(path):
        with pytest.raises(CardInUse):
            await insert(readers, reader, table, INES)
        assert (await readers.look(reader, FRENCH)).card is None
    assert (await insert(readers, reader, table, INES)).state is State.MENU


async def test_a_damaged_card_comes_out_again(readers: Readers, table: Table) -> None:
    """And stays damaged: nobody writes to it."""
    path = table.drawer.card(INES)
    assert path is not None
    path.write_bytes(b"no card")
    reader = await readers.open(FRENCH)
    with pytest.raises(CardFileDamaged):
        await insert(readers, reader, table, INES)
    assert (await readers.look(reader, FRENCH)).card is None
    assert path.read_bytes() == b"no card"


async def test_keys_pressed_at_once_all_count(readers: Readers, table: Table) -> None:
    """One reader does one thing at a time, in the order of arrival."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    faces = await asyncio.gather(*(press(readers, reader, key) for key in code_keys()))
    assert faces[-1].code is not None


async def test_keys_of_an_earlier_turn_are_void(readers: Readers, table: Table) -> None:
    """Pressed while the card judged the PIN, or before the warning: none agrees to the last try."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    await press(readers, reader, *code_keys(WRONG_PIN), "c")
    keys = [*code_keys(WRONG_PIN), "ok", "ok", "ok"]
    await asyncio.gather(*(press(readers, reader, key) for key in keys))
    face = await readers.look(reader, FRENCH)
    assert face.lines == ("CODE SECRET FAUX", "DERNIER ESSAI", "APPUYEZ SUR OK")
    late = await readers.press(reader, KeyPressed(Key.OK), face.turn - 1)
    assert late.state is State.WRONG_PIN
    warned = await readers.press(reader, KeyPressed(Key.OK), face.turn)
    assert warned.state is State.LAST_TRY
    late = await readers.press(reader, KeyPressed(Key.OK), face.turn)
    assert late.state is State.LAST_TRY
    asked = await readers.press(reader, KeyPressed(Key.OK), warned.turn)
    assert asked.state is State.AWAITING_PIN
    assert (await readers.press(reader, KeyPressed(Key.ON), 0)).state is State.OFF


async def test_another_language_is_said_again(readers: Readers, table: Table) -> None:
    """What the reader shows, in the language that the page has now; once."""
    reader = await readers.open(FRENCH)
    french = await insert(readers, reader, table, INES)
    english = await readers.look(reader, Language.ENGLISH)
    assert english.announce.startswith("Choose")
    assert english.announced == french.announced + 1
    assert await readers.look(reader, Language.ENGLISH) == english


# ── Time ─────────────────────────────────────────────────────────────────────────────────────────


def inside(readers: Readers, reader_id: str) -> str:
    """Everything that the reader keeps, as far as it goes, with its secrets; bytes in hex."""
    place = readers._places[reader_id]  # noqa: SLF001 -- looking from outside would let time pass

    def spell(value: object) -> object:
        if isinstance(value, bytes):
            return value.hex()  # a PIN block shows its digits
        fields = getattr(value, "__dict__", None) or {
            name: getattr(value, name, None) for name in getattr(value, "__slots__", ())
        }
        return fields or str(value)

    return json.dumps([vars(place.reader), vars(place)], default=spell)


async def test_code_and_pin_are_wiped_when_nobody_looks(readers: Readers, table: Table) -> None:
    """The PIN as soon as the chip has it; the code by itself, 35 seconds after it came."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, CAMILLE)
    *typed, ok = code_keys()
    await press(readers, reader, *typed)
    assert PIN in inside(readers, reader)
    shown = await press(readers, reader, ok)
    assert shown.code is not None
    assert shown.code.replace(" ", "") in inside(readers, reader)
    assert PIN not in inside(readers, reader)
    table.pass_time(34.9)
    await readers.pass_time()
    assert shown.code.replace(" ", "") in inside(readers, reader)
    assert PIN not in inside(readers, reader)
    table.pass_time(0.1)
    await readers.pass_time()
    assert shown.code.replace(" ", "") not in inside(readers, reader)
    digits = ", ".join(" ".join(group) for group in shown.code.split())
    assert digits not in inside(readers, reader)
    assert PIN not in inside(readers, reader)
    assert (await readers.look(reader, FRENCH)).state is State.OFF


async def test_typed_digits_are_wiped_when_nobody_goes_on(readers: Readers, table: Table) -> None:
    """A PIN half typed does not wait for the next who comes by."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, CAMILLE)
    await press(readers, reader, "code", *"9375")
    assert '"9375"' in inside(readers, reader)
    table.pass_time(35)
    await readers.pass_time()
    assert '"9375"' not in inside(readers, reader)


async def test_the_end_is_announced(readers: Readers, table: Table) -> None:
    """At 35, 10 and 5 seconds, each once; not every second."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, CAMILLE)
    face = await press(readers, reader, *code_keys())
    said = {face.announced: face.announce}
    for _ in range(34):
        table.pass_time(1)
        await readers.pass_time()
        face = await readers.look(reader, FRENCH)
        said[face.announced] = face.announce
    words = list(said.values())
    assert words[0].endswith("Vous avez 35\u00a0secondes.")
    assert words[1:] == ["Encore 10\u00a0secondes.", "Encore 5\u00a0secondes."]
    table.pass_time(1)
    assert (await readers.look(reader, FRENCH)).announce == "Le lecteur est éteint."


async def test_a_reader_that_nobody_looks_at_gives_its_card_back(
    readers: Readers, table: Table
) -> None:
    """A window that was closed says nothing more."""
    closed = await readers.open(FRENCH)
    await insert(readers, closed, table, INES)
    table.pass_time(IDLE + 1)
    await readers.pass_time()
    with pytest.raises(ReaderForgotten):
        await readers.look(closed, FRENCH)
    reader = await readers.open(FRENCH)
    assert (await insert(readers, reader, table, INES)).state is State.MENU


async def test_a_reader_that_is_looked_at_stays(readers: Readers, table: Table) -> None:
    """Switched off or not; its window asks every now and then."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    for _ in range(3):
        table.pass_time(IDLE - 1)
        await readers.look(reader, FRENCH)
        await readers.pass_time()
    assert (await readers.look(reader, FRENCH)).card == CardSeen(INES, wrongly=False)


async def test_one_broken_reader_does_not_stop_time(
    readers: Readers,
    table: Table,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What goes wrong in one is logged; the code of the next is wiped all the same."""
    broken, whole = await readers.open(FRENCH), await readers.open(FRENCH)
    await press(readers, broken, "on")
    await insert(readers, whole, table, INES)
    shown = await press(readers, whole, *code_keys())
    assert shown.code is not None
    place = readers._places[broken]  # noqa: SLF001 -- there is no other way to break one
    monkeypatch.setattr(place.reader, "handle", None)
    table.pass_time(35)
    with caplog.at_level(logging.ERROR):
        await readers.pass_time()
    assert "could not follow the time" in caplog.text
    assert shown.code.replace(" ", "") not in inside(readers, whole)


async def test_a_busy_reader_keeps_nobody_waiting(readers: Readers, table: Table) -> None:
    """Time passes it over: what is happening there looks at the clock itself."""
    busy, other = await readers.open(FRENCH), await readers.open(FRENCH)
    await press(readers, busy, "on")
    await press(readers, other, "on")
    table.pass_time(35)
    place = readers._places[busy]  # noqa: SLF001 -- as while it waits for a card
    async with place.lock:
        await asyncio.wait_for(readers.pass_time(), timeout=60)
        assert place.reader.state is State.AWAITING_CARD
    assert (await readers.look(other, FRENCH)).announce == "Le lecteur est éteint."


# ── The table ────────────────────────────────────────────────────────────────────────────────────


async def test_the_language_can_change_at_any_time(readers: Readers, table: Table) -> None:
    """Card and dialogue stay where they are."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    assert (await readers.look(reader, FRENCH)).lines[0] == "CHOISISSEZ"
    assert (await readers.look(reader, Language.ENGLISH)).lines[0] == "CHOOSE"


async def test_readers_are_counted(readers: Readers, table: Table) -> None:
    """A table holds so many; those that nobody looks at make room."""
    for _ in range(MOST):
        await readers.open(FRENCH)
    with pytest.raises(NoReaderLeft):
        await readers.open(FRENCH)
    table.pass_time(IDLE + 1)
    await readers.pass_time()
    await readers.open(FRENCH)


@pytest.mark.parametrize("reader_id", ["", "0" * 32, "../../etc/passwd"])
async def test_an_unknown_id_is_no_reader(readers: Readers, reader_id: str) -> None:
    """Not one of its ways in."""
    with pytest.raises(ReaderForgotten):
        await readers.look(reader_id, FRENCH)
    with pytest.raises(ReaderForgotten):
        await readers.press(reader_id, KeyPressed(Key.ON))
    with pytest.raises(ReaderForgotten):
        await readers.remove(reader_id)
    with pytest.raises(ReaderForgotten):
        await readers.insert(reader_id, CardSeen("mute", wrongly=False), None)


async def test_renewing_takes_all_cards_out_first(readers: Readers, table: Table) -> None:
    """Who makes the cards anew finds every file free; meanwhile nobody opens a reader."""
    reader = await readers.open(FRENCH)
    await insert(readers, reader, table, INES)
    path = table.drawer.card(INES)
    assert path is not None
    waiting: list[asyncio.Task[str]] = []

    async def make_anew() -> None:
        with open_card(path):
            waiting.append(asyncio.create_task(readers.open(FRENCH)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not waiting[0].done()

    await readers.renew(make_anew)
    with pytest.raises(ReaderForgotten):
        await readers.look(reader, FRENCH)
    assert (await readers.look(await waiting[0], FRENCH)).state is State.OFF


async def test_who_waited_for_a_reader_that_went_is_told(readers: Readers) -> None:
    """Put away while a key was on its way."""
    reader = await readers.open(FRENCH)
    place = readers._places[reader]  # noqa: SLF001 -- to be the one who is first
    async with place.lock:
        late = asyncio.create_task(press(readers, reader, "on"))
        await asyncio.sleep(0)
        readers._places.clear()  # noqa: SLF001 -- as `put_away` does under the same lock
    with pytest.raises(ReaderForgotten):
        await late


def test_a_face_does_not_print_a_code() -> None:
    """Nor what is said of it."""
    face = Face(
        state=State.CODE_SHOWN,
        lines=("CODE SÉSAME",),
        code="3465 6023",
        large=False,
        ending="",
        seconds_left=35.0,
        display_time=DisplayTime.SHORT,
        announce="3 4 6 5, 6 0 2 3",
        announced=1,
        card=None,
        turn=0,
    )
    assert "3465" not in repr(face)
    assert "3 4 6 5" not in repr(face)
