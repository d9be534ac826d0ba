"""A demonstration in one folder: keys, bank, customers, cards, and what the simulator knows.

Everything in it is real but the people: the keys are made by chance for this folder, the
cards compute with them, the bank predicts.
"""

import asyncio
import fcntl
import hashlib
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from sesame.app import open_bank, open_keystore, utc_now
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.old_code import OldCode
from sesame.bank.tries import pressed, suspended_until
from sesame.bank.user_code import UserCode, check_character
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.card.card_file import create, read_summary, reissue
from sesame.card.errors import CardError
from sesame.card.memory import CardData, CardImage, Counters
from sesame.card.personalisation import bank_card, payment_card, sesame_card
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.custody.passphrase import Passphrase
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin
from sesame.errors import SesameError
from sesame.settings import Settings, read_settings
from sesame.simulator.drawer import (
    FILE_NAME,
    DemoCustomer,
    Drawer,
    Kind,
    OddCard,
    Oddity,
    load,
    save,
)
from sesame.store.cards import CardState
from sesame.store.schema import erase, migrate

HOST = "127.0.0.1"
SETTINGS_FILE = "settings.toml"
_KEYSTORE = "keystore.json"
_PASSPHRASE_FILE = "keystore.passphrase"  # noqa: S105 -- the name of a file
_DATABASE = "bank.db"
_API_KEY = "api.key"
_CARDS = "cards"
_MARK = ".sesame-demonstration"

_DKI = 1
_DPA_KEY = KeyRef("dpa-01")
_PAYMENT_KEY = KeyRef("payment-01")
_BANK_CARD_NUMBERS = "400000"  # a range that payment processors keep for tests
_SESAME_CARD_NUMBERS = "9250"  # ISO/IEC 7812-1: 9, a country, and a number of its own choice
_PAN_DIGITS = 16
_ODD_PIN = "1111"
_PAYMENT_ONLY = "payment-only.card"
_EXPIRED = "expired.card"
_BLOCKED = "blocked.card"
_CARD_WAIT = 40.0  # seconds: a reader gives a card back after 35 without a key
_CHEAP = Cost(time=1, memory_kib=8 * 1024, lanes=1)  # the passphrase lies beside the keystore


class NoDemonstration(SesameError):
    """The folder holds no demonstration."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds no demonstration: run  sesame demo --data '{folder}'")
        self.folder = folder


class DemonstrationRunning(SesameError):
    """Another process runs the demonstration of this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"the demonstration in {folder} is running: stop it, or name another")
        self.folder = folder


class ForeignFolder(SesameError):
    """The folder holds something else, and is left alone."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds something else: name another folder, or an empty one")
        self.folder = folder


@dataclass(frozen=True, slots=True)
class _Person:
    """Somebody of the demonstration; their secrets are public, as those of test cards are."""

    name: str
    seven: str  # the user code without its check character
    kind: Kind
    pin: str
    old_code: str

    @property
    def user_code(self) -> UserCode:
        return UserCode(self.seven + check_character(self.seven))

    @property
    def file(self) -> str:
        return f"{self.user_code}.card"


_PLAIN_CAPITALS = str.maketrans("ÉÈ", "EE")  # the accents of the names below
_PEOPLE = (
    _Person("Camille Martin", "CAMAR25", Kind.BANK, "1234", "tilleul-1971"),
    _Person("Lucas Bernard", "LBERN84", Kind.BANK, "2580", "moulin-bleu-6"),
    _Person("Inès Lefèvre", "NESLF37", Kind.SESAME, "4711", "cerise-42-sud"),
    _Person("Les Jardins partagés", "JARDN56", Kind.SESAME, "8642", "potager-2009"),
    _Person("Zoé Petit", "ZPTT293", Kind.BANK, "3141", "lune-rousse-3"),
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A customer, and whether they can sign in now."""

    customer: DemoCustomer
    ready: bool

    def as_json(self) -> dict[str, str | bool]:
        """The object of `sesame demo --list`."""
        return {
            "user_code": self.customer.user_code,
            "kind": self.customer.kind.value,
            "card": str(self.customer.card.resolve()),
            "pin": self.customer.pin,
            "old_code": self.customer.old_code,
            "ready": self.ready,
        }


@contextmanager
def occupied(folder: Path) -> Iterator[None]:
    """Have *folder* for one running demonstration alone; a mark in it says that it is ours.

    Raises:
        ForeignFolder: it is no folder, or it holds something and not our mark.
        DemonstrationRunning: another process runs the demonstration in it.
    """
    mark = folder / _MARK
    try:
        folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if not mark.exists() and any(folder.iterdir()):
            raise ForeignFolder(folder)
    except (FileExistsError, NotADirectoryError):
        raise ForeignFolder(folder) from None
    with mark.open("a") as held:
        mark.chmod(0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemonstrationRunning(folder) from None
        yield


def prepare(folder: Path, *, portal_port: int, simulator_port: int, new: bool) -> Settings:
    """Make the demonstration in the `occupied` *folder*, unless a whole one is there.

    *new* makes it again. The settings are written at each start, for the ports may differ.
    """
    complete = (folder / FILE_NAME).exists() and not new
    if not complete:
        # Also what a start that was cut off left behind. Only files of ours, by name.
        _clear(folder)
        _write_settings(folder, portal_port, simulator_port, secrets.token_urlsafe(32))
        (folder / _CARDS).mkdir(mode=0o700, exist_ok=True)
        _create_keystore(folder)
    else:
        _write_settings(folder, portal_port, simulator_port, api_key(folder))
    settings = read_settings(folder / SETTINGS_FILE)
    migrate(settings.database)
    if not complete:
        asyncio.run(_fill(folder, settings))
    return settings


def restore(folder: Path) -> None:
    """Make everything new: new cards, no session, no failed try.

    Readers that hold a card must give it back first.
    """
    asyncio.run(_restore(folder, read_settings(folder / SETTINGS_FILE)))


def drawer(folder: Path) -> Drawer:
    """The cards of the demonstration and what their holders know.

    Raises:
        NoDemonstration: there is none in *folder*.
    """
    if not (folder / FILE_NAME).exists():
        raise NoDemonstration(folder)
    return load(folder / FILE_NAME)


def customers(folder: Path) -> list[Listed]:
    """All customers, those who can sign in first.

    Raises:
        NoDemonstration: there is none in *folder*.
    """
    known = drawer(folder).customers
    return asyncio.run(_list(known, read_settings(folder / SETTINGS_FILE)))


def api_key(folder: Path) -> str:
    """The bearer key of the JSON door.

    Raises:
        NoDemonstration: there is none in *folder*.
    """
    try:
        return (folder / _API_KEY).read_text()
    except FileNotFoundError:
        raise NoDemonstration(folder) from None


async def _list(known: Sequence[DemoCustomer], settings: Settings) -> list[Listed]:
    bank = _bank(settings)
    try:
        listed = [Listed(customer, await _ready(bank, customer)) for customer in known]
    finally:
        await bank.store.close()
    return sorted(listed, key=lambda one: not one.ready)


async def _ready(bank: Bank, customer: DemoCustomer) -> bool:
    access = await bank.store.read_access(customer.user_code)
    try:
        summary = read_summary(customer.card)
    except CardError:
        return False
    if not access.cards:
        return False
    card = access.cards[0]
    return (
        suspended_until(access.state, bank.now(), known=False) is None
        and not pressed(access.state.open, bank.limits, bank.now())
        and card.state == CardState.ACTIVE
        and summary.counters.pin_tries_left > 0
        and summary.expiry >= bank.now().date()
        and summary.counters.atc < card.last_atc + PROFILES[card.profile].window
    )


async def _restore(folder: Path, settings: Settings) -> None:
    bank = _bank(settings)
    try:
        await _enrol_all(folder, bank)
    finally:
        await bank.store.close()


async def _fill(folder: Path, settings: Settings) -> None:
    bank = _bank(settings)
    try:
        await _enrol_all(folder, bank)
    finally:
        await bank.store.close()
    save(
        Drawer(
            customers=tuple(
                DemoCustomer(
                    name=person.name,
                    user_code=person.user_code,
                    kind=person.kind,
                    card=folder / _CARDS / person.file,
                    pin=person.pin,
                    old_code=person.old_code,
                )
                for person in _PEOPLE
            ),
            odd_cards=(
                OddCard(
                    oddity=Oddity.PAYMENT_ONLY,
                    card=folder / _CARDS / _PAYMENT_ONLY,
                    pin=_ODD_PIN,
                ),
                OddCard(oddity=Oddity.MUTE),
                OddCard(oddity=Oddity.EXPIRED, card=folder / _CARDS / _EXPIRED, pin=_ODD_PIN),
                OddCard(oddity=Oddity.BLOCKED, card=folder / _CARDS / _BLOCKED, pin=_ODD_PIN),
            ),
        ),
        folder / FILE_NAME,
    )


async def _enrol_all(folder: Path, bank: Bank) -> None:
    issuer = _Issuer(bank, folder / _CARDS, bank.now().date())
    # The cards first: a reader may still hold one, and then nothing has changed yet.
    records = [(person, await issuer.issue(person)) for person in _PEOPLE]
    await issuer.issue_odd_cards()
    await bank.store.write(erase)
    for person, record in records:
        await enrol(
            bank,
            NewCustomer(
                user_code=person.user_code,
                name=person.name,
                language=Language.FRENCH,
                old_code=bank.old_codes.hash(OldCode(person.old_code)),
                cards=[NewCard(kind=CardKind(person.kind.value), record=record)],
            ),
        )


@dataclass(frozen=True, slots=True)
class _Issuer:
    """Personalises the cards. Each gets a new number, and so a new key: old codes die."""

    bank: Bank
    folder: Path
    today: date

    async def issue(self, person: _Person) -> CardRecord:
        """Put the card of *person* into its file; what custody must know of it."""
        profile = BANK_CARD if person.kind is Kind.BANK else SESAME_CARD
        data = self._data(person.name, person.pin, _number(person.kind))
        record = _record(data, profile.name, _DPA_KEY)
        if person.kind is Kind.BANK:
            image, counters = bank_card(
                data,
                dki=_DKI,
                dpa_key=await self._key(record),
                payment_key=await self._key(_record(data, profile.name, _PAYMENT_KEY)),
            )
        else:
            image, counters = sesame_card(data, dki=_DKI, dpa_key=await self._key(record))
        self._put(person.file, image, counters)
        return record

    async def issue_odd_cards(self) -> None:
        """Put the cards that belong to no customer into their files."""
        data = self._data("Autre banque", _ODD_PIN, _number(Kind.BANK))
        key = await self._key(_record(data, BANK_CARD.name, _PAYMENT_KEY))
        self._put(_PAYMENT_ONLY, *payment_card(data, dki=_DKI, payment_key=key))
        expired = self._data("Ancienne carte", _ODD_PIN, _number(Kind.SESAME), years_ago=4)
        key = await self._key(_record(expired, SESAME_CARD.name, _DPA_KEY))
        self._put(_EXPIRED, *sesame_card(expired, dki=_DKI, dpa_key=key))
        blocked = self._data("Carte bloquée", _ODD_PIN, _number(Kind.SESAME))
        key = await self._key(_record(blocked, SESAME_CARD.name, _DPA_KEY))
        image, counters = sesame_card(blocked, dki=_DKI, dpa_key=key)
        self._put(_BLOCKED, image, replace(counters, pin_tries_left=0))

    async def _key(self, record: CardRecord) -> DesKey:
        custodian = self.bank.custodian
        if not isinstance(custodian, KeystoreIssuingCustodian):
            raise TypeError("a demonstration issues its own cards")
        return await custodian.card_key(record)

    def _data(self, name: str, pin: str, pan: Pan, *, years_ago: int = 1) -> CardData:
        begun = self.today - timedelta(days=365 * years_ago)
        return CardData(
            name=name.upper().translate(_PLAIN_CAPITALS),
            pan=pan,
            pin=Pin(pin),
            effective=begun,
            expiry=begun + timedelta(days=3 * 365),
        )

    def _put(self, file: str, image: CardImage, counters: Counters) -> None:
        path = self.folder / file
        if path.exists():
            reissue(path, image, counters, wait=_CARD_WAIT)
        else:
            create(path, image, counters)


def _record(data: CardData, profile: str, key: KeyRef) -> CardRecord:
    return CardRecord(pan=data.pan, psn=data.psn, profile=profile, key=key, dki=_DKI)


def _number(kind: Kind) -> Pan:
    prefix = _BANK_CARD_NUMBERS if kind is Kind.BANK else _SESAME_CARD_NUMBERS
    free = _PAN_DIGITS - 1 - len(prefix)
    payload = f"{prefix}{secrets.randbelow(10**free):0{free}d}"
    return Pan(payload + luhn_digit(payload))


def _bank(settings: Settings) -> Bank:
    return open_bank(settings, KeystoreIssuingCustodian(open_keystore(settings)))


def _create_keystore(folder: Path) -> None:
    passphrase = secrets.token_urlsafe(24)
    _write_secret(folder / _PASSPHRASE_FILE, passphrase)
    Keystore.create(
        folder / _KEYSTORE,
        Passphrase(passphrase),
        demo=True,
        now=utc_now(),
        random=secrets.token_bytes,
        cost=_CHEAP,
    )


def _write_settings(folder: Path, portal_port: int, simulator_port: int, key: str) -> None:
    _write_secret(folder / _API_KEY, key)
    hashed = hashlib.sha256(key.encode()).hexdigest()
    _write_secret(
        folder / SETTINGS_FILE,
        "# Written anew by each start of the demonstration.\n"
        f'database = "sqlite:///{_DATABASE}"\n'
        f'keystore = "{_KEYSTORE}"\n'
        f'keystore_passphrase_file = "{_PASSPHRASE_FILE}"\n'
        f'public_url = "http://{HOST}:{portal_port}"\n'
        f"port = {portal_port}\n"
        "demonstration = true\n"
        f'simulator_url = "http://{HOST}:{simulator_port}"\n'
        f'api_keys = {{ demonstration = "{hashed}" }}\n',
    )


def _write_secret(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)


def _clear(folder: Path) -> None:
    """Delete what a demonstration makes, the drawer first: without it none is whole."""
    names = (FILE_NAME, SETTINGS_FILE, _API_KEY, _KEYSTORE, _PASSPHRASE_FILE, f"{_DATABASE}*")
    for pattern in (*names, f"{_CARDS}/*.card", f"{_CARDS}/card.key"):
        for path in folder.glob(pattern):
            path.unlink()
