"""A customer's own hold: all their cards stop making logins, at once, until they lift it.

Whoever is signed in may hold, with the old code too; only a code of a held card with the number
that was shown then lifts it (`sesame.bank.activation`), or the desk, by two persons. Payments are
not ours: docs/decisions/0037.
"""

from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from sesame.bank.activation import NumberUse, number_of, release_hash
from sesame.bank.bank import Bank
from sesame.bank.errors import NothingToHold, TooBusy
from sesame.bank.origin import Origin
from sesame.bank.sessions import Session
from sesame.bank.settling import Change, row_time, settle
from sesame.custody.custodian import KeyUsage
from sesame.store.access import Access
from sesame.store.cards import CardState, Key
from sesame.store.holds import has_own_hold
from sesame.store.own_hold import OwnHolding
from sesame.store.steps import Fate

HOLD = "hold"  # the event
_NOTICE_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Held:
    """The customer's cards are held. `number` (eight digits) is what lifts it, shown once."""

    number: str = field(repr=False)


async def may_hold(bank: Bank, session: Session) -> bool:
    """Whether a card of the customer's signs in, so that there is something to hold."""
    return bool(_active(await bank.store.read_access(session.user_code)))


async def hold_own(bank: Bank, session: Session, origin: Origin, form: bytes) -> Held:
    """Hold all cards of whoever is signed in, and end their other sessions.

    *form* (16 bytes) is one form's: the same one sent twice is answered alike, with its number.

    Raises:
        NothingToHold: none of their cards signs in.
        TooBusy: others moved the access first; nothing is held.
        StoreUnavailable: it is perhaps not held.
    """
    number = await _number(bank, session, form)
    async with bank.turnstile.through(session.user_code, waiting=bank.limits.waiting, first=True):
        for _ in range(bank.limits.lost_swaps):
            access = await bank.store.read_access(session.user_code)
            key = (access.bucket, access.user_code)
            kept = await release_hash(bank, key, number)
            if await _lasts(bank, key, kept):
                return Held(number)
            active = _active(access)
            if not active:
                raise NothingToHold
            change = Change(
                event=HOLD,
                state=replace(access.state, session_epoch=access.state.session_epoch + 1),
                facts={
                    "door": origin.door,
                    "means": session.means,
                    "held": [[card_number] for card_number in active],
                },
                address=origin.address,
                attempt=form,
                cards=OwnHolding(
                    cards=active,
                    release_hash=kept,
                    goes_on=session.id,
                    event=HOLD,
                    notice=bank.random_bytes(_NOTICE_LENGTH),
                ),
            )
            if await settle(bank, access, change, row_time(bank.now(), access)) is Fate.WON:
                return Held(number)
    raise TooBusy


def _active(access: Access) -> tuple[int, ...]:
    return tuple(card.card_number for card in access.cards if card.state == CardState.ACTIVE)


async def _number(bank: Bank, session: Session, form: bytes) -> str:
    """The number of that form's hold: of chance that only its session has, by custody's key.

    It follows from the form, so that a second click, which is all that a browser shows of two,
    reads the number that is kept.
    """
    asked = f"{NumberUse.RELEASE}-number|{session.user_code}|".encode() + session.id + form
    return number_of(await bank.custodian.mac(KeyUsage.SESSION, asked))


async def _lasts(bank: Bank, key: Key, kept: bytes) -> bool:
    """Whether the hold of that number is there already, for good: a second click."""
    look = partial(has_own_hold, key=key, release_hash=kept)
    return await bank.store.read(look) and await bank.store.lasts(*key, look)
