"""The simulator before a test: in memory, or on a port with a browser before it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from sesame.reader.slot import Clock
from sesame.simulator.routes import build
from tests.chromium import launch_here
from tests.simulator.browser import RECORDER, Ears, Open, insert
from tests.simulator.table import INES, TODAY, Table, fill, serve


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
        browser = launch_here(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser, address: str) -> Iterator[Open]:
    """Opens the page in a browser of its own; at the end none of them has complained."""
    complaints: list[str] = []
    contexts = []

    def open_page(
        width: int = 1280, height: int = 900, *, at: str = "/", script: str = "", **how: object
    ) -> Page:
        context = chromium.new_context(
            base_url=address,
            viewport={"width": width, "height": height},
            **how,  # type: ignore[arg-type]  # the test's own words
        )
        contexts.append(context)
        context.add_init_script(script)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text))
        page.goto(at)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Chromium itself writes a line for every answer of 4xx and every request that fails.
    assert [words for words in complaints if not words.startswith("Failed to load resource")] == []


@pytest.fixture
def listening(open_page: Open) -> tuple[Page, Ears]:
    """A page with a card in and its voice on, by keyboard alone."""
    page = open_page(script=RECORDER)
    insert(page, INES)
    page.keyboard.press("v")
    ears = Ears(page)
    ears.wait("Choisissez")
    return page, ears
