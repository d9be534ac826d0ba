"""Enrolment: people become customers, with a user code and the cards that may sign in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum, unique
from itertools import islice

from sesame.bank.audit import SALT_LENGTH, Record, audit_row
from sesame.bank.bank import Bank
from sesame.bank.details import Details
from sesame.bank.errors import (
    BankError,
    CardTaken,
    NotEnrolled,
    ReferenceTaken,
    TooBusy,
    TooManyCards,
    UnsuitableOldCode,
    UserCodeTaken,
)
from sesame.bank.moments import to_row
from sesame.bank.user_code import UserCode
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, Registered
from sesame.store.access import NO_ATTEMPT, NO_HEAD
from sesame.store.buckets import bucket_of
from sesame.store.cards import NewCardRow, seal_context
from sesame.store.customers import NewCustomerRow, Refusal, insert_customers, read_versions
from sesame.store.dispatches import WELCOME, DispatchRow
from sesame.store.errors import EnrolledMeanwhile

_NO_ADDRESS = ""  # an enrolment comes from the institution itself


@unique
class CardKind(StrEnum):
    """What else a card does: payments too, or nothing but codes."""

    BANK = "bank"
    SESAME = "sesame"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """A card to be enrolled, and the ATC that it stands at."""

    kind: CardKind
    record: CardRecord
    last_atc: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCustomer:
    """A person to be enrolled. `old_code` is an argon2id hash, or None."""

    user_code: UserCode
    name: str
    language: Language
    old_code: str | None = field(repr=False)
    cards: Sequence[NewCard]
    details: Details | None = None
    import_digest: bytes | None = field(default=None, repr=False)  # 32 bytes
    # The reference of a letter with their user code, which is due with the enrolment: of those
    # with details, who live somewhere.
    welcome: str | None = None


async def enrol(bank: Bank, customer: NewCustomer) -> None:
    """Write *customer* and their cards, and begin their audit chain, in one commit.

    What strangers did to the user code while nobody had it is forgotten.

    Raises:
        TooManyCards: more cards than an attempt looks at.
        UserCodeTaken: somebody has this user code.
        CardTaken: somebody has one of the cards.
        ReferenceTaken: somebody has the reference that stands in the details.
        UnsuitableOldCode: the old code's hash costs more or less to check than others.
        TooBusy: others moved or held the row, or enrolled, each time that this was tried.
    """
    try:
        await enrol_all(bank, [customer])
    except NotEnrolled as nobody:
        raise nobody.refused[0] from None


async def enrol_all(
    bank: Bank,
    customers: Sequence[NewCustomer],
    *,
    registered: Sequence[Registered] | None = None,
    by: str | None = None,
) -> None:
    """The same for many *customers* at once, in one commit: all of them, or nobody.

    A few hundred to a few thousand are a good number: each is in memory until the commit.
    *registered* are their cards where custody was asked already (see `register_cards`). *by* is
    who had them enrolled, and stands in their lines.

    Raises:
        NotEnrolled: nobody was. Says who cannot be, and why; what is wrong by itself is told
            before what somebody has already.
        TooBusy: others moved or held a row, or enrolled, each time that this was tried.
    """
    unsuitable = {
        place: error
        for place, customer in enumerate(customers)
        if (error := _unsuitable(bank, customer))
    }
    if unsuitable:
        raise NotEnrolled(unsuitable)
    if registered is None:
        registered = await register_cards(bank, customers)
    cards = _card_rows(customers, registered)
    keys = [(bucket_of(customer.user_code), customer.user_code) for customer in customers]
    # Whom the backup forgot is enrolled again, with a card that may have signed in before.
    unsure_for = bank.limits.challenge_first // timedelta(microseconds=1)
    for _ in range(bank.limits.lost_swaps):
        versions = await bank.store.read(lambda connection: read_versions(connection, keys))
        rows = [
            _row(bank, customer, own, versions.get(key, 0) + 1, by)
            for customer, own, key in zip(customers, cards, keys, strict=True)
        ]
        try:
            refused = await bank.store.write(
                lambda connection, rows=rows: insert_customers(  # type: ignore[misc]  # of this turn
                    connection, rows, unsure_for=unsure_for
                )
            )
        except EnrolledMeanwhile:
            continue  # what they wrote will be found, or has gone
        if not refused:
            return
        errors = {place: _ERRORS[why]() for place, why in refused.items() if why in _ERRORS}
        if errors:
            raise NotEnrolled(errors)
    raise TooBusy


def _unsuitable(bank: Bank, customer: NewCustomer) -> BankError | None:
    """What is wrong with *customer* whoever else is a customer; None where nothing is."""
    if len(customer.cards) > bank.limits.cards:
        return TooManyCards(
            f"{len(customer.cards)} cards for one customer: an attempt looks at "
            f"{bank.limits.cards}, take one away"
        )
    if customer.old_code is not None:
        try:
            bank.old_codes.check_hash(customer.old_code)
        except UnsuitableOldCode as error:
            return error
    return None


def _row(
    bank: Bank, customer: NewCustomer, cards: Sequence[NewCardRow], version: int, by: str | None
) -> NewCustomerRow:
    """*customer* as they are written, with the first line of their chain."""
    record = Record(
        event="enrolment",
        version=version,
        at=bank.now(),
        attempt=NO_ATTEMPT,
        user_code=customer.user_code,
        address=_NO_ADDRESS,
        facts={
            "cards": [[row.card_number, row.profile, row.last_atc] for row in cards],
            **({} if by is None else {"by": by}),
            **({} if customer.welcome is None else {"welcome": customer.welcome}),
        },
    )
    key = (bucket_of(customer.user_code), customer.user_code)
    return NewCustomerRow(
        bucket=key[0],
        user_code=key[1],
        name=customer.name,
        language=customer.language,
        old_code=customer.old_code,
        cards=cards,
        line=audit_row(record, prev=NO_HEAD, salt=bank.random_bytes(SALT_LENGTH), mac=None),
        details=None if customer.details is None else customer.details.row(),
        import_digest=customer.import_digest,
        welcome=None
        if customer.welcome is None
        else DispatchRow(customer.welcome, *key, WELCOME, None, to_row(record.at)),
    )


async def register_cards(bank: Bank, customers: Sequence[NewCustomer]) -> list[Registered]:
    """The cards of all *customers*, one after the other; custody is asked once.

    Raises:
        KeyMissing, WrongUsage, ProfileUnknown, CustodyUnavailable: see `Custodian`.
    """
    return await bank.custodian.register_all(
        [
            (card.record, seal_context(customer.user_code, number))
            for customer in customers
            for number, card in enumerate(customer.cards, 1)
        ]
    )


def _card_rows(
    customers: Sequence[NewCustomer], registered: Sequence[Registered]
) -> list[list[NewCardRow]]:
    """The cards of each of *customers*, as they are written."""
    cards = [
        (number, card) for customer in customers for number, card in enumerate(customer.cards, 1)
    ]
    rows = iter(
        [
            card_row(number, card, known)
            for (number, card), known in zip(cards, registered, strict=True)
        ]
    )
    return [list(islice(rows, len(customer.cards))) for customer in customers]


def card_row(number: int, card: NewCard, registered: Registered) -> NewCardRow:
    """*card*, as custody *registered* it, as it is written: its owner's card of that *number*."""
    return NewCardRow(
        card_number=number,
        kind=card.kind,
        profile=card.record.profile,
        sealed=registered.sealed,
        last4=card.record.pan.last4,
        pan_hash=registered.pan_hash,
        psn=card.record.psn,
        last_atc=card.last_atc,
    )


# The row that moved on is read again; these stay.
_ERRORS: Mapping[Refusal, Callable[[], BankError]] = {
    Refusal.USER_CODE_TAKEN: lambda: UserCodeTaken(
        "the user code is somebody's already: generate another"
    ),
    Refusal.CARD_TAKEN: lambda: CardTaken(
        "one of the cards is enrolled already, for this or another customer: "
        "check its number and PSN"
    ),
    Refusal.REFERENCE_TAKEN: lambda: ReferenceTaken(
        "the reference is another customer's already: check which of the two is meant"
    ),
}
