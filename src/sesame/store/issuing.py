"""What issuing writes, each in one commit: orders, cards that were made, batches, returned mail."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import Connection

from sesame.store.approvals import Move, Signer, take_moves
from sesame.store.cards import CardState, Key, NewCardRow, insert_cards, set_card_state
from sesame.store.dispatches import (
    PIN,
    READER,
    BatchRow,
    DispatchRow,
    When,
    insert_batch,
    insert_dispatches,
    mark_destroyed,
    mark_posted,
    mark_printed,
    mark_returned,
    may_print,
    meet_on_a_day,
    one_at_a_time,
    put_off,
    void_unposted,
    voided_with,
)
from sesame.store.errors import LettersMoved
from sesame.store.holds import held_since, put_desk_hold
from sesame.store.notices import insert_notice
from sesame.store.orders import (
    Activation,
    cancel_order,
    erase_cancelled_pins,
    erase_pins,
    extend_activations,
    insert_order,
    mark_made,
    set_activations,
    withdraw_activation,
)
from sesame.store.readers import RETURNED, SENT, add_readers, move_reader, send_readers
from sesame.store.staff import has_right


class NoRight(Exception):
    """Who does it is no member of staff, or not by these roles, any more."""


class TwoOnOneDay(Exception):
    """Other elements of the same customers were posted on that day."""

    def __init__(self, references: Sequence[str]) -> None:
        super().__init__("two elements of one customer would be posted on one day")
        self.references = references


def take_orders(  # noqa: PLR0913 -- whose, what, why, by whom
    connection: Connection,
    moves: Sequence[Move],
    planned: Sequence[Sequence[DispatchRow]],
    *,
    kind: str,
    reason: str,
    by: str,
    at: int,
) -> int:
    """Order something for each customer whose step is taken, with what is *planned*; how many.

    Raises:
        StepLost: see `take_moves`.
    """
    take_moves(connection, moves)
    for move, dispatches in zip(moves, planned, strict=True):
        number = insert_order(
            connection, move.key, kind=kind, reason=reason, replaces=None, by=by, at=at
        )
        insert_dispatches(connection, [row._replace(order_number=number) for row in dispatches])
    return len(moves)


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRow:
    """A card that was made for an order, and what is posted for it."""

    key: Key
    order_number: int
    card: NewCardRow
    expires_on: str  # ISO 8601
    sealed_pin: bytes = field(repr=False)
    dispatches: Sequence[DispatchRow]


def settle_made(
    connection: Connection,
    by: Signer,
    moves: Sequence[Move],
    made: Sequence[MadeRow],
    batch: BatchRow,
) -> None:
    """Write cards that were made, their orders, their dispatches and the bureau's batch.

    Raises:
        NoRight: *by* may not, any more.
        StepLost, EnrolledMeanwhile: undo the transaction, read and plan again.
        LettersMoved: an order is made already, or over.
    """
    _require(connection, by)
    take_moves(connection, moves)
    for one in made:  # first: whose card is made already has one of that number
        if not mark_made(
            connection,
            one.key,
            one.order_number,
            card_number=one.card.card_number,
            at=batch.made_at,
            expires_on=one.expires_on,
            sealed_pin=one.sealed_pin,
        ):
            raise LettersMoved
    insert_cards(connection, [(one.key, one.card) for one in made], batch.made_at)
    insert_dispatches(connection, [row for one in made for row in one.dispatches])
    insert_batch(connection, batch)
    erase_cancelled_pins(connection)


class PrintedRow(NamedTuple):
    """A letter that was printed, and the reader that goes with it, where one does."""

    reference: str
    key: Key
    serial: str | None


def settle_printed(  # noqa: PLR0913 -- what was printed, by whom, and what settles with it
    connection: Connection,
    by: Signer,
    move: Move,
    batch: BatchRow,
    *,
    letters: Sequence[PrintedRow],
    activations: Sequence[Activation],
    when: When,
) -> None:
    """Write a batch down that was printed, its letters, readers and activation numbers.

    *when* is now: what was prepared minutes ago is looked at once more.

    Raises:
        NoRight: *by* may not, any more.
        StepLost: undo the transaction, read and plan again.
        LettersMoved: a letter was printed or voided, or a reader sent, meanwhile; or something else
            of its customer is on its way.
    """
    one_at_a_time(connection)
    _require(connection, by)
    take_moves(connection, [move])
    insert_batch(connection, batch)
    references = [(letter.reference, letter.serial) for letter in letters]
    may = may_print(batch.kind, when)
    if mark_printed(connection, batch.id, references, batch.made_at, may) != len(letters):
        raise LettersMoved
    sent = [(letter.serial, letter.key) for letter in letters if letter.serial is not None]
    if send_readers(connection, sent, batch.made_at) != len(sent):
        raise LettersMoved
    set_activations(connection, activations)
    erase_cancelled_pins(connection)


class Postponed(NamedTuple):
    """When letters of a kind are due, behind the card that was posted."""

    kind: str
    due_at: int


def settle_posted(  # noqa: PLR0913 -- which, when, by whom, and what follows
    connection: Connection,
    by: Signer,
    move: Move,
    batch: str,
    *,
    at: int,
    day: tuple[int, int],
    postponed: Sequence[Postponed],
    activates_until: int | None,
) -> bool:
    """Say that a batch is at the post, and when what follows is due; False where it was before.

    *day* is when the one of *at* begins, and ends.

    Raises:
        TwoOnOneDay: another element of a customer's was posted on that day.
        NoRight, StepLost: as `settle_printed`.
    """
    one_at_a_time(connection)
    _require(connection, by)
    if meet := meet_on_a_day(connection, batch, begins=day[0], ends=day[1]):
        raise TwoOnOneDay(meet)
    if not mark_posted(connection, batch, at):
        return False
    take_moves(connection, [move])
    for kind, due_at in postponed:
        put_off(connection, batch, at, kind, due_at)
    if activates_until is not None:
        extend_activations(connection, batch, activates_until)
    return True


def settle_destroyed(
    connection: Connection, by: Signer, move: Move, batch: BatchRow, at: int
) -> bool:
    """Say that the folder of a batch is no more, and forget its PINs; False where it was before.

    Raises:
        NoRight, StepLost: as `settle_printed`.
    """
    _require(connection, by)
    if not mark_destroyed(connection, batch.id, at):
        return False
    take_moves(connection, [move])
    if batch.kind == PIN:
        erase_pins(connection, batch.id)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedMail:
    """What a letter that came back does to its customer's cards and letters."""

    dispatch: DispatchRow
    retires: int | None = None  # a card that never signs in again, its order over with it
    holds: Sequence[int] = ()  # cards
    withdraws: int | None = None  # an order whose activation number serves no more
    reason: str
    notice: bytes  # 16 bytes by chance
    facts: bytes  # JSON, of the notice


def settle_returned(
    connection: Connection, by: Signer, move: Move, mail: ReturnedMail, at: int
) -> bool:
    """Write down what came back, with all that follows; False where it was before.

    Raises:
        NoRight, StepLost: as `settle_printed`.
    """
    _require(connection, by)
    dispatch, key = mail.dispatch, move.key
    if not mark_returned(connection, dispatch.reference, at):
        return False
    take_moves(connection, [move])
    void_unposted(connection, key, at)
    for parcel in voided_with(connection, key, at):
        if parcel.kind == READER and parcel.printed_at is not None and parcel.order_number:
            withdraw_activation(connection, key, parcel.order_number)  # it lies in a pile
    if mail.retires is not None:
        set_card_state(connection, key, mail.retires, CardState.RETIRED)
        assert dispatch.order_number is not None  # noqa: S101 -- the card was made for it
        cancel_order(connection, key, dispatch.order_number, at)
    for number in mail.holds:
        set_card_state(connection, key, number, CardState.HELD)
        if not held_since(connection, key, number):  # by the desk; an owner's own is gone
            put_desk_hold(connection, key, number, by=by.user_code, reason=mail.reason, at=at)
    if mail.withdraws is not None:
        withdraw_activation(connection, key, mail.withdraws)
    if dispatch.kind == READER and dispatch.reader_serial is not None:
        move_reader(connection, dispatch.reader_serial, before=(SENT,), after=RETURNED, at=at)
    insert_notice(
        connection, key, notice=mail.notice, event="mail-returned", facts=mail.facts, at=at
    )
    return True


def settle_planned(
    connection: Connection, by: Signer, move: Move, dispatches: Sequence[DispatchRow]
) -> None:
    """Plan letters of one customer.

    Raises:
        NoRight, StepLost: as `settle_printed`.
    """
    _require(connection, by)
    take_moves(connection, [move])
    insert_dispatches(connection, dispatches)


def settle_ordered(  # noqa: PLR0913 -- whose, which card, why, by whom
    connection: Connection,
    by: Signer,
    move: Move,
    *,
    reason: str,
    replaces: int | None,
    planned: Sequence[DispatchRow] = (),
    at: int,
) -> int:
    """Order a card for one customer, and plan letters of other orders; the order's number.

    Raises:
        NoRight, StepLost: as `settle_printed`.
    """
    _require(connection, by)
    take_moves(connection, [move])
    insert_dispatches(connection, planned)
    return insert_order(
        connection,
        move.key,
        kind="sesame",
        reason=reason,
        replaces=replaces,
        by=by.user_code,
        at=at,
    )


def settle_readers(
    connection: Connection, by: Signer, move: Move, readers: Sequence[tuple[str, str]], at: int
) -> int:
    """Take readers into stock; how many were not known before.

    Raises:
        NoRight, StepLost: as `settle_printed`.
    """
    _require(connection, by)
    take_moves(connection, [move])
    return add_readers(connection, readers, at)


def settle_reader_moved(  # noqa: PLR0913 -- which, from where to where, by whom
    connection: Connection,
    by: Signer,
    move: Move,
    serial: str,
    *,
    before: Sequence[str],
    after: str,
    at: int,
) -> bool:
    """Take a reader from one of the states *before* to another; False where it is in none.

    Raises:
        NoRight, StepLost: as `settle_printed`.
    """
    _require(connection, by)
    if not move_reader(connection, serial, before=before, after=after, at=at):
        return False
    take_moves(connection, [move])
    return True


def _require(connection: Connection, by: Signer) -> None:
    if not has_right(connection, by.key, by.roles):
        raise NoRight
