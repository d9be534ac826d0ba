"""`sesame customers renew`: what it says, and that a second time does nothing."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert

from sesame.bank.limits import Limits
from sesame.cli.main import main
from sesame.store.buckets import bucket_of
from sesame.store.orders import ORDERS, OrderRow
from tests.portal.town import open_town


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on an English machine."""
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A bank in which Véra's card ends in ten days."""
    day = (datetime.now(UTC) + timedelta(days=10)).date().isoformat()
    row = OrderRow(bucket_of("VERA2345"), "VERA2345", 1, "sesame", "first", None, 0, "", 1)

    async def fill() -> None:
        town = await open_town(tmp_path)

        def order(connection: Connection) -> None:
            connection.execute(insert(ORDERS).values(row._replace(expires_on=day)._asdict()))

        await town.bank.store.write(order)
        await town.bank.store.close()

    asyncio.run(fill())
    return f"sqlite:///{tmp_path / 'bank.db'}"


def test_it_counts_then_orders_then_has_nothing_to_do(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a timer runs it, day after day."""
    assert main(["customers", "renew", url, "--dry-run"]) == 0
    assert "Cards to order: 1, of which 0 for their counter." in capsys.readouterr().out
    assert main(["customers", "renew", url]) == 0
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "Cards ordered: 1, of which 0 for their counter.",
        "Cards retired: 0, of which 0 at their date.",
    ]
    assert main(["customers", "renew", url]) == 0
    assert "Cards ordered: 0" in capsys.readouterr().out


def test_what_others_keep_moving_is_left_and_told(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the exit status too."""
    monkeypatch.setattr("sesame.cli.renewal.Limits", partial(Limits, lost_swaps=0))
    assert main(["customers", "renew", url]) == 3
    assert "Left for the next time: 1." in capsys.readouterr().out


def test_there_is_no_bank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None is made, and a password has no place on a command line."""
    assert main(["customers", "renew", f"sqlite:///{tmp_path / 'none.db'}"]) == 1
    assert main(["customers", "renew", "postgresql+asyncpg://one:secret@server/bank"]) == 1
    assert "secret" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
