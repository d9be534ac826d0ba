"""A custodian whose answers are counted and timed, whichever it is."""

from collections.abc import Awaitable, Sequence
from time import perf_counter
from typing import TypeVar

from sesame.custody.custodian import (
    CardRecord,
    Custodian,
    Fit,
    Inquiry,
    KeyUsage,
    PairFit,
    PairInquiry,
    Registered,
)
from sesame.emv.pan import Pan
from sesame.meters import Meters

Answer = TypeVar("Answer")


class MeteredCustodian(Custodian):
    """Asks *custodian*; what a login asks of it is timed, the rest is only handed on."""

    def __init__(self, custodian: Custodian, meters: Meters) -> None:
        self._custodian = custodian
        self._seconds = meters.custody_seconds
        self._errors = meters.custody_errors

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Which candidates fit: see `Custodian.match`."""
        return await self._timed("match", self._custodian.match(inquiries))

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Which pairs fit: see `Custodian.match_pairs`."""
        return await self._timed("match-pairs", self._custodian.match_pairs(inquiries))

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """A MAC of *data*: see `Custodian.mac`."""
        return await self._timed("mac", self._custodian.mac(usage, data))

    async def register(self, card: CardRecord, context: bytes) -> bytes:
        """*card* sealed: see `Custodian.register`."""
        return await self._custodian.register(card, context)

    async def register_all(self, cards: Sequence[tuple[CardRecord, bytes]]) -> list[Registered]:
        """Each card sealed: see `Custodian.register_all`."""
        return await self._custodian.register_all(cards)

    async def pan_index(self, pan: Pan) -> bytes:
        """A keyed hash of *pan*: see `Custodian.pan_index`."""
        return await self._custodian.pan_index(pan)

    async def close(self) -> None:
        """Close it."""
        await self._custodian.close()

    async def _timed(self, call: str, answer: Awaitable[Answer]) -> Answer:
        began = perf_counter()
        try:
            return await answer
        except Exception as error:
            self._errors.add(type(error).__name__)
            raise
        finally:
            self._seconds.observe(perf_counter() - began, call)
