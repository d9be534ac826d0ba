"""`sesame code --pcsc`: what is said and asked before a card that somebody needs sees its PIN."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sesame.cap.mode import LOGIN
from sesame.card.card_file import open_card, read_summary
from sesame.card.chip import Chip
from sesame.card.memory import Counters
from sesame.cli.main import main
from tests.cli.test_cards import Typist, verifies
from tests.reader import pcsc
from tests.reader.cards import PIN, PROFILES, WRONG, card_file
from tests.reader.pcsc import FakeLibrary, FakeReader, pad, t0

NOTICE = (
    "Un code va être fait avec cette carte. Dès qu’elle est lue, son compteur avance d’un numéro, "
    "que le code serve ou non."
)
SEEN = "Cet ordinateur voit passer le code secret."
UNSEEN = "Tapez le code secret sur le clavier du lecteur\u00a0: cet ordinateur ne le voit pas."
LAST = "C’est le dernier essai\u00a0: un code faux bloque la carte. "


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


class Desk:
    """A computer with one reader, and somebody at it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.typist = Typist(monkeypatch)
        self.path = card_file(folder, "sesame")
        self.reader = FakeReader()
        self.library = FakeLibrary(ACS_ACR38U_00_00=self.reader)

        class Package:
            scard = self.library

        monkeypatch.setitem(sys.modules, "smartcard", Package)

    def insert(self, chip: Chip) -> None:
        """Put a card in."""
        chip.reset()
        self.reader.answer, self.reader.reset = t0(chip.respond), chip.reset

    @property
    def counters(self) -> Counters:
        """What the card has counted."""
        return read_summary(self.path).counters


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """With a card in its reader."""
    desk = Desk(tmp_path, monkeypatch)
    with open_card(desk.path) as chip:
        desk.insert(chip)
        yield desk


def use_up(desk: Desk, tries: int) -> None:
    """Leave so many tries."""
    for _ in range(3 - tries):
        desk.typist.pipes(f"{WRONG.digits}\n")
        assert main(["code", "--pcsc", "--pin-stdin"]) == 1


def test_a_code(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The code alone on standard output; before the PIN, what becomes of the card."""
    desk.typist.types([PIN.digits])
    assert main(["code", "--pcsc"]) == 0
    printed = capsys.readouterr()
    assert verifies(PROFILES["sesame"], 1, printed.out.strip(), LOGIN)
    assert printed.err.splitlines() == [
        NOTICE,
        "Essais du code secret qui restent\u00a0: 3.",
        SEEN,
    ]
    assert desk.library.connected is None


def test_a_pin_piped_in(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """For scripts; told all the same, and tried once."""
    desk.typist.pipes(f"{PIN.digits}\n")
    assert (
        main(["code", "--pcsc", "acr", "--pin-stdin", "--mode", "respond", "--challenge", "7"]) == 0
    )
    assert SEEN in capsys.readouterr().err
    desk.typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", "--pcsc", "0", "--pin-stdin"]) == 1
    assert "Il reste 2 essais." in capsys.readouterr().err
    assert desk.counters.pin_tries_left == 2


def test_a_wrong_pin_is_told_and_asked_again(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the same session: the counter moves once."""
    desk.typist.types([WRONG.digits, PIN.digits])
    assert main(["code", "--pcsc"]) == 0
    assert capsys.readouterr().err.splitlines()[3:] == [
        "Code secret faux. Il reste 2 essais.",
        SEEN,
    ]
    assert desk.counters.atc == 1


def test_the_last_try_wants_a_word(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """No is no, whatever else is typed is no, and yes is yes."""
    use_up(desk, 1)
    for word in ("non", "", None, "1"):
        desk.typist.types([word])
        assert main(["code", "--pcsc"]) == 1
        assert desk.typist.prompts.pop() == f"{LAST}Essayer (oui/non)\u202f? "
        assert capsys.readouterr().err.endswith("\nRien n’a été essayé.\n")
    assert desk.counters.pin_tries_left == 1
    desk.typist.types(["Oui", PIN.digits])
    assert main(["code", "--pcsc"]) == 0
    assert desk.counters.pin_tries_left == 3


def test_the_last_try_comes_while_typing(desk: Desk) -> None:
    """After the second wrong PIN of a session it is asked too."""
    desk.typist.types([WRONG.digits, WRONG.digits, "non"])
    assert main(["code", "--pcsc"]) == 1
    assert desk.typist.prompts[-1].startswith(LAST)
    assert desk.counters.pin_tries_left == 1


def test_the_last_try_in_a_script(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Only with its option: no card is lost by a loop."""
    use_up(desk, 1)
    desk.typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", "--pcsc", "--pin-stdin"]) == 1
    assert "ajoutez --last-try" in capsys.readouterr().err
    assert desk.counters.pin_tries_left == 1
    desk.typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", "--pcsc", "--pin-stdin", "--last-try"]) == 1
    assert desk.counters.pin_tries_left == 0


@pytest.mark.parametrize(("word", "status"), [("non", 1), ("oui", 0)])
def test_tries_that_the_card_does_not_say(
    desk: Desk, capsys: pytest.CaptureFixture[str], word: str, status: int
) -> None:
    """Any may be the last: asked once at a terminal; a script needs its option."""
    told = desk.reader.answer
    assert told is not None

    def silent(raw: bytes) -> bytes:
        return b"\x6a\x88" if raw[1:4] == b"\xca\x9f\x17" else told(raw)

    desk.reader.answer = silent
    desk.typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", "--pcsc", "--pin-stdin"]) == 1
    assert "C’est peut-être le dernier essai" in capsys.readouterr().err
    assert desk.counters.pin_tries_left == 3
    desk.typist.types([word, PIN.digits])
    assert main(["code", "--pcsc"]) == status
    assert "".join(desk.typist.prompts).count("Essayer (oui/non)\u202f?") == 1
    desk.typist.pipes(f"{PIN.digits}\n")
    assert main(["code", "--pcsc", "--pin-stdin", "--last-try"]) == 0


def test_a_card_without_tries_is_asked_for_no_pin(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody types one in vain."""
    use_up(desk, 1)
    desk.typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", "--pcsc", "--pin-stdin", "--last-try"]) == 1
    desk.typist.types([])
    capsys.readouterr()
    assert main(["code", "--pcsc"]) == 1
    assert "Il reste 0 essai" in capsys.readouterr().err
    assert desk.typist.prompts == []


def test_nothing_is_typed(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Enter alone: nothing is tried."""
    desk.typist.types([""])
    assert main(["code", "--pcsc"]) == 1
    assert "aucun code secret n’a été envoyé" in capsys.readouterr().err
    assert desk.counters.pin_tries_left == 3


@pytest.mark.parametrize("options", [[], ["--pin-stdin"]])
def test_standard_input_is_closed(
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As some programs start others; nothing is tried."""
    monkeypatch.setattr("sys.stdin", None)
    assert main(["code", "--pcsc", *options]) == 1
    assert "code secret" in capsys.readouterr().err.splitlines()[-1]
    assert desk.counters.pin_tries_left == 3


def test_what_is_piped_in_is_no_text(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no PIN, and is not repeated."""
    strict = io.TextIOWrapper(io.BytesIO(b"\xff7391\n"), encoding="utf-8", errors="strict")
    monkeypatch.setattr("sys.stdin", strict)
    assert main(["code", "--pcsc", "--pin-stdin"]) == 1
    assert capsys.readouterr().err == "Le code secret d’une carte a de 4 à 12 chiffres.\n"
    assert desk.library.called == []


def test_without_a_terminal(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A reader without keys needs one, or --pin-stdin."""
    desk.typist.pipes("")
    assert main(["code", "--pcsc"]) == 1
    assert "donnez --pin-stdin" in capsys.readouterr().err


# ── A reader with keys ───────────────────────────────────────────────────────────────────────────


def test_the_pin_on_the_reader(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """No terminal is needed, and nothing is read from it."""
    assert desk.reader.answer is not None
    desk.reader.typed = pad(desk.reader.answer, PIN.digits)
    desk.typist.pipes("")
    assert main(["code", "--pcsc"]) == 0
    printed = capsys.readouterr()
    assert verifies(PROFILES["sesame"], 1, printed.out.strip(), LOGIN)
    assert printed.err.splitlines()[1:] == ["Essais du code secret qui restent\u00a0: 3.", UNSEEN]


def test_a_pin_on_the_reader_and_another_piped_in(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is refused: it would have passed through here."""
    desk.reader.typed = pad(lambda _: b"\x90\x00", PIN.digits)
    desk.typist.pipes(f"{PIN.digits}\n")
    assert main(["code", "--pcsc", "--pin-stdin"]) == 1
    assert "Recommencez sans --pin-stdin." in capsys.readouterr().err
    assert desk.counters.pin_tries_left == 3


def test_nobody_types_on_the_reader(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so when its time is over."""
    desk.reader.typed = lambda _: b"\x64\x00"
    desk.typist.pipes("")
    assert main(["code", "--pcsc"]) == 1
    assert (
        "Le clavier du lecteur dit qu’aucun code secret n’y a été tapé." in capsys.readouterr().err
    )


def test_the_last_try_on_the_reader(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Wants a word as well."""
    use_up(desk, 1)
    desk.reader.typed = lambda _: b"\x90\x00"
    desk.typist.pipes("")
    assert main(["code", "--pcsc"]) == 1
    assert "ajoutez --last-try" in capsys.readouterr().err
    assert desk.library.controlled == []


def test_a_pad_that_cannot_ask_so(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Another reader is what it takes; nobody says that nothing was tried."""
    desk.reader.typed = lambda _: b"\x6b\x80"
    desk.typist.pipes("")
    assert main(["code", "--pcsc"]) == 1
    assert "Prenez un autre lecteur\u00a0: la carte y dira" in capsys.readouterr().err


# ── What is missing ──────────────────────────────────────────────────────────────────────────────


def test_a_card_is_awaited(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """So long as was said, and somebody is told where."""
    desk.reader.answer = None
    desk.typist.types([])
    assert main(["code", "--pcsc", "--wait", "0.1"]) == 1
    told, ended = capsys.readouterr().err.splitlines()[1:]
    assert told == "Insérez la carte, puce vers le haut (0\u00a0s)\u00a0: ACS ACR38U 00 00."
    assert ended.startswith("Aucune carte en 0 secondes.")


@pytest.mark.parametrize("wait", ["inf", "nan", "-1", "3601", "x"])
def test_a_wait_that_would_not_end(desk: Desk, wait: str) -> None:
    """Is called wrongly."""
    with pytest.raises(SystemExit) as ended:
        main(["code", "--pcsc", "--wait", wait])
    assert ended.value.code == 2
    assert desk.library.called == []


@pytest.mark.parametrize("arguments", [[], ["some.card", "--pcsc"]])
def test_a_file_or_a_reader(desk: Desk, arguments: list[str]) -> None:
    """One of them, and not both."""
    with pytest.raises(SystemExit) as ended:
        main(["code", *arguments])
    assert ended.value.code == 2
    assert desk.library.called == []


@pytest.mark.parametrize(
    ("call", "code", "cure"),
    [
        ("SCardEstablishContext", pcsc.NO_SERVICE, "apt-get install pcscd"),
        ("SCardEstablishContext", pcsc.FORBIDDEN, "polkit"),
        ("SCardEstablishContext", 0x80100001, "(erreur 80100001)"),
        ("SCardListReaders", pcsc.NO_READERS, "apt-get install libccid"),
        ("SCardConnect", pcsc.BUSY, "ACS ACR38U 00 00\u00a0: un autre programme"),
        ("SCardConnect", pcsc.UNAVAILABLE, "Rebranchez-le"),
        ("SCardReconnect", pcsc.MISMATCH, "ni T=0 ni T=1"),
        ("SCardTransmit", pcsc.REMOVED, "la carte a été retirée trop tôt"),
        ("SCardTransmit", pcsc.UNRESPONSIVE, "La carte ne répond pas"),
    ],
)
def test_each_failure_says_what_to_do(
    desk: Desk, call: str, code: int, cure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sentence, in both languages."""
    desk.library.codes[call] = code
    desk.typist.types([])
    assert main(["code", "--pcsc"]) == 1
    printed = capsys.readouterr()
    assert cure in printed.err
    assert printed.out == ""


def test_without_pyscard(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to install."""
    monkeypatch.setitem(sys.modules, "smartcard", None)
    desk.typist.types([])
    assert main(["code", "--pcsc"]) == 1
    assert "pip install pyscard" in capsys.readouterr().err
    assert desk.library.called == []


def test_a_name_that_no_reader_has(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that there are are listed."""
    desk.typist.types([])
    assert main(["code", "--pcsc", "Gemalto"]) == 1
    assert "parmi\u00a0: 0 (ACS ACR38U 00 00)." in capsys.readouterr().err
    assert desk.library.connected is None


# ── A card that is inspected ─────────────────────────────────────────────────────────────────────


def test_a_report_of_a_real_card(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as of its file, and nothing has moved."""
    assert main(["card", "inspect", "--pcsc", "ACS"]) == 0
    assert "CARTE" not in capsys.readouterr().err
    assert desk.counters == Counters(atc=0, pin_tries_left=3)
    assert desk.library.connected is None


def test_its_transaction(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """With consent, and of the card that it was given for: it is ours all the while."""
    desk.typist.types([PIN.digits])
    assert main(["card", "inspect", "--pcsc", "--transaction"]) == 0
    assert "code secret vérifié et juste" in capsys.readouterr().out
    assert desk.counters.atc == 1
    assert desk.library.called.count("SCardConnect") == 1
    assert desk.library.connected is None


def test_its_transaction_with_the_pin_on_the_reader(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed there and nowhere else; where nothing is typed, nothing is tried."""
    assert desk.reader.answer is not None
    desk.reader.typed = pad(desk.reader.answer, PIN.digits)
    desk.typist.pipes("")
    assert main(["card", "inspect", "--pcsc", "--transaction"]) == 0
    printed = capsys.readouterr()
    assert "code secret vérifié et juste" in printed.out
    assert UNSEEN in printed.err
    desk.typist.pipes(f"{PIN.digits}\n")
    assert main(["card", "inspect", "--pcsc", "--transaction", "--pin-stdin"]) == 1
    assert "Recommencez sans --pin-stdin." in capsys.readouterr().err
    desk.reader.typed = lambda _: b"\x64\x00"
    desk.typist.pipes("")
    assert main(["card", "inspect", "--pcsc", "--transaction"]) == 1
    assert "qu’aucun code secret n’y a été tapé" in capsys.readouterr().err
    assert desk.counters == Counters(atc=2, pin_tries_left=3)


def test_the_name_of_a_reader_steers_no_terminal(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """A USB device chooses what it is called."""
    desk.library.readers = {"Evil\x1b]0;x\x07\u202e": desk.reader}
    desk.reader.answer = None
    assert main(["code", "--pcsc", "--wait", "0"]) == 1
    assert "Evil?]0;x??" in capsys.readouterr().err
