"""`sesame.app`: which keys it opens, for which settings and which database."""

import asyncio
import fcntl
import logging
import os
import secrets
import signal
import sqlite3
from collections.abc import MutableMapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sesame.app import (
    ForeignKeystore,
    Worker,
    build_asgi,
    build_desk,
    check_keystore,
    open_bank,
    open_custodian,
    open_keystore,
    open_outbox,
    open_revealing,
)
from sesame.bank.bank import Bank
from sesame.bank.heartbeat import Heartbeat
from sesame.bank.limits import Limits
from sesame.bank.moments import to_row
from sesame.bank.restored import Seen
from sesame.custody.custodian import RevealingCustodian
from sesame.custody.errors import KeystoreError
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.passphrase import Passphrase
from sesame.custody.service_custodian import RevealingServiceCustodian, ServiceCustodian
from sesame.errors import SesameError
from sesame.mail.server import Encryption
from sesame.monitoring.readiness import Stage
from sesame.monitoring.watch import Watch
from sesame.settings import (
    DeskSettings,
    InstitutionSettings,
    MailSettings,
    Settings,
    SettingsError,
)
from sesame.store.buckets import bucket_of
from sesame.store.details import DetailsRow, insert_details
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.incarnation import mark_as_backup, read_incarnation
from sesame.store.notices import insert_notice
from sesame.store.schema import migrate
from tests.custody.keystores import PASSPHRASE, QUICK, quick_keystore
from tests.logged import restored_logs
from tests.mail.post_office import PASSWORD, SENDER, USER, post_office
from tests.portal.browser import Browser
from tests.portal.town import open_town

_PASSPHRASE = "quatre mots tirés au sort"


def _settings(folder: Path, *, demonstration: bool = True) -> Settings:
    return Settings(
        database=f"sqlite:///{folder}/bank.db",
        keystore=str(folder / "keys"),
        keystore_passphrase_file=str(folder / "passphrase"),
        public_url="https://bank.example",
        demonstration=demonstration,
    )


@pytest.mark.parametrize(
    ("keys", "settings", "said"),
    [
        ("demonstration", "production", "holds demonstration keys"),
        ("production", "demonstration", "holds production keys"),
    ],
)
def test_keys_of_the_other_kind_are_refused(
    tmp_path: Path, keys: str, settings: str, said: str
) -> None:
    """In both directions; those of the same kind are opened."""
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(_PASSPHRASE + "\n")
    demo = keys == "demonstration"
    Keystore.create(
        tmp_path / "keys",
        Passphrase(_PASSPHRASE),
        demo=demo,
        now=datetime.now(UTC),
        random=secrets.token_bytes,
        **({"cost": QUICK} if demo else {}),
    )
    with pytest.raises(KeystoreError, match=said):
        open_keystore(_settings(tmp_path, demonstration=settings == "demonstration"))
    assert open_keystore(_settings(tmp_path, demonstration=demo)).demo is demo


async def test_the_keys_may_be_in_a_process_of_their_own(tmp_path: Path) -> None:
    """Then this one opens no keystore, and who wants the keys themselves is told that."""
    settings = msgspec.structs.replace(
        _settings(tmp_path),
        custody=str(tmp_path / "s"),
        keystore=None,
        keystore_passphrase_file=None,
    )
    custodian = open_custodian(settings)
    assert isinstance(custodian, ServiceCustodian)
    assert not isinstance(custodian, RevealingCustodian)
    assert isinstance(open_revealing(settings), RevealingServiceCustodian)
    migrate(settings.database)
    await check_keystore(settings, custodian)  # without cards there is nothing to ask
    with pytest.raises(SettingsError, match="keystore: there is none"):
        open_keystore(settings)


def test_a_portal_can_say_no_number(tmp_path: Path) -> None:
    """Its process has no custodian that could; the desk's has, and its pages are given it."""
    quick_keystore(tmp_path / "keys")
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(PASSPHRASE.text + "\n")
    settings = _settings(tmp_path)
    assert not isinstance(open_custodian(settings), RevealingCustodian)
    assert isinstance(open_revealing(settings), RevealingCustodian)


async def test_the_keystore_belongs_to_the_database(tmp_path: Path) -> None:
    """One card tells; another keystore is refused with its path, before anybody signs in."""
    town = await open_town(tmp_path)
    await town.bank.store.close()
    settings = _settings(tmp_path)
    await check_keystore(settings, town.custodian)
    other = KeystoreCustodian(quick_keystore(tmp_path / "others", "other"))
    with pytest.raises(ForeignKeystore, match="not the one this database was made with") as refused:
        await check_keystore(settings, other)
    assert refused.value.path == tmp_path / "keys"
    apart = msgspec.structs.replace(settings, keystore=None, custody=str(tmp_path / "s"))
    with pytest.raises(ForeignKeystore, match=f"{tmp_path}/s"):
        await check_keystore(apart, other)


async def test_a_destroyed_key_closes_no_bank(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its cards are refused, one by one; the bank opens, and its log says so."""
    town = await open_town(tmp_path)
    await town.bank.store.close()
    whole = Keystore.open(tmp_path / "keys", PASSPHRASE)
    keys = replace(whole, keys=tuple(key for key in whole.keys if key.label != "dpa-01"))
    with caplog.at_level(logging.WARNING, logger="sesame"):
        await check_keystore(_settings(tmp_path), town.custodian)
        assert not caplog.records
        await check_keystore(_settings(tmp_path), KeystoreCustodian(keys))
    assert "does not have the issuer key" in caplog.text


async def test_a_database_without_cards_takes_every_keystore(tmp_path: Path) -> None:
    """A bank that opens."""
    settings = _settings(tmp_path)
    migrate(settings.database)
    await check_keystore(settings, KeystoreCustodian(quick_keystore(tmp_path / "keys")))


async def test_pages_say_what_the_settings_say_of_the_bank(tmp_path: Path) -> None:
    """Name, number and hours; what is left out stays as at the fictional bank."""
    town = await open_town(tmp_path)
    said = InstitutionSettings(
        name="Caisse du Canal", telephone="01 99 00 11 22", hours={"sunday": ("10:00-12:00",)}
    )
    settings = msgspec.structs.replace(_settings(tmp_path), institution=said)
    async with Browser(build_asgi(settings, town.bank)) as browser:
        page = (await browser.get("/aide")).text
    await town.bank.store.close()
    assert "Caisse du Canal" in page
    assert "tel:+33199001122" in page
    assert "tapez étoile, puis 2" in page
    assert "Horaires\u00a0: le dimanche de 10\u00a0h à 12\u00a0h, sauf les jours fériés." in page


async def test_a_server_looks_for_a_restore_before_it_answers_and_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was put back before its start is noticed then; what is later, by one of its beats."""
    monkeypatch.setattr("sesame.app.PERIOD", 0.01)
    town = await open_town(tmp_path)
    settings = msgspec.structs.replace(_settings(tmp_path), heartbeat=str(tmp_path / "beat"))
    (tmp_path / "beat").write_bytes(msgspec.json.encode(Seen(b"of another life.", 9, at=0)))
    app = build_asgi(settings, town.bank)
    stop = asyncio.Event()
    said: list[str] = []

    async def receive() -> dict[str, str]:
        if said:
            await stop.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, object]) -> None:
        said.append(str(message["type"]))

    life = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
    try:
        async with asyncio.timeout(120):
            while not said:  # noqa: ASYNC110 -- until it has started
                await asyncio.sleep(0.01)
            found = await town.bank.store.read(read_incarnation)
            assert found is not None
            assert found.generation == 1
            await town.bank.store.write(mark_as_backup)
            while found is None or found.generation < 3 or not found.mark:
                await asyncio.sleep(0.01)
                found = await town.bank.store.read(read_incarnation)
    finally:
        stop.set()
        await life


@pytest.mark.parametrize("file", ["no folder/beat", "held"])
async def test_a_server_ends_when_it_is_told_to_while_it_waits_for_its_first_beat(
    tmp_path: Path, file: str
) -> None:
    """It serves nobody before it, and need not be killed."""
    town = await open_town(tmp_path)
    settings = msgspec.structs.replace(_settings(tmp_path), heartbeat=str(tmp_path / file))
    lock = os.open(tmp_path / "held.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)  # as by a process that was stopped
    watch = Watch(town.bank)
    app = build_asgi(settings, town.bank, watch)
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    ours = signal.getsignal(signal.SIGTERM)
    said: list[str] = []

    async def receive() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, object]) -> None:
        said.append(str(message["type"]))

    try:
        async with asyncio.timeout(120):
            life = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
            while signal.getsignal(signal.SIGTERM) is ours:  # noqa: ASYNC110 -- until it listens
                await asyncio.sleep(0)
            os.kill(os.getpid(), signal.SIGTERM)
            await life
    finally:
        signal.signal(signal.SIGTERM, before)
        os.close(lock)
    assert said == ["lifespan.startup.failed"]
    assert watch.readiness.stage is Stage.STOPPING


async def test_a_fault_ends_one_beat_and_not_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one sees what was restored meanwhile."""
    monkeypatch.setattr("sesame.app.PERIOD", 0.01)
    town = await open_town(tmp_path)
    faults, take = [OverflowError("a value")], Heartbeat.take

    async def faulty(heartbeat: Heartbeat, bank: Bank) -> None:
        if faults:
            raise faults.pop()
        await take(heartbeat, bank)

    monkeypatch.setattr(Heartbeat, "take", faulty)
    settings = msgspec.structs.replace(_settings(tmp_path), heartbeat=str(tmp_path / "beat"))
    app = build_asgi(settings, town.bank)
    started = asyncio.Event()

    async def receive() -> dict[str, str]:
        await asyncio.sleep(0)
        return {"type": "lifespan.shutdown" if started.is_set() else "lifespan.startup"}

    async def send(_message: MutableMapping[str, object]) -> None:
        await asyncio.sleep(0)
        started.set()

    await app({"type": "lifespan"}, receive, send)
    assert (tmp_path / "beat").exists()
    assert "a fault of the program" in caplog.text


def test_the_limits_by_address_can_be_switched_off(tmp_path: Path) -> None:
    """They are on unless the settings say else."""
    settings = _settings(tmp_path)
    custodian = KeystoreCustodian(quick_keystore(tmp_path / "keys"))
    assert open_bank(settings, custodian).limits == Limits()
    off = msgspec.structs.replace(settings, source_limits=False)
    assert open_bank(off, custodian).limits == Limits(source=None)


async def test_a_server_shares_what_it_refused_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again; also after the database did not answer, and after a fault."""
    monkeypatch.setattr("sesame.app._SHARED", 0.001)
    monkeypatch.setattr("sesame.app._PUT_OFF", 0.001)
    town = await open_town(tmp_path)
    shared = town.bank.sources.share
    troubles = [StoreUnavailable("the disk is full"), OverflowError("a fault")]

    async def share(*bank: object) -> None:
        if troubles:
            raise troubles.pop()
        await shared(*bank)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(town.bank.sources, "share", share)
    app = build_asgi(_settings(tmp_path), town.bank)
    stop = asyncio.Event()
    started = asyncio.Event()

    async def receive() -> dict[str, str]:
        if started.is_set():
            await stop.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(_message: MutableMapping[str, object]) -> None:
        await asyncio.sleep(0)
        started.set()

    life = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
    counts = "SELECT failures, turned_away FROM source_refusals"
    async with Browser(app, base_url="https://bank.example") as browser:
        for refused in ([(1, 0)], [(2, 0)]):
            await browser.log_in("VERA2345", "34567890")
            async with asyncio.timeout(120):
                with closing(sqlite3.connect(tmp_path / "bank.db")) as connection:
                    while connection.execute(counts).fetchall() != refused:  # noqa: ASYNC110 -- it does not call
                        await asyncio.sleep(0.01)
    assert not troubles
    stop.set()
    await life


async def test_a_server_that_stops_writes_down_what_it_turned_away(tmp_path: Path) -> None:
    """Nothing of a flood is lost with the memory of an orderly end."""
    town = await open_town(tmp_path)
    app = build_asgi(_settings(tmp_path), town.bank)
    stop = asyncio.Event()
    said: list[str] = []

    async def receive() -> dict[str, str]:
        if said:
            await stop.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, object]) -> None:
        said.append(str(message["type"]))

    life = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
    async with Browser(app, base_url="https://bank.example") as browser:
        statuses = [
            (await browser.log_in("VERA2345", "34567890")).status_code for _ in range(3 + 4)
        ]
    assert statuses == [422] * 3 + [429] * 4
    stop.set()
    await life
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with closing(sqlite3.connect(tmp_path / "bank.db")) as connection:
        (line,) = connection.execute(
            "SELECT line FROM audit_lines WHERE user_code = 'VERA2345' ORDER BY version DESC"
        ).fetchone()
        (counts,) = connection.execute("SELECT failures, turned_away FROM source_refusals")
    assert b'"causes":[["suspended",4]]' in line
    assert counts == (3, 4)


async def test_the_desks_server_tells_customers_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a real mail server, from its settings on; the portal's never does."""
    monkeypatch.setattr("sesame.app._TOLD", 0.01)
    town = await open_town(tmp_path)
    key = (bucket_of(town.vera.user_code), town.vera.user_code)
    details = DetailsRow(
        "", "", "12 rue des Tilleuls", "", "75011", "PARIS", "FR", "normal",
        "vera@example.org", "sesame", False, None,  # noqa: FBT003 -- a column
    )  # fmt: skip
    secret = tmp_path / "mail"
    secret.touch(mode=0o600)
    secret.write_text(PASSWORD + "\n")
    async with post_office(tmp_path, Encryption.STARTTLS, login=True) as office:
        mail = MailSettings(
            host="127.0.0.1",
            port=office.port,
            encryption=Encryption.STARTTLS,
            sender=SENDER,
            user=USER,
            password_file=str(secret),
            authority=str(office.authority),
        )
        settings = msgspec.structs.replace(
            _settings(tmp_path), mail=mail, desk=DeskSettings(public_url="https://desk.example")
        )
        at = to_row(town.bank.now())
        for build, sent in ((build_asgi, 0), (build_desk, 1)):
            bank = replace(town.bank, store=open_store(settings.database))
            if not sent:
                await bank.store.write(lambda c: insert_details(c, [(key, details, None)]))
                await bank.store.write(
                    lambda c: insert_notice(
                        c, key, notice=bytes(16), event="hold", facts=b"{}", at=at
                    )
                )
            stop, started = asyncio.Event(), asyncio.Event()

            async def receive(
                stop: asyncio.Event = stop, started: asyncio.Event = started
            ) -> dict[str, str]:
                if started.is_set():
                    await stop.wait()
                    return {"type": "lifespan.shutdown"}
                return {"type": "lifespan.startup"}

            async def send(
                _message: MutableMapping[str, object], started: asyncio.Event = started
            ) -> None:
                started.set()

            life = asyncio.ensure_future(build(settings, bank)({"type": "lifespan"}, receive, send))
            await started.wait()
            async with asyncio.timeout(120):
                while len(office.taken) < sent:  # noqa: ASYNC110 -- it does not call
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            stop.set()
            await life
            assert len(office.taken) == sent
    await town.bank.store.close()
    assert "Vos codes Sésame sont bloqués" in office.text()
    assert office.encrypted


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("authority", "mail.authority: no certificates"),
        ("password_file", "mail.password_file: other users may read it"),
    ],
)
def test_a_mail_server_whose_files_cannot_be_used(tmp_path: Path, name: str, said: str) -> None:
    """Is said at start: certificates that are none, a password that others may read."""
    path = tmp_path / "file"
    path.write_text("tilleul\n")
    path.chmod(0o644)
    more = {"user": USER} if name == "password_file" else {}
    mail = MailSettings(host="mail.example", sender=SENDER, **{name: str(path)}, **more)  # type: ignore[arg-type]  # by name
    with pytest.raises(SesameError, match=said):
        open_outbox(msgspec.structs.replace(_settings(tmp_path), mail=mail))
    mail = msgspec.structs.replace(mail, user=USER, password_file=str(tmp_path / "none"))
    with pytest.raises(SesameError, match="no password can be read there"):
        open_outbox(msgspec.structs.replace(_settings(tmp_path), mail=mail))


async def test_a_process_that_is_told_to_end_is_not_ready_any_more(tmp_path: Path) -> None:
    """At once, while it answers who is inside; whoever handled the signal handles it still."""
    town = await open_town(tmp_path)
    watch = Watch(town.bank)
    app = build_asgi(_settings(tmp_path), town.bank, watch)
    told, stop = [], asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda number, _frame: told.append(number))
    messages = iter(["lifespan.startup", "lifespan.shutdown"])

    async def receive() -> dict[str, str]:
        message = next(messages)
        if message == "lifespan.shutdown":
            await stop.wait()
        return {"type": message}

    async def send(_message: MutableMapping[str, object]) -> None:
        await asyncio.sleep(0)

    async def healthy(browser: Browser) -> int:
        return (await browser.get("https://bank.example/sante")).status_code

    try:
        async with Browser(app) as browser:
            assert await healthy(browser) == 503
            life = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
            await _until(watch, Stage.SERVING)
            assert await healthy(browser) == 200
            os.kill(os.getpid(), signal.SIGTERM)
            await _until(watch, Stage.STOPPING)
            assert await healthy(browser) == 503
            assert (await browser.get("/acces/sesame")).status_code == 200
        stop.set()
        await life
        os.kill(os.getpid(), signal.SIGTERM)
        assert told == [signal.SIGTERM] * 2
    finally:
        signal.signal(signal.SIGTERM, before)


async def _until(watch: Watch, stage: Stage) -> None:
    while watch.readiness.stage is not stage:  # noqa: ASYNC110 -- nobody but a test waits for one
        await asyncio.sleep(0)


def test_a_fault_at_start_shows_its_place_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And ends the process for good: another try would end alike."""
    path = tmp_path / "bank.toml"
    path.write_text(
        'database = "sqlite:///bank.db"\nkeystore = "keys"\npublic_url = "http://127.0.0.1"\n'
        'keystore_passphrase_file = "passphrase"\ndemonstration = true\n'
    )

    def fails(_settings: Settings) -> None:
        raise KeyError(_PASSPHRASE)

    monkeypatch.setattr("sesame.app.open_custodian", fails)
    with restored_logs(), pytest.raises(SystemExit) as ended:
        Worker(path)()
    assert ended.value.code == 3
    written = capsys.readouterr().err
    assert "crashed" in written
    assert "builtins.KeyError" in written
    assert _PASSPHRASE not in written
