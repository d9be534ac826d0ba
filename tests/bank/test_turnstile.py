"""`sesame.bank.turnstile`."""

import asyncio

import pytest

from sesame.bank.errors import TooBusy
from sesame.bank.turnstile import Turnstile


class Visitors:
    """People at a turnstile who stay inside until they are let out."""

    def __init__(self, *, waiting: int = 5) -> None:
        self.turnstile = Turnstile()
        self.inside: list[str] = []
        self.came: list[str] = []
        self._waiting = waiting
        self._out = asyncio.Semaphore(0)

    async def visit(self, key: str, name: str, *, first: bool = False) -> None:
        """Go through at *key*, and stay."""
        async with self.turnstile.through(key, waiting=self._waiting, first=first):
            self.inside.append(key)
            self.came.append(name)
            await self._out.acquire()
            self.inside.remove(key)

    async def start(self, key: str, *names: str, first: bool = False) -> list[asyncio.Task[None]]:
        """Let all of *names* come to *key*."""
        tasks = [asyncio.create_task(self.visit(key, name, first=first)) for name in names]
        await asyncio.sleep(0)
        return tasks

    async def let_out(self, number: int = 1) -> None:
        """Let *number* of those inside go on."""
        for _ in range(number):
            self._out.release()
            for _ in range(5):
                await asyncio.sleep(0)


async def test_one_at_a_time_in_their_order() -> None:
    """Whoever comes for the same key waits for those before."""
    visitors = Visitors()
    tasks = await visitors.start("VERA", "a", "b", "c")
    for came in (["a"], ["a", "b"], ["a", "b", "c"]):
        assert visitors.came == came
        assert visitors.inside == ["VERA"]
        await visitors.let_out()
    await asyncio.gather(*tasks)


async def test_different_keys_do_not_wait_for_each_other() -> None:
    """A crowd on one user code is no matter to the others."""
    visitors = Visitors()
    tasks = [*await visitors.start("VERA", "a", "b"), *await visitors.start("OMAR", "c")]
    assert visitors.came == ["a", "c"]
    await visitors.let_out(3)
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("waiting", [0, 1, 5])
async def test_one_too_many_is_sent_away_at_once(waiting: int) -> None:
    """One inside and *waiting* behind; the next one hears it without waiting."""
    visitors = Visitors(waiting=waiting)
    tasks = await visitors.start("VERA", *(str(n) for n in range(waiting + 1)))
    with pytest.raises(TooBusy, match="nothing was counted"):
        await visitors.visit("VERA", "one too many")
    await visitors.let_out()
    tasks += await visitors.start("VERA", "in the place that came free")
    await visitors.let_out(waiting + 1)
    await asyncio.gather(*tasks)
    assert len(visitors.came) == waiting + 2


async def test_whoever_goes_away_leaves_a_place() -> None:
    """A cancelled visitor, waiting or inside, holds up nobody."""
    visitors = Visitors(waiting=1)
    inside, waiting = await visitors.start("VERA", "inside", "waiting")
    waiting.cancel()
    await asyncio.sleep(0)
    (third,) = await visitors.start("VERA", "third")
    inside.cancel()
    await visitors.let_out()
    await third
    assert visitors.came == ["inside", "third"]


async def test_known_devices_go_first() -> None:
    """Before strangers who came earlier, and among themselves in their order."""
    visitors = Visitors()
    tasks = await visitors.start("VERA", "inside", "stranger", "another")
    tasks += await visitors.start("VERA", "owner", "owner again", first=True)
    await visitors.let_out(5)
    await asyncio.gather(*tasks)
    assert visitors.came == ["inside", "owner", "owner again", "stranger", "another"]


async def test_strangers_cannot_take_the_places_of_known_devices() -> None:
    """Each kind has as many; a full row of one sends nobody of the other away."""
    visitors = Visitors(waiting=2)
    tasks = await visitors.start("VERA", "inside", "stranger", "another")
    with pytest.raises(TooBusy):
        await visitors.visit("VERA", "a third")
    tasks += await visitors.start("VERA", "owner", "owner again", first=True)
    with pytest.raises(TooBusy):
        await visitors.visit("VERA", "owner a third time", first=True)
    await visitors.let_out(5)
    await asyncio.gather(*tasks)
    assert visitors.came[:3] == ["inside", "owner", "owner again"]


async def test_a_known_device_that_goes_away_lets_strangers_on() -> None:
    """Whether it waits still, or its turn has just come."""
    visitors = Visitors()
    (inside,) = await visitors.start("VERA", "inside")
    (stranger,) = await visitors.start("VERA", "stranger")
    waiting, called = await visitors.start("VERA", "waiting", "called", first=True)
    waiting.cancel()
    await asyncio.sleep(0)
    inside.cancel()  # leaves at the next turn of the loop, and calls the next
    await asyncio.sleep(0)
    called.cancel()  # its turn has come, and it has not heard of it
    await visitors.let_out()
    await asyncio.gather(inside, stranger, called, waiting, return_exceptions=True)
    assert "stranger" in visitors.came
    assert visitors.turnstile._queues == {}  # noqa: SLF001 -- what is forgotten shows nowhere else


async def test_an_empty_turnstile_remembers_nobody() -> None:
    """User codes that were once tried do not pile up in memory."""
    visitors = Visitors()
    tasks = await visitors.start("VERA", "a", "b")
    await visitors.let_out(2)
    await asyncio.gather(*tasks)
    assert visitors.turnstile._queues == {}  # noqa: SLF001 -- what is forgotten shows nowhere else
