"""Another process at the card: what the tests start, let work, and kill.

    python -m tests.card.worker hold CARD             holds the card in a transaction, for ever
    python -m tests.card.worker work CARD TIMES       makes transactions, prints each ATC
    python -m tests.card.worker kill CARD LIVES SEED  kills its children at random moments
    python -m tests.card.worker kill-each CARD        kills them before each system call

The last two print a line of JSON, or die with what went wrong. They fork, which a test
runner with its threads must not, and a fork costs a hundredth of a new interpreter.
"""

import fcntl
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sesame.card import card_file
from sesame.card.card_file import open_card, read_summary, reissue
from sesame.card.chip import Chip
from sesame.card.memory import Counters
from sesame.emv import apdu
from sesame.emv.apdu import AcType, Command, Response, Sw
from sesame.emv.tags import Tag
from tests.card.cards import CDOL1_DATA, CDOL2_DATA, DPA, GPO, NEW, RIGHT, WRONG, sesame_image

REPORT = 3  # bytes: a letter and a number of two
LONGEST_LIFE = 0.004  # seconds from the first report; a transaction takes some two
WAIT = 30.0  # seconds for the other worker to give the card back


def hold(path: Path) -> None:
    """Begin a transaction, say so, and keep the card until killed."""
    with open_card(path) as chip:
        _send(chip, apdu.select(DPA))
        _send(chip, GPO)  # the file that was locked has been replaced by now
        _say("held")
        signal.pause()


def work(path: Path, times: int) -> None:
    """Make *times* transactions, each under a lock of its own."""
    for _ in range(times):
        with open_card(path, wait=WAIT) as chip:
            _send(chip, apdu.select(DPA))
            _send(chip, GPO)
            _send(chip, RIGHT)
            _say(str(_atc(_send(chip, apdu.generate_ac(AcType.ARQC, CDOL1_DATA)))))


# ── Killing ──────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Ledger:
    """What all lives so far have told, and what must therefore hold of the card."""

    path: Path
    atc: int = 0  # the highest that was answered
    tries: int = NEW.pin_tries_left  # no more than these may be left
    atcs: int = 0  # how many were answered
    wrong: int = 0
    right: int = 0
    blocked: int = 0
    drafts: int = 0  # how many lives ended between the making of a draft and its renaming
    problems: list[str] = field(default_factory=list)

    def note(self, letter: str, number: int) -> None:
        """Take down one report."""
        match letter:
            case "A":  # an ATC was answered
                self._expect(number > self.atc, f"ATC {number} was answered after {self.atc}")
                self.atc, self.atcs = number, self.atcs + 1
            case "W":  # a wrong PIN was answered with so many tries left
                self._expect(number < self.tries, f"{number} tries after {self.tries}")
                self.tries, self.wrong = number, self.wrong + 1
            case "r":  # a right PIN is about to be sent: it may give all tries back
                self.tries = NEW.pin_tries_left
            case "R":  # it was answered
                self.right += 1
            case _:
                self.problems.append(f"a child reports {letter!r}, {number}")

    def close_life(self) -> None:
        """The card after a kill: it opens, and its counters are at least as far as was told."""
        self.drafts += (self.path.parent / f".{self.path.name}.new").exists()
        counters = read_summary(self.path).counters
        with open_card(self.path) as chip:  # at once: the lock died with its holder
            _send(chip, apdu.select(DPA))
            self._expect(_counters(chip) == counters, "the chip and the file disagree")
        self._expect(counters.atc >= self.atc, f"ATC {counters.atc} after {self.atc}")
        left = counters.pin_tries_left
        self._expect(left <= self.tries, f"{left} tries on the card after {self.tries}")
        self.atc, self.tries = counters.atc, left
        if left == 0:
            # Only a new card has tries again; this one goes on counting where it was.
            self.blocked += 1
            self.tries = NEW.pin_tries_left
            reissue(self.path, sesame_image(), Counters(counters.atc, self.tries))

    def _expect(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 -- as assert has it
        if not holds:
            self.problems.append(otherwise)


def kill(path: Path, lives: int, seed: int) -> Ledger:
    """Let *lives* children make transactions one after the other, and kill each.

    SIGKILL comes at a random moment after the child's first report: between two commands
    or within one, in a system call or not. fsync does nothing here: what a killed process
    has written is the system's already, and lives are shorter so. Power cuts, which it is
    for, are played by another test.
    """
    vars(os)["fsync"] = lambda _: None
    chance = random.Random(seed)  # noqa: S311 -- moments, not secrets
    ledger = Ledger(path)
    for life in range(lives):

        def forever(report: Callable[[str, int], None], life: int = life) -> None:
            choice = random.Random(seed + life)  # noqa: S311 -- a course of life, no secret
            while True:
                _transaction(path, report, wrong=choice.random() < 0.5)

        with _child(forever, ledger) as (pid, reports):
            select.select([reports], [], [])
            time.sleep(chance.uniform(0, LONGEST_LIFE))
            os.kill(pid, signal.SIGKILL)
    return ledger


def kill_each(path: Path) -> tuple[Ledger, int]:
    """Kill a child before its first system call on the card, the next before its second.

    And so on, until one lives through a transaction with a wrong PIN and one with the right.
    """
    ledger = Ledger(path)
    for call in range(10_000):

        def two(report: Callable[[str, int], None], call: int = call) -> None:
            _die_before(call)
            _transaction(path, report, wrong=True)
            _transaction(path, report, wrong=False)

        with _child(two, ledger) as (pid, _):
            _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status):
            return ledger, call
    raise RuntimeError("a transaction makes more system calls than anybody would believe")


@contextmanager
def _child(
    life: Callable[[Callable[[str, int], None]], None], ledger: Ledger
) -> Iterator[tuple[int, int]]:
    """A child that lives *life*: its pid, and the pipe of its reports; read when it is dead."""
    reports, mouth = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reports)
        try:
            life(lambda letter, number: _tell(mouth, letter, number))
        except BaseException as error:  # noqa: BLE001 -- whatever it is, the parent must know
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(mouth)
    yield pid, reports
    told = b""
    while part := os.read(reports, 65536):  # ends when the child is dead
        told += part
    os.close(reports)
    with suppress(ChildProcessError):  # waited for already
        os.waitpid(pid, 0)
    for at in range(0, len(told), REPORT):
        ledger.note(chr(told[at]), int.from_bytes(told[at + 1 : at + REPORT]))
    ledger.close_life()


def _transaction(path: Path, report: Callable[[str, int], None], *, wrong: bool) -> None:
    """One transaction; every answer that matters is reported before the next command."""
    with open_card(path, wait=WAIT) as chip:
        _send(chip, apdu.select(DPA))
        _send(chip, GPO)
        atc = _counters(chip).atc
        report("A", atc)
        if wrong and _counters(chip).pin_tries_left > 0:
            answer = Response.decode(chip.respond(WRONG.encode()))
            report("W", answer.sw & 0x0F)
        if _counters(chip).pin_tries_left > 0:
            report("r", 0)
            _send(chip, RIGHT)
            report("R", 0)
        if _atc(_send(chip, apdu.generate_ac(AcType.ARQC, CDOL1_DATA))) != atc:
            report("!", atc)
        chip.respond(apdu.generate_ac(AcType.AAC, CDOL2_DATA).encode())


def _die_before(call: int) -> None:
    """From now on count what the card file asks of the system, and die before that *call*."""
    left = call

    class Counted:
        def __init__(self, module: Any) -> None:  # noqa: ANN401 -- os or fcntl
            self._module = module

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- likewise
            asked = getattr(self._module, name)
            if name not in _CALLS:
                return asked

            def counted(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 -- likewise
                nonlocal left
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
                return asked(*args, **kwargs)

            return counted

    vars(card_file).update(os=Counted(os), fcntl=Counted(fcntl))


# `fdopen` stands for the write: a stream of so few bytes is one call.
_CALLS = {"open", "close", "read", "fdopen", "fsync", "rename", "unlink", "stat", "fstat", "flock"}


def _tell(mouth: int, letter: str, number: int) -> None:
    os.write(mouth, letter.encode() + number.to_bytes(2))


def _send(chip: Chip, command: Command) -> Response:
    answer = Response.decode(chip.respond(command.encode()))
    if answer.sw != Sw.OK:
        raise RuntimeError(f"{command.name} was answered with {answer.sw:04X}")
    return answer


def _counters(chip: Chip) -> Counters:
    tags = (Tag.ATC, Tag.PIN_TRY_COUNTER, Tag.LAST_ONLINE_ATC)
    atc, tries, online = (_send(chip, apdu.get_data(tag)).data[3:] for tag in tags)
    return Counters(int.from_bytes(atc), int.from_bytes(tries), int.from_bytes(online))


def _atc(answer: Response) -> int:
    return int.from_bytes(answer.data[9:11])  # behind 77 1E, 9F27 01 xx, 9F36 02


def main(arguments: list[str]) -> None:
    """One of the lines above."""
    match arguments:
        case ["hold", card]:
            hold(Path(card))
        case ["work", card, times]:
            work(Path(card), int(times))
        case ["kill", card, lives, seed]:
            _sum_up(kill(Path(card), int(lives), int(seed)), lives=int(lives))
        case ["kill-each", card]:
            ledger, calls = kill_each(Path(card))
            _sum_up(ledger, lives=calls)
        case _:
            sys.exit(__doc__)


def _sum_up(ledger: Ledger, *, lives: int) -> None:
    told = {name: value for name, value in vars(ledger).items() if name != "path"}
    _say(json.dumps({"lives": lives} | told))


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
