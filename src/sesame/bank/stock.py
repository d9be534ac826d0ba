"""Readers in stock: a ledger of things. A reader is bound to nobody and holds no secret.

What came in is in stock, sent, returned or discarded: the balance is the sum of the four.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.dispatching import own_move, written
from sesame.bank.errors import (
    EndlessReader,
    MalformedReader,
    NoReaderListed,
    NoSuchReader,
    ReaderListedTwice,
    TooManyReaders,
)
from sesame.bank.moments import to_row
from sesame.bank.moves import until_taken
from sesame.store.approvals import Signer
from sesame.store.issuing import settle_reader_moved, settle_readers
from sesame.store.readers import DISCARDED, RETURNED, SENT, STOCK, count_readers

MOST_READERS = 20_000  # of one list
_WORD = re.compile(r"[!-~][ -~]{0,38}[!-~]|[!-~]")  # printable ASCII, 1 to 40, as letters print


@unique
class Correction(StrEnum):
    """What may be put right by hand, and from where to where."""

    RETURN = "return"  # it came back
    RESTOCK = "restock"  # it came back, was looked at and cleaned, and can be sent
    DISCARD = "discard"  # broken, or lost in the stock


_FROM_TO = {
    Correction.RETURN: ((SENT,), RETURNED),
    Correction.RESTOCK: ((RETURNED, DISCARDED), STOCK),
    Correction.DISCARD: ((STOCK, RETURNED), DISCARDED),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Of one model: what came in, and where it is."""

    model: str
    stock: int = 0
    sent: int = 0
    returned: int = 0
    discarded: int = 0

    @property
    def came_in(self) -> int:
        """All of them."""
        return self.stock + self.sent + self.returned + self.discarded


def is_model(text: str) -> bool:
    """Whether a model of reader can be called so: 1 to 40 printable ASCII characters."""
    return _WORD.fullmatch(text) is not None


def read_serials(lines: Iterable[str], model: str) -> list[tuple[str, str]]:
    """Serial numbers and models of *lines*: `serial` or `serial,model` each; *model* where none.

    A first line `serial` or `serial,model` is a heading. Empty lines are passed over.

    Raises:
        UnsuitableReaders: a line is none, stands there twice, there are too many, or none; each
            is an error of its own.
    """
    found: dict[str, str] = {}
    for number, cells in enumerate(_rows(lines), 1):
        values = [cell.strip() for cell in cells]
        if not any(values) or (number == 1 and values[0].lower() == "serial"):
            continue
        serial, own = values[0], values[1] if len(values) > 1 and values[1] else model
        if len(values) > 2 or not (_WORD.fullmatch(serial) and _WORD.fullmatch(own)):  # noqa: PLR2004 -- cells
            raise MalformedReader(number)
        if serial in found:
            raise ReaderListedTwice(number, serial)
        found[serial] = own
        if len(found) > MOST_READERS:
            raise TooManyReaders(MOST_READERS)
    if not found:
        raise NoReaderListed
    return list(found.items())


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    reader = csv.reader(lines)
    try:
        yield from reader
    except csv.Error:
        raise EndlessReader(reader.line_num) from None


async def take_in(bank: Bank, readers: Sequence[tuple[str, str]], by: Signer) -> int:
    """Take readers (serial number, model) into stock; how many were not known before.

    Raises:
        NotAllowed, TooBusy, StoreUnavailable: as `sesame.bank.dispatching.record_letters`.
    """

    async def attempt() -> int:
        now = bank.now()
        move = await own_move(bank, by, "readers-taken-in", {"readers": len(readers)}, now)
        settle = partial(settle_readers, by=by, move=move, readers=readers, at=to_row(now))
        return await written(bank, settle)

    return await until_taken(bank.limits.lost_swaps, attempt)


async def correct(bank: Bank, serial: str, correction: Correction, by: Signer) -> None:
    """Put right where a reader is.

    Raises:
        NoSuchReader: it is not known, or not where the correction begins.
        NotAllowed, TooBusy, StoreUnavailable: as `take_in`.
    """
    before, after = _FROM_TO[correction]

    async def attempt() -> bool:
        now = bank.now()
        move = await own_move(bank, by, "reader-moved", {"serial": serial, "to": after}, now)
        settle = partial(
            settle_reader_moved,
            by=by,
            move=move,
            serial=serial,
            before=before,
            after=after,
            at=to_row(now),
        )
        return await written(bank, settle)

    if not await until_taken(bank.limits.lost_swaps, attempt):
        raise NoSuchReader(serial)


async def balances(bank: Bank) -> list[Balance]:
    """The balance of each model."""
    counts: dict[str, dict[str, int]] = {}
    for model, state, count in await bank.store.read(count_readers):
        counts.setdefault(model, {})[state] = count
    return [Balance(model=model, **by_state) for model, by_state in counts.items()]
