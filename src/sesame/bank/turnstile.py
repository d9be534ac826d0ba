"""One attempt a user code at a time, in this process; or a few at a time of something dear.

Between processes the compare-and-swap decides; inside one, those who come together need
not race each other to it. Known devices go first, and strangers cannot take their places.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sesame.bank.errors import TooBusy


@dataclass(slots=True)
class _Queue:
    """Who waits at one key, and how many are inside: one at least, as long as it exists."""

    inside: int = 1

    first: deque["asyncio.Future[None]"] = field(default_factory=deque)
    then: deque["asyncio.Future[None]"] = field(default_factory=deque)


class Turnstile:
    """Lets those who come for the same key through one by one, or *width* at a time."""

    def __init__(self, width: int = 1) -> None:
        self._width = width
        self._queues: dict[Hashable, _Queue] = {}

    @asynccontextmanager
    async def through(
        self, key: Hashable, *, waiting: int, first: bool = False
    ) -> AsyncIterator[None]:
        """Wait for one's turn at *key*; *first* before all who are not.

        Raises:
            TooBusy: *waiting* others of one's own kind wait already.
        """
        await self._enter(key, waiting, first=first)
        try:
            yield
        finally:
            self._leave(key)

    def is_taken(self, key: Hashable) -> bool:
        """Whether somebody is inside for *key* just now."""
        return key in self._queues

    async def _enter(self, key: Hashable, waiting: int, *, first: bool) -> None:
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = _Queue()
            return
        if queue.inside < self._width:
            queue.inside += 1
            return
        line = queue.first if first else queue.then
        if len(line) >= waiting:
            raise TooBusy
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was ours already: now it is the next one's
                self._leave(key)
            elif turn in line:  # whoever left just now may have passed it over
                line.remove(turn)
            raise

    def _leave(self, key: Hashable) -> None:
        queue = self._queues[key]
        for line in (queue.first, queue.then):
            while line:
                turn = line.popleft()
                if not turn.done():
                    turn.set_result(None)
                    return
        queue.inside -= 1
        if not queue.inside:
            del self._queues[key]
