"""What a bitmap and the bank's limits come to: chances of a guess, of spraying, of losing step.

Pure: chance comes in as a `random.Random`. Years have 365 days, rates are a day's.
docs/explanation/why-these-numbers.md says how our own cards' bits come out of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from math import floor, pi, sin
from random import Random

from sesame.bank.limits import Limits
from sesame.bank.pressure import hours_kept, thresholds
from sesame.cap.profile import FEWEST_BITS, Profile
from sesame.cap.verification import REACH

DAYS = 365
_ANY_DKI = 0x01
_YEAR = timedelta(days=DAYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The bits of a code, and how many ATCs above the last one it may claim."""

    other_bits: int  # constant, or taken as they come: they keep nobody out
    atc_bits: int
    ac_bits: int
    window: int
    variants: int = 1  # how many cryptograms of one ATC the bank must take, for it cannot see which

    @classmethod
    def of(cls, profile: Profile) -> "Layout":
        """That of *profile*."""
        unseen = profile.iads(_ANY_DKI, bytes(profile.iad_length))
        return cls(
            other_bits=profile.bits - profile.atc_bits - profile.ac_bits,
            atc_bits=profile.atc_bits,
            ac_bits=profile.ac_bits,
            window=profile.window,
            variants=sum(1 for _ in unseen),
        )

    @property
    def candidates(self) -> int:
        """How many ATCs of the window share their low bits, at most: each is one more to hit."""
        return -(-self.window >> self.atc_bits)

    @property
    def hit(self) -> float:
        """The chance that a number fits a card, for who knows how such numbers are made."""
        return self.candidates * self.variants * 2.0**-self.ac_bits

    def others(self) -> Iterator["Layout"]:
        """Every layout of as many bits, each window as wide as the ATC's bits allow."""
        varying = self.atc_bits + self.ac_bits
        for bits in range(1, varying - FEWEST_BITS + 1):
            window = (1 << bits) - 1
            yield replace(self, atc_bits=bits, ac_bits=varying - bits, window=window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What customers do in a day, in the mean: guesses, until a bank puts its own numbers in.

    `payments` are the card's transactions that the bank's login does not see; a card whose ATC is
    its own has none. `unused` are codes that are made and never typed.
    """

    logins: float  # more than 0
    payments: float
    unused: float
    # Some use a card a lot and some hardly ever. Each customer's rates are the means times a
    # factor of their own, drawn from a gamma distribution of this shape: 1 is as unequal as
    # waiting times, a large one all alike.
    evenness: float = 2.0

    @property
    def unseen(self) -> float:
        """How far the ATC moves in a day without a login."""
        return self.payments + self.unused


# ── Guessing at one customer ─────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Guessing:
    """The chance that somebody who knows a user code, and no more, signs in."""

    a_try: float
    a_cycle: float  # by all tries until the access is suspended
    a_month: float  # until two codes are asked for: as many tries as `Limits.pressed_after`
    a_year: float  # by single codes, each time they are asked for again
    by_pairs: float  # in that year besides, by two codes as fast as suspensions allow


def guessing(layout: Layout, cards: int, limits: Limits) -> Guessing:
    """The chances at an access with so many *cards*, from browsers that it does not know."""
    a_try = _some(layout.hit, cards)
    spells = _YEAR / limits.pressed_for
    pairs = limits.open_side.tries * (_YEAR / limits.pressed_suspension)
    return Guessing(
        a_try=a_try,
        a_cycle=_some(a_try, limits.open_side.tries),
        a_month=_some(a_try, limits.pressed_after),
        a_year=_some(a_try, limits.pressed_after * spells),
        by_pairs=_some(_some(layout.hit * layout.variants * 2.0**-layout.ac_bits, cards), pairs),
    )


def _some(chance: float, times: float) -> float:
    """The chance that something of this *chance* happens in so many tries."""
    return float(1 - (1 - chance) ** times) if chance > _EXACT else chance * times


_EXACT = 1e-9  # below, a difference to 1 loses its digits, and the sum is as good


# ── Guessing all over the bank ───────────────────────────────────────────────────────────────────

# How many of the customers mistype a code on an unknown browser in a day: one in seventeen
# signs in from one, one in twenty of them fails. A guess, to be replaced by what a bank sees.
MISTYPING = 0.003
# How many of those fail still when two codes are asked of them. A guess as well.
TWO_CODES_MISTYPED = 0.2
LOOKED = 5  # seconds until every process has seen what the counts say
ACCOUNTS = 1_000_000
WARM = 28 * 24  # hours
SPEEDS: Mapping[str, float] = {  # a million guesses in a …; guesses an hour
    "hour": ACCOUNTS,
    "day": ACCOUNTS / 24,
    "month": ACCOUNTS / (30 * 24),
    "year": ACCOUNTS / (365 * 24),
}


@dataclass(frozen=True, slots=True)
class Campaign:
    """How a campaign over many user codes went: expected numbers, no chance."""

    guesses: int  # that were judged
    hours: int
    pressed: int  # hours in which two codes were asked of everybody
    until_pressed: int | None  # guesses judged before the first of them; None where none was


def usual_day(customers: int) -> Sequence[float]:
    """How many strangers' failures each hour of an honest day sees: few at night."""
    shape = [1 + sin((hour - 9) / 24 * 2 * pi) for hour in range(24)]
    return [customers * MISTYPING * part / sum(shape) for part in shape]


def spray(customers: int, an_hour: float, limits: Limits, *, hours: int = DAYS * 24) -> Campaign:
    """A campaign of *an_hour* guesses for so many *hours*, on a bank that has worked for a month.

    Whoever runs it knows the thresholds, and tries every user code before any of them again.
    """
    honest = usual_day(customers)
    failures = {hour: round(honest[hour % 24]) for hour in range(WARM)}
    guesses = pressed = 0
    until_pressed: int | None = None
    wanted = round(an_hour)
    for hour in range(WARM, WARM + hours):
        if guesses >= ACCOUNTS * limits.pressed_after:
            return Campaign(guesses, hour - WARM, pressed, until_pressed)
        failures.pop(hour - WARM - 1, None)
        usual = round(honest[hour % 24])
        room = _room(failures, hour, limits)
        if usual + wanted <= room:
            failures[hour] = usual + wanted
            guesses += wanted
            continue
        pressed += 1
        if room < 0:
            failures[hour] = round(usual * TWO_CODES_MISTYPED)
            continue
        # Customers and guesses come evenly; the part of the hour until there is one too many.
        part = (floor(room) + 1) / (usual + wanted)
        seen_late = min(wanted, round(wanted * part + an_hour * LOOKED / 3600))
        guesses += seen_late
        failures[hour] = round(usual * part) + seen_late
        until_pressed = guesses if until_pressed is None else until_pressed
    return Campaign(guesses, hours, pressed, until_pressed)


def _room(failures: Mapping[int, int], hour: int, limits: Limits) -> float:
    """How many failures *hour* may have and nothing shows; less than 0 where it shows without."""
    most_an_hour, most_a_day = thresholds(failures, hour, limits)
    day = [failures.get(at, 0) for at in range(hour - hours_kept(limits), hour)]
    return -1.0 if max(day) > most_an_hour else min(most_an_hour, most_a_day - sum(day))


# ── Losing step ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfStep:
    """How often a card is found ahead of its window at a login, of so many *customers* lived."""

    customers: int
    logins: int
    lost: int  # right codes that were refused; two in a row heal it
    beyond: int  # of them, those so far ahead that two codes do not find it either
    touched: int  # customers to whom it happened

    @property
    def lost_a_year(self) -> float:
        """Of a thousand customers in a year."""
        return 1000 * self.lost / self.customers

    @property
    def beyond_a_year(self) -> float:
        """The same."""
        return 1000 * self.beyond / self.customers


def lose_step(layout: Layout, habits: Habits, chance: Random, *, customers: int) -> OutOfStep:
    """Live a year of so many *customers*, each with a card in step at its start.

    Between two logins the ATC moves as often as something happens that comes at any time, so the
    time in which the window is used up has a gamma distribution: one draw tells whether the next
    login came later.
    """
    logins = lost = beyond = touched = 0
    farthest = REACH * (layout.window + 1)
    for _ in range(customers):
        a_day = habits.logins * _factor(chance, habits)
        unseen = habits.unseen * _factor(chance, habits)
        lost_before, day = lost, 0.0
        while (day := day + (gap := chance.expovariate(a_day))) < DAYS:
            logins += 1
            moved = gap * unseen
            used_up = chance.gammavariate(layout.window, 1.0)
            if used_up > moved:
                continue
            lost += 1
            beyond += used_up + chance.gammavariate(farthest - layout.window, 1.0) <= moved
        touched += lost > lost_before
    return OutOfStep(customers=customers, logins=logins, lost=lost, beyond=beyond, touched=touched)


def _factor(chance: Random, habits: Habits) -> float:
    return chance.gammavariate(habits.evenness, 1 / habits.evenness)
