"""Showing the number of a card: to whoever asked, once, soon after a yes."""

from functools import partial

from sesame.bank.approvals import Unseen, card_of, unseen
from sesame.bank.approving import find_request, request_facts
from sesame.bank.bank import Bank
from sesame.bank.desk_limits import desk_limits
from sesame.bank.errors import NotAllowed, NotShown
from sesame.bank.moments import to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.custody.custodian import RevealingCustodian
from sesame.emv.pan import Pan
from sesame.store.approvals import Written, use_approval
from sesame.store.cards import seal_context

EVENT = "number-shown"


async def reveal_number(
    bank: Bank, revealing: RevealingCustodian, by: Staff, approval: bytes, *, address: str
) -> Pan:
    """The number of the card that *by* asked to see. The yes is used up, and two chains say so.

    They do before it is given away: where the commit is lost it is not shown.

    Raises:
        NotShown: it is not, or no more; says why.
        NotAllowed: the account of *by* was closed or changed meanwhile.
        CustodyError: custody says no number, or none to this process; the yes is still good.
        TooBusy, StoreUnavailable: the yes is perhaps used up.
    """

    async def attempt() -> Pan:
        within = (await desk_limits(bank)).number_shown_within
        asked = await find_request(bank, approval)
        if asked is None:
            raise NotShown(Unseen.NOBODY)
        now = bank.now()
        if (why := unseen(asked, by.user_code, by.roles, now, within=within)) is not None:
            raise NotShown(why)
        theirs = await bank.store.read_access(UserCode(asked.subject))
        own = await bank.store.read_access(by.user_code)
        number = card_of(asked.payload)
        card = next((one for one in theirs.cards if one.card_number == number), None)
        if card is None:
            raise NotShown(Unseen.NOBODY)
        pan = await revealing.reveal(card.sealed, seal_context(asked.subject, number))
        facts = request_facts(asked) | {"card": number}
        plan = partial(plan_move, event=EVENT, facts=facts, now=now, address=address)
        moves = [plan(access, salt=salt_of(bank)) for access in (theirs, own)]
        done = await bank.store.write(
            lambda connection: use_approval(
                connection,
                approval,
                by.signer,
                moves,
                since=to_row(now - within),
                at=to_row(now),
            )
        )
        if done is Written.NO_RIGHT:
            raise NotAllowed
        if done is Written.NOTHING:
            raise NotShown(Unseen.SEEN)
        return pan

    return await until_taken(bank.limits.lost_swaps, attempt)
