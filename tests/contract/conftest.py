"""One demonstration for all tests of a process; each test takes a customer that it may spoil."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.running import Demonstration, demonstration


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """A demonstration in a folder with a space in its name."""
    with demonstration(tmp_path_factory.mktemp("demo") / "a folder") as running:
        yield running


@pytest.fixture
def own_demo(tmp_path: Path) -> Iterator[Demonstration]:
    """A demonstration for one test alone."""
    with demonstration(tmp_path / "data") as running:
        yield running
