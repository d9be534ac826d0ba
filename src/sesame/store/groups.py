"""Groups: while one is on its way to the database, the next one fills, without a timer.

Whoever comes alone waits for nobody; under load one commit carries many
(docs/decisions/0002).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

LARGEST_GROUP = 64


class Groups(Generic[Item, Result]):
    """Hands items to *work* in groups and gives each caller their own result.

    *work* takes the items of a group and returns their results in the same order; an error in
    the place of a result is as if it had been raised for that item. A group holds one item a key
    at most, in key order; the next of that key waits until that group is back. The items of a
    group that fail are tried again one by one, so that one item's trouble stays its own; not so
    after an error of *for_all*, which is no item's.

    At most *at_once* groups are on their way. Items share a group only where *apart* gives
    the same for them.
    """

    def __init__(  # noqa: PLR0913 -- what a group is, by name
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        *,
        key: Callable[[Item], Hashable],
        apart: Callable[[Item], Hashable] | None = None,
        largest: int = LARGEST_GROUP,
        at_once: int = 1,
        for_all: type[Exception] | tuple[()] = (),
    ) -> None:
        self._work = work
        self._key = key
        self._apart = apart
        self._largest = largest
        self._at_once = at_once
        self._for_all = for_all
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._on_their_way: set[Hashable] = set()
        self._running: set[asyncio.Task[None] | None] = set()

    @property
    def waiting(self) -> int:
        """How many items have not left yet."""
        return len(self._waiting)

    async def submit(self, item: Item) -> Result:
        """Wait for the result of *item*; a caller who goes away cancels nothing."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._running) < self._at_once:
            # In a context of its own: what is logged there is not of the one who came first.
            self._running.add(asyncio.create_task(self._run(), context=Context()))
        return await future

    async def drain(self) -> None:
        """Wait until no group is on its way."""
        while self._running:
            await asyncio.wait([task for task in self._running if task])

    async def _run(self) -> None:
        try:
            while group := self._next_group():
                self._on_their_way |= group.keys()
                try:
                    # In key order: groups that share rows would otherwise lock them crosswise.
                    await self._one_group([group[key] for key in sorted(group)])  # type: ignore[type-var]  # keys are tuples
                finally:
                    self._on_their_way -= group.keys()
        finally:
            self._running.discard(asyncio.current_task())

    def _next_group(self) -> dict[Hashable, tuple[Item, asyncio.Future[Result]]]:
        group: dict[Hashable, tuple[Item, asyncio.Future[Result]]] = {}
        later = []
        side: Hashable = None
        while self._waiting and len(group) < self._largest:
            entry = self._waiting.popleft()
            key = self._key(entry[0])
            its_side = self._apart(entry[0]) if self._apart else None
            if key in group or key in self._on_their_way or (group and its_side != side):
                later.append(entry)
            else:
                group[key], side = entry, its_side
        self._waiting.extendleft(reversed(later))
        return group

    async def _one_group(self, group: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        results: Sequence[Result | Exception]
        try:
            results = await self._work([item for item, _ in group])
        except Exception as error:  # noqa: BLE001 -- handed to each caller
            results = [error] * len(group)
        again = []
        for entry, result in zip(group, results, strict=True):
            if not isinstance(result, Exception):
                _settle(entry[1], result)
            elif len(group) == 1 or isinstance(result, self._for_all):
                _settle(entry[1], error=result)
            else:
                again.append(entry)
        for entry in again:
            await self._one_group([entry])


def _settle(
    future: "asyncio.Future[Result]", result: Result | None = None, error: Exception | None = None
) -> None:
    if future.done():  # its caller went away
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)  # type: ignore[arg-type]  # no error, so there is a result
