"""`sesame.monitoring.readiness`: what a login needs is looked at, seldom, and with an end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from sesame.custody.errors import KeyMissing
from sesame.monitoring import readiness as module
from sesame.monitoring.readiness import OK, Readiness, Stage
from sesame.store.schema import write_nothing
from tests.bank.branch import Branch, open_bank
from tests.places import Place
from tests.postgresql import Cluster

_WELL = {"database": OK, "schema": OK, "custody": OK}


@pytest.fixture
def readiness(branch_on_file: Branch) -> Readiness:
    """Of a bank that serves."""
    readiness = Readiness(branch_on_file.bank)
    readiness.stage = Stage.SERVING
    return readiness


async def test_a_bank_that_serves_is_ready(branch: Branch) -> None:
    """On either database; the gauges say so too."""
    readiness = Readiness(branch.bank)
    readiness.stage = Stage.SERVING
    assert await readiness.look() == _WELL
    assert await readiness.is_ready()
    assert branch.bank.meters.ready.values == {(part,): 1 for part in _WELL}


@pytest.mark.parametrize("stage", [Stage.STARTING, Stage.STOPPING])
async def test_not_while_it_starts_or_ends(readiness: Readiness, stage: Stage) -> None:
    """Though all parts answer."""
    readiness.stage = stage
    assert readiness.is_well(await readiness.look())
    assert not await readiness.is_ready()


async def test_tables_of_another_version(readiness: Readiness, branch_on_file: Branch) -> None:
    """A migration that ran meanwhile."""
    branch_on_file.change("UPDATE alembic_version SET version_num = '0001'")
    assert await readiness.look() == _WELL | {"schema": "WrongSchema"}
    assert not await readiness.is_ready()


async def test_custody_that_cannot(
    readiness: Readiness, branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The type of its error, and no word of it."""

    async def cannot(_inquiries: Sequence[object]) -> None:
        raise KeyMissing("dpa-01")

    monkeypatch.setattr(
        type(branch_on_file.bank.custodian), "match", lambda _self, asked: cannot(asked)
    )
    assert await readiness.look() == _WELL | {"custody": "KeyMissing"}


async def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    """It can be read, and would refuse every login."""
    path = tmp_path / "bank.db"
    bank = open_bank(path)  # not even made
    readiness = Readiness(bank)
    found = await readiness.look()
    assert found["database"] == "StoreUnavailable"
    assert found["custody"] == OK
    await bank.store.close()


@pytest.mark.needs("postgresql")
async def test_a_database_that_only_reads(cluster: Cluster, migrated_server: Place) -> None:
    """As a standby does: reading is well, writing is not."""
    assert migrated_server.url
    name = migrated_server.url.partition("?")[0].rpartition("/")[2]
    cluster.psql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    try:
        bank = open_bank(migrated_server.url)
        found = await Readiness(bank).look()
        await bank.store.close()
    finally:
        cluster.psql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert found == _WELL | {"database": "StoreUnavailable"}


async def test_a_question_serves_for_a_moment(
    readiness: Readiness, branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any number of probes at once are one write."""
    asked = []

    async def write(change: object) -> None:
        asked.append(change)

    monkeypatch.setattr(branch_on_file.bank.store, "write", write)
    await asyncio.gather(*(readiness.look() for _ in range(20)))
    await readiness.look()
    assert asked == [write_nothing]


async def test_what_does_not_answer_is_not_asked_again(
    readiness: Readiness, branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look has an end; the question that hangs is waited for by the next."""
    monkeypatch.setattr(module, "_PATIENCE", 0.05)
    monkeypatch.setattr(module, "_SERVES", 0.0)
    asked, answered = [], asyncio.Event()

    async def write(change: object) -> None:
        asked.append(change)
        await answered.wait()

    monkeypatch.setattr(branch_on_file.bank.store, "write", write)
    for _ in range(3):
        assert (await readiness.look())["database"] == "no answer in time"
    assert len(asked) == 1
    answered.set()
    assert (await readiness.look())["database"] == OK
    assert len(asked) == 1
    answered.clear()
    assert (await readiness.look())["database"] != OK
    await readiness.close()  # leaves nothing behind


async def test_a_change_is_an_event(
    readiness: Readiness,
    branch_on_file: Branch,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once each way, not each time that somebody looks."""
    monkeypatch.setattr(module, "_SERVES", 0.0)
    caplog.set_level("INFO", "sesame")
    for revision in ("0001", "0001", None):
        with monkeypatch.context() as patched:
            if revision:
                patched.setattr(module, "is_current", lambda _connection: False)
            await readiness.look()
            await readiness.look()
    said = [record.getMessage() for record in caplog.records if record.name == "sesame"]
    assert said == ["not ready: database ok, schema WrongSchema, custody ok", "ready"]
    assert branch_on_file.bank.meters.ready.values[("schema",)] == 1
