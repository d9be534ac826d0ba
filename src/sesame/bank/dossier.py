"""What staff see of one customer who calls: everything they need, and nothing secret.

No PAN but its last four digits, no hash, no code; what it was that failed is told by the timeline.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.limits import Limits
from sesame.bank.moments import from_row, to_row
from sesame.bank.rehearsal import enough
from sesame.bank.timeline import Entry, Line, entries
from sesame.bank.tries import Side, pressed, suspension_end, tries_left, tries_of
from sesame.bank.user_code import UserCode
from sesame.store.access import Access, State
from sesame.store.buckets import bucket_of
from sesame.store.cards import Key
from sesame.store.customer_view import CustomerView, read_lines_before, read_view

PAGE = 50  # entries of a timeline
_REPLAY_SHOWN = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How many tries are left, or until when there are none; of both sides."""

    tries: int  # of any browser
    suspended_until: datetime | None
    known_tries: int  # those kept for known browsers
    known_suspended_until: datetime | None
    two_codes: bool  # one code is not enough any more
    rehearsals_over: bool  # no more codes are checked in « premier essai » today


@dataclass(frozen=True, slots=True, kw_only=True)
class CardInDossier:
    """A card, as a screen may show it."""

    number: int
    kind: str
    state: str
    last4: str
    last_atc: int
    sure: bool  # else only a response to a challenge will do, since a restore
    since: datetime
    expires: date | None  # where it was ordered here


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """One customer. `view` has what needs no working out; moments there are as in rows."""

    user_code: UserCode
    name: str
    standing: Standing
    cards: tuple[CardInDossier, ...]
    has_old_code: bool
    signed_in_at: datetime | None
    replayed_at: datetime | None  # a used code was presented, in the last thirty days
    view: CustomerView


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Some entries, newest first; `older`: before which version there are more, if there are."""

    entries: tuple[Entry, ...]
    older: int | None


def standing(state: State, limits: Limits, now: datetime) -> Standing:
    """How an access stands: pure."""
    return Standing(
        tries=tries_left(state, Side.OPEN, limits, now),
        suspended_until=suspension_end(state.open, now),
        known_tries=tries_left(state, Side.RESERVED, limits, now),
        known_suspended_until=suspension_end(state.reserved, now),
        two_codes=pressed(tries_of(state, Side.OPEN), limits, now),
        rehearsals_over=enough(state, limits, now),
    )


async def read_dossier(bank: Bank, user_code: UserCode) -> Dossier | None:
    """What there is of the customer with *user_code*; None where nobody has it, or has left.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    now = bank.now()
    view = await bank.store.read(
        partial(
            read_view,
            key=_key(user_code),
            seen_since=to_row(now - bank.limits.session_idle),
            now=to_row(now),
        )
    )
    if view is None:
        return None
    access = await bank.store.read_access(user_code)
    state = access.state
    replayed = state.replayed_at is not None and now < from_row(state.replayed_at) + _REPLAY_SHOWN
    return Dossier(
        user_code=user_code,
        name=view.name,
        standing=standing(state, bank.limits, now),
        cards=_cards(view, access),
        has_old_code=state.old_code is not None,
        signed_in_at=_moment(state.signed_in_at),
        replayed_at=_moment(state.replayed_at) if replayed else None,
        view=view,
    )


async def read_timeline(bank: Bank, user_code: UserCode, before: int | None = None) -> Timeline:
    """What happened to a customer, the latest first, before the version *before*.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    rows = await bank.store.read(
        partial(read_lines_before, key=_key(user_code), before=before, most=PAGE + 1)
    )
    page = rows[:PAGE]
    return Timeline(
        entries=tuple(entries([Line(*row) for row in page])),
        older=page[-1].version if len(rows) > PAGE else None,
    )


def _cards(view: CustomerView, access: Access) -> tuple[CardInDossier, ...]:
    """The cards, with what their orders say of their end and an attempt of their being sure."""
    sure = {card.card_number: bool(card.sure) for card in access.cards}
    expires = {
        order.card_number: date.fromisoformat(order.expires_on)
        for order in view.orders
        if order.expires_on is not None
    }
    return tuple(
        CardInDossier(
            number=card.card_number,
            kind=card.kind,
            state=card.state,
            last4=card.last4,
            last_atc=card.last_atc,
            sure=sure.get(card.card_number, True),
            since=from_row(card.created_at),
            expires=expires.get(card.card_number),
        )
        for card in view.cards
    )


def _key(user_code: UserCode) -> Key:
    return bucket_of(user_code), user_code


def _moment(at: int | None) -> datetime | None:
    return None if at is None else from_row(at)
