"""The desk: an adviser opposes cards, and what replaces them is ordered, made and posted.

What the bank does it does by its own `sesame.bank.help_line`; the bureau and the post are ours.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from sesame.bank.activation import activation_hash, make_number, parse_number
from sesame.bank.approvals import Verdict
from sesame.bank.approving import ask_for_staff, decide
from sesame.bank.bank import Bank
from sesame.bank.calls import Call
from sesame.bank.customers import CardKind, NewCard
from sesame.bank.errors import NothingToReplace
from sesame.bank.help_line import oppose, order_for_counter
from sesame.bank.helping import Loss
from sesame.bank.moments import to_row
from sesame.bank.staff import Role
from sesame.bank.staffing import NewStaff, Staff, enrol_officer, prepare_bootstrap
from sesame.bank.user_code import UserCode
from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.card.memory import CardData
from sesame.card.personalisation import bank_card, sesame_card
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, IssuingCustodian, KeyRef
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin
from sesame.simulation.wallet import Card
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, NewCardRow, insert_cards, seal_context
from sesame.store.orders import Activation, OrderRow, list_orders, mark_made, set_activations

_DKI = 1
_KEY = KeyRef("dpa-01")
_PAYMENT_KEY = DesKey(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))  # of no bank
_PROFILES: dict[CardKind, Profile] = {CardKind.BANK: BANK_CARD, CardKind.SESAME: SESAME_CARD}
_NUMBERS = {CardKind.BANK: "400000", CardKind.SESAME: "925000"}  # of demonstrations
_SINCE, _UNTIL = date(2026, 12, 1), date(2035, 12, 31)
_STAFF = 9_999_990  # the first of their numbers, which no customer has
_FORM = 16  # bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A card, and what the bank is told of it."""

    card: Card
    new: NewCard


async def issue(  # noqa: PLR0913 -- what a card is
    custodian: IssuingCustodian,
    kind: CardKind,
    *,
    owner: int,
    number: int,
    generation: int,
    pin: str,
) -> Issued:
    """Make card *number* of customer *owner*, the first one in *generation* 0."""
    digits = f"{_NUMBERS[kind]}{owner:07d}{generation:02d}"
    record = CardRecord(
        pan=Pan(digits + luhn_digit(digits)),
        psn="00",
        profile=_PROFILES[kind].name,
        key=_KEY,
        dki=_DKI,
    )
    data = CardData(
        name=f"CLIENT {owner}", pan=record.pan, pin=Pin(pin), effective=_SINCE, expiry=_UNTIL
    )
    key = await custodian.card_key(record)
    if kind is CardKind.BANK:
        image, counters = bank_card(data, dki=_DKI, dpa_key=key, payment_key=_PAYMENT_KEY)
    else:
        image, counters = sesame_card(data, dki=_DKI, dpa_key=key)
    card = Card(number, _PROFILES[kind], image, counters)
    return Issued(card, NewCard(kind=kind, record=record))


async def hire(bank: Bank, custodian: IssuingCustodian) -> Staff:
    """Two officers by secrets, and the adviser to whom they agree."""
    codes = []
    for owner, name in ((_STAFF, "Odile"), (_STAFF + 1, "Paul")):
        secret, _ = await prepare_bootstrap(
            bank.store, now=bank.now, random_bytes=bank.random_bytes
        )
        new = await _new_staff(custodian, owner, name)
        codes.append(await enrol_officer(bank, secret, new, ""))
    odile, paul = (_on_duty(bank, code, Role.OFFICER) for code in codes)
    ada, roles = await _new_staff(custodian, _STAFF + 2, "Ada"), frozenset({Role.ADVISER})
    asked = await ask_for_staff(bank, odile, ada, roles, reason="Ouverture", address="")
    await decide(bank, paul, asked.id, Verdict.APPROVED, "")
    return _on_duty(bank, UserCode(asked.subject), Role.ADVISER)


async def oppose_card(bank: Bank, by: Staff, user_code: UserCode, card_number: int) -> None:
    """Hold a card, and order what replaces it; once this returns, no code of it signs in."""
    form = bank.random_bytes(_FORM)
    call = Call(by=by, user_code=user_code, form=form, address="")
    with suppress(NothingToReplace):  # the bank does not know it any more, or it is over
        await oppose(bank, call, Loss.LOST, [card_number])


async def order_card(bank: Bank, by: Staff, user_code: UserCode) -> None:
    """Order a Sésame card for somebody none of whose cards works, and for whom none is coming."""
    form = bank.random_bytes(_FORM)
    with suppress(NothingToReplace):
        await order_for_counter(bank, Call(by=by, user_code=user_code, form=form, address=""))


async def order_to_make(bank: Bank, user_code: UserCode) -> OrderRow | None:
    """The oldest order of a card that is still to be made; None where there is none."""
    key = (bucket_of(user_code), user_code)
    orders = await bank.store.read(lambda connection: list_orders(connection, key))
    return next((o for o in orders if o.card_number is None and o.cancelled_at is None), None)


async def enter_waiting(bank: Bank, user_code: UserCode, order: int, issued: Issued) -> None:
    """Have the card of an order be made: it waits for its activation."""
    key, record, number = (bucket_of(user_code), user_code), issued.new.record, issued.card.number
    context = seal_context(user_code, number)
    (registered,) = await bank.custodian.register_all([(record, context)])
    row = NewCardRow(
        card_number=number,
        kind=issued.new.kind,
        profile=record.profile,
        sealed=registered.sealed,
        last4=record.pan.last4,
        pan_hash=registered.pan_hash,
        psn=record.psn,
        last_atc=0,
        state=CardState.WAITING,
    )
    at = to_row(bank.now())
    await bank.store.write(lambda connection: insert_cards(connection, [(key, row)], at))
    await bank.store.write(
        lambda connection: mark_made(
            connection,
            key,
            order,
            card_number=number,
            at=at,
            expires_on=_UNTIL.isoformat(),
            sealed_pin=b"",  # no letter of it is read: who holds the card knows it
        )
    )


async def give_number(
    bank: Bank, user_code: UserCode, order: int, random_bytes: Callable[[int], bytes], *, until: int
) -> str:
    """The activation number (eight digits) that goes with the reader, good *until* a moment."""
    key, number = (bucket_of(user_code), user_code), make_number(random_bytes)
    hashed = await activation_hash(bank, key, order, number)
    opened = Activation(*key, order, hashed, until)
    await bank.store.write(lambda connection: set_activations(connection, [opened]))
    return parse_number(number)


async def _new_staff(custodian: IssuingCustodian, owner: int, name: str) -> NewStaff:
    kind = CardKind.SESAME
    issued = await issue(custodian, kind, owner=owner, number=1, generation=0, pin="0000")
    return NewStaff(
        name=name,
        personnel_number=f"M-{owner}",
        language=Language.FRENCH,
        kind=kind,
        record=issued.new.record,
    )


def _on_duty(bank: Bank, code: UserCode, role: Role) -> Staff:
    """Whom no session ends: the desk's pages are not lived here."""
    now = bank.now()
    return Staff(user_code=code, name="", roles=frozenset({role}), idle_until=now, ends_at=now)
