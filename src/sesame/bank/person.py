"""What the bank holds of one person: to be handed to them, or erased once they have left.

GDPR articles 15, 17 and 20. Lines are evidence that the law wants, and stay until their rule
lets them go (`sesame.bank.retention`); once a person is erased they name nobody.
"""

import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from sesame.bank.audit import SALT_LENGTH, Record, audit_row
from sesame.bank.errors import AlreadyErased, NoSuchCustomer, TooBusy, UnderHold
from sesame.bank.moments import from_row, to_row
from sesame.bank.retention import is_person_held
from sesame.catalogue import N_, Language, translator
from sesame.store.access import NO_ATTEMPT
from sesame.store.addresses import AddressRow
from sesame.store.buckets import bucket_of
from sesame.store.engine import Store
from sesame.store.person import (
    LineHeld,
    PersonHeld,
    PersonRow,
    erase_person,
    read_person,
    read_person_row,
)
from sesame.store.retention import active_holds

FORMAT = "sesame-person"
_TURNS = 8  # how often a person who signs in meanwhile is tried again
_NO_ADDRESS = ""  # it comes from the institution itself


async def export_person(store: Store, user_code: str, now: datetime) -> bytes:
    """Everything that the bank holds of the person with *user_code*, as JSON; no secret.

    Raises:
        NoSuchCustomer: nobody has it.
        StoreUnavailable: the database did not answer.
    """
    held = await store.read(partial(read_person, key=(bucket_of(user_code), user_code)))
    if held is None:
        raise NoSuchCustomer
    content = _content(user_code, held, now)
    return json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n"


async def erase(
    store: Store, user_code: str, *, by: str, now: datetime, random_bytes: Callable[[int], bytes]
) -> None:
    """Erase the person with *user_code*, who has left; a line of their chain says who did.

    Sessions, devices, cards, name and addresses are gone with it, in one commit. The user code
    and its cards are never given again.

    Raises:
        NoSuchCustomer: nobody has it.
        AlreadyErased: it was done before.
        UnderHold: a legal hold keeps what is there.
        TooBusy: the person's row went on each time that this was tried.
        StoreUnavailable: the database did not answer; if it was done, it is told next time.
    """
    key = (bucket_of(user_code), user_code)
    for _ in range(_TURNS):
        row = await erasable(store, user_code)
        record = Record(
            event="erased",
            version=row.version + 1,
            at=max(now, from_row(row.stepped_at)),
            attempt=NO_ATTEMPT,
            user_code=user_code,
            address=_NO_ADDRESS,
            facts={"by": by},
        )
        line = audit_row(record, prev=row.head, salt=random_bytes(SALT_LENGTH), mac=None)
        done = await store.write(partial(erase_person, key=key, row=row, line=line))
        if done:
            return
        if done is None:
            raise UnderHold
    raise TooBusy


async def erasable(store: Store, user_code: str) -> PersonRow:
    """The row of the person with *user_code*, who may be erased.

    Raises:
        NoSuchCustomer, AlreadyErased, UnderHold, StoreUnavailable: as `erase`.
    """
    row = await store.read(partial(read_person_row, key=(bucket_of(user_code), user_code)))
    if row is None:
        raise NoSuchCustomer
    if row.name is None:
        raise AlreadyErased
    if is_person_held(await store.read(active_holds), user_code):
        raise UnderHold
    return row


def _content(user_code: str, held: PersonHeld, now: datetime) -> dict[str, Any]:
    row = held.row
    begun = {one.card_number: one.last_atc for one in held.begun}
    return {
        "format": FORMAT,
        "v": 1,
        "at": _moment(to_row(now)),
        "words": {language.value: _words(language, held, now) for language in Language},
        "user_code": user_code,
        "name": row.name,
        "language": row.language,
        "details": None if held.details is None else held.details._asdict(),
        "former_addresses": [
            {**AddressRow(*lines)._asdict(), "until": _moment(until)}
            for *lines, until in held.former_addresses
        ],
        "customer_since": _moment(row.enrolled_at),
        "access": {
            "steps": row.version,
            "last_step": _moment(row.stepped_at),
            "last_login": _moment(row.signed_in_at),
            "has_old_code": bool(row.has_old_code),
            "failures_in_a_row": row.open_failures + row.reserved_failures,
            "suspended_until": _moment(row.open_suspended_until),
            "known_devices_suspended_until": _moment(row.reserved_suspended_until),
        },
        "cards": [
            {
                "number": card.card_number,
                "kind": card.kind,
                "state": card.state,
                "pan": f"•••• {card.last4}",
                "profile": card.profile,
                "last_atc": card.last_atc,
                "begun_at": begun.get(card.card_number),
                "since": _moment(card.created_at),
            }
            for card in held.cards
        ],
        "devices": [
            {"known_since": _moment(one.known_since), "known_until": _moment(one.expires_at)}
            for one in held.devices
        ],
        "sessions": [
            {
                "means": one.means,
                "opened": _moment(one.opened_at),
                "last_seen": _moment(one.seen_at),
                "ends": _moment(one.ends_at),
            }
            for one in held.sessions
        ],
        **_sent(held),
        "lines": [_line(line) for line in held.lines],
    }


def _sent(held: PersonHeld) -> dict[str, Any]:
    """What was ordered for them, sent and told to them, and what is held."""
    return {
        "orders": [
            {
                "number": one.order_number,
                "kind": one.kind,
                "reason": one.reason,
                "replaces": one.replaces,
                "card": one.card_number,
                "ordered": _moment(one.ordered_at),
                "made": _moment(one.personalised_at),
                "expires": one.expires_on,
                "to_activate_by": _moment(one.activation_until),
                "activated": _moment(one.activated_at),
                "cancelled": _moment(one.cancelled_at),
            }
            for one in held.orders
        ],
        "letters": [
            {
                "reference": one.reference,
                "kind": one.kind,
                "order": one.order_number,
                "due": _moment(one.due_at),
                "printed": _moment(one.printed_at),
                "posted": _moment(one.posted_at),
                "returned": _moment(one.returned_at),
                "voided": _moment(one.voided_at),
                "reader": one.reader_serial,
            }
            for one in held.letters
        ],
        "readers": [one._asdict() for one in held.readers],
        "holds": [
            {"card": one.card_number, "by": one.by, "reason": one.reason, "at": _moment(one.at)}
            for one in held.holds
        ],
        "notices": [
            {
                "event": one.event,
                "at": _moment(one.at),
                "facts": json.loads(one.facts),
                "email": one.email_state,
                "email_sent": _moment(one.sent_at),
                "letter": one.letter,
            }
            for one in held.notices
        ],
    }


def _line(held: LineHeld) -> dict[str, Any]:
    """A line as what it says; what its commitments hide is opened, or was erased."""
    said = json.loads(held.line)
    hidden = {"prev", "mac", "subject", "address", "v"}
    shown = {name: value for name, value in said.items() if name not in hidden}
    return shown | {"address": held.address, "address_erased": held.address is None}


def _words(language: Language, held: PersonHeld, now: datetime) -> list[str]:
    say, row = translator(language), held.row
    suspended = max(row.open_suspended_until or 0, row.reserved_suspended_until or 0)
    sentences = [
        _ALL,
        _ERASED if row.name is None else _OLD_CODE if row.has_old_code else _NO_OLD_CODE,
        _SUSPENDED if suspended > to_row(now) else _NOT_SUSPENDED,
        _NOT_HERE,
        _KEPT,
    ]
    values = {
        "cards": len(held.cards),
        "devices": len(held.devices),
        "sessions": len(held.sessions),
        "lines": len(held.lines),
        "until": _moment(suspended),
    }
    return [say(one).format(**values) for one in sentences]


_ALL = N_(
    "Voici tout ce que la banque détient sur cet accès\u00a0: cartes, {cards}\u202f; navigateurs "
    "connus, {devices}\u202f; sessions, {sessions}\u202f; lignes du journal, {lines}. Les moments "
    "sont en temps universel (UTC)."
)
_ERASED = N_(
    "Cette personne a été effacée\u00a0: il ne reste que des lignes, qui ne nomment personne."
)
_OLD_CODE = N_(
    "L’ancien code confidentiel sert encore\u00a0; la banque n’en garde qu’une empreinte."
)
_NO_OLD_CODE = N_("Aucun ancien code confidentiel n’est gardé.")
_SUSPENDED = N_("Après des échecs, l’accès est suspendu jusqu’au {until}, puis se rouvre seul.")
_NOT_SUSPENDED = N_("L’accès n’est pas suspendu.")
_NOT_HERE = N_(
    "N’y sont pas, car ce sont des secrets\u00a0: le numéro entier et la clé de chaque carte, les "
    "empreintes des jetons de session, des navigateurs et des numéros d’activation et de déblocage."
    " Le code secret d’une carte commandée est scellé jusqu’à ce que sa lettre soit imprimée, puis "
    "effacé\u202f; la banque n’en connaît aucun autre."
)
_KEPT = N_(
    "Les lignes sont gardées treize mois au moins, car un paiement peut être contesté aussi "
    "longtemps\u202f; les adresses, moins longtemps. Un litige peut prolonger l’un et l’autre."
)


def _moment(at: int | None) -> str | None:
    return None if at is None else from_row(at).isoformat(timespec="seconds")
