"""Each test has a bank and a browser of its own; those with a real browser share one a file."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sesame.portal.routes import build
from tests.portal.browser import Browser
from tests.portal.street import Street, open_street
from tests.portal.town import Town, open_town


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    """A bank for one test."""
    town = await open_town(tmp_path)
    yield town
    await town.bank.store.close()


@pytest.fixture
async def browser(town: Town) -> AsyncIterator[Browser]:
    """A new browser before Coop@net."""
    async with Browser(build(town.portal())) as browser:
        yield browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """One server and one Chromium for all tests of a file."""
    async with open_street(tmp_path_factory.mktemp("street")) as street:
        yield street
