"""A bank that is grown: whom it has, where their rows are, and that they log in."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.growth import fill
from bench.login import Supply, in_process
from bench.population import Holder, Premises, enrol_holders, found, user_code
from bench.postgres import Cluster as MeasuredCluster
from sesame.store.buckets import BUCKETS, bucket_of
from tests.postgresql import BIN, Cluster

_TABLES = ("access", "customers", "cards", "pan_index", "audit_lines", "audit_personal")
_HOLDERS, _COPIES = 70, 640
_EACH = (_HOLDERS + _COPIES) // _HOLDERS

pytestmark = pytest.mark.needs("postgresql")


@dataclass(frozen=True, slots=True)
class _Server(MeasuredCluster):
    """The tests' PostgreSQL, as the measurements have theirs."""

    of: Cluster

    def url(self, database: str, scheme: str = "postgresql") -> str:
        return self.of.url(database).replace("postgresql+asyncpg", scheme)


@dataclass(frozen=True, slots=True)
class _Bank:
    server: _Server
    database: str
    premises: Premises
    holders: list[Holder]
    indexes: str  # before it grew

    def ask(self, sql: str) -> str:
        return self.server.run(self.database, sql)


_INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"


@pytest.fixture
async def bank(cluster: Cluster, tmp_path: Path) -> _Bank:
    """Some holders, and nine times as many copies."""
    server = _Server(BIN, 0, cluster.folder, cluster)
    database = cluster.new_database()
    premises = Premises(tmp_path, cluster.url(database))
    await found(premises)
    holders = await enrol_holders(premises, range(_HOLDERS))
    indexes = server.run(database, _INDEXES)
    fill(server, database, _HOLDERS, _COPIES)
    return _Bank(server, database, premises, holders, indexes)


async def test_holders_stand_evenly_among_copies(bank: _Bank) -> None:
    """In each table, as its rows follow each other; with the indexes that it had."""
    for table in _TABLES:
        found_codes = bank.ask(f"SELECT user_code FROM {table} ORDER BY ctid").split()  # noqa: S608 -- ours
        assert len(set(found_codes)) == len(found_codes) == _HOLDERS + _COPIES
        ours = [place for place, code in enumerate(found_codes) if not code.endswith("0")]
        assert ours == list(range(0, _HOLDERS * _EACH, _EACH))
    assert bank.ask(_INDEXES) == bank.indexes


async def test_copies_stand_among_holders_in_every_index(bank: _Bank) -> None:
    """In their buckets, with first characters of every kind and PANs of their own."""
    rows = bank.ask("SELECT user_code, bucket FROM access WHERE right(user_code, 1) = '0'").split()
    copies = [row.split("|") for row in rows]
    assert all(bucket_of(code) == int(bucket) for code, bucket in copies)
    assert len({bucket for _, bucket in copies}) == BUCKETS
    assert {code[:-1] for code, _ in copies} == {
        user_code(number)[:-1]
        for number in range(_HOLDERS + _COPIES)
        if number % _EACH or number // _EACH >= _HOLDERS
    }
    firsts = Counter(code[0] for code, _ in copies)
    assert len(firsts) == 32
    assert int(bank.ask("SELECT count(DISTINCT pan_hash) FROM pan_index")) == _HOLDERS + _COPIES


async def test_a_grown_bank_serves_its_holders_and_takes_more(bank: _Bank) -> None:
    """All of them log in, and the numbers that follow are nobody's."""
    more = await enrol_holders(bank.premises, range(_HOLDERS, _HOLDERS + _COPIES))
    holders = [*bank.holders, *more]
    supply = Supply(holders)
    await in_process(bank.premises, supply, largest_group=8, attempts=len(holders))
    assert (supply.atc, supply.place) == (1, 0)  # each once, and all were accepted
