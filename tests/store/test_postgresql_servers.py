"""Which of several servers a store speaks to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from sesame.store.engine import open_store
from sesame.store.errors import StoreError, StoreUnavailable
from sesame.store.options import StoreOptions
from sesame.store.postgresql import one_by_one
from tests.places import Place
from tests.postgresql import Cluster
from tests.store.databases import USER_CODE, enrol
from tests.wire import SOCKET

postgresql = pytest.mark.needs("postgresql")

_ONLY_WRITING = "&target_session_attrs=read-write"

Door = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.mark.parametrize(
    ("dsn", "each"),
    [
        ("postgresql://db1/bank", ["postgresql://db1/bank"]),
        ("postgresql:///bank?host=/run", ["postgresql:///bank?host=/run"]),
        ("postgresql:///bank", ["postgresql:///bank"]),
        (
            "postgresql://me:p%40ss@db1,[::1]:6432/bank?sslmode=require",
            [
                "postgresql://me:p%40ss@db1/bank?sslmode=require",
                "postgresql://me:p%40ss@[::1]:6432/bank?sslmode=require",
            ],
        ),
        (
            "postgresql://me@/bank?host=/a,/b&port=5433&sslmode=disable",
            [
                "postgresql://me@/bank?host=/a&port=5433&sslmode=disable",
                "postgresql://me@/bank?host=/b&port=5433&sslmode=disable",
            ],
        ),
        (
            "postgresql://me@/bank?host=/a,db2&port=1,2",
            ["postgresql://me@/bank?host=/a&port=1", "postgresql://me@/bank?host=db2&port=2"],
        ),
    ],
)
def test_a_url_for_each_server(dsn: str, each: list[str]) -> None:
    """With all else that it says."""
    assert one_by_one(dsn) == each


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """As a machine that lost its power: whoever speaks to it hears nothing."""
    await reader.read()


async def _closing(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a balancer that has no server behind it."""
    writer.close()


async def _starting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As a server that comes up."""
    await reader.read(8)
    said = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"
    writer.write(b"E" + (4 + len(said)).to_bytes(4) + said)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def _first(server: Place, cluster: Cluster, door: Door) -> AsyncIterator[str]:
    """The URL of two servers, the first of which is of no use."""
    folder = cluster.folder / "first"
    folder.mkdir()
    writers = []

    async def opened(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await door(reader, writer)

    listening = await asyncio.start_unix_server(opened, folder / SOCKET)
    url = server.url.partition("?")[0]
    try:
        yield f"{url}?host={folder},{cluster.folder}{_ONLY_WRITING}"
    finally:
        listening.close()
        for writer in writers:
            writer.close()
        (folder / SOCKET).unlink(missing_ok=True)
        folder.rmdir()


@postgresql
@pytest.mark.parametrize("door", [_silent, _closing, _starting])
async def test_a_server_of_no_use_keeps_nobody_from_the_next(
    server: Place, cluster: Cluster, door: Door
) -> None:
    """Whatever is wrong with the first one."""
    enrol(server)
    async with _first(server, cluster, door) as url:
        store = open_store(url, StoreOptions(connect_timeout=4.0))
        assert (await store.read_access(USER_CODE)).version == 1
        assert await store.write(lambda _connection: 1) == 1
        await store.close()


@postgresql
async def test_where_no_server_writes(server: Place, cluster: Cluster) -> None:
    """It is said, and no error of the driver's own."""
    cluster.psql("ALTER SYSTEM SET default_transaction_read_only = on")
    cluster.reload()
    url = server.url.partition("?")[0]
    both = f"{url}?host={cluster.folder},{cluster.folder}{_ONLY_WRITING}"
    store = open_store(both)
    try:
        for asked in (store.read_access(USER_CODE), store.write(lambda _connection: 1)):
            with pytest.raises(StoreUnavailable, match="match the target attribute"):
                await asked
    finally:
        cluster.psql("ALTER SYSTEM RESET default_transaction_read_only")
        cluster.reload()
    assert (await store.read_access(USER_CODE)).version == 0
    await store.close()


@postgresql
@pytest.mark.parametrize("attributes", ["read-write", "primary"])
async def test_what_reads_finds_the_server_that_writes(
    server: Place, cluster: Cluster, attributes: str
) -> None:
    """And can write nothing there."""
    enrol(server)
    url = server.url.partition("?")[0]
    both = f"{url}?host={cluster.folder},{cluster.folder}&target_session_attrs={attributes}"
    store = open_store(both)
    count = text("SELECT count(*) FROM customers")
    assert await store.read(lambda connection: connection.execute(count).scalar()) == 1
    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        await store.read(lambda connection: connection.execute(text("DELETE FROM devices")))
    await store.close()


@postgresql
async def test_a_value_that_the_driver_does_not_take(server: Place) -> None:
    """It is said, and not what it was."""
    store = open_store(f"{server.url}&ssl_min_protocol_version=s3cr3t&sslmode=require")
    for asked in (lambda: store.read_access(USER_CODE), lambda: store.read(lambda _: 1)):
        with pytest.raises(StoreError) as refused:
            await asked()
        assert "s3cr3t" not in f"{refused.value!r} {refused.value.__cause__!r}"
    await store.close()
