"""Every number of policy, with its reason."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The institution's thresholds; they are public and the same for every user code."""

    # RTS art. 4(3)(b): five failed attempts in a row at most, then a block.
    failures_in_a_row: int = 5
    suspension: timedelta = timedelta(minutes=15)

    # An attempt whose row others swapped first plans anew this often, then gives up (503).
    lost_swaps: int = 8
    # How many attempts on one user code may wait for each other in one process.
    waiting: int = 5
    # A second click on a refused form repeats the refusal this long.
    repeated: timedelta = timedelta(seconds=5)

    # Each attempt is checked against this many cards, present or not: constant work.
    cards: int = 2

    # RTS art. 4(3)(d): five minutes without activity at most.
    session_idle: timedelta = timedelta(minutes=5)
    session_longest: timedelta = timedelta(hours=8)

    # Failures are forgotten by age, and with them all that strangers typed on user codes
    # that nobody has; of these no more lines are kept than this.
    forgotten_after: timedelta = timedelta(days=30)
    stranger_lines: int = 100_000
