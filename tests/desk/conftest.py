"""Each test has a bank with its staff, and a browser of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.desk.office import Office, open_office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A bank with its staff, for one test."""
    office = await open_office(tmp_path)
    yield office
    await office.bank.store.close()
