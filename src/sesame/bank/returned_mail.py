"""Mail that came back (« NPAI »), and what is sent once more: to an address that was looked at.

Whoever holds a bag of returned mail holds cards, PIN letters and activation numbers: what came
back opens nothing any more. A card, or one whose PIN letter came back, is retired. Where it is the
reader's parcel, the activation number in it is void; a card of ours that signs in already is held.
A user code is no secret, and a reader for a bank card none either: no card is held for these.
Whatever came back, nothing else goes there, but for what tells of a change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import msgspec

from sesame.bank.approvals import Asked, Kind, Payload, Wish
from sesame.bank.approving import ask
from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.dispatching import is_reference, new_references, plan_dispatches, written
from sesame.bank.errors import (
    AskedAlready,
    NoSuchCustomer,
    NoSuchLetter,
    NothingToOrder,
    TakesTwo,
)
from sesame.bank.moments import to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.orders import ORDERED, Reason
from sesame.bank.post_days import PostDays
from sesame.bank.staff import shown
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.store.access import Access
from sesame.store.approvals import Signer
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState
from sesame.store.details import has_address
from sesame.store.dispatches import (
    CARD,
    ELEMENTS,
    PIN,
    READER,
    REMINDER,
    WELCOME,
    DispatchRow,
    list_dispatches,
    read_dispatch,
    returned_mail,
    voided_with,
)
from sesame.store.issuing import (
    ReturnedMail,
    settle_ordered,
    settle_planned,
    settle_returned,
)
from sesame.store.orders import SESAME, OrderRow, list_orders, stands_for

_NOTICE = 16  # bytes
_MOST_SHOWN = 200

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """What a letter that came back has done."""

    kind: str
    user_code: str
    retired: bool  # the card is over, and another can be ordered
    held: int  # cards that sign in no more, nor by a number of their owner's
    withdrawn: bool  # the activation number in it is void


async def record_returned(bank: Bank, reference: str, by: Signer, *, address: str) -> CameBack:
    """Write down that the letter with that reference came back, and suspend what it was part of.

    Raises:
        NoSuchLetter: none is at the post under it, or it was written down before.
        NotAllowed: *by* may not, any more.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """

    async def attempt() -> CameBack:
        now = bank.now()
        dispatch = await _find(bank, reference)
        if dispatch is None or dispatch.posted_at is None or dispatch.returned_at is not None:
            raise NoSuchLetter(reference)
        access = await bank.store.read_access(UserCode(dispatch.user_code))
        order = await _order_of(bank, dispatch)
        mail = _suspended(bank, dispatch, order, access)
        facts: dict[str, Fact] = {
            "letter": dispatch.kind,
            "reference": reference,
            "by": shown(by.user_code),
            "retired": [] if mail.retires is None else [[mail.retires]],
            "held": [[number] for number in mail.holds],
        }
        move = plan_move(
            access,
            "mail-returned",
            facts,
            now=now,
            salt=salt_of(bank),
            address=address,
            ends_sessions=bool(mail.holds or mail.retires),
        )
        if not await written(
            bank, partial(settle_returned, by=by, move=move, mail=mail, at=to_row(now))
        ):
            raise NoSuchLetter(reference)
        return CameBack(
            kind=dispatch.kind,
            user_code=dispatch.user_code,
            retired=mail.retires is not None,
            held=len(mail.holds),
            withdrawn=mail.withdraws is not None,
        )

    return await until_taken(bank.limits.lost_swaps, attempt)


async def send_again(
    bank: Bank, reference: str, by: Signer, post: PostDays, *, address: str
) -> str:
    """Have sent once more what came back under *reference*: the address was looked at again.

    A card that was retired is ordered anew, with all that goes with it; anything else is planned
    anew, but what told of a change, or reminded, is not told again. With it goes what was not
    posted any more because of it, and a number in the place of one that is void because of it. What
    is sent: `card`, or the kind.

    Raises:
        NoSuchLetter: no letter of that reference came back.
        NothingToOrder: that was done already, or nothing waits.
        TakesTwo: the PIN was printed: `ask_for_another` asks for what a second person decides.
        NotAllowed, TooBusy, StoreUnavailable: as `record_returned`.
    """

    async def attempt() -> str:
        now = bank.now()
        dispatch = await _find(bank, reference)
        if dispatch is None or dispatch.returned_at is None:
            raise NoSuchLetter(reference)
        access = await bank.store.read_access(UserCode(dispatch.user_code))
        key = (dispatch.bucket, dispatch.user_code)
        order = await _order_of(bank, dispatch)
        facts: dict[str, Fact] = {"reference": reference, "by": shown(by.user_code)}
        plan = partial(plan_move, access, now=now, salt=salt_of(bank), address=address)
        orders = await bank.store.read(lambda connection: list_orders(connection, key))
        stopped = await _stopped_with(bank, dispatch, orders)
        if dispatch.kind in {CARD, PIN} and order is not None:
            if any(one.ordered_at >= dispatch.returned_at for one in orders):
                raise NothingToOrder
            if await _was_printed(bank, dispatch):
                raise TakesTwo
            own = order.card_number
            move = plan(ORDERED, {**facts, "kind": SESAME, "reason": Reason.RETURNED.value})
            settle = partial(
                settle_ordered,
                by=by,
                move=move,
                reason=Reason.RETURNED,
                replaces=None if own is None else stands_for(order, own),
                planned=await _planned(bank, access, stopped, post, now),
                at=to_row(now),
            )
            await written(bank, settle)
            return CARD
        sent = await bank.store.read(lambda connection: list_dispatches(connection, key))
        itself = [(dispatch.kind, dispatch.order_number)] if dispatch.kind in ELEMENTS else []
        if any(_goes_again(sent, one, dispatch) for one in itself):
            raise NothingToOrder
        missing = dict.fromkeys([*itself, *stopped, *_without_number(access, orders, dispatch)])
        again = [one for one in missing if not _goes_again(sent, one, dispatch)]
        if not again:
            raise NothingToOrder
        rows = await _planned(bank, access, again, post, now)
        move = plan("letter-ordered", {**facts, "letter": dispatch.kind})
        await written(bank, partial(settle_planned, by=by, move=move, dispatches=rows))
        return dispatch.kind

    return await until_taken(bank.limits.lost_swaps, attempt)


async def ask_for_another(
    bank: Bank, reference: str, by: Staff, post: PostDays, *, address: str
) -> Asked:
    """Ask for another card in the place of one whose PIN was printed: an officer decides.

    What else the return stopped, of other orders, is planned anew at once.

    Raises:
        NoSuchLetter: no card or PIN letter of that reference came back.
        NothingToOrder: that was asked for or done already.
        NotAllowed, TooBusy, StoreUnavailable: as `record_returned`.
    """
    dispatch = await _find(bank, reference)
    order = None if dispatch is None else await _order_of(bank, dispatch)
    if (
        dispatch is None
        or dispatch.returned_at is None
        or dispatch.kind not in {CARD, PIN}
        or order is None
        or order.card_number is None
    ):
        raise NoSuchLetter(reference)
    key = (dispatch.bucket, dispatch.user_code)
    orders = await bank.store.read(lambda connection: list_orders(connection, key))
    if any(one.ordered_at >= dispatch.returned_at for one in orders):
        raise NothingToOrder
    payload: Payload = {"card": order.card_number, "returned": reference}
    wish = Wish(Kind.REPRINT_PIN, UserCode(dispatch.user_code), payload, Reason.RETURNED)
    await _plan_stopped(bank, dispatch, orders, by.signer, post, address=address)
    try:
        return await ask(bank, by, wish, address=address)
    except AskedAlready:
        raise NothingToOrder from None


async def _plan_stopped(  # noqa: PLR0913 -- what, by whom, when, from where
    bank: Bank,
    dispatch: DispatchRow,
    orders: Sequence[OrderRow],
    by: Signer,
    post: PostDays,
    *,
    address: str,
) -> None:
    key = (dispatch.bucket, dispatch.user_code)
    stopped = await _stopped_with(bank, dispatch, orders)

    async def attempt() -> None:
        now = bank.now()
        access = await bank.store.read_access(UserCode(dispatch.user_code))
        sent = await bank.store.read(lambda connection: list_dispatches(connection, key))
        again = [one for one in stopped if not _goes_again(sent, one, dispatch)]
        if not again:
            return
        rows = await _planned(bank, access, again, post, now)
        move = plan_move(
            access,
            "letter-ordered",
            {"reference": dispatch.reference, "by": shown(by.user_code), "letter": again[0][0]},
            now=now,
            salt=salt_of(bank),
            address=address,
        )
        await written(bank, partial(settle_planned, by=by, move=move, dispatches=rows))

    await until_taken(bank.limits.lost_swaps, attempt)


async def _was_printed(bank: Bank, dispatch: DispatchRow) -> bool:
    """Whether the PIN that goes with *dispatch*, or is in it, was on paper."""
    key = (dispatch.bucket, dispatch.user_code)
    sent = await bank.store.read(lambda connection: list_dispatches(connection, key))
    return any(
        one.kind == PIN and one.order_number == dispatch.order_number and one.printed_at is not None
        for one in sent
    )


async def reprint_welcome(bank: Bank, user_code: UserCode, by: Signer, *, address: str) -> str:
    """Have the user code of a customer posted to them once more; the letter's reference.

    Raises:
        NoSuchCustomer: nobody has that user code, or nothing is known of where they live.
        NotAllowed, TooBusy, StoreUnavailable: as `record_returned`.
    """

    async def attempt() -> str:
        now = bank.now()
        access = await bank.store.read_access(user_code)
        key = (bucket_of(user_code), user_code)
        if not access.enrolled or not await bank.store.read(
            lambda connection: has_address(connection, key)
        ):
            raise NoSuchCustomer
        (reference,) = await new_references(bank, 1)
        row = DispatchRow(reference, *key, WELCOME, None, to_row(now))
        move = plan_move(
            access,
            "letter-ordered",
            {"letter": WELCOME, "reference": reference, "by": shown(by.user_code)},
            now=now,
            salt=salt_of(bank),
            address=address,
        )
        await written(bank, partial(settle_planned, by=by, move=move, dispatches=[row]))
        return reference

    return await until_taken(bank.limits.lost_swaps, attempt)


async def came_back(bank: Bank) -> Sequence[DispatchRow]:
    """The mail that came back, newest first."""
    return await bank.store.read(lambda connection: returned_mail(connection, most=_MOST_SHOWN))


async def _find(bank: Bank, reference: str) -> DispatchRow | None:
    """The letter of that reference; None where there is none, or it is not written as one is."""
    if not is_reference(reference):
        return None
    return await bank.store.read(lambda connection: read_dispatch(connection, reference))


async def _order_of(bank: Bank, dispatch: DispatchRow) -> OrderRow | None:
    key = (dispatch.bucket, dispatch.user_code)
    orders = await bank.store.read(lambda connection: list_orders(connection, key))
    return next((one for one in orders if one.order_number == dispatch.order_number), None)


def _suspended(
    bank: Bank, dispatch: DispatchRow, order: OrderRow | None, access: Access
) -> ReturnedMail:
    """What follows from *dispatch* having come back."""
    states = {card.card_number: card.state for card in access.cards}
    own = None if order is None else order.card_number
    retires = own if dispatch.kind in {CARD, PIN} and own is not None else None
    # A reader alone, for a bank card, and a user code open nothing: whoever finds them has nothing,
    # and their owner would be shut out without being told.
    signs_in = own is not None and states.get(own) in {CardState.ACTIVE, CardState.HELD}
    holds = [own] if dispatch.kind == READER and signs_in and own is not None else []
    waits = own is not None and states.get(own) == CardState.WAITING
    return ReturnedMail(
        dispatch=dispatch,
        retires=retires,
        holds=holds,
        withdraws=dispatch.order_number if waits and dispatch.kind in ELEMENTS else None,
        reason=Reason.RETURNED,
        notice=bank.random_bytes(_NOTICE),
        facts=_encode({"letter": dispatch.kind, "held": len(holds)}),
    )


def _goes_again(
    sent: Sequence[DispatchRow], letter: tuple[str, int | None], dispatch: DispatchRow
) -> bool:
    """Whether *letter*, by kind and order, goes since *dispatch* came back: pure."""
    return any(
        (one.kind, one.order_number) == letter
        and one.voided_at is None
        and one.returned_at is None
        and (one.posted_at is None or one.posted_at > (dispatch.returned_at or 0))
        for one in sent
    )


def _without_number(
    access: Access, orders: Sequence[OrderRow], dispatch: DispatchRow
) -> list[tuple[str, int | None]]:
    """The parcel of the order whose number is void since *dispatch* came back: pure."""
    waiting = {card.card_number for card in access.cards if card.state == CardState.WAITING}
    return [
        (READER, order.order_number)
        for order in orders
        if order.order_number == dispatch.order_number
        and order.card_number in waiting
        and order.activation_hash is not None  # its parcel was printed
        and order.activation_until is None
    ]


async def _stopped_with(
    bank: Bank, dispatch: DispatchRow, orders: Sequence[OrderRow]
) -> list[tuple[str, int | None]]:
    """What the return of *dispatch* kept from being posted, each by kind and order that stands."""
    at = dispatch.returned_at or 0
    key = (dispatch.bucket, dispatch.user_code)
    over = {one.order_number for one in orders if one.cancelled_at is not None}
    stopped = await bank.store.read(lambda connection: voided_with(connection, key, at))
    found = {(one.kind, one.order_number) for one in stopped if one.order_number not in over}
    kinds = (*ELEMENTS, REMINDER)
    return [one for kind in kinds for one in sorted(found, key=str) if one[0] == kind]


async def _planned(
    bank: Bank,
    access: Access,
    letters: Sequence[tuple[str, int | None]],
    post: PostDays,
    now: datetime,
) -> list[DispatchRow]:
    """Letters, by kind and order, as they are planned from today on."""
    references = await new_references(bank, len(letters))
    return [
        row
        for (kind, order), reference in zip(letters, references, strict=True)
        for row in plan_dispatches(
            access, order, [kind], [reference], post=post, day_0=post.day(now)
        )
    ]
