"""How long a refusal takes tells nothing of its cause: measured, in `make soak` alone.

The one place where times decide. Method: a real server measures its own answers (the network
only adds noise), its database in memory (a disk's milliseconds would hide microseconds). Each
round asks for one refusal of every cause, in an order by chance, so that whatever the machine does
meanwhile falls on all alike; thirty user codes a cause, so that no row's place in the file decides.
All pairs of causes of all doors are compared by Wilcoxon's signed-rank test over the rounds. So are
the answers that judge nothing, suspended or asked for two codes, of user codes of every such kind.

What fails: a p below 0.01 after Holm's correction over all comparisons, *and* a median
difference beyond `_BOUND`. The second, because thousands of rounds find a microsecond, which
no network carries; the largest difference is printed whatever it is. Two codes that cannot be a
pair are answered sooner, whoever's they are: that tells only what was typed, and is not
compared. The last test shows the power: a delay of 200 µs for user codes that nobody has is
found, and measured.
"""

import asyncio
import http.client
import json
import os
import random
import secrets
import sqlite3
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, count
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import pytest

from sesame.bank.activation import activation_hash, release_hash
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.user_code import ALPHABET, UserCode
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.catalogue import Language
from sesame.store.buckets import bucket_of
from sesame.web.tickets import FormTicket
from tests.bank.branch import OLD_CODE, Card, open_bank, quick_old_codes
from tests.bank.folders import IN_MEMORY
from tests.bank.waiting import NUMBER, WRONG_NUMBER
from tests.contract.running import free_port, wait_for
from tests.contract.timed import DATABASE, DELAY, TOOK
from tests.portal.besieged import ACTIVATION, ALL_DOORS, JSON, KEY, RELEASE, SESAME, TWO_CODES
from tests.portal.besieged import OLD_CODE as OLD
from tests.portal.town import empty_database
from tests.ranks import Compared, compare, holm

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

_PEOPLE = 30  # user codes for each cause
_LAST = 20  # the last accepted ATC of every card
_ACTIVATION_TWO, _RELEASE_TWO = f"{ACTIVATION}/deux-codes", f"{RELEASE}/deux-codes"
_ROUNDS = {
    SESAME: 1200,
    TWO_CODES: 500,
    OLD: 1200,
    JSON: 2500,
    f"{JSON} ": 500,
    ACTIVATION: 1200,
    _ACTIVATION_TWO: 500,
    RELEASE: 1200,
    _RELEASE_TWO: 500,
}
_TURNED_AWAY = 500  # rounds
_WARMING_UP = 60  # rounds: twice each user code
_ALPHA = 0.01
_BOUND = 30_000  # nanoseconds
_ROOT = Path(__file__).parents[2]
_numbers = count(100_000_000)
_chance = random.Random(2026)  # noqa: S311 -- orders and user codes of a test that repeats

Typed = tuple[str, ...]


@dataclass
class Target:
    """A user code, and what is typed with it."""

    user_code: str
    typed: Typed


@dataclass
class Population:
    """Who is besieged: for each door and cause as many user codes."""

    targets: dict[str, dict[str, list[Target]]] = field(default_factory=dict)
    customers: list[NewCustomer] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)  # until when, microseconds since 1970
    holding: list[str] = field(default_factory=list)  # their own cards

    def fill(self) -> None:
        """Every cause of every door, each with people of its own."""
        ahead = _LAST + 1
        single: Mapping[str, tuple[str, Sequence[int]]] = {
            "wrong": ("one card", (-ahead,)),
            "wrong, two cards": ("two cards", (-ahead,)),
            "used": ("one card", (_LAST,)),
            "overtaken": ("one card", (_LAST - 3,)),
            "card not active": ("held", (ahead,)),
            "nobody's user code": ("nobody", (ahead,)),
        }
        double: Mapping[str, tuple[str, Sequence[int]]] = {
            "wrong": ("one card", (-ahead, -ahead - 1)),
            "used": ("one card", (_LAST - 1, _LAST)),
            "half wrong": ("one card", (ahead, -ahead - 1)),
            "wrong, two cards": ("two cards", (-ahead, -ahead - 1)),
            "card not active": ("held", (ahead, ahead + 1)),
            "nobody's user code": ("nobody", (ahead, ahead + 1)),
        }
        for door, causes in (
            (SESAME, single),
            (JSON, single),
            (TWO_CODES, double),
            (f"{JSON} ", double),
        ):
            self.targets[door] = {
                cause: [self._with_codes(who, atcs) for _ in range(_PEOPLE)]
                for cause, (who, atcs) in causes.items()
            }
        self.targets[OLD] = {
            cause: [Target(self._person(who)[0], (typed,)) for _ in range(_PEOPLE)]
            for cause, who, typed in (
                ("wrong", "one card", "tilleul-1972"),
                ("none, and the right one of others", "no old code", OLD_CODE.typed),
                ("none, and wrong", "no old code", "tilleul-1972"),
                ("nobody's user code", "nobody", OLD_CODE.typed),
            )
        }

        self._fill_numbered()

    def _fill_numbered(self) -> None:
        """Likewise of the doors with a number: whether it, the code, both or nothing is right."""
        for door, states in (
            (ACTIVATION, ("waiting", "too late", "one card")),
            (RELEASE, ("own hold", "held", "one card")),
        ):
            opens, shut, plain = states
            right, wrong = NUMBER, WRONG_NUMBER
            for variant, codes in (("", 1), ("/deux-codes", 2)):
                ahead = [_LAST + 1 + at for at in range(codes)]
                bad = [-atc for atc in ahead]
                self.targets[f"{door}{variant}"] = {
                    cause: [self._with_codes(who, atcs, number) for _ in range(_PEOPLE)]
                    for cause, who, atcs, number in (
                        ("number wrong", opens, ahead, wrong),
                        ("code wrong", opens, bad, right),
                        ("both wrong", opens, bad, wrong),
                        (shut, shut, ahead, right),
                        ("nothing to open", plain, ahead, right),
                        ("nobody's user code", "nobody", ahead, right),
                    )
                }

    def _with_codes(self, who: str, atcs: Sequence[int], *number: str) -> Target:
        """Somebody, and the codes of their first card at *atcs*; wrong ones where negative."""
        user_code, card = self._person(who)
        codes = [card.code(atc) if atc > 0 else card.wrong_code(-atc) for atc in atcs]
        return Target(user_code, (*number, *(code.digits for code in codes)))

    def _person(self, who: str) -> tuple[str, Card]:
        user_code = UserCode("".join(_chance.choices(ALPHABET, k=8)))
        cards = [Card(CardKind.SESAME, SESAME_CARD, f"925000{next(_numbers)}")]
        if who == "two cards":
            cards.append(Card(CardKind.BANK, BANK_CARD, f"497010{next(_numbers)}"))
        if who != "nobody":
            self.customers.append(
                NewCustomer(
                    user_code=user_code,
                    name="Somebody",
                    language=Language.FRENCH,
                    old_code=None if who == "no old code" else _old_code(),
                    cards=[
                        NewCard(kind=card.kind, record=card.record, last_atc=_LAST)
                        for card in cards
                    ],
                )
            )
        if who in {"held", "own hold"}:
            self.held.append(user_code)
        if who == "own hold":
            self.holding.append(user_code)
        if who in {"waiting", "too late"}:
            self.waiting[user_code] = 1 if who == "too late" else time.time_ns() // 1000 + 10**12
        return user_code, cards[0]


@cache
def _old_code() -> str:
    return quick_old_codes().hash(OLD_CODE)


class Client:
    """A script with one connection and one browser's secret: it makes its own forms."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._browser = secrets.token_bytes(32)

    def refusal(self, door: str, target: Target, *, answer: str = "refused") -> int:
        """How long the server took to refuse, nanoseconds; *answer* is what it is to say."""
        typed = dict(zip(ALL_DOORS[door], target.typed, strict=True))
        fields = {"user_code": target.user_code, **typed}
        if door.strip() == JSON:
            body = json.dumps(fields)
            headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        else:
            ticket = FormTicket(secrets.token_bytes(16), self._browser)
            hidden = {"form": ticket.id.hex(), "proof": ticket.proof, "retour": "/espace"}
            body = urlencode(hidden | fields)
            headers = {
                "Cookie": f"sesame_browser={self._browser.hex()}",
                "Content-Type": "application/x-www-form-urlencoded",
            }
        self._connection.request("POST", door.strip(), body, headers)
        response = self._connection.getresponse()
        text = response.read()
        if door.strip() == JSON:
            assert json.loads(text) == {"outcome": answer}, (door, target)
        else:
            assert response.status == _STATUS[answer], (door, target, response.status)
        return int(response.headers[TOOK])

    def close(self) -> None:
        """Hang up."""
        self._connection.close()


@contextmanager
def _server(population: Population, *, delay: int = 0) -> Iterator[int]:
    """A server on a new database with that *population*, its port."""
    with _server_and_file(population, delay=delay) as (port, _):
        yield port


@contextmanager
def _server_and_file(population: Population, *, delay: int = 0) -> Iterator[tuple[int, Path]]:
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder, "bank.db")
        path.write_bytes(empty_database())
        _enrol(path, population)
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "--factory", "tests.contract.timed:application"]
        options = ["--port", str(port), "--loop", "uvloop", "--http", "httptools"]
        process = subprocess.Popen(
            [*command, *options, "--log-level", "warning", "--no-access-log"],
            cwd=_ROOT,
            env={**os.environ, DATABASE: str(path), DELAY: str(delay), "PYTHONPATH": "src:."},
        )
        try:
            wait_for(f"http://127.0.0.1:{port}")
            yield port, path
        finally:
            process.terminate()
            process.wait(60)


def _turn_away(path: Path, how: str) -> None:
    """Have every user code that was tried suspended for years, or asked for two codes."""
    later = time.time_ns() // 1000 + 10**15
    change: tuple[str, int | bytes] = "open_suspended_until", later
    if how == "two-codes":  # nine failures; this server counts only those to come
        change = "open_failed_at", struct.pack(">9q", *[later] * 9)
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"UPDATE access SET {change[0]} = ?", change[1:])  # noqa: S608 -- a column
    connection.close()


def _enrol(path: Path, population: Population) -> None:
    orders, holds = [], []

    async def fill() -> None:
        bank = open_bank(path, name="enrolment")
        for customer in population.customers:
            await enrol(bank, customer)
        for user_code, until in population.waiting.items():
            key = (bucket_of(user_code), user_code)
            orders.append((*key, await activation_hash(bank, key, 1, NUMBER), until))
        for user_code in population.holding:
            key = (bucket_of(user_code), user_code)
            holds.append((*key, user_code, await release_hash(bank, key, NUMBER)))
        await bank.store.close()

    asyncio.run(fill())
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "UPDATE cards SET state = 'held' WHERE user_code = ?",
            [(user_code,) for user_code in population.held],
        )
        connection.executemany(
            "UPDATE cards SET state = 'waiting' WHERE user_code = ?",
            [(user_code,) for user_code in population.waiting],
        )
        connection.executemany(
            "INSERT INTO card_orders (bucket, user_code, order_number, kind, reason, ordered_at, "
            "ordered_by, card_number, activation_hash, activation_until) "
            "VALUES (?, ?, 1, 'sesame', 'first', 0, 'STAFF222', 1, ?, ?)",
            orders,
        )
        connection.executemany(
            'INSERT INTO holds (bucket, user_code, card_number, "by", by_code, reason, at, '
            "release_hash) VALUES (?, ?, 1, 'owner', ?, '', 1, ?)",
            holds,
        )
    connection.close()


_STATUS = {"refused": 422, "two-codes": 422, "suspended": 429}


def _measure(
    client: Client,
    door: str,
    causes: Mapping[str, Sequence[Target]],
    rounds: int,
    *,
    answer: str = "refused",
) -> dict[str, list[int]]:
    """One refusal of each cause a round, in an order by chance."""
    took: dict[str, list[int]] = {cause: [] for cause in causes}
    for number in range(_WARMING_UP + rounds):
        for cause in _chance.sample(list(causes), len(causes)):
            one = client.refusal(door, causes[cause][number % _PEOPLE], answer=answer)
            if number >= _WARMING_UP:
                took[cause].append(one)
    return took


def _compared(took: Mapping[str, Sequence[int]]) -> dict[tuple[str, str], Compared]:
    return {(a, b): compare(took[a], took[b]) for a, b in combinations(took, 2)}


def _report(door: str, found: Mapping[tuple[str, str], Compared]) -> None:
    (a, b), largest = max(found.items(), key=lambda item: abs(item[1].middle))
    print(  # noqa: T201 -- what a measurement is for
        f"{door}: {len(found)} pairs of causes; most apart: {a} – {b}, "
        f"{largest.middle / 1000:+.1f} µs "
        f"({largest.low / 1000:+.1f} to {largest.high / 1000:+.1f}), p = {largest.p:.2g}"
    )


def test_no_cause_takes_longer_than_another() -> None:
    """All doors, all pairs of causes."""
    population = Population()
    population.fill()
    found: dict[tuple[str, str, str], Compared] = {}
    with _server(population) as port:
        client = Client(port)
        for door, causes in population.targets.items():
            pairs = _compared(_measure(client, door, causes, _ROUNDS[door]))
            _report(door, pairs)
            found |= {(door, *pair): compared for pair, compared in pairs.items()}
        client.close()
    _check_alike(found)


def _check_alike(found: Mapping[tuple[str, str, str], Compared]) -> None:
    """No pair is apart, by what this file calls apart."""
    raised = holm([compared.p for compared in found.values()])
    apart = {
        pair: (compared.middle, chance)
        for (pair, compared), chance in zip(found.items(), raised, strict=True)
        if chance < _ALPHA and abs(compared.middle) > _BOUND
    }
    assert not apart


@pytest.mark.parametrize("how", ["suspended", "two-codes"])
def test_nobody_is_turned_away_sooner(how: str) -> None:
    """Whatever had made the answer of a user code that somebody has, or nobody."""
    population = Population()
    population.fill()
    found: dict[tuple[str, str, str], Compared] = {}
    with _server_and_file(population) as (port, path):
        client = Client(port)
        for door in (SESAME, JSON, ACTIVATION):  # so that nobody's have a row too
            for targets in population.targets[door].values():
                for target in targets:
                    client.refusal(door, target)
        _turn_away(path, how)
        for door in (SESAME, JSON, ACTIVATION):
            took = _measure(client, door, population.targets[door], _TURNED_AWAY, answer=how)
            pairs = _compared(took)
            _report(f"{door}, {how}", pairs)
            found |= {(door, *pair): compared for pair, compared in pairs.items()}
        client.close()
    _check_alike(found)


@pytest.mark.parametrize("door", [JSON, SESAME, OLD, RELEASE])
def test_a_delay_would_be_found(door: str) -> None:
    """200 µs more for user codes that nobody has: in every comparison with them, and no other."""
    population = Population()
    population.fill()
    with _server(population, delay=200) as port:
        client = Client(port)
        pairs = _compared(_measure(client, door, population.targets[door], 500))
        client.close()
    _report(door, pairs)
    raised = holm([compared.p for compared in pairs.values()])
    for (pair, compared), chance in zip(pairs.items(), raised, strict=True):
        planted = "nobody's user code" in pair
        assert (chance < _ALPHA and abs(compared.middle) > _BOUND) is planted, pair
        if planted:
            assert 120_000 < abs(compared.middle) < 280_000
