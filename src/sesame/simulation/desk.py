"""The desk: cards are made, held and replaced, each time with a step of the access row.

What an attempt reads is changed first, and the row's step comes after it: an attempt that was
judged by what was there before loses its swap, so once the desk has said « fait » it is so.
"""

from dataclasses import dataclass
from datetime import date

from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard
from sesame.bank.errors import TooBusy
from sesame.bank.moments import to_row
from sesame.bank.settling import Change, row_time, settle
from sesame.bank.user_code import UserCode
from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.card.memory import CardData
from sesame.card.personalisation import bank_card, sesame_card
from sesame.custody.custodian import CardRecord, IssuingCustodian, KeyRef
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin
from sesame.simulation.wallet import Card
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, NewCardRow, replace_card, seal_context, set_card_state
from sesame.store.steps import Fate

_DKI = 1
_KEY = KeyRef("dpa-01")
_PAYMENT_KEY = DesKey(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))  # of no bank
_PROFILES: dict[CardKind, Profile] = {CardKind.BANK: BANK_CARD, CardKind.SESAME: SESAME_CARD}
_NUMBERS = {CardKind.BANK: "400000", CardKind.SESAME: "925000"}  # of demonstrations
_SINCE, _UNTIL = date(2026, 12, 1), date(2035, 12, 31)


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


async def hold(bank: Bank, user_code: UserCode, card_number: int) -> None:
    """Hold a card: once this returns, no code of it signs in."""
    await enter_hold(bank, user_code, card_number)
    await _step(bank, user_code, "card-held", card_number)


async def renew(bank: Bank, user_code: UserCode, card_number: int, new: NewCard) -> None:
    """Put *new* in the place of the customer's card *card_number*."""
    await enter_card(bank, user_code, card_number, new)
    await _step(bank, user_code, "card-renewed", card_number)


async def enter_hold(bank: Bank, user_code: UserCode, card_number: int) -> None:
    """Hold a card where nobody is served: without a step."""
    key = (bucket_of(user_code), user_code)
    await bank.store.write(
        lambda connection: set_card_state(connection, key, card_number, CardState.HELD)
    )


async def enter_card(bank: Bank, user_code: UserCode, card_number: int, new: NewCard) -> None:
    """Renew a card where nobody is served: without a step."""
    key, record = (bucket_of(user_code), user_code), new.record
    context = seal_context(user_code, card_number)
    (registered,) = await bank.custodian.register_all([(record, context)])
    row = NewCardRow(
        card_number=card_number,
        kind=new.kind,
        profile=record.profile,
        sealed=registered.sealed,
        last4=record.pan.last4,
        pan_hash=registered.pan_hash,
        psn=record.psn,
        last_atc=new.last_atc,
    )
    at = to_row(bank.now())
    await bank.store.write(lambda connection: replace_card(connection, key, row, at))


async def _step(bank: Bank, user_code: UserCode, event: str, card_number: int) -> None:
    async with bank.turnstile.through(user_code, waiting=bank.limits.waiting, first=True):
        for _ in range(bank.limits.lost_swaps):
            access = await bank.store.read_access(user_code)
            change = Change(
                event=event,
                state=access.state,
                facts={"card": card_number},
                address="",
            )
            if await settle(bank, access, change, row_time(bank.now(), access)) is Fate.WON:
                return
    raise TooBusy
