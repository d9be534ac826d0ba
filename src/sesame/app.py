"""Puts the parts together: settings become a bank, a bank becomes an application."""

import asyncio
import gc
import logging
import os
import secrets
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from sesame.bank.bank import Bank
from sesame.bank.housekeeping import tidy
from sesame.bank.turned_away import write_all_turned_away
from sesame.cap.token import Code
from sesame.custody.custodian import Custodian, Inquiry, Question
from sesame.custody.errors import KeyMissing, SealBroken
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.passphrase import read_passphrase
from sesame.errors import SesameError
from sesame.portal.portal import Portal
from sesame.portal.routes import build
from sesame.rest.routes import routes as rest_routes
from sesame.settings import InstitutionSettings, Settings, SettingsError, read_settings
from sesame.store.cards import any_card, seal_context
from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.web.https import HttpsOnly
from sesame.web.institution import Institution
from sesame.web.rendering import Site

SETTINGS_VARIABLE = "SESAME_SETTINGS"  # how a worker process learns its settings file

# Seconds after which a thread gives way. At Python's 5 ms the store's threads wait longer
# for the interpreter than for the disk (measured once: a third more logins a second).
SWITCH_INTERVAL = 1e-4

_TIDIED = 300  # seconds between two rounds of forgetting
_log = logging.getLogger("sesame")


class ForeignKeystore(SesameError):
    """The keystore at `path` is not the one that the database's cards were sealed with."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"keystore {path}: this keystore is not the one this database was made with. "
            "Name that one, or the other database"
        )
        self.path = path


def open_custodian(settings: Settings) -> Custodian:
    """Open the keystore that the settings name.

    Raises:
        SettingsError: it is a demonstration's and this is none, or the other way round.
        CustodyError: see `Keystore.open` and `read_passphrase`.
    """
    keystore = open_keystore(settings)
    return KeystoreCustodian(keystore, random=secrets.token_bytes)


def open_keystore(settings: Settings) -> Keystore:
    """The same, before a custodian takes its keys."""
    passphrase = read_passphrase(Path(settings.keystore_passphrase_file))
    keystore = Keystore.open(Path(settings.keystore), passphrase)
    if keystore.demo and not settings.demonstration:
        raise SettingsError(
            f"keystore: {keystore.path.name} holds demonstration keys. "
            "Create one for production: sesame keys create"
        )
    if settings.demonstration and not keystore.demo:
        raise SettingsError(
            f"keystore: {keystore.path.name} holds production keys, which a demonstration does "
            "not touch. Take the line demonstration = true out, or create demonstration keys"
        )
    return keystore


def open_bank(settings: Settings, custodian: Custodian) -> Bank:
    """The bank on the database of the settings."""
    return Bank(
        store=open_store(settings.database, settings.store_options()),
        custodian=custodian,
        now=utc_now,
        random_bytes=secrets.token_bytes,
    )


async def check_keystore(settings: Settings, custodian: Custodian) -> None:
    """Make sure that the keys are those that the database was made with.

    One card tells; a database without cards belongs to every keystore.

    Raises:
        ForeignKeystore: custody cannot open a card of the database.
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
        await custodian.match([inquiry])
    except (KeyMissing, SealBroken):
        raise ForeignKeystore(Path(settings.keystore)) from None
    finally:
        await bank.store.close()


def build_asgi(settings: Settings, bank: Bank) -> ASGIApp:
    """Coop@net and the JSON door, as one application."""
    portal = Portal(
        bank=bank,
        site=Site(
            institution=_institution(settings.institution),
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
    return _WithLife(app, bank)


def _institution(settings: InstitutionSettings) -> Institution:
    """What the settings say of the bank; the fictional one where they say nothing."""
    said = msgspec.structs.asdict(settings)
    texts = {k: v for k, v in said.items() if isinstance(v, str)}
    return Institution(**texts, hours=settings.opening_hours())


def application() -> ASGIApp:
    """The application of one worker process; its settings file stands in the environment."""
    settings = read_settings(Path(os.environ[SETTINGS_VARIABLE]))
    return build_asgi(settings, open_bank(settings, open_custodian(settings)))


def utc_now() -> datetime:
    """The clock: aware, UTC."""
    return datetime.now(UTC)


class _WithLife:
    """An application whose bank tidies up while it runs, and closes when it ends."""

    def __init__(self, app: ASGIApp, bank: Bank) -> None:
        self._app = app
        self._bank = bank

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        sys.setswitchinterval(SWITCH_INTERVAL)
        tidying = asyncio.create_task(self._tidy())
        # What was made at start stays: the collector need not look at it again and again.
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        tidying.cancel()
        with suppress(asyncio.CancelledError):
            await tidying
        with suppress(StoreUnavailable):  # what was turned away leaves its trace if it can
            await write_all_turned_away(self._bank)
        await self._bank.store.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _tidy(self) -> None:
        while True:
            try:
                await tidy(self._bank)
            except StoreUnavailable as error:
                _log.warning("tidying was put off: %s", error)
            await asyncio.sleep(_TIDIED)
