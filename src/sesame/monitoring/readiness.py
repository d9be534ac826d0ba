"""Is this process ready? The database answers and is written, its schema is right, custody answers.

Asked often and by many, so an answer serves for a moment, and a question that is still on its way
is never asked a second time. While the process is not ready its doors answer as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum, unique

from sesame import logs
from sesame.bank.bank import Bank
from sesame.cap.token import Code
from sesame.custody.custodian import Inquiry
from sesame.errors import SesameError
from sesame.store.schema import is_current, write_nothing

OK = "ok"
_LATE = "no answer in time"
_PATIENCE = 3.0  # seconds for each part, all at once
_SERVES = 2.0  # seconds that an answer serves for
_NOTHING = Inquiry(Code("00000000"))  # custody computes decoys for it


@unique
class Stage(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    STOPPING = "stopping"


class Readiness:
    """Looks at what a login needs. Only the event loop's thread uses it."""

    def __init__(self, bank: Bank) -> None:
        """Begin as starting."""
        self.stage = Stage.STARTING
        self._parts: Mapping[str, Callable[[], Awaitable[object]]] = {
            "database": lambda: _database(bank),
            "schema": lambda: _schema(bank),
            "custody": lambda: bank.custodian.match([_NOTHING]),
        }
        self._meters = bank.meters
        self._asking: dict[str, asyncio.Task[str]] = {}
        self._looking: asyncio.Task[Mapping[str, str]] | None = None
        self._looked_at = float("-inf")
        self._found: Mapping[str, str] = {}
        self._was_ready: bool | None = None

    async def is_ready(self) -> bool:
        """Whether attempts can be judged here."""
        return self.stage is Stage.SERVING and self.is_well(await self.look())

    @staticmethod
    def is_well(parts: Mapping[str, str]) -> bool:
        """Whether each part answered, as `look` says it."""
        return all(said == OK for said in parts.values())

    async def look(self) -> Mapping[str, str]:
        """What each part says, two seconds old at most: `ok`, or in a few words what is wrong."""
        if asyncio.get_running_loop().time() - self._looked_at < _SERVES:
            return self._found
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)
        return await asyncio.shield(self._looking)

    async def close(self) -> None:
        """Ask nothing any more."""
        asking = [task for task in (*self._asking.values(), self._looking) if task is not None]
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)

    async def _look(self) -> Mapping[str, str]:
        for part, ask in self._parts.items():
            if part not in self._asking:
                self._asking[part] = asyncio.create_task(_answer(ask))
        await asyncio.wait(self._asking.values(), timeout=_PATIENCE)
        return {part: self._said(part) for part in self._parts}

    def _said(self, part: str) -> str:
        """The word of *part*; one that did not answer is waited for, and not asked again."""
        if not self._asking[part].done():
            return _LATE
        return self._asking.pop(part).result()

    def _looked(self, looking: "asyncio.Task[Mapping[str, str]]") -> None:
        self._looking = None
        if looking.cancelled():
            return
        self._found, self._looked_at = looking.result(), asyncio.get_running_loop().time()
        for part, said in self._found.items():
            self._meters.ready.put(said == OK, part)
        ready = self.is_well(self._found)
        if ready is not self._was_ready:
            self._was_ready = ready
            if ready:
                logs.ready()
            else:
                logs.not_ready(**self._found)


async def _answer(ask: Callable[[], Awaitable[object]]) -> str:
    """`ok`, or the type of the error: what its message says is for nobody outside."""
    try:
        await ask()
    except Exception as error:  # noqa: BLE001 -- whatever it is, a login would meet it too
        return type(error).__name__
    return OK


async def _database(bank: Bank) -> None:
    bank.recovery.require_no_doubt()
    await bank.store.write(write_nothing)


async def _schema(bank: Bank) -> None:
    if not await bank.store.read(is_current):
        raise WrongSchema


class WrongSchema(SesameError):
    """The tables are of another version of this program."""
