"""The simulator before a test: in memory, or on a port with a browser before it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from sesame.reader.slot import Clock
from sesame.simulator.routes import build
from tests.simulator.table import TODAY, Table, fill, launch, serve


@pytest.fixture
def table(tmp_path: Path) -> Table:
    """A drawer of fresh cards, and time that stands still."""
    return Table(fill(tmp_path))


@pytest.fixture
async def client(table: Table) -> AsyncIterator[httpx.AsyncClient]:
    """What speaks to the application of `table`; errors become answers, as on a server."""
    transport = httpx.ASGITransport(build(table.simulator()), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://sim.test") as client:
        yield client


@pytest.fixture
def address(table: Table) -> Iterator[str]:
    """Where the application of `table` is served, in real time."""
    with serve(build(table.simulator(clock=Clock(today=lambda: TODAY)))) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's browser. For one module: its event loop would be in the way of async tests."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        yield browser
        browser.close()
