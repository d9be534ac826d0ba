"""Puts the parts together: settings become a bank, a bank becomes an application."""

import asyncio
import gc
import logging
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from types import FrameType

import msgspec
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sesame import logs
from sesame.bank.bank import Bank
from sesame.bank.heartbeat import PERIOD, Heartbeat
from sesame.bank.housekeeping import look_at_closures, share_sources, tidy
from sesame.bank.limits import Limits
from sesame.bank.notices import Outbox
from sesame.bank.turned_away import write_all_turned_away
from sesame.cap.token import Code
from sesame.custody import settings as custody_settings
from sesame.custody.custodian import (
    Custodian,
    Inquiry,
    KeyRef,
    Question,
    RevealingCustodian,
)
from sesame.custody.errors import CustodyError, PassphraseExposed, SealBroken
from sesame.custody.hardening import harden
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian, KeystoreRevealingCustodian
from sesame.custody.metered import MeteredCustodian
from sesame.custody.passphrase import read_passphrase
from sesame.custody.service_custodian import RevealingServiceCustodian, ServiceCustodian
from sesame.desk.desk import Desk
from sesame.desk.routes import build as build_desk_routes
from sesame.errors import SesameError
from sesame.mail.server import Server
from sesame.mail.smtp import Smtp
from sesame.meters import Meters
from sesame.monitoring.watch import Watch
from sesame.portal.portal import Portal
from sesame.portal.routes import build
from sesame.rest.routes import routes as rest_routes
from sesame.settings import (
    DeskSettings,
    InstitutionSettings,
    MailSettings,
    Settings,
    SettingsError,
    read_settings,
)
from sesame.store.cards import any_card, seal_context
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.web.https import HttpsOnly
from sesame.web.institution import Institution
from sesame.web.rendering import Site

# What a balancer in front may ask of the public port: 200 or 503, and nothing else.
HEALTH = "/sante"

# Seconds after which a thread gives way. At Python's 5 ms the store's threads wait longer
# for the interpreter than for the disk (measured once: a third more logins a second).
SWITCH_INTERVAL = 1e-4

_TIDIED = 300  # seconds between two rounds of forgetting
_TOLD = 5  # seconds between two looks for notices to customers
_LOOKED = 30  # seconds between two looks at the days on which the help line has other hours
_SHARED = 1  # second between two looks at what other servers refused to the same addresses
_PUT_OFF = 10  # seconds until what failed is tried again, or its longer own time
_log = logging.getLogger("sesame")
_STARTUP_FAILURE = 3  # uvicorn's own status for it: another try would end alike


class ForeignKeystore(SesameError):
    """The keystore at `path` is not the one that the database's cards were sealed with."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"keystore {path}: this keystore is not the one this database was made with. "
            "Name that one, or the other database"
        )
        self.path = path


def open_custodian(settings: Settings) -> Custodian:
    """What has the keys: a process of its own, or this one with the keystore that is named.

    Raises:
        CustodyError: the keystore cannot be opened, see `custody.settings.open_keystore`; whether
            a process answers shows when it is asked.
    """
    if settings.custody is not None:
        return ServiceCustodian(Path(settings.custody), demonstration=settings.demonstration)
    return KeystoreCustodian(open_keystore(settings), random=secrets.token_bytes)


def open_revealing(settings: Settings) -> RevealingCustodian:
    """The same for the desk's process, which also shows a card's number to whom two agree to.

    Raises:
        CustodyError: as `open_custodian`.
    """
    if settings.custody is not None:
        return RevealingServiceCustodian(
            Path(settings.custody), demonstration=settings.demonstration
        )
    return KeystoreRevealingCustodian(open_keystore(settings), random=secrets.token_bytes)


def open_keystore(settings: Settings) -> Keystore:
    """The keystore that the settings name, before a custodian takes its keys.

    Raises:
        SettingsError: they name none.
        CustodyError: see `custody.settings.open_keystore`.
    """
    path, passphrase_file = settings.keystore, settings.keystore_passphrase_file
    if path is None or passphrase_file is None:
        raise SettingsError("keystore: there is none in these settings: name one")
    return custody_settings.open_keystore(
        Path(path), Path(passphrase_file), demonstration=settings.demonstration
    )


def open_bank(settings: Settings, custodian: Custodian) -> Bank:
    """The bank on the database of the settings."""
    meters = Meters()
    return Bank(
        store=open_store(settings.database, settings.store_options(), meters),
        custodian=custodian,
        now=utc_now,
        random_bytes=secrets.token_bytes,
        meters=meters,
        limits=Limits() if settings.source_limits else Limits(source=None),
    )


async def check_keystore(settings: Settings, custodian: Custodian) -> None:
    """Make sure that the keys are those that the database was made with.

    One card of a customer tells; a database without any belongs to every keystore.

    Raises:
        ForeignKeystore: custody cannot open a card of the database.
        CustodyUnavailable: a custody process does not answer.
        StoreUnavailable: the database does not answer.
    """
    bank = open_bank(settings, custodian)
    try:
        card = await bank.store.read(any_card)
        if card is None:
            return
        context = seal_context(card.user_code, card.card_number)
        # Without candidates, only decoys are computed; the code is no matter.
        inquiry = Inquiry(Code("00000000"), (Question(card.sealed, context, ()),))
        (fits,) = await custodian.match([inquiry])
        if fits:  # its seal opens, so the keys belong here; its issuer key may be destroyed
            _log.warning(
                "custody does not have the issuer key of a card of the database: look at "
                "sesame keys records, for codes of such cards are refused"
            )
    except SealBroken:
        raise ForeignKeystore(Path(settings.keystore or settings.custody or "")) from None
    finally:
        await bank.store.close()


def open_heartbeat(settings: Settings) -> Heartbeat:
    """The heartbeat that the settings name."""
    return Heartbeat(None if settings.heartbeat is None else Path(settings.heartbeat))


async def notice_restore(settings: Settings, custodian: Custodian) -> None:
    """Have every card unsure before anybody is served, if the database was restored.

    Raises:
        HeartbeatUnusable: its file cannot be read or written.
        HeartbeatHeld: another process of this machine does not let go of it.
        StoreUnavailable: the database does not answer.
    """
    bank = open_bank(settings, custodian)
    try:
        await open_heartbeat(settings).take(bank)
    finally:
        await bank.store.close()


def build_asgi(settings: Settings, bank: Bank, watch: Watch | None = None) -> ASGIApp:
    """Coop@net and the JSON door, as one application, and *watch* over it."""
    portal = Portal(
        bank=bank,
        site=Site(
            institution=institution_of(settings.institution),
            demonstration=settings.demonstration,
            beside=settings.simulator_url,
            https=settings.https,
        ),
        random_bytes=secrets.token_bytes,
        # A demonstration is opened as localhost and as 127.0.0.1: the request's own Host.
        public_origin=None if settings.demonstration else settings.public_origin,
    )
    beside = rest_routes(bank, tuple(settings.api_keys.values()))
    app = build(portal, beside=beside)
    if not settings.demonstration and settings.tls_certificate is None:
        app = HttpsOnly(app)
    return _WithLife(app, bank, open_heartbeat(settings), watch or Watch(bank))


def build_desk(
    settings: Settings,
    bank: Bank,
    watch: Watch | None = None,
    *,
    revealing: RevealingCustodian | None = None,
) -> ASGIApp:
    """The desk of the settings as an application, and *watch* over it.

    *revealing* says the numbers of cards; without it no page shows one.

    Raises:
        SettingsError: there is none.
    """
    own = desk_of(settings)
    desk = Desk(
        bank=bank,
        site=Site(
            institution=institution_of(settings.institution),
            demonstration=settings.demonstration,
            beside=settings.simulator_url,
            https=own.https,
        ),
        random_bytes=secrets.token_bytes,
        card_key=KeyRef(own.card_key),
        card_dki=own.card_dki,
        gaps=settings.issuing.gaps(),
        revealing=revealing,
        public_origin=None if settings.demonstration else own.public_origin,
    )
    app = build_desk_routes(desk)
    if not settings.demonstration and settings.tls_certificate is None:
        app = HttpsOnly(app)
    outbox = open_outbox(settings)
    return _WithLife(app, bank, open_heartbeat(settings), watch or Watch(bank), outbox)


def open_outbox(settings: Settings) -> Outbox:
    """What tells customers of changes; by letter alone where no mail server is named.

    Raises:
        SettingsError: the certificates to trust or the password cannot be read, or others can
            read the latter.
    """
    mail = settings.mail
    if mail is None:
        return Outbox(None)
    authority = mail.authority
    server = Server(
        host=mail.host,
        port=mail.port,
        encryption=mail.encryption,
        sender=mail.sender,
        user=mail.user,
        password=_password(mail),
        authority=None if authority is None else Path(authority),
    )
    try:
        return Outbox(Smtp(server, institution_of(settings.institution)))
    except OSError:
        raise SettingsError(
            "mail.authority: no certificates can be read there: write the path of a PEM file"
        ) from None


def _password(mail: MailSettings) -> str | None:
    """By which the mail server knows us."""
    if mail.password_file is None:
        return None
    try:
        return read_passphrase(Path(mail.password_file)).text
    except PassphraseExposed:
        raise SettingsError(
            "mail.password_file: other users may read it: run chmod 600 on it, and change the "
            "password if somebody could have read it"
        ) from None
    except CustodyError:
        raise SettingsError(
            "mail.password_file: no password can be read there: write the path of a file with one "
            "line of text"
        ) from None


def desk_of(settings: Settings) -> DeskSettings:
    """What the settings say of the desk.

    Raises:
        SettingsError: nothing.
    """
    if settings.desk is None:
        raise SettingsError("desk: these settings open none: write [desk] with its public_url")
    return settings.desk


def of_desk(settings: Settings) -> Settings:
    """The settings as the desk's process obeys them: its own database role, its own door."""
    own = desk_of(settings)
    return msgspec.structs.replace(
        settings,
        database=own.database or settings.database,
        host=own.host,
        port=own.port,
        monitoring=own.monitoring,
    )


def institution_of(settings: InstitutionSettings) -> Institution:
    """What the settings say of the bank; the fictional one where they say nothing."""
    said = msgspec.structs.asdict(settings)
    texts = {k: v for k, v in said.items() if isinstance(v, str)}
    return Institution(**texts, hours=settings.opening_hours())


def set_up_logs(settings: Settings) -> None:
    """Have this process log as the settings say; a demonstration only what is wrong."""
    level = logging.WARNING if settings.demonstration else logging.INFO
    logs.set_up(settings.log, level=level)


@dataclass(frozen=True, slots=True)
class Worker:
    """Makes the application in the process that will serve it, which may be another one.

    `monitoring` listens for those who run the bank; in `folder` the processes of one server tell
    each other what they count.
    """

    path: Path  # of the settings
    monitoring: socket.socket | None = None
    folder: Path | None = None
    desk: bool = False  # the pages for staff, in place of Coop@net

    def __call__(self) -> ASGIApp:
        """Settings, bank, application."""
        harden()  # a worker is a program of its own
        settings = read_settings(self.path)
        settings = of_desk(settings) if self.desk else settings
        set_up_logs(settings)
        try:
            revealing = open_revealing(settings) if self.desk else None
            bank = open_bank(settings, revealing or open_custodian(settings))
            bank = replace(bank, custodian=MeteredCustodian(bank.custodian, bank.meters))
            watch = Watch(bank, listener=self.monitoring, folder=self.folder)
            if self.desk:
                return build_desk(settings, bank, watch, revealing=revealing)
            return build_asgi(settings, bank, watch)
        except Exception as error:  # noqa: BLE001 -- Python would show its message
            logs.crashed(error)
            sys.exit(_STARTUP_FAILURE)


def utc_now() -> datetime:
    """The clock: aware, UTC."""
    return datetime.now(UTC)


class _WithLife:
    """An application whose bank tidies up while it runs, and closes when it ends."""

    def __init__(
        self,
        app: ASGIApp,
        bank: Bank,
        heartbeat: Heartbeat,
        watch: Watch,
        outbox: Outbox | None = None,
    ) -> None:
        self._app = app
        self._outbox = outbox
        self._bank = bank
        self._heartbeat = heartbeat
        self._watch = watch

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope.get("path") == HEALTH:
            ready = await self._watch.readiness.is_ready()
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            bare = Response(status_code=status, headers={"Cache-Control": "no-store"})
            await bare(scope, receive, send)
        else:
            logs.begin_request()
            await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        sys.setswitchinterval(SWITCH_INTERVAL)
        self._watch.open()
        told = asyncio.Event()

        def end() -> None:
            self._watch.ends()
            told.set()

        with _told_of_the_end(end):
            # Before the first request: what was restored behind our back is seen now.
            await _unless(told, self._first_beat())
            if told.is_set():
                await self._close()
                await send({"type": "lifespan.startup.failed"})
                return
            chores = [
                asyncio.create_task(self._again(tidy, _TIDIED)),
                asyncio.create_task(self._again(share_sources, _SHARED)),
                asyncio.create_task(self._again(look_at_closures, _LOOKED)),
                asyncio.create_task(self._keep_beating()),
            ]
            if self._outbox is not None:
                chores.append(asyncio.create_task(self._again(self._outbox.tell, _TOLD)))
            # What was made at start stays: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            await send({"type": "lifespan.startup.complete"})
            self._watch.serves()
            await receive()
        self._watch.ends()
        for chore in chores:
            chore.cancel()
        for chore in chores:
            with suppress(asyncio.CancelledError):
                await chore
        with suppress(StoreUnavailable):  # what was refused leaves its trace if it can
            await write_all_turned_away(self._bank)
            await share_sources(self._bank)
        await self._close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _close(self) -> None:
        await self._watch.close()
        await self._bank.store.close()
        await self._bank.custodian.close()

    async def _first_beat(self) -> None:
        while not await self._beat() and self._heartbeat.kept:  # noqa: ASYNC110 -- of the disk
            await asyncio.sleep(PERIOD)

    async def _keep_beating(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            await self._beat()

    async def _beat(self) -> bool:
        try:
            await self._heartbeat.take(self._bank)
        except SesameError as error:
            logs.beat_missed(error)
            return False
        except Exception as error:  # noqa: BLE001 -- a fault ends one beat, not all to come
            logs.crashed(error)
            return False
        return True

    async def _again(self, what: Callable[[Bank], Awaitable[None]], seconds: float) -> None:
        while True:
            wait = seconds
            try:
                await what(self._bank)
            except SesameError as error:
                logs.put_off(what.__name__, error)
                wait = max(seconds, _PUT_OFF)
            except Exception as error:  # noqa: BLE001 -- nor does it end a chore
                logs.crashed(error)
                wait = max(seconds, _PUT_OFF)
            await asyncio.sleep(wait)


async def _unless(told: asyncio.Event, work: Coroutine[object, object, None]) -> None:
    """Do *work*, but leave it once *told* is set; what has begun on a disk is waited for."""
    tasks = [asyncio.create_task(work), asyncio.create_task(told.wait())]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


@contextmanager
def _told_of_the_end(tell: Callable[[], None]) -> Iterator[None]:
    """Have *tell* called in the loop as soon as a signal ends the process.

    Whoever handles the signal handles it still: the server closes its doors, answers who is
    inside, and says that all is over only then.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no signals come here
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def end(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    ours = [number for number, handler in before.items() if callable(handler)]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])
