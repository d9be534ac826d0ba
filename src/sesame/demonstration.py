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
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

from sesame.app import open_bank, open_keystore, utc_now
from sesame.bank.approvals import Verdict
from sesame.bank.approving import ask_for_staff, decide
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.details import Details, PostalAddress, WantedCard
from sesame.bank.old_code import OldCode
from sesame.bank.staff import Role, shown
from sesame.bank.staffing import (
    NewStaff,
    Staff,
    all_members,
    enrol_officer,
    prepare_bootstrap,
)
from sesame.bank.tries import pressed, suspended_until
from sesame.bank.user_code import UserCode, check_character
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.card.card_file import create, read_summary, reissue
from sesame.card.errors import CardError
from sesame.card.memory import CardData, CardImage, Counters
from sesame.card.numbering import SESAME_PREFIX, printed_name
from sesame.card.personalisation import bank_card, payment_card, sesame_card
from sesame.catalogue import N_, Language
from sesame.custody.custodian import CardRecord, KeyUsage
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.custody.passphrase import Passphrase
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin
from sesame.errors import SesameError
from sesame.postal import LetterFormat
from sesame.settings import Settings, read_settings
from sesame.simulator.drawer import (
    FILE_NAME,
    DemoCustomer,
    DemoStaff,
    Drawer,
    Kind,
    OddCard,
    Oddity,
    load,
    save,
)
from sesame.simulator.errors import DrawerDamaged
from sesame.store.cards import CardState
from sesame.store.schema import erase, migrate

HOST = "127.0.0.1"
SETTINGS_FILE = "settings.toml"
_KEYSTORE = "keystore.json"
_PASSPHRASE_FILE = "keystore.passphrase"  # noqa: S105 -- the name of a file
_DATABASE = "bank.db"
_API_KEY = "api.key"
_LETTERS_SEED = "letters.seed"
_CARDS = "cards"
_MARK = ".sesame-demonstration"

_BANK_CARD_NUMBERS = "400000"  # a range that payment processors keep for tests
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
    pin: str = field(repr=False)
    old_code: str = field(repr=False)
    home: PostalAddress
    language: Language = Language.FRENCH
    letter_format: LetterFormat = LetterFormat.NORMAL

    @property
    def user_code(self) -> UserCode:
        return UserCode(self.seven + check_character(self.seven))

    @property
    def file(self) -> str:
        return f"{self.user_code}.card"


# No département has the number 99, and no town these names.
_PEOPLE = (
    _Person(
        "Camille Martin",
        "CAMAR25",
        Kind.BANK,
        "1234",
        "tilleul-1971",
        PostalAddress(line_4="12 bis rue des Exemples", postcode="99120", city="VAL-FICTIF"),
    ),
    _Person(
        "Lucas Bernard",
        "LBERN84",
        Kind.BANK,
        "2580",
        "moulin-bleu-6",
        PostalAddress(
            line_2="Appartement 14",
            line_3="Résidence Les Essais",
            line_4="3 quai des Inventions",
            postcode="99120",
            city="VAL-FICTIF",
        ),
        language=Language.ENGLISH,
    ),
    _Person(
        "Inès Lefèvre",
        "NESLF37",
        Kind.SESAME,
        "4711",
        "cerise-42-sud",
        PostalAddress(line_4="7 impasse du Modèle", postcode="99450", city="SAINT-SPÉCIMEN"),
        letter_format=LetterFormat.LARGE_PRINT,
    ),
    _Person(
        "Les Jardins partagés",
        "JARDN56",
        Kind.SESAME,
        "8642",
        "potager-2009",
        PostalAddress(
            line_3="Maison des associations",
            line_4="1 place de la Démonstration",
            line_5="BP 90007",
            postcode="99121",
            city="VAL-FICTIF CEDEX",
        ),
    ),
    _Person(
        "Zoé Petit",
        "ZPTT293",
        Kind.BANK,
        "3141",
        "lune-rousse-3",
        PostalAddress(
            line_4="21 route de l’Exemple",
            line_5="Hameau Imaginaire",
            postcode="99450",
            city="SAINT-SPÉCIMEN",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class _Member:
    """Somebody of the demonstration's staff, with a Sésame card."""

    name: str
    role: Role
    said: str  # the role in French, in the catalogue
    pin: str = field(repr=False)
    file: str


_STAFF = (
    _Member("Odile Ferrand", Role.OFFICER, N_("Responsable de la sécurité"), "5150", "odile.card"),
    _Member("Paul Nogaret", Role.OFFICER, N_("Responsable de la sécurité"), "6260", "paul.card"),
    _Member("Ada Lemoine", Role.ADVISER, N_("Conseiller"), "7370", "ada.card"),
    # Three, as nobody prints a card's letter, its PIN and its activation number.
    _Member("Nadia Roux", Role.ISSUER, N_("Émission des cartes"), "8480", "nadia.card"),
    _Member("Hugo Perrin", Role.ISSUER, N_("Émission des cartes"), "9590", "hugo.card"),
    _Member("Sonia Blanc", Role.ISSUER, N_("Émission des cartes"), "1610", "sonia.card"),
    _Member("Aude Royer", Role.AUDITOR, N_("Auditeur"), "2720", "aude.card"),
)
_CONSOLE = ""  # the address of what comes from the institution itself


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


@dataclass(frozen=True, slots=True)
class Recipient:
    """A customer, and where and how they get their letters."""

    customer: DemoCustomer
    language: Language
    address: PostalAddress
    letter_format: LetterFormat


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


@dataclass(frozen=True, slots=True)
class _Ports:
    """Where the applications of one start listen."""

    portal: int
    simulator: int
    desk: int | None


def prepare(
    folder: Path,
    *,
    portal_port: int,
    simulator_port: int,
    desk_port: int | None = None,
    new: bool,
) -> Settings:
    """Make the demonstration in the `occupied` *folder*, unless a whole one is there.

    *new* makes it again. The settings are written at each start, for the ports may differ.
    Without *desk_port* they open no desk.
    """
    ports = _Ports(portal_port, simulator_port, desk_port)
    complete = (folder / FILE_NAME).exists() and not new
    if not complete:
        # Also what a start that was cut off left behind. Only files of ours, by name.
        _clear(folder)
        _write_settings(folder, ports, secrets.token_urlsafe(32))
        (folder / _CARDS).mkdir(mode=0o700, exist_ok=True)
        _create_keystore(folder)
    else:
        _write_settings(folder, ports, api_key(folder))
    if not (folder / _LETTERS_SEED).exists():  # also where an older version made the others
        _write_secret(folder / _LETTERS_SEED, secrets.token_urlsafe(32))
    settings = read_settings(folder / SETTINGS_FILE)
    migrate(settings.database)
    if not complete:
        asyncio.run(_restore(folder, settings))
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


def has_letters(folder: Path) -> bool:
    """Whether `recipients` and `letters_seed` can answer without a `prepare` before."""
    return all((folder / name).exists() for name in (FILE_NAME, _LETTERS_SEED))


def recipients(folder: Path) -> list[Recipient]:
    """All customers as the post knows them, in the order of the drawer.

    Raises:
        NoDemonstration: there is none in *folder*.
        DrawerDamaged: the drawer names somebody whom no demonstration has.
    """
    people = {person.user_code: person for person in _PEOPLE}
    found = []
    for customer in drawer(folder).customers:
        person = people.get(UserCode(customer.user_code))
        if person is None:
            raise DrawerDamaged(folder / FILE_NAME, "it names somebody whom no demonstration has")
        found.append(Recipient(customer, person.language, person.home, person.letter_format))
    return found


def letters_seed(folder: Path) -> bytes:
    """What grows into all that letters say by chance: the same as long as the demonstration.

    Raises:
        NoDemonstration: there is none in *folder*.
    """
    try:
        return (folder / _LETTERS_SEED).read_bytes()
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
    """Everything anew; the drawer last, for with it the demonstration is whole."""
    bank = _bank(settings)
    try:
        staff = await _enrol_all(folder, bank)
    finally:
        await bank.store.close()
    save(_drawer(folder, staff), folder / FILE_NAME)


def _drawer(folder: Path, staff: Sequence[DemoStaff]) -> Drawer:
    return Drawer(
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
        staff=tuple(staff),
    )


async def _enrol_all(folder: Path, bank: Bank) -> list[DemoStaff]:
    issuer = _Issuer(bank, folder / _CARDS, bank.now().date())
    # The cards first: a reader may still hold one, and then nothing has changed yet.
    records = [(person, await issuer.issue(person)) for person in _PEOPLE]
    members = [(member, await issuer.issue_to_staff(member)) for member in _STAFF]
    await issuer.issue_odd_cards()
    await bank.store.write(erase)
    for person, record in records:
        await enrol(
            bank,
            NewCustomer(
                user_code=person.user_code,
                name=person.name,
                language=person.language,
                old_code=bank.old_codes.hash(OldCode(person.old_code)),
                cards=[NewCard(kind=CardKind(person.kind.value), record=record)],
                details=Details(
                    address=person.home,
                    letter_format=person.letter_format,
                    card_kind=WantedCard(person.kind.value),
                ),
            ),
        )
    codes = [await _hire(bank, member, record) for member, record in members]
    return [
        DemoStaff(
            name=member.name,
            role=member.said,
            staff_code=shown(code),
            card=folder / _CARDS / member.file,
            pin=member.pin,
        )
        for code, (member, _) in zip(codes, members, strict=True)
    ]


async def _hire(bank: Bank, member: _Member, record: CardRecord) -> UserCode:
    """Have somebody be staff: officers by a secret each, others by two of them, as in a bank."""
    new = NewStaff(
        name=member.name,
        personnel_number=member.file.removesuffix(".card").upper(),  # told apart by their cards
        language=Language.FRENCH,
        kind=CardKind.SESAME,
        record=record,
    )
    if member.role is Role.OFFICER:
        secret, _ = await prepare_bootstrap(
            bank.store, now=bank.now, random_bytes=bank.random_bytes
        )
        return await enrol_officer(bank, secret, new, _CONSOLE)
    asker, decider = [
        Staff(
            user_code=one.user_code,
            name=one.name,
            roles=one.roles,
            idle_until=bank.now(),
            ends_at=bank.now(),
        )
        for one in await all_members(bank)
        if one.roles == {Role.OFFICER}
    ]
    roles = frozenset({member.role})
    asked = await ask_for_staff(bank, asker, new, roles, reason="Démonstration", address=_CONSOLE)
    await decide(bank, decider, asked.id, Verdict.APPROVED, address=_CONSOLE)
    return UserCode(asked.subject)


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
        record = self._record(data, profile.name)
        dpa_key = await self._custodian.card_key(record)
        if person.kind is Kind.BANK:
            payment = self._record(data, profile.name, KeyUsage.ISSUER_PAYMENT)
            payment_key = await self._custodian.card_key(payment)
            image, counters = bank_card(
                data, dki=record.dki, dpa_key=dpa_key, payment_key=payment_key
            )
        else:
            image, counters = sesame_card(data, dki=record.dki, dpa_key=dpa_key)
        self._put(person.file, image, counters)
        return record

    async def issue_to_staff(self, member: _Member) -> CardRecord:
        """The same of a member of staff, who has a Sésame card."""
        data = self._data(member.name, member.pin, _number(Kind.SESAME))
        self._put(member.file, *await self._sesame_card(data))
        return self._record(data, SESAME_CARD.name)

    async def issue_odd_cards(self) -> None:
        """Put the cards that belong to no customer into their files."""
        data = self._data("Autre banque", _ODD_PIN, _number(Kind.BANK))
        record = self._record(data, BANK_CARD.name, KeyUsage.ISSUER_PAYMENT)
        key = await self._custodian.card_key(record)
        self._put(_PAYMENT_ONLY, *payment_card(data, dki=record.dki, payment_key=key))
        expired = self._data("Ancienne carte", _ODD_PIN, _number(Kind.SESAME), years_ago=4)
        self._put(_EXPIRED, *await self._sesame_card(expired))
        blocked = self._data("Carte bloquée", _ODD_PIN, _number(Kind.SESAME))
        image, counters = await self._sesame_card(blocked)
        self._put(_BLOCKED, image, replace(counters, pin_tries_left=0))

    async def _sesame_card(self, data: CardData) -> tuple[CardImage, Counters]:
        record = self._record(data, SESAME_CARD.name)
        dpa_key = await self._custodian.card_key(record)
        return sesame_card(data, dki=record.dki, dpa_key=dpa_key)

    @property
    def _custodian(self) -> KeystoreIssuingCustodian:
        custodian = self.bank.custodian
        if not isinstance(custodian, KeystoreIssuingCustodian):
            raise TypeError("a demonstration issues its own cards")
        return custodian

    def _record(
        self, data: CardData, profile: str, usage: KeyUsage = KeyUsage.ISSUER_AC
    ) -> CardRecord:
        """What custody must know of a new card: it is made under the current key for *usage*."""
        current = self._custodian.current(usage)
        return CardRecord(
            pan=data.pan, psn=data.psn, profile=profile, key=current.ref, dki=current.dki
        )

    def _data(self, name: str, pin: str, pan: Pan, *, years_ago: int = 1) -> CardData:
        begun = self.today - timedelta(days=365 * years_ago)
        return CardData(
            name=printed_name(name),
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


def _number(kind: Kind) -> Pan:
    prefix = _BANK_CARD_NUMBERS if kind is Kind.BANK else SESAME_PREFIX
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


def _write_settings(folder: Path, ports: _Ports, key: str) -> None:
    _write_secret(folder / _API_KEY, key)
    hashed = hashlib.sha256(key.encode()).hexdigest()
    _write_secret(
        folder / SETTINGS_FILE,
        "# Written anew by each start of the demonstration.\n"
        f'database = "sqlite:///{_DATABASE}"\n'
        f'keystore = "{_KEYSTORE}"\n'
        f'keystore_passphrase_file = "{_PASSPHRASE_FILE}"\n'
        f'public_url = "http://{HOST}:{ports.portal}"\n'
        f"port = {ports.portal}\n"
        "demonstration = true\n"
        "source_limits = false\n"  # everybody comes from this machine
        f'simulator_url = "http://{HOST}:{ports.simulator}"\n'
        f'api_keys = {{ demonstration = "{hashed}" }}\n'
        + (
            ""
            if ports.desk is None
            else f'[desk]\npublic_url = "http://{HOST}:{ports.desk}"\nport = {ports.desk}\n'
        ),
    )


def _write_secret(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    new.write_text(text)
    new.replace(path)


def _clear(folder: Path) -> None:
    """Delete what a demonstration makes, the drawer first: without it none is whole."""
    secret = (_API_KEY, _LETTERS_SEED, _KEYSTORE, _PASSPHRASE_FILE)
    names = (FILE_NAME, SETTINGS_FILE, *secret, f"{_DATABASE}*")
    for pattern in (*names, f"{_CARDS}/*.card", f"{_CARDS}/card.key"):
        for path in folder.glob(pattern):
            path.unlink()
