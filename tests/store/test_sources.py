"""`sesame.store.sources`: what all servers count together, in a table that has an end."""

import asyncio

import asyncpg
import pytest

from sesame.store.engine import Store
from sesame.store.sources import (
    SourceRow,
    add_refusals,
    cap_refusals,
    delete_old_refusals,
)
from tests.places import Place

_ONE, _OTHER = bytes(range(16)), bytes(range(64, 80))  # of one bucket


async def _add(store: Store, *rows: SourceRow, since: int = 0) -> set[SourceRow]:
    return set(await store.write(lambda connection: add_refusals(connection, rows, since=since)))


async def test_what_servers_count_adds_up(store: Store) -> None:
    """By source and hour; each learns the whole of the sources it asks with, and no others."""
    await _add(
        store, SourceRow(_ONE, 7, 3, 0), SourceRow(_ONE, 8, 1, 2), SourceRow(_OTHER, 8, 9, 9)
    )
    found = await _add(store, SourceRow(_ONE, 8, 10, 1))
    assert found == {SourceRow(_ONE, 7, 3, 0), SourceRow(_ONE, 8, 11, 3)}


async def test_only_the_hours_that_count_are_read(store: Store) -> None:
    """From `since` on, that hour too."""
    await _add(store, *(SourceRow(_ONE, hour, 1, 0) for hour in (5, 6, 7)))
    found = await _add(store, SourceRow(_ONE, 8, 1, 0), since=6)
    assert {row.hour for row in found} == {6, 7, 8}


async def test_nothing_is_asked_with_nothing(store: Store) -> None:
    """No statement is made of no rows."""
    assert await _add(store) == set()


async def test_many_sources_at_once(store: Store) -> None:
    """More than one statement asks for; every one is read back."""
    rows = [SourceRow(number.to_bytes(16, "little"), 1, 1, 0) for number in range(450)]
    assert await _add(store, *rows) == set(rows)


async def test_servers_at_the_same_rows_lose_nothing(place: Place) -> None:
    """Whoever comes first, all is added up."""
    rows = [SourceRow(bytes([number]) * 16, 1, 1, 1) for number in range(40)]
    servers = [place.open_store() for _ in range(3)]
    await asyncio.gather(
        *(_add(server, *rows[at:], *rows[:at]) for at in (0, 13, 29) for server in servers)
    )
    found = await _add(servers[0], *rows)
    assert {(row.failures, row.turned_away) for row in found} == {(10, 10)}
    for server in servers:
        await server.close()


@pytest.mark.needs("postgresql")
async def test_rows_are_locked_in_key_order(server: Place) -> None:
    """Who waits for a row holds none behind it: two servers never wait crosswise."""
    rows = [SourceRow(bytes([number]) * 16, 1, 1, 0) for number in (1, 2, 3)]
    store = server.open_store()
    await _add(store, *rows)
    lock = "SELECT FROM source_refusals WHERE bucket = $1 FOR UPDATE"
    first, last = [await asyncpg.connect(server.url.replace("+asyncpg", "")) for _ in range(2)]
    async with first.transaction():
        await first.execute(lock, 1)
        waiting = asyncio.create_task(_add(store, *reversed(rows)))
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        while not await last.fetchval(blocked):  # noqa: ASYNC110 -- the server does not call
            await asyncio.sleep(0.01)
        async with last.transaction():
            await last.execute("SET LOCAL lock_timeout = 100")
            await last.execute(lock, 3)
    assert {row.failures for row in await waiting} == {2}
    for connection in (first, last):
        await connection.close()
    await store.close()


async def test_refusals_are_forgotten_by_age(store: Store, place: Place) -> None:
    """Hours before the one that is named."""
    await _add(store, *(SourceRow(_ONE, hour, 1, 0) for hour in (5, 6, 7)))
    assert await store.write(lambda connection: delete_old_refusals(connection, before=7)) == 2
    assert place.execute("SELECT hour FROM source_refusals") == [(7,)]


async def test_beyond_the_most_the_smallest_counts_go(store: Store, place: Place) -> None:
    """A flood of new addresses takes no large count away; below the most nothing goes."""
    flood = [SourceRow(bytes([number]) * 16, 9, 0, 1) for number in range(6)]
    await _add(store, SourceRow(_ONE, 2, 20, 5), SourceRow(_OTHER, 2, 2, 0), *flood)
    assert await store.write(lambda connection: cap_refusals(connection, most=8)) == 0
    assert await store.write(lambda connection: cap_refusals(connection, most=4)) == 6
    left = "SELECT failures FROM source_refusals ORDER BY failures"
    assert place.execute(left) == [(2,), (20,)]
    assert await store.write(lambda connection: cap_refusals(connection, most=1)) == 1
    assert place.execute(left) == [(20,)]
