"""Cards that wait for their activation, as issuing leaves them, and what a number's form brings."""

from datetime import timedelta

from sesame.bank.activation import NumberUse, WithNumber, activation_hash
from sesame.bank.challenges import ChallengeResponse
from sesame.bank.matching import TwoCodes
from sesame.bank.moments import to_row
from sesame.cap.token import Code
from sesame.store.buckets import bucket_of
from tests.bank.branch import NINE, Branch, Person

NUMBER = "12345678"
WRONG_NUMBER = "12345679"
UNTIL = NINE + timedelta(days=30)


async def have_wait(
    branch: Branch,
    person: Person,
    card_number: int = 1,
    *,
    replaces: int | None = None,
    number: str = NUMBER,
) -> None:
    """Let a card of *person* wait for its activation, by an order whose parcel was printed."""
    key = (bucket_of(person.user_code), person.user_code)
    branch.change(
        "UPDATE cards SET state = 'waiting' WHERE user_code = ? AND card_number = ?",
        person.user_code,
        card_number,
    )
    branch.change(
        "INSERT INTO card_orders (bucket, user_code, order_number, kind, reason, replaces, "
        "ordered_at, ordered_by, card_number, activation_hash, activation_until) "
        "VALUES (?, ?, ?, 'sesame', 'first', ?, 0, 'STAFF222', ?, ?, ?)",
        *key,
        card_number,
        replaces,
        card_number,
        await activation_hash(branch.bank, key, card_number, number),
        to_row(UNTIL),
    )


def activation(code: Code | TwoCodes | ChallengeResponse, number: str = NUMBER) -> WithNumber:
    """What the form of an activation brings."""
    return WithNumber(NumberUse.ACTIVATION, number, code)


def release(code: Code | TwoCodes | ChallengeResponse, number: str) -> WithNumber:
    """What the form of a release brings."""
    return WithNumber(NumberUse.RELEASE, number, code)


def states(branch: Branch, person: Person) -> list[str]:
    """The state of each of their cards."""
    asked = "SELECT state FROM cards WHERE user_code = ? ORDER BY card_number"
    return [state for (state,) in branch.rows(asked, person.user_code)]
