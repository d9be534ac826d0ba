"""Lives, drawn from a seed: each user code's events by chance of its own.

A life does not change when another one is left out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import accumulate
from math import exp
from random import Random

from sesame.bank.customers import CardKind
from sesame.bank.user_code import UserCode, generate_user_code
from sesame.simulation import addresses
from sesame.simulation.events import (
    NOBODY_IN_PARTICULAR,
    OF_CUSTOMER,
    UNMARKED,
    WITHOUT_STREAM,
    Event,
    Kind,
)
from sesame.simulation.plan import DAY, HOUR, MINUTE, SECOND, START, YEAR, Plan

_LUCK = 63  # bits
_MANY = 30.0  # a mean from which a Poisson number is as good as normal
_A_FEW = 400  # guesses of a campaign at least, so that a small bank notices too
# Pairs of codes, more than one address may get wrong in an hour; and the user codes that it takes
# to be judged so often, for each has tries of its own.
_FLOOD, _FLOODED_FROM = 420, 300
_RUSH_HOUR = 18 * HOUR
_ONCE_A_MONTH = 12.0  # a year
# How backups are put back, in turn: the easiest way and the worst one first.
_WAYS = (0, WITHOUT_STREAM | UNMARKED, WITHOUT_STREAM, UNMARKED)
_STRIDE = 7919  # a prime: a campaign meets user codes in no order


@dataclass(frozen=True, slots=True)
class Portrait:
    """What a customer is from the start."""

    number: int
    user_code: UserCode
    cards: tuple[CardKind, ...]
    curious: bool


def user_code_of(plan: Plan, number: int) -> UserCode:
    """The user code of a customer, or below 0 one that nobody has."""
    return generate_user_code(_chance(plan, "user code", number).randbytes)


def portrait(plan: Plan, number: int) -> Portrait:
    """The customer of *number*."""
    chance, habits = _chance(plan, "person", number), plan.habits
    drawn = chance.random()
    if drawn < habits.two_cards:
        cards: tuple[CardKind, ...] = (CardKind.BANK, CardKind.SESAME)
    elif drawn < habits.two_cards + habits.sesame_card:
        cards = (CardKind.SESAME,)
    else:
        cards = (CardKind.BANK,)
    curious = chance.random() < habits.curious
    return Portrait(number, user_code_of(plan, number), cards, curious)


def life(plan: Plan, number: int) -> Iterator[Event]:
    """What the customer of *number* does, in the order of time."""
    rare = [event for event in _rare(plan, number) if event.kind in OF_CUSTOMER]
    return merge(_logins(plan, number), _within(plan, rare))


def strangers(plan: Plan, number: int) -> list[Event]:
    """What strangers do to the user code of *number*, in the order of time."""
    events = [event for event in _rare(plan, number) if event.kind not in OF_CUSTOMER]
    events += [*_vandal(plan, number), *_sprayed(plan, number), *_kept(plan, number)]
    return list(_within(plan, events))


def restores(plan: Plan) -> list[Event]:
    """When the bank goes back to a backup, of some hours before and after the last restore."""
    chance = _chance(plan, "restores", 0)
    wanted = round(plan.habits.restores * plan.days / YEAR) or int(bool(plan.habits.restores))
    events, before = [], START
    for turn in range(wanted):
        at = START + round((turn + chance.uniform(0.3, 0.7)) / wanted * plan.days * DAY)
        age = min(round(chance.uniform(2, 30) * HOUR), at - before - HOUR)
        if age > 0:
            way = _WAYS[turn % len(_WAYS)]
            events.append(Event(at, NOBODY_IN_PARTICULAR, Kind.RESTORE, way, age))
            before = at
    return events


@dataclass(frozen=True, slots=True)
class Campaign:
    """Guesses at one user code after the other, in turn."""

    begins: int
    lasts: int  # microseconds
    guesses: int
    line: Callable[[int], str]  # where one comes from, by its luck
    codes: int = 1  # of each guess

    def is_on(self, at: int) -> bool:
        """Whether it goes on at the moment *at*, or begins within the hour."""
        return self.begins - HOUR <= at <= self.begins + self.lasts


def campaigns(plan: Plan) -> Sequence[Campaign]:
    """One of an hour, which the bank must notice, and one of up to thirty days, slow enough.

    In a bank that is large enough also a flood of pairs from one office, in its rush hour.
    """
    accounts = plan.customers + plan.nobodies
    rounds = max(1, -(-_A_FEW // accounts))
    length = plan.days * DAY
    found = [
        Campaign(START + length * 3 // 10, HOUR, rounds * accounts, addresses.few),
        Campaign(
            *(START + length * 6 // 10, min(30 * DAY, length * 3 // 10)),
            *(accounts, addresses.many),
        ),
    ]
    if accounts >= _FLOODED_FROM:
        begins = START + plan.days * 9 // 20 * DAY + _RUSH_HOUR
        found.append(
            Campaign(begins, 15 * MINUTE, _FLOOD, lambda _: addresses.OFFICE, codes=2),
        )
    return found


def _logins(plan: Plan, number: int) -> Iterator[Event]:
    """Logins, and before each what happened to the card since the one before."""
    chance, habits = _chance(plan, "life", number), plan.habits
    logins, payments, unused = (
        mean * chance.gammavariate(habits.evenness, 1 / habits.evenness)
        for mean in (habits.logins, habits.payments, habits.unused)
    )
    day, last = 0.0, START
    while True:
        gap = chance.expovariate(logins)
        day += gap
        if day >= plan.days:
            return
        hour = chance.triangular(6, 23, 19)
        at = max(last + 20 * MINUTE, START + int(day) * DAY + round(hour * HOUR))
        if at >= plan.ends:
            return
        if paid := _poisson(chance, gap * payments):
            yield Event(at - 2 * SECOND, number, Kind.PAY, n=paid)
        if thrown := _poisson(chance, gap * unused):
            yield Event(at - SECOND, number, Kind.TRY_OUT, n=thrown)
        yield Event(at, number, Kind.LOGIN, chance.getrandbits(_LUCK))
        last = at


def _rare(plan: Plan, number: int) -> Iterator[Event]:
    """What happens seldom: events of the customer, and of strangers that belong to them."""
    if number < 0:
        return
    chance, habits = _chance(plan, "rare", number), plan.habits

    def moments(a_year: float) -> list[int]:
        times = _poisson(chance, a_year * plan.days / YEAR)
        return sorted(START + round(chance.random() * plan.days * DAY) for _ in range(times))

    def event(at: int, kind: Kind, n: int = 0) -> Event:
        luck = chance.getrandbits(_LUCK)
        line = "" if kind in OF_CUSTOMER else addresses.rented(luck)
        return Event(at, number, kind, luck, n, line)

    for at in moments(habits.lost):
        yield event(at, Kind.LOSE)
        yield event(at + chance.randint(2, 10) * MINUTE, Kind.USE_STOLEN, chance.randint(1, 3))
    for a_year, kind in (
        (habits.forgotten_pin, Kind.FORGET_PIN),
        (habits.forgets_devices, Kind.FORGET_DEVICES),
        (habits.overlooked, Kind.USE_SEEN),
    ):
        for at in moments(a_year):
            yield event(at, kind)
    for at in moments(habits.harvested):
        given = chance.randint(1, 4)
        yield event(at, Kind.GIVE_CODES, given)
        # At once, or kept: then the customer mostly signs in before.
        waits = [chance.expovariate(1) * chance.choice((2 * MINUTE, 3 * DAY)) for _ in range(given)]
        for waited in accumulate(waits):
            yield event(at + 3 * MINUTE + round(waited), Kind.USE_GIVEN)
    for at in moments(_ONCE_A_MONTH if portrait(plan, number).curious else 0.0):
        yield event(at, Kind.APPROACH, chance.choice((0, 0, 1)))


def _vandal(plan: Plan, number: int) -> Iterator[Event]:
    """Wrong codes on purpose for some days, in bursts."""
    chance = _chance(plan, "vandal", number)
    if chance.random() >= plan.habits.vandalised * plan.days / YEAR:
        return
    at = START + round(chance.random() * plan.days * DAY)
    line = addresses.vandal(number, plan.habits)
    for _ in range(chance.randint(2, 12)):
        for _ in range(chance.randint(2, 5)):
            yield Event(at, number, Kind.GUESS, chance.getrandbits(_LUCK), line=line)
            at += round(chance.uniform(8, 60) * SECOND)
        at += round(chance.expovariate(1 / (3 * HOUR)))


def _kept(plan: Plan, number: int) -> Iterator[Event]:
    """Codes that somebody saw, tried once a backup was put back: does the bank still know them?"""
    if number < 0:
        return
    chance = _chance(plan, "kept", number)
    for restore in restores(plan):
        if chance.random() < plan.habits.kept:
            at = restore.at + round(chance.uniform(1, 60) * MINUTE)
            luck = chance.getrandbits(_LUCK)
            yield Event(at, number, Kind.USE_SEEN, luck, line=addresses.rented(luck))


def _sprayed(plan: Plan, number: int) -> Iterator[Event]:
    """The guesses of campaigns over all user codes that fall on this one."""
    chance = _chance(plan, "sprayed", number)
    accounts = plan.customers + plan.nobodies
    place = (number % accounts) * _STRIDE % accounts
    for campaign in campaigns(plan):
        for turn in range(place, campaign.guesses, accounts):
            at = campaign.begins + round(turn / campaign.guesses * campaign.lasts)
            luck = chance.getrandbits(_LUCK)
            n = campaign.codes if campaign.codes > 1 else 0
            yield Event(at, number, Kind.GUESS, luck, n, campaign.line(luck))


def _within(plan: Plan, events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in sorted(events) if event.at < plan.ends)


def _chance(plan: Plan, what: str, number: int) -> Random:
    return Random(f"{plan.seed} {what} {number}")  # noqa: S311 -- a model


def _poisson(chance: Random, mean: float) -> int:
    if mean <= 0:
        return 0
    if mean > _MANY:
        return max(0, round(chance.gauss(mean, mean**0.5)))
    times, product, least = 0, chance.random(), exp(-mean)
    while product > least:
        times += 1
        product *= chance.random()
    return times
