"""`sesame.bank.rehearsal`: a code is checked, and nothing but its own counter moves."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from sesame.bank.limits import Limits
from sesame.bank.matching import Cause, Match, Verdict
from sesame.bank.moments import to_row
from sesame.bank.origin import Door, Origin
from sesame.bank.rehearsal import Rehearsed, enough, failed_just_now, rehearse, rehearsed
from sesame.bank.sessions import open_sessions
from sesame.bank.verification import Accepted, Refused
from sesame.cap.token import Code
from sesame.store.access import State, Tries
from tests.bank.branch import ADDRESS, DORA, NINE, OLD_CODE, VERA, Branch, Person, open_bank
from tests.bank.stranger import chain_is_whole
from tests.bank.test_verification import Interrupted

_OWN = {"rehearsal_failures", "rehearsal_failed_at"}
_STEP = {"version", "head", "stepped_at"}
_ids = count(1000)


async def check(
    branch: Branch, code: Code, person: Person = VERA, form: bytes | None = None
) -> Rehearsed:
    """What becomes of *code*, typed into a new form unless it is the *form* of before."""
    attempt = form or next(_ids).to_bytes(16)
    origin = Origin(Door.PORTAL, ADDRESS)
    return await rehearse(branch.bank, person.user_code, code, origin, attempt)


async def test_a_right_code_is_right_once(branch: Branch) -> None:
    """It is used up: neither another check nor a login takes it, and the old code stays."""
    before = branch.row(VERA.user_code)
    assert await check(branch, VERA.card.code(3)) is Rehearsed.RIGHT
    assert branch.last_atcs(VERA) == [3]
    after = branch.row(VERA.user_code)
    assert {name for name in after if after[name] != before[name]} <= _STEP
    assert await check(branch, VERA.card.code(3)) is Rehearsed.WRONG
    assert await branch.login(VERA, VERA.card.code(3)) == Refused()
    assert isinstance(await branch.login(VERA, OLD_CODE), Accepted)
    assert isinstance(await branch.login(VERA, VERA.card.code(4)), Accepted)


async def test_a_code_that_fits_either_card(branch: Branch) -> None:
    """Each card of the customer is looked at; the one that made it moves."""
    assert await check(branch, DORA.cards[1].code(2), DORA) is Rehearsed.RIGHT
    assert branch.last_atcs(DORA) == [0, 2]


async def test_wrong_codes_feed_nothing_else(branch: Branch) -> None:
    """No tries, no suspension, no pressure, no session, no replay: their own counter alone."""
    await branch.login(VERA, OLD_CODE)
    await branch.login(VERA, VERA.card.wrong_code(1))
    before = branch.row(VERA.user_code)
    sessions = await open_sessions(branch.bank, VERA.user_code)
    failures = branch.rows("SELECT * FROM stranger_failures")
    for guess in range(1, 6):
        assert await check(branch, VERA.card.wrong_code(1, guess)) is Rehearsed.WRONG
    after = branch.row(VERA.user_code)
    assert {name for name in after if after[name] != before[name]} <= _STEP | _OWN
    assert after["rehearsal_failures"] == 5
    assert branch.last_atcs(VERA) == [0]
    assert await open_sessions(branch.bank, VERA.user_code) == sessions
    assert branch.rows("SELECT * FROM stranger_failures") == failures
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)


async def test_after_five_wrong_ones_it_is_enough_until_tomorrow(branch: Branch) -> None:
    """Nothing is checked, and a right code is not used up; a day after the last one it goes on."""
    for hour in range(5):
        branch.clock.at = NINE + timedelta(hours=hour)
        assert await check(branch, VERA.card.wrong_code(1, 1 + hour)) is Rehearsed.WRONG
    version = branch.row(VERA.user_code)["version"]
    day_later = NINE + timedelta(hours=4, days=1)
    branch.clock.at = day_later - timedelta(microseconds=1)
    assert await check(branch, VERA.card.code(1)) is Rehearsed.ENOUGH
    assert branch.row(VERA.user_code)["version"] == version
    assert branch.last_atcs(VERA) == [0]
    branch.clock.at = day_later
    assert await check(branch, VERA.card.code(1)) is Rehearsed.RIGHT


async def test_a_right_code_begins_the_count_anew(branch: Branch) -> None:
    """Four wrong ones before it are forgotten."""
    for _ in range(2):
        for guess in range(1, 5):
            assert await check(branch, VERA.card.wrong_code(9, guess)) is Rehearsed.WRONG
        atc = 1 + int(str(branch.last_atcs(VERA)[0]))
        assert await check(branch, VERA.card.code(atc)) is Rehearsed.RIGHT
    assert branch.row(VERA.user_code)["rehearsal_failures"] == 0


async def test_a_double_click_is_one_check(branch: Branch) -> None:
    """The second answer is the first one's, right or wrong, and nothing is counted twice."""
    form = bytes(range(16))
    answers = [await check(branch, VERA.card.code(1), form=form) for _ in range(2)]
    assert answers == [Rehearsed.RIGHT] * 2
    form = bytes(range(1, 17))
    wrong = [check(branch, VERA.card.wrong_code(2), form=form) for _ in range(3)]
    assert await asyncio.gather(*wrong) == [Rehearsed.WRONG] * 3
    assert branch.row(VERA.user_code)["rehearsal_failures"] == 1


async def test_one_form_is_no_way_to_guess_for_nothing(branch: Branch) -> None:
    """Within the moment of a double click nothing more is judged; after it each guess counts."""
    form = bytes(range(16))
    assert await check(branch, VERA.card.wrong_code(1), form=form) is Rehearsed.WRONG
    assert await check(branch, VERA.card.code(1), form=form) is Rehearsed.WRONG
    assert branch.last_atcs(VERA) == [0]
    branch.clock.forward(seconds=5)
    assert await check(branch, VERA.card.wrong_code(1, 2), form=form) is Rehearsed.WRONG
    assert branch.row(VERA.user_code)["rehearsal_failures"] == 2


async def test_every_check_has_its_line(branch: Branch) -> None:
    """With door, outcome, cause and card, and custody's MAC under a right one."""
    form = bytes(range(16))
    await check(branch, VERA.card.wrong_code(1), form=form)
    await check(branch, VERA.card.code(1))
    lines, head = await branch.chain(VERA)
    assert chain_is_whole(lines, head)
    wrong, right = (json.loads(line) for _, line, _ in lines[1:])
    assert (wrong["event"], wrong["attempt"]) == ("rehearsal", form.hex())
    facts = ("door", "outcome", "cause", "failures", "cards")
    assert [wrong[name] for name in facts] == ["portal", "refused", "wrong", 1, []]
    assert [right[name] for name in facts] == [
        "portal",
        "accepted",
        "",
        0,
        [[1, VERA.card.profile.name, 1]],
    ]
    assert set(right) - set(wrong) == {"mac"}


async def test_a_login_that_is_faster_has_the_code(branch: Branch) -> None:
    """One code, a check in flight and a login in another process: the login wins alone."""
    elsewhere = Branch(branch.where, open_bank(branch.where, name="elsewhere"))

    async def meanwhile() -> None:
        assert isinstance(await elsewhere.login(VERA, VERA.card.code(1)), Accepted)

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    assert await check(branch, VERA.card.code(1)) is Rehearsed.WRONG
    assert chain_is_whole(*await branch.chain(VERA))
    await elsewhere.bank.store.close()


async def test_a_check_that_is_faster_has_the_code(branch: Branch) -> None:
    """The other way round: the login in flight is refused."""
    elsewhere = Branch(branch.where, open_bank(branch.where, name="elsewhere"))

    async def meanwhile() -> None:
        assert await check(elsewhere, VERA.card.code(1)) is Rehearsed.RIGHT

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    assert branch.last_atcs(VERA) == [1]
    await elsewhere.bank.store.close()


# ── What is pure ─────────────────────────────────────────────────────────────────────────────────

_LIMITS = Limits()
_AGO = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3))
_TRIES = st.builds(
    Tries,
    failures=st.integers(0, 4),
    suspensions=st.integers(0, 9),
    suspended_until=st.none() | st.integers(0, to_row(NINE)),
)


@st.composite
def _states(draw: st.DrawFn) -> State:
    failures = draw(st.integers(0, 7))
    failed_at = to_row(NINE - draw(_AGO)) if failures else None
    return State(
        open=draw(_TRIES),
        reserved=draw(_TRIES),
        session_epoch=draw(st.integers(0, 9)),
        stepped_at=failed_at or 0,
        accepted=draw(st.binary(min_size=16, max_size=16)),
        old_code=draw(st.none() | st.just("hash")),
        replayed_at=draw(st.none() | st.integers(0, to_row(NINE))),
        rehearsal_failures=failures,
        rehearsal_failed_at=failed_at,
    )


@given(_states(), st.sampled_from([None, *Cause]))
def test_nothing_but_its_own_counter_moves(state: State, cause: Cause | None) -> None:
    """Whatever stood in the row before."""
    verdict = Verdict(cause, () if cause else (Match(1, 2),))
    after = rehearsed(state, verdict, _LIMITS, NINE)
    assert structs.replace(
        after, rehearsal_failures=0, rehearsal_failed_at=None
    ) == structs.replace(state, rehearsal_failures=0, rehearsal_failed_at=None)
    if cause is None:
        assert (after.rehearsal_failures, after.rehearsal_failed_at) == (0, None)
    else:
        assert after.rehearsal_failed_at == to_row(NINE)
        assert 1 <= after.rehearsal_failures <= state.rehearsal_failures + 1


@given(_states())
def test_never_more_than_five_wrong_ones_in_a_day(state: State) -> None:
    """From any row there are at most five until it is enough, and at least one tomorrow."""
    wrong = Verdict(Cause.WRONG)
    for _ in range(_LIMITS.rehearsals):
        if not enough(state, _LIMITS, NINE):
            state = rehearsed(state, wrong, _LIMITS, NINE)
    assert enough(state, _LIMITS, NINE)
    assert not enough(state, _LIMITS, NINE + _LIMITS.rehearsals_again)
    assert rehearsed(state, wrong, _LIMITS, NINE + _LIMITS.rehearsals_again) == structs.replace(
        state,
        rehearsal_failures=1,
        rehearsal_failed_at=to_row(NINE + _LIMITS.rehearsals_again),
    )


@given(_states(), _AGO)
def test_a_moment_is_five_seconds_after_a_wrong_code(state: State, later: timedelta) -> None:
    """And only while nothing else moved the row."""
    failed = structs.replace(
        rehearsed(state, Verdict(Cause.WRONG), _LIMITS, NINE), stepped_at=to_row(NINE)
    )
    soon = failed_just_now(failed, _LIMITS, NINE + later)
    assert soon is (later < timedelta(seconds=5))
    moved = structs.replace(failed, stepped_at=to_row(NINE) + 1)
    assert not failed_just_now(moved, _LIMITS, NINE + later)
    assert not failed_just_now(State(), _LIMITS, NINE)
