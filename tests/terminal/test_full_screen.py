"""The full-screen face, driven as a person drives it; what they see is read as text."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import ModuleType

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from sesame.cap.mode import Inputs, Mode
from sesame.card.card_file import open_card, read_summary
from sesame.catalogue import Language
from sesame.reader.machine import DisplayTime, State
from sesame.terminal.full_screen import FullScreen, run_full_screen
from tests.terminal.drawn import digits
from tests.terminal.table import FALSE, RIGHT, SIGNED, Table, explain, verifies

_PATIENCE = 120  # seconds for what happens in the background
_NORMAL, _SMALL, _TALL, _TINY = (80, 24), (40, 20), (60, 30), (22, 9)


class Seat:
    """Where somebody sits before the screen: what they see, and what they can do."""

    def __init__(self, table: Table, pilot: Pilot[None]) -> None:
        self.table = table
        self.pilot = pilot
        assert isinstance(pilot.app, FullScreen)
        self.app = pilot.app

    @property
    def rows(self) -> list[str]:
        """The screen, row by row."""
        strips = self.app.screen._compositor.render_strips()  # noqa: SLF001 -- nothing public gives the text
        return [strip.text.rstrip() for strip in strips]

    @property
    def text(self) -> str:
        """The screen as one text, with ordinary spaces."""
        return "\n".join(self.rows).replace("\u00a0", " ").replace("\u202f", " ")

    async def sees(self, *words: str, without: str = "\x00") -> None:
        """Wait until all *words* are on the screen, and what they are to be *without* is not."""
        await self.until(lambda: all(w in self.text for w in words) and without not in self.text)

    async def until(self, come: Callable[[], bool]) -> None:
        """Wait for something to have *come*."""
        async with asyncio.timeout(_PATIENCE):
            while not come():
                await self.pilot.pause(0.02)

    async def types(self, *keys: str) -> None:
        """Press keys of the keyboard; several digits may stand in one word."""
        for word in keys:
            await self.pilot.press(*(word if word.isdecimal() else [word]))

    async def makes_code(self) -> str:
        """The dialogue of the leaflet, and the code that is to be read at its end."""
        await self.types("c", RIGHT, "enter")
        await self.until(lambda: bool(digits(self.rows)))
        return digits(self.rows)


@asynccontextmanager
async def seat(table: Table, size: tuple[int, int] = _NORMAL) -> AsyncIterator[Seat]:
    """A screen of this *size* with the device of *table* on it."""
    app = FullScreen(table.device, explain)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Seat(table, pilot)


async def ended(app: FullScreen) -> None:
    """Wait until *app* has let go of the screen."""
    async with asyncio.timeout(_PATIENCE):
        while app.is_running:  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.02)


# ── A code ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [_NORMAL, _SMALL, _TALL, _TINY, (200, 60)])
async def test_a_code_from_a_card(tmp_path: Path, size: tuple[int, int]) -> None:
    """By keyboard, on any screen: the digits that can be read are the card's."""
    async with seat(Table(tmp_path), size) as person:
        await person.sees("CHOISISSEZ", "UNE FONCTION", "…0055")
        code = await person.makes_code()
        assert verifies(code, atc=1)
        assert "CODE SÉSAME" in person.text
        assert "35 s" in person.text


async def test_the_pin_is_dots(tmp_path: Path) -> None:
    """Never its digits, wherever they could be."""
    async with seat(Table(tmp_path), _TINY) as person:  # no keys with digits on them
        await person.types("c")
        for count, digit in enumerate(RIGHT, start=1):
            await person.types(digit)
            await person.sees("•" * count, without="•" * (count + 1))
            assert not set("123456789") & set(person.text)
        await person.types("backspace")
        await person.sees("•••", without="••••")
        await person.types("delete")
        await person.sees("CODE SECRET", without="•")


async def test_a_whole_dialogue_with_the_mouse(tmp_path: Path) -> None:
    """Every key is there to be clicked."""
    async with seat(Table(tmp_path)) as person:
        await person.pilot.click("#key-code")
        await person.sees("CODE SECRET ?")
        await person.pilot.click("#key-digit_1")
        await person.pilot.click("#key-correction")
        for digit in RIGHT:
            await person.pilot.click(f"#key-digit_{digit}")
        await person.sees("••••")
        await person.pilot.click("#key-ok")
        await person.until(lambda: verifies(digits(person.rows) or "00000000", atc=1))
        await person.pilot.click("#key-on")
        await person.until(lambda: person.table.device.screen.state is State.OFF)
        await person.pilot.click("#key-on")
        await person.sees("CHOISISSEZ")
        await person.pilot.click("#key-card")
        await person.sees("CARTE RETIRÉE", "sans carte")


async def test_keys_typed_faster_than_the_card_answers(tmp_path: Path) -> None:
    """Nothing is lost, nothing changes places."""
    async with seat(Table(tmp_path)) as person:
        for key in ["c", *RIGHT, "enter"]:
            person.app.simulate_key(key)
        await person.until(lambda: bool(digits(person.rows)))
        assert verifies(digits(person.rows), atc=1)


async def test_a_french_keyboard_without_shift(tmp_path: Path) -> None:
    """The row of digits gives digits."""
    async with seat(Table(tmp_path)) as person:
        await person.types("c")
        await person.pilot.press("è", "quotation_mark", "ç", "ampersand", "enter")  # 7391
        await person.until(lambda: bool(digits(person.rows)))
        assert verifies(digits(person.rows), atc=1)


async def test_large_digits(tmp_path: Path) -> None:
    """With 0, the same code in the room of the keys."""
    async with seat(Table(tmp_path), _SMALL) as person:
        code = await person.makes_code()
        assert "Signer" in person.text
        await person.types("0")
        await person.sees("██████", without="Signer")
        assert digits(person.rows) == code
        await person.types("c", "backspace")
        await person.sees("Signer", without="██████")


# ── The end of a code ────────────────────────────────────────────────────────────────────────────


_ATCS = count(100)  # a code of its own for each test that looks for one


class Backwards(str):
    """A code from its end to its beginning: a test that looks for one must not hold it."""

    __slots__ = ()


def marks(person: Seat) -> list[Backwards]:
    """What tells the code that is on the screen: its digits, as shown and together."""
    code = digits(person.rows)
    return [Backwards(mark[::-1]) for mark in (code, code.replace(" ", ""))]


def holds(person: Seat, forms: Sequence[Backwards]) -> list[object]:
    """What can be reached from the widgets, the app and the reader, and tells the code."""
    reachable: list[object] = [person.app, person.table.device]
    seen = {id(one) for one in reachable}
    for one in reachable:
        for below in gc.get_referents(one):
            if id(below) not in seen and not isinstance(below, type | ModuleType):
                seen.add(id(below))
                reachable.append(below)
    return [
        one
        for one in reachable
        if isinstance(one, str) and type(one) is str and any(form in one[::-1] for form in forms)
    ]


async def test_time_wipes_the_code(tmp_path: Path) -> None:
    """From the screen and from memory, after its seconds have been counted down."""
    table = Table(tmp_path, atc=next(_ATCS))
    async with seat(table) as person:
        await person.makes_code()
        code = marks(person)
        assert len(holds(person, code)) >= len(code)  # or the search below proves nothing
        table.seconds += 24
        await person.sees("11 s")
        table.seconds += 2
        await person.sees("9 s", "Encore 10 secondes.")
        table.seconds += 5
        await person.sees("Encore 5 secondes.")
        table.seconds += 5
        await person.sees("Lecteur Sésame", without="Encore")
        assert not digits(person.rows)
        assert table.device.screen.state is State.OFF
        await person.until(lambda: not holds(person, code))


async def test_the_warning_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bell five seconds before, once."""
    table = Table(tmp_path)
    rung: list[float] = []
    monkeypatch.setattr(FullScreen, "bell", lambda _: rung.append(table.seconds))
    async with seat(table) as person:
        await person.makes_code()
        table.seconds += 26
        await person.sees("Encore 10 secondes.")
        assert not rung
        table.seconds += 5
        await person.sees("Encore 5 secondes.")
        assert len(rung) == 1


async def test_a_key_takes_the_warning_away(tmp_path: Path) -> None:
    """It is no longer true."""
    table = Table(tmp_path)
    async with seat(table) as person:
        table.seconds += 31
        await person.sees("Le lecteur s’éteint dans 5 secondes.")
        await person.types("c")
        await person.sees("CODE SECRET", without="s’éteint")


@pytest.mark.parametrize("size", [_NORMAL, _TINY])
@pytest.mark.parametrize("key", ["backspace", "escape"])
async def test_a_key_wipes_the_code(tmp_path: Path, key: str, size: tuple[int, int]) -> None:
    """C, or off; also where the code stands in plain digits."""
    async with seat(Table(tmp_path, atc=next(_ATCS)), size) as person:
        await person.makes_code()
        code = marks(person)
        await person.types(key)
        await person.until(lambda: not digits(person.rows))
        await person.until(lambda: not holds(person, code))


async def test_a_code_that_stays(tmp_path: Path) -> None:
    """Until C: nothing is counted."""
    table = Table(tmp_path, display_time=DisplayTime.UNTIL_KEY)
    async with seat(table) as person:
        code = await person.makes_code()
        table.seconds += 10_000
        await person.pilot.pause(0.6)
        assert digits(person.rows) == code
        assert "C POUR EFFACER" in person.text
        await person.types("backspace")
        await person.until(lambda: not digits(person.rows))


@pytest.mark.parametrize(
    "end", ["q", "ctrl+c", "ctrl+q", signal.SIGTERM, signal.SIGHUP, signal.SIGINT]
)
async def test_quitting_leaves_nothing(tmp_path: Path, end: str | signal.Signals) -> None:
    """The display is empty before the program ends, and the card is free."""
    table = Table(tmp_path, atc=next(_ATCS))
    app = FullScreen(table.device, explain)
    async with app.run_test() as pilot:
        person = Seat(table, pilot)
        await person.makes_code()
        code = marks(person)
        if isinstance(end, str):
            await person.types(end)
        else:
            os.kill(os.getpid(), end)
        await ended(app)
    assert app.failure is None
    assert app.return_code == 0
    assert table.device.screen.state is State.OFF
    assert not holds(person, code)
    with open_card(table.card):
        pass


# ── What can be wrong ────────────────────────────────────────────────────────────────────────────


async def test_wrong_pins_to_the_end(tmp_path: Path) -> None:
    """The card's own count, a warning before the last try, and the end."""
    table = Table(tmp_path)
    async with seat(table, _SMALL) as person:
        await person.types("c", FALSE, "enter")
        await person.sees("CODE SECRET FAUX", "RESTE 2 ESSAIS", "APPUYEZ SUR OK")
        await person.types("enter", FALSE, "enter")
        await person.sees("CODE SECRET FAUX", "DERNIER ESSAI")
        await person.types("enter")
        await person.sees("DERNIER ESSAI", "APPUYEZ SUR OK", without="FAUX")
        await person.types("enter")
        await person.sees("CODE SECRET ?")
        await person.types(FALSE, "enter")
        await person.sees("CARTE BLOQUÉE", "APPELEZ VOTRE BANQUE")
    assert read_summary(table.card).pin_blocked


@pytest.mark.parametrize("keys", [["enter"], ["enter"] * 2, ["enter"] * 9])
async def test_a_burst_agrees_to_nothing(tmp_path: Path, keys: list[str]) -> None:
    """Neither keys behind a wrong PIN, nor behind « Code », are answers to what comes up then."""
    table = Table(tmp_path)
    table.press("code", FALSE, "ok", "c")
    async with seat(table) as person:
        for key in ["c", *FALSE, "enter", *keys]:
            person.app.simulate_key(key)
        await person.sees("CODE SECRET FAUX", "DERNIER ESSAI")
        await person.types("backspace")
        await person.sees("CHOISISSEZ")
        for key in ["c", *keys]:
            person.app.simulate_key(key)
        await person.sees("DERNIER ESSAI")
        await person.pilot.pause(0.1)
        assert table.device.screen.state is State.LAST_TRY
    assert read_summary(table.card).counters.pin_tries_left == 1


async def test_switching_off_is_never_lost(tmp_path: Path) -> None:
    """Pressed while the card answers."""
    async with seat(Table(tmp_path)) as person:
        for key in ["c", *RIGHT, "enter", "escape"]:
            person.app.simulate_key(key)
        await person.until(lambda: person.table.device.screen.state is State.OFF)


async def test_the_card_is_taken_out_in_the_middle(tmp_path: Path) -> None:
    """Said for three seconds; then it waits for a card, and has forgotten the PIN."""
    table = Table(tmp_path)
    async with seat(table) as person:
        await person.types("c", "73", "i")
        await person.sees("CARTE RETIRÉE", "sans carte")
        with open_card(table.card):
            pass
        table.seconds += 3
        await person.sees("INSÉREZ VOTRE CARTE")
        await person.types("i", "c")
        await person.sees("CODE SECRET ?", "carte insérée", without="•")


async def test_a_card_that_somebody_else_has(tmp_path: Path) -> None:
    """Said in the line below; when it is free again, it goes in."""
    table = Table(tmp_path)
    async with seat(table) as person:
        await person.types("i")
        await person.sees("CARTE RETIRÉE")
        with open_card(table.card):
            await person.types("i")
            await person.sees("ERREUR CardInUse", "sans carte")
        await person.types("i")
        await person.sees("CHOISISSEZ", "carte insérée", without="ERREUR")


async def test_what_nobody_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes out of the program as it is."""
    table = Table(tmp_path)
    app = FullScreen(table.device, explain)
    async with app.run_test() as pilot:
        monkeypatch.setattr(table.device, "handle", lambda _: 1 // 0)
        await pilot.press("c")
        await ended(app)
    assert isinstance(app.failure, ZeroDivisionError)


def test_a_failure_of_a_widget_shows_no_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The library would print every local; ours may be a PIN."""

    def fail(*_: object) -> list[str]:
        secret = RIGHT
        return [str(len(secret) // 0)]

    monkeypatch.setattr("sesame.terminal.full_screen.draw", fail)
    monkeypatch.setattr(FullScreen, "run", _headless)
    with pytest.raises(ZeroDivisionError):
        run_full_screen(Table(tmp_path).device, explain)
    printed = "".join(capfd.readouterr())
    assert RIGHT not in printed
    assert "secret" not in printed


def _headless(app: FullScreen) -> None:
    async def run() -> None:
        await app.run_async(headless=True, size=_NORMAL)

    asyncio.run(run())


# ── Signing, and other languages ─────────────────────────────────────────────────────────────────


async def test_a_signature(tmp_path: Path) -> None:
    """What is signed is shown before; the result has another name than a code."""
    async with seat(Table(tmp_path)) as person:
        await person.types("s")
        await person.sees("MONTANT ?")
        await person.types("1250", "comma", "5", "enter")
        await person.sees("BÉNÉFICIAIRE ?")
        await person.types("34567890", "enter")
        await person.sees("1 250,50 €", "→ 3456 7890", "SIGNER POUR VALIDER")
        await person.types("s", RIGHT, "enter")
        await person.sees("SIGNATURE SÉSAME", "╔═══")
        assert verifies(digits(person.rows), 1, SIGNED)


async def test_a_response(tmp_path: Path) -> None:
    """The number is shown as it is typed: it is no secret."""
    async with seat(Table(tmp_path)) as person:
        await person.types("r", "12345678")
        await person.sees("NOMBRE À RECOPIER ?", "12345678")
        await person.types("enter", RIGHT, "enter")
        await person.sees("RÉPONSE SÉSAME", "┏╍╍╍")
        assert verifies(digits(person.rows), 1, Inputs(mode=Mode.M3, challenge="12345678"))


async def test_english(tmp_path: Path) -> None:
    """All of it."""
    async with seat(Table(tmp_path, Language.ENGLISH)) as person:
        await person.sees("Sésame reader", "CHOOSE", "r Respond", "s Sign", "On/off", "Keyboard")
        assert "card inserted" in person.text
        assert not set("éèêàç") & set(person.text.replace("Sésame", ""))


# ── Any terminal ─────────────────────────────────────────────────────────────────────────────────


def whole(rows: Sequence[str], words: Sequence[str]) -> bool:
    """Whether each of *words* stands on the screen, uncut."""
    return all(any(word in row for row in rows) for word in words)


async def test_every_key_is_in_sight(tmp_path: Path) -> None:
    """At 80 by 24 and at 40 by 20, each with its name; the help beside it or behind h."""
    keys = ["c Code", "r Répondre", "s Signer", "Marche", "Carte", "OK", ","]
    lines = ["Échap   marche et arrêt", "q       quitte"]
    async with seat(Table(tmp_path), _NORMAL) as person:
        assert whole(person.rows, keys + lines)
        assert "aide" not in person.text
    async with seat(Table(_new(tmp_path)), _SMALL) as person:
        await person.sees("h : aide")
        assert whole(person.rows, [*keys, *"0123456789"])
        assert not whole(person.rows, lines)
        await person.types("h")
        await person.sees(*lines, without="Signer ▕")
        await person.types("h")
        await person.sees("Signer ▕")


def _new(folder: Path) -> Path:
    new = folder / "new"
    new.mkdir()
    return new


async def test_the_size_may_change_at_any_time(tmp_path: Path) -> None:
    """The code stays readable, down to a few characters and up again."""
    async with seat(Table(tmp_path)) as person:
        code = await person.makes_code()
        for size in [_SMALL, (33, 14), _TINY, (12, 5), _TALL, (300, 90), _NORMAL]:
            await person.pilot.resize_terminal(*size)
            await person.until(lambda: digits(person.rows) == code)
            assert all(len(row) <= size[0] for row in person.rows)
        for size in [(3, 2), (1, 1), _NORMAL]:  # nothing can be read, and nothing breaks
            await person.pilot.resize_terminal(*size)
            await person.pilot.pause()
        await person.until(lambda: digits(person.rows) == code)


async def test_without_colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR: the terminal's own two and nothing else; the keys still have edges."""
    monkeypatch.setenv("NO_COLOR", "1")
    async with seat(Table(tmp_path)) as person:
        filters = person.app._filters  # noqa: SLF001 -- what the driver's output goes through
        assert [type(one).__name__ for one in filters if one.enabled] == ["NoColor"]
        assert "▕▏" in person.text


async def test_long_messages_are_not_cut(tmp_path: Path) -> None:
    """A path and a sentence wrap below the reader."""
    async with seat(Table(tmp_path), _SMALL) as person:
        said = "Cette carte est dans un autre lecteur. Retirez-la, puis recommencez."
        person.app.query_one("#message", Static).update(said)
        await person.sees("Cette carte", "recommencez.", "c Code")
