"""`sesame card plug`: a card file in a slot, and what becomes of it whatever happens there."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.card.card_file import create, open_card, read_summary
from sesame.card.memory import CardKind, Counters
from sesame.card.personalisation import atr
from sesame.cli.main import main
from sesame.emv.apdu import AcType, Command, generate_ac, get_data, read_record, select
from sesame.emv.atr import Protocol
from sesame.emv.tags import Tag
from tests.card.cards import (
    CDOL1_DATA,
    DPA,
    DPA_KEY,
    GPO,
    NEW,
    PAN,
    RIGHT,
    WRONG,
    bank_image,
    sesame_image,
)
from tests.card.driver import ON, PATIENCE, RESET, Driver

OK = bytes.fromhex("9000")


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """A Sésame card's file."""
    path = tmp_path / "vera.card"
    create(path, sesame_image(), NEW)
    return path


@contextmanager
def plugging(path: Path, *options: str, language: str = "fr") -> Iterator[subprocess.Popen[str]]:
    """`sesame card plug` as a process of its own; killed in the end where it still runs."""
    command = [sys.executable, "-m", "sesame", "card", "plug", str(path), *options]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LC_ALL": f"{language}_FR.UTF-8", "PYTHONUTF8": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def in_slot(path: Path, *options: str) -> Iterator[tuple[Driver, subprocess.Popen[str]]]:
    """The same, dialled in and without power yet."""
    with Driver() as driver, plugging(path, "--reader", str(driver.address), *options) as process:
        driver.accept()
        yield driver, process


def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> tuple[int, str, str]:
    """Its exit status and what it printed, after a signal."""
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_card_is_plugged_until_a_signal(card: Path, number: int) -> None:
    """Exit status 0, and one line an event; neither PIN, number, key nor data is in any."""
    said = [select(DPA), GPO, WRONG, RIGHT, read_record(1, 1), get_data(Tag.ATC)]
    with in_slot(card, "--whole") as (driver, process):
        driver.power_on()
        for command in said:
            driver.ask(command.encode())
        driver.say(RESET)
        driver.ask(select(DPA).encode())
        status, out, err = end(process, number)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d ", at) for at in lines)
    events = [line.split(" ", 1)[1] for line in lines]
    assert events == [
        f"plugged kind=sesame reader={driver.address} protocol=T=0 atr={sesame_image().atr.hex()}",
        "connected",
        "power-on",
        'command name="SELECT" sw=9000',
        'command name="GET PROCESSING OPTIONS" sw=9000',
        'command name="VERIFY" sw=63C2',
        'command name="VERIFY" sw=9000',
        'command name="READ RECORD" sw=9000',
        'command name="GET DATA" sw=9000',
        "reset",
        'command name="SELECT" sw=9000',
        "power-off",
        "unplugged",
    ]
    secrets = ["1234", "4321", PAN.digits, RIGHT.data.hex(), DPA_KEY.value.hex(), DPA.hex()]
    told = "".join(events[1:]).lower()
    assert not any(secret in told for secret in secrets)
    assert read_summary(card).counters == Counters(atc=1, pin_tries_left=3)


@pytest.mark.parametrize(
    ("options", "expected", "selected"),
    [
        ([], sesame_image().atr, "611F"),
        (["--whole"], sesame_image().atr, "9000"),
        (["--protocol", "t0"], atr(CardKind.SESAME, Protocol.T0), "611F"),
        (["--protocol", "t1"], atr(CardKind.SESAME, Protocol.T1), "9000"),
        (["--protocol", "t1", "--whole"], atr(CardKind.SESAME, Protocol.T1), "9000"),
    ],
)
def test_the_protocol_decides_how_lengths_are_handled(
    card: Path, options: list[str], expected: bytes, selected: str
) -> None:
    """Under T=0 as T=0 has it, unless `--whole`; under T=1 answers are whole."""
    with in_slot(card, *options) as (driver, _):
        assert driver.power_on() == expected
        assert driver.ask(select(DPA).encode())[-2:].hex().upper() == selected


def test_a_card_of_t1_speaks_it_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    """The ATR of its file decides."""
    path = tmp_path / "bank.card"
    t1 = atr(CardKind.BANK, Protocol.T1)
    create(path, replace(bank_image(), atr=t1), NEW)
    with in_slot(path) as (driver, _):
        assert driver.power_on() == t1
        assert driver.ask(select(DPA).encode())[-2:] == OK


def test_a_plugged_card_is_in_use(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Powered or not: a second plug says so and dials nobody; pulled out, it is free again."""
    with in_slot(card) as (driver, process):
        assert main(["card", "plug", str(card), "--reader", str(driver.address)]) == 1
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err == (
            f"{card}\u00a0: cette carte est dans un autre lecteur. Retirez-la, puis recommencez.\n"
        )
        assert end(process)[0] == 0
    with open_card(card):
        pass


def test_a_damaged_card_is_not_plugged(card: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and the file stays as it is."""
    damaged = card.read_bytes()[:-40]
    card.write_bytes(damaged)
    assert main(["card", "plug", str(card)]) == 1
    assert capsys.readouterr().err == (
        f"{card}\u00a0: ce fichier est abîmé, ou n’est pas une carte. Il reste tel qu’il est.\n"
    )
    assert card.read_bytes() == damaged


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.0.0.1:", "127.0.0.1:0", "h:65536", "h:x"]
)
def test_an_address_that_is_none(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is said before anything is opened."""
    with pytest.raises(SystemExit) as ended:
        main(["card", "plug", "no.card", "--reader", address])
    assert ended.value.code == 2
    assert "127.0.0.1:35963" in capsys.readouterr().err


def test_who_waits_is_told_what_to_start(card: Path) -> None:
    """Once, in their language; the card goes in as soon as there is a slot."""
    with Driver() as driver:
        address = driver.address
    with plugging(card, "--reader", str(address), language="en") as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said == (
            f"Nobody answers at {address}: start the PC/SC service (pcscd) with the vpcd driver. "
            "Sésame waits for it.\n"
        )
        with Driver(address.port) as driver:
            assert driver.accept().power_on() == sesame_image().atr
        assert end(process)[0] == 0


def test_a_card_whose_file_cannot_be_written_leaves_the_slot(card: Path) -> None:
    """No answer, a sentence, exit status 1; the file is what it was."""
    with in_slot(card, "--whole") as (driver, process):
        driver.power_on()
        assert driver.ask(select(DPA).encode())[-2:] == OK
        before = card.read_bytes()
        (card.parent / f".{card.name}.new").mkdir()  # where the successor would be written
        assert driver.ask(GPO.encode()) == b""
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err == (
        f"{card}\u00a0: le système refuse de lire ou d’écrire cette carte (Is a directory). "
        "Vérifiez le dossier, son propriétaire et la place qui reste.\n"
    )
    assert card.read_bytes() == before


def test_a_card_whose_file_was_deleted_leaves_the_slot(card: Path) -> None:
    """The same, and no file comes back in its place."""
    with in_slot(card, "--whole") as (driver, process):
        driver.power_on()
        assert driver.ask(select(DPA).encode())[-2:] == OK
        card.unlink()
        assert driver.ask(GPO.encode()) == b""
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err == (
        f"{card}\u00a0: ce fichier a été effacé ou remplacé pendant que sa carte était dans le "
        "lecteur. Rien n’a été écrit. Prenez la carte qui est là maintenant, ou refaites-la.\n"
    )
    assert [path.name for path in card.parent.iterdir()] == ["card.key"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_log_that_cannot_be_written_ends_it_in_one_sentence(card: Path) -> None:
    """A full disk under the log, for example; the card is free again."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "sesame", "card", "plug", str(card)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"LC_ALL": "fr_FR.UTF-8", "PYTHONUTF8": "1"},
            timeout=PATIENCE,
            check=False,
        )
    assert ended.returncode == 1
    assert ended.stderr == (
        "Le journal ne peut plus être écrit (No space left on device). La carte est sortie du "
        "lecteur et son fichier est intact\u00a0: faites de la place, puis recommencez.\n"
    )
    with open_card(card):
        pass


@pytest.mark.parametrize(
    ("host", "away"),
    [("127.0.0.1", False), ("127.8.9.1", False), ("[::1]", False), ("localhost", False)]
    + [(host, True) for host in ("192.0.2.7", "[2001:db8::7]", "reader.example")],
)
def test_who_plugs_a_card_into_another_machine_is_warned(
    card: Path,
    host: str,
    away: bool,  # noqa: FBT001 -- a case
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PIN and answers go there in clear; on this machine nothing is said."""
    monkeypatch.setattr("sesame.cli.card_plug.keep_plugged", lambda *_: None)
    assert main(["card", "plug", str(card), "--reader", f"{host}:7"]) == 0
    said = capsys.readouterr().err
    warned = f"{host}:7 est peut-être une autre machine. Le code PIN "
    assert said.startswith(warned) if away else said == ""


# A whole dialogue, and what the file must hold once each of its commands has been answered.
DIALOGUE: list[tuple[Command, Counters]] = [
    (select(DPA), NEW),
    (GPO, Counters(atc=1, pin_tries_left=3)),
    (read_record(1, 1), Counters(atc=1, pin_tries_left=3)),
    (WRONG, Counters(atc=1, pin_tries_left=2)),
    (WRONG, Counters(atc=1, pin_tries_left=1)),
    (RIGHT, Counters(atc=1, pin_tries_left=3)),
    (generate_ac(AcType.ARQC, CDOL1_DATA), Counters(atc=1, pin_tries_left=3)),
]


@pytest.mark.parametrize("step", range(len(DIALOGUE)))
def test_a_card_pulled_behind_any_command_is_whole(card: Path, step: int) -> None:
    """SIGKILL after an answer: the file has all that was said, and opens at once."""
    with in_slot(card, "--whole") as (driver, process):
        driver.power_on()
        for command, _ in DIALOGUE[: step + 1]:
            driver.ask(command.encode())
        process.kill()
        process.wait(PATIENCE)
    assert read_summary(card).counters == DIALOGUE[step][1]
    with open_card(card):
        pass


@pytest.mark.parametrize("step", range(len(DIALOGUE)))
def test_a_card_pulled_during_any_command_is_whole(card: Path, step: int) -> None:
    """SIGKILL before the answer: the file has the state before, or after, or the try spent."""
    with in_slot(card, "--whole") as (driver, process):
        driver.say(ON)
        before = NEW
        for command, after in DIALOGUE[:step]:
            driver.ask(command.encode())
            before = after
        driver.say(DIALOGUE[step][0].encode())
        process.kill()
        process.wait(PATIENCE)
    after = DIALOGUE[step][1]
    spent = Counters(before.atc, before.pin_tries_left - 1)
    possible = {(c.atc, c.pin_tries_left) for c in (before, after)}
    if DIALOGUE[step][0] in (RIGHT, WRONG):
        possible.add((spent.atc, spent.pin_tries_left))
    counters = read_summary(card).counters
    assert (counters.atc, counters.pin_tries_left) in possible
    with open_card(card):
        pass
