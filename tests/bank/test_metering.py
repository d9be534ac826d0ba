"""What of a login is counted: each outcome once, its cause, and no word of who it was."""

import asyncio
from dataclasses import replace
from itertools import product

import pytest

from sesame.bank.errors import TooBusy
from sesame.bank.matching import Cause, TwoCodes
from sesame.bank.origin import Door
from sesame.bank.pressure import hour_of
from sesame.bank.sessions import Means
from sesame.bank.tries import Side
from sesame.bank.verification import verify_login
from sesame.custody.errors import CustodyBusy, CustodyUnavailable, SealBroken
from sesame.custody.metered import MeteredCustodian
from sesame.meters import Counter, Meters, read
from sesame.store.errors import StoreUnavailable
from tests.bank.branch import NINE, NOBODY, OLD_CODE, OMAR, VERA, Branch, attempt

_SPRAYED = "INSERT INTO stranger_failures VALUES (0, ?, 0, 201)"


@pytest.fixture
def meters(branch_on_file: Branch) -> Meters:
    """Of a bank on SQLite."""
    return branch_on_file.bank.meters


def attempts(meters: Meters) -> dict[tuple[str, ...], float]:
    """By means, outcome and cause."""
    return {labels[1:]: count for labels, count in meters.attempts.values.items()}


async def test_what_is_accepted_and_the_session_it_opens(
    branch_on_file: Branch, meters: Meters
) -> None:
    """By means; one without a session opens none. The same form again is not another login."""
    first = attempt(VERA.user_code, OLD_CODE)
    await verify_login(branch_on_file.bank, first)
    await branch_on_file.login(VERA, VERA.card.code(1), session_seed=None)
    again = attempt(VERA.user_code, TwoCodes(VERA.card.code(2), VERA.card.code(3)))
    for _ in range(2):
        await verify_login(branch_on_file.bank, again)
    assert attempts(meters) == {
        ("old-code", "accepted", ""): 1,
        ("code", "accepted", ""): 1,
        ("two-codes", "accepted", ""): 1,
        ("two-codes", "repeated", ""): 1,
    }
    assert meters.sessions.values == {("old-code",): 1, ("two-codes",): 1}
    assert {labels[0] for labels in meters.attempts.values} == {"portal"}
    assert sum(meters.attempt_seconds.values[("two-codes",)][:-1]) == 2


async def test_what_is_refused_and_its_cause(branch_on_file: Branch, meters: Meters) -> None:
    """As in the audit line; the last of a row suspends, which is counted once."""
    await branch_on_file.login(VERA, VERA.card.code(5))
    await branch_on_file.login(VERA, VERA.card.code(5))
    await branch_on_file.login(VERA, VERA.card.code(4))
    await branch_on_file.login(VERA, VERA.card.wrong_code(6))
    await branch_on_file.login(VERA, VERA.card.code(7))
    await branch_on_file.fail(NOBODY, 1)
    assert attempts(meters) == {
        ("code", "accepted", ""): 1,
        ("code", "refused", "used"): 1,
        ("code", "refused", "overtaken"): 1,
        ("code", "refused", "wrong"): 1,
        ("code", "suspended", ""): 1,
        ("code", "refused", "unknown-user-code"): 1,
    }
    assert meters.suspensions.values == {(Side.OPEN,): 1}


async def test_who_wants_two_codes(branch_on_file: Branch, meters: Meters) -> None:
    """The access by its own failures, or the bank by those all over it."""
    for _ in range(3):
        await branch_on_file.fail(VERA.user_code, 3)
        branch_on_file.clock.forward(hours=5)
    await branch_on_file.login(VERA, VERA.card.code(1))
    branch_on_file.change(_SPRAYED, hour_of(branch_on_file.clock()))
    branch_on_file.clock.forward(seconds=6)
    await branch_on_file.login(OMAR, OMAR.card.code(1))
    assert attempts(meters)["code", "two-codes-wanted", "access"] == 1
    assert attempts(meters)["code", "two-codes-wanted", "bank"] == 1
    assert meters.suspensions.values == {(Side.OPEN,): 3}


async def test_what_nobody_answered(
    branch_on_file: Branch, meters: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the type of the error; the bank gives it on."""

    async def gone(*_: object) -> None:
        raise StoreUnavailable("bank.db")

    async def silent(*_: object, **__: object) -> None:
        raise CustodyUnavailable("the token is gone")

    with monkeypatch.context() as patched:
        patched.setattr(branch_on_file.bank.store, "read_access", gone)
        with pytest.raises(StoreUnavailable):
            await branch_on_file.login(VERA, VERA.card.code(1))
    with monkeypatch.context() as patched:
        patched.setattr("sesame.bank.verification.find_matches", silent)
        with pytest.raises(CustodyUnavailable):
            await branch_on_file.login(VERA, VERA.card.code(1))
    assert attempts(meters) == {
        ("code", "unavailable", "StoreUnavailable"): 1,
        ("code", "unavailable", "CustodyUnavailable"): 1,
    }


async def test_who_came_together(branch_on_file: Branch, meters: Meters) -> None:
    """More than may wait at one user code are told that it is too busy."""
    crowd = [branch_on_file.login(VERA, VERA.card.wrong_code(1, n)) for n in range(1, 11)]
    await asyncio.gather(*crowd, return_exceptions=True)
    counted = attempts(meters)
    assert counted["code", "too-busy", ""] == 4  # one inside, five behind
    assert sum(counted.values()) == 10


async def test_what_custody_takes(branch_on_file: Branch, meters: Meters) -> None:
    """Each kind of question by itself, and its errors by type."""
    bank = branch_on_file.bank
    bank = replace(bank, custodian=MeteredCustodian(bank.custodian, meters))
    await verify_login(bank, attempt(VERA.user_code, VERA.card.code(1)))
    pair = TwoCodes(VERA.card.code(2), VERA.card.code(3))
    await verify_login(bank, attempt(VERA.user_code, pair))
    calls = {labels[0]: sum(spread[:-1]) for labels, spread in read_custody(meters)}
    assert calls["match"] == 1
    assert calls["match-pairs"] == 1
    assert calls["mac"] >= 4  # a line and a token each
    branch_on_file.change("UPDATE cards SET sealed = x'00' WHERE user_code = 'VERA2345'")
    with pytest.raises(SealBroken):
        await verify_login(bank, attempt(VERA.user_code, VERA.card.code(4)))
    assert meters.custody_errors.values == {("SealBroken",): 1}


async def test_a_custody_that_is_full(
    branch_on_file: Branch, meters: Meters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt is too busy, not unavailable; custody's own count has a name for it."""

    async def full(*_: object) -> None:
        raise CustodyBusy

    monkeypatch.setattr(branch_on_file.bank.custodian, "match", full)
    bank = branch_on_file.bank
    bank = replace(bank, custodian=MeteredCustodian(bank.custodian, meters))
    with pytest.raises(TooBusy):
        await verify_login(bank, attempt(VERA.user_code, VERA.card.code(1)))
    assert attempts(meters) == {("code", "too-busy", ""): 1}
    assert meters.custody_errors.values == {("CustodyBusy",): 1}


def read_custody(meters: Meters) -> list[tuple[tuple[str, ...], list[float]]]:
    """The spread of each kind of question."""
    return read(meters).spreads["sesame_custody_seconds"]


def test_the_words_of_labels_are_the_bank_s_own() -> None:
    """What is told as 0 from the start is what can happen."""
    known = {labels for labels in Meters().attempts.known if labels[2] in {"refused", "accepted"}}
    judged = set(Cause) - {Cause.SUSPENDED, Cause.TWO_CODES_WANTED}
    assert known == {
        *product(Door, Means, ["accepted"], [""]),
        *product(Door, Means, ["refused"], judged),
    }
    assert set(Meters().suspensions.known) == {(side,) for side in Side}


async def test_groups_and_what_waits(branch_on_file: Branch) -> None:
    """Of the store's own meters: how many went together, and that nothing is left waiting."""
    store, meters = branch_on_file.bank.store, branch_on_file.bank.store._meters  # noqa: SLF001 -- its own
    await asyncio.gather(
        branch_on_file.login(VERA, VERA.card.code(1)), branch_on_file.login(OMAR, OMAR.card.code(1))
    )
    store.measure()
    spreads = read(meters).spreads
    sizes = {labels[0]: spread[-1] for labels, spread in spreads["sesame_store_group_size"]}
    assert sizes == {"read": 2, "swap": 2}
    assert set(meters.store_waiting.values.values()) == {0}


async def test_no_label_says_who_it_was(branch_on_file: Branch, meters: Meters) -> None:
    """Whatever was typed, and wherever from: every label is a word of ours."""
    await branch_on_file.login(VERA, VERA.card.code(1))
    await branch_on_file.fail(NOBODY, 2)
    labels = {
        label
        for meter in meters.all()
        if isinstance(meter, Counter)
        for found in meter.values
        for label in found
    }
    assert labels == {"portal", "code", "accepted", "refused", "unknown-user-code", ""}


async def test_the_switch_is_an_event(
    branch_on_file: Branch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once when it is thrown, and once when it is over."""
    bank, clock = branch_on_file.bank, branch_on_file.clock
    branch_on_file.change(_SPRAYED, hour_of(NINE))
    on = []
    for hours in (0, 1, 23, 2, 1):
        clock.forward(hours=hours)
        on.append(await bank.pressure.is_on(bank.store, bank.limits, bank.now()))
    assert on == [True, True, True, False, False]
    assert bank.pressure.look is not None
    assert (bank.pressure.look.most_an_hour, bank.pressure.look.most_a_day) == (200, 500)
    assert [record.getMessage() for record in caplog.records if record.name == "sesame"] == [
        "two codes are asked of unknown browsers: 201 failures this hour, 201 within a day",
        "one code is enough again",
    ]
