"""`sesame.store.engine`: the same store on either database."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sesame.store.access import Access, AccessQuestion, delete_stranger_rows
from sesame.store.buckets import bucket_of
from sesame.store.customers import insert_customers
from sesame.store.engine import Store, database_path, open_store
from sesame.store.errors import StoreError, StoreUnavailable
from sesame.store.options import StoreOptions
from sesame.store.steps import Fate, Step
from tests.places import Place
from tests.store.databases import STRANGER, USER_CODE, accepted, customer, enrol, step

# ── Opening ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///bank/sesame.db", "bank/sesame.db"),
        ("sqlite:////var/lib/the bank/sesame.db", "/var/lib/the bank/sesame.db"),
    ],
)
def test_a_url_names_a_file(url: str, path: str) -> None:
    """Three slashes and a path, relative or not."""
    assert database_path(url) == Path(path)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sesame.db",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql://ada:secret@db/sesame",
        "mysql://ada:sec@ret@db/sesame",
    ],
)
def test_other_urls_are_refused_without_their_password(url: str) -> None:
    """The message says how to write one and repeats no password."""
    with pytest.raises(StoreError, match="sqlite:///") as refused:
        open_store(url)
    assert "secret" not in str(refused.value)


# ── Reading and writing ──────────────────────────────────────────────────────────────────────────


async def test_what_was_committed_is_read(store: Store, place: Place) -> None:
    """The reading side sees a step as soon as the writing side has answered."""
    enrol(place)
    for version in range(1, 20):
        assert await store.swap_access(step(read_version=version)) is Fate.WON
        assert (await store.read_access(USER_CODE)).version == version + 1


async def test_a_thousand_steps_leave_in_groups(store: Store, place: Place) -> None:
    """Steps of many user codes at once: all are taken, each of them once."""
    user_codes = [f"NOBO{n:04d}" for n in range(1000)]
    fates = await asyncio.gather(
        *(store.swap_access(step(code, 0, enrolled=False)) for code in user_codes)
    )
    assert fates == [Fate.WON] * 1000
    accesses = await asyncio.gather(*map(store.read_access, user_codes))
    assert {access.version for access in accesses} == {1}
    assert len(place.everything()["stranger_lines"]) == 1000


async def test_a_change_that_fails_leaves_nothing(store: Store, place: Place) -> None:
    """Whatever the error, the transaction is undone."""

    def change(connection: Connection) -> None:
        insert_customers(connection, [customer()])
        raise RuntimeError("half-way")

    before = place.everything()
    with pytest.raises(RuntimeError, match="half-way"):
        await store.write(change)
    assert place.everything() == before
    assert not await store.write(lambda c: insert_customers(c, [customer()]))


async def test_closing_waits_for_groups_on_their_way(place: Place) -> None:
    """A step that was submitted is taken before the file is let go."""
    enrol(place)
    store = place.open_store()
    tasks = [
        asyncio.create_task(store.swap_access(step())),
        asyncio.create_task(store.read_access(USER_CODE)),
    ]
    await asyncio.sleep(0)
    await store.close()
    assert all([await task for task in tasks])
    assert place.row_of(USER_CODE)["version"] == 2


async def test_a_store_that_was_never_used_closes(place: Place) -> None:
    """Nothing to let go of."""
    await place.open_store().close()


async def test_a_card_that_moved_aside_undoes_only_itself(store: Store, place: Place) -> None:
    """Of a group of three, the step whose card moved is lost; the others are taken."""
    others = ("ADA22222", "BEA22222")
    for user_code in (USER_CODE, *others):
        enrol(place, user_code)
    place.execute("UPDATE cards SET last_atc = 40 WHERE user_code = ?", USER_CODE)
    user_codes = (USER_CODE, *others)
    fates = await asyncio.gather(*(store.swap_access(accepted(code)) for code in user_codes))
    assert fates == [Fate.LOST, Fate.WON, Fate.WON]
    assert place.row_of(USER_CODE)["version"] == 1
    assert place.last_atcs(USER_CODE) == [40, 40]
    for code in others:
        assert place.row_of(code)["version"] == 2
        assert place.last_atcs(code) == [11, 11]


async def test_what_reads_cannot_write(store: Store, place: Place) -> None:
    """A change that is asked of the reading side is refused by the database."""
    await store.swap_access(step(STRANGER, 0))
    with pytest.raises(StoreUnavailable, match=r"read.?only"):
        await store.read(lambda connection: delete_stranger_rows(connection, untouched_since=9_999))
    assert place.row_of(STRANGER)


class _Watched:
    """The database at *place*, which writes down what each group is of."""

    at_once_alone = 1

    def __init__(self, place: Place, *, at_once: int = 1) -> None:
        self.at_once = at_once
        self.read, self.write = place.database.read, place.database.write
        self.swap_alone = place.database.swap_alone
        self.connections = place.database.connections
        self.groups: list[list[int]] = []
        self.steps: list[list[Step]] = []
        self.on_their_way = Counter[str]()
        self.most = Counter[str]()

    async def read_group(self, asked: Sequence[AccessQuestion]) -> list[Access]:
        await self._pass("reads", [question.bucket for question in asked])
        return [Access(question.user_code) for question in asked]

    async def swap_group(self, steps: Sequence[Step]) -> list[Fate]:
        self.steps.append(list(steps))
        await self._pass("steps", [step.bucket for step in steps])
        return [Fate.WON for _ in steps]

    async def close(self) -> None:
        """Nothing to let go of."""

    async def _pass(self, what: str, buckets: list[int]) -> None:
        self.groups.append(buckets)
        self.on_their_way[what] += 1
        self.most[what] = max(self.most[what], self.on_their_way[what])
        await asyncio.sleep(0)
        self.on_their_way[what] -= 1


_USER_CODES = [f"NOBO{n:04d}" for n in range(300)]


async def test_a_group_is_of_one_bucket_where_that_is_asked_for(place: Place) -> None:
    """For a database that is spread by bucket: each group runs on one part of it."""
    wanted = {bucket_of(user_code) for user_code in _USER_CODES}
    for one_bucket in (True, False):
        database = _Watched(place)
        store = Store(database, StoreOptions(groups_of_one_bucket=one_bucket))
        for asked in (store.read_access, lambda code: store.swap_access(step(code, 0))):  # noqa: B023 -- asked at once
            database.groups.clear()
            await asyncio.gather(*map(asked, _USER_CODES))
            assert {bucket for group in database.groups for bucket in group} == wanted
            assert sum(map(len, database.groups)) == 300
            assert (max(len(set(group)) for group in database.groups) == 1) is one_bucket


@pytest.mark.parametrize(("largest", "at_once"), [(1, 3), (2, 1), (64, 2)])
async def test_so_many_groups_are_on_their_way_as_the_database_takes(
    place: Place, largest: int, at_once: int
) -> None:
    """Of reads and of steps each."""
    database = _Watched(place, at_once=at_once)
    store = Store(database, StoreOptions(largest_group=largest))
    for version in (0, 1):
        await asyncio.gather(*(store.swap_access(step(code, version)) for code in _USER_CODES))
    await asyncio.gather(*map(store.read_access, _USER_CODES))
    assert max(map(len, database.groups)) == largest
    assert database.most == {"reads": at_once, "steps": at_once}


async def test_a_stranger_and_a_customer_wait_in_one_queue(place: Place) -> None:
    """However many first steps or others wait: who comes at the same time leaves together."""
    for version in (0, 1):
        database = _Watched(place)
        store = Store(database)
        waiting = [step(code, version) for code in _USER_CODES]
        both = [step(USER_CODE, 1), step(STRANGER, 0)]
        await asyncio.gather(*map(store.swap_access, waiting + both))
        assert [len(group) for group in database.steps] == [64, 64, 64, 64, 46]
        assert all(one in database.steps[-1] for one in both)
