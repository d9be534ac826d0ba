"""A card's activation: judged like a login, one commit, once."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import Connection

from sesame.bank.activation import Openings, judge_opening
from sesame.bank.auditing import audit_one
from sesame.bank.challenges import ChallengeResponse, make_challenge
from sesame.bank.errors import StreamAltered, TooBusy
from sesame.bank.matching import Cause, Match, TwoCodes, Verdict
from sesame.bank.replay import replay
from sesame.bank.sessions import read_session
from sesame.bank.stream import StreamedLine
from sesame.bank.turnstile import Turnstile
from sesame.bank.verification import (
    Accepted,
    Outcome,
    Refused,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.custody.custodian import KeyUsage
from sesame.store.cards import CardState
from sesame.store.errors import StoreUnavailable
from sesame.store.opening import OpenedCard
from tests.bank.branch import DORA, NOBODY, OLD_CODE, OMAR, VERA, Branch, attempt, open_bank
from tests.bank.rows import access, card, near
from tests.bank.stranger import chain_is_whole
from tests.bank.waiting import NUMBER, UNTIL, WRONG_NUMBER, activation, have_wait, states

_WAITING = CardState.WAITING


def _opened(number: int = 1, retires: int | None = None) -> OpenedCard:
    return OpenedCard(
        card_number=number, was=_WAITING, number_hash=b"", order_number=1, retires=retires
    )


async def _line(branch: Branch, person: object = VERA) -> dict[str, object]:
    """The last line of a customer's chain."""
    lines, head = await branch.chain(person)  # type: ignore[arg-type]  # a person
    assert chain_is_whole(lines, head)
    line: dict[str, object] = json.loads(lines[-1][1])
    return line


def test_a_code_opens_the_card_whose_number_was_typed() -> None:
    """And moves it, with any other card that signs in and makes the same code."""
    row = access(card(1), card(2, _WAITING), card(3, _WAITING))
    openings = Openings({2: _opened(2)})
    both = judge_opening(row, near((1, 11), (2, 12), (3, 13)), openings)
    assert both == Verdict(None, (Match(1, 11), Match(2, 12)), opens=(_opened(2),))
    assert judge_opening(row, near((3, 13)), openings).cause is Cause.NUMBER_WRONG
    assert judge_opening(row, near((1, 11)), openings).cause is Cause.NOTHING_TO_OPEN
    late = Openings(late=frozenset({2}))
    assert judge_opening(row, near((2, 12)), late).cause is Cause.NUMBER_EXPIRED
    assert judge_opening(row, near((3, 12)), late).cause is Cause.NUMBER_WRONG


async def test_a_first_code_with_its_number_activates_the_card(branch: Branch) -> None:
    """It signs in, retires the old code and leaves a vouched line and a notice; all in one step."""
    await have_wait(branch, VERA)
    outcome = await branch.login(VERA, activation(VERA.card.code(1)), device_seed=b"d" * 32)
    assert isinstance(outcome, Accepted)
    assert outcome.device is not None
    session = await read_session(branch.bank, outcome.session_token or "")
    assert session is not None
    assert session.means == "activation"
    assert not session.view_only
    assert session.erased_old_code
    assert states(branch, VERA) == ["active"]
    assert branch.last_atcs(VERA) == [1]
    row = branch.row(VERA.user_code)
    assert row["old_code"] is None
    ((activated_at,),) = branch.rows("SELECT activated_at FROM card_orders")
    assert activated_at == row["stepped_at"]
    line = await _line(branch)
    assert line["event"] == "activation"
    assert line["outcome"] == "accepted"
    assert line["cards"] == [[1, "sesame-card-2", 1]]
    assert (line["opened"], line["retired"]) == ([[1, 1]], [])
    assert line["mac"]
    told = branch.rows("SELECT event, at, facts FROM notices ORDER BY event")
    assert [(event, at) for event, at, _ in told] == [
        (event, row["stepped_at"]) for event in ("activation", "old-code")
    ]
    assert len(json.loads(bytes(told[0][2]))["last4"][0]) == 4
    # From now on it is a card like any other, and its number is used up.
    assert await branch.login(VERA, activation(VERA.card.code(2))) == Refused()
    assert (await _line(branch))["cause"] == "nothing-to-open"
    assert isinstance(await branch.login(VERA, VERA.card.code(3)), Accepted)


def _nothing(_branch: Branch) -> None:
    """As issuing left it."""


def _expired(branch: Branch) -> None:
    branch.clock.at = UNTIL


def _cancelled(branch: Branch) -> None:
    branch.change("UPDATE card_orders SET cancelled_at = 1")


def _unprinted(branch: Branch) -> None:
    branch.change("UPDATE card_orders SET activation_hash = NULL, activation_until = NULL")


def _held(branch: Branch) -> None:
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", VERA.user_code)


def _retired(branch: Branch) -> None:
    branch.change("UPDATE cards SET state = 'retired' WHERE user_code = ?", VERA.user_code)


@pytest.mark.parametrize(
    ("prepare", "number", "wrong", "cause"),
    [
        (_nothing, WRONG_NUMBER, 0, "number-wrong"),
        (_nothing, NUMBER, 1, "wrong"),
        (_expired, NUMBER, 0, "number-expired"),
        (_expired, WRONG_NUMBER, 0, "number-wrong"),
        (_cancelled, NUMBER, 0, "number-wrong"),
        (_unprinted, NUMBER, 0, "number-wrong"),
        (_held, NUMBER, 0, "number-wrong"),
        (_retired, NUMBER, 0, "wrong"),
    ],
)
async def test_every_refusal_is_one_and_counts_as_a_try(
    branch: Branch, prepare: Callable[[Branch], None], number: str, wrong: int, cause: str
) -> None:
    """Nothing moves but the tries, and only staff learn the cause."""
    await have_wait(branch, VERA)
    prepare(branch)
    before = states(branch, VERA)
    code = VERA.card.wrong_code(1, wrong) if wrong else VERA.card.code(1)
    assert await branch.login(VERA, activation(code, number)) == Refused()
    line = await _line(branch)
    assert (line["event"], line["cause"]) == ("activation", cause)
    assert "mac" not in line
    assert branch.row(VERA.user_code)["open_failures"] == 1
    assert branch.last_atcs(VERA) == [0]
    assert states(branch, VERA) == before
    assert branch.rows("SELECT * FROM notices") == branch.rows("SELECT * FROM sessions") == []


async def test_a_user_code_that_nobody_has_is_refused_alike(branch: Branch) -> None:
    """And is suspended alike, after as many."""
    await have_wait(branch, VERA)
    for user_code in (NOBODY, VERA.user_code):
        outcomes: list[Outcome] = []
        for guess in range(1, 5):
            wrong = activation(VERA.card.wrong_code(1, guess))
            outcomes.append(await verify_login(branch.bank, attempt(user_code, wrong)))
        assert outcomes[:3] == [Refused()] * 3
        assert outcomes[3] == Suspended(branch.clock() + timedelta(minutes=15))


@pytest.mark.parametrize("person", [VERA, OMAR, None], ids=["waiting", "active", "nobody"])
async def test_each_attempt_asks_custody_for_as_much(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch, person: object
) -> None:
    """One inquiry and two MACs, whoever's the user code is, and one read of orders."""
    branch = branch_on_file
    await have_wait(branch, VERA)
    asked: list[str] = []
    for name in ("match", "mac"):
        right = getattr(branch.bank.custodian, name)

        def counted(*given: object, _name: str = name, _right: object = right) -> object:
            asked.append(_name)
            return _right(*given)  # type: ignore[operator]  # a method of custody

        monkeypatch.setattr(branch.bank.custodian, name, counted)
    user_code = NOBODY if person is None else person.user_code  # type: ignore[attr-defined]
    wrong = activation(VERA.card.wrong_code(1))
    assert await verify_login(branch.bank, attempt(user_code, wrong)) == Refused()
    assert sorted(asked) == ["mac", "mac", "match"]


async def test_a_waiting_card_signs_in_nowhere_else(branch: Branch) -> None:
    """Its code is refused as any other, and stays good for the activation."""
    await have_wait(branch, VERA)
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    assert (await _line(branch))["cause"] == "card-not-active"
    both = TwoCodes(VERA.card.code(1), VERA.card.code(2))
    assert await branch.login(VERA, both) == Refused()
    assert isinstance(await branch.login(VERA, activation(VERA.card.code(1))), Accepted)


@pytest.mark.parametrize("state", ["active", "held"])
async def test_the_card_that_it_replaces_is_retired(branch: Branch, state: str) -> None:
    """Until then both sign in, unless the old one is held; from then on the new one alone."""
    await have_wait(branch, DORA, 1, replaces=2)
    old = DORA.cards[1]
    if state == "held":
        branch.change("UPDATE cards SET state = 'held' WHERE card_number = 2")
    else:
        assert isinstance(await branch.login(DORA, old.code(1)), Accepted)
    assert isinstance(await branch.login(DORA, activation(DORA.card.code(1))), Accepted)
    assert states(branch, DORA) == ["active", "retired"]
    assert (await _line(branch, DORA))["retired"] == [[2]]
    assert await branch.login(DORA, old.code(2)) == Refused()
    assert isinstance(await branch.login(DORA, DORA.card.code(2)), Accepted)


async def test_a_card_that_was_retired_already_stays_so(branch: Branch) -> None:
    """An order may replace one that came back by post."""
    await have_wait(branch, DORA, 1, replaces=2)
    branch.change("UPDATE cards SET state = 'retired' WHERE card_number = 2")
    assert isinstance(await branch.login(DORA, activation(DORA.card.code(1))), Accepted)
    assert states(branch, DORA) == ["active", "retired"]


async def test_of_two_at_a_time_one_activates(branch: Branch) -> None:
    """By two servers, with the same code and with two codes."""
    await have_wait(branch, VERA)
    other = open_bank(branch.where, name="another server")
    other = replace(other, turnstile=Turnstile(), now=branch.clock)
    forms = [activation(VERA.card.code(1 + number // 2)) for number in range(4)]

    async def one(number: int) -> Outcome | None:
        bank = (branch.bank, other)[number % 2]
        try:
            return await verify_login(bank, attempt(VERA.user_code, forms[number]))
        except TooBusy:
            return None

    outcomes: Sequence[Outcome | None] = await asyncio.gather(*map(one, range(4)))
    await other.store.close()
    assert sum(isinstance(outcome, Accepted) for outcome in outcomes) == 1
    assert branch.rows("SELECT event FROM notices ORDER BY event") == [
        ("activation",),
        ("old-code",),
    ]
    assert len(branch.rows("SELECT * FROM sessions")) == 1
    lines, head = await branch.chain(VERA)
    assert chain_is_whole(lines, head)
    assert states(branch, VERA) == ["active"]


async def test_a_double_click_hears_the_same(branch: Branch) -> None:
    """An acceptance opens the same session; a refusal counts once."""
    await have_wait(branch, VERA)
    wrong = attempt(VERA.user_code, activation(VERA.card.code(1), WRONG_NUMBER))
    assert [await verify_login(branch.bank, wrong) for _ in range(2)] == [Refused(), Refused()]
    assert branch.row(VERA.user_code)["open_failures"] == 1
    form = attempt(VERA.user_code, activation(VERA.card.code(1)))
    first, second = [await verify_login(branch.bank, form) for _ in range(2)]
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.session_token == second.session_token
    assert len(branch.rows("SELECT * FROM sessions")) == 1


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_commit_that_nobody_told_us_of(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, *, arrives: bool
) -> None:
    """It is looked for by its line: accepted where it is there, nothing counted where it is not."""
    await have_wait(branch, VERA)
    store, right = branch.bank.store, branch.bank.store.write
    lost = StoreUnavailable("the wire was cut")
    once = [lost]

    async def write(change: Callable[[Connection], object]) -> object:
        if not once:
            return await right(change)
        once.pop()
        if arrives:
            await right(change)
        raise lost

    monkeypatch.setattr(store, "write", write)
    form = attempt(VERA.user_code, activation(VERA.card.code(1)))
    if arrives:
        assert isinstance(await verify_login(branch.bank, form), Accepted)
    else:
        with pytest.raises(StoreUnavailable):
            await verify_login(branch.bank, form)
        assert branch.row(VERA.user_code)["version"] == 1
        assert states(branch, VERA) == ["waiting"]
        assert isinstance(await verify_login(branch.bank, form), Accepted)
    assert not once
    assert states(branch, VERA) == ["active"]
    assert len(branch.rows("SELECT * FROM sessions")) == 1


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE card_orders SET cancelled_at = 1",
        "UPDATE card_orders SET activation_until = 1",
        "UPDATE card_orders SET activated_at = 1",
        "UPDATE cards SET state = 'retired'",
        "UPDATE cards SET last_atc = 1",
        "UPDATE incarnation SET generation = 9",
    ],
)
async def test_what_moved_meanwhile_is_seen_by_the_commit(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    """Without a step of the access row even: nothing is written of what was decided on it."""
    branch = branch_on_file
    await have_wait(branch, VERA)
    right = branch.bank.store.write
    before: list[dict[str, object]] = []

    async def write(change: Callable[[Connection], object]) -> object:
        if not before:
            branch.change(meanwhile)
            before.append({})
        return await right(change)

    monkeypatch.setattr(branch.bank.store, "write", write)
    assert await branch.login(VERA, activation(VERA.card.code(1))) == Refused()
    assert branch.rows("SELECT * FROM sessions") == branch.rows("SELECT * FROM notices") == []
    assert "active" not in states(branch, VERA)


async def test_under_pressure_two_codes_are_wanted_with_the_number(branch: Branch) -> None:
    """Which also finds a card that ran ahead; one code with its number is not judged."""
    await have_wait(branch, VERA)
    for _ in range(3):
        await branch.fail(VERA.user_code, 3)
        branch.clock.forward(hours=5)
    assert await branch.login(VERA, activation(VERA.card.code(1))) == TwoCodesWanted()
    both = TwoCodes(VERA.card.code(5), VERA.card.code(6))
    assert await branch.login(VERA, activation(both, WRONG_NUMBER)) == Refused()
    assert isinstance(await branch.login(VERA, activation(both)), Accepted)
    assert branch.last_atcs(VERA) == [6]


async def test_after_a_restore_a_response_to_a_challenge_activates(branch: Branch) -> None:
    """A code that somebody kept from before does not."""
    await have_wait(branch, VERA)
    branch.change("UPDATE incarnation SET generation = generation + 1")
    assert await branch.login(VERA, activation(VERA.card.code(1))) == Refused()
    assert (await _line(branch))["cause"] == "card-unsure"
    challenge = await make_challenge(branch.bank, b"a form")
    answer = TwoCodes(VERA.card.code(2, challenge.inputs), VERA.card.code(3))
    typed = ChallengeResponse(challenge, answer)
    assert await branch.login(VERA, activation(typed, WRONG_NUMBER)) == Refused()
    assert isinstance(await branch.login(VERA, activation(typed)), Accepted)
    assert states(branch, VERA) == ["active"]
    assert isinstance(await branch.login(VERA, VERA.card.code(4)), Accepted)


async def test_the_chain_of_an_activation_is_audited_and_replayed(branch: Branch) -> None:
    """Custody vouches for its line, which says what its card's last ATC must be at least."""
    await have_wait(branch, VERA)
    await branch.login(VERA, activation(VERA.card.code(7)))
    vouch = partial(branch.bank.custodian.mac, KeyUsage.AUDIT)
    report = await audit_one(branch.bank.store, None, VERA.user_code, None, vouch)
    assert (report.findings, report.vouched) == ([], 1)
    lines, _ = await branch.chain(VERA)
    altered = lines[-1][1].replace(b',"sesame-card-2",7]', b',"sesame-card-2",9]')
    assert altered != lines[-1][1]
    for line, raised in ((lines[-1][1], None), (altered, StreamAltered)):
        streamed = [StreamedLine(VERA.user_code, lines[-1][0], line)]
        if raised is None:
            assert (await replay(branch.bank, streamed)).known == 1
        else:
            with pytest.raises(raised):
                await replay(branch.bank, streamed)


async def test_nothing_prints_a_number() -> None:
    """Neither what was typed nor what is kept."""
    typed = attempt(VERA.user_code, activation(VERA.card.code(1)))
    assert NUMBER not in repr(typed)
    assert repr(_opened()) == "OpenedCard(1, waiting)"


async def test_the_old_code_looks_on_until_then(branch: Branch) -> None:
    """A waiting card takes nobody's way in away."""
    await have_wait(branch, VERA)
    assert isinstance(await branch.login(VERA, OLD_CODE), Accepted)
