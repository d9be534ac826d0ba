"""A database that can be made to fail in the middle of a step, and that is watched."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sesame.store.access import Access, AccessQuestion
from sesame.store.errors import StoreUnavailable
from sesame.store.memory import MemoryDatabase
from sesame.store.steps import Fate, Step

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls the next step."""

    arrived: bool  # its commit had reached the disk
    dies: bool  # and nobody can look: the server is gone


class WatchedDatabase:
    """*database*, whose steps are seen, and one of them cut short where that is wished."""

    at_once = 1
    at_once_alone = 1

    def __init__(self, database: MemoryDatabase) -> None:
        self.database = database
        self.fault: Fault | None = None
        self.taken: list[Step] = []  # since somebody looked
        self.heads: dict[str, bytes] = {}  # of the audit chains, as they were read last
        self._gone = False

    def awake(self) -> None:
        """A new server stands in the place of one that died; no fault is left."""
        self.fault, self._gone = None, False

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        """See `sesame.store.engine.Database`."""
        found = await self.database.read_group(asked)
        self.heads.update((one.user_code, one.head) for one in found)
        return found

    async def swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        """See `sesame.store.engine.Database`."""
        fault, self.fault = self.fault, None
        if fault is not None and not fault.arrived:
            self._fail(fault)
        fates = await self.database.swap_group(steps)
        won = zip(steps, fates, strict=True)
        self.taken += [step for step, fate in won if fate is Fate.WON]
        if fault is not None:
            self._fail(fault)
        return fates

    async def swap_alone(self, step: Step) -> Fate:
        """See `sesame.store.engine.Database`."""
        (fate,) = await self.swap_group([step])
        return fate

    async def read(self, query: Callable[[Any], Answer]) -> Answer:
        """See `sesame.store.engine.Database`."""
        return await self.database.read(query)

    async def write(self, change: Callable[[Any], Answer]) -> Answer:
        """See `sesame.store.engine.Database`."""
        if self._gone:
            raise StoreUnavailable(_GONE)
        answer = await self.database.write(change)
        step = change.keywords.get("step") if isinstance(change, partial) else None
        if isinstance(step, Step):  # one that lets a card sign in, in a transaction of its own
            self.taken.append(step)
        return answer

    def connections(self) -> Mapping[str, tuple[int, int]]:
        """See `sesame.store.engine.Database`."""
        return self.database.connections()

    async def close(self) -> None:
        """See `sesame.store.engine.Database`."""
        await self.database.close()

    def _fail(self, fault: Fault) -> None:
        self._gone = fault.dies
        raise StoreUnavailable(_GONE)


_GONE = "the simulated database is gone: try again"
