"""`sesame.bank.sources`: what is refused to one address, and what follows for whom."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from sesame.bank.bank import Bank
from sesame.bank.housekeeping import share_sources, tidy
from sesame.bank.limits import Limits, SourceLimits
from sesame.bank.matching import TwoCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.pressure import hour_of
from sesame.bank.sources import Refusals, Sources, Standing, standing
from sesame.bank.user_code import UserCode
from sesame.bank.verification import (
    Accepted,
    Outcome,
    Refused,
    SourceClosed,
    TwoCodesWanted,
    verify_login,
)
from sesame.store.errors import StoreUnavailable
from tests.bank.branch import NINE, NOBODY, OLD_CODE, OMAR, VERA, Branch, attempt, open_bank

_LIMITS = SourceLimits()
_NOW = 100_000  # an hour
_BAD, _GOOD = "198.51.100.7", "203.0.113.9"
_SEED = bytes(32)


def at(address: str, *devices: bytes, of_many: bool = False) -> Origin:
    """A browser at *address*."""
    return Origin(Door.PORTAL, address, devices, of_many)


async def spray(bank: Bank, times: int, address: str = _BAD, first: int = 0) -> list[Outcome]:
    """One wrong code on each of many user codes that nobody has."""
    code = VERA.card.wrong_code(1)
    targets = [UserCode(f"NEMO{2222 + first + n:04d}".replace("0", "X")) for n in range(times)]
    return [
        await verify_login(bank, attempt(target, code, origin=at(address))) for target in targets
    ]


def close(bank: Bank) -> None:
    """As much as closes an address."""
    for _ in range(301):
        bank.sources.add(_BAD, bank.limits.source, bank.now(), judged=True)


# ── The rule ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("refusals", "wanted"),
    [
        (Refusals(30, 3000), Standing.OPEN),
        (Refusals(31, 3000), Standing.TWO_CODES),
        (Refusals(300, 0), Standing.TWO_CODES),
        (Refusals(301, 0), Standing.CLOSED),
        (Refusals(0, 3001), Standing.CLOSED),
    ],
)
def test_the_thresholds(refusals: Refusals, wanted: Standing) -> None:
    """More than 30 failures, more than 300 of them in an hour or 3,000 turned away."""
    assert standing({_NOW: refusals}, _NOW, _LIMITS) is wanted


@pytest.mark.parametrize(("ago", "wanted"), [(24, Standing.TWO_CODES), (25, Standing.OPEN)])
def test_a_failure_counts_for_a_day(ago: int, wanted: Standing) -> None:
    """The hour that runs, and the 24 before it, together."""
    counts = {_NOW: Refusals(1, 0), _NOW - ago: Refusals(30, 0)}
    assert standing(counts, _NOW, _LIMITS) is wanted


def test_nobody_is_shut_out_for_longer_than_the_hour_that_runs() -> None:
    """What was refused before is no matter, and what was not judged asks for no second code."""
    assert standing({_NOW - 1: Refusals(0, 9000)}, _NOW, _LIMITS) is Standing.OPEN
    assert standing({_NOW - 1: Refusals(9000, 0)}, _NOW, _LIMITS) is Standing.TWO_CODES


# ── What follows ─────────────────────────────────────────────────────────────────────────────────


async def test_an_address_that_fails_is_asked_for_two_codes(branch: Branch) -> None:
    """There, and nowhere else; owners get in with two, and the code is not lost."""
    assert await spray(branch.bank, 31) == [Refused()] * 31
    first, second = VERA.card.code(1), VERA.card.code(2)
    assert await branch.login(VERA, first, origin=at(_BAD)) == TwoCodesWanted()
    assert await branch.login(OMAR, OMAR.card.code(1), origin=at(_GOOD)) != TwoCodesWanted()
    assert isinstance(await branch.login(VERA, TwoCodes(first, second), origin=at(_BAD)), Accepted)


async def test_the_same_for_user_codes_that_nobody_has(branch: Branch) -> None:
    """Real or not, by what was refused at the address alone."""
    await spray(branch.bank, 31)
    for user_code in (VERA.user_code, NOBODY):
        tried = attempt(user_code, VERA.card.wrong_code(1), origin=at(_BAD))
        assert await verify_login(branch.bank, tried) == TwoCodesWanted()


async def test_a_known_device_notices_nothing(branch: Branch) -> None:
    """Neither two codes nor a closed door, and its own errors are not the address's."""
    entered = await branch.login(VERA, VERA.card.code(1), device_seed=_SEED, origin=at(_BAD))
    assert isinstance(entered, Accepted)
    assert entered.device is not None
    close(branch.bank)
    known = at(_BAD, entered.device)
    assert await branch.login(VERA, VERA.card.wrong_code(2), origin=known) == Refused()
    assert isinstance(await branch.login(VERA, VERA.card.code(2), origin=known), Accepted)
    assert isinstance(await branch.login(OMAR, OMAR.card.code(1), origin=known), SourceClosed)


async def test_errors_of_known_devices_are_not_counted(branch: Branch) -> None:
    """A branch office whose clerks mistype is no attacker."""
    entered = await branch.login(VERA, VERA.card.code(1), device_seed=_SEED, origin=at(_BAD))
    assert isinstance(entered, Accepted)
    assert entered.device is not None
    known = at(_BAD, entered.device)
    for _ in range(8):
        assert await branch.login(VERA, VERA.card.wrong_code(2), origin=known) == Refused()
        branch.clock.forward(hours=1)
    await share_sources(branch.bank)
    assert branch.rows("SELECT * FROM source_refusals") == []


async def test_far_more_and_nothing_is_judged_until_the_next_hour(branch: Branch) -> None:
    """The same answer for all user codes, without a statement; owners elsewhere get in."""
    branch.clock.forward(minutes=20)
    close(branch.bank)
    before = branch.place.everything()
    closed = SourceClosed(NINE + timedelta(hours=1))
    for user_code in (VERA.user_code, NOBODY):
        for code in (VERA.card.code(1), TwoCodes(VERA.card.code(1), VERA.card.code(2)), OLD_CODE):
            assert (
                await verify_login(branch.bank, attempt(user_code, code, origin=at(_BAD))) == closed
            )
    assert branch.place.everything() == before
    assert isinstance(await branch.login(OMAR, OMAR.card.code(1), origin=at(_GOOD)), Accepted)
    branch.clock.forward(minutes=40)
    assert await branch.login(VERA, VERA.card.code(1), origin=at(_BAD)) == TwoCodesWanted()


async def test_pairs_close_an_address(branch: Branch) -> None:
    """What is left where two codes are asked for ends too."""
    wrong = TwoCodes(VERA.card.wrong_code(1), VERA.card.wrong_code(2))
    branch.bank = replace(branch.bank, limits=Limits(source=SourceLimits(closed_above=5)))
    origin = at(_BAD)
    for number in range(6):
        tried = attempt(UserCode(f"NEMA{number + 2222}"), wrong, origin=origin)
        assert await verify_login(branch.bank, tried) == Refused()
    assert isinstance(await branch.login(VERA, VERA.card.code(1), origin=origin), SourceClosed)


async def test_a_flood_is_answered_without_a_statement(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever goes on though nothing is judged; each of these counts as well."""
    branch.bank = replace(branch.bank, limits=Limits(source=SourceLimits(flooded_above=5)))
    outcomes = await spray(branch.bank, 31 + 6)
    assert outcomes[31:] == [TwoCodesWanted()] * 6
    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "read_access", pytest.fail)
        closed = await spray(branch.bank, 2, first=100)
    assert closed == [SourceClosed(NINE + timedelta(hours=1))] * 2
    await share_sources(branch.bank)
    assert branch.rows("SELECT failures, turned_away FROM source_refusals") == [(31, 8)]


async def test_old_codes_are_judged_where_two_are_asked_for(branch: Branch) -> None:
    """Nobody has two of them; but they are no way around a closed door."""
    await spray(branch.bank, 31)
    assert isinstance(await branch.login(VERA, OLD_CODE, origin=at(_BAD)), Accepted)


async def test_one_address_alone_does_not_press_the_bank(branch: Branch) -> None:
    """What it gets wrong beyond its own limit is not counted for all."""
    await spray(branch.bank, 31)
    wrong = TwoCodes(VERA.card.wrong_code(1), VERA.card.wrong_code(2))
    for number in range(40):
        user_code = UserCode(f"NEMA{number + 2222}")
        tried = attempt(user_code, wrong, origin=at(_BAD))
        assert await verify_login(branch.bank, tried) == Refused()
    assert branch.rows("SELECT sum(failures) FROM stranger_failures") == [(31,)]


@pytest.mark.parametrize("address", ["", _BAD])
async def test_callers_who_do_not_say_whose_address_it_is(branch: Branch, address: str) -> None:
    """And connections without one: their customers are not taken for one."""
    origin = at(address, of_many=bool(address))
    for number in range(40):
        tried = attempt(UserCode(f"NEMO{number + 2222}"), VERA.card.wrong_code(1), origin=origin)
        assert await verify_login(branch.bank, tried) == Refused()


async def test_without_limits_nothing_is_counted(branch: Branch) -> None:
    """The setting that switches them off."""
    bank = replace(branch.bank, limits=Limits(source=None))
    assert await spray(bank, 40) == [Refused()] * 40
    await share_sources(bank)
    await tidy(bank)
    assert branch.rows("SELECT * FROM source_refusals") == []


# ── Between servers ──────────────────────────────────────────────────────────────────────────────


async def test_servers_count_together(branch: Branch) -> None:
    """Sixteen failures at each of two: the next one anywhere is asked for two codes."""
    other = open_bank(branch.where, name="other")
    object.__setattr__(other, "now", branch.clock)
    await spray(branch.bank, 16)
    await spray(other, 16, first=100)
    for bank in (branch.bank, other):
        await share_sources(bank)
    assert await spray(other, 1, first=200) == [TwoCodesWanted()]
    # The first one knows what it wrote itself; it learns the rest with its next refusal.
    assert await spray(branch.bank, 1, first=300) == [Refused()]
    await share_sources(branch.bank)
    assert await spray(branch.bank, 1, first=400) == [TwoCodesWanted()]
    await other.store.close()


async def test_no_address_is_written(branch: Branch) -> None:
    """A keyed hash: without custody's key nobody finds the address by trying all of them."""
    await spray(branch.bank, 2)
    await share_sources(branch.bank)
    ((_, source, hour, failures, turned_away),) = branch.rows("SELECT * FROM source_refusals")
    assert (hour, failures, turned_away) == (hour_of(NINE), 2, 0)
    assert len(bytes(source)) == 16
    assert _BAD.encode() not in bytes(source)


async def test_a_database_that_does_not_answer_loses_no_count(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written the next time, once; and count in this process all the while."""
    await spray(branch.bank, 31)

    async def write(_change: object) -> None:
        await asyncio.sleep(0)
        raise StoreUnavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "write", write)
        with pytest.raises(StoreUnavailable):
            await share_sources(branch.bank)
    assert await branch.login(VERA, VERA.card.code(1), origin=at(_BAD)) == TwoCodesWanted()
    for _ in range(2):
        await share_sources(branch.bank)
    counts = branch.rows("SELECT failures, turned_away FROM source_refusals")
    assert counts == [(31, 1)]


async def test_what_comes_while_it_is_written_counts_too(
    branch: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither twice nor not at all; and what is on its way counts with it."""
    write, on_its_way = branch.bank.store.write, asyncio.Event()
    answered = asyncio.Event()

    async def slow(change: Callable[[Connection], object]) -> object:
        on_its_way.set()
        await answered.wait()
        return await write(change)

    await spray(branch.bank, 20)
    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "write", slow)
        sharing = asyncio.create_task(share_sources(branch.bank))
        await on_its_way.wait()
        await spray(branch.bank, 10, first=100)
        assert await spray(branch.bank, 1, first=200) == [Refused()]
        assert await spray(branch.bank, 1, first=300) == [TwoCodesWanted()]
        answered.set()
        await sharing
    assert await branch.login(VERA, VERA.card.code(1), origin=at(_BAD)) == TwoCodesWanted()
    await share_sources(branch.bank)
    counts = branch.rows("SELECT failures, turned_away FROM source_refusals")
    assert counts == [(31, 2)]


async def test_a_day_later_all_is_forgotten(branch: Branch) -> None:
    """In the database and in this process."""
    await spray(branch.bank, 31)
    await share_sources(branch.bank)
    branch.clock.forward(hours=25)
    await tidy(branch.bank)
    await share_sources(branch.bank)
    assert branch.rows("SELECT * FROM source_refusals") == []
    assert isinstance(await branch.login(VERA, VERA.card.code(1), origin=at(_BAD)), Accepted)


async def test_a_flood_of_addresses_fills_no_memory(branch_on_file: Branch) -> None:
    """Beyond 20,000 others are not counted; half of them are forgotten once they are written."""
    branch = branch_on_file
    sources, now, store = Sources(), branch.clock(), branch.bank.store
    for number in range(20_010):
        sources.add(f"2001:db8:0:{number:x}::/64", _LIMITS, now, judged=True)
    assert len(sources._sources) == 20_000  # noqa: SLF001 -- the bound is what is tested
    for _ in range(2):
        await sources.share(store, branch.bank.custodian, _LIMITS, now)
    assert len(sources._sources) == 10_000  # noqa: SLF001 -- likewise
    assert branch.rows("SELECT count(*) FROM source_refusals") == [(20_000,)]


async def test_the_log_says_how_many_and_not_which(
    branch: Branch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for each step up; no address."""
    with caplog.at_level(logging.WARNING, logger="sesame.bank"):
        await spray(branch.bank, 31)
        for _ in range(2):
            await share_sources(branch.bank)
            await spray(branch.bank, 1, first=400)
    assert [record.getMessage() for record in caplog.records] == [
        "source addresses whose unknown devices are asked for two codes: 1 more"
    ]
