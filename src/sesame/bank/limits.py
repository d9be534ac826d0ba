"""Every number of policy, with its reason."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class SideLimits:
    """The tries of one side: how many in a row, and how long each suspension after them."""

    tries: int
    suspensions: tuple[timedelta, ...]  # the first, the second …; the last one for all after it


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

    # RTS art. 4(3)(d): five minutes without activity at most.
    session_idle: timedelta = timedelta(minutes=5)
    session_longest: timedelta = timedelta(hours=8)

    # Failures in a row are forgotten by age, and with them all that strangers typed on user
    # codes that nobody has; of these no more lines are kept than this.
    forgotten_after: timedelta = timedelta(days=30)
    stranger_lines: int = 100_000
