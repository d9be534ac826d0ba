"""What was counted, in all and week by week; books of several servers become one."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum, unique

from sesame.simulation.plan import DAY, START

WEEK = 7 * DAY


@unique
class Count(StrEnum):
    """What is counted."""

    LOGINS = "logins"  # attempts that signed in
    REQUESTS = "requests"  # what was sent to the bank, judged or not
    JUDGED = "judged"
    CODES = "codes"  # that chips made
    PAYMENTS = "payments"
    THROWN_AWAY = "thrown-away"
    # Right codes of customers.
    IN_WINDOW = "in-window"  # fresh, and no farther ahead than one code may be
    WRONGLY_REFUSED = "wrongly-refused"  # of those; none
    TYPED_LATE = "typed-late"  # of those, minutes or hours after they were made
    OUT_OF_STEP = "out-of-step"  # refused, for the card had run ahead
    HEALED = "healed"  # by two codes
    NOT_HEALED = "not-healed"  # too far ahead even for these
    TWO_CARDS = "two-cards"  # that fitted the customer's other card too, by chance: both moved
    OVERTAKEN = "overtaken"  # refused, for a higher ATC of that card was accepted before
    UNSURE = "unsure"  # refused, for a backup was restored and the card has answered nothing yet
    CHALLENGES = "challenges"  # asked for by customers
    RESPONDED = "responded"  # of them, answered and accepted
    CHALLENGE_OVER = "challenge-over"  # answered too late, or a restore came between
    MISTYPED = "mistyped"  # by customers, and judged
    # What stops people.
    SUSPENDED_BY_OWNER = "suspended-by-owner"
    SUSPENDED_BY_STRANGER = "suspended-by-stranger"
    OWNER_TURNED_AWAY = "owner-turned-away"
    TWO_CODES_ASKED = "two-codes-asked"  # of customers
    TWO_CODES_FOR_OTHERS = "two-codes-for-others"  # of these, for what was refused at their address
    OWNER_ADDRESS_CLOSED = "owner-address-closed"  # nothing is judged there until the next hour
    DESK_LOST = "desk-lost"
    DESK_BLOCKED = "desk-blocked"
    DESK_STUCK = "desk-stuck"
    # What strangers try.
    GUESSES = "guesses"  # judged
    GUESSES_TURNED_AWAY = "guesses-turned-away"
    LUCKY = "lucky"
    PHISHED = "phished"  # fresh codes that customers gave away, and that signed in
    USED_AGAIN = "used-again"  # refused: used already, or overtaken
    KEPT = "kept"  # refused: of a card that is unsure since a restore
    WITHOUT_PIN = "without-pin"  # refused
    WRONG_MODE = "wrong-mode"  # a signature, or an answer to a challenge; refused
    # What befalls the bank.
    CRASHES = "crashes"
    CLICKED_TWICE = "clicked-twice"
    SESSIONS_ENDED = "sessions-ended"
    RESTORES = "restores"
    REPLAYED = "replayed"  # lines of the stream, after a restore
    PRESSED_ALL = "pressed-all"  # unknown browsers asked for two codes for others' failures
    PRESSED_ADDRESS = "pressed-address"  # the same, of one address
    ADDRESS_CLOSED = "address-closed"  # requests of unknown browsers that were not judged there


@dataclass(slots=True)
class Book:
    """Counts, and the lucky guesses that chance would have."""

    total: Counter[Count] = field(default_factory=Counter)
    weeks: dict[int, Counter[Count]] = field(default_factory=dict)
    # In units of 2⁻⁶⁴, so that sums do not depend on their order.
    expected: int = 0
    expected_by_week: Counter[int] = field(default_factory=Counter)

    def count(self, what: Count, at: int, times: int = 1) -> None:
        """Count *what* at the moment *at*."""
        self.total[what] += times
        self.weeks.setdefault((at - START) // WEEK, Counter())[what] += times

    def expect(self, chance: float, at: int) -> None:
        """A guess was judged that is right with this *chance*."""
        units = round(chance * UNIT)
        self.expected += units
        self.expected_by_week[(at - START) // WEEK] += units

    def add(self, other: "Book") -> None:
        """Take over all that *other* counted."""
        self.total.update(other.total)
        for week, counts in other.weeks.items():
            self.weeks.setdefault(week, Counter()).update(counts)
        self.expected += other.expected
        self.expected_by_week.update(other.expected_by_week)


UNIT = 1 << 64
