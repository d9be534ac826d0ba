"""Enrolment: a person becomes a customer, with a user code and the cards that may sign in."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from sesame.bank.audit import SALT_LENGTH, Record, audit_row
from sesame.bank.bank import Bank
from sesame.bank.errors import CardTaken, TooManyCards, UserCodeTaken
from sesame.bank.user_code import UserCode
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord
from sesame.store.access import NO_ATTEMPT, NO_HEAD
from sesame.store.buckets import bucket_of
from sesame.store.cards import NewCardRow, seal_context
from sesame.store.customers import NewCustomerRow, insert_customer
from sesame.store.errors import DuplicateCard

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
    old_code: str | None
    cards: Sequence[NewCard]


async def enrol(bank: Bank, customer: NewCustomer) -> None:
    """Write *customer* and their cards, and begin their audit chain, in one commit.

    What strangers did to the user code while nobody had it is forgotten.

    Raises:
        TooManyCards: more cards than an attempt looks at.
        UserCodeTaken: somebody has this user code.
        CardTaken: somebody has one of the cards.
        UnsuitableOldCode: the old code's hash costs more or less to check than others.
    """
    if customer.old_code is not None:
        bank.old_codes.check_hash(customer.old_code)
    if len(customer.cards) > bank.limits.cards:
        raise TooManyCards(
            f"{len(customer.cards)} cards for one customer: an attempt looks at "
            f"{bank.limits.cards}, take one away"
        )
    cards = [
        await _card_row(bank, customer.user_code, number, card)
        for number, card in enumerate(customer.cards, 1)
    ]
    access = await bank.store.read_access(customer.user_code)
    record = Record(
        event="enrolment",
        version=access.version + 1,
        at=bank.now(),
        attempt=NO_ATTEMPT,
        user_code=customer.user_code,
        address=_NO_ADDRESS,
        facts={"cards": [[row.card_number, row.profile, row.last_atc] for row in cards]},
    )
    row = NewCustomerRow(
        bucket=bucket_of(customer.user_code),
        user_code=customer.user_code,
        name=customer.name,
        language=customer.language,
        old_code=customer.old_code,
        cards=cards,
        line=audit_row(record, prev=NO_HEAD, salt=bank.random_bytes(SALT_LENGTH), mac=None),
    )
    try:
        written = await bank.store.write(lambda connection: insert_customer(connection, row))
    except DuplicateCard:
        raise CardTaken(
            "one of the cards is enrolled already, for this or another customer: "
            "check its number and PSN"
        ) from None
    if not written:
        raise UserCodeTaken("the user code is somebody's already: generate another")


async def _card_row(bank: Bank, user_code: UserCode, number: int, card: NewCard) -> NewCardRow:
    record = card.record
    return NewCardRow(
        card_number=number,
        kind=card.kind,
        profile=record.profile,
        sealed=await bank.custodian.register(record, seal_context(user_code, number)),
        last4=record.pan.last4,
        pan_hash=await bank.custodian.pan_index(record.pan),
        psn=record.psn,
        last_atc=card.last_atc,
    )
