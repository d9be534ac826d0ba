"""Every number of policy, with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum, unique
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLimits:
    """The tries of one side: how many in a row, and how long each suspension after them."""

    tries: int
    suspensions: tuple[timedelta, ...]  # the first, the second …; the last one for all after it


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """How much may be refused to unknown devices at one source address, and what follows.

    Refusals alone count, never acceptances: whoever shares an address with many is no suspect.
    """

    # More codes than this judged and refused within the hour that runs and the 24 before it,
    # and one code is not enough. A mobile operator or a company puts many behind one address:
    # where three in a thousand customers mistype a code on an unknown browser in a day, these
    # are ten thousand of our customers. And what one address gets wrong after that is no longer
    # counted for the whole bank: it takes seven addresses to have everybody asked for two codes.
    two_codes_above: int = 30
    counted_for: timedelta = timedelta(hours=24)
    # More codes than this judged and refused in the hour that runs, and nothing more is judged
    # until the next: pairs and old codes, which the first limit leaves. Five a minute, all of
    # them wrong, are no office.
    closed_above: int = 300
    # The same where so many were turned away unjudged: a flood then costs no statement either.
    # Ten times as many, for these guess nothing, and whoever shares the address is asked for
    # two codes and gets in.
    flooded_above: int = 3000
    # Rows of the table at most, some hundred megabytes; the smallest counts go first.
    rows: int = 1_000_000

    @property
    def hours_kept(self) -> int:
        """For how many whole hours a failure counts, besides the one that runs."""
        return self.counted_for // timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The institution's thresholds; they are public and the same for every user code."""

    # RTS art. 4(3)(b): five failed attempts in a row at most, then a block. Three of them any
    # browser may use, two more are kept for known devices: no stranger can use those up.
    open_side: SideLimits = SideLimits(
        tries=3, suspensions=(timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4))
    )
    reserved_side: SideLimits = SideLimits(tries=2, suspensions=(timedelta(minutes=15),))

    # So many failures of a side in so long, and it asks for two codes instead of one: a pair is
    # guessed with 2⁻³⁴. What is hopeless need not be slow: its suspensions are short, so that
    # whoever fails on purpose delays the owner by minutes.
    pressed_after: int = 9
    pressed_for: timedelta = timedelta(days=30)
    pressed_suspension: timedelta = timedelta(minutes=1)
    # Nobody has two old codes: under pressure one is judged when its side has been quiet so long.
    pressed_old_code: timedelta = timedelta(hours=1)

    # The same for unknown devices of the whole bank, when strangers fail more often than usual:
    # so many times the usual number of an hour, or of a day, never less than the floors, and
    # never so much more that a bank card's code is found with more than a tenth: 12,000 × 2⁻¹⁷
    # (docs/decisions/0015).
    usual_over: timedelta = timedelta(days=28)
    hour_multiple: int = 5
    hour_floor: int = 200
    day_multiple: int = 2
    day_floor: int = 500
    most_above_usual: int = 12_000
    bank_pressed_for: timedelta = timedelta(hours=24)

    # A challenge is answered while its form is looked at: the reader is fetched, a PIN typed twice.
    challenge_good_for: timedelta = timedelta(minutes=10)
    # After a restore the page asks everybody for the answer to one first, for so long: by then
    # whoever signs in at all has come. Afterwards it is offered under every refusal.
    challenge_first: timedelta = timedelta(days=30)
    # The same by source address; None: not at all, as where all come from one address.
    source: SourceLimits | None = field(default_factory=SourceLimits)

    # A browser that has signed in is known for so long.
    device_known: timedelta = timedelta(days=396)  # 13 months

    # Codes checked in « premier essai »: a counter of its own, which feeds nothing else.
    rehearsals: int = 5
    rehearsals_again: timedelta = timedelta(hours=24)

    # An attempt whose row others swapped first plans anew this often, then gives up (503).
    lost_swaps: int = 8
    # How many attempts on one user code may wait for each other in one process; so many more
    # of known devices, which go first.
    waiting: int = 5
    # How many old codes may wait in one process for their turn to be computed; so many more of
    # known devices, which go first.
    waiting_old_codes: int = 32
    # A second click on a refused form repeats the refusal this long.
    repeated: timedelta = timedelta(seconds=5)
    # What is turned away while a side is suspended is written down in one line each so often.
    summed: timedelta = timedelta(minutes=1)

    # Each attempt is checked against this many cards, present or not: constant work.
    cards: int = 2

    # Another card is ordered so long before the last day of one: four dispatches with their gaps
    # take some two weeks, and somebody is on holiday.
    renew_before: timedelta = timedelta(days=30)
    # And above so many transactions of 65,535, which is where a chip stops for good: what is left
    # is fifteen codes a day for a year.
    renew_above: int = 60_000

    # RTS art. 4(3)(d): five minutes without activity at most.
    session_idle: timedelta = timedelta(minutes=5)
    session_longest: timedelta = timedelta(hours=8)

    # A member of staff signs in anew after lunch, however busy: customers' records are open.
    desk_longest: timedelta = timedelta(hours=4)
    # A request waits over a long week-end for the second person, and no longer: by then nobody
    # knows any more what was meant.
    approval_good_for: timedelta = timedelta(days=4)
    # After a yes the number of a card is there to be seen while what it is for is still at hand.
    number_shown_within: timedelta = timedelta(minutes=15)
    # A suspension is lifted for a caller so often within so long: a customer who is still
    # suspended after that has another problem than tries, and an adviser who lifts more than
    # this gives guesses away (docs/decisions/0039).
    lifts_of_customer: int = 2
    lifts_of_adviser: int = 20
    lifts_again: timedelta = timedelta(hours=24)
    # The printed page that enrols a security officer is used the same working day.
    bootstrap_good_for: timedelta = timedelta(hours=24)

    # Failures in a row are forgotten by age, and with them all that strangers typed on user
    # codes that nobody has; of these no more lines are kept than this.
    forgotten_after: timedelta = timedelta(days=30)
    stranger_lines: int = 100_000


@unique
class Changeable(StrEnum):
    """The limits that two security officers change while servers run (docs/decisions/0033)."""

    LIFTS_OF_CUSTOMER = "lifts_of_customer"
    LIFTS_OF_ADVISER = "lifts_of_adviser"
    NUMBER_SHOWN_WITHIN = "number_shown_within"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How low and how high two persons may set a limit, whatever they agree to."""

    least: int
    most: int
    unit: timedelta | None = None  # None: it is a number of times

    def hold(self, value: object) -> bool:
        """Whether *value*, in that unit, is a number within them."""
        return isinstance(value, int) and self.least <= value <= self.most


BOUNDS: Mapping[Changeable, Bounds] = {
    # None: each suspension then ends by itself. Five give fifteen tries more a day; and after nine
    # failures in thirty days no single code is judged, however many suspensions are lifted.
    Changeable.LIFTS_OF_CUSTOMER: Bounds(0, 5),
    # A hundred is one every five minutes of a working day, and no caller is done sooner.
    Changeable.LIFTS_OF_ADVISER: Bounds(0, 100),
    # Nobody is at their desk sooner than in five minutes; after an hour what the number was for
    # is over, and it would lie about.
    Changeable.NUMBER_SHOWN_WITHIN: Bounds(5, 60, timedelta(minutes=1)),
}


def stands_for(name: object) -> Changeable | None:
    """The limit of that *name*; None where none is, or none that can be changed."""
    return next((limit for limit in Changeable if limit == name), None)


def in_units(limits: Limits, limit: Changeable) -> int:
    """What *limit* is in *limits*, in its unit."""
    unit, kept = BOUNDS[limit].unit, getattr(limits, limit)
    return int(kept if unit is None else kept // unit)


def changed_limits(limits: Limits, values: Mapping[Changeable, int]) -> Limits:
    """*limits* with those *values*, each in its unit."""
    units = {limit: BOUNDS[limit].unit for limit in values}
    changes: dict[str, Any] = {
        limit: value if (unit := units[limit]) is None else value * unit
        for limit, value in values.items()
    }
    return replace(limits, **changes)
