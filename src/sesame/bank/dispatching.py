"""Four dispatches to a customer: card, PIN letter, reader, user code; each in a batch of its own.

No two of them are in one batch or posted on one day: what is printed waits until all else of its
customer is at the post, since the day before at least. Each batch is a line in the chain of the
member of staff who printed, posted or destroyed it; the manifest's hash stands in it. Knows no key:
what opens a PIN is `sesame.bank.issuing`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar

from sesame.bank.activation import activation_hash, make_number
from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.errors import (
    BatchDone,
    MovedMeanwhile,
    NoSuchBatch,
    NotAllowed,
    NotOnThatDay,
    ReadersMissing,
    TwoOnThatDay,
)
from sesame.bank.moments import from_row, to_row
from sesame.bank.moves import plan_move, salt_of, until_taken
from sesame.bank.post_days import PostDays
from sesame.bank.staff import Role, read_roles
from sesame.bank.user_code import ALPHABET, UserCode
from sesame.store.access import Access
from sesame.store.approvals import Move, Signer
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import (
    BUREAU,
    CARD,
    READER,
    REMINDER,
    BatchRow,
    DispatchRow,
    When,
    known_references,
    open_batches,
    posted_before,
    read_batch,
    voided_in,
    welcomed,
)
from sesame.store.errors import LettersMoved
from sesame.store.issuing import (
    NoRight,
    Postponed,
    PrintedRow,
    TwoOnOneDay,
    settle_destroyed,
    settle_posted,
    settle_printed,
)
from sesame.store.orders import SESAME, Activation
from sesame.store.posting import LetterRow, count_due, letters_to_print, void_overtaken
from sesame.store.readers import readers_in_stock
from sesame.store.staff import read_staff

Answer = TypeVar("Answer")

MOST_LETTERS = 10_000  # of one batch
_HALF = 4  # characters of a reference on either side of its hyphen
_REFERENCE = re.compile(r"[A-Z0-9][A-Z0-9-]{1,22}[A-Z0-9]")
_NO_ADDRESS = ""  # it comes from the institution itself


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ToPrint:
    """A letter that is to be printed, with the reader and the activation number in its parcel."""

    row: LetterRow
    serial: str | None = None
    model: str | None = None
    activation: str | None = field(default=None)  # 1234-5678

    def __repr__(self) -> str:
        return "ToPrint()"


async def find_signer(bank: Bank, code: UserCode, role: Role) -> Signer:
    """The member of staff with that code, by their roles of now.

    Raises:
        NotAllowed: nobody is, or *role* is none of theirs.
    """
    key = (bucket_of(code), code)
    row = await bank.store.read(lambda connection: read_staff(connection, key))
    gone = row is None or row.begun_at is None or row.closed_at is not None
    if row is None or gone or role not in read_roles(row.roles):
        raise NotAllowed
    return Signer(row.user_code, row.roles)


def new_reference(random_bytes: Callable[[int], bytes]) -> str:
    """A reference by chance, `7QK4-XM2P`: it says nothing."""
    signs = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random_bytes(2 * _HALF))
    return f"{signs[:_HALF]}-{signs[_HALF:]}"


def is_reference(text: str) -> bool:
    """Whether a letter's reference can be written so: 3 to 24 of A-Z, 0-9, and hyphens within."""
    return _REFERENCE.fullmatch(text) is not None


async def new_references(bank: Bank, count: int) -> list[str]:
    """So many references that no letter has."""
    references: dict[str, None] = {}
    while len(references) < count:
        missing = count - len(references)
        drawn = [new_reference(bank.random_bytes) for _ in range(missing)]
        taken = await bank.store.read(partial(known_references, references=drawn))
        references.update(dict.fromkeys(one for one in drawn if one not in taken))
    return list(references)


async def due_counts(bank: Bank, by: str, post: PostDays) -> Mapping[str, tuple[int, int]]:
    """By kind of letter: how many *by* may print now, and how many are due in all."""
    when = _when(bank, by, post)
    return await bank.store.read(lambda connection: count_due(connection, when))


async def batches_to_do(bank: Bank) -> Sequence[BatchRow]:
    """The batches that are to be posted, or whose folders are to be destroyed."""
    return await bank.store.read(open_batches)


async def find_batch_row(bank: Bank, batch: str) -> BatchRow:
    """The batch of letters with that id.

    Raises:
        NoSuchBatch: there is none.
    """
    row = await bank.store.read(lambda connection: read_batch(connection, batch))
    if row is None or row.kind == BUREAU:
        raise NoSuchBatch(batch)
    return row


async def prepare_letters(
    bank: Bank, kind: str, by: Signer, post: PostDays, *, most: int = MOST_LETTERS
) -> list[ToPrint]:
    """What *by* may print of *kind* now: readers of the stock and activation numbers with it.

    Nothing is written: `record_letters` does, once the letters are on the disk. But a reminder of
    who has switched over since it was planned, or lost the card, is void from now on.

    Raises:
        ReadersMissing: the stock has too few readers.
    """
    when = _when(bank, by.user_code, post)
    if kind == REMINDER:
        await bank.store.write(partial(void_overtaken, at=when.now))
    rows = await bank.store.read(
        lambda connection: letters_to_print(connection, kind, when, most=most)
    )
    if kind != READER:
        return [ToPrint(row=row) for row in rows]
    without = sum(not row.has_reader for row in rows)
    stock = await bank.store.read(lambda connection: readers_in_stock(connection, most=without))
    if len(stock) < without:
        raise ReadersMissing(without - len(stock), without)
    readers = iter(stock)
    letters = []
    for row in rows:
        reader = None if row.has_reader else next(readers)
        letters.append(
            ToPrint(
                row=row,
                serial=None if reader is None else reader.serial,
                model=None if reader is None else reader.model,
                activation=make_number(bank.random_bytes) if row.card_kind == SESAME else None,
            )
        )
    return letters


async def record_letters(  # noqa: PLR0913 -- which letters, of which batch, by whom
    bank: Bank,
    batch: str,
    kind: str,
    by: Signer,
    letters: Sequence[ToPrint],
    *,
    manifest: bytes,
    post: PostDays,
) -> None:
    """Write the batch of *letters* down that was printed, with the hash of its manifest (32 bytes).

    An activation number serves from now to the end of the day that its letter names; its posting
    makes that later, never earlier.

    Raises:
        MovedMeanwhile: one of them was printed or voided, or its reader sent, meanwhile; or another
            element of its customer was printed.
        NotAllowed: *by* is no issuer any more.
        TooBusy, StoreUnavailable: it was perhaps not written.
    """
    hashes = [
        Activation(
            *letter.row.key,
            letter.row.order_number,
            await activation_hash(bank, letter.row.key, letter.row.order_number, letter.activation),
            to_row(post.activation_ends(post.day(bank.now()))),
        )
        for letter in letters
        if letter.activation is not None and letter.row.order_number is not None
    ]
    printed = [PrintedRow(one.row.reference, one.row.key, one.serial) for one in letters]
    facts: dict[str, Fact] = {
        "batch": batch,
        "kind": kind,
        "letters": len(letters),
        "manifest": manifest.hex(),
    }

    async def attempt() -> None:
        now = bank.now()
        row = BatchRow(batch, kind, to_row(now), by.user_code, len(letters), manifest)
        move = await own_move(bank, by, "letters-printed", facts, now)
        await written(
            bank,
            partial(
                settle_printed,
                by=by,
                move=move,
                batch=row,
                letters=printed,
                activations=hashes,
                when=_when(bank, by.user_code, post),
            ),
        )

    await until_taken(bank.limits.lost_swaps, attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedBatch:
    """What of a batch did not go with its posting, by reference."""

    voided: Sequence[str]  # to be taken out of the pile
    given_before: Sequence[str]  # over the counter, on an earlier day, which stays


async def record_posted(
    bank: Bank, batch: str, by: Signer, day: date | None, post: PostDays
) -> PostedBatch:
    """Say that *batch* was posted on *day*, and find out what of it was not.

    What follows a card is due so many working days after it, and an activation number serves so
    many days from now.

    Raises:
        NoSuchBatch, BatchDone: there is none, or it was posted before.
        NotOnThatDay: it was not printed yet, or the day has not come.
        TwoOnThatDay: another element of a customer's was posted on it.
        NotAllowed, TooBusy, StoreUnavailable: as `record_letters`.
    """
    row = await find_batch_row(bank, batch)
    if row.posted_at is not None:
        raise BatchDone(batch, f"{post.day(from_row(row.posted_at))}")
    printed, today = post.day(from_row(row.made_at)), post.day(bank.now())
    day = day or today
    if not printed <= day <= today:
        raise NotOnThatDay(batch, f"{printed}", f"{today}")
    at = max(to_row(post.begin(day)), row.made_at)
    follows = post.gaps.after_card() if row.kind == CARD else {}
    postponed = [Postponed(kind, to_row(post.due(kind, day))) for kind in follows]
    until = to_row(post.activation_ends(day)) if row.kind == READER else None
    facts: dict[str, Fact] = {"batch": batch, "kind": row.kind, "day": f"{day}"}

    async def attempt() -> bool:
        move = await own_move(bank, by, "letters-posted", facts, bank.now())
        try:
            return await written(
                bank,
                partial(
                    settle_posted,
                    by=by,
                    move=move,
                    batch=batch,
                    at=at,
                    day=(to_row(post.begin(day)), to_row(post.begin(day + timedelta(days=1)))),
                    postponed=postponed,
                    activates_until=until,
                ),
            )
        except TwoOnOneDay as error:
            raise TwoOnThatDay(batch, f"{day}", error.references) from None

    if not await until_taken(bank.limits.lost_swaps, attempt):
        raise BatchDone(batch, f"{today}")
    return PostedBatch(
        voided=await bank.store.read(lambda connection: voided_in(connection, batch)),
        given_before=await bank.store.read(lambda connection: posted_before(connection, batch, at)),
    )


async def record_destroyed(bank: Bank, batch: str, by: Signer, post: PostDays) -> None:
    """Say that the folder of *batch* is no more; the sealed PINs of its letters go with it.

    Raises:
        NoSuchBatch, BatchDone, NotAllowed, TooBusy, StoreUnavailable: as `record_posted`.
    """
    row = await find_batch_row(bank, batch)
    facts: dict[str, Fact] = {"batch": batch, "kind": row.kind, "letters": row.letters}

    async def attempt() -> bool:
        now = bank.now()
        move = await own_move(bank, by, "letters-destroyed", facts, now)
        return await written(
            bank, partial(settle_destroyed, by=by, move=move, batch=row, at=to_row(now))
        )

    done = row.destroyed_at is None and await until_taken(bank.limits.lost_swaps, attempt)
    if not done:
        raise BatchDone(batch, f"{post.day(from_row(row.destroyed_at or row.made_at))}")


async def own_move(
    bank: Bank, by: Signer, event: str, facts: Mapping[str, Fact], now: datetime
) -> Move:
    """The step of the chain of *by* that says what they did."""
    access = await bank.store.read_access(UserCode(by.user_code))
    return plan_move(access, event, facts, now=now, salt=salt_of(bank), address=_NO_ADDRESS)


async def written(bank: Bank, change: Callable[..., Answer]) -> Answer:
    """What *change* answers, in a commit of its own.

    Raises:
        NotAllowed: whoever does it may not, any more.
        MovedMeanwhile: what it is about is not where it was.
    """
    try:
        return await bank.store.write(change)
    except NoRight:
        raise NotAllowed from None
    except LettersMoved:
        raise MovedMeanwhile from None


def is_new(access: Access) -> bool:
    """Whether somebody is to be told their user code: no old code opens with it, nor did a card."""
    return access.state.old_code is None and access.state.signed_in_at is None


async def to_be_told(bank: Bank, accesses: Sequence[Access]) -> list[bool]:
    """Whether each of the customers is new, and was not told their user code yet."""
    keys = [(access.bucket, access.user_code) for access in accesses]
    told = await bank.store.read(partial(welcomed, keys=keys))
    return [is_new(access) and key not in told for access, key in zip(accesses, keys, strict=True)]


def plan_dispatches(  # noqa: PLR0913 -- whose, of which order, which kinds, from which day
    access: Access,
    order_number: int | None,
    kinds: Sequence[str],
    references: Sequence[str],
    *,
    post: PostDays,
    day_0: date,
) -> list[DispatchRow]:
    """The dispatches of *kinds* for one customer, each under a reference of its own. Pure."""
    key = (access.bucket, access.user_code)
    return [
        DispatchRow(reference, *key, kind, order_number, to_row(post.due(kind, day_0)))
        for kind, reference in zip(kinds, references, strict=True)
    ]


def _when(bank: Bank, by: str, post: PostDays) -> When:
    now = bank.now()
    today = post.day(now)
    before = {kind: to_row(post.card_before(kind, today)) for kind in post.gaps.after_card()}
    return When(to_row(now), to_row(post.begin(today)), by, before)
