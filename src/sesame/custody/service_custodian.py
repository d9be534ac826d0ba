"""A custodian that asks the custody process: this process holds no key.

What is asked in one turn of the event loop goes out together, without a timer: who comes alone
waits for nobody (docs/decisions/0002). The calls of a frame are answered together, so those of
known devices, those of strangers, and every slow one have frames of their own. A connection that
broke is opened anew by the next who asks; whoever waited on it hears that custody is unavailable,
for nothing was judged.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto, unique
from pathlib import Path
from typing import TypeVar, cast

from msgspec import Raw

from sesame.custody.custodian import (
    CardRecord,
    Custodian,
    Fit,
    Inquiry,
    KeyUsage,
    PairFit,
    PairInquiry,
    Registered,
    RevealingCustodian,
)
from sesame.custody.errors import (
    CustodyBusy,
    CustodyError,
    MalformedFrame,
    SealBroken,
    SocketUnreachable,
)
from sesame.custody.wire import (
    LARGEST_FRAME,
    LENGTH,
    MOST_ITEMS,
    NOT_OURS,
    PROTOCOL,
    Call,
    Mac,
    Match,
    MatchPairs,
    PanIndex,
    Register,
    RegisterAll,
    Result,
    Reveal,
    encode_call,
    from_failure,
    question,
    read_answer,
    read_bytes,
    read_fits,
    read_greeting,
    read_pair_fits,
    read_pan,
    read_registered,
)
from sesame.emv.pan import Pan

Item = TypeVar("Item")
Value = TypeVar("Value")

PATIENCE = 5.0  # seconds that a caller waits at most, twice where there is no connection yet
_FRAME = LARGEST_FRAME - 32  # bytes of the calls in one

_log = logging.getLogger("sesame.custody")


@unique
class _Company(Enum):
    """Which calls may wait for which others."""

    QUICK = auto()  # of known devices, and what is done at once
    STRANGERS = auto()
    NONE = auto()  # two codes in a row: a slow custodian takes long over them


@dataclass(slots=True, repr=False)
class _Asked:
    """A call on its way, and who waits for it."""

    call: bytes  # encoded
    company: "_Company"
    result: "asyncio.Future[Result]"


class ServiceCustodian(Custodian):
    """A `Custodian` that asks the process behind the socket at *path*.

    It belongs to the event loop that asks it first. Every call raises CustodyUnavailable where
    the process does not answer, and CustodyBusy where it does not keep up, and soon.

    Args:
        path: the socket.
        demonstration: whether its keys are to be those of a demonstration.
        patience: seconds to wait for a connection, and for an answer.
    """

    def __init__(self, path: Path, *, demonstration: bool, patience: float = PATIENCE) -> None:
        self._path = path
        self._demonstration = demonstration
        self._patience = patience
        self._line: _Line | None = None
        self._waiting: list[_Asked] = []
        self._connecting: asyncio.Task[str | None] | None = None
        self._turn_ends = False  # what waits goes out when this turn of the loop ends
        self._logged: str | None = None  # why there is no connection: one line for each reason

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Which candidates fit: see `Custodian.match`."""
        found: list[tuple[Fit, ...]] = []
        for at, part in _parts(inquiries):
            with _Numbered(at):
                known = any(inquiry.known for inquiry in part)
                company = _Company.QUICK if known else _Company.STRANGERS
                found += await self._ask(Match(part), read_fits, company)
        return found

    async def match_pairs(self, inquiries: Sequence[PairInquiry]) -> list[tuple[PairFit, ...]]:
        """Which pairs fit: see `Custodian.match_pairs`."""
        found: list[tuple[PairFit, ...]] = []
        for at, part in _parts(inquiries):
            with _Numbered(at):
                found += await self._ask(MatchPairs(part), read_pair_fits, _Company.NONE)
        return found

    async def register(self, card: CardRecord, context: bytes) -> bytes:
        """*card* sealed for *context*: see `Custodian.register`."""
        return await self._ask(Register(card, context), read_bytes)

    async def register_all(self, cards: Sequence[tuple[CardRecord, bytes]]) -> list[Registered]:
        """Each card sealed, and its PAN's hash: see `Custodian.register_all`."""
        registered: list[Registered] = []
        for _, part in _parts(cards):
            registered += await self._ask(RegisterAll(part), read_registered)
        return registered

    async def pan_index(self, pan: Pan) -> bytes:
        """A keyed hash of *pan* (32 bytes)."""
        return await self._ask(PanIndex(pan), read_bytes)

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """HMAC-SHA256 (32 bytes) of *data*: see `Custodian.mac`."""
        return await self._ask(Mac(usage, data), read_bytes)

    async def close(self) -> None:
        """Close the connection; the next who asks opens another."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    # ── One call ─────────────────────────────────────────────────────────────────────────────────

    async def _ask(
        self, call: Call, read: Callable[[Raw], Value], company: _Company = _Company.QUICK
    ) -> Value:
        loop = asyncio.get_running_loop()
        asked = _Asked(encode_call(call), company, loop.create_future())
        self._waiting.append(asked)
        if not self._turn_ends and self._connecting is None:
            self._turn_ends = True
            loop.call_soon(self._send)
        result = await asked.result
        if result.failure is not None:
            raise from_failure(result.failure)
        try:
            return read(result.value)
        except NOT_OURS:
            raise self._unreachable("its answers are not what we asked for") from None

    def _send(self) -> None:
        """Send all that waits, or connect first."""
        self._turn_ends = False
        line = self._line
        if line is None or line.is_closed:
            self._connecting = asyncio.ensure_future(self._connect())
            self._connecting.add_done_callback(self._connected)
            return
        waiting, self._waiting = self._waiting, []
        if line.is_full:
            _fail(waiting, CustodyBusy)
            return
        for frame in _frames(waiting):
            line.send(frame)

    async def _connect(self) -> str | None:
        """Open a line; in words, why there is none."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                _, self._line = await loop.create_unix_connection(
                    lambda: _Line(self._patience, self._unreachable), str(self._path)
                )
                message = await self._line.greeting
        except TimeoutError:
            return f"no word for {self._patience:g} seconds"
        except OSError as error:
            return error.strerror or str(error)
        return self._objection(message)

    def _objection(self, message: bytes) -> str | None:
        """What is wrong with a greeting, empty where none came; None where nothing is."""
        if not message:
            return "it closes the connection at once, as if this user might not ask"
        try:
            greeting = read_greeting(message)
        except NOT_OURS:
            return "what listens there is no custody process of ours"
        if greeting.protocol != PROTOCOL:
            return (
                f"it speaks version {greeting.protocol} of the protocol and we {PROTOCOL}: let "
                "both be of one version of sesame"
            )
        if greeting.demonstration is self._demonstration:
            return None
        if greeting.demonstration:
            return "it has demonstration keys, and this is no demonstration"
        return "it has production keys, which a demonstration does not touch"

    def _connected(self, task: "asyncio.Task[str | None]") -> None:
        self._connecting = None
        reason = "closed meanwhile" if task.cancelled() else task.result()
        if reason is None:
            self._logged = None
            self._send()
            return
        if reason != self._logged:
            self._logged = reason
            _log.error("%s", self._unreachable(reason))
        if self._line is not None:
            self._line.drop()
        waiting, self._waiting = self._waiting, []
        _fail(waiting, lambda: self._unreachable(reason))

    def _unreachable(self, problem: str) -> SocketUnreachable:
        return SocketUnreachable(self._path, problem)


class RevealingServiceCustodian(ServiceCustodian, RevealingCustodian):
    """A `ServiceCustodian` that also asks for a card's number: for the desk's process."""

    async def reveal(self, sealed: bytes, context: bytes) -> Pan:
        """The number of the sealed card: see `RevealingCustodian.reveal`."""
        return await self._ask(Reveal(sealed, context), read_pan)


class _Line(asyncio.Protocol):
    """One connection: questions go out, answers come in whatever order they are done."""

    def __init__(self, patience: float, unreachable: Callable[[str], SocketUnreachable]) -> None:
        self._patience = patience
        self._unreachable = unreachable
        self._loop = asyncio.get_running_loop()
        self.greeting: asyncio.Future[bytes] = self._loop.create_future()  # empty: none came
        self.is_closed = False
        self.is_full = False  # the other end does not read as fast as we write
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._number = 0
        self._on_their_way: dict[int, tuple[list[_Asked], asyncio.TimerHandle]] = {}
        self._ended = asyncio.Event()

    def send(self, asked: list[_Asked]) -> None:
        """Ask all of *asked* in one frame."""
        self._number += 1
        timer = self._loop.call_later(self._patience, self._too_slow, self._number)
        self._on_their_way[self._number] = (asked, timer)
        if self._transport is not None:
            self._transport.write(question(self._number, [one.call for one in asked]))

    async def close(self) -> None:
        """Close it, and see that it is."""
        self.drop()
        await self._ended.wait()

    def drop(self) -> None:
        """Close it."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    # ── What asyncio says ────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # of a stream socket it is
        self._transport = stream

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            while (message := self._next_message()) is not None:
                if not self.greeting.done():
                    self.greeting.set_result(message)
                else:
                    self._answered(message)
        except (MalformedFrame, *NOT_OURS):
            self.drop()

    def connection_lost(self, _error: Exception | None) -> None:
        self.is_closed = True
        self._transport = None
        self._ended.set()
        if not self.greeting.done():
            self.greeting.set_result(b"")
        for asked, timer in self._on_their_way.values():
            timer.cancel()
            _fail(asked, lambda: self._unreachable("the connection broke"))
        self._on_their_way.clear()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False

    # ── Answers ──────────────────────────────────────────────────────────────────────────────────

    def _next_message(self) -> bytes | None:
        if len(self._received) < LENGTH:
            return None
        length = int.from_bytes(self._received[:LENGTH])
        if length > LARGEST_FRAME:
            raise MalformedFrame("an answer longer than any that we ask for")
        if len(self._received) < LENGTH + length:
            return None
        message = bytes(self._received[LENGTH : LENGTH + length])
        del self._received[: LENGTH + length]
        return message

    def _answered(self, message: bytes) -> None:
        answer = read_answer(message)
        waited = self._on_their_way.pop(answer.number, None)
        if waited is None:
            return  # too late: its callers were told that custody is unavailable
        asked, timer = waited
        timer.cancel()
        if len(answer.results) != len(asked):
            _fail(asked, lambda: self._unreachable("its answers are not what we asked for"))
            return
        for one, result in zip(asked, answer.results, strict=True):
            if not one.result.done():  # its caller went away
                one.result.set_result(result)

    def _too_slow(self, number: int) -> None:
        # The connection stays: others may be answered, and this answer will not be waited for.
        asked, _ = self._on_their_way.pop(number)
        _fail(asked, lambda: self._unreachable(f"no answer for {self._patience:g} seconds"))


class _Numbered:
    """Counts the inquiry of a broken seal from the first one that was asked, not of its part."""

    def __init__(self, at: int) -> None:
        self._at = at

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._at and isinstance(error, SealBroken) and error.inquiry is not None:
            place = error.question or 0
            raise error.asked(inquiry=self._at + error.inquiry, question=place) from None


def _parts(items: Sequence[Item]) -> Iterator[tuple[int, tuple[Item, ...]]]:
    """*items* in parts that a frame can carry, each with the number of its first."""
    for at in range(0, len(items), MOST_ITEMS):
        yield at, tuple(items[at : at + MOST_ITEMS])


def _frames(waiting: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """The calls of *waiting* as they go out: together with those that they may wait for."""
    for company in _Company:
        frame: list[_Asked] = []
        size = 0
        for asked in waiting:
            if asked.company is not company:
                continue
            if frame and (company is _Company.NONE or size + len(asked.call) > _FRAME):
                yield frame
                frame, size = [], 0
            frame.append(asked)
            size += len(asked.call)
        if frame:
            yield frame


def _fail(waiting: Sequence[_Asked], error: Callable[[], CustodyError]) -> None:
    """Give each of *waiting* an *error* of its own: one that is raised twice adds to its trace."""
    for asked in waiting:
        if not asked.result.done():  # its caller went away
            asked.result.set_exception(error())
