"""`sesame.bank.turned_away`: a flood leaves one line a minute, and costs nobody anything."""

import asyncio
import json

import pytest

from sesame.bank.bank import Bank
from sesame.bank.housekeeping import tidy
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Suspended, verify_login
from sesame.store.errors import StoreUnavailable
from sesame.store.steps import Fate
from tests.bank.branch import NOBODY, OMAR, VERA, Branch, attempt, open_bank
from tests.bank.stranger import chain_is_whole


async def flood(bank: Bank, times: int, user_code: UserCode = VERA.user_code) -> None:
    """*times* forms that are turned away."""
    for _ in range(times):
        code = VERA.card.wrong_code(1)
        assert isinstance(await verify_login(bank, attempt(user_code, code)), Suspended)


async def lines(branch: Branch) -> list[list[tuple[str, int]]]:
    """What Véra's chain says was turned away, by line."""
    found, head = await branch.chain(VERA)
    assert chain_is_whole(found, head)
    said = [json.loads(line) for _, line, _ in found]
    return [
        [tuple(pair) for pair in one["causes"]] for one in said if one["event"] == "turned-away"
    ]


async def test_a_flood_is_one_line_a_minute(branch: Branch) -> None:
    """The first minute is silent, for the failures before have their own lines."""
    await branch.fail(VERA.user_code, 3)
    await flood(branch.bank, 40)
    assert await lines(branch) == []
    branch.clock.forward(seconds=59.999)
    await flood(branch.bank, 1)
    assert await lines(branch) == []
    branch.clock.forward(seconds=0.001)
    await flood(branch.bank, 5)
    assert await lines(branch) == [[("suspended", 42)]]
    branch.clock.forward(minutes=1)
    await flood(branch.bank, 5)
    assert await lines(branch) == [[("suspended", 42)], [("suspended", 5)]]


async def test_nothing_is_counted(branch: Branch) -> None:
    """Neither a try nor a card moves; the suspension ends when it was to end."""
    await branch.fail(VERA.user_code, 3)
    before = branch.row(VERA.user_code)
    branch.clock.forward(minutes=14)
    await flood(branch.bank, 7)
    after = branch.row(VERA.user_code)
    moved = {column for column in before if before[column] != after[column]}
    assert moved == {"version", "head", "stepped_at"}
    assert branch.last_atcs(VERA) == [0]
    assert branch.rows("SELECT sum(failures) FROM stranger_failures") == [(3,)]
    branch.clock.forward(minutes=1)
    await branch.login(VERA, VERA.card.code(1))
    assert branch.last_atcs(VERA) == [1]


async def test_causes_are_told_apart(branch: Branch) -> None:
    """Suspended, or asked for two codes."""
    branch.change(
        "INSERT INTO stranger_failures VALUES (1, ?, 0, 900)",
        int(branch.clock.at.timestamp()) // 3600,
    )
    branch.clock.forward(minutes=2)
    await branch.login(VERA, VERA.card.code(1))
    assert await lines(branch) == [[("two-codes-wanted", 1)]]


async def test_two_processes_write_one_line_between_them(branch: Branch) -> None:
    """Whoever comes first has the minute; the other one keeps its sum for the next."""
    other = open_bank(branch.where, name="other")
    object.__setattr__(other, "now", branch.clock)
    await branch.fail(VERA.user_code, 3)
    await flood(branch.bank, 3)
    await flood(other, 4)
    branch.clock.forward(minutes=1)
    await flood(other, 1)
    await flood(branch.bank, 1)
    assert await lines(branch) == [[("suspended", 5)]]
    branch.clock.forward(minutes=1)
    await flood(branch.bank, 1)
    assert await lines(branch) == [[("suspended", 5)], [("suspended", 5)]]
    await other.store.close()


@pytest.mark.parametrize("trouble", [Fate.LOST, StoreUnavailable("full")])
async def test_what_could_not_be_written_is_in_the_next_line(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, trouble: Fate | Exception
) -> None:
    """Somebody moved the row first, or the disk is full: the answer is the same."""
    await branch.fail(VERA.user_code, 3)
    branch.clock.forward(minutes=1)

    async def swap(_step: object) -> Fate:
        await asyncio.sleep(0)
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "swap_access", swap)
        await flood(branch.bank, 6)
    assert await lines(branch) == []
    await flood(branch.bank, 1)
    assert await lines(branch) == [[("suspended", 7)]]


async def test_a_crowd_writes_it_once(branch: Branch) -> None:
    """Those who come together count in one line, and none is lost."""
    await branch.fail(VERA.user_code, 3)
    branch.clock.forward(minutes=1)
    bank = branch.bank
    crowd = [attempt(VERA.user_code, VERA.card.wrong_code(1)) for _ in range(6)]
    await asyncio.gather(*(verify_login(bank, one) for one in crowd))
    assert bank.tally.waiting() in ([], [VERA.user_code])
    await tidy(bank)
    written = [times for one in await lines(branch) for _, times in one]
    assert sum(written) == 6


async def test_housekeeping_writes_what_is_left(branch: Branch) -> None:
    """A flood that ended leaves its sum too, on user codes that nobody has as well."""
    for user_code in (VERA.user_code, NOBODY):
        await branch.fail(user_code, 3)
        await flood(branch.bank, 9, user_code)
    await tidy(branch.bank)
    assert await lines(branch) == [[("suspended", 9)]]
    ((line,),) = branch.rows("SELECT line FROM stranger_lines ORDER BY version DESC LIMIT 1")
    assert isinstance(line, bytes)
    assert json.loads(line)["causes"] == [["suspended", 9]]
    versions = branch.rows("SELECT version FROM access WHERE user_code = ?", OMAR.user_code)
    await tidy(branch.bank)
    assert branch.rows("SELECT version FROM access WHERE user_code = ?", OMAR.user_code) == versions
