"""A bank that leaves the old code behind: cards, PINs and readers are posted, and people switch.

The bank is the real one, on a database in memory: its board is read each day, every login meets
`verify_login`, and what must not be is looked for at every step. Nobody is ever without a way in,
and who has signed in with a code Sésame has no old code any more.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from itertools import count
from random import Random

from argon2 import PasswordHasher

from sesame.bank.activation import NumberUse, WithNumber
from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCustomer, enrol_all
from sesame.bank.dispatching import new_reference
from sesame.bank.limits import Limits
from sesame.bank.moments import from_row
from sesame.bank.old_code import OldCode, OldCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.switching import REMINDED, Board, Way, read_board, who_stands
from sesame.bank.user_code import UserCode, generate_user_code
from sesame.bank.verification import Accepted, Attempt, Outcome, Refused, verify_login
from sesame.cap.token import Code
from sesame.catalogue import Language
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.simulation.desk import Issued, enter_waiting, give_number, issue
from sesame.simulation.plan import DAY, HOUR, MINUTE, SECOND, START
from sesame.simulation.server import keys_of
from sesame.simulation.wallet import Card, make_code
from sesame.store.buckets import bucket_of
from sesame.store.cards import (
    CardState,
    Key,
    set_card_state,
)
from sesame.store.dispatches import DispatchRow, insert_dispatch, mark_returned
from sesame.store.engine import Store
from sesame.store.memory import MemoryDatabase
from sesame.store.orders import (
    insert_order,
    list_orders,
)

_OFFICE = "_0000000"  # nobody's own doing
_PIN_AFTER, _READER_AFTER = 2, 4  # days behind the card
_IN_THE_POST = 2  # days
_BACK_AFTER, _AGAIN_AFTER = 6, 14  # days: a letter returns; the address is put right
_ACTIVATION = 30  # days
_EXPIRES = "2035-12-31"
_REMINDED_EVERY, _REMINDED_FOR = 30, 14  # days
_FIRST_REMINDER = 45
_WILLING, _WILLING_REMINDED = 0.12, 0.4  # of the logins, once card and reader are there
_RELUCTANT = 0.08  # of the customers: only a letter makes them try
_FAILS_FIRST = 0.12  # of the first tries: the code is mistyped
_GIVES_UP = 0.3  # of those
_GOES_BACK = 0.1  # of the logins after the first: tries the old code, from habit
_RETURNED = 0.05  # of the letters with a card


class Stranded(Exception):
    """What must not be happened to `user_code` on day `day`; `what` says it in English."""

    def __init__(self, what: str, *, user_code: str, day: int) -> None:
        super().__init__(f"{what}: {user_code}, day {day}")
        self.what = what
        self.user_code = user_code
        self.day = day


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaign:
    """What is to be lived: the same one is the same run."""

    customers: int
    days: int
    seed: int
    bank_cards: float = 0.6  # of the customers have one already; the others get a Sésame card
    logins: float = 0.3  # a day
    waves: int = 10  # in which cards and readers are posted, over the first half


@dataclass(slots=True)
class Course:
    """How it went, day by day, and in all."""

    days: list[Board] = field(default_factory=list)
    by_old_code: int = 0
    by_code: int = 0
    failed: int = 0  # codes Sésame, mistyped
    old_code_refused: int = 0  # after its owner's first success
    returned: int = 0
    reminded: int = 0

    def of_way(self, way: Way) -> list[int]:
        """How many it was, at the end of each day."""
        return [board.of_way(way) for board in self.days]


@unique
class _Work(StrEnum):
    """What the office does for a customer on a day."""

    MAKE = "make"  # a card, by order
    CARD = "card"
    PIN = "pin"
    READER = "reader"
    NUMBER = "number"  # the one that activates is too old: another one, in a letter
    RETURN = "return"  # the card's letter came back: that card is no more


@dataclass(slots=True)
class _Customer:
    number: int
    user_code: UserCode
    kind: CardKind
    chance: Random
    old_code: OldCode
    reluctant: bool
    works: dict[int, list[_Work]] = field(default_factory=dict)  # by day
    card: Card | None = None
    order: int | None = None
    activation: str | None = None  # as the reader's parcel has it
    card_letter: str | None = None  # its reference
    ready_on: int | None = None  # card, PIN and reader are at home
    reminded_on: int | None = None
    switched: bool = False

    @property
    def key(self) -> Key:
        """Bucket and user code."""
        return bucket_of(self.user_code), self.user_code


async def live(campaign: Campaign) -> Course:
    """Live it to the end.

    Raises:
        Stranded: the bank did what it must not.
    """
    town = _Town(campaign)
    try:
        await town.begin()
        for day in range(campaign.days):
            await town.live(day)
        return town.course
    finally:
        await town.close()


class _Town:
    """The bank, its office, and its customers."""

    def __init__(self, campaign: Campaign) -> None:
        self.course = Course()
        self._campaign = campaign
        self._chance = Random(f"{campaign.seed} switching")  # noqa: S311 -- a model
        self._at = START
        self._custodian = KeystoreIssuingCustodian(
            keys_of(campaign.seed), random=self._chance.randbytes
        )
        self._store = Store(MemoryDatabase())
        self._bank = Bank(
            store=self._store,
            custodian=self._custodian,
            now=self._now,
            random_bytes=self._chance.randbytes,
            limits=Limits(source=None),
            # One run's, and gone with it: their cost guards nothing.
            old_codes=OldCodes(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
        )
        self._attempts = count(1)
        self._moved: list[_Customer] = []  # today: the others are as they were
        self._customers = [self._customer(number) for number in range(campaign.customers)]

    def _now(self) -> datetime:
        return from_row(self._at)

    def _seconds(self) -> float:
        return (self._at - START) / SECOND

    def _customer(self, number: int) -> _Customer:
        campaign = self._campaign
        chance = Random(f"{campaign.seed} switching {number}")  # noqa: S311 -- a model
        customer = _Customer(
            number=number,
            user_code=generate_user_code(chance.randbytes),
            kind=CardKind.BANK if chance.random() < campaign.bank_cards else CardKind.SESAME,
            chance=chance,
            old_code=OldCode(f"ancien-{number}"),
            reluctant=chance.random() < _RELUCTANT,
        )
        first = chance.randrange(campaign.waves) * campaign.days // (2 * campaign.waves)
        returned = chance.random() < _RETURNED
        for day, work in _schedule(customer.kind, first, returned=returned):
            customer.works.setdefault(day, []).append(work)
        return customer

    # ── Before it begins ─────────────────────────────────────────────────────────────────────────

    async def begin(self) -> None:
        """Everybody has an old code; some have a bank card, which makes codes already."""
        new = []
        for customer in self._customers:
            cards = []
            if customer.kind is CardKind.BANK:
                issued = await self._issue(customer, 1)
                customer.card, cards = issued.card, [issued.new]
            hashed = self._bank.old_codes.hash(customer.old_code)
            new.append(
                NewCustomer(
                    user_code=customer.user_code,
                    name=f"Client {customer.number}",
                    language=Language.FRENCH,
                    old_code=hashed,
                    cards=cards,
                )
            )
        await enrol_all(self._bank, new)

    async def _issue(self, customer: _Customer, number: int) -> Issued:
        return await issue(
            self._custodian,
            customer.kind,
            owner=customer.number,
            number=number,
            generation=number,
            pin=f"{customer.chance.randrange(10_000):04d}",
        )

    # ── A day ────────────────────────────────────────────────────────────────────────────────────

    async def live(self, day: int) -> None:
        """The office works in the morning, people sign in, and the board is read at night."""
        self._at = START + day * DAY + 8 * HOUR
        await self._remind(day)
        self._moved.clear()
        for customer in self._customers:
            for work in customer.works.get(day, ()):
                self._at += SECOND
                await self._work(customer, work, day)
                self._moved.append(customer)
        for customer in self._customers:
            self._at += MINUTE // 10
            if customer.chance.random() < self._campaign.logins:
                await self._sign_in(customer, day)
                self._moved.append(customer)
        self._at = max(self._at, START + day * DAY + 20 * HOUR)
        await self._look(day)

    async def _look(self, day: int) -> None:
        board = await read_board(self._bank)
        self.course.days.append(board)
        last = day == self._campaign.days - 1
        for customer in self._customers if last else self._moved:
            access = await self._store.read_access(customer.user_code)
            if customer.switched and access.state.old_code is not None:
                raise self._stranded("two codes after a success", customer, day)
            opens = any(card.state == CardState.ACTIVE for card in access.cards)
            if not opens and access.state.old_code is None:
                raise self._stranded("no way in", customer, day)
        if board.of_way(Way.SESAME_ONLY) != sum(one.switched for one in self._customers):
            raise Stranded("the board counts others", user_code="", day=day)

    # ── The office ───────────────────────────────────────────────────────────────────────────────

    async def _work(self, customer: _Customer, work: _Work, day: int) -> None:
        if work is _Work.MAKE:
            await self._make(customer)
        elif work is _Work.RETURN:
            await self._take_back(customer)
        elif work is _Work.NUMBER:
            if not customer.switched:
                await self._post(customer, _Work.READER, day)
        else:
            await self._post(customer, work, day)

    async def _make(self, customer: _Customer) -> None:
        """Order a card and have it made: it waits for its activation."""
        key, at = customer.key, self._at
        orders = await self._store.read(lambda connection: list_orders(connection, key))
        number = len(orders) + 1
        issued = await self._issue(customer, number)
        reason = "returned" if orders else "first"
        order = await self._store.write(
            lambda connection: insert_order(
                connection,
                key,
                kind=customer.kind,
                reason=reason,
                replaces=None,
                by=_OFFICE,
                at=at,
            )
        )
        await enter_waiting(self._bank, customer.user_code, order, issued)
        customer.card, customer.order = issued.card, order

    async def _post(self, customer: _Customer, work: _Work, day: int) -> None:
        letter = DispatchRow(
            new_reference(customer.chance.randbytes),
            *customer.key,
            work.value,
            customer.order,
            self._at,
            printed_at=self._at,
            posted_at=self._at,
        )
        await self._store.write(lambda connection: insert_dispatch(connection, letter))
        if work is _Work.CARD:
            customer.card_letter = letter.reference
        elif work is _Work.READER:  # the last of them
            customer.ready_on = day + _IN_THE_POST
            if customer.order is not None:
                await self._give_number(customer, customer.order, day)

    async def _give_number(self, customer: _Customer, order: int, day: int) -> None:
        """The activation number that goes with the reader; another one once it is too old."""
        until = self._at + _ACTIVATION * DAY
        customer.activation = await give_number(
            self._bank, customer.user_code, order, customer.chance.randbytes, until=until
        )
        customer.works.setdefault(day + _ACTIVATION, []).append(_Work.NUMBER)

    async def _take_back(self, customer: _Customer) -> None:
        key, letter, number = customer.key, customer.card_letter, customer.order
        if letter is None or number is None:
            return
        await self._store.write(lambda connection: mark_returned(connection, letter, self._at))
        await self._store.write(
            lambda connection: set_card_state(connection, key, number, CardState.RETIRED)
        )
        customer.card = None
        self.course.returned += 1

    async def _remind(self, day: int) -> None:
        if day < _FIRST_REMINDER or (day - _FIRST_REMINDER) % _REMINDED_EVERY:
            return
        by_code = {customer.user_code: customer for customer in self._customers}
        for standing in sorted(REMINDED, key=str):
            for found in await who_stands(self._bank, standing, most=len(by_code)):
                customer = by_code[UserCode(found.user_code)]
                if customer.ready_on is not None and day >= customer.ready_on:
                    customer.reminded_on = day
                    self.course.reminded += 1

    # ── People ───────────────────────────────────────────────────────────────────────────────────

    async def _sign_in(self, customer: _Customer, day: int) -> None:
        if customer.switched:
            if customer.chance.random() < _GOES_BACK:
                await self._try_old_code(customer, day)
            await self._use_card(customer, day)
        elif not self._tries(customer, day) or not await self._switch(customer, day):
            if not isinstance(await self._ask(customer, customer.old_code), Accepted):
                raise self._stranded("the old code was refused before a success", customer, day)
            self.course.by_old_code += 1

    def _tries(self, customer: _Customer, day: int) -> bool:
        """Whether somebody tries a code Sésame today, in the place of the old code."""
        if customer.ready_on is None or day < customer.ready_on:
            return False
        reminded = customer.reminded_on
        if reminded is not None and day < reminded + _REMINDED_FOR:
            return customer.chance.random() < _WILLING_REMINDED
        return not customer.reluctant and customer.chance.random() < _WILLING

    async def _switch(self, customer: _Customer, day: int) -> bool:
        """The first time with a code Sésame; whether it was one."""
        if customer.chance.random() < _FAILS_FIRST:
            wrong = Code.of(self._code(customer).token ^ 1)
            if not isinstance(await self._ask(customer, self._typed(customer, wrong)), Refused):
                raise self._stranded("a mistyped code was not refused", customer, day)
            self.course.failed += 1
            if customer.chance.random() < _GIVES_UP:
                return False
        await self._use_card(customer, day)
        customer.switched = True
        return True

    async def _use_card(self, customer: _Customer, day: int) -> None:
        typed = self._typed(customer, self._code(customer))
        if not isinstance(await self._ask(customer, typed), Accepted):
            raise self._stranded("a right code was refused", customer, day)
        self.course.by_code += 1

    async def _try_old_code(self, customer: _Customer, day: int) -> None:
        if not isinstance(await self._ask(customer, customer.old_code), Refused):
            raise self._stranded("the old code was accepted after a success", customer, day)
        self.course.old_code_refused += 1

    def _code(self, customer: _Customer) -> Code:
        card = customer.card
        made = None if card is None else make_code(card, self._seconds)
        if made is None:
            raise AssertionError("a card that is there, and its own PIN, make a code")
        return made.code

    def _typed(self, customer: _Customer, code: Code) -> Code | WithNumber:
        """The first code of a card that waits goes with the number that activates it."""
        if customer.kind is CardKind.BANK or customer.switched or customer.activation is None:
            return code
        return WithNumber(NumberUse.ACTIVATION, customer.activation, code)

    async def _ask(self, customer: _Customer, typed: Code | WithNumber | OldCode) -> Outcome:
        self._at += SECOND
        attempt = Attempt(
            id=next(self._attempts).to_bytes(16),
            user_code=customer.user_code,
            code=typed,
            origin=Origin(Door.PORTAL, "10.0.0.1"),
            session_seed=customer.chance.randbytes(32),
        )
        return await verify_login(self._bank, attempt)

    def _stranded(self, what: str, customer: _Customer, day: int) -> Stranded:
        return Stranded(what, user_code=customer.user_code, day=day)

    async def close(self) -> None:
        """Let go of the bank."""
        await self._store.close()


def _schedule(kind: CardKind, first: int, *, returned: bool) -> Iterator[tuple[int, _Work]]:
    """What is done for a customer, from the day *first* on."""
    if kind is CardKind.BANK:
        yield first, _Work.READER
        return
    if returned:
        yield first, _Work.MAKE
        yield first + 1, _Work.CARD
        yield first + 1 + _PIN_AFTER, _Work.PIN
        yield first + 1 + _BACK_AFTER, _Work.RETURN
        first += 1 + _BACK_AFTER + _AGAIN_AFTER
    yield first, _Work.MAKE
    yield first + 1, _Work.CARD
    yield first + 1 + _PIN_AFTER, _Work.PIN
    yield first + 1 + _READER_AFTER, _Work.READER
