"""One server's part of the bank, its customers, and virtual time.

What people do is played event by event; each request meets the bank's own `verify_login`, and
what the bank answers and writes is held against the model at once. Every user code's events
run beside those of the others in the order of time, with nothing left to the machine's.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from collections.abc import Set as AbstractSet
from contextlib import closing
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import ClassVar, NamedTuple

import msgspec

from sesame.bank.challenges import make_challenge
from sesame.bank.customers import CardKind, NewCustomer, enrol_all
from sesame.bank.housekeeping import tidy
from sesame.bank.moments import to_row
from sesame.bank.recovery import Asked as Page
from sesame.bank.restored import Seen, beat, nothing_seen
from sesame.bank.sessions import (
    end_all_sessions,
    end_session,
    forget_known_devices,
    read_session,
)
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.bank.verification import (
    Accepted,
    Refused,
    SourceClosed,
    Suspended,
    TwoCodesWanted,
)
from sesame.cap.token import Code
from sesame.catalogue import N_, Language
from sesame.simulation import addresses
from sesame.simulation.book import Count
from sesame.simulation.desk import (
    enter_waiting,
    give_number,
    hire,
    issue,
    oppose_card,
    order_card,
    order_to_make,
)
from sesame.simulation.events import OF_CUSTOMER, UNMARKED, WITHOUT_STREAM, Event, Kind
from sesame.simulation.faults import Fault
from sesame.simulation.lives import Portrait, portrait, user_code_of
from sesame.simulation.model import Broken, CardView, Rule
from sesame.simulation.plan import DAY, HOUR, MINUTE, SECOND, START, Plan
from sesame.simulation.recovery import ship, work_off
from sesame.simulation.refusals import Told
from sesame.simulation.server import (
    Browser,
    Over,
    Person,
    Posed,
    Server,
    Unavailable,
    card_is_unsure,
    is_right,
)
from sesame.simulation.wallet import (
    Card,
    How,
    Made,
    Opening,
    answer,
    make_code,
    make_code_without_pin,
    sign,
)
from sesame.store.buckets import BUCKETS, bucket_of
from sesame.store.cards import CardState
from sesame.store.failures import add_failures
from sesame.store.memory import Backup

_AT_ONCE = 500  # customers that are enrolled in one commit
_LINES_KEPT = 2 * DAY  # of the audit chains: a login's was held against the model when written
_TYPED_BITS = 25  # of a code, behind its constant one
_OTHERS = 1  # which writer the failures are counted as that other servers saw
_FOUND_CLOSED = {
    Suspended: Count.OWNER_TURNED_AWAY,
    SourceClosed: Count.OWNER_ADDRESS_CLOSED,
}
_MADE_AGAIN = 3 * DAY  # until a card is there once more that a backup does not know
_ACTIVATION = 10_000 * DAY  # for which a number is good: nobody is too late here
_TURNS = 4  # how often somebody tries before they call the desk

Play = AsyncIterator[int]  # microseconds until it goes on


class Report(NamedTuple):
    """What a server counted, for the others to hear."""

    failures: Mapping[int, int]  # of strangers, by hour
    refusals: Told  # by address

    def is_empty(self) -> bool:
        """Whether there is nothing to hear."""
        return not (self.failures or self.refusals)


NOTHING = Report({}, {})


class Violation(Exception):
    """The bank did what it must not, to the user code of `who` at the moment `at`."""

    def __init__(self, rule: Rule, detail: str, *, who: int, at: int) -> None:
        super().__init__(rule, detail, who, at)
        self.rule = rule
        self.detail = detail
        self.who = who
        self.at = at

    def __reduce__(self) -> tuple[object, ...]:
        return _violation, (self.rule, self.detail, self.who, self.at)


def _violation(rule: Rule, detail: str, who: int, at: int) -> Violation:
    return Violation(rule, detail, who=who, at=at)


class World(Server):
    """A server with the customers of its part of the buckets; or with those of *only*."""

    def __init__(
        self, plan: Plan, number: int = 0, *, only: Iterable[int] | None = None, tells: bool = False
    ) -> None:
        super().__init__(plan, number, tells=tells)
        self._only = None if only is None else sorted(set(only))
        self._people: dict[int, Person] = {}
        self._heap: list[tuple[int, int, Play]] = []
        self._order = count()
        self._reported: dict[int, int] = {}
        self._seen: Seen | None = None  # by the heartbeat, outside the database
        self._adviser: Staff

    # ── Before it begins ─────────────────────────────────────────────────────────────────────────

    async def populate(self) -> None:
        """Make cards and enrol everybody."""
        everybody = range(-self._plan.nobodies, self._plan.customers)
        numbers = everybody if self._only is None else self._only
        new: list[NewCustomer] = []
        for number in numbers:
            user_code = user_code_of(self._plan, number)
            if self._only is None and not self._serves(user_code):
                continue
            person = Person(number, user_code, *self._browsers(number))
            self._people[number] = person
            if number >= 0:
                new.append(await self._customer(person, portrait(self._plan, number)))
            if len(new) == _AT_ONCE:
                await enrol_all(self.bank, new)
                new = []
        await enrol_all(self.bank, new)
        self._adviser = await hire(self.bank, self.custodian)

    def begin(self, lives: Iterable[Iterator[Event]], bank: Iterable[Event] = ()) -> None:
        """Let *lives* run, each one event after the other, beside what happens to the bank."""
        for place, life in enumerate(lives):
            self._start(self._live(life), START + place)
        for event in bank:
            self._start(self._restore(event), START)
        self._start(self._nights(), START + 3 * HOUR)

    @property
    def people(self) -> Sequence[int]:
        """The numbers of everybody whom this server serves."""
        return list(self._people)

    def person(self, number: int) -> Person:
        """Somebody whom this server serves."""
        return self._people[number]

    # ── Time ─────────────────────────────────────────────────────────────────────────────────────

    async def advance(self, until: int) -> Report:
        """Let everything happen before *until*; what was counted since last time.

        Raises:
            Violation: the bank did what it must not.
        """
        while self._heap and self._heap[0][0] < until:
            self.at, order, play = heappop(self._heap)
            try:
                wait = await anext(play)
            except StopAsyncIteration:
                continue
            heappush(self._heap, (self.at + max(0, wait), order, play))
        self.at = until
        now, before = dict(self._failures.here), self._reported
        self._reported = now
        failures = {
            hour: times - before.get(hour, 0)
            for hour, times in now.items()
            if times > before.get(hour, 0)
        }
        return Report(failures, self._refusals.tell())

    async def hear(self, report: Report) -> None:
        """Other servers counted this."""
        for hour, times in sorted(report.failures.items()):
            await self._store.write(
                lambda connection, hour=hour, times=times: add_failures(  # type: ignore[misc]  # of this turn
                    connection, hour=hour, writer=_OTHERS, failures=times
                )
            )
            self._failures.hear(hour, times)
        self._of_others.update(report.refusals)
        self._refusals.hear(report.refusals)

    def is_quiet(self, until: int) -> bool:
        """Whether nothing happens before *until*."""
        return not self._heap or self._heap[0][0] >= until

    async def close(self) -> None:
        """Let go of the bank."""
        for _, _, play in self._heap:
            await play.aclose()  # type: ignore[attr-defined]  # they are generators
        await self._store.close()

    def _start(self, play: Play, at: int) -> None:
        heappush(self._heap, (at, next(self._order), play))

    async def _live(self, life: Iterator[Event]) -> Play:
        for event in life:
            yield event.at - self.at
            person = self._people[event.who]
            try:
                if event.kind in OF_CUSTOMER:
                    await self._collect(person)
                if event.kind in self._AT_ONCE:
                    await self._AT_ONCE[event.kind](self, person, event)
                    continue
                async for wait in self._PLAYS[event.kind](self, person, event):
                    yield wait
            except Broken as broken:
                raise Violation(broken.rule, broken.detail, who=person.number, at=self.at) from None

    async def _nights(self) -> Play:
        """What a server does now and then."""
        while True:
            await self._share()
            await tidy(self.bank)
            self._refusals.forget(self.at)
            self._database.database.forget_lines(before=self.at - _LINES_KEPT)
            yield DAY

    async def _restore(self, event: Event) -> Play:
        """A backup is taken, and some hours later put back."""
        yield event.at - event.n - self.at
        pasts = {number: person.past.copy() for number, person in self._people.items()}
        await self._share()
        failures, refusals = self._failures.copy(), self._refusals.copy()
        await self._beat()
        self._forgot = set()
        marked = not event.luck & UNMARKED
        with closing(self._database.database.backup(marked=marked)) as backup:
            yield event.n
            await self._beat()
            codes = [person.user_code for person in self._people.values()]
            stream = await ship(self.bank, [*codes, self._adviser.user_code])
            self._put_back(event, backup)
        forgot, self._forgot = self._forgot, None
        replayed = not event.luck & WITHOUT_STREAM
        for number, past in pasts.items():
            person = self._people[number]
            person.past = person.past.put_back(past, replayed=replayed)
            if replayed and person.user_code in forgot:
                person.past.devices.clear()
        self._failures, self._refusals = failures, refusals
        self._of_others.clear()
        self._reported = dict(self._failures.here)
        self.bank = self._open()
        done = await work_off(self.bank, stream if replayed else None)
        self._check_whole(done.forked | done.missing)
        for person in self._people.values():
            await self._recover(person, replayed=replayed)
        await self._beat()
        self.book.count(Count.REPLAYED, self.at, done.taken)
        if self._number == 0:
            self.book.count(Count.RESTORES, self.at)

    async def _beat(self) -> None:
        seen = await nothing_seen(self.bank) if self._seen is None else self._seen
        self._seen = await beat(self.bank, seen)

    def _check_whole(self, others: AbstractSet[str]) -> None:
        """Whether every chain goes on where it was, but those of *others*: there are none."""
        for person in self._people.values():
            if person.user_code in others:
                raise Violation(Rule.OTHERWISE, "replay", who=person.number, at=self.at)

    async def _recover(self, person: Person, *, replayed: bool) -> None:
        """What the desk does again for *person*, and what it makes of cards that came since.

        Raises:
            Violation: a card that was held signs in, or one that signed in does not, although a
                stream said so.
        """
        access = await self.bank.store.read_access(person.user_code)
        states = {card.card_number: card.state for card in access.cards}
        wanted = any(card.back_at is not None for card in person.cards.values())
        for number, card in person.cards.items():
            view, state = person.past.cards[number], states.get(number)
            view.over = state in {None, CardState.RETIRED}
            if state is None:  # it was made since: nobody knows it any more
                if view.active or view.waits:
                    card.back_at, wanted = self.at + _MADE_AGAIN, True
                view.active = view.waits = card.usable = False
            elif replayed and (state == CardState.ACTIVE) != view.active:
                rule = Rule.COST if view.active else Rule.NOT_ENDED
                raise Violation(rule, "replay", who=person.number, at=self.at)
            elif state == CardState.WAITING and view.active:
                view.active, view.waits, card.usable = False, True, False
            elif state == CardState.ACTIVE and not view.active:
                await self._oppose(person, card)  # the desk knows what it was called for
        if wanted:
            await self._order_again(person, [n for n, s in states.items() if s == CardState.HELD])

    async def _order_again(self, person: Person, held: Sequence[int]) -> None:
        """Order a card in the place of one of the *held* ones, unless one is coming."""
        for number in held:
            if await order_to_make(self.bank, person.user_code) is None:
                await self._oppose(person, person.cards[number])
        if await order_to_make(self.bank, person.user_code) is None:
            await order_card(self.bank, self._adviser, person.user_code)

    def _put_back(self, event: Event, backup: Backup) -> None:
        self._tell(
            N_("La banque remet en place une sauvegarde de {hours}\u00a0h."), hours=event.n // HOUR
        )
        self._database.database.restore(backup)

    # ── What customers do ────────────────────────────────────────────────────────────────────────

    async def _pay(self, person: Person, event: Event) -> None:
        for card in person.cards.values():
            if card.usable and card.pays:
                card.pay(event.n)
                self.book.count(Count.PAYMENTS, self.at, event.n)
                self._tell(N_("{who} paie {n} fois."), who=person.user_code, n=event.n)

    async def _try_out(self, person: Person, event: Event) -> Play:
        card = self._usable(person, Random(event.luck))  # noqa: S311 -- a model
        if card is None:
            return
        for _ in range(event.n):
            make_code(card, self._seconds)
            self.book.count(Count.CODES, self.at)
            self.book.count(Count.THROWN_AWAY, self.at)
            yield 20 * SECOND
        self._tell(N_("{who} fait {n} codes et les jette."), who=person.user_code, n=event.n)

    async def _approach(self, person: Person, event: Event) -> Play:
        """Make the next code the last one of its window, or so many beyond; and sign in."""
        chance = Random(event.luck)  # noqa: S311 -- a model
        card = self._usable(person, chance)
        if card is None:
            return
        view = person.past.cards[card.number]
        spare = view.last_atc + view.window + event.n - 1 - card.counters.atc
        if spare < 0:
            return
        if card.pays:
            card.pay(spare)
            self.book.count(Count.PAYMENTS, self.at, spare)
        else:
            for _ in range(spare):
                make_code(card, self._seconds)
                self.book.count(Count.CODES, self.at)
                self.book.count(Count.THROWN_AWAY, self.at)
                yield 20 * SECOND
        self._tell(
            N_("{who} fait avancer sa carte {card} de {n} sans se connecter."),
            who=person.user_code,
            card=card.number,
            n=spare,
        )
        async for wait in self._sign_in(person, card, person.home, chance, plain=True):
            yield wait

    async def _login(self, person: Person, event: Event) -> Play:
        chance, habits = Random(event.luck), self._plan.habits  # noqa: S311 -- a model
        card = self._usable(person, chance)
        if card is None:
            return  # until the new one is there
        where = chance.random()
        browser = person.home
        if where < habits.elsewhere:
            browser = Browser(addresses.work(person.number, habits), shared=True)
        elif where < habits.elsewhere + habits.new_device:
            person.phone = browser = Browser(person.phone.line)
        elif where > 0.7:  # noqa: PLR2004 -- three logins in ten are from the second one
            browser = person.phone
        async for wait in self._sign_in(person, card, browser, chance):
            yield wait

    async def _sign_in(  # noqa: C901 -- a dialogue, told from the top
        self, person: Person, card: Card, browser: Browser, chance: Random, *, plain: bool = False
    ) -> Play:
        """Codes until one is accepted, then two in a row, then the desk."""
        habits, two, refused = self._plan.habits, False, False
        fault = None if plain or chance.random() >= habits.crashed else _fault(chance)
        twice = not plain and chance.random() < habits.clicked_twice
        for turn in range(_TURNS):
            slips = not plain and turn == 0
            passes = slips and card_is_unsure(person, card) and chance.random() < habits.passed_by
            posed = None if passes else await self._pose(person, card, refused=refused)
            typed = [self._answer(card, posed) if posed else self._make(card, chance, slips=slips)]
            yield round(chance.uniform(15, 50) * SECOND)
            if two or posed:
                typed.append(self._make(card, chance, slips=slips))
                yield round(chance.uniform(15, 50) * SECOND)
            codes = tuple(made for made in typed if made is not None)
            if len(codes) < len(typed):
                await self._to_desk(person, card, Count.DESK_BLOCKED, chance)
                return
            if slips and codes[-1].how is How.RIGHT and chance.random() < habits.typed_late:
                self.book.count(Count.TYPED_LATE, self.at)
                yield round(chance.expovariate(1) * HOUR)
            form = self._form(person, codes, browser, posed=posed)
            told = await self._submit(form, fault=fault)
            if isinstance(told, Unavailable):
                yield 8 * SECOND
                told = await self._submit(form)
            elif twice and not isinstance(told, Suspended | TwoCodesWanted | SourceClosed):
                self.book.count(Count.CLICKED_TWICE, self.at)
                yield SECOND // 2
                again = await self._submit(form)
                if type(again) is not type(told):
                    raise Broken(Rule.OTHERWISE, f"{type(told).__name__} → {type(again).__name__}")
            fault = None
            match told:
                case Accepted():
                    await self._inside(person, told, chance)
                    return
                case Refused():
                    two, refused = two or is_right(form), True
                case Over():
                    pass  # the page shows another number
                case TwoCodesWanted():
                    self.book.count(Count.TWO_CODES_ASKED, self.at)
                    two = True
                case Suspended(until) | SourceClosed(until):
                    self.book.count(_FOUND_CLOSED[type(told)], self.at)
                    yield to_row(until) - self.at + round(chance.expovariate(1) * 10 * MINUTE)
        await self._to_desk(person, card, Count.DESK_STUCK, chance)

    async def _pose(self, person: Person, card: Card, *, refused: bool) -> Posed | None:
        """The challenge that a customer with *card* goes for; none where none is asked for.

        The page asks everybody first, or offers it under a refusal; who has answered with this
        card since the restore goes past it.
        """
        if not card_is_unsure(person, card):
            return None
        page = await self.bank.recovery.asked(self._store, self.bank.limits, self.now())
        if page is Page.FIRST or (page is Page.OFFERED and refused):
            self.book.count(Count.CHALLENGES, self.at)
            return await self._challenge(person)
        return None

    async def _challenge(self, person: Person) -> Posed:
        challenge = await make_challenge(self.bank, person.user_code.encode())
        return Posed(challenge, person.past.life)

    def _answer(self, card: Card, posed: Posed) -> Made | None:
        self.book.count(Count.CODES, self.at)
        return answer(card, self._seconds, posed.challenge.digits)

    async def _inside(self, person: Person, told: Accepted, chance: Random) -> None:
        """The session that *told* opened is there; and, once it was ended, it is not."""
        if told.session_token is None or chance.random() >= self._plan.habits.signed_out:
            return
        if await read_session(self.bank, told.session_token) is None:
            raise Broken(Rule.OTHERWISE, "session")
        if chance.random() < 0.1:  # noqa: PLR2004 -- one in ten ends all of them
            await end_all_sessions(self.bank, person.user_code, "")
        else:
            await end_session(self.bank, told.session_token)
        self.book.count(Count.SESSIONS_ENDED, self.at)
        if await read_session(self.bank, told.session_token) is not None:
            raise Broken(Rule.NOT_ENDED)

    async def _lose(self, person: Person, event: Event) -> Play:
        chance = Random(event.luck)  # noqa: S311 -- a model
        card = self._usable(person, chance)
        if card is None:
            return
        card.usable = False
        person.stolen = card
        self._tell(N_("{who} perd sa carte {card}."), who=person.user_code, card=card.number)
        yield round(chance.uniform(5, 600) * MINUTE)
        await self._to_desk(person, card, Count.DESK_LOST, chance)

    async def _forget_pin(self, person: Person, event: Event) -> Play:
        chance = Random(event.luck)  # noqa: S311 -- a model
        card = self._usable(person, chance)
        if card is None:
            return
        wrong = _another(card.pin)
        self._tell(N_("{who} tape trois fois un code secret faux."), who=person.user_code)
        if make_code(card, self._seconds, (wrong,) * 3) is not None:
            raise Broken(Rule.WITHOUT_PIN)
        yield 5 * MINUTE
        await self._to_desk(person, card, Count.DESK_BLOCKED, chance)

    async def _forget_devices(self, person: Person, _: Event) -> None:
        await forget_known_devices(self.bank, person.user_code, "")
        person.past.devices.clear()
        if self._forgot is not None:
            self._forgot.add(person.user_code)
        self._tell(N_("{who} fait oublier ses ordinateurs."), who=person.user_code)

    async def _give_codes(self, person: Person, event: Event) -> Play:
        chance = Random(event.luck)  # noqa: S311 -- a model
        card = self._usable(person, chance)
        if card is None:
            return
        for _ in range(event.n):
            made = self._make(card, chance, slips=False)
            if made is not None:
                person.given.append(made)
            yield 30 * SECOND
        self._tell(
            N_("{who} donne {n} codes à un site qui n’est pas la banque."),
            who=person.user_code,
            n=event.n,
        )

    # ── What strangers do ────────────────────────────────────────────────────────────────────────

    async def _use_given(self, person: Person, event: Event) -> None:
        if person.given:
            await self._strange(person, event, (person.given.pop(0),))

    async def _use_seen(self, person: Person, event: Event) -> None:
        """As they were typed; or, of two, as the answer to a challenge of the stranger's own."""
        codes, chance = person.last_typed, Random(event.luck)  # noqa: S311 -- a model
        if codes:
            own = len(codes) > 1 and chance.random() < 0.5  # noqa: PLR2004 -- either
            posed = await self._challenge(person) if own else None
            await self._strange(person, event, codes, posed)

    async def _use_stolen(self, person: Person, event: Event) -> Play:
        card, chance = person.stolen, Random(event.luck)  # noqa: S311 -- a model
        if card is None:
            return
        for _ in range(event.n):
            if make_code(card, self._seconds, (_another(card.pin),)) is not None:
                raise Broken(Rule.WITHOUT_PIN)
            await self._strange(person, event, (make_code_without_pin(card),))
            yield round(chance.uniform(30, 300) * SECOND)

    async def _guess(self, person: Person, event: Event) -> None:
        chance = Random(event.luck)  # noqa: S311 -- a model
        codes = (
            Code.of(1 << _TYPED_BITS | chance.getrandbits(_TYPED_BITS))
            for _ in range(max(1, event.n))
        )
        await self._strange(person, event, tuple(Made(code, How.GUESSED) for code in codes))

    async def _strange(
        self, person: Person, event: Event, codes: tuple[Made, ...], posed: Posed | None = None
    ) -> None:
        """A stranger types *codes* on a browser of their own, which is not to be known."""
        unknown = Browser(event.line or addresses.rented(event.luck), shared=True)
        form = self._form(person, codes, unknown, stranger=True, posed=posed)
        told = await self._submit(form)
        guessed = all(made.how is How.GUESSED for made in codes)
        if guessed and isinstance(told, Suspended | TwoCodesWanted | SourceClosed):
            self.book.count(Count.GUESSES_TURNED_AWAY, self.at)

    _AT_ONCE: ClassVar[Mapping[Kind, Callable[..., Awaitable[None]]]] = {
        Kind.PAY: _pay,
        Kind.FORGET_DEVICES: _forget_devices,
        Kind.USE_GIVEN: _use_given,
        Kind.USE_SEEN: _use_seen,
        Kind.GUESS: _guess,
    }
    _PLAYS: ClassVar[Mapping[Kind, Callable[..., Play]]] = {
        Kind.TRY_OUT: _try_out,
        Kind.APPROACH: _approach,
        Kind.LOGIN: _login,
        Kind.LOSE: _lose,
        Kind.FORGET_PIN: _forget_pin,
        Kind.GIVE_CODES: _give_codes,
        Kind.USE_STOLEN: _use_stolen,
    }

    # ── Cards and the desk ───────────────────────────────────────────────────────────────────────

    def _usable(self, person: Person, chance: Random) -> Card | None:
        cards = [card for card in person.cards.values() if card.usable]
        if len(cards) > 1 and chance.random() < 0.3:  # noqa: PLR2004 -- now and then the other one
            return cards[1]
        return cards[0] if cards else None

    def _make(self, card: Card, chance: Random, *, slips: bool) -> Made | None:
        """A code as it will be typed, with what people do wrong; None where the card is blocked."""
        habits = self._plan.habits
        drawn = chance.random() if slips else 1.0
        self.book.count(Count.CODES, self.at)
        if drawn < habits.wrong_key:
            if chance.random() < 0.5:  # noqa: PLR2004 -- either key
                return sign(card, self._seconds, str(chance.randint(1, 999)), "12345678")
            return answer(card, self._seconds, str(chance.randint(1, 99_999_999)))
        drawn -= habits.wrong_key
        if drawn < habits.wrong_pin:
            wrong = [_another(card.pin)] * (1 + (chance.random() < 0.2))  # noqa: PLR2004 -- or twice
            return make_code(card, self._seconds, (*wrong, card.pin))
        drawn -= habits.wrong_pin
        made = make_code(card, self._seconds)
        if made is not None and drawn < habits.mistyped:
            return msgspec.structs.replace(
                made, code=_mistyped(made.code, chance), how=How.MISTYPED
            )
        return made

    async def _to_desk(self, person: Person, card: Card, why: Count, chance: Random) -> None:
        """A call: the card is held, and another one comes by post."""
        self.book.count(why, self.at)
        card.usable = False
        await self._oppose(person, card)
        if await order_to_make(self.bank, person.user_code) is None:
            await order_card(self.bank, self._adviser, person.user_code)
        card.back_at = self.at + chance.randint(2, 6) * DAY
        self._tell(
            N_("Le guichet met la carte {card} de {who} en opposition."),
            who=person.user_code,
            card=card.number,
        )

    async def _oppose(self, person: Person, card: Card) -> None:
        """Have the desk hold a card, which ends all sessions and forgets all devices."""
        await oppose_card(self.bank, self._adviser, person.user_code, card.number)
        view = person.past.cards[card.number]
        view.over |= view.waits  # one that nobody has used is retired
        view.active = view.waits = False
        person.past.devices.clear()
        if self._forgot is not None:
            self._forgot.add(person.user_code)

    async def _collect(self, person: Person) -> None:
        """What came by post: cards in the place of others, which are activated at once."""
        for card in list(person.cards.values()):
            if card.back_at is not None and card.back_at <= self.at:
                card.back_at = None
                await self._receive(person, card.pin)
        for card in list(person.cards.values()):
            if person.past.cards[card.number].waits:
                await self._activate(person, card)

    async def _receive(self, person: Person, pin: str) -> None:
        """The card of an order, if there is one, its PIN, and a reader with its number."""
        order = await order_to_make(self.bank, person.user_code)
        if order is None:
            return
        person.generation += 1
        number = len(person.cards) + 1
        issued = await issue(
            self.custodian,
            CardKind.SESAME,
            owner=person.number,
            number=number,
            generation=person.generation,
            pin=pin,
        )
        await enter_waiting(self.bank, person.user_code, order.order_number, issued)
        typed = await give_number(
            self.bank,
            person.user_code,
            order.order_number,
            self._chance.randbytes,
            until=self.at + _ACTIVATION,
        )
        card = issued.card
        card.opening, card.usable = Opening(typed, order.order_number, order.replaces), False
        person.cards[number] = card
        person.past.cards[number] = CardView(card.profile.window, active=False, waits=True)
        self._tell(N_("{who} reçoit une nouvelle carte {card}."), who=person.user_code, card=number)

    async def _activate(self, person: Person, card: Card) -> None:
        """The first code of a card that waits, with its number; another time, where it is late."""
        chance = Random(0)  # noqa: S311 -- a model: nobody slips here
        posed = None
        made: list[Made | None] = []
        if person.past.cards[card.number].unsure:
            posed = await self._challenge(person)
            made.append(self._answer(card, posed))
        for _ in range(2):
            made.append(self._make(card, chance, slips=False))
            codes = tuple(one for one in made if one is not None)
            form = self._form(person, codes, person.home, posed=posed, opens=card)
            told = await self._submit(form)
            if isinstance(told, Accepted):
                card.usable = True
                if card.opening is not None and card.opening.replaces is not None:
                    person.past.cards[card.opening.replaces].over = True
            if not isinstance(told, TwoCodesWanted):
                return

    async def _customer(self, person: Person, drawn: Portrait) -> NewCustomer:
        new = []
        for number, kind in enumerate(drawn.cards, 1):
            pin = f"{(person.number * 7919 + number) % 10_000:04d}"
            issued = await issue(
                self.custodian, kind, owner=person.number, number=number, generation=0, pin=pin
            )
            person.cards[number] = issued.card
            person.past.cards[number] = CardView(issued.card.profile.window)
            new.append(issued.new)
        return NewCustomer(
            user_code=person.user_code,
            name=f"Client {person.number}",
            language=Language.FRENCH,
            old_code=None,
            cards=new,
        )

    def _browsers(self, number: int) -> tuple[Browser, Browser]:
        """At home and on the telephone; of nobody, who has neither, where they would be."""
        habits = self._plan.habits
        return (
            Browser(addresses.home(max(0, number), habits)),
            Browser(addresses.mobile(max(0, number), habits)),
        )

    def _serves(self, user_code: UserCode) -> bool:
        return bucket_of(user_code) * self._plan.servers // BUCKETS == self._number


def _fault(chance: Random) -> Fault:
    return Fault(arrived=chance.random() < 0.5, dies=chance.random() < 0.5)  # noqa: PLR2004 -- all alike


def _another(pin: str) -> str:
    return f"{(int(pin) + 1) % 10_000:04d}"


def _mistyped(code: Code, chance: Random) -> Code:
    """One digit wrong, in a way that a card could have made: another costs no try."""
    profile_range = range(1 << _TYPED_BITS, 1 << _TYPED_BITS + 1)
    while True:
        place, digit = chance.randrange(1, 8), chance.choice("0123456789")
        digits = code.digits[:place] + digit + code.digits[place + 1 :]
        if digits != code.digits and int(digits) in profile_range:
            return Code(digits)
