"""Our reader on a real PC/SC service: codes that the bank accepts, and cards that are pulled."""

import importlib.util
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from sesame.cap.mode import LOGIN, Inputs, Mode, signature
from sesame.cap.token import parse_number
from sesame.cap.verification import KeyedCard, match
from sesame.card.card_file import open_card, read_summary
from sesame.card.memory import CardKind, Counters
from sesame.card.personalisation import atr
from sesame.card.plug import Address, keep_plugged
from sesame.card.vpcd import PluggedCard, Turn
from sesame.emv.apdu import Ins
from sesame.emv.atr import Protocol
from sesame.emv.pin import Pin
from tests.interop.service import PATIENCE, Client, Plug, Service, running
from tests.reader.cards import DKI, DPA_KEY, PIN, PROFILES, WRONG, card_file
from tests.terminal.pseudo import Terminal, on_terminal

pytestmark = [
    pytest.mark.needs("pcscd", "vsmartcard-vpcd", "opensc", "gcc", "libpcsclite-dev"),
    pytest.mark.skipif(
        importlib.util.find_spec("smartcard") is None,
        reason="pyscard is not built: Python's headers are missing (python3-dev)",
    ),
    pytest.mark.timeout(600),
]

BOTH_KINDS = pytest.mark.parametrize("kind", PROFILES)
BOTH_PROTOCOLS = pytest.mark.parametrize("protocol", ["t0", "t1"])
SESAME = (sys.executable, "-m", "sesame")
FIRST, SECOND = "Virtual PCD 00 00", "Virtual PCD 00 01"


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """A service for these tests, with nothing in its slots."""
    with running() as started:
        yield started


def code(
    service: Service, *options: str, pin: str = PIN.digits
) -> "subprocess.CompletedProcess[str]":
    """Run `sesame code --pcsc`, in French, the PIN on its standard input."""
    command = [*SESAME, "code", "--pcsc", *options, "--pin-stdin"]
    return service.run(*command, typed=f"{pin}\n", check=False)


def accepted(kind: str, shown: str, atc: int, inputs: Inputs = LOGIN) -> bool:
    """Whether the bank takes it for a code of this ATC."""
    card = KeyedCard(PROFILES[kind], DKI, "00", DPA_KEY)
    return match(card, [atc], parse_number(shown.strip()), inputs) == [True]


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────


@BOTH_KINDS
@BOTH_PROTOCOLS
def test_codes_that_the_bank_accepts(
    service: Service, tmp_path: Path, kind: str, protocol: str
) -> None:
    """Of both cards, T=0 and T=1, in every mode; what is recorded makes them again."""
    payment = signature(PROFILES[kind].iaf, amount=125000, payee="34567890", currency="978")
    modes: Sequence[tuple[Inputs, Sequence[str]]] = (
        (LOGIN, ()),
        (
            Inputs(mode=Mode.M3, challenge="20451"),
            ("--mode", "respond", "--challenge", "20451"),
        ),
        (payment, ("--mode", "sign", "--amount", "1250", "--payee", "34567890")),
    )
    with service.plugged(card_file(tmp_path, kind), "--protocol", protocol):
        for atc, (inputs, options) in enumerate(modes, 1):
            trace = tmp_path / f"{atc}.json"
            made = code(service, *options, "--trace", str(trace))
            assert made.returncode == 0, made.stderr
            assert accepted(kind, made.stdout, atc, inputs)
            assert json.loads(trace.read_text())["vectors"][0]["transport"] == f"T={protocol[1]}"
            played = service.run(*SESAME, "trace", str(trace)).stdout
            assert played == f"session shown={parse_number(made.stdout.strip()).token} ok\n"


def test_a_card_that_answers_whole_under_t0(service: Service, tmp_path: Path) -> None:
    """As behind a reader that handles the lengths itself."""
    with service.plugged(card_file(tmp_path, "sesame"), "--protocol", "t0", "--whole"):
        made = code(service)
        assert accepted("sesame", made.stdout, 1), made.stderr


def test_a_wrong_pin(service: Service, tmp_path: Path) -> None:
    """The card counts, the command says so, and the last try is not spent without a word."""
    path = card_file(tmp_path, "sesame")
    with service.plugged(path):
        said = [code(service, pin=WRONG.digits).stderr.splitlines()[-1] for _ in range(3)]
        assert said[0] == "Code secret faux. Il reste 2 essais."
        assert said[1].startswith("Code secret faux. Il reste 1 essai")
        assert said[2].endswith("ajoutez --last-try.")
        made = code(service, "--last-try")
        assert accepted("sesame", made.stdout, 4), made.stderr
    assert read_summary(path).counters == Counters(atc=4, pin_tries_left=3)


def test_the_reader_in_the_terminal(service: Service, tmp_path: Path) -> None:
    """The same card, with the reader's own keys."""
    with service.plugged(card_file(tmp_path, "sesame")):
        command = [*SESAME, "reader", "--pcsc", "--plain"]
        told = service.run(*command, typed=f"c\n{PIN.digits}\nq\n").stdout
    (shown,) = re.findall(r"Sésame : ((?:\d ){3}\d, (?:\d ){3}\d)\.", told)
    assert accepted("sesame", shown.replace(",", "").replace(" ", ""), 1)


def test_a_report(service: Service, tmp_path: Path) -> None:
    """Of a card in a slot as of its file; nothing moves."""
    path = card_file(tmp_path, "bank")
    inspect = [*SESAME, "card", "inspect"]
    of_file = service.run(*inspect, str(path)).stdout
    with service.plugged(path):
        assert service.run(*inspect, "--pcsc").stdout == of_file
    assert read_summary(path).counters == Counters(atc=0, pin_tries_left=3)


# ── Readers ──────────────────────────────────────────────────────────────────────────────────────


def test_two_cards_in_two_readers(service: Service, tmp_path: Path) -> None:
    """One has to be named: by a part of its name, or by its number."""
    with (
        service.plugged(card_file(tmp_path, "sesame")),
        service.plugged(card_file(tmp_path, "bank"), "--protocol", "t1", slot=1),
    ):
        refused = code(service)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"parmi\u00a0: 0 ({FIRST}), 1 ({SECOND})." in refused.stderr
        assert accepted("sesame", code(service, "00 00").stdout, 1)
        assert accepted("bank", code(service, "1").stdout, 1)
        assert f"parmi\u00a0: 0 ({FIRST}), 1 ({SECOND})." in code(service, "gemalto").stderr


def test_a_card_that_comes_later(service: Service, tmp_path: Path) -> None:
    """Somebody is told to put it in, and then it is there."""
    command = [*SESAME, "code", "--pcsc", "--pin-stdin"]
    with begun(service, *command) as process:
        assert process.stdin is not None
        process.stdin.write(f"{PIN.digits}\n")
        process.stdin.flush()
        wait_for(process, "Insérez la carte")
        with service.plugged(card_file(tmp_path, "sesame")):
            shown, _ = process.communicate(timeout=PATIENCE)
    assert accepted("sesame", shown, 1)


def test_a_card_that_another_program_has(service: Service, tmp_path: Path) -> None:
    """It is not shared: whose transaction it is must be clear."""
    path = card_file(tmp_path, "sesame")
    with service.plugged(path):
        with Client(service) as other:
            assert other.ask("00A4040007A0000000038002").endswith("9000")
            refused = code(service)
            assert f"{FIRST}\u00a0: un autre programme se sert de la carte" in refused.stderr
        assert accepted("sesame", code(service).stdout, 1)


def test_no_service(service: Service, tmp_path: Path) -> None:
    """What to install, and how to start it."""
    nowhere = {**service.environment, "PCSCLITE_CSOCK_NAME": str(tmp_path / "nobody")}
    command = [*SESAME, "code", "--pcsc", "--pin-stdin"]
    refused = subprocess.run(
        command,
        input="7391\n",
        capture_output=True,
        text=True,
        env=nowhere,
        timeout=PATIENCE,
        check=False,
    )
    assert refused.returncode == 1
    assert "apt-get install pcscd" in refused.stderr


def test_a_service_that_ends_while_a_card_is_awaited(service: Service) -> None:
    """It is missed at once."""
    with begun(service, *SESAME, "code", "--pcsc", "--pin-stdin") as process:
        assert process.stdin is not None
        process.stdin.write("7391\n")
        process.stdin.flush()
        wait_for(process, "Insérez la carte")
        service.stop(signal.SIGTERM)
        try:
            _, told = process.communicate(timeout=PATIENCE)
        finally:
            service.start()
    assert "Le service PC/SC ne répond pas." in told


# ── Cards that are pulled ────────────────────────────────────────────────────────────────────────


class Pulled(Exception):
    """The card is out of its slot."""


class Torn(PluggedCard):
    """A card that is pulled at its command number *at*: it has done it, and nobody hears of it."""

    at = 0

    def handle(self, body: bytes) -> Turn:
        """As ever, until then."""
        turn = super().handle(body)
        again = turn.answer is not None and turn.answer[:1] == b"\x6c"  # T=0 will ask once more
        if len(body) > 1 and body[1] != Ins.GET_RESPONSE and not again:
            if self.at == 0:
                raise Pulled
            self.at -= 1
        return turn


@contextmanager
def torn(service: Service, path: Path, at: int, protocol: Protocol = Protocol.T0) -> Iterator[None]:
    """The card of *path* in the first slot, to be pulled at command *at*."""
    ours, theirs = socket.socketpair()
    with ours, theirs, open_card(path) as chip:
        chip.reset()
        card = Torn(chip, atr(CardKind.SESAME, protocol), tpdu=protocol is Protocol.T0)
        card.at = at

        def plug() -> None:
            with suppress(Pulled):
                keep_plugged(card, Address(port=service.port), theirs, lambda _: None)

        thread = threading.Thread(target=plug)
        thread.start()
        try:
            service.wait_for_card(0, present=True)
            yield
        finally:
            ours.send(b"!")
            thread.join(PATIENCE)
    service.wait_for_card(0, present=False)


VERIFY = 4  # behind SELECT, GET PROCESSING OPTIONS, READ RECORD and GET DATA


@pytest.mark.parametrize(("pin", "left"), [(PIN, 3), (WRONG, 2)])
def test_a_card_pulled_while_the_pin_is_checked(
    service: Service, tmp_path: Path, pin: Pin, left: int
) -> None:
    """What the card has judged counts, and it says so when it is back."""
    path = card_file(tmp_path, "sesame")
    with torn(service, path, VERIFY):
        refused = code(service, pin=pin.digits)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"{FIRST}\u00a0: la carte a été retirée trop tôt." in refused.stderr
    assert read_summary(path).counters == Counters(atc=1, pin_tries_left=left)
    with service.plugged(path):
        made = code(service)
    assert f"Essais du code secret qui restent\u00a0: {left}." in made.stderr
    assert accepted("sesame", made.stdout, 2)
    assert read_summary(path).counters == Counters(atc=2, pin_tries_left=3)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("at", range(7))
def test_a_card_pulled_at_every_command(
    service: Service, tmp_path: Path, at: int, protocol: Protocol
) -> None:
    """No code is shown but the one whose transaction is closed; the next one is good."""
    path = card_file(tmp_path, "sesame")
    with torn(service, path, at, protocol):
        refused = code(service)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "la carte a été retirée trop tôt" in refused.stderr
    atc = read_summary(path).counters.atc
    assert atc == (1 if at >= 1 else 0)
    with service.plugged(path):
        made = code(service)
    assert accepted("sesame", made.stdout, atc + 1), made.stderr
    assert read_summary(path).counters == Counters(atc=atc + 1, pin_tries_left=3)


# ── A session at the terminal, and the card is pulled while it checks the PIN ────────────────────

TORN = str(Path(__file__).parent / "torn_plug.py")
TOO_EARLY = re.escape(f"{FIRST} : la carte a été retirée trop tôt. Remettez-la et recommencez")
# How far the card came, and the tries that are left then: of three, with the right PIN and a wrong
# one. The try is spent before anything is compared, and given back to the right one.
MOMENTS = {
    "asked": (3, 3),
    "drafted": (3, 3),
    "spent": (2, 2),
    "judged": (3, 2),
}
PULLED = [
    pytest.param(moment, pin, left, id=f"{moment}-{name}")
    for moment, tries in MOMENTS.items()
    for name, pin, left in zip(("right", "wrong"), (PIN, WRONG), tries, strict=True)
]


@contextmanager
def session(service: Service, *command: str) -> Iterator[Terminal]:
    """`sesame` on a terminal of its own."""
    found = {"PCSCLITE_CSOCK_NAME": str(service.socket)}
    with on_terminal([*SESAME, *command], found) as screen:
        before = screen.mode
        yield screen
        assert screen.mode == before, "what is typed is to be seen again"
    assert PIN.digits not in screen.text
    assert WRONG.digits not in screen.text


def torn_at(service: Service, path: Path, moment: str) -> AbstractContextManager[Plug]:
    """The card of *path* in the first slot; at its next VERIFY it comes to *moment* and goes."""
    return service.plugged(path, program=(sys.executable, TORN, moment))


def tries_of(service: Service, *card: str) -> int:
    """What a report says of them."""
    report = json.loads(service.run(*SESAME, "card", "inspect", "--json", *card).stdout)
    tries: int = report["applications"][0]["tries_left"]
    return tries


@pytest.mark.parametrize(("moment", "pin", "left"), PULLED)
def test_the_card_is_pulled_from_sesame_code(
    service: Service, tmp_path: Path, moment: str, pin: Pin, left: int
) -> None:
    """The counter is the card's own, whatever came of the PIN, and whoever asks is told it."""
    path = card_file(tmp_path, "sesame")
    with torn_at(service, path, moment), session(service, "code", "--pcsc") as screen:
        screen.sees("Essais du code secret qui restent : 3.")
        screen.sees("arrêter")
        screen.type(f"{pin.digits}\n")
        screen.sees(TOO_EARLY)
        assert screen.ends() == 1
    assert read_summary(path).counters == Counters(atc=1, pin_tries_left=left)
    with service.plugged(path):
        assert tries_of(service, "--pcsc") == left
        with session(service, "code", "--pcsc") as screen:
            screen.sees(f"Essais du code secret qui restent : {left}.")
            screen.sees("arrêter")
            screen.type(f"{PIN.digits}\n")
            shown = screen.sees(r"(?m)^\d{4} \d{4}")[0]
            assert screen.ends() == 0
    assert accepted("sesame", shown, 2)
    assert read_summary(path).counters == Counters(atc=2, pin_tries_left=3)


@pytest.mark.parametrize(("moment", "pin", "left"), PULLED[4:])
@pytest.mark.parametrize("face", ["plain", "full"])
def test_the_card_is_pulled_from_sesame_reader(  # noqa: PLR0913, PLR0917 -- what happened, and to whom
    service: Service, tmp_path: Path, moment: str, pin: Pin, left: int, face: str
) -> None:
    """The reader says why, sees the card that is put in again, and how it stands."""
    path, trace = card_file(tmp_path, "sesame"), tmp_path / "trace.json"
    options = ("--plain",) if face == "plain" else ()
    enter = "\n" if face == "plain" else "\r"
    command = ("reader", "--pcsc", "--trace", str(trace), *options)
    with session(service, *command) as screen:
        with torn_at(service, path, moment):
            screen.sees("(?i)choisissez")
            screen.type("c" if face == "full" else "c\n")
            screen.sees("Essais du code secret qui restent : 3.")
            screen.sees("(?i)code secret \\?")
            screen.type(pin.digits + enter)
            pulled = screen.sees("la carte a été retirée trop tôt").end()
            assert read_summary(path).counters == Counters(atc=1, pin_tries_left=left)
        with service.plugged(path):
            again = screen.sees("(?i)choisissez", pulled).end()
            screen.type("c" if face == "full" else "c\n")
            screen.sees(f"Essais du code secret qui restent : {left}.", again)
            screen.sees("(?i)code secret \\?", again)
            screen.type(PIN.digits + enter)
            if face == "plain":
                shown = screen.sees(r"Sésame : ((?:\d ){3}\d, (?:\d ){3}\d)\.")[1]
                assert accepted("sesame", shown.replace(",", "").replace(" ", ""), 2)
            else:
                screen.sees("(?i)code sésame", again)
            screen.type("q" if face == "full" else "q\n")
            assert screen.ends() == 0
    assert read_summary(path).counters == Counters(atc=2, pin_tries_left=3)
    first, second = json.loads(trace.read_text())["vectors"]
    assert first["note"].endswith("; no answer to VERIFY: CardPulled")
    assert (first["id"], second["id"]) == ("session-1", "session-2")
    assert "49701" not in trace.read_text()
    played = service.run(*SESAME, "trace", str(trace)).stdout.splitlines()
    assert played[0].startswith("session-1 refused:")
    assert re.fullmatch(r"session-2 shown=\d+ ok", played[1])


# ── Programs that run for a while ────────────────────────────────────────────────────────────────


@contextmanager
def begun(service: Service, *command: str) -> Iterator["subprocess.Popen[str]"]:
    """A program that is still running."""
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=service.environment,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: "subprocess.Popen[str]", words: str) -> None:
    """Until it has said *words* on its error output."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"{words!r} was never said")
