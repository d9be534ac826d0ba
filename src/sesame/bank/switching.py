"""Switching over from the old code: how far everybody is, who is not ready, and why.

The old code dies at its owner's own first success with a code Sésame (`bank.verification.decide`),
and never by a date: nobody is without a way in because of a campaign, and nobody has two ways in
after a success.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum, unique

from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.dispatching import new_reference
from sesame.bank.errors import NotAllowed
from sesame.bank.moments import to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.staff import Role
from sesame.bank.staffing import Staff
from sesame.store.buckets import bucket_of
from sesame.store.switching import (
    Facts,
    Found,
    count_facts,
    list_customers,
    remind_customers,
)

REMINDED_AGAIN = timedelta(days=30)
MAY_REMIND = frozenset({Role.ISSUER})
_PAGE = 100


@unique
class Way(StrEnum):
    """What opens somebody's account."""

    OLD_ONLY = "old-only"
    BOTH = "both"
    SESAME_ONLY = "sesame-only"
    NONE = "none"


@unique
class Reason(StrEnum):
    """Why somebody is not ready."""

    RETURNED = "returned"  # a letter came back
    HELD = "held"
    NOT_ORDERED = "not-ordered"
    NOT_POSTED = "not-posted"
    READER_NOT_POSTED = "reader-not-posted"
    NOT_ACTIVATED = "not-activated"
    NEVER_TRIED = "never-tried"
    TRIED_AND_FAILED = "tried-and-failed"
    OLD_CODE_TO_COME = "old-code-to-come"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far somebody is; without a reason they are ready."""

    way: Way
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """How many customers stand where."""

    counts: Mapping[Standing, int]

    def of_way(self, way: Way) -> int:
        """All whose account that opens."""
        return sum(many for standing, many in self.counts.items() if standing.way is way)

    @property
    def customers(self) -> int:
        """All of them."""
        return sum(self.counts.values())


def standing_of(facts: Facts) -> Standing:
    """What *facts* mean: pure. The first reason that holds back is told."""
    match facts.old_code, facts.active:
        case True, True:
            return Standing(Way.BOTH, _with_card(facts))
        case False, True:
            return Standing(Way.SESAME_ONLY)
        case True, _:
            return Standing(Way.OLD_ONLY, _without_card(facts))
    return Standing(Way.NONE, _without_card(facts))


def _with_card(facts: Facts) -> Reason:
    if facts.tried:
        return Reason.TRIED_AND_FAILED
    return Reason.READER_NOT_POSTED if facts.reader_due else Reason.NEVER_TRIED


def _without_card(facts: Facts) -> Reason:
    if facts.returned:
        return Reason.RETURNED
    if facts.waiting or facts.ordered:
        return _on_its_way(facts)
    if facts.held:
        return Reason.HELD
    if facts.old_code_to_come and not facts.old_code:
        return Reason.OLD_CODE_TO_COME
    return Reason.NOT_ORDERED


def _on_its_way(facts: Facts) -> Reason:
    if not (facts.waiting and facts.posted):
        return Reason.NOT_POSTED
    return Reason.READER_NOT_POSTED if facts.reader_due else Reason.NOT_ACTIVATED


async def read_board(bank: Bank) -> Board:
    """How far everybody is, in one statement over all customers.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    counted = await bank.store.read(count_facts)
    counts: dict[Standing, int] = {}
    for facts, many in counted.items():
        standing = standing_of(facts)
        counts[standing] = counts.get(standing, 0) + many
    return Board(counts)


async def who_stands(
    bank: Bank, standing: Standing, *, after: str | None = None, most: int = _PAGE
) -> Sequence[Found]:
    """At most *most* customers who stand there, behind the user code *after*.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    key = None if after is None else (bucket_of(after), after)

    def wanted(facts: Facts) -> bool:
        return standing_of(facts) == standing

    return await bank.store.read(
        lambda connection: list_customers(connection, wanted, after=key, most=most)
    )


async def remind(bank: Bank, by: Staff, *, address: str) -> int:
    """Have a letter written to all who could use a code Sésame and do not; how many.

    To whoever has both codes, and whoever has a card that waits for its activation; again after
    `REMINDED_AGAIN` at the earliest. One commit, with a line in the chain of *by*.

    Raises:
        NotAllowed: *by* is no issuer, or not any more.
        TooBusy, StoreUnavailable: no letter was planned.
    """
    if not by.roles & MAY_REMIND:
        raise NotAllowed

    async def attempt() -> int:
        now = bank.now()
        own = await bank.store.read_access(by.user_code)
        told: Mapping[str, Fact] = {"door": "desk"}
        move = plan_move(own, "reminders", told, now=now, salt=salt_of(bank), address=address)
        written = await bank.store.write(
            lambda connection: remind_customers(
                connection,
                by.signer,
                lambda facts: standing_of(facts) in REMINDED,
                move,
                at=to_row(now),
                before=to_row(now - REMINDED_AGAIN),
                reference=lambda: new_reference(bank.random_bytes),
            )
        )
        if written is None:
            raise NotAllowed
        return written

    return await until_taken(bank.limits.lost_swaps, attempt)


REMINDED = frozenset(
    {
        Standing(Way.BOTH, Reason.NEVER_TRIED),
        Standing(Way.BOTH, Reason.TRIED_AND_FAILED),
        Standing(Way.OLD_ONLY, Reason.NOT_ACTIVATED),
    }
)
