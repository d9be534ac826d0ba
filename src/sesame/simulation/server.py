"""One server of the bank, every request to which is held against the model.

What is asked goes to the bank's own `verify_login`, on a database that is watched: the answer,
and what was written, must be what the model makes of the truth.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path
from random import Random

import msgspec

from sesame.bank.activation import NumberUse, WithNumber
from sesame.bank.audit import unsealed
from sesame.bank.bank import Bank
from sesame.bank.challenges import Challenge, ChallengeResponse
from sesame.bank.errors import ChallengeOver, TooBusy
from sesame.bank.housekeeping import share_sources
from sesame.bank.matching import TwoCodes
from sesame.bank.moments import from_row, to_row
from sesame.bank.origin import Door, Origin, source_address
from sesame.bank.sources import Sources
from sesame.bank.user_code import UserCode
from sesame.bank.verification import (
    Accepted,
    Attempt,
    Outcome,
    Refused,
    SourceClosed,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.cap.token import Code
from sesame.catalogue import N_
from sesame.custody.custodian import KeyUsage
from sesame.custody.key import standard_keys
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.simulation import addresses, model
from sesame.simulation.book import Book, Count
from sesame.simulation.faults import Fault, WatchedDatabase
from sesame.simulation.model import Asked, Broken, Challenged, Fit, Judged, Past, Repeated, Rule
from sesame.simulation.plan import HOUR, SECOND, START, Plan
from sesame.simulation.pressure import Failures
from sesame.simulation.refusals import Asks, Refusals
from sesame.simulation.refusals import Refused as RefusedThere
from sesame.simulation.wallet import Card, How, Made, answer, make_code
from sesame.simulation.written import Truth, wrong_field
from sesame.store.engine import Store
from sesame.store.errors import StoreUnavailable
from sesame.store.memory import MemoryDatabase
from sesame.store.steps import Step

_CHEAP = Cost(time=1, memory_kib=8, lanes=1)  # the keys are of this run alone, and never written
_TWO_CODES_WITHIN = 8  # ATCs
_SESSION = 8 * HOUR  # the longest one


class Unavailable(msgspec.Struct, frozen=True):
    """No answer came: the attempt may have counted."""


class Over(msgspec.Struct, frozen=True):
    """The challenge is: another one is wanted."""


Told = Outcome | Unavailable | Over


class Sentence(msgspec.Struct, frozen=True):
    """A line of a story: French, with what stands in it by name."""

    at: int
    text: str
    values: dict[str, str | int]


@dataclass(slots=True)
class Browser:
    """A browser, where it is, and by which attempt it is known, if it is."""

    line: str
    shared: bool = False
    secret: bytes | None = field(default=None, repr=False)
    device: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Person:
    """Somebody behind a user code; nobody has the user codes of numbers below 0."""

    number: int
    user_code: UserCode
    home: Browser
    phone: Browser
    cards: dict[int, Card] = field(default_factory=dict)
    generation: int = 0  # of cards that were made in the place of others
    given: list[Made] = field(default_factory=list)  # codes that strangers got
    stolen: Card | None = None
    last_typed: tuple[Made, ...] = ()  # what was accepted last
    past: Past = field(default_factory=Past)


@dataclass(frozen=True, slots=True)
class Posed:
    """A challenge, and the life of the database in which it was made."""

    challenge: Challenge
    life: int


@dataclass(frozen=True, slots=True)
class _Form:
    """A form, sent once or more often: who from, what in it, and the truth about it."""

    person: Person
    codes: tuple[Made, ...]
    browser: Browser
    attempt: Attempt
    device: bytes | None  # that the browser had when it got the form
    stranger: bool = False
    posed: Posed | None = None  # where the codes answer a challenge
    opens: Card | None = None  # one that waits, whose number goes with them


class Server:
    """A server with a database of its own, and the people whom it knows."""

    def __init__(self, plan: Plan, number: int = 0, *, tells: bool = False) -> None:
        self.book = Book()
        self.story: list[Sentence] = []
        self.at = START
        self._plan = plan
        self._number = number
        self._tells = tells
        self._database = WatchedDatabase(MemoryDatabase())
        self._store = Store(self._database)
        self._chance = Random(f"{plan.seed} server {number}")  # noqa: S311 -- a model
        self.custodian = KeystoreIssuingCustodian(keys_of(plan.seed), random=self._chance.randbytes)
        self.bank = self._open()
        self._attempts = count(1)
        self._failures = Failures()
        self._refusals = Refusals()
        self._of_others: Counter[RefusedThere] = Counter()  # heard, and not yet in the database
        self._forgot: set[UserCode] | None = None  # their devices, since a backup

    def now(self) -> datetime:
        """The bank's clock."""
        return from_row(self.at)

    def _seconds(self) -> float:
        """The readers' clock."""
        return (self.at - START) / SECOND

    def _open(self) -> Bank:
        """A server, as new: it remembers nothing but what the database holds."""
        return Bank(
            store=self._store,
            custodian=self.custodian,
            now=self.now,
            random_bytes=self._chance.randbytes,
        )

    # ── One request ──────────────────────────────────────────────────────────────────────────────

    def _form(  # noqa: PLR0913 -- what is typed, where, by whom, and what goes with it
        self,
        person: Person,
        codes: tuple[Made, ...],
        browser: Browser,
        *,
        stranger: bool = False,
        posed: Posed | None = None,
        opens: Card | None = None,
    ) -> _Form:
        secret = browser.secret
        typed: Code | TwoCodes | ChallengeResponse = codes[0].code
        if len(codes) > 1:
            typed = TwoCodes(codes[0].code, codes[1].code)
            if posed is not None:
                typed = ChallengeResponse(posed.challenge, typed)
        number = None if opens is None or opens.opening is None else opens.opening.number
        whole = typed if number is None else WithNumber(NumberUse.ACTIVATION, number, typed)
        name = next(self._attempts)
        address = source_address(addresses.host(browser.line, name))  # as a door takes it
        attempt = Attempt(
            id=self._number.to_bytes(4) + name.to_bytes(12),
            user_code=person.user_code,
            code=whole,
            origin=Origin(Door.PORTAL, address, () if secret is None else (secret,)),
            session_seed=self._chance.randbytes(32),
            device_seed=None if browser.shared else self._chance.randbytes(32),
        )
        return _Form(person, codes, browser, attempt, browser.device, stranger, posed, opens)

    async def _submit(self, form: _Form, *, fault: Fault | None = None) -> Told:
        """Send it, and hold what comes of it against the model."""
        person, past, at = form.person, form.person.past, self.at
        if self._refusals.may_learn(at) or (fault is not None and fault.dies):
            await self._share()
        asked = Asked(
            attempt=form.attempt.id,
            codes=[(made.how, _fit(person, made)) for made in form.codes],
            challenge=_challenged(form),
            opens=None if form.opens is None else form.opens.number,
            known=past.knows(form.device, at),
            makes_known=not form.browser.shared,
            brings_device=bool(form.attempt.origin.devices),
            source=self._refusals.asks(form.browser.line, at),
        )
        pressures = {False} if asked.known else self._failures.allowed(at)
        allowed = [past.answer(asked, at, bank_pressed=pressed) for pressed in sorted(pressures)]
        told = await self._ask(form, fault)
        step = next((s for s in self._database.taken if s.line.attempt == asked.attempt), None)
        self._tell_request(form, told)
        if isinstance(told, Unavailable) and fault is None:
            raise Broken(_rule(form, allowed[0]), _against(allowed[0], told))
        judged = self._hold_against(form, told, step, allowed)
        self._note_refused(form, asked, told, judged, fault)
        if step is not None and judged is not None:
            await self._check_line(form, asked, judged, step)
            self._check_opened(form, asked, judged, step)
        self._count_request(form, asked, told, judged)
        if judged is not None:
            past.record(asked, judged, at)
        if isinstance(told, Accepted):
            person.last_typed = form.codes
            if told.device is not None:
                form.browser.secret, form.browser.device = told.device, asked.attempt
        return told

    async def _ask(self, form: _Form, fault: Fault | None) -> Told:
        """What the bank says; a server that dies is followed by another one."""
        self._database.taken.clear()
        self._database.fault = fault
        try:
            return await verify_login(self.bank, form.attempt)
        except (StoreUnavailable, TooBusy):
            return Unavailable()
        except ChallengeOver:
            return Over()
        finally:
            if fault is not None:
                self.book.count(Count.CRASHES, self.at)
                self._database.awake()
                if fault.dies:
                    self.bank = self._open()

    def _note_refused(
        self, form: _Form, asked: Asked, told: Told, judged: Judged | None, fault: Fault | None
    ) -> None:
        """Remember what was refused to the address, as the server does that answered."""
        if fault is not None and fault.dies:
            self._refusals.restart()
        elif asked.known:
            return
        elif isinstance(told, Suspended | TwoCodesWanted | SourceClosed):
            self._refusals.note(form.browser.line, self.at, judged=False)
        elif judged is not None and not judged.accepted:
            self._refusals.note(form.browser.line, self.at, judged=True)

    async def _share(self) -> None:
        """Write down what was refused by address, and read what others wrote.

        A server does it each second. Here it is done where it makes a difference: where there is
        something to read, before a backup, and before the server dies.
        """
        await self._write_of_others()
        await share_sources(self.bank)
        self._refusals.write(self.at)

    async def _write_of_others(self) -> None:
        """Write down what was heard of the other servers, as they would."""
        if not self._of_others:
            return
        others, limits = Sources(), self.bank.limits.source
        for one, times in sorted(self._of_others.items()):
            for _ in range(times):
                others.add(one.line, limits, from_row(one.hour * HOUR), judged=one.judged)
        await others.share(self._store, self.custodian, limits, self.now())
        self._of_others.clear()

    def _hold_against(
        self, form: _Form, told: Told, step: Step | None, allowed: Sequence[model.Answer]
    ) -> Judged | None:
        """What the request was judged to be, if it was.

        Raises:
            Broken: it may not be so.
        """
        if isinstance(told, Accepted) or (step is not None and step.atcs):
            self._check_accepted(form, step, allowed[0])
        if step is None:
            answered = not isinstance(told, Unavailable)
            if answered and not any(_same(told, one) for one in allowed):
                raise Broken(_rule(form, allowed[0], told), _against(allowed[0], told))
            return None
        judged = next((one for one in allowed if isinstance(one, Judged)), None)
        if judged is None:
            raise Broken(_rule(form, allowed[0]), _against(allowed[0], told))
        atcs = tuple(Fit(card, atc) for card, atc in step.atcs)
        if judged.accepted and not set(judged.advance) <= set(atcs):
            raise Broken(Rule.COST, _against(judged, told))
        if atcs:  # more than was foreseen where a guess was lucky
            judged = Judged(side=judged.side, accepted=True, advance=atcs)
        self._check_count(form, judged, step)
        return judged

    def _check_count(self, form: _Form, judged: Judged, step: Step) -> None:
        """Whether the row says what the model does of its tries."""
        tries = step.state.open if judged.side == model.OPEN else step.state.reserved
        until = tries.suspended_until
        running = until if until is not None and until > self.at else None
        if (tries.failures, running) != (judged.failures, judged.suspended_until):
            rule = Rule.UNCOUNTED if form.person.number >= 0 else Rule.NOT_ALIKE
            raise Broken(rule, f"{judged.failures} / {tries.failures}")

    async def _check_line(self, form: _Form, asked: Asked, judged: Judged, step: Step) -> None:
        """Whether the audit line says just that, behind the line before it."""
        person = form.person
        opening = None if form.opens is None else form.opens.opening
        replaces = None if opening is None else opening.replaces
        if replaces is not None and person.past.cards[replaces].over:
            replaces = None
        truth = Truth(
            asked=asked,
            judged=judged,
            at=self.at,
            user_code=person.user_code,
            address=form.browser.line,
            means=form.attempt.means,
            prev=self._database.heads[person.user_code],
            profiles={number: card.profile.name for number, card in person.cards.items()},
            order=None if opening is None else opening.order,
            replaces=replaces,
        )
        if (name := wrong_field(step, truth)) is not None:
            raise Broken(Rule.LINE, name)
        if judged.accepted:
            mac = await self.custodian.mac(KeyUsage.AUDIT, unsealed(step.line.line))
            if not step.line.line.count(mac.hex().encode()):
                raise Broken(Rule.LINE, "mac")

    def _check_opened(self, form: _Form, asked: Asked, judged: Judged, step: Step) -> None:
        """Whether a session opens just where it is accepted, and for whom a browser is known."""
        ends = None if step.session is None else step.session.ends_at
        if ends != (self.at + _SESSION if judged.accepted else None):
            raise Broken(Rule.OTHERWISE, "session")
        new = judged.accepted and not asked.known and not form.browser.shared
        if (step.device is not None) != new:
            raise Broken(Rule.OTHERWISE, "device")

    def _check_accepted(self, form: _Form, step: Step | None, expected: model.Answer) -> None:
        """Whether what was accepted could be: no ATC again, and made by a card, if by luck."""
        person = form.person
        if step is None and isinstance(expected, Repeated) and expected.accepted:
            return
        if step is None or not step.atcs:
            raise Broken(Rule.ATC_AGAIN if _is_old(form) else _rule(form, expected))
        promised = expected.advance if isinstance(expected, Judged) else ()
        for number, atc in step.atcs:
            view = person.past.cards[number]
            if atc <= view.last_atc:
                raise Broken(Rule.ATC_AGAIN, f"{number}: {atc}")
            opens = view.active or (form.opens is person.cards[number] and view.waits)
            if not opens or (view.unsure and form.posed is None):
                rule = Rule.UNSURE if opens else Rule.NOT_ENDED
                raise Broken(rule, f"{number}: {atc}")
            if Fit(number, atc) in promised:
                continue
            if _fit(person, form.codes[-1]) == Fit(number, atc) and is_right(form):
                raise Broken(Rule.TOO_FAR, f"{number}: {atc}")
            if not self._makes(person.cards[number], form, atc):
                raise Broken(_rule(form, expected), f"{number}: {atc}")
            if not isinstance(expected, Judged):
                raise Broken(Rule.OTHERWISE, f"{number}: {atc}")
            # A right code that fits the other card too moves both; else it was a guess.
            self.book.count(Count.TWO_CARDS if promised else Count.LUCKY, self.at)

    def _makes(self, card: Card, form: _Form, atc: int) -> bool:
        """Whether *card* itself says the codes where the bank found them: a guess may be lucky."""
        codes, posed = form.codes, form.posed

        def says(at: int, made: Made, posed: Posed | None = None) -> bool:
            if at < 1:
                return False
            twin = card.twin_at(at)
            said = (
                make_code(twin, self._seconds)
                if posed is None
                else answer(twin, self._seconds, posed.challenge.digits)
            )
            return said is not None and said.code == made.code

        if not says(atc, codes[-1]):
            return False
        return len(codes) == 1 or any(
            says(atc - back, codes[0], posed) for back in range(1, _TWO_CODES_WITHIN + 1)
        )

    def _count_request(self, form: _Form, asked: Asked, told: Told, judged: Judged | None) -> None:
        count, at = self.book.count, self.at
        count(Count.REQUESTS, at)
        if isinstance(told, Over):
            count(Count.CHALLENGE_OVER, at)
        if isinstance(told, TwoCodesWanted):
            self._count_pressed(form, asked)
        if isinstance(told, SourceClosed):
            count(Count.ADDRESS_CLOSED, at)
        if judged is None:
            return
        count(Count.JUDGED, at)
        if judged.suspended_until is not None:
            own = not form.stranger
            count(Count.SUSPENDED_BY_OWNER if own else Count.SUSPENDED_BY_STRANGER, at)
        if judged.accepted:
            count(Count.LOGINS, at)
        elif not asked.known and asked.source is Asks.ONE_CODE:
            self._failures.count(at)
        self._count_codes(form, judged)

    def _count_pressed(self, form: _Form, asked: Asked) -> None:
        """For whose failures two codes are asked for, where it is not for this user code's."""
        alone = replace(asked, source=Asks.ONE_CODE)
        if isinstance(
            form.person.past.answer(alone, self.at, bank_pressed=False), model.TwoCodesWanted
        ):
            return
        if asked.source is Asks.ONE_CODE:
            self.book.count(Count.PRESSED_ALL, self.at)
            return
        self.book.count(Count.PRESSED_ADDRESS, self.at)
        if not form.stranger:
            self.book.count(Count.TWO_CODES_FOR_OTHERS, self.at)

    def _count_codes(self, form: _Form, judged: Judged) -> None:
        """What the codes were, and what became of them."""
        count, at, how = self.book.count, self.at, form.codes[-1].how
        if how in {How.GUESSED, How.MISTYPED} and len(form.codes) == 1:
            self.book.expect(_luck(form.person), at)
        if how in _COUNTED:
            count(_COUNTED[how], at)
        elif form.stranger:
            refused = Count.KEPT if _is_unsure(form) else Count.USED_AGAIN
            count(Count.PHISHED if judged.accepted else refused, at)
        elif form.posed is not None:
            if judged.accepted:
                count(Count.RESPONDED, at)
        else:
            self._count_right(form, judged)

    def _count_right(self, form: _Form, judged: Judged) -> None:
        """The same of customers' right codes: fresh, or too far ahead for one, or even for two."""
        first, past = _fit(form.person, form.codes[0]), form.person.past
        if first is None:
            return
        count, at, ahead = self.book.count, self.at, past.out_of_step(first)
        if past.cards[first.card].unsure:
            count(Count.UNSURE, at)
            return
        if first.atc <= past.cards[first.card].last_atc:
            count(Count.OVERTAKEN, at)
            return
        if len(form.codes) > 1:
            if ahead:
                count(Count.HEALED if judged.accepted else Count.NOT_HEALED, at)
            return
        count(Count.OUT_OF_STEP if ahead else Count.IN_WINDOW, at)
        if not ahead and not judged.accepted:
            count(Count.WRONGLY_REFUSED, at)

    # ── Stories ──────────────────────────────────────────────────────────────────────────────────

    def _tell(self, text: str, **values: str | int) -> None:
        if self._tells:
            self.story.append(Sentence(self.at, text, values))

    def _tell_request(self, form: _Form, told: Told) -> None:
        if not self._tells:
            return
        person, made = form.person, form.codes[-1]
        text = {
            (False, 1): N_("{who} tape un code ({how}), ordinateur {known}\u00a0: {answer}."),
            (False, 2): N_("{who} tape deux codes ({how}), ordinateur {known}\u00a0: {answer}."),
            (False, 3): N_(
                "{who} répond au nombre de la banque et tape le code d’après ({how}), ordinateur "
                "{known}\u00a0: {answer}."
            ),
            (True, 1): N_("Un inconnu tape un code pour {who} ({how})\u00a0: {answer}."),
            (True, 2): N_("Un inconnu tape deux codes pour {who} ({how})\u00a0: {answer}."),
            (True, 3): N_(
                "Un inconnu tape des codes pour {who}, comme réponse au nombre de la banque "
                "({how})\u00a0: {answer}."
            ),
        }[form.stranger, len(form.codes) + (form.posed is not None)]
        self._tell(
            text,
            who=person.user_code,
            how=_HOW[made.how],
            known=_KNOWN if person.past.knows(form.device, self.at) else _UNKNOWN,
            answer=_ANSWERS[type(told)],
        )
        if (fit := _fit(person, made)) is not None:
            view = person.past.cards[fit.card]
            self._tell(
                N_(
                    "  (carte {card}, compteur {atc}\u202f; dernier accepté {last}, "
                    "fenêtre {window})"
                ),
                card=fit.card,
                atc=fit.atc,
                last=view.last_atc,
                window=view.window,
            )
            if view.unsure:
                self._tell(N_("  (la carte n’a pas encore répondu depuis la restauration)"))


def keys_of(seed: int) -> Keystore:
    """The same keys on every server of a run of *seed*, never written down."""
    chance = Random(f"{seed} keys")  # noqa: S311 -- a model
    keys = standard_keys(demo=True, now=from_row(START), random=chance.randbytes)
    return Keystore(path=Path("simulation"), demo=True, cost=_CHEAP, keys=keys)


def _fit(person: Person, made: Made) -> Fit | None:
    """Where it was made, if by a card that the customer still has."""
    if made.card is None or person.cards.get(made.card.number) is not made.card:
        return None
    return Fit(made.card.number, made.atc)


def _luck(person: Person) -> float:
    """The chance that a code made up is right: one ATC of each card's window may be claimed."""
    cards = (card for card in person.cards.values() if person.past.cards[card.number].active)
    return sum(
        card.profile.window / 2.0 ** (card.profile.atc_bits + card.profile.ac_bits)
        for card in cards
    )


def _same(told: Told, expected: model.Answer) -> bool:
    """Whether *told*, which no step was taken for, is what was *expected*."""
    match told, expected:
        case Accepted(), Repeated(accepted=True):
            return True
        case Refused(), Repeated(accepted=False):
            return True
        case Suspended(until), model.Suspended(end):
            return to_row(until) == end
        case SourceClosed(until), model.Closed(end):
            return to_row(until) == end
        case (TwoCodesWanted(), model.TwoCodesWanted()) | (Over(), model.Over()):
            return True
    return False


def _challenged(form: _Form) -> Challenged | None:
    if form.posed is None:
        return None
    challenge = form.posed.challenge
    answered = form.codes[0].challenge
    return Challenged(
        at=to_row(challenge.made_at),
        life=form.posed.life,
        answered=answered is not None and answered.digits == challenge.digits,
    )


def _is_unsure(form: _Form) -> bool:
    """Whether the last code's card has answered no challenge since a restore."""
    card = form.codes[-1].card
    return card is not None and card_is_unsure(form.person, card)


def card_is_unsure(person: Person, card: Card) -> bool:
    """Whether *card* is the customer's, and has answered no challenge since a restore."""
    return person.cards.get(card.number) is card and person.past.cards[card.number].unsure


def _is_old(form: _Form) -> bool:
    """Whether one of the codes was made no later than what was accepted of its card."""
    fits = [_fit(form.person, made) for made in form.codes]
    last = {number: view.last_atc for number, view in form.person.past.cards.items()}
    return any(fit is not None and fit.atc <= last[fit.card] for fit in fits)


def is_right(form: _Form) -> bool:
    """Whether cards made all that was typed, by « Code » and with the right PIN."""
    return all(made.how is How.RIGHT for made in form.codes)


def _rule(form: _Form, expected: model.Answer, told: Told | None = None) -> Rule:
    """Which rule it is that an answer other than the *expected* one breaks."""
    if form.person.number < 0:
        return Rule.NOT_ALIKE
    turned_away = isinstance(told, TwoCodesWanted | SourceClosed)
    if isinstance(expected, Judged) and expected.accepted:
        return Rule.TURNED_AWAY if turned_away else Rule.COST
    if turned_away:
        two_would_do = isinstance(expected, model.TwoCodesWanted)
        return Rule.TURNED_AWAY if two_would_do and is_right(form) else Rule.OTHERWISE
    rule = _RULES.get(form.codes[-1].how, Rule.OTHERWISE)
    if rule is Rule.NOBODYS_CODE and not isinstance(expected, Judged):
        return Rule.OTHERWISE
    return rule


def _name(told: Told) -> str:
    return type(told).__name__


def _against(expected: model.Answer, told: Told) -> str:
    foreseen = type(expected).__name__
    if isinstance(expected, Judged | Repeated):
        foreseen = (Accepted if expected.accepted else Refused).__name__
    return f"{foreseen} / {_name(told)}"


_RULES = {
    How.WITHOUT_PIN: Rule.WITHOUT_PIN,
    How.SIGNED: Rule.NO_LOGIN_CODE,
    How.ANSWERED: Rule.NO_LOGIN_CODE,
    How.GUESSED: Rule.NOBODYS_CODE,
    How.MISTYPED: Rule.NOBODYS_CODE,
}
_COUNTED = {
    How.GUESSED: Count.GUESSES,
    How.MISTYPED: Count.MISTYPED,
    How.WITHOUT_PIN: Count.WITHOUT_PIN,
    How.SIGNED: Count.WRONG_MODE,
    How.ANSWERED: Count.WRONG_MODE,
}
_KNOWN, _UNKNOWN = N_("connu"), N_("inconnu")
_HOW = {
    How.RIGHT: N_("fait par la carte"),
    How.SIGNED: N_("fait par «\u00a0Signer\u00a0»"),
    How.ANSWERED: N_("fait par «\u00a0Répondre\u00a0»"),
    How.WITHOUT_PIN: N_("fait sans code secret"),
    How.MISTYPED: N_("mal tapé"),
    How.GUESSED: N_("deviné"),
}
_ANSWERS: dict[type[Told], str] = {
    Accepted: N_("accepté"),
    Refused: N_("refusé"),
    Suspended: N_("suspendu"),
    TwoCodesWanted: N_("deux codes demandés"),
    SourceClosed: N_("adresse fermée"),
    Over: N_("nombre périmé"),
    Unavailable: N_("sans réponse"),
}
