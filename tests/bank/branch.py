"""What the bank's tests stand on: a real bank on a database, people with cards, and a clock."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, lru_cache
from itertools import count
from pathlib import Path

from argon2 import PasswordHasher

from sesame.bank.activation import WithNumber
from sesame.bank.bank import Bank
from sesame.bank.challenges import ChallengeResponse
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.limits import Limits
from sesame.bank.matching import TwoCodes
from sesame.bank.old_code import OldCode, OldCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Attempt, Outcome, verify_login
from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef, KeyUsage
from sesame.custody.key import standard_keys
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.emv.keys import DesKey, card_key_b
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.audit import read_lines
from sesame.store.buckets import bucket_of
from sesame.store.engine import open_store
from tests.bank.stranger import Lines
from tests.custody.codes import make_code
from tests.custody.keystores import QUICK, chance
from tests.places import UNHURRIED, Place, Row, Where, url_of

NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
ADDRESS = "192.0.2.77"
NOBODY = UserCode("NEMO3333")
SEED = b"what only this browser's form has"[:32]

OLD_CODE = OldCode("tilleul-1971")


class Clock:
    """The bank's clock: it stands still until told."""

    def __init__(self) -> None:
        self.at = NINE

    def __call__(self) -> datetime:
        """The time."""
        return self.at

    def forward(self, **much: float) -> None:
        """Let time pass; backwards where *much* is negative."""
        self.at += timedelta(**much)


def quick_old_codes() -> OldCodes:
    """Old codes whose hash costs next to nothing."""
    return OldCodes(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@lru_cache
def custody_keys() -> Keystore:
    """The same keys for every test and process, never written down."""
    keys = standard_keys(demo=True, now=NINE, random=chance("keys"))
    return Keystore(path=Path("keys"), demo=True, cost=QUICK, keys=keys)


@lru_cache
def custodian() -> KeystoreCustodian:
    """Custody with those keys."""
    return KeystoreCustodian(custody_keys(), random=chance("custodian"))


@dataclass(frozen=True)
class Card:
    """A card whose PIN is known, so that it makes the code of any ATC."""

    kind: CardKind
    profile: Profile
    number: str  # 15 digits; Luhn's is added

    @property
    def record(self) -> CardRecord:
        """What custody is told of it."""
        return CardRecord(
            pan=Pan(self.number + luhn_digit(self.number)),
            psn="01",
            profile=self.profile.name,
            key=KeyRef("dpa-01"),
            dki=1,
        )

    def code(self, atc: int, inputs: Inputs = LOGIN) -> Code:
        """The code of transaction *atc*."""
        issuer_key = DesKey(custody_keys().only(KeyUsage.ISSUER_AC).value)
        record = self.record
        key = card_key_b(issuer_key, record.pan.digits, record.psn)
        return make_code(key, self.profile, atc=atc, inputs=inputs)

    def wrong_code(self, atc: int, guess: int = 1) -> Code:
        """A code that claims *atc* and is not the card's: other bits of the AC."""
        return Code(f"{self.code(atc).token ^ guess:08d}")


@dataclass(frozen=True)
class Person:
    """Somebody with cards, each at ATC 0."""

    user_code: UserCode
    name: str
    cards: tuple[Card, ...]

    @property
    def card(self) -> Card:
        """The first card."""
        return self.cards[0]


VERA = Person(
    UserCode("VERA2345"),
    "Véra Tissot",
    (Card(CardKind.SESAME, SESAME_CARD, "925000123456789"),),
)
OMAR = Person(
    UserCode("OMAR6789"),
    "Omar Belkacem",
    (Card(CardKind.BANK, BANK_CARD, "497010123456789"),),
)
DORA = Person(
    UserCode("DORA4567"),
    "Dora Maas",
    (
        Card(CardKind.SESAME, SESAME_CARD, "925000987654321"),
        Card(CardKind.BANK, BANK_CARD, "497010987654321"),
    ),
)
PEOPLE = (VERA, OMAR, DORA)


def open_bank(where: Where, *, name: str = "bank", limits: Limits | None = None) -> Bank:
    """A bank on the database *where*; two of them want two names, or their chance is one."""
    return Bank(
        store=open_store(url_of(where), UNHURRIED),
        custodian=custodian(),
        now=Clock(),
        random_bytes=chance(name),
        limits=limits or Limits(),
        old_codes=quick_old_codes(),
    )


async def enrol_everybody(bank: Bank) -> None:
    """Everybody becomes a customer, with an old code."""
    for person in PEOPLE:
        await enrol(bank, new_customer(person))


def new_customer(person: Person) -> NewCustomer:
    """*person* before enrolment."""
    return NewCustomer(
        user_code=person.user_code,
        name=person.name,
        language=Language.FRENCH,
        old_code=quick_old_codes().hash(OLD_CODE),
        cards=[NewCard(kind=card.kind, record=card.record) for card in person.cards],
    )


_ids = count(1)


def attempt(
    user_code: UserCode,
    code: Code | TwoCodes | ChallengeResponse | OldCode | WithNumber,
    **changes: object,
) -> Attempt:
    """An attempt with an id of its own, from one browser's form."""
    plain = Attempt(
        id=next(_ids).to_bytes(16),
        user_code=user_code,
        code=code,
        origin=Origin(Door.PORTAL, ADDRESS),
        session_seed=SEED,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


@dataclass
class Branch:
    """A bank with its customers, and how the tests speak to it."""

    where: Where
    bank: Bank
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        assert isinstance(self.bank.now, Clock)
        self.clock = self.bank.now

    async def login(
        self,
        person: Person,
        code: Code | TwoCodes | ChallengeResponse | OldCode | WithNumber,
        **changes: object,
    ) -> Outcome:
        """What becomes of *code*, typed into a new form."""
        return await verify_login(self.bank, attempt(person.user_code, code, **changes))

    async def fail(self, user_code: UserCode, times: int) -> list[Outcome]:
        """*times* wrong codes in a row."""
        wrong = [VERA.card.wrong_code(1, guess) for guess in range(1, times + 1)]
        return [await verify_login(self.bank, attempt(user_code, code)) for code in wrong]

    @property
    def path(self) -> Path:
        """The file, where the database is one."""
        assert isinstance(self.where, Path)
        return self.where

    @cached_property
    def place(self) -> Place:
        """The database, looked at from outside."""
        return Place(url_of(self.where))

    def rows(self, query: str, *values: object) -> list[Row]:
        """What *query* finds."""
        return self.place.execute(query, *values)

    def change(self, statement: str, *values: object) -> None:
        """Change the database from outside, as a help desk's program would."""
        self.place.execute(statement, *values)

    def row(self, user_code: UserCode) -> dict[str, object]:
        """The access row, by column."""
        return self.place.row_of(user_code)

    def last_atcs(self, person: Person) -> list[int]:
        """The last ATC of each of their cards."""
        return self.place.last_atcs(person.user_code)

    async def chain(self, person: Person) -> tuple[Lines, bytes]:
        """The customer's lines, and the head in their access row."""
        user_code = person.user_code
        key = (bucket_of(user_code), user_code)
        lines = await self.bank.store.read(lambda connection: read_lines(connection, *key))
        head = self.row(user_code)["head"]
        assert isinstance(head, bytes)
        return lines, head

    async def close(self) -> None:
        """Let go of the database."""
        await self.bank.store.close()
        if "place" in self.__dict__:
            self.place.close()
