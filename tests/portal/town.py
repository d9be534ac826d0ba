"""A bank of two customers on a real database and a real keystore; only its clock is ours."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, update

from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.old_code import OldCode
from sesame.bank.user_code import UserCode
from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, PROFILES, SESAME_CARD
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.emv.pan import Pan, luhn_digit
from sesame.portal.portal import Portal
from sesame.store.access import ACCESS
from sesame.store.engine import open_store
from sesame.store.schema import migrate
from sesame.store.sessions import SESSIONS
from sesame.web.institution import Institution
from sesame.web.rendering import Site
from tests.bank.branch import quick_old_codes
from tests.custody.codes import make_code
from tests.custody.keystores import chance, quick_keystore
from tests.places import UNHURRIED

SIMULATOR = "http://127.0.0.1:8001/"


@dataclass
class Clock:
    """The bank's clock. It moves a little at every look and a lot when told."""

    time: datetime = datetime(2026, 3, 2, 13, 17, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time, a millisecond after the last look."""
        self.time += timedelta(milliseconds=1)
        return self.time

    def advance(self, **much: float) -> None:
        """Let time pass."""
        self.time += timedelta(**much)


@dataclass
class Customer:
    """A person with a card, who makes codes with it."""

    user_code: UserCode
    name: str
    kind: CardKind
    profile: Profile
    record: CardRecord
    old_code: str
    atc: int = 0

    async def make_code(self, custodian: KeystoreIssuingCustodian) -> str:
        """The next code of the card, eight digits."""
        self.atc += 1
        key = await custodian.card_key(self.record)
        return make_code(key, self.profile, atc=self.atc, dki=self.record.dki).digits


def _customer(user_code: str, name: str, kind: CardKind, profile: Profile, pan: str) -> Customer:
    record = CardRecord(
        pan=Pan(pan + luhn_digit(pan)), psn="01", profile=profile.name, key=KeyRef("dpa-01"), dki=1
    )
    old_code = f"{user_code.lower()}-1971"
    return Customer(UserCode(user_code), name, kind, profile, record, old_code)


_portals = count(1)


@dataclass
class Town:
    """The bank, its customers, and the moment it is."""

    bank: Bank
    custodian: KeystoreIssuingCustodian
    clock: Clock
    vera: Customer = field(
        default_factory=lambda: _customer(
            "VERA2345", "Véra Tissot", CardKind.SESAME, SESAME_CARD, "925000123456789"
        )
    )
    omar: Customer = field(
        default_factory=lambda: _customer(
            "OMAR6789", "Omar Belkacem", CardKind.BANK, BANK_CARD, "497010123456789"
        )
    )

    async def code_of(self, customer: Customer) -> str:
        """A fresh code of *customer*, eight digits."""
        return await customer.make_code(self.custodian)

    async def forget_old_code(self, customer: Customer) -> None:
        """Have *customer* never had an old code."""

        def forget(connection: Connection) -> None:
            connection.execute(
                update(ACCESS).where(ACCESS.c.user_code == customer.user_code).values(old_code=None)
            )

        await self.bank.store.write(forget)

    async def make_view_only(self, customer: Customer) -> None:
        """Have the open sessions of *customer* be of the old code, with all that they know."""

        def demote(connection: Connection) -> None:
            connection.execute(
                update(SESSIONS)
                .where(SESSIONS.c.user_code == customer.user_code)
                .values(means="old-code")
            )

        await self.bank.store.write(demote)

    def portal(self, **changes: object) -> Portal:
        """Coop@net of this bank, as a demonstration on plain http unless *changes* say else."""
        site = Site(institution=Institution(), demonstration=True, beside=SIMULATOR, https=False)
        return Portal(
            bank=changes.get("bank", self.bank),  # type: ignore[arg-type] # the tests know
            site=changes.get("site", site),  # type: ignore[arg-type] # likewise
            public_origin=changes.get("public_origin"),  # type: ignore[arg-type] # likewise
            # Two servers share no chance: else their browsers would be one.
            random_bytes=chance(f"portal {next(_portals)}"),
        )


@cache
def empty_database() -> bytes:
    """A database of the newest schema, made once for all tests of a process."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "bank.db")
        migrate(f"sqlite:///{path}")
        return path.read_bytes()


async def open_town(folder: Path, url: str | None = None) -> Town:
    """A new bank in *folder*, or on the empty database of *url*, with its customers enrolled."""
    if url is None:
        path = folder / "bank.db"
        path.write_bytes(empty_database())
        url = f"sqlite:///{path}"
    clock = Clock()
    custodian = KeystoreIssuingCustodian(
        quick_keystore(folder / "keys"), random=chance("custodian")
    )
    bank = Bank(
        store=open_store(url, UNHURRIED),
        custodian=custodian,
        now=clock,
        random_bytes=chance("bank"),
        old_codes=quick_old_codes(),
    )
    town = Town(bank, custodian, clock)
    for customer in (town.vera, town.omar):
        await enrol(
            bank,
            NewCustomer(
                user_code=customer.user_code,
                name=customer.name,
                language=Language.FRENCH,
                old_code=bank.old_codes.hash(OldCode(customer.old_code)),
                cards=[NewCard(kind=customer.kind, record=customer.record)],
            ),
        )
    return town


def wrong_code(right: str) -> str:
    """A code that a card of the institution could make, and that is not *right*."""
    number = int(right)
    for step in range(1, 1000):
        other = number + step
        if any(profile.fits(other) for profile in PROFILES.values()):
            return f"{other:08d}"
    raise AssertionError(right)


def wide(text: str) -> str:
    """*text* in the full-width letters of an East Asian keyboard."""
    return "".join(chr(ord(character) + 0xFEE0) for character in text)
