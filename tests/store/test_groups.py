"""`sesame.store.groups`: tested by itself, with work that stands still until it is let go."""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import pytest

from sesame.store.groups import Groups

Key = tuple[int, str]


class Work:
    """Work that writes down its groups, waits for `gate`, and fails where told to."""

    def __init__(
        self, *, fails: Callable[[Sequence[Key]], Exception | None] = lambda _: None
    ) -> None:
        self.groups: list[list[Key]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self._fails = fails

    async def __call__(self, items: Sequence[Key]) -> list[str]:
        """Do the work of one group."""
        self.groups.append(list(items))
        await self.gate.wait()
        if error := self._fails(items):
            raise error
        return [f"done {name}" for _, name in items]


def groups_of(
    work: Work,
    largest: int = 64,
    **options: Any,  # noqa: ANN401 -- of Groups
) -> Groups[Key, str]:
    """Groups by the item itself."""
    return Groups(work, key=lambda item: item, largest=largest, **options)


async def submit_all(groups: Groups[Key, str], items: Sequence[Key]) -> list[asyncio.Task[str]]:
    """Submit *items* in this order; each has reached the queue on return."""
    tasks = [asyncio.create_task(groups.submit(item)) for item in items]
    await asyncio.sleep(0)
    return tasks


async def held_back(
    work: Work, groups: Groups[Key, str], items: Sequence[Key]
) -> list[asyncio.Task[str]]:
    """Submit *items* while a group of one is on its way; the way is free on return."""
    work.gate.clear()
    first = await submit_all(groups, [(0, "first")])
    await asyncio.sleep(0)
    assert work.groups == [[(0, "first")]]
    tasks = await submit_all(groups, items)
    work.gate.set()
    return first + tasks


async def test_whoever_comes_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No timer is set at all: one item leaves at once, in a group of its own."""

    def timer(*_: object, **__: object) -> None:
        pytest.fail("a group waits for a timer")

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_later", timer)
    monkeypatch.setattr(loop, "call_at", timer)
    work = Work()
    assert await groups_of(work).submit((1, "a")) == "done a"
    assert work.groups == [[(1, "a")]]


async def test_while_one_group_is_on_its_way_the_next_one_fills() -> None:
    """All who came meanwhile leave together, and each gets their own result."""
    work = Work()
    names = [(1, name) for name in "abcde"]
    tasks = await held_back(work, groups_of(work), names)
    assert await asyncio.gather(*tasks) == ["done first", *(f"done {name}" for name in "abcde")]
    assert work.groups[1:] == [names]


async def test_a_group_is_in_key_order() -> None:
    """Whatever the order they came in; results go to whom they belong."""
    work = Work()
    came = [(2, "b"), (1, "z"), (2, "a"), (1, "y")]
    tasks = await held_back(work, groups_of(work), came)
    assert [await task for task in tasks[1:]] == ["done b", "done z", "done a", "done y"]
    assert work.groups[1] == sorted(came)


async def test_a_group_holds_one_item_a_key() -> None:
    """The second of a key waits for the next group, before those who came after it."""
    work = Work()
    groups = groups_of(work, largest=2)
    a, b, c = (1, "a"), (1, "b"), (1, "c")
    tasks = await held_back(work, groups, [a, a, b, c])
    await asyncio.gather(*tasks)
    assert work.groups[1:] == [[a, b], [a, c]]


async def test_no_group_is_larger_than_allowed() -> None:
    """Seven items in groups of three at most."""
    work = Work()
    tasks = await held_back(work, groups_of(work, largest=3), [(1, str(n)) for n in range(7)])
    await asyncio.gather(*tasks)
    assert [len(group) for group in work.groups[1:]] == [3, 3, 1]


async def test_one_items_trouble_stays_its_own() -> None:
    """A group that fails is tried again one by one: all but the culprit get their result."""
    work = Work(fails=lambda items: ValueError("b is bad") if (1, "b") in items else None)
    tasks = await held_back(work, groups_of(work), [(1, "a"), (1, "b"), (1, "c")])
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(result) for result in results] == ["done first", "done a", "b is bad", "done c"]
    assert work.groups[2:] == [[(1, "a")], [(1, "b")], [(1, "c")]]


async def test_an_error_for_all_is_not_tried_again_one_by_one() -> None:
    """A database that does not answer would keep each of them waiting in turn."""
    work = Work(fails=lambda items: TimeoutError() if len(items) > 1 else None)
    tasks = await held_back(work, groups_of(work, for_all=TimeoutError), [(1, "a"), (1, "b")])
    results = await asyncio.gather(*tasks[1:], return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError, TimeoutError]
    assert len(work.groups) == 2


async def test_an_error_in_the_place_of_a_result_is_that_items() -> None:
    """One for all is handed over, another is tried again alone; the rest have their results."""
    groups: list[list[str]] = []

    async def work(items: Sequence[Key]) -> list[str | Exception]:
        groups.append([name for _, name in items])
        became: dict[str, str | Exception] = {"gone": TimeoutError(), "bad": ValueError()}
        if len(items) > 1:
            became["doubtful"] = ValueError()
        return [became.get(name, f"done {name}") for _, name in items]

    of_many: Groups[Key, str] = Groups(work, key=lambda item: item, for_all=TimeoutError)
    names = ["bad", "doubtful", "gone", "good"]
    tasks = [asyncio.create_task(of_many.submit((1, name))) for name in names]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError, str, TimeoutError, str]
    assert groups == [names, ["bad"], ["doubtful"]]


async def test_after_a_failure_the_next_group_goes_its_way() -> None:
    """An error ends its own group only."""
    work = Work(fails=lambda items: ValueError("a is bad") if (1, "a") in items else None)
    groups = groups_of(work)
    with pytest.raises(ValueError, match="a is bad"):
        await groups.submit((1, "a"))
    assert await groups.submit((1, "b")) == "done b"


async def test_a_caller_who_goes_away_cancels_nothing() -> None:
    """Neither their own item, whose outcome would be unknown, nor anybody else's."""
    work = Work()
    work.gate.clear()
    groups = groups_of(work)
    (going,) = await submit_all(groups, [(0, "going")])
    await asyncio.sleep(0)
    staying, waiting = await submit_all(groups, [(1, "staying"), (1, "waiting")])
    going.cancel()
    waiting.cancel()
    await asyncio.sleep(0)
    work.gate.set()
    assert await staying == "done staying"
    assert work.groups == [[(0, "going")], [(1, "staying"), (1, "waiting")]]
    assert going.cancelled()
    assert waiting.cancelled()


async def test_a_caller_who_goes_away_hears_no_error() -> None:
    """What fails behind them is nobody's unheard exception."""
    work = Work(fails=lambda _: ValueError())
    work.gate.clear()
    groups = groups_of(work)
    (going,) = await submit_all(groups, [(0, "going")])
    await asyncio.sleep(0)
    going.cancel()
    await asyncio.sleep(0)
    work.gate.set()
    await groups.drain()
    assert work.groups == [[(0, "going")]]


async def test_items_share_a_group_only_where_they_may() -> None:
    """The first that waits says what its group is of; the others keep their order."""
    work = Work()
    groups = groups_of(work, apart=lambda item: item[0])
    tasks = await held_back(work, groups, [(1, "a"), (2, "a"), (1, "b"), (2, "b"), (3, "a")])
    await asyncio.gather(*tasks)
    assert work.groups[1:] == [[(1, "a"), (1, "b")], [(2, "a"), (2, "b")], [(3, "a")]]


async def test_so_many_groups_are_on_their_way_as_allowed() -> None:
    """The third one fills while two are on their way."""
    work = Work()
    work.gate.clear()
    groups = groups_of(work, at_once=2)
    tasks = []
    for name in "abcd":
        tasks += await submit_all(groups, [(1, name)])
        await asyncio.sleep(0)
    assert work.groups == [[(1, "a")], [(1, "b")]]
    work.gate.set()
    assert len(await asyncio.gather(*tasks)) == 4
    assert work.groups[2:] == [[(1, "c"), (1, "d")]]


async def test_one_item_a_key_is_on_its_way() -> None:
    """The next of that key waits for it, although another group might leave."""
    work = Work()
    work.gate.clear()
    groups = groups_of(work, at_once=2)
    first = await submit_all(groups, [(1, "a")])
    await asyncio.sleep(0)
    second = await submit_all(groups, [(1, "a"), (1, "b")])
    await asyncio.sleep(0)
    assert work.groups == [[(1, "a")], [(1, "b")]]
    work.gate.set()
    assert len(await asyncio.gather(*first, *second)) == 3
    assert work.groups[2:] == [[(1, "a")]]


async def test_drain_waits_for_all_that_was_submitted() -> None:
    """What waits for its group is on its way too."""
    work = Work()
    groups = groups_of(work)
    tasks = await held_back(work, groups, [(1, "a"), (1, "a")])
    await groups.drain()
    assert len(work.groups) == 3
    assert len(await asyncio.gather(*tasks)) == 3


async def test_drain_without_work_returns_at_once() -> None:
    """Nothing to wait for."""
    work = Work()
    await groups_of(work).drain()
    assert work.groups == []


async def test_a_group_belongs_to_no_one_of_those_in_it() -> None:
    """What is logged while it is on its way carries nobody's name, not even the first one's."""
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    seen: list[str] = []

    async def work(items: Sequence[int]) -> Sequence[int]:
        seen.append(whose.get())
        return items

    groups: Groups[int, int] = Groups(work, key=lambda item: (item,))
    whose.set("the first one's")
    assert await groups.submit(1) == 1
    assert seen == ["nobody's"]
