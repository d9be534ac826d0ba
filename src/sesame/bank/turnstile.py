"""One attempt on a user code at a time in this process; the others wait, a few only.

The compare-and-swap decides between processes; here attempts that could only lose it
do not even start, and a crowd on one user code cannot fill the groups of all.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from sesame.bank.errors import TooBusy


class Turnstile:
    """Lets those who come for the same key through one by one."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def through(self, key: Hashable, *, waiting: int) -> AsyncIterator[None]:
        """Wait for one's turn at *key*.

        Raises:
            TooBusy: *waiting* others wait already.
        """
        lock, inside = self._locks.get(key) or (asyncio.Lock(), 0)
        if inside > waiting:
            raise TooBusy
        self._locks[key] = (lock, inside + 1)
        try:
            async with lock:
                yield
        finally:
            _, inside = self._locks[key]
            if inside == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, inside - 1)
