"""Bank cards for people who are customers already: a file of them, by two persons' word.

The card service makes a bank card and knows when another comes in its place; a file of it says so
here. A row gives a card, or ends one that it replaces, or both, and what is so already stays: the
same file may come twice. Each customer is told. docs/decisions/0041.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import BinaryIO

import msgspec

from sesame.bank.approvals import Asked, Kind, Wish, file_of
from sesame.bank.approving import ask, granted_since
from sesame.bank.audit import BANK_CARD_GIVEN, Fact
from sesame.bank.bank import Bank
from sesame.bank.customer_file import (
    BANK_CARDS,
    Fields,
    FileFormat,
    Problem,
    Trouble,
    read_fields,
)
from sesame.bank.customer_row import CardRow, read_card_row
from sesame.bank.customers import CardKind, card_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.notices import Event
from sesame.bank.orders import GRANT_GOOD_FOR
from sesame.bank.staff import BANK_ITSELF, shown
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.custody.custodian import KeyRef, Registered
from sesame.store.access import Access
from sesame.store.aging import NewNotice
from sesame.store.bank_cards import (
    Gift,
    HadCard,
    Holder,
    find_by_references,
    find_holders,
    find_owners,
    take_gifts,
)
from sesame.store.buckets import bucket_of
from sesame.store.cards import CardState, Key, seal_context
from sesame.store.names import is_same_name
from sesame.store.notices import NOTICE_ID
from sesame.store.seen import Seen

ENDED = "bank-card-ended"  # the event of a line; `BANK_CARD_GIVEN` is the other
_TOLD = {  # what is told, by whether a card is given and whether one ends
    (True, False): Event.BANK_CARD,
    (True, True): Event.BANK_CARD_INSTEAD,
    (False, True): Event.RETIRED,
}
_BATCH = 200  # rows of one commit: logins of the same customers wait for it
_NO_ADDRESS = ""  # it comes from the institution itself


async def ask_for_bank_cards(  # noqa: PLR0913 -- who asks, for which file, why, and from where
    bank: Bank, by: Staff, sha256: str, rows: int, *, reason: str, address: str
) -> Asked:
    """Ask that the cards of a file be given: that with this SHA-256 (hex), of so many *rows*.

    Raises:
        NothingToRelease: that is no such digest, or no row.
        NotAllowed, UnsuitableReason, AskedAlready, TooBusy, StoreUnavailable: as `ask`.
    """
    wish = Wish(Kind.BANK_CARDS, BANK_ITSELF, {"sha256": sha256, "count": rows}, reason)
    return await ask(bank, by, wish, address=address)


async def find_grant(bank: Bank, sha256: str, rows: int) -> Asked | None:
    """The newest request for that file that was granted, and not too long ago; None: none was.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    granted = await granted_since(bank, Kind.BANK_CARDS, bank.now() - GRANT_GOOD_FOR)
    return next(
        (asked for asked in reversed(granted) if file_of(asked.payload) == (sha256, rows)), None
    )


@dataclass(slots=True)
class CardCounts:
    """What became of the rows so far. They sum up: each row is in one of the four."""

    given: int = 0  # in a rehearsal: would be
    ended: int = 0  # cards alone, whose successor was there
    there: int = 0  # nothing was left to do
    refused: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.given + self.ended + self.there + self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Giving:
    """How the rows of a file are gone through, and who is told what.

    By a `grant` cards are given, and who gave the command stands in their lines (`by`); without
    one everything is tried but the writing, the registration of cards in custody included. `tell`
    hears of each problem, `after` of each batch that is done.
    """

    bank: Bank
    keys: Mapping[int, KeyRef]  # issuer keys of cards, by DKI
    grant: Asked | None
    by: str
    tell: Callable[[Problem], None]
    after: Callable[[CardCounts], None] = lambda counts: None  # noqa: ARG005
    counts: CardCounts = field(default_factory=CardCounts)

    async def read(self, file: BinaryIO, kind: FileFormat, *, delimiter: str = ",") -> CardCounts:
        """Go through the rows of *file*, which is open at its start, by 200 and a commit each.

        Raises:
            UnreadableCustomers: the file as a whole is none of this kind; nothing was done.
            BankError, CustodyError, StoreError: bank, custody or database do not go on. What was
                done before stays, and the same can be begun again.
            OSError: the file cannot be read to its end; likewise.
        """
        with Seen() as seen:
            lines = read_fields(file, kind, BANK_CARDS, delimiter=delimiter)
            rows = self._rows(lines, seen)
            while batch := list(islice(rows, _BATCH)):
                await self._take(batch, seen)
                self.after(self.counts)
        self.after(self.counts)
        return self.counts

    def _rows(self, lines: Iterable[tuple[int, Fields | Problem]], seen: Seen) -> Iterator[CardRow]:
        """The rows that are right by themselves, and whose card stands in none before."""
        for line, fields in lines:
            row = (
                [fields] if isinstance(fields, Problem) else read_card_row(line, fields, self.keys)
            )
            if isinstance(row, CardRow):
                record = row.card.record
                card = ("pan", f"{record.pan.digits} {record.psn}")
                before = seen.first_lines(line, [card])
                if not before:
                    yield row
                    continue
                row = [Problem(line, name, Trouble.TWICE, on) for name, on in before.items()]
            self.counts.refused += 1
            for problem in row:
                self.tell(problem)

    async def _take(self, rows: Sequence[CardRow], seen: Seen) -> None:
        """Do what *rows* say in one commit: a customer stands in a file once."""
        references = [row.reference for row in rows if row.reference is not None]
        found = await self.bank.store.read(partial(find_by_references, references=references))
        left: dict[Key, CardRow] = {}
        for row in rows:
            key = _whose(row, found)
            if isinstance(key, Problem):
                self._refuse(key)
            elif before := seen.first_lines(row.line, [("user_code", key[1])]):
                self._refuse(Problem(row.line, _named_by(row), Trouble.TWICE, *before.values()))
            else:
                left[key] = row
        if left:
            await self._take_each(left)

    async def _take_each(self, rows: Mapping[Key, CardRow]) -> None:
        plans = await until_taken(self.bank.limits.lost_swaps, partial(self._attempt, rows))
        for plan in plans:
            if isinstance(plan, Problem):
                self._refuse(plan)
            elif plan.gives:
                self.counts.given += 1
            elif plan.ends:
                self.counts.ended += 1
            else:
                self.counts.there += 1

    async def _attempt(self, rows: Mapping[Key, CardRow]) -> list["Problem | _Plan"]:
        store = self.bank.store
        # The rows of `access` first: whatever comes in between moves them.
        accesses = await asyncio.gather(*(store.read_access(UserCode(code)) for _, code in rows))
        holders = await store.read(partial(find_holders, keys=list(rows)))
        numbers = [max((card.card_number for card in a.cards), default=0) + 1 for a in accesses]
        registered = await self.bank.custodian.register_all(
            [
                (row.card.record, seal_context(code, number))
                for ((_, code), row), number in zip(rows.items(), numbers, strict=True)
            ]
        )
        cards = [
            (known.pan_hash, row.card.record.psn)
            for row, known in zip(rows.values(), registered, strict=True)
        ]
        owners = await store.read(partial(find_owners, cards=cards))
        plans = [
            _plan(row, holders.get(key), owners.get(card), key, most=self.bank.limits.cards)
            for (key, row), card in zip(rows.items(), cards, strict=True)
        ]
        if self.grant is not None:
            each = zip(plans, rows.values(), accesses, numbers, registered, strict=True)
            gifts = [
                self._gift(self.grant, plan, row, access, number, known)
                for plan, row, access, number, known in each
                if not isinstance(plan, Problem) and (plan.gives or plan.ends)
            ]
            if gifts:
                # A card that came back by a restore may have signed in before.
                unsure_for = self.bank.limits.challenge_first // timedelta(microseconds=1)
                await store.write(partial(take_gifts, gifts=gifts, unsure_for=unsure_for))
        return plans

    def _gift(  # noqa: PLR0913, PLR0917 -- by whose word, what, for whom
        self,
        grant: Asked,
        plan: "_Plan",
        row: CardRow,
        access: Access,
        number: int,
        known: Registered,
    ) -> Gift:
        card = card_row(number, row.card, known) if plan.gives else None
        facts: dict[str, Fact] = {
            "retired": [[ended] for ended in plan.ends],
            "request": grant.id.hex(),
            "asked_by": shown(grant.requested_by),
            "by": self.by,
        }
        if card is not None:
            facts["cards"] = [[number, card.profile, card.last_atc]]
        bank, event = self.bank, ENDED if card is None else BANK_CARD_GIVEN
        move = plan_move(
            access, event, facts, now=bank.now(), salt=salt_of(bank), address=_NO_ADDRESS
        )
        last4 = row.ends if card is None else card.last4
        notice = NewNotice(
            id=bank.random_bytes(NOTICE_ID),
            event=_TOLD[plan.gives, bool(plan.ends)],
            facts=msgspec.json.encode({"last4": [last4]}),
        )
        return Gift(move=move, card=card, ends=plan.ends, notice=notice)

    def _refuse(self, problem: Problem) -> None:
        self.counts.refused += 1
        self.tell(problem)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a row still asks for."""

    gives: bool
    ends: tuple[int, ...]  # the numbers of cards


def _whose(row: CardRow, by_reference: Mapping[str, Key]) -> Key | Problem:
    """At which key the customer of *row* is, or would be: pure."""
    key = None if row.user_code is None else (bucket_of(row.user_code), str(row.user_code))
    named = by_reference.get(row.reference) if row.reference is not None else key
    if named is None or key not in {None, named}:
        return Problem(row.line, "reference", Trouble.NO_CUSTOMER)
    return named


def _plan(
    row: CardRow,
    holder: Holder | None,
    owner: tuple[Key, int] | None,
    key: Key,
    *,
    most: int,
) -> _Plan | Problem:
    """What *row* still asks for of the customer at *key*; or why it cannot be: pure.

    *owner*: whose the card is already, and by which number. *most*: living cards of a customer.
    """
    if holder is None:
        return Problem(row.line, _named_by(row), Trouble.NO_CUSTOMER)
    if not is_same_name(holder.name, row.name):
        return Problem(row.line, "name", Trouble.ANOTHER_NAME)
    if owner is not None and owner[0] != key:
        return Problem(row.line, "pan", Trouble.CARD_TAKEN)
    there = next((card for card in holder.cards if owner and card.number == owner[1]), None)
    ends = _to_end(row, holder, there)
    if isinstance(ends, Problem):
        return ends
    plan = _Plan(there is None, ends)
    trouble = _barred(plan, holder, there, most=most)
    if trouble is None:
        return plan
    return Problem(row.line, "pan", trouble, most if trouble is Trouble.NO_ROOM else 0)


def _to_end(row: CardRow, holder: Holder, there: HadCard | None) -> tuple[int, ...] | Problem:
    """The numbers of the cards that end, as far as they live.

    Only such as were there before the card of the row: it is what replaces them, and none that
    came since.
    """
    if row.ends is None:
        return ()
    named = [
        card
        for card in holder.cards
        if card.kind == CardKind.BANK
        and card.last4 == row.ends
        and (there is None or card.number < there.number)
    ]
    if not named:
        return Problem(row.line, "ends", Trouble.NO_SUCH_CARD)
    return tuple(card.number for card in named if card.state != CardState.RETIRED)


def _barred(plan: _Plan, holder: Holder, there: HadCard | None, *, most: int) -> Trouble | None:
    """Why *plan* cannot be done now; None where it can."""
    if there is not None and there.state == CardState.RETIRED:
        return Trouble.CARD_STOPPED
    if there is not None and there.state == CardState.HELD and plan.ends:
        return Trouble.CARD_STOPPED  # or they would have none
    if holder.holds and (plan.gives or plan.ends):
        return Trouble.OWN_HOLD
    living = sum(card.state != CardState.RETIRED for card in holder.cards) - len(plan.ends)
    return Trouble.NO_ROOM if plan.gives and living >= most else None


def _named_by(row: CardRow) -> str:
    """The field that says whose it is."""
    return "reference" if row.user_code is None else "user_code"
