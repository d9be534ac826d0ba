"""What is to be lived: how many people, for how long, from which seed, and what they do.

Years have 365 days. Moments are microseconds since 1970-01-01 UTC, as rows hold them.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from sesame.bank.moments import to_row

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
YEAR = 365

START = to_row(datetime(2027, 1, 1, tzinfo=UTC))
_APART_FROM = 1_000  # customers; a smaller bank is one server's
_SERVERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How people live: guesses, until a bank puts its own numbers in.

    Rates are means; each customer's own differ by a factor from a gamma distribution of the
    shape `evenness`. docs/explanation/a-year-of-the-bank.md says where they come from.
    """

    # A day, as `sesame plan` takes them.
    logins: float = 0.3
    payments: float = 1.5  # of a bank card
    unused: float = 0.05  # codes that are made and thrown away
    evenness: float = 2.0
    # Of the customers.
    sesame_card: float = 0.35  # have a Sésame card alone
    two_cards: float = 0.10
    curious: float = 0.02  # try how far a card may run ahead, once a month
    # Of the logins.
    elsewhere: float = 0.03  # from a shared computer
    new_device: float = 0.03
    mistyped: float = 0.03
    typed_late: float = 0.03
    wrong_pin: float = 0.02
    wrong_key: float = 0.002  # « Répondre » or « Signer » in the place of « Code »
    clicked_twice: float = 0.02
    crashed: float = 0.004  # the server dies, or its database, in the middle of a step
    signed_out: float = 0.1
    # A customer, a year.
    lost: float = 0.05
    forgotten_pin: float = 0.03
    forgets_devices: float = 0.05
    harvested: float = 0.03  # gives codes away on a false page
    overlooked: float = 0.05  # somebody notes a code that was typed, and tries it
    vandalised: float = 0.005
    # Where people are: customers behind one address.
    an_office: int = 500
    a_gateway: int = 5_000  # of a mobile operator
    ipv6: float = 0.5  # of the homes
    vandals_near: float = 0.5  # of the vandals are behind the gateway of their victim's telephone
    # A customer, at each restore.
    # Of the logins with an unsure card: goes past the challenge and types a code.
    passed_by: float = 0.05
    kept: float = 0.02  # somebody tries the last code that they saw, within an hour
    # The bank, a year.
    restores: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run: the same plan is the same run, to the last bit."""

    customers: int
    days: int
    seed: int
    servers: int = 1  # each with the customers of its own buckets
    habits: Habits = field(default_factory=Habits)

    @classmethod
    def of(cls, customers: int, days: int, seed: int) -> "Plan":
        """With as many servers as so many *customers* want."""
        servers = 1 if customers < _APART_FROM else _SERVERS
        return cls(customers=customers, days=days, seed=seed, servers=servers)

    @property
    def nobodies(self) -> int:
        """How many user codes strangers try that nobody has."""
        return max(1, self.customers // 20)

    @property
    def ends(self) -> int:
        """When it is over."""
        return START + self.days * DAY
