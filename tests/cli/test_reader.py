"""`sesame reader`: the real program, on a terminal and off it."""

import json
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from sesame.card.card_file import open_card, read_summary
from sesame.cli.main import COMMANDS, main
from tests.reader.cards import DATA, PIN, WRONG, card_file
from tests.terminal.pseudo import ENVIRON, PATIENCE, SEQUENCES, Terminal, on_terminal
from tests.terminal.table import verifies

_CODE = re.compile(r"(?<!\d)\d{4} \d{4}(?!\d)")
SPOKEN = re.compile(r"Votre (?:code|réponse) Sésame : ((?:\d ){3}\d, (?:\d ){3}\d)\.")
_SPOKEN_CODE = re.compile(r"Sésame : ((?:\d ){3}\d, (?:\d ){3}\d)\.")
_LEFT = "\x1b[?1049l"  # the terminal's other screen, with all that was on it


def command(*arguments: object) -> list[str]:
    """How to start `sesame reader`."""
    return [sys.executable, "-m", "sesame", "reader", *map(str, arguments)]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A new card."""
    return card_file(tmp_path, "sesame")


@contextmanager
def terminal(
    *arguments: object, columns: int = 80, rows: int = 24, **environ: str
) -> Iterator[Terminal]:
    """`sesame reader` on a terminal of its own."""
    with on_terminal(command(*arguments), environ, columns=columns, rows=rows) as screen:
        yield screen


def piped(*arguments: object, typed: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """`sesame reader` without a terminal, with *typed* as its input."""
    return subprocess.run(
        command(*arguments),
        input=typed,
        capture_output=True,
        encoding="utf-8",
        env={**ENVIRON, **environ},
        timeout=PATIENCE,
        check=False,
    )


# ── On the full screen ───────────────────────────────────────────────────────────────────────────

# In the place of the terminal library's companion, to which it would send all that it logs.
_COMPANION = "from pathlib import Path; Path('companion.log').touch()"


@pytest.mark.parametrize(
    "telltale",
    [
        {"TEXTUAL": "debug,devtools"},
        {"TEXTUAL_LOG": "library.log"},
        {"TEXTUAL_DEBUG": "1"},
        {"TEXTUAL_SCREENSHOT": "1", "TEXTUAL_SCREENSHOT_LOCATION": "."},
    ],
    ids=lambda telltale: next(iter(telltale)),
)
def test_no_file_holds_what_is_typed_or_shown(
    card: Path, monkeypatch: pytest.MonkeyPatch, telltale: dict[str, str]
) -> None:
    """The terminal library has ways to write both down, or to send them; none is left on."""
    companion = card.parent / "elsewhere" / "textual_dev"
    companion.mkdir(parents=True)
    (companion / "__init__.py").write_text(_COMPANION)
    monkeypatch.chdir(card.parent)
    before = set(card.parent.iterdir())
    environ = {**telltale, "PYTHONPATH": str(companion.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    with terminal(card, columns=24, rows=10, **environ) as screen:
        screen.sees("CHOISISSEZ")
        screen.type("c")
        screen.sees("CODE SECRET")
        screen.type(f"{PIN.digits}\r")
        shown = screen.sees(_CODE.pattern).end()
        screen.sees("3[0-3]\\s*s", shown)  # for as long as it takes to draw what is shown
        screen.type("q")
        assert screen.ends() == 0
    assert set(card.parent.iterdir()) == before


def test_a_code_on_the_full_screen(card: Path) -> None:
    """From the card to the code, by keys; then nothing is left, and the terminal is as before."""
    with terminal(card, columns=24, rows=10) as screen:  # so small that digits are digits
        before = screen.mode
        screen.sees("CHOISISSEZ")
        assert screen.mode != before
        screen.type("c")
        screen.sees("CODE SECRET")
        screen.type(f"{PIN.digits}\r")
        code = screen.sees(_CODE.pattern)[0]
        assert verifies(code, atc=1)
        screen.type("q")
        assert screen.ends() == 0
        assert screen.mode == before
    assert PIN.digits not in screen.text
    left, _, after = screen.sent.rpartition(_LEFT)
    assert left
    assert not SEQUENCES.sub("", after).strip()
    with open_card(card):
        pass


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, "\x03", "\x11"])
def test_every_end_puts_the_terminal_back(card: Path, end: signal.Signals | str) -> None:
    """Also one that comes from outside, or in the middle of a PIN."""
    with terminal(card) as screen:
        before = screen.mode
        screen.sees("CHOISISSEZ")
        screen.type("c73")
        screen.sees("••")
        if isinstance(end, str):
            screen.type(end)
        else:
            screen.process.send_signal(end)
        assert screen.ends() == 0
        assert screen.mode == before
        assert _LEFT in screen.sent


def test_another_language_and_time(card: Path) -> None:
    """English, though the shell is French; a code that stays until C."""
    with terminal(card, "--language", "en", "--time", "until-key") as screen:
        screen.sees("CHOOSE")
        screen.type("c")
        screen.sees("PIN")
        screen.type(f"{PIN.digits}\r")
        screen.sees("C TO CLEAR")
        screen.type("q")
        assert screen.ends() == 0


def test_a_burst_on_the_full_screen(card: Path) -> None:
    """Keys behind a wrong PIN do not agree to the last try, however many there are."""
    piped(card, typed=f"c\n{WRONG.digits}\n")
    with terminal(card, columns=24, rows=10) as screen:
        screen.sees("CHOISISSEZ")
        screen.type("c")
        asked = screen.sees("CODE SECRET").end()
        screen.type(f"{WRONG.digits}\r\r\r\r")
        wrong = screen.sees("DERNIER", asked).end()
        screen.type("\r")  # it is read now
        screen.sees("DERNIER", wrong)
        screen.type("q")
        assert screen.ends() == 0
        assert "SECRET ?" not in screen.text[wrong:]
    assert read_summary(card).counters.pin_tries_left == 1


# ── Plain, on a terminal ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("options", "term"), [(["--plain"], "xterm-256color"), ([], "dumb"), ([], "")]
)
def test_a_code_in_plain_text(card: Path, options: Sequence[str], term: str) -> None:
    """Asked for, or on a terminal that can do no more; the PIN is typed unseen."""
    with terminal(card, *options, TERM=term) as screen:
        before = screen.mode
        screen.sees(r"Choisissez.*\r\n> $")
        screen.type("c\n")
        screen.sees(r"Code secret \?\r\n> $")
        assert not screen.mode[3] & termios.ECHO
        screen.type(f"{PIN.digits}\n")
        code = screen.sees(_SPOKEN_CODE.pattern)[1]
        assert verifies(re.sub(r"\D", "", code), atc=1)
        screen.sees(r"35 secondes\.\r\n> $")
        assert screen.mode == before
        screen.type("q\n")
        assert screen.ends() == 0
    assert PIN.digits not in screen.sent
    assert "\x1b" not in screen.sent
    assert set(re.findall(r"[\x00-\x1f]", screen.sent)) == {"\r", "\n"}


@pytest.mark.parametrize(
    ("end", "status"), [("\x04", 0), (signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_every_end_of_plain_text_puts_the_terminal_back(
    card: Path, end: signal.Signals | str, status: int
) -> None:
    """While a PIN is typed unseen: afterwards typing is seen again, and the card is free."""
    with terminal(card, "--plain") as screen:
        before = screen.mode
        screen.sees("> $")
        screen.type("c\n")
        screen.sees(r"Code secret \?\r\n> $")
        if isinstance(end, str):
            screen.type(end)
        else:
            screen.process.send_signal(end)
        assert screen.ends() == status
        assert screen.mode == before
    assert "Traceback" not in screen.text
    with open_card(card):
        pass


def test_the_card_is_taken_out_while_the_pin_is_typed(card: Path) -> None:
    """And put in again."""
    with terminal(card, "--plain") as screen:
        screen.sees("> $")
        screen.type("c\n")
        screen.sees(r"secret \?\r\n> $")
        screen.type("i\n")
        screen.sees(r"Carte retirée\r\n> $")
        screen.type("i\n")
        screen.sees(r"Carte retirée(.|\n|\r)*Choisissez.*\r\n> $")
        screen.type("q\n")
        assert screen.ends() == 0
    assert read_summary(card).counters.pin_tries_left == 3


def test_a_pin_that_nobody_has_asked_for_yet_is_unseen(card: Path) -> None:
    """After a wrong one it is typed again at once: unseen, tried by nobody, and the way is said."""
    with terminal(card, "--plain") as screen:
        screen.sees("> $")
        screen.type("c\n")
        screen.sees(r"secret \?\r\n> $")
        screen.type(f"{WRONG.digits}\n")
        wrong = screen.sees(r"reste 2 essais, appuyez sur OK\r\n> $").end()
        screen.type(f"{PIN.digits}\n")
        screen.sees(
            r"Rien n’a été essayé\. Tapez d’abord Entrée seule, pour OK\.\r\n"
            r"Code secret faux, reste 2 essais, appuyez sur OK\r\n> $",
            wrong,
        )
        screen.type("\n")
        screen.sees(r"Code secret \?\r\n> $", wrong)
        screen.type(f"{WRONG.digits}\n")
        last = screen.sees(r"faux, dernier essai, appuyez sur OK\r\n> $").end()
        screen.type("\n")
        warned = screen.sees(r"Dernier essai, appuyez sur OK\r\n> $", last).end()
        screen.type(f"{PIN.digits}\n")
        screen.sees(r"Entrée seule", warned)
        screen.type("q\n")
        assert screen.ends() == 0
    assert PIN.digits not in screen.text
    assert WRONG.digits not in screen.text
    assert read_summary(card).counters.pin_tries_left == 1


def test_a_burst_of_lines_agrees_to_nothing(card: Path) -> None:
    """What was typed behind a wrong PIN is thrown away, or it would agree to the last try."""
    piped(card, typed=f"c\n{WRONG.digits}\n")
    with terminal(card, "--plain") as screen:
        screen.sees("> $")
        screen.type("c\n")
        screen.sees(r"secret \?\r\n> $")
        screen.type(f"{WRONG.digits}\n\n\n{WRONG.digits}\n\n")
        wrong = screen.sees(r"faux, dernier essai, appuyez sur OK\r\n> $").end()
        screen.type("l\n")
        screen.sees(r"faux, dernier essai, appuyez sur OK\r\n> $", wrong)
        screen.type("q\n")
        assert screen.ends() == 0
        assert "secret ?" not in screen.text[wrong:]
    assert read_summary(card).counters.pin_tries_left == 1


# ── Over pipes ───────────────────────────────────────────────────────────────────────────────────


def test_a_code_over_pipes(card: Path) -> None:
    """One line for each line; no prompt; it ends with the input."""
    done = piped(card, typed=f"c\n{PIN.digits}\n")
    greeting, menu, pin, code = done.stdout.splitlines()
    assert "aide" in greeting
    assert menu.startswith("Choisissez")
    assert pin == "Code secret ?"
    match = _SPOKEN_CODE.search(code)
    assert match
    assert verifies(re.sub(r"\D", "", match[1]), atc=1)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_shells_language(card: Path) -> None:
    """English where that is English."""
    done = piped(card, typed="c\n", LC_ALL="en_GB.UTF-8")
    assert done.stdout.splitlines()[1].startswith("Choose")


def test_a_card_that_gets_blocked(card: Path) -> None:
    """Said by the reader; the program itself has done its work."""
    done = piped(card, typed=f"c\n{WRONG.digits}\n\n{WRONG.digits}\n\n\n{WRONG.digits}\nq\n")
    assert done.stdout.splitlines()[-1] == "Carte bloquée, appelez votre banque"
    assert done.returncode == 0
    assert piped(card, typed="").stdout.splitlines()[-1] == "Carte bloquée, appelez votre banque"


@pytest.mark.parametrize(
    ("language", "words"),
    [([], "cette carte est dans un autre lecteur"), (["--language", "en"], "another reader")],
)
def test_a_card_in_use(card: Path, language: Sequence[str], words: str) -> None:
    """One sentence on standard error, before anything is opened."""
    with open_card(card):
        done = piped(card, *language, typed="c\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("what", ["missing", "damaged", "exposed"])
def test_a_card_that_cannot_be_used(
    card: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Likewise; the file is left as it is."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    match what:
        case "missing":
            card.unlink()
        case "damaged":
            card.write_bytes(card.read_bytes()[:-9])
        case "exposed":
            card.chmod(0o644)
    assert main(["reader", str(card)]) == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert printed.err.startswith(f"{card}\u00a0: ")


def test_wrong_options(capsys: pytest.CaptureFixture[str], card: Path) -> None:
    """Status 2, with what may be chosen."""
    for options in (["--time", "60"], ["--language", "de"]):
        with pytest.raises(SystemExit, match="2"):
            main(["reader", str(card), *options])
    printed = capsys.readouterr().err
    assert "until-key" in printed
    assert "en" in printed


def test_nothing_else_loads_the_terminal_library() -> None:
    """Not even the plain face: it takes a while, and servers have no use for it.

    An import of customers draws its bar with a part of it.
    """
    script = f"""
import sys
from importlib import import_module
for module in {sorted(set(COMMANDS.values()) - {"sesame.cli.customers"})}:
    import_module(module)
sys.exit(bool({{"textual", "rich"}} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=PATIENCE)


# ── The trace ────────────────────────────────────────────────────────────────────────────────────


def test_a_trace_of_all_that_was_done(
    card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A session each time that the card is read, with what was typed in it; PIN and number not."""
    trace = tmp_path / "trace.json"
    typed = f"c\n{PIN.digits}\ne\nm\nr\n20451\n{PIN.digits}\nq\n"
    done = piped("--plain", "--trace", trace, card, typed=typed)
    assert done.returncode == 0
    assert "défi, montant, bénéficiaire). Son cryptogramme permet de refaire le code" in done.stderr
    vectors = json.loads(trace.read_text())["vectors"]
    assert [(one["id"], one["mode"], one["inputs"]) for one in vectors] == [
        ("session-1", "M2", {}),
        ("session-2", "M3", {"challenge": "20451"}),
    ]
    code = SPOKEN.findall(done.stdout)
    assert main(["trace", str(trace)]) == 0
    played = capsys.readouterr().out.splitlines()
    shown = [f"{int(one.replace(',', '').replace(' ', ''))}" for one in code]
    assert [line.split()[1] for line in played] == [f"shown={number}" for number in shown]
    assert DATA.pan.digits not in trace.read_text()
    assert PIN.digits not in "".join(one["command"] for v in vectors for one in v["exchanges"])


def test_a_trace_that_cannot_be(card: Path, tmp_path: Path) -> None:
    """Is said before the card is touched."""
    taken = tmp_path / "trace.json"
    taken.write_text("mine")
    for options in (("--trace", taken), ("--unredacted",)):
        refused = piped("--plain", *options, card, typed="q\n")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "--trace" in refused.stderr or "existe déjà" in refused.stderr
    assert taken.read_text() == "mine"
    assert read_summary(card).counters.atc == 0
