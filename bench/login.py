"""The login: over HTTP and in process, grouped and not, beside its floors.

The floors: SQLite with the same rows and statements and nothing else, in groups; a bare
route of the same framework. Rounds are interleaved, and each figure is the median of its
rounds' ratios.
"""

import asyncio
import hashlib
import hmac
import secrets
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import uvloop

from bench.floor import LINE
from bench.load import Measured, run
from bench.population import (
    API_KEY,
    Holder,
    Premises,
    open_population_bank,
    populate,
    settings_file,
)
from bench.servers import free_port, running
from sesame.app import SWITCH_INTERVAL
from sesame.bank.bank import Bank
from sesame.bank.limits import Limits
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.verification import (
    ATTEMPT_ID_LENGTH,
    Accepted,
    Attempt,
    Refused,
    verify_login,
)
from sesame.cap.token import Code
from sesame.store.access import Access, AccessQuestion
from sesame.store.audit import AuditRow
from sesame.store.buckets import bucket_of
from sesame.store.sqlite_login import read_group, swap_group
from sesame.store.steps import Step

CUSTOMERS = 500
ASIDE = 2500  # of a bank whose codes are refused
_PAIRS = 800
ROUNDS = 3
ATTEMPTS = 3000  # a round
CLIENTS = (1, 8, 32, 128)
IN_PROCESS = 64
GROUP = 64
_FLOOR_TURNS = 10
_WARM = 256  # attempts before time counts: connections open, plans are made


@dataclass(slots=True)
class Supply:
    """Fresh codes: each card's ATC rises by one with each code, as in life."""

    holders: list[Holder]
    atc: int = 0
    place: int = 0

    def take(self, count: int) -> list[tuple[Holder, str]]:
        """The next *count* user codes and fresh codes, the holders in turn."""
        taken = []
        for _ in range(count):
            if self.place == 0:
                self.atc += 1
            holder = self.holders[self.place]
            self.place = (self.place + 1) % len(self.holders)
            taken.append((holder, holder.code(self.atc).digits))
        return taken


def measure() -> dict[str, float]:
    """Run all rounds and give the figures; prints a line a figure."""
    folder = Path(tempfile.mkdtemp(prefix="sesame bench "))
    try:
        return uvloop.run(_measure(folder))
    finally:
        shutil.rmtree(folder)


async def _measure(folder: Path) -> dict[str, float]:
    premises = Premises.on_sqlite(folder)
    supply = Supply(await populate(premises, CUSTOMERS))
    # Refusals have a bank of their own: so many of them would have it ask for two codes.
    aside = Premises.on_sqlite(folder / "refusals")
    aside.folder.mkdir()
    others = Supply(await populate(aside, ASIDE))
    rounds: dict[str, list[float]] = {}

    def note(name: str, value: float) -> float:
        rounds.setdefault(name, []).append(value)
        return value

    with (
        serving(premises, largest_group=GROUP) as grouped,
        serving(premises, largest_group=1) as single,
        serving_bare() as bare,
    ):
        for _ in range(ROUNDS):
            floor = note("sqlite_floor_per_second", _sqlite_floor(premises.folder, supply))
            inside = await in_process(premises, supply, largest_group=GROUP)
            note("in_process_per_second", inside.rate)
            note("in_process_p50_ms", inside.percentile(0.50))
            note("in_process_p99_ms", inside.percentile(0.99))
            note("in_process_over_sqlite_floor", inside.rate / floor)
            alone = await in_process(premises, supply, largest_group=1)
            note("in_process_grouped_over_single", inside.rate / alone.rate)
            refused = await refuse(aside, others)
            again = await in_process(aside, others, largest_group=GROUP)
            note("refusals_over_acceptances", refused.rate / again.rate)
            pairs = await accept_pairs(aside, others)
            note("two_codes_over_one", pairs.rate / again.rate)
            for clients in CLIENTS:
                count = ATTEMPTS if clients > 1 else ATTEMPTS // 5
                codes = supply.take(count)
                json = await accept_by_json(grouped, codes, clients)
                note(f"http_{clients}_per_second", json.rate)
                note(f"http_{clients}_p50_ms", json.percentile(0.50))
                note(f"http_{clients}_p99_ms", json.percentile(0.99))
                note(f"http_over_sqlite_floor_{clients}", json.rate / floor)
                framework = await accept_by_json(bare, codes, clients)
                note(f"http_over_bare_framework_{clients}", json.rate / framework.rate)
                if clients == 32:
                    each = await accept_by_json(single, supply.take(count), clients)
                    note("grouped_over_single_32", json.rate / each.rate)
                    form = await accept_by_form(grouped, supply.take(count // 3), clients)
                    note("form_over_json", form / json.rate)
    return {name: statistics.median(values) for name, values in rounds.items()}


def _sqlite_floor(folder: Path, supply: Supply) -> float:
    """The same rows read and written in groups, with everything worked out beforehand."""
    connection = sqlite3.connect(folder / "bank.db", isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA busy_timeout = 5000")
    supply.place = 0  # whole turns, so that all are at one ATC
    spent = 0.0
    for _ in range(_FLOOR_TURNS):
        codes = [holder.user_code for holder, _ in supply.take(len(supply.holders))]
        for at in range(0, len(codes), GROUP):
            spent += _one_group(connection, sorted(codes[at : at + GROUP]), supply.atc)
    connection.close()
    return _FLOOR_TURNS * len(supply.holders) / spent


def _one_group(connection: sqlite3.Connection, user_codes: Sequence[str], atc: int) -> float:
    """The seconds that a group spent in its two statements."""
    started = time.perf_counter()
    accesses = read_group(connection, [AccessQuestion(user_code) for user_code in user_codes])
    spent = time.perf_counter() - started
    steps = [_floor_step(access, atc) for access in accesses]
    started = time.perf_counter()
    swap_group(connection, steps)
    return spent + time.perf_counter() - started


def _floor_step(access: Access, atc: int) -> Step:
    at = access.state.stepped_at + 1
    return Step(
        bucket=bucket_of(access.user_code),
        user_code=access.user_code,
        read_version=access.version,
        enrolled=True,
        state=msgspec.structs.replace(access.state, stepped_at=at),
        atcs=((1, atc),),
        line=AuditRow(
            version=access.version + 1,
            attempt=bytes(16),
            at=at,
            line=bytes(LINE),
            head=bytes(32),
            salt=bytes(16),
            address="127.0.0.1",
        ),
    )


async def in_process(
    premises: Premises, supply: Supply, *, largest_group: int, attempts: int = ATTEMPTS
) -> Measured:
    """Fresh codes, all of them accepted."""
    fresh = [(holder, Code(digits)) for holder, digits in supply.take(attempts)]
    return await verify_all(premises, fresh, Accepted, largest_group=largest_group)


async def refuse(premises: Premises, supply: Supply) -> Measured:
    """Two wrong codes of each holder: a third would suspend. The next login forgets them."""
    holders = len(supply.holders)
    wrong = [
        (holder, Code(f"{int(digits) ^ 1:08d}"))
        for holder, digits in [*supply.take(holders), *supply.take(holders)]
    ]
    return await verify_all(premises, wrong, Refused, largest_group=GROUP)


async def accept_pairs(premises: Premises, supply: Supply) -> Measured:
    """Two codes in a row of some holders: 260 cryptograms an attempt instead of four."""
    firsts, seconds = supply.take(len(supply.holders)), supply.take(len(supply.holders))
    pairs = [
        (holder, TwoCodes(Code(first), Code(second)))
        for (holder, first), (_, second) in zip(firsts[:_PAIRS], seconds, strict=False)
    ]
    return await verify_all(premises, pairs, Accepted, largest_group=GROUP)


async def verify_all(
    premises: Premises,
    codes: Sequence[tuple[Holder, Code | TwoCodes]],
    wanted: type[Accepted | Refused],
    *,
    largest_group: int,
) -> Measured:
    """Verify all of *codes* in this process, by so many callers at once as `IN_PROCESS`."""
    sys.setswitchinterval(SWITCH_INTERVAL)  # as a server does
    # Strangers who fail a thousand times in a second would be asked for two codes.
    limits = Limits(hour_floor=10**9, day_floor=10**9, source=None)
    bank = replace(open_population_bank(premises, largest_group=largest_group), limits=limits)
    attempts = [
        Attempt(
            id=secrets.token_bytes(ATTEMPT_ID_LENGTH),
            user_code=holder.user_code,
            code=code,
            origin=Origin(Door.REST, "127.0.0.1"),
        )
        for holder, code in codes
    ]
    await _verify(bank, attempts[:_WARM], wanted)
    measured = await _verify(bank, attempts[_WARM:], wanted)
    await bank.store.close()
    await bank.custodian.close()
    return measured


async def _verify(
    bank: Bank, attempts: Sequence[Attempt], wanted: type[Accepted | Refused]
) -> Measured:
    measured = Measured()
    left = iter(attempts)
    as_wanted = 0

    async def caller() -> None:
        nonlocal as_wanted
        for attempt in left:
            began = time.perf_counter()
            outcome = await verify_login(bank, attempt)
            measured.latencies.append(time.perf_counter() - began)
            as_wanted += isinstance(outcome, wanted)

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(IN_PROCESS)))
    measured.seconds = time.perf_counter() - started
    check_all(as_wanted, len(attempts))
    return measured


async def accept_by_json(port: int, codes: list[tuple[Holder, str]], clients: int) -> Measured:
    """Fresh *codes* over the JSON door, all of them accepted."""
    requests = json_requests(port, codes)
    measured = await run(port, requests, clients, yes=b'{"outcome":"accepted"}')
    check_all(measured.saying_yes, len(requests))
    return measured


async def accept_by_form(port: int, codes: list[tuple[Holder, str]], clients: int) -> float:
    """Whole logins a second by form: the page, then the form, a session and a redirect."""
    requests = []
    for holder, digits in codes:
        browser, form = secrets.token_bytes(32), secrets.token_bytes(ATTEMPT_ID_LENGTH)
        proof = hmac.digest(browser, b"form\x00" + form, hashlib.sha256)
        fields = {
            "user_code": holder.user_code,
            "code": digits,
            "form": form.hex(),
            "proof": proof.hex(),
        }
        cookie = f"Cookie: sesame_browser={browser.hex()}\r\n"
        requests.append(_request("GET", "/acces/sesame", port, cookie))
        kind = "Content-Type: application/x-www-form-urlencoded\r\n"
        body = urlencode(fields).encode()
        requests.append(_request("POST", "/acces/sesame", port, cookie + kind, body))
    measured = await run(port, requests, clients)
    check_all(measured.statuses[303], len(codes))
    return measured.rate / 2


def json_requests(port: int, codes: list[tuple[Holder, str]]) -> list[bytes]:
    """A verification of each of *codes*."""
    headers = f"Authorization: Bearer {API_KEY}\r\nContent-Type: application/json\r\n"
    return [
        _request(
            "POST",
            "/api/v1/verifications",
            port,
            headers,
            b'{"user_code":"%b","code":"%b"}' % (holder.user_code.encode(), digits.encode()),
        )
        for holder, digits in codes
    ]


def _request(method: str, path: str, port: int, headers: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}"
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{head}{length}\r\n".encode() + body


def check_all(answered: int, asked: int) -> None:
    """Stop a measurement that did not measure what it should.

    Raises:
        RuntimeError: not all *asked* were *answered* as they should be.
    """
    if answered != asked:
        raise RuntimeError(f"{asked - answered} of {asked} codes were answered otherwise")


@contextmanager
def serving(premises: Premises, *, largest_group: int = GROUP, processes: int = 1) -> Iterator[int]:
    """`sesame serve` on *premises*; gives its port."""
    port = free_port()
    settings = settings_file(premises, port=port, largest_group=largest_group)
    command = [sys.executable, "-m", "sesame", "serve", "--settings", str(settings)]
    command += ["--workers", str(processes)]
    with running(command, port):
        yield port


@contextmanager
def serving_bare() -> Iterator[int]:
    """The framework's floor; gives its port."""
    port = free_port()
    with running([sys.executable, "-m", "bench.bare", str(port)], port):
        yield port
