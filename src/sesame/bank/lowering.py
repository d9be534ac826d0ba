"""Lowering what the bank expects of a counter: only while no code of its card was accepted.

An import may state a last ATC that is too high, by a slip of the keyboard. The card makes codes
below it, and each is refused as overtaken, until its payments have brought it there. As soon as
one code was accepted it is the last one that counts, and nothing lowers that.
"""

from enum import StrEnum, unique

from sesame.bank.approvals import Asked, Kind, Wish, lowering_of, may_ask
from sesame.bank.approving import ask
from sesame.bank.bank import Bank
from sesame.bank.errors import NotAllowed, NothingToRelease, NotLowered
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.store.buckets import bucket_of
from sesame.store.cards import Standing, find_standing, may_fall


@unique
class Unlowered(StrEnum):
    """Why a counter cannot fall, or not so far."""

    NO_CARD = "no-such-card"
    NOTHING = "nothing-to-lower"  # it began at 0, or before the bank kept what cards begin with
    ACCEPTED = "accepted-since"
    NOT_LOWER = "not-lower"
    UNSURE = "unsure"  # an older backup was restored: what was accepted since is not known


async def ask_to_lower(  # noqa: PLR0913 -- who, whose card, to what, why, and from where
    bank: Bank, by: Staff, user_code: UserCode, last4: str, to: int, *, reason: str, address: str
) -> Asked:
    """Ask that the card that ends with *last4* be expected from above *to* on (0 to 65534).

    Raises:
        NotLowered: it cannot fall, or not so; says why.
        AskedAlready: such a request for that card is open.
        NotAllowed, UnsuitableReason, TooBusy, StoreUnavailable: as `ask`.
    """
    if not may_ask(Kind.COUNTER, by.roles):
        raise NotAllowed
    standing = await _find(bank, user_code, last4)
    if (why := unlowered(standing, to)) is not None or standing is None:
        raise NotLowered(why or Unlowered.NO_CARD)
    payload = {"card": standing.card_number, "from": standing.last_atc, "to": to}
    wish = Wish(Kind.COUNTER, user_code, payload, reason)
    try:
        return await ask(bank, by, wish, address=address)
    except NothingToRelease:  # a code was accepted meanwhile, or the rows do not tell why
        why = unlowered(await _find(bank, user_code, last4), to)
        raise NotLowered(why or Unlowered.UNSURE) from None


async def still_falls(bank: Bank, asked: Asked) -> bool:
    """Whether a yes to what was *asked* would lower the counter now.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    fall, key = lowering_of(asked.payload), (bucket_of(asked.subject), asked.subject)
    return fall is not None and await bank.store.read(
        lambda connection: may_fall(connection, key, fall)
    )


def unlowered(standing: Standing | None, to: int) -> Unlowered | None:
    """Why the counter that is *standing* so cannot fall *to* an ATC; None where it can. Pure."""
    if standing is None:
        return Unlowered.NO_CARD
    if not standing.begun:
        return Unlowered.NOTHING
    if standing.last_atc != standing.begun:
        return Unlowered.ACCEPTED
    return None if 0 <= to < standing.last_atc else Unlowered.NOT_LOWER


async def _find(bank: Bank, user_code: UserCode, last4: str) -> Standing | None:
    key = (bucket_of(user_code), user_code)
    return await bank.store.read(lambda connection: find_standing(connection, key, last4))
