"""The PIN at a terminal: the real `sesame code`, with fingers that do not keep to the rules."""

import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from sesame.card.card_file import read_summary
from sesame.card.memory import Counters
from tests.reader.cards import PIN, card_file
from tests.terminal.pseudo import ENVIRON, on_terminal
from tests.terminal.table import verifies

ASKED = "Code secret de la carte"
CODE = re.compile(r"\d{4} \d{4}")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A new card."""
    return card_file(tmp_path, "sesame")


def command(*arguments: object, of: Sequence[str] = ("code",)) -> list[str]:
    """How to start `sesame code`, or another command that asks for a PIN."""
    return [sys.executable, "-m", "sesame", *of, *map(str, arguments)]


@pytest.mark.parametrize("end", ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGINT"])
def test_every_end_puts_the_terminal_back(card: Path, end: str) -> None:
    """What is typed next is seen again; no memory is written to a file."""
    number = signal.Signals[end]
    with on_terminal(command(card), {}) as screen:
        before = screen.mode
        screen.sees(ASKED)
        screen.process.send_signal(number)
        assert screen.ends() == 128 + number
        assert screen.mode == before
    assert read_summary(card).counters == Counters(atc=1, pin_tries_left=3)


def test_bytes_that_are_no_text(card: Path) -> None:
    """Are no PIN; it is asked again, and nothing was tried."""
    with on_terminal(command(card), {**ENVIRON, "PYTHONIOENCODING": "utf-8:strict"}) as screen:
        screen.sees(ASKED)
        screen.type_bytes(b"\xff\xfe12\n")
        refused = screen.sees("de 4 à 12 chiffres").end()
        screen.sees(ASKED, refused)
        screen.type(f"{PIN.digits}\n")
        code = screen.sees(CODE.pattern, refused)[0]
        assert screen.ends() == 0
    assert verifies(code, atc=1)
    assert PIN.digits not in screen.text


def test_a_pipe_that_is_a_terminal(card: Path) -> None:
    """`--pin-stdin` with fingers behind it asks unseen, as without."""
    with on_terminal(command(card, "--pin-stdin"), {}) as screen:
        screen.sees(ASKED)
        screen.type(f"{PIN.digits}\n")
        screen.sees(CODE.pattern)
        assert screen.ends() == 0
    assert PIN.digits not in screen.text


def test_a_transaction_of_the_doctor_asks_unseen_too(card: Path) -> None:
    """`inspect --transaction --pin-stdin` with fingers behind it; an end puts the terminal back."""
    doctor = command(card, "--transaction", "--pin-stdin", of=("card", "inspect"))
    with on_terminal(doctor, {}) as screen:
        before = screen.mode
        screen.sees(ASKED)
        screen.process.send_signal(signal.SIGTERM)
        assert screen.ends() == 128 + signal.SIGTERM
        assert screen.mode == before
    with on_terminal(doctor, {}) as screen:
        screen.sees(ASKED)
        screen.type(f"{PIN.digits}\n")
        screen.sees("code secret vérifié et juste")
        assert screen.ends() == 0
    assert PIN.digits not in screen.text


def test_a_passphrase_that_is_broken_off_puts_the_terminal_back(tmp_path: Path) -> None:
    """Of a new keystore: nothing is made."""
    path = tmp_path / "new.keystore"
    with on_terminal(command(path, of=("keys", "create")), {}) as screen:
        before = screen.mode
        screen.sees("Phrase de passe")
        screen.process.send_signal(signal.SIGHUP)
        assert screen.ends() == 128 + signal.SIGHUP
        assert screen.mode == before
    assert not path.exists()


@pytest.mark.parametrize("of", [("code",), ("card", "inspect")], ids=["code", "doctor"])
def test_the_last_try_is_asked_for_unseen(tmp_path: Path, of: tuple[str, ...]) -> None:
    """« oui » before the question is no answer to it; a PIN typed there is not shown."""
    card = card_file(tmp_path, "sesame", counters=Counters(atc=0, pin_tries_left=1))
    options = ["--transaction"] if "inspect" in of else []
    with on_terminal(command(card, *options, of=of), {}) as screen:
        screen.type("oui\n")
        screen.sees(r"Essayer \(oui/non\)")
        screen.type(f"{PIN.digits}\n")
        screen.sees("Rien n’a été essayé")
        assert screen.ends() == 1
    assert PIN.digits not in screen.text
    assert read_summary(card).counters.pin_tries_left == 1


def test_a_card_that_came_to_its_last_try(tmp_path: Path) -> None:
    """Whoever agrees goes on."""
    card = card_file(tmp_path, "sesame", counters=Counters(atc=0, pin_tries_left=1))
    with on_terminal(command(card), {}) as screen:
        screen.sees(r"Essayer \(oui/non\)")
        screen.type("oui\n")
        screen.sees(ASKED)
        screen.type(f"{PIN.digits}\n")
        screen.sees(CODE.pattern)
        assert screen.ends() == 0


@pytest.mark.parametrize("of", [("code",), ("reader", "--plain")], ids=["code", "reader"])
def test_a_job_is_not_put_aside_with_a_pin_half_typed(card: Path, of: tuple[str, ...]) -> None:
    """A shell that brings it back would show the rest: Ctrl-Z does nothing."""
    shell = ["bash", "--norc", "--noprofile", "-i"]
    with on_terminal(shell, {**ENVIRON, "PS1": "$ "}) as screen:
        screen.sees(r"\$ ")
        screen.type(" ".join(map(shlex.quote, command(card, of=of))) + "\n")
        if "reader" in of:
            screen.sees("Choisissez")
            screen.type("c\n")
        asked = screen.sees("[Cc]ode secret.*[?:]").end()
        screen.type("\x1a")
        screen.type(f"{PIN.digits}\n")
        screen.sees(r"\d ?\d ?\d ?\d,? \d ?\d ?\d ?\d", asked)
        assert "Stopped" not in screen.text
        screen.type("q\nexit\n")
        screen.ends()
    assert PIN.digits not in screen.text
