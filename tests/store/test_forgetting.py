"""`sesame.store.forgetting`: a part at a time, and only one server at once."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import Connection

from sesame.store import forgetting
from sesame.store.access import delete_stranger_rows
from sesame.store.failures import delete_old_failures
from tests.places import Place
from tests.store.databases import STRANGER, step


def test_it_goes_part_by_part(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is a transaction of its own; the last one says that nothing is left."""
    monkeypatch.setattr(forgetting, "MOST", 2)
    for hour in range(5):
        place.execute("INSERT INTO stranger_failures VALUES (1, ?, 0, 1)", hour)
    parts = [place.write(lambda c: delete_old_failures(c, before=9)) for _ in range(4)]
    assert parts == [2, 2, 1, 0]


@pytest.mark.needs("postgresql")
def test_a_part_is_a_part_by_any_plan(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by one that runs a subselect anew for each row."""
    monkeypatch.setattr(forgetting, "MOST", 2)
    for hour in range(5):
        server.execute("INSERT INTO stranger_failures VALUES (1, ?, 0, 1)", hour)

    def forget(connection: Connection) -> int:
        for kind in ("hashjoin", "mergejoin", "material", "hashagg", "sort"):
            connection.exec_driver_sql(f"SET LOCAL enable_{kind} = off")
        return delete_old_failures(connection, before=9)

    assert server.write(forget) == 2


def test_a_row_stays_as_long_as_a_line_of_it(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that began anew would write its first line over again."""
    for version in range(3):
        place.swap_group([step(STRANGER, version)])
    monkeypatch.setattr(forgetting, "MOST", 2)
    left = []
    while place.write(lambda c: delete_stranger_rows(c, untouched_since=9_999)):
        written = place.everything()
        left.append((len(written["stranger_lines"]), len(written["access"])))
    assert left == [(1, 1), (0, 0)]


@pytest.mark.needs("postgresql")
async def test_one_server_at_a_time(server: Place) -> None:
    """The other one is told that there is nothing for it to do, and does not wait."""
    server.execute("INSERT INTO stranger_failures VALUES (1, 2, 0, 1)")
    one, other = server.open_store(), server.open_store()
    begun = asyncio.Event()

    def slowly(connection: Connection) -> int:
        forgotten = delete_old_failures(connection, before=9)
        begun.set()
        connection.exec_driver_sql("SELECT pg_sleep(0.5)")
        return forgotten

    first = asyncio.create_task(one.write(slowly))
    await begun.wait()
    assert await other.write(lambda connection: delete_old_failures(connection, before=9)) == 0
    assert not first.done()
    assert await first == 1
    await one.close()
    await other.close()


@pytest.mark.needs("postgresql")
async def test_what_a_login_holds_is_left_for_later(server: Place) -> None:
    """Neither waits for the other."""
    for hour in (1, 2):
        server.execute("INSERT INTO stranger_failures VALUES (1, ?, 0, 1)", hour)
    holding = await asyncpg.connect(server.url.replace("+asyncpg", ""))
    async with holding.transaction():
        await holding.execute("SELECT FROM stranger_failures WHERE hour = 1 FOR UPDATE")
        assert server.write(lambda connection: delete_old_failures(connection, before=9)) == 1
    await holding.close()
    assert server.execute("SELECT hour FROM stranger_failures") == [(1,)]
