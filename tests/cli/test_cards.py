"""`sesame code`: a code of any mode from a card file, and what it refuses."""

import errno
import io
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from sesame.cap.mode import LOGIN, Inputs, Mode, signature
from sesame.cap.profile import Profile
from sesame.cap.token import parse_number
from sesame.cap.verification import KeyedCard, match
from sesame.card.card_file import read_summary
from sesame.card.memory import Counters
from sesame.cli.main import main
from tests.reader.cards import DATA, DKI, DPA_KEY, PIN, PROFILES, WRONG, card_file

SIGN = ("--mode", "sign", "--amount", "1250,00", "--payee", "34567890")
MODES = {
    "code": (LOGIN, ()),
    "respond": (Inputs(mode=Mode.M3, challenge="20451"), ("--challenge", "20451")),
    "tds": (Inputs(mode=Mode.TDS, fields=("1", "0023")), ("--field", "1", "--field", "0023")),
}


@pytest.fixture(autouse=True)
def french(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")


class Typist:
    """Somebody who pipes a PIN in, or sits at the terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self.prompts: list[str] = []

    def pipes(self, text: str) -> None:
        """*text* is on standard input."""
        self._patch.setattr("sys.stdin", io.StringIO(text))

    def types(self, answers: Iterable[str | None]) -> None:
        """*answers* are typed at the prompt, one after the other; None is Ctrl-D."""
        left = list(answers)

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        def getpass(prompt: str) -> str:
            self.prompts.append(prompt)
            answer = left.pop(0)
            if answer is None:
                raise EOFError
            return answer

        self._patch.setattr("sys.stdin", Terminal())
        self._patch.setattr("getpass.getpass", getpass)


@pytest.fixture
def typist(monkeypatch: pytest.MonkeyPatch) -> Typist:
    """Who has not typed anything yet."""
    return Typist(monkeypatch)


def verifies(profile: Profile, atc: int, shown: str, inputs: Inputs) -> bool:
    """Whether the bank accepts what was *shown*."""
    return match(KeyedCard(profile, DKI, "00", DPA_KEY), [atc], parse_number(shown), inputs) == [
        True
    ]


@pytest.mark.parametrize("kind", PROFILES)
@pytest.mark.parametrize("mode", MODES)
def test_a_code_of_each_mode(
    tmp_path: Path, typist: Typist, kind: str, mode: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone on its line, and the bank accepts it."""
    inputs, options = MODES[mode]
    path = card_file(tmp_path, kind)
    for atc in (1, 2):
        typist.pipes(f"{PIN.digits}\n")
        assert main(["code", str(path), "--pin-stdin", "--mode", mode, *options]) == 0
        printed = capsys.readouterr()
        assert printed.err == ""
        assert verifies(PROFILES[kind], atc, printed.out.strip(), inputs)


@pytest.mark.parametrize("kind", PROFILES)
def test_the_card_decides_how_it_signs(
    tmp_path: Path, typist: Typist, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mode 1 or TDS, as its IAF has it: what `sesame verify --mode sign` expects."""
    profile = PROFILES[kind]
    typist.pipes(f"{PIN.digits}\n")
    assert main(["code", str(card_file(tmp_path, kind)), "--pin-stdin", *SIGN]) == 0
    signed = signature(profile.iaf, amount=125000, payee="34567890", currency="978")
    assert verifies(profile, 1, capsys.readouterr().out.strip(), signed)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--challenge", "500"), "ce mode ne prend pas de défi"),
        (("--amount", "500"), "ce mode ne prend ni montant ni monnaie"),
        (("--payee", "500"), "--mode code ne prend pas --payee"),
        ((*SIGN, "--field", "1"), "--mode sign ne prend pas --field"),
        (("--mode", "sign", "--payee", "1"), "signer un montant nul"),
        (("--mode", "respond", "--challenge", "123456789"), "un défi a huit chiffres au plus"),
        (("--mode", "tds"), "et il y en a 0"),
    ],
)
def test_what_no_card_takes_is_said_first(
    tmp_path: Path,
    typist: Typist,
    options: tuple[str, ...],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No card is touched, no PIN is read."""
    typist.pipes("")
    assert main(["code", str(tmp_path / "no.card"), "--pin-stdin", *options]) == 1
    printed = capsys.readouterr()
    assert sentence in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    "options",
    [
        ("--mode", "respond", "--challenge", "000"),
        ("--mode", "m1", "--challenge", "1", "--amount", "12"),
    ],
)
def test_what_would_not_enter_the_code(
    tmp_path: Path, typist: Typist, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Zeros, or an amount for a card that takes none: said before the PIN goes to the card."""
    path = card_file(tmp_path, "bank")
    typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", str(path), "--pin-stdin", *options]) == 1
    assert "n’entre pas, ou pas en entier" in capsys.readouterr().err
    assert read_summary(path).counters == Counters(atc=1, pin_tries_left=3)


def test_the_pin_at_the_terminal(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked again in the same session, so that a slip costs no second number of the counter."""
    path = card_file(tmp_path, "sesame")
    typist.types(["12", WRONG.digits, PIN.digits])
    assert main(["code", str(path)]) == 0
    printed = capsys.readouterr()
    assert verifies(PROFILES["sesame"], 1, printed.out.strip(), LOGIN)
    assert printed.err.splitlines() == [
        "Le code secret d’une carte a de 4 à 12 chiffres.",
        "Code secret faux. Il reste 2 essais.",
    ]
    assert typist.prompts == ["Code secret de la carte (Entrée pour arrêter)\u00a0: "] * 3
    assert read_summary(path).counters == Counters(atc=1, pin_tries_left=3)


@pytest.mark.parametrize("nothing", ["", None])
def test_nothing_is_typed(
    tmp_path: Path, typist: Typist, nothing: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Enter alone, or the end of the input: the card keeps its tries."""
    path = card_file(tmp_path, "sesame")
    typist.types([nothing])
    assert main(["code", str(path)]) == 1
    assert "aucun code secret n’a été envoyé" in capsys.readouterr().err
    typist.types([WRONG.digits, nothing])
    assert main(["code", str(path)]) == 1
    assert "Il reste 2 essais." in capsys.readouterr().err
    assert read_summary(path).counters.pin_tries_left == 2


def test_without_a_terminal(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option is named, as one that is missing, and the card is not touched."""
    typist.pipes("")
    with pytest.raises(SystemExit, match="2"):
        main(["code", str(tmp_path / "no.card")])
    assert "donnez --pin-stdin" in capsys.readouterr().err


@pytest.mark.parametrize("piped", ["", "123\n", "12a4\n", "1234567890123\n"])
def test_what_is_piped_in_and_no_pin(
    tmp_path: Path, typist: Typist, piped: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not repeated."""
    typist.pipes(piped)
    assert main(["code", str(tmp_path / "no.card"), "--pin-stdin"]) == 1
    assert capsys.readouterr().err == "Le code secret d’une carte a de 4 à 12 chiffres.\n"


def test_a_wrong_pin_piped_in(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is tried once a call, until the card is blocked."""
    path = card_file(tmp_path, "sesame")
    said = []
    for _ in range(4):
        typist.pipes(f"{WRONG.digits}\n")
        assert main(["code", str(path), "--pin-stdin"]) == 1
        said.append(capsys.readouterr().err.strip())
    assert said == [
        "Code secret faux. Il reste 2 essais.",
        "Code secret faux. Il reste 1 essai\u00a0: au prochain code faux, la carte se bloque.",
        said[2],
        said[2],
    ]
    assert said[2].startswith("Il reste 0 essai\u00a0: le code secret de la carte est bloqué.")


def test_the_process_list_has_no_pin() -> None:
    """Nor the help an option for it: there is no argument that carries one."""
    with pytest.raises(SystemExit) as ended:
        main(["code", "some.card", "--pin", PIN.digits])
    assert ended.value.code == 2


# ── The trace ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("options", [(), ("--unredacted",)])
def test_a_trace_makes_the_same_code(
    tmp_path: Path, typist: Typist, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody else reads it, and `sesame trace` shows what `sesame code` has shown."""
    path, trace = card_file(tmp_path, "bank"), tmp_path / "a {trace}.json"
    typist.pipes(f"{PIN.digits}\n")
    command = ["code", str(path), "--pin-stdin", *SIGN, "--trace", str(trace), *options]
    assert main(command) == 0
    code, told = capsys.readouterr()
    assert trace.stat().st_mode & 0o777 == 0o600
    assert told.startswith(f"{trace}\u00a0: la session y est")
    assert "Son cryptogramme permet de refaire le code" in told
    assert ("Ne la donnez à personne." in told) is bool(options)
    assert (DATA.pan.digits in trace.read_text()) is bool(options)
    number = parse_number(code).token
    assert main(["trace", str(trace)]) == 0
    assert capsys.readouterr().out == f"session shown={number} ok\n"


def test_a_trace_with_its_code(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where somebody asks for it."""
    path, trace = card_file(tmp_path, "sesame"), tmp_path / "trace.json"
    typist.pipes(f"{PIN.digits}\n")
    assert main(["code", str(path), "--pin-stdin", "--trace", str(trace), "--trace-code"]) == 0
    number = parse_number(capsys.readouterr().out).token
    assert main(["trace", str(trace)]) == 0
    assert capsys.readouterr().out == f"session shown={number} expected={number} ok\n"


def test_a_trace_of_no_code(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is kept for who wants to know why; without a cryptogram it may be given away at once."""
    path, trace = card_file(tmp_path, "sesame"), tmp_path / "trace.json"
    typist.pipes(f"{WRONG.digits}\n")
    assert main(["code", str(path), "--pin-stdin", "--trace", str(trace)]) == 1
    told = capsys.readouterr().err
    assert "ni nom." in told
    assert "cryptogramme" not in told
    assert WRONG.digits not in trace.read_text()
    assert '"63C2"' in trace.read_text()


def test_a_trace_never_takes_the_place_of_a_file(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said before the card is touched."""
    path, trace = card_file(tmp_path, "sesame"), tmp_path / "trace.json"
    trace.write_text("mine")
    typist.pipes(f"{PIN.digits}\n")
    assert main(["code", str(path), "--pin-stdin", "--trace", str(trace)]) == 1
    assert "existe déjà et reste tel qu’il est" in capsys.readouterr().err
    assert trace.read_text() == "mine"
    assert read_summary(path).counters.atc == 0
    typist.pipes(f"{PIN.digits}\n")
    nowhere = tmp_path / "no folder" / "trace.json"
    assert main(["code", str(path), "--pin-stdin", "--trace", str(nowhere)]) == 1
    assert "le système refuse" in capsys.readouterr().err
    assert read_summary(path).counters.atc == 0


def test_a_trace_of_nothing(
    tmp_path: Path, typist: Typist, capsys: pytest.CaptureFixture[str]
) -> None:
    """No card, no session, no file."""
    trace = tmp_path / "trace.json"
    typist.pipes(f"{PIN.digits}\n")
    assert main(["code", str(tmp_path / "no.card"), "--pin-stdin", "--trace", str(trace)]) == 1
    assert "cette carte n’existe pas" in capsys.readouterr().err
    assert not trace.exists()


@pytest.mark.parametrize("option", ["--unredacted", "--trace-code"])
def test_what_goes_with_a_trace(
    tmp_path: Path, typist: Typist, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Is nothing without one."""
    typist.pipes(f"{PIN.digits}\n")
    assert main(["code", str(card_file(tmp_path, "sesame")), "--pin-stdin", option]) == 1
    assert "vont avec --trace" in capsys.readouterr().err


def test_a_disk_that_is_full(
    tmp_path: Path,
    typist: Typist,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The code was made all the same; what is missing is said."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    typist.pipes(f"{PIN.digits}\n")
    path = card_file(tmp_path, "sesame")
    monkeypatch.setattr("sesame.cli.tracing.recording", full)
    assert main(["code", str(path), "--pin-stdin", "--trace", str(tmp_path / "t")]) == 1
    printed = capsys.readouterr()
    assert re.fullmatch(r"\d{4} \d{4}\n", printed.out)
    assert "le système refuse (no space left)" in printed.err
    assert not (tmp_path / "t").exists()
