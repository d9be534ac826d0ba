"""Several servers on one PostgreSQL, all after the same few rows: nobody is forgotten, no circle.

Four stores stand for four servers: each has its own connections and its own groups.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, insert

from sesame.store.buckets import bucket_of
from sesame.store.devices import DEVICES, delete_expired_devices
from sesame.store.engine import Store
from sesame.store.failures import read_failures
from sesame.store.sessions import SessionRow
from sesame.store.steps import Fate, Step
from tests.places import Place
from tests.store.databases import enrol, line, step

pytestmark = pytest.mark.needs("postgresql")

_CUSTOMERS = [f"HOTT{n:04d}" for n in range(6)]
_NOBODIES = [f"NEMO{n:04d}" for n in range(6)]
_HOURS = (7, 8)
_TURNS = 60


@pytest.fixture
async def servers(server: Place) -> AsyncIterator[list[Store]]:
    """Four stores on one database."""
    stores = [server.open_store() for _ in range(4)]
    yield stores
    for store in stores:
        await store.close()


def _deadlocks(server: Place) -> int:
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    server.execute("SELECT pg_stat_force_next_flush()")
    ((count,),) = server.execute(query)
    return int(count)


def _planned(user_code: str, version: int, chance: random.Random, *, enrolled: bool) -> Step:
    """A step that no other has the salt of, with whatever a step may carry."""
    salt = chance.randbytes(16)
    written = replace(line(version + 1), salt=salt, attempt=salt, head=salt * 2)
    session = SessionRow(salt * 2, 0, "code", False, 2_000, 9_000, None)  # noqa: FBT003 -- as in its row
    return step(
        user_code,
        version,
        enrolled=enrolled,
        line=written,
        session=session if enrolled and chance.random() < 1 / 2 else None,
        forgets_devices=chance.random() < 1 / 4,
        farewell=salt if enrolled and chance.random() < 1 / 4 else None,
        failed_hour=chance.choice([None, *_HOURS]),
    )


async def test_four_servers_and_hot_rows(server: Place, servers: list[Store]) -> None:
    """Every step that was said to be won is there, once; the database saw no deadlock."""
    for user_code in _CUSTOMERS:
        enrol(server, user_code)
    before = _deadlocks(server)
    won: Counter[str] = Counter()
    failed: Counter[int] = Counter()
    salts: set[bytes] = set()

    async def browser(store: Store, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 -- the order of a test
        for _ in range(_TURNS):
            user_code = chance.choice(_CUSTOMERS + _NOBODIES)
            access = await store.read_access(user_code)
            enrolled = user_code in _CUSTOMERS
            atcs = tuple((card.card_number, card.last_atc + 1) for card in access.cards)
            planned = _planned(user_code, access.version, chance, enrolled=enrolled)
            planned = replace(planned, atcs=atcs)
            if await store.swap_access(planned) is Fate.WON:
                won[user_code] += 1
                salts.add(planned.line.salt)
                if planned.failed_hour is not None:
                    failed[planned.failed_hour] += 1

    await asyncio.gather(*(browser(store, seed) for seed, store in enumerate(servers * 16)))
    assert _deadlocks(server) == before
    assert won.total() > _TURNS  # and the others lost
    for user_code in _CUSTOMERS + _NOBODIES:
        first = 1 if user_code in _CUSTOMERS else 0
        assert server.row_of(user_code)["version"] == first + won[user_code]
    for user_code in _CUSTOMERS:
        assert server.last_atcs(user_code) == [10 + won[user_code]] * 2
    written = server.everything()
    for tables in (("audit_personal", "stranger_personal"), ("audit_lines", "stranger_lines")):
        rows = [row for table in tables for row in written[table]]
        assert len(rows) == len(_CUSTOMERS) + won.total()
    kept = {row[4] for table in ("audit_personal", "stranger_personal") for row in written[table]}
    assert salts < kept
    assert server.write(lambda connection: read_failures(connection, since=0)) == failed


async def test_servers_that_begin_the_same_rows_at_once(
    server: Place, servers: list[Store]
) -> None:
    """Whoever asks first for a user code that nobody has: one of them writes its row."""
    before = _deadlocks(server)
    for round_ in range(40):
        user_codes = [f"NO{round_:02d}{n:04d}" for n in range(64)]

        async def all_of_them(
            store: Store, seed: int, user_codes: list[str] = user_codes
        ) -> list[Fate]:
            mixed = random.Random(seed).sample(user_codes, len(user_codes))  # noqa: S311 -- the order
            first = [step(code, 0, enrolled=False, failed_hour=7) for code in mixed]
            fates = await asyncio.gather(*map(store.swap_access, first))
            return [fate for _, fate in sorted(zip(mixed, fates, strict=True))]

        answers = await asyncio.gather(*(all_of_them(s, n) for n, s in enumerate(servers)))
        for of_one_code in zip(*answers, strict=True):
            assert sorted(of_one_code) == [Fate.LOST] * 3 + [Fate.WON]
    assert _deadlocks(server) == before
    assert server.write(lambda connection: read_failures(connection, since=0)) == {7: 40 * 64}


async def test_servers_that_begin_rows_which_others_step_on(
    server: Place, servers: list[Store]
) -> None:
    """Some read a row before it was there: who would begin it waits, and holds no other's row."""
    user_codes = [f"NEMO{n:04d}" for n in range(32)]
    await asyncio.gather(*(servers[0].swap_access(step(c, 0, enrolled=False)) for c in user_codes))
    before = _deadlocks(server)

    async def all_of_them(store: Store, seed: int, version: int) -> list[Fate]:
        chance = random.Random(seed)  # noqa: S311 -- the order of a test
        steps = [
            step(c, version if chance.random() < 1 / 2 else 0, enrolled=False) for c in user_codes
        ]
        return await asyncio.gather(*map(store.swap_access, steps))

    for version in range(1, 41):
        await asyncio.gather(
            *(all_of_them(s, 4 * version + n, version) for n, s in enumerate(servers))
        )
        await asyncio.gather(
            *(servers[0].swap_access(step(c, version, enrolled=False)) for c in user_codes)
        )
    assert _deadlocks(server) == before
    assert {server.row_of(user_code)["version"] for user_code in user_codes} == {41}


async def test_servers_whose_strangers_fail_at_once(server: Place, servers: list[Store]) -> None:
    """Of different user codes, in the same buckets and hours: what they share is the counts."""
    before = _deadlocks(server)

    async def all_of_them(store: Store, number: int) -> None:
        for round_ in range(40):
            user_codes = [f"N{number}{round_:02d}{n:04d}" for n in range(64)]
            first = [step(code, 0, enrolled=False, failed_hour=7) for code in user_codes]
            assert set(await asyncio.gather(*map(store.swap_access, first))) == {Fate.WON}

    await asyncio.gather(*(all_of_them(store, number) for number, store in enumerate(servers)))
    assert _deadlocks(server) == before
    counted = server.write(lambda connection: read_failures(connection, since=0))
    assert counted == {7: 4 * 40 * 64}


async def test_forgetting_and_logins_keep_out_of_each_others_way(
    server: Place, servers: list[Store]
) -> None:
    """Rows that a step deletes are left to it, whatever order they lie in: no circle."""
    user_codes = [f"HOTT{n:04d}" for n in range(64)]
    for user_code in user_codes:
        enrol(server, user_code)
    before = _deadlocks(server)
    chance = random.Random(7)  # noqa: S311 -- the order of a test
    forgotten = 0
    for round_ in range(1, 31):
        devices = [(code, bytes([n]) * 32) for code in user_codes for n in range(8)]
        chance.shuffle(devices)

        def remember(connection: Connection, devices: list[tuple[str, bytes]] = devices) -> None:
            insert_all = insert(DEVICES).values(
                [(bucket_of(code), code, device, 0, 10) for code, device in devices]
            )
            connection.execute(insert_all)

        server.write(remember)
        tidying = [
            asyncio.create_task(store.write(lambda c: delete_expired_devices(c, now=11)))
            for store in servers[1:]
        ]
        forgetting = [step(code, round_, forgets_devices=True) for code in user_codes]
        fates = await asyncio.gather(*map(servers[0].swap_access, forgetting))
        assert set(fates) == {Fate.WON}
        forgotten += sum(await asyncio.gather(*tidying))
        assert server.everything()["devices"] == []
    assert _deadlocks(server) == before
    assert 0 < forgotten < 30 * 64 * 8  # both had their part
