"""The plain face: every change a line, every command a line, and nothing that moves."""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.mode import Inputs, Mode
from sesame.card.card_file import open_card, read_summary
from sesame.catalogue import Language
from sesame.reader.machine import DisplayTime, State
from sesame.terminal.plain import Keyboard, Plain
from tests.terminal.table import FALSE, RIGHT, SIGNED, Table, explain, verifies

GREETING = "Lecteur Sésame. Tapez h puis Entrée pour l’aide."
MENU = "Choisissez une fonction, carte …0 0 5 5"
OFF = "Le lecteur est éteint."


class Typist(Keyboard):
    """Types *lines*. A number is a pause of so many seconds; a function, a line that takes time."""

    def __init__(self, table: Table, lines: list[str | float | Callable[[], str]]) -> None:
        self._table = table
        self._lines = lines
        self.interactive = False
        self.unseen = False

    def hide(self, *, unseen: bool) -> None:
        """There is nothing to hide."""

    def line(self, wait: float | None) -> str | None:
        """The next line; or a wait, no longer than *wait*."""
        if not self._lines:
            raise EOFError
        match self._lines.pop(0):
            case str(typed):
                return typed
            case float(seconds):
                passed = seconds if wait is None else min(seconds, wait)
                self._table.seconds += passed
                if passed < seconds:
                    self._lines.insert(0, seconds - passed)
            case type_slowly:
                return type_slowly()
        return None


def said(table: Table, *lines: str | float | Callable[[], str]) -> list[str]:
    """What the face answers to *lines*, after its greeting and the menu."""
    output = io.StringIO()
    Plain(table.device, Typist(table, [*lines]), output, explain).serve()
    return output.getvalue().splitlines()[2:]


def code_in(sentence: str) -> str:
    """The eight digits that were said one by one."""
    return "".join(re.findall(r"\d", sentence.partition(".")[0]))


# ── What it says ─────────────────────────────────────────────────────────────────────────────────


def test_a_code(tmp_path: Path) -> None:
    """One line for each thing that is typed; the code digit by digit."""
    table = Table(tmp_path)
    asked, shown = said(table, "c", RIGHT)
    assert asked == "Code secret ?"
    assert re.fullmatch(
        r"Votre code Sésame : \d \d \d \d, \d \d \d \d\. Vous avez 35 secondes\.", shown
    )
    assert verifies(code_in(shown), atc=1)


def test_it_begins_with_what_there_is(tmp_path: Path) -> None:
    """Who it is, where help is, and the display; it ends with the input."""
    table = Table(tmp_path)
    output = io.StringIO()
    Plain(table.device, Typist(table, []), output, explain).serve()
    assert output.getvalue() == f"{GREETING}\n{MENU}\n"
    assert table.device.screen.state is State.OFF


def test_time_is_announced_while_nobody_types(tmp_path: Path) -> None:
    """35 with the code, then 10 and 5, then the end."""
    *_, shown, ten, five, off = said(Table(tmp_path), "c", RIGHT, 60.0)
    assert shown.endswith("Vous avez 35 secondes.")
    assert [ten, five, off] == ["Encore 10 secondes.", "Encore 5 secondes.", OFF]


def test_a_reader_that_nobody_uses_goes_off(tmp_path: Path) -> None:
    """Said five seconds before."""
    assert said(Table(tmp_path), 30.0) == ["Le lecteur s’éteint dans 5 secondes."]
    assert said(Table(_new(tmp_path)), 40.0) == [
        "Le lecteur s’éteint dans 5 secondes.",
        OFF,
    ]


def _new(folder: Path) -> Path:
    new = folder / "new"
    new.mkdir()
    return new


def test_a_code_that_stays(tmp_path: Path) -> None:
    """Nothing is counted, and C ends it."""
    table = Table(tmp_path, display_time=DisplayTime.UNTIL_KEY)
    *_, shown, off = said(table, "c", RIGHT, 9999.0, "e")
    assert shown.endswith(".")
    assert "secondes" not in shown
    assert off == OFF


def test_reading_a_code_again(tmp_path: Path) -> None:
    """With the seconds that are left, not those that it had."""
    *_, first, again, left = said(Table(tmp_path), "c", RIGHT, 15.0, "l")
    assert code_in(first) == code_in(again)
    assert "35" not in again
    assert left == "Encore 20 secondes."


def test_reading_what_is_no_code(tmp_path: Path) -> None:
    """The display once more."""
    assert said(Table(tmp_path), "l", "c", "lire") == [MENU, "Code secret ?", "Code secret ?"]


def test_nothing_but_text(tmp_path: Path) -> None:
    """No escape sequence, no carriage return, and only spaces that braille tables know."""
    lines = said(Table(tmp_path), "h", "c", FALSE, "", RIGHT, "0", "q")
    assert all(set(line) & set("\x1b\r\b\u00a0\u202f") == set() for line in lines)
    assert all(line.isprintable() and line for line in lines)


def test_english(tmp_path: Path) -> None:
    """All of it."""
    output = io.StringIO()
    table = Table(tmp_path, Language.ENGLISH)
    Plain(table.device, Typist(table, ["h", "what", "c", FALSE, "q"]), output, explain).serve()
    lines = output.getvalue().splitlines()
    assert lines[:2] == [
        "Sésame reader. Type h, then Enter, for help.",
        "Choose a function, card …0 0 5 5",
    ]
    assert "Enter alone: OK." in lines
    assert "Unknown command. Type h, then Enter, for help." in lines
    assert lines[-1] == "Wrong PIN, 2 tries left, press OK"


# ── What it understands ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("word", ["c", "C", "code", " Code ", "CODE"])
def test_words_and_letters(tmp_path: Path, word: str) -> None:
    """In any case."""
    assert said(Table(tmp_path), word) == ["Code secret ?"]


@pytest.mark.parametrize("word", ["r", "répondre", "repondre", "Respond", "RE\u0301PONDRE"])
def test_accents_may_be_left_out(tmp_path: Path, word: str) -> None:
    """Or be written as a terminal likes."""
    assert said(Table(tmp_path), word) == ["Nombre à recopier ?"]


@pytest.mark.parametrize("word", ["q", "quitter", "quit", "Q"])
def test_quitting(tmp_path: Path, word: str) -> None:
    """Nothing after it is read; the card is free."""
    table = Table(tmp_path)
    assert not said(table, word, "c")
    with open_card(table.card):
        pass


def test_a_response_to_a_challenge(tmp_path: Path) -> None:
    """The number in one line, then the PIN."""
    asked, pin, shown = said(Table(tmp_path), "r", "12345678", RIGHT)
    assert asked == "Nombre à recopier ?"
    assert pin == "Code secret ?"
    assert shown.startswith("Votre réponse Sésame : ")
    assert verifies(code_in(shown), 1, Inputs(mode=Mode.M3, challenge="12345678"))


@pytest.mark.parametrize("amount", ["1250,5", "1250.50", "1 250,50"])
def test_a_signature(tmp_path: Path, amount: str) -> None:
    """Amount and payee are typed, and said before they are signed."""
    *_, payee, confirm, pin, shown = said(Table(tmp_path), "s", amount, "3456 7890", "s", RIGHT)
    assert payee.startswith("Bénéficiaire ?")
    assert confirm == "1250 euros et 50 centimes vers 3 4 5 6, 7 8 9 0. Signer pour valider."
    assert pin == "Code secret ?"
    assert shown.startswith("Votre signature Sésame : ")
    assert verifies(code_in(shown), 1, SIGNED)


def test_what_does_not_fit_is_not_cut(tmp_path: Path) -> None:
    """A PIN that is too long costs no try, a number is not shortened behind one's back."""
    table = Table(tmp_path)
    no_fit = "Ce nombre ne convient pas. Recommencez."
    assert said(table, "c", f"{RIGHT}{RIGHT}{RIGHT}1", "73,91") == ["Code secret ?", no_fit, no_fit]
    assert read_summary(table.card).counters.pin_tries_left == 3
    assert said(Table(_new(tmp_path)), "s", "1,234", "05", "5") == [
        "Montant ?",
        no_fit,
        no_fit,
        "Bénéficiaire ? 8 derniers chiffres",
    ]


def test_a_second_try_begins_anew(tmp_path: Path) -> None:
    """What was too short is not a beginning of the next line."""
    *_, short, shown = said(Table(tmp_path), "c", "73", RIGHT)
    assert short == "Chiffres saisis : 2. 4 chiffres."
    assert "Votre code" in shown


def test_digits_elsewhere_are_keys(tmp_path: Path) -> None:
    """0 says a code again; in the menu they are nothing, and the menu is said."""
    menu, _, shown, again = said(Table(tmp_path), "12", "c", RIGHT, "0")
    assert menu == MENU
    assert code_in(shown) == code_in(again)


def test_a_number_that_comes_too_late(tmp_path: Path) -> None:
    """The reader has gone off meanwhile; nothing is typed into it."""
    table = Table(tmp_path)

    def type_slowly() -> str:
        table.seconds += 100
        return RIGHT

    assert said(table, "c", type_slowly) == ["Code secret ?", OFF]
    assert read_summary(table.card).counters.pin_tries_left == 3


def test_on_and_off(tmp_path: Path) -> None:
    """With one word."""
    assert said(Table(tmp_path), "m", "c", "marche") == [OFF, OFF, MENU]


def test_an_unknown_word_is_not_repeated(tmp_path: Path) -> None:
    """It may be a PIN with a slip of the finger."""
    assert said(Table(tmp_path), "c", "73x91")[1:] == [
        "Commande inconnue. Tapez h puis Entrée pour l’aide."
    ]


# ── What can be wrong ────────────────────────────────────────────────────────────────────────────


def test_wrong_pins_to_the_end(tmp_path: Path) -> None:
    """The card's own count; before the last try a warning; then it is blocked."""
    table = Table(tmp_path)
    lines = said(table, "c", FALSE, "", FALSE, "", "", FALSE, "m", "i")
    assert lines == [
        "Code secret ?",
        "Code secret faux, reste 2 essais, appuyez sur OK",
        "Code secret ?",
        "Code secret faux, dernier essai, appuyez sur OK",
        "Dernier essai, appuyez sur OK",
        "Code secret ?",
        "Carte bloquée, appelez votre banque",
        OFF,
        OFF,
    ]
    assert read_summary(table.card).pin_blocked


def test_the_card_is_taken_out_in_the_middle(tmp_path: Path) -> None:
    """Nothing is lost; put in again, it begins again."""
    assert said(Table(tmp_path), "c", "retirer", 3.0, "i") == [
        "Code secret ?",
        "Carte retirée",
        "Lecteur Sésame, insérez votre carte",
        MENU,
    ]


def test_a_card_that_somebody_else_has(tmp_path: Path) -> None:
    """What is wrong, then what the display says; it goes on."""
    table = Table(tmp_path)
    table.device.remove()
    with open_card(table.card):
        lines = said(table, "i")
    assert lines == ["ERREUR CardInUse", "Lecteur Sésame, insérez votre carte"]


def test_a_card_that_vanishes(tmp_path: Path) -> None:
    """In the middle of a dialogue: said, and no code."""
    table = Table(tmp_path)
    table.card.with_name("card.key").unlink()
    lines = said(table, "i", "i", "l")
    assert lines[1].startswith("ERREUR")
    assert not any("Votre code" in line for line in lines)


# ── Lines from a file descriptor ─────────────────────────────────────────────────────────────────


@contextmanager
def pipe() -> Iterator[tuple[Keyboard, Callable[[bytes], None]]]:
    """A keyboard that is a pipe, and what writes into it (nothing: closes it)."""
    end, ours = os.pipe()
    still = [ours]

    def write(sent: bytes) -> None:
        if sent:
            os.write(ours, sent)
        else:
            os.close(still.pop())

    try:
        with Keyboard(end) as keyboard:
            yield keyboard, write
    finally:
        os.close(end)
        for left in still:
            os.close(left)


def test_lines_of_a_pipe() -> None:
    """Whole ones only; the last one may lack its end; then it is over."""
    with pipe() as (keyboard, write):
        assert not keyboard.interactive
        assert keyboard.line(0.0) is None
        write(b"co")
        assert keyboard.line(1.0) is None
        write(b"de\n7391\n\nq")
        assert [keyboard.line(1.0) for _ in range(3)] == ["code", "7391", ""]
        assert keyboard.line(1.0) is None
        write(b"")
        assert keyboard.line(1.0) == "q"
        with pytest.raises(EOFError):
            keyboard.line(1.0)


@given(lines=st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=5))
def test_any_bytes_are_lines(lines: list[bytes]) -> None:
    """No encoding is an error."""
    with pipe() as (keyboard, write):
        if lines:
            write(b"\n".join([*lines, b""]))
        assert [keyboard.line(1.0) for _ in lines] == [
            line.decode(errors="replace") for line in lines
        ]
