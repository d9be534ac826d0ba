"""Growth: the same logins with a thousand cards, with a hundred thousand, with ten million.

A bank a size, all on one PostgreSQL, their rounds interleaved. Those who log in are enrolled
as everybody is, and spread in tables and indexes among customers who never do: these are copies of
one of them, with user codes, hashes and salts of their own, made by PostgreSQL itself. A large bank
meets each of those who log in once, on rows that nobody touched before; in a small one all come
again and again. What a card takes on disk, how long its enrolment takes there, and what `COPY`
would need for the same rows, come out too.
"""

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from sqlalchemy import Table

from bench import login
from bench.login import Supply
from bench.population import (
    STRIDE,
    USER_CODES,
    Holder,
    Premises,
    enrol_holders,
    enrol_in_batches,
    found,
    new_customer,
    open_population_bank,
)
from bench.postgres import Cluster, cluster
from sesame.bank.user_code import ALPHABET
from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL
from sesame.store.cards import CARDS, PAN_INDEX
from sesame.store.customers import CUSTOMERS

CARDS_ENROLLED: Sequence[int] = (10**3, 10**5, 10**7)
ROUNDS = 5
_ATTEMPTS, _CLIENTS = 20_000, 32  # a round
_HOLDERS = ROUNDS * _ATTEMPTS  # who log in: once each, for a row is warm afterwards; or everybody
_PORTION = 10_000  # of them that are prepared at once
_ENROLMENTS = 3  # rounds
_TIMED = 20_000  # enrolments a round
_NUMBERS = _TIMED + 1  # one before opens the connections
_COPIED = 100_000  # cards, so that what a statement costs by itself does not count
# Bytes on the disk: a card's rows, with indexes, written and logged; what the logins log besides.
_ROOM, _ROOM_BESIDE = 4_000, 4_000_000_000
# The largest first, for two are filled at a time.
_TABLES: Sequence[Table] = (ACCESS, AUDIT_LINES, CARDS, PAN_INDEX, AUDIT_PERSONAL, CUSTOMERS)
_SESSIONS = 2  # that fill at once
# As `user_code` makes them, so that they stand among the others' everywhere; but the last
# character is a 0, which no user code of ours has.
_PLACE = f"(n * {STRIDE} & {USER_CODES - 1})"
_DIGITS = " || ".join(
    f"substr('{ALPHABET}', ({_PLACE} >> {shift} & 31)::int + 1, 1)" for shift in range(30, -1, -5)
)
_OWN_VALUES = {
    "bucket": "(get_byte(sha256(code::bytea), 0) & 63)::smallint",
    "user_code": "code",
    "pan_hash": "sha256(('pan' || code)::bytea)",
    "head": "sha256(('head' || code)::bytea)",
    "salt": "substring(sha256(('salt' || code)::bytea) FROM 1 FOR 16)",
}


@dataclass(slots=True)
class Grown:
    """A bank of one size."""

    cards: int
    database: str
    premises: Premises
    holders: list[Holder] = field(default_factory=list)
    supply: Supply = field(default_factory=lambda: Supply([]))
    rates: list[float] = field(default_factory=list)
    enrolments: list[float] = field(default_factory=list)  # seconds


class CannotGrow(ValueError):
    """Not so far, or not here; the message says what to do."""


def check(cards: int) -> None:
    """See to it that a growth to *cards* says something, and ends.

    Raises:
        CannotGrow: there is nothing smaller to compare with, or too little room on the disk.
    """
    if cards <= CARDS_ENROLLED[0]:
        raise CannotGrow(
            f"{cards} cards: growth is measured against {CARDS_ENROLLED[0]} cards; ask for more"
        )
    folder = tempfile.gettempdir()
    needed = sum(_sizes(cards)) * _ROOM + _ROOM_BESIDE
    missing = needed - shutil.disk_usage(folder).free
    if missing > 0:
        raise CannotGrow(
            f"{cards} cards take {_gigabytes(needed)} in {folder}, {_gigabytes(missing)} more than "
            "are free: make room, name a folder on a larger disk in TMPDIR, or ask for fewer cards"
        )


def farthest() -> int:
    """The largest bank there is room for, of those that are measured; the smallest grown one."""
    for cards in reversed(CARDS_ENROLLED[1:]):
        with suppress(CannotGrow):
            check(cards)
            return cards
    return CARDS_ENROLLED[1]


def _sizes(cards: int) -> list[int]:
    return [size for size in CARDS_ENROLLED if size < cards] + [cards]


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


def measure(cards: int) -> dict[str, float]:
    """Grow to *cards* by the sizes of `CARDS_ENROLLED` below it, and measure each."""
    sizes = _sizes(cards)
    folder = Path(tempfile.mkdtemp(prefix="sesame bench "))
    try:
        with cluster(folder) as server:
            return uvloop.run(_measure(server, folder, sizes))
    finally:
        shutil.rmtree(folder)


async def _measure(server: Cluster, folder: Path, sizes: Sequence[int]) -> dict[str, float]:
    figures = await _enrolment_over_copy(server, folder)
    grown = [await _grow(server, folder, size) for size in sizes]
    for bank in grown:
        figures[f"bytes_a_card_of_{bank.cards}"] = _size(server, bank.database) / bank.cards
    with ExitStack() as stack:
        ports = [stack.enter_context(login.serving(bank.premises)) for bank in grown]
        for _ in range(ROUNDS):
            for bank, port in zip(grown, ports, strict=True):
                codes = bank.supply.take(_ATTEMPTS)
                measured = await login.accept_by_json(port, codes, _CLIENTS)
                bank.rates.append(measured.rate)
    for bank in grown:
        figures[f"http_32_of_{bank.cards}_per_second"] = statistics.median(bank.rates)
    pairs = zip(grown[-1].rates, grown[0].rates, strict=True)
    name = "ten_million" if sizes[-1] == CARDS_ENROLLED[-1] else str(sizes[-1])
    figures[f"{name}_over_thousand"] = statistics.median(large / small for large, small in pairs)
    # Last, for the new customers' numbers follow on those there are.
    for number in range(_ENROLMENTS):
        for bank in grown:
            first = len(bank.holders) + number * _NUMBERS
            bank.enrolments.append(await _enrolled_in(bank.premises, first))
    for bank in grown:
        seconds = statistics.median(bank.enrolments)
        figures[f"enrolment_of_{bank.cards}_us"] = seconds / _TIMED * 1e6
    return figures


async def _grow(server: Cluster, folder: Path, cards: int) -> Grown:
    """A bank of so many *cards*; who logs in is spread evenly over them."""
    started = time.perf_counter()
    bank = _new(server, folder, f"grown_{cards}", cards)
    await found(bank.premises)
    holders = min(cards, _HOLDERS)
    for first in range(0, holders, _PORTION):
        numbers = range(first, min(first + _PORTION, holders))
        bank.holders += await enrol_holders(bank.premises, numbers)
    fill(server, bank.database, holders, cards - holders)
    # Neighbours in the tables are no neighbours in time.
    random.Random(cards).shuffle(bank.holders)
    bank.supply = Supply(bank.holders)
    print(f"{cards} cards after {time.perf_counter() - started:.0f} s", flush=True)
    return bank


def _new(server: Cluster, folder: Path, name: str, cards: int) -> Grown:
    server.create(name)
    (folder / name).mkdir()
    url = server.url(name, "postgresql+asyncpg")
    return Grown(cards, name, Premises(folder / name, url))


def fill(server: Cluster, database: str, kept: int, copies: int) -> None:
    """Spread *kept* customers, all of *database*, each with a card, among *copies* of one."""

    def session(table: Table) -> None:
        if copies:
            server.run(database, _filling(table, kept, copies))
        server.run(database, f"VACUUM (FREEZE, ANALYZE) {table.name}")

    with ThreadPoolExecutor(_SESSIONS) as sessions:
        list(sessions.map(session, _TABLES))
    server.run(database, "CHECKPOINT")


def _filling(table: Table, kept: int, copies: int) -> str:
    """Write *table* anew: after each of the *kept* rows as many of the *copies* as after others.

    The index is made at the end: to keep it up row by row takes longer than all the rest.
    """
    name, names = table.name, [column.name for column in table.columns]
    listed, key = ", ".join(names), ", ".join(column.name for column in table.primary_key)
    values = ", ".join(
        f"CASE WHEN own.number IS NULL THEN {_OWN_VALUES.get(column, f'model.{column}')} "
        f"ELSE own.{column} END"
        for column in names
    )
    step = (kept + copies) // kept
    # OFFSET 0: worked out once a row, and not wherever it is named.
    return f"""
        BEGIN;
        SET LOCAL synchronous_commit = off;
        SET LOCAL work_mem = '256MB';
        SET LOCAL max_parallel_maintenance_workers = 0;
        CREATE TEMPORARY TABLE kept ON COMMIT DROP AS
            SELECT row_number() OVER (ORDER BY user_code) - 1 AS number, * FROM {name};
        ANALYZE kept;
        TRUNCATE {name};
        ALTER TABLE {name} DROP CONSTRAINT {name}_pkey;
        INSERT INTO {name} ({listed})
        SELECT {values}
        FROM (SELECT n, {_DIGITS} || '0' AS code
              FROM generate_series(0::bigint, {kept + copies - 1}) AS n OFFSET 0) AS one
        LEFT JOIN kept AS own ON own.number = one.n / {step} AND one.n % {step} = 0
        CROSS JOIN (SELECT * FROM kept WHERE number = 0) AS model;
        ALTER TABLE {name} ADD PRIMARY KEY ({key});
        COMMIT;
    """  # noqa: S608 -- our own names


def _size(server: Cluster, database: str) -> int:
    """The bytes of the tables with their indexes."""
    sizes = " + ".join(f"pg_total_relation_size('{table.name}')" for table in _TABLES)
    return int(server.run(database, f"SELECT {sizes}"))


async def _enrolment_over_copy(server: Cluster, folder: Path) -> dict[str, float]:
    """How fast customers are enrolled, and how fast `COPY` takes such rows, all in one commit.

    Both begin with empty tables.
    """
    bank = _new(server, folder, "enrolment", _COPIED)
    await found(bank.premises)
    await enrol_holders(bank.premises, range(_TIMED))
    fill(server, bank.database, _TIMED, _COPIED - _TIMED)
    files = {table.name: server.folder / f"{table.name}.copy" for table in _TABLES}
    for name, file in files.items():
        server.run(bank.database, f"COPY {name} TO '{file}'")
    empty = f"TRUNCATE {', '.join(files)}"
    copies = "; ".join(f"COPY {name} FROM '{file}'" for name, file in files.items())
    enrolled, copied = [], []
    for _ in range(_ENROLMENTS):
        server.run(bank.database, empty)
        enrolled.append(_TIMED / await _enrolled_in(bank.premises, 0))
        server.run(bank.database, empty)
        started = time.perf_counter()
        server.run(bank.database, f"BEGIN; {copies}; COMMIT")
        copied.append(_COPIED / (time.perf_counter() - started))
    for file in files.values():
        file.unlink()
    server.run(bank.database, empty)
    ratios = [ours / theirs for ours, theirs in zip(enrolled, copied, strict=True)]
    return {
        "enrolled_per_second": statistics.median(enrolled),
        "copied_per_second": statistics.median(copied),
        "enrolment_over_copy": statistics.median(ratios),
    }


async def _enrolled_in(premises: Premises, first: int) -> float:
    """The seconds that so many enrolments as are timed took, from number *first* on.

    Connections are open before, as in a server that has worked before.
    """
    bank = open_population_bank(premises)
    first_of_all, *customers = [new_customer(first + n) for n in range(_NUMBERS)]
    await enrol_in_batches(bank, [first_of_all])
    started = time.perf_counter()
    await enrol_in_batches(bank, customers)
    seconds = time.perf_counter() - started
    await bank.store.close()
    return seconds
