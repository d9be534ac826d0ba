"""The cards of orders are made: numbered, given a PIN inside custody, written for the bureau.

Whole or not at all. The bureau's file is on the disk before the commit and has its name after it:
until then it is a part, and the hash that the commit writes tells afterwards which of the two a
run that was cut off had reached (`sesame.posting`). Imports custody's `CardMaker`, so no door may
import it.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.dispatching import (
    ToPrint,
    new_reference,
    new_references,
    own_move,
    plan_dispatches,
    to_be_told,
    written,
)
from sesame.bank.errors import BankError
from sesame.bank.moments import to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.post_days import PostDays
from sesame.bank.staff import shown
from sesame.bank.user_code import UserCode
from sesame.card.errors import PersonalisationError
from sesame.card.numbering import SESAME_PREFIX, draw_number
from sesame.catalogue import Language
from sesame.custody.bureau_file import BureauCard
from sesame.custody.issuing import CardMaker, CardOrder, MadeCard
from sesame.store.access import Access
from sesame.store.approvals import Signer
from sesame.store.cards import CardState, NewCardRow, seal_context
from sesame.store.details import find_enrolled
from sesame.store.dispatches import (
    BUREAU,
    CARD,
    PIN,
    READER,
    WELCOME,
    BatchRow,
    find_batch,
)
from sesame.store.issuing import MadeRow, settle_made
from sesame.store.orders import SESAME, ToMake, orders_to_make

MOST_CARDS = 500  # of one file: a commit moves the rows of so many customers at once
_PSN = "01"
_NO_ADDRESS = ""  # it comes from the institution itself
_DECEMBER = 12


class PinGone(BankError):
    """The PIN of a letter is not there any more: its batch was destroyed, or its order is over."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"letter {reference}: its PIN is not there any more: order another card")
        self.reference = reference


class NoRoom(BankError):
    """A customer has as many cards as an attempt looks at."""

    def __init__(self, living: int, most: int) -> None:
        super().__init__(
            f"has {living} cards, and an attempt looks at {most}: it is made once one is retired, "
            "by the activation of what replaces it or at its end"
        )
        self.living = living
        self.most = most


class NoticeGone(BankError):
    """There is no notice that a letter would tell."""

    def __init__(self) -> None:
        super().__init__("there is no notice that it would tell")


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRules:
    """How cards are numbered, and for how long they are good."""

    prefix: str = SESAME_PREFIX
    years: int = 4

    def effective(self, made: date) -> date:
        """The eve: where the card is read first, the day may not have begun yet."""
        return made - timedelta(days=1)

    def expiry(self, made: date) -> date:
        """The last day of the month, so many years on: a card shows month and year."""
        year, month = made.year + self.years, made.month
        if month == _DECEMBER:
            return date(year, month, 31)
        return date.fromordinal(date(year, month + 1, 1).toordinal() - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An order whose card was not made, and why."""

    user_code: str
    order_number: int
    why: NoRoom | PersonalisationError


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """What a run made: the batch of the bureau's file, how many cards, and what it left out."""

    batch: str
    cards: int
    refused: Sequence[Refused] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class _Card:
    """A card on its way."""

    order: ToMake
    number: int  # of the customer's cards
    made: MadeCard
    expiry: date


async def make_cards(  # noqa: PLR0913 -- with what, by whom, and by which rules
    bank: Bank,
    maker: CardMaker,
    by: Signer,
    *,
    rules: CardRules,
    post: PostDays,
    write: Callable[[str, Sequence[BureauCard]], bytes],
    most: int = MOST_CARDS,
) -> Making:
    """Make the cards of the oldest orders, *most* of them at most; none where there are none.

    *write* puts the bureau's file on the disk, and answers its hash (32 bytes): it is called once,
    before the commit. A customer whose cards leave no room for another (but for the one that it
    replaces), or whose name no card can show, is left out and told; the order stays.

    Raises:
        MovedMeanwhile: an order was made or cancelled by somebody else: nothing was written.
        NotAllowed: *by* is no issuer any more.
        CustodyError: custody makes no cards.
        TooBusy, StoreUnavailable: it was perhaps not written; the file's hash tells.
    """
    orders = await bank.store.read(lambda connection: orders_to_make(connection, most=most))
    accesses = await _accesses(bank, [order.user_code for order in orders])
    fit, refused = _sift(bank, orders, accesses)
    today = post.day(bank.now())
    cards = []
    for order, number in fit:
        try:
            cards.append(await _make(bank, maker, order, number, rules=rules, today=today))
        except PersonalisationError as error:
            refused.append(_refused(order, error))
    if not cards:
        return Making(batch="", cards=0, refused=refused)
    while taken := await _taken(bank, cards):
        for place in taken:
            old = cards[place]
            cards[place] = await _make(bank, maker, old.order, old.number, rules=rules, today=today)
    batch = new_reference(bank.random_bytes)
    told = await to_be_told(bank, [accesses[card.order.user_code] for card in cards])
    kinds = {
        card.order.key: [CARD, PIN, READER, *([WELCOME] if tell else [])]
        for card, tell in zip(cards, told, strict=True)
    }
    references = iter(await new_references(bank, sum(map(len, kinds.values()))))
    own = {key: [next(references) for _ in own_kinds] for key, own_kinds in kinds.items()}
    manifest = write(
        batch,
        [
            BureauCard(
                reference=own[card.order.key][0],
                language=Language(card.order.language),
                groupings=card.made.groupings,
            )
            for card in cards
        ],
    )

    async def attempt() -> None:
        now = bank.now()
        rows = await _accesses(bank, [card.order.user_code for card in cards])
        facts = {"batch": batch, "by": shown(by.user_code)}
        moves = [
            plan_move(
                rows[card.order.user_code],
                "card-made",
                {**facts, "order": card.order.order_number, "card": card.number},
                now=now,
                salt=salt_of(bank),
                address=_NO_ADDRESS,
            )
            for card in cards
        ]
        moves.append(
            await own_move(
                bank,
                by,
                "cards-made",
                {"batch": batch, "cards": len(cards), "manifest": manifest.hex()},
                now,
            )
        )
        made = [
            MadeRow(
                key=card.order.key,
                order_number=card.order.order_number,
                card=_row(card),
                expires_on=card.expiry.isoformat(),
                sealed_pin=card.made.sealed_pin,
                dispatches=plan_dispatches(
                    rows[card.order.user_code],
                    card.order.order_number,
                    kinds[card.order.key],
                    own[card.order.key],
                    post=post,
                    day_0=today,
                ),
            )
            for card in cards
        ]
        row = BatchRow(batch, BUREAU, to_row(now), by.user_code, len(cards), manifest)
        await written(bank, partial(settle_made, by=by, moves=moves, made=made, batch=row))

    await until_taken(bank.limits.lost_swaps, attempt)
    return Making(batch=batch, cards=len(cards), refused=refused)


async def was_committed(bank: Bank, manifest: bytes) -> bool:
    """Whether a batch with that hash (32 bytes) is in the database, and stays there.

    Raises:
        StoreUnavailable: it cannot be told now.
    """
    found = await bank.store.read(lambda connection: find_batch(connection, manifest))
    if found is not None:
        await bank.store.seen_lasts()
    return found is not None


def read_pin(maker: CardMaker, letter: ToPrint) -> str:
    """The PIN for its one letter.

    Raises:
        PinGone: it is not there any more.
        PinSealBroken: it is another card's, or was altered.
    """
    row = letter.row
    if row.sealed_pin is None or row.card_number is None:
        raise PinGone(row.reference)
    return maker.open_pin(bytes(row.sealed_pin), seal_context(row.user_code, row.card_number))


async def _accesses(bank: Bank, codes: Sequence[str]) -> dict[str, Access]:
    rows = await asyncio.gather(*(bank.store.read_access(UserCode(code)) for code in codes))
    return {row.user_code: row for row in rows}


def _sift(
    bank: Bank, orders: Sequence[ToMake], accesses: dict[str, Access]
) -> tuple[list[tuple[ToMake, int]], list[Refused]]:
    """The orders whose card can be made, with the number it gets; and the others. Pure."""
    fit: list[tuple[ToMake, int]] = []
    refused = []
    seen: set[str] = set()
    for order in orders:
        if order.user_code in seen:
            continue  # one card of a customer in a file; the next run makes the other
        seen.add(order.user_code)
        cards = accesses[order.user_code].cards
        living = sum(card.state != CardState.RETIRED for card in cards)
        # What it replaces goes by its first use: else nobody with two cards could lose one.
        living -= any(
            card.card_number == order.replaces and card.state in {CardState.ACTIVE, CardState.HELD}
            for card in cards
        )
        if living >= bank.limits.cards:
            refused.append(_refused(order, NoRoom(living, bank.limits.cards)))
            continue
        fit.append((order, max((card.card_number for card in cards), default=0) + 1))
    return fit, refused


def _refused(order: ToMake, why: NoRoom | PersonalisationError) -> Refused:
    return Refused(user_code=order.user_code, order_number=order.order_number, why=why)


async def _make(  # noqa: PLR0913 -- for which order, with what, by which rules
    bank: Bank, maker: CardMaker, order: ToMake, number: int, *, rules: CardRules, today: date
) -> _Card:
    expiry = rules.expiry(today)
    made = await maker.make(
        CardOrder(
            pan=draw_number(rules.prefix, bank.random_bytes),
            psn=_PSN,
            name=order.name,
            language=Language(order.language),
            effective=rules.effective(today),
            expiry=expiry,
            context=seal_context(order.user_code, number),
        )
    )
    return _Card(order=order, number=number, made=made, expiry=expiry)


async def _taken(bank: Bank, cards: Sequence[_Card]) -> set[int]:
    """The places of those of *cards* whose number another card has, in the bank or among them."""
    hashes = [card.made.registered.pan_hash for card in cards]
    find = partial(
        find_enrolled, keys=(), references=(), cards=[(pan_hash, _PSN) for pan_hash in hashes]
    )
    known = {pan_hash for pan_hash, _ in (await bank.store.read(find)).cards}
    return {
        place
        for place, pan_hash in enumerate(hashes)
        if pan_hash in known or pan_hash in hashes[:place]
    }


def _row(card: _Card) -> NewCardRow:
    made = card.made
    return NewCardRow(
        card_number=card.number,
        kind=SESAME,
        profile=made.record.profile,
        sealed=made.registered.sealed,
        last4=made.last4,
        pan_hash=made.registered.pan_hash,
        psn=made.record.psn,
        last_atc=0,
        state=CardState.WAITING,
    )
