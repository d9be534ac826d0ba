"""Growth: the same logins with a thousand cards, with a hundred thousand, with ten million.

A bank a size, all on one PostgreSQL, their rounds interleaved. Those who log in are enrolled
as everybody is, spread among customers who never do: these are copies of one of them, with
user codes, hashes and salts of their own, made by PostgreSQL itself. What a card takes on disk, how
long its enrolment takes there, and what `COPY` would need for the same rows, come out too.
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from sqlalchemy import Table

from bench import login
from bench.login import Supply
from bench.population import (
    Holder,
    Premises,
    enrol_holders,
    enrol_in_batches,
    found,
    new_customer,
    open_population_bank,
)
from bench.postgres import Cluster, cluster
from sesame.store.access import ACCESS
from sesame.store.audit import AUDIT_LINES, AUDIT_PERSONAL
from sesame.store.cards import CARDS, PAN_INDEX
from sesame.store.customers import CUSTOMERS

CARDS_ENROLLED = (10**3, 10**5, 10**7)
ROUNDS = 5
_HOLDERS = 20_000  # who log in, at most; of a small bank everybody does
_PORTIONS = 20  # in which they come, with others between them
_ATTEMPTS, _CLIENTS = 20_000, 32  # a round
_TIMED = 20_000  # enrolments
_COPIED = 100_000  # cards, so that what a statement costs by itself does not count
_TABLES: Sequence[Table] = (ACCESS, CUSTOMERS, CARDS, PAN_INDEX, AUDIT_LINES, AUDIT_PERSONAL)
# A user code that we give has no 0, so these are nobody's.
_USER_CODE = "lpad(n::text, 8, '0')"
_OWN_VALUES = {
    "bucket": "(get_byte(sha256(one.code::bytea), 0) & 63)::smallint",
    "user_code": "one.code",
    "pan_hash": "sha256(('pan' || one.code)::bytea)",
    "head": "sha256(('head' || one.code)::bytea)",
    "salt": "substring(sha256(('salt' || one.code)::bytea) FROM 1 FOR 16)",
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


def measure(cards: int) -> dict[str, float]:
    """Grow to *cards* by the sizes of `CARDS_ENROLLED` below it, and measure each."""
    sizes = [size for size in CARDS_ENROLLED if size < cards] + [cards]
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
    for bank in grown:
        # Last, for the new customers' numbers follow on those there are.
        seconds = await _enrolled_in(bank.premises, len(bank.holders))
        figures[f"enrolment_of_{bank.cards}_us"] = seconds / _TIMED * 1e6
    return figures


async def _grow(server: Cluster, folder: Path, cards: int) -> Grown:
    """A bank of so many *cards*; who logs in is spread evenly over them."""
    started = time.perf_counter()
    bank = _new(server, folder, f"grown_{cards}", cards)
    await found(bank.premises)
    portions = _PORTIONS if cards > _HOLDERS else 1
    some = min(cards, _HOLDERS) // portions
    others = cards // portions - some
    for portion in range(portions):
        bank.holders += await enrol_holders(
            bank.premises, range(portion * some, (portion + 1) * some)
        )
        _fill(server, bank, range(portion * others, (portion + 1) * others))
    server.run(bank.database, "VACUUM (FREEZE, ANALYZE); CHECKPOINT;")
    bank.supply = Supply(bank.holders)
    print(f"{cards} cards after {time.perf_counter() - started:.0f} s", flush=True)
    return bank


def _new(server: Cluster, folder: Path, name: str, cards: int) -> Grown:
    server.create(name)
    (folder / name).mkdir()
    url = server.url(name, "postgresql+asyncpg")
    return Grown(cards, name, Premises(folder / name, url))


def _fill(server: Cluster, bank: Grown, numbers: range) -> None:
    """Copies of one customer, who is anybody but that they have keys and hashes of their own."""
    if not numbers:
        return
    like = bank.holders[0].user_code
    for table in _TABLES:
        names = [column.name for column in table.columns]
        values = ", ".join(_OWN_VALUES.get(name, f"model.{name}") for name in names)
        server.run(
            bank.database,
            f"""
            SET synchronous_commit = off;
            INSERT INTO {table.name} ({", ".join(names)})
            SELECT {values}
            FROM (SELECT {_USER_CODE} AS code
                  FROM generate_series({numbers.start}, {numbers.stop - 1}) AS n) AS one,
                 (SELECT * FROM {table.name} WHERE user_code = '{like}') AS model
            """,  # noqa: S608 -- our own names
        )


def _size(server: Cluster, database: str) -> int:
    """The bytes of the tables with their indexes."""
    sizes = " + ".join(f"pg_total_relation_size('{table.name}')" for table in _TABLES)
    return int(server.run(database, f"SELECT {sizes}"))


async def _enrolment_over_copy(server: Cluster, folder: Path) -> dict[str, float]:
    """How fast customers are enrolled, and how fast `COPY` takes such rows, all in one commit."""
    bank = _new(server, folder, "enrolment", _COPIED)
    await found(bank.premises)
    bank.holders += await enrol_holders(bank.premises, range(1))
    seconds = await _enrolled_in(bank.premises, 1)
    _fill(server, bank, range(_COPIED - _TIMED - 2))
    files = {table.name: server.folder / f"{table.name}.copy" for table in _TABLES}
    for name, file in files.items():
        server.run(bank.database, f"COPY {name} TO '{file}'")
    server.run(bank.database, f"TRUNCATE {', '.join(files)}")
    copies = "; ".join(f"COPY {name} FROM '{file}'" for name, file in files.items())
    started = time.perf_counter()
    server.run(bank.database, f"BEGIN; {copies}; COMMIT")
    copied = time.perf_counter() - started
    return {
        "enrolled_per_second": _TIMED / seconds,
        "copied_per_second": _COPIED / copied,
        "enrolment_over_copy": (_TIMED / seconds) / (_COPIED / copied),
    }


async def _enrolled_in(premises: Premises, first: int) -> float:
    """The seconds that so many enrolments as are timed took, from number *first* on.

    Connections are open before, as in a server that has worked before.
    """
    bank = open_population_bank(premises)
    first_of_all, *customers = [new_customer(first + n) for n in range(_TIMED + 1)]
    await enrol_in_batches(bank, [first_of_all])
    started = time.perf_counter()
    await enrol_in_batches(bank, customers)
    seconds = time.perf_counter() - started
    await bank.store.close()
    return seconds
