"""Each test has a bank and a browser of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sesame.portal.routes import build
from tests.portal.browser import Browser
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
