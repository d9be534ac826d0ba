"""Two-person approval: who may ask for what, who may decide, and what a yes releases. Pure.

What can be asked for is a `Kind`, with one `Rule` each. A later part of the bank adds its own by
adding both, and its words to `sesame.desk.request_words`: nothing else has to know of it.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum, unique

import msgspec

from sesame.bank.errors import NothingToRelease
from sesame.bank.limits import BOUNDS, Changeable, stands_for
from sesame.bank.staff import Role
from sesame.bank.user_code import UserCode
from sesame.cap.profiles import SESAME_CARD, SESAME_CARD_1
from sesame.store.access import Access
from sesame.store.cards import CardState, Lowering

ID_LENGTH = 16  # bytes
_DOMAIN = b"sesame-approval-1\x00"
_SHA256 = re.compile(r"[0-9a-f]{64}")

_WITH_A_PIN_OF_OURS = frozenset({SESAME_CARD_1.name, SESAME_CARD.name})  # profiles

Payload = Mapping[str, str | int]

_encode = msgspec.json.Encoder(order="sorted").encode


@unique
class Kind(StrEnum):
    """What two persons do together."""

    LIFT_HOLD = "lift-hold"  # a card that is held may sign in again
    NEW_STAFF = "new-staff"  # somebody becomes a member of staff
    ISSUE = "issue"  # many customers are sent a card, or a reader for the one they have
    REPRINT_PIN = "reprint-pin"  # a forgotten PIN: another card with another PIN
    ADDRESS = "address"  # a PIN may be sent to an address that was changed at the desk
    SHOW_NUMBER = "show-number"  # whoever asked sees the number of a card, once
    LIMITS = "limits"  # a limit that the desk keeps is another
    COUNTER = "lower-counter"  # less is expected of a counter that never moved
    BANK_CARDS = "bank-cards"  # customers are given the bank cards of a file


@unique
class Verdict(StrEnum):
    """What the second person said."""

    APPROVED = "approved"
    REFUSED = "refused"


@unique
class Barred(StrEnum):
    """Why somebody may not decide on a request."""

    SAME_PERSON = "same-person"
    NO_RIGHT = "no-right"
    EXPIRED = "expired"
    DECIDED = "decided"
    NOBODY = "no-such-request"
    ASKER_GONE = "asker-gone"


@unique
class Unseen(StrEnum):
    """Why somebody is not shown the number of a card."""

    NOBODY = "no-such-request"
    NOT_YOURS = "not-yours"
    NOT_GRANTED = "not-granted"
    LATE = "late"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, about whose access, and why."""

    kind: Kind
    subject: UserCode
    payload: Payload = field(repr=False)  # it names people
    reason: str = field(repr=False)  # it may name people


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it stands. `subject` is whose access it is about."""

    id: bytes  # 16 bytes, by chance
    kind: Kind
    subject: str
    payload: Payload = field(repr=False)  # it names people
    reason: str = field(repr=False)  # it may name people
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    verdict: Verdict | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
    used_at: datetime | None = None  # what was agreed to was shown then


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a yes does to its subject, in the commit that says it; each part may be left out."""

    cards: tuple[tuple[int, CardState], ...] = ()  # states, by number
    lifts: tuple[tuple[int, int], ...] = ()  # holds, by card and since when (0: on no list)
    begins_with: str | None = None  # roles of a member of staff, from now on
    confirms_address: int | None = None  # the address that was changed then, as in rows
    replaces: int | None = None  # a card: another is ordered, and no letter of it goes any more
    tells: str | None = None  # what the customer is told of, as a notice names it
    sets: tuple[Changeable, int] | None = None  # a limit, and its value in its unit
    lowers: Lowering | None = None  # what a card begins with


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may ask for a kind, who may decide, and what is then done to the subject's access.

    `release` raises NothingToRelease where a yes would do nothing.
    """

    asked_by: frozenset[Role]
    decided_by: frozenset[Role]
    release: Callable[[Payload, Access], Release]


def card_of(payload: Payload) -> int:
    """The number of the card that a request is about; 0 where it is about none, as none has it."""
    return int(payload.get("card", 0))


def _lift_hold(payload: Payload, access: Access) -> Release:
    number = _held_card(payload, access)
    hold = (number, int(payload.get("hold", 0)))
    return Release(cards=((number, CardState.ACTIVE),), lifts=(hold,), tells="release")


def _begin_staff(payload: Payload, access: Access) -> Release:
    number = _held_card(payload, access)
    return Release(cards=((number, CardState.ACTIVE),), begins_with=str(payload.get("roles", "")))


def _show_number(payload: Payload, access: Access) -> Release:
    """Nothing but the verdict, which `unseen` looks at."""
    if card_of(payload) not in {card.card_number for card in access.cards}:
        raise NothingToRelease
    return Release()


def _confirm_address(payload: Payload, _access: Access) -> Release:
    changed = payload.get("changed")
    if not isinstance(changed, int):
        raise NothingToRelease
    return Release(confirms_address=changed)


def _issue(payload: Payload, _access: Access) -> Release:
    """Nothing in this commit: `sesame.bank.orders.carry_out` does it, by some hundreds."""
    if not payload.get("cards") and not payload.get("readers"):
        raise NothingToRelease
    return Release()


def _set_limit(payload: Payload, _access: Access) -> Release:
    limit, value = stands_for(payload.get("limit")), payload.get("value")
    if limit is None or not isinstance(value, int) or not BOUNDS[limit].hold(value):
        raise NothingToRelease
    return Release(sets=(limit, value))


def _reprint_pin(payload: Payload, access: Access) -> Release:
    for card in access.cards:
        named = card.card_number == payload.get("card") and card.profile in _WITH_A_PIN_OF_OURS
        # Where its letter came back it is retired already (`sesame.bank.returned_mail`).
        if named and (card.state != CardState.RETIRED or "returned" in payload):
            number = card.card_number
            cards = ((number, CardState.RETIRED),)
            return Release(cards=cards, replaces=number, tells="reprint")
    raise NothingToRelease


def lowering_of(payload: Payload) -> Lowering | None:
    """The fall of a counter that was asked for; None where none could be."""
    number, begun, to = (payload.get(name) for name in ("card", "from", "to"))
    if not (isinstance(number, int) and isinstance(begun, int) and isinstance(to, int)):
        return None
    return Lowering(number, begun, to) if 0 <= to < begun else None


def _lower_counter(payload: Payload, access: Access) -> Release:
    """Whether a code was accepted since it began is found by the statement that writes."""
    lowers = lowering_of(payload)
    for card in access.cards:
        stands = lowers and (card.card_number, card.last_atc) == lowers[:2]
        if stands and card.state != CardState.RETIRED and card.sure:
            return Release(lowers=lowers, tells="counter-lowered")
    raise NothingToRelease


def _bank_cards(payload: Payload, _access: Access) -> Release:
    """Nothing in this commit: `sesame.bank.bank_cards` does it, where the file is."""
    if file_of(payload) is None:
        raise NothingToRelease
    return Release()


def file_of(payload: Payload) -> tuple[str, int] | None:
    """The file of bank cards that was asked for, by its SHA-256 (hex) and its rows; None: none."""
    digest, rows = payload.get("sha256"), payload.get("count")
    if not (isinstance(digest, str) and _SHA256.fullmatch(digest)):
        return None
    return (digest, rows) if isinstance(rows, int) and rows >= 1 else None


def _held_card(payload: Payload, access: Access) -> int:
    """The number of the card that *payload* names.

    Raises:
        NothingToRelease: the subject has no such card, or it is not held.
    """
    for card in access.cards:
        if card.card_number == payload.get("card") and card.state == CardState.HELD:
            return card.card_number
    raise NothingToRelease


RULES: Mapping[Kind, Rule] = {
    Kind.LIFT_HOLD: Rule(
        asked_by=frozenset({Role.ADVISER, Role.OFFICER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_lift_hold,
    ),
    Kind.NEW_STAFF: Rule(
        asked_by=frozenset({Role.OFFICER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_begin_staff,
    ),
    Kind.ISSUE: Rule(
        asked_by=frozenset({Role.ISSUER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_issue,
    ),
    Kind.REPRINT_PIN: Rule(
        asked_by=frozenset({Role.ADVISER, Role.ISSUER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_reprint_pin,
    ),
    # Asked by an issuer too, who sees the letter wait; an issuer changes no address.
    Kind.ADDRESS: Rule(
        asked_by=frozenset({Role.ADVISER, Role.ISSUER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_confirm_address,
    ),
    Kind.SHOW_NUMBER: Rule(
        asked_by=frozenset({Role.ADVISER, Role.ISSUER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_show_number,
    ),
    Kind.LIMITS: Rule(
        asked_by=frozenset({Role.OFFICER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_set_limit,
    ),
    Kind.COUNTER: Rule(
        asked_by=frozenset({Role.ADVISER, Role.OFFICER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_lower_counter,
    ),
    Kind.BANK_CARDS: Rule(
        asked_by=frozenset({Role.ISSUER}),
        decided_by=frozenset({Role.OFFICER}),
        release=_bank_cards,
    ),
}


def may_ask(kind: Kind, roles: frozenset[Role]) -> bool:
    """Whether somebody with *roles* may ask for *kind*."""
    return bool(RULES[kind].asked_by & roles)


def barred(asked: Asked, by: str, roles: frozenset[Role], now: datetime) -> Barred | None:
    """Why *by* may not decide on what was *asked*; None where they may."""
    if asked.verdict is not None:
        return Barred.DECIDED
    if now >= asked.expires_at:
        return Barred.EXPIRED
    if not RULES[asked.kind].decided_by & roles:
        return Barred.NO_RIGHT
    # Last: it tells who could decide why it is not they.
    return Barred.SAME_PERSON if by == asked.requested_by else None


def unseen(
    asked: Asked, by: str, roles: frozenset[Role], now: datetime, *, within: timedelta
) -> Unseen | None:
    """Why *by* is not shown the number that was *asked* for; None where they are.

    They are *within* that time of a yes, once.
    """
    if asked.kind is not Kind.SHOW_NUMBER:
        return Unseen.NOBODY
    if by != asked.requested_by or not may_ask(asked.kind, roles):
        return Unseen.NOT_YOURS
    if asked.verdict is not Verdict.APPROVED or asked.decided_at is None:
        return Unseen.NOT_GRANTED
    if asked.used_at is not None:
        return Unseen.SEEN
    return Unseen.LATE if now >= asked.decided_at + within else None


def write_payload(payload: Payload) -> bytes:
    """*payload* in its one spelling: JSON with sorted keys and no blanks."""
    return _encode(dict(payload))


def content_hash(asked: Asked) -> str:
    """What lines say of a request's content (SHA-256, hex): its id is the salt."""
    content = {
        "kind": asked.kind,
        "subject": asked.subject,
        "payload": dict(asked.payload),
        "reason": asked.reason,
        "by": asked.requested_by,
    }
    return hashlib.sha256(_DOMAIN + asked.id + _encode(content)).hexdigest()
