"""A bank that issues cards: its staff, its customers without a card, and a bureau's key."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from pathlib import Path
from zoneinfo import ZoneInfo

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection, select

from sesame.bank.approvals import Asked, Kind, Wish
from sesame.bank.approving import ask
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.details import Details, PostalAddress, WantedCard
from sesame.bank.orders import ask_for_cards, carry_out
from sesame.bank.post_days import PostDays
from sesame.bank.staff import Role
from sesame.bank.staffing import enrol_officer
from sesame.bank.user_code import UserCode, generate_user_code
from sesame.cap.profiles import BANK_CARD
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.issuing import CardMaker
from sesame.custody.keystore_custodian import (
    KeystoreIssuingCustodian,
    KeystoreRevealingCustodian,
)
from sesame.emv.pan import Pan, luhn_digit
from sesame.postal import LetterFormat
from sesame.store.approvals import Signer
from sesame.store.engine import open_store
from sesame.store.orders import ORDERS
from sesame.web.opening import OpeningHours
from tests.custody.keystores import chance, quick_keystore
from tests.desk.office import ADDRESS, Office, Person, person
from tests.places import UNHURRIED
from tests.portal.town import Clock, Town

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
POST = PostDays(
    zone=ZoneInfo("Europe/Paris"),
    is_holiday=lambda day: OpeningHours().exception(day) is not None,
)
_banks = count(1)


@lru_cache
def bureau() -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """The bureau's certificate and key."""
    key = rsa.generate_private_key(65537, 3072)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bureau Exemple")])
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    built = built.public_key(key.public_key()).serial_number(1)
    built = built.not_valid_before(MONDAY - timedelta(days=400))
    built = built.not_valid_after(MONDAY + timedelta(days=4000))
    return built.sign(key, hashes.SHA256()), key


def address_of(name: str) -> PostalAddress:
    """Where somebody lives."""
    return PostalAddress(line_4=f"3 rue {name}", postcode="75011", city="PARIS")


@dataclass
class Works:
    """The bank with three issuers, two officers and an adviser."""

    office: Office
    post: PostDays = POST
    issuers: list[Person] = field(
        default_factory=lambda: [
            person(name, Role.ISSUER) for name in ("Inès Vidal", "Ivan Roux", "Iris Petit")
        ]
    )

    @property
    def bank(self) -> Bank:
        """Where they work."""
        return self.office.bank

    @property
    def clock(self) -> Clock:
        """Of the bank."""
        return self.office.town.clock

    @property
    def maker(self) -> CardMaker:
        """What makes cards."""
        return CardMaker(self.office.town.custodian)

    def by(self, number: int) -> Signer:
        """The issuer of that number, as what they do is written by."""
        return self.office.staff(self.issuers[number]).signer

    def next_day(self, days: int = 1) -> None:
        """Let days pass, to nine in the morning."""
        later = self.clock.time + timedelta(days=days)
        self.clock.time = later.replace(hour=9, minute=0, second=0)

    async def new_customer(
        self,
        name: str,
        kind: WantedCard = WantedCard.SESAME,
        *,
        address: PostalAddress | None = None,
        letter_format: LetterFormat = LetterFormat.NORMAL,
        old_code: str | None = None,
    ) -> UserCode:
        """Somebody imported, with their bank card if that is the *kind*."""
        user_code = generate_user_code(self.bank.random_bytes)
        cards = []
        if kind is WantedCard.BANK:
            digits = f"49701{next(_banks):010d}"
            record = CardRecord(
                pan=Pan(digits + luhn_digit(digits)),
                psn="00",
                profile=BANK_CARD.name,
                key=KeyRef("dpa-01"),
                dki=1,
            )
            cards = [NewCard(kind=CardKind.BANK, record=record)]
        customer = NewCustomer(
            user_code=user_code,
            name=name,
            language=Language.FRENCH,
            old_code=old_code,
            cards=cards,
            details=Details(
                address=address or address_of(name), letter_format=letter_format, card_kind=kind
            ),
        )
        await enrol(self.bank, customer)
        return user_code

    async def order_all(self) -> int:
        """Have everybody who wants a card be granted one; how many orders that were."""
        asked = await self.ask()
        await self.office.agree(self.office.paul, asked)
        return await self.carry_out()

    async def carry_out(self) -> int:
        """Order what was granted; how many orders that were."""
        return await carry_out(self.bank, self.post)

    async def ask(self) -> Asked:
        """Have the first issuer ask for all."""
        staff = self.office.staff(self.issuers[0])
        return await ask_for_cards(self.bank, staff, reason="Nouveaux clients", address=ADDRESS)

    async def reprint(self, user_code: UserCode, card: int) -> Asked:
        """Have the adviser ask for another PIN, which takes another card."""
        wish = Wish(Kind.REPRINT_PIN, user_code, {"card": card}, "Code secret oublié")
        return await ask(self.bank, self.office.staff(self.office.ada), wish, address=ADDRESS)


def sealed_pins(connection: Connection) -> list[int | None]:
    """How long the sealed PINs of all orders are, by when they were ordered."""
    query = select(ORDERS.c.sealed_pin).order_by(ORDERS.c.ordered_at)
    found = connection.execute(query).scalars()
    return [None if sealed is None else len(sealed) for sealed in found]


async def open_works(url: str, folder: Path) -> Works:
    """A new bank on the empty database of *url*, its keys in *folder*."""
    keys = quick_keystore(folder / "keys")
    custodian = KeystoreIssuingCustodian(keys, random=chance("keys"))
    revealing = KeystoreRevealingCustodian(keys, random=chance("desk"))
    clock = Clock(MONDAY)
    bank = Bank(
        store=open_store(url, UNHURRIED),
        custodian=custodian,
        now=clock,
        random_bytes=chance(f"works {next(_banks)}"),
    )
    works = Works(Office(Town(bank, custodian, clock), revealing))
    office = works.office
    for officer in (office.odile, office.paul):
        secret = await office.secret()
        officer.user_code = await enrol_officer(bank, secret, officer.new, ADDRESS)
    for other in (office.ada, *works.issuers):
        await office.agree(office.paul, await office.hire(other))
    return works
