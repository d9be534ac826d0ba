"""A bank with its staff, on a real database and a real keystore; only its clock is ours."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

from sesame.bank.approvals import Asked, Kind, Verdict, Wish
from sesame.bank.approving import ask_for_staff, decide
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind
from sesame.bank.details import Details, PostalAddress, WantedCard
from sesame.bank.moments import to_row
from sesame.bank.staff import Role, shown
from sesame.bank.staffing import NewStaff, Staff, enrol_officer, prepare_bootstrap
from sesame.bank.user_code import UserCode
from sesame.cap.profiles import SESAME_CARD
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef
from sesame.custody.keystore_custodian import KeystoreRevealingCustodian
from sesame.emv.pan import Pan, luhn_digit
from sesame.postal import LetterFormat
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, set_card_state
from sesame.store.details import insert_details
from sesame.store.orders import insert_order
from tests.custody.codes import make_code
from tests.custody.keystores import chance, quick_keystore
from tests.portal.town import Town, open_town

ADDRESS = "192.0.2.7"
SOMEWHERE = Details(
    address=PostalAddress(line_4="12 rue des Tilleuls", postcode="69003", city="Lyon"),
    letter_format=LetterFormat.NORMAL,
    card_kind=WantedCard.SESAME,
)


@dataclass
class Person:
    """A member of staff with a card, who makes codes with it."""

    name: str
    roles: frozenset[Role]
    record: CardRecord
    user_code: UserCode = field(default=UserCode(""))
    atc: int = 0

    @property
    def typed(self) -> str:
        """The staff code as they type it."""
        return shown(self.user_code)

    @property
    def new(self) -> NewStaff:
        """As they are enrolled."""
        return NewStaff(
            name=self.name,
            personnel_number=f"M-{self.record.pan.digits[-5:-1]}",
            language=Language.FRENCH,
            kind=CardKind.SESAME,
            record=self.record,
        )


_numbers = count(1)


def person(name: str, *roles: Role) -> Person:
    """Somebody with a new Sésame card."""
    payload = f"92509{next(_numbers):010d}"
    record = CardRecord(
        pan=Pan(payload + luhn_digit(payload)),
        psn="01",
        profile=SESAME_CARD.name,
        key=KeyRef("dpa-01"),
        dki=1,
    )
    return Person(name, frozenset(roles), record)


@dataclass
class Office:
    """The town's bank, two security officers, an adviser and an auditor."""

    town: Town
    revealing: KeystoreRevealingCustodian  # custody as the desk's process has it
    odile: Person = field(default_factory=lambda: person("Odile Ferrand", Role.OFFICER))
    paul: Person = field(default_factory=lambda: person("Paul Nogaret", Role.OFFICER))
    ada: Person = field(default_factory=lambda: person("Ada Lemoine", Role.ADVISER))
    aude: Person = field(default_factory=lambda: person("Aude Royer", Role.AUDITOR))

    @property
    def bank(self) -> Bank:
        """The bank that they work at."""
        return self.town.bank

    async def code_of(self, person: Person) -> str:
        """A fresh code of the card of *person*, eight digits."""
        person.atc += 1
        key = await self.town.custodian.card_key(person.record)
        return make_code(key, SESAME_CARD, atc=person.atc, dki=1).digits

    def staff(self, person: Person, roles: Iterable[Role] | None = None) -> Staff:
        """*person* as if signed in, with *roles* in place of their own."""
        until = self.town.clock() + timedelta(minutes=5)
        return Staff(
            user_code=person.user_code,
            name=person.name,
            roles=person.roles if roles is None else frozenset(roles),
            idle_until=until,
            ends_at=until,
        )

    async def secret(self) -> str:
        """A new one-time secret."""
        secret, _ = await prepare_bootstrap(
            self.bank.store, now=self.town.clock, random_bytes=self.bank.random_bytes
        )
        return secret

    async def hire(self, new: Person) -> Asked:
        """Have Odile ask that *new* become staff; Paul decides later."""
        asked = await ask_for_staff(
            self.bank,
            self.staff(self.odile),
            new.new,
            new.roles,
            reason="Embauche du 2 mars",
            address=ADDRESS,
        )
        new.user_code = UserCode(asked.subject)
        return asked

    async def agree(self, by: Person, asked: Asked) -> Asked:
        """Have *by* agree to what was *asked*."""
        return await decide(self.bank, self.staff(by), asked.id, Verdict.APPROVED, address=ADDRESS)

    async def hold(self, user_code: UserCode) -> Wish:
        """Hold the first card of *user_code*; the wish that it be let go."""
        key = (bucket_of(user_code), user_code)
        await self.bank.store.write(
            lambda connection: set_card_state(connection, key, 1, CardState.HELD)
        )
        return Wish(Kind.LIFT_HOLD, user_code, {"card": 1}, "Carte retrouvée au guichet")

    async def live_somewhere(self, user_code: UserCode) -> None:
        """Have *user_code* live at the address of an import."""
        key = (bucket_of(user_code), user_code)
        await self.bank.store.write(
            lambda connection: insert_details(connection, [(key, SOMEWHERE.row(), None)])
        )

    async def order(self, user_code: UserCode) -> None:
        """Order a Sésame card for *user_code*, as others do."""
        key, at = (bucket_of(user_code), user_code), to_row(self.town.clock())
        await self.bank.store.write(
            lambda connection: insert_order(
                connection,
                key,
                kind="sesame",
                reason="lost",
                replaces=1,
                by=self.ada.user_code,
                at=at,
            )
        )

    async def lines(self, user_code: str) -> list[str]:
        """The chain of *user_code*, as it is written."""
        rows = await self.bank.store.read(
            lambda connection: read_lines(connection, bucket_of(user_code), user_code)
        )
        return [line.decode() for _, line, _ in rows]


async def empty_office(folder: Path, url: str | None = None) -> Office:
    """A new bank as of `open_town`, with its customers; nobody is staff yet."""
    again = quick_keystore(folder / "keys of the desk")  # the same: one seed
    revealing = KeystoreRevealingCustodian(again, random=chance("desk"))
    return Office(await open_town(folder, url), revealing)


async def open_office(folder: Path, url: str | None = None) -> Office:
    """A new bank as of `open_town`, with its customers and its staff."""
    office = await empty_office(folder, url)
    for officer in (office.odile, office.paul):
        officer.user_code = await enrol_officer(
            office.bank, await office.secret(), officer.new, ADDRESS
        )
    for other in (office.ada, office.aude):
        await office.agree(office.paul, await office.hire(other))
    return office
