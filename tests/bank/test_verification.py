"""`sesame.bank.verification.verify_login` on real rows; `decide` has a file of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from sesame.bank.bank import Bank
from sesame.bank.devices import device_hash, make_device
from sesame.bank.errors import TooBusy
from sesame.bank.limits import Limits
from sesame.bank.matching import TwoCodes, find_pairs
from sesame.bank.old_code import OldCode, OldCodes
from sesame.bank.origin import Door, Origin
from sesame.bank.sessions import forget_known_devices, token_hash
from sesame.bank.turnstile import Turnstile
from sesame.bank.user_code import UserCode
from sesame.bank.verification import (
    Accepted,
    Refused,
    Suspended,
    TwoCodesWanted,
    verify_login,
)
from sesame.cap.token import Code
from sesame.custody.custodian import Fit, Inquiry
from sesame.custody.errors import SealBroken
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.emv import cryptogram_version
from sesame.emv.cryptogram import cryptograms_by_atc
from sesame.emv.keys import DesKey
from sesame.store.engine import Store, open_database
from sesame.store.errors import StoreUnavailable
from sesame.store.sqlite import SqliteDatabase
from sesame.store.steps import Fate, Step
from tests.bank.branch import (
    ADDRESS,
    DORA,
    NINE,
    NOBODY,
    OLD_CODE,
    OMAR,
    SEED,
    VERA,
    Branch,
    Person,
    attempt,
    custody_keys,
    open_bank,
)
from tests.custody.keystores import chance
from tests.places import Where, url_of

_QUARTER = timedelta(minutes=15)


def lines(branch: Branch, user_code: UserCode) -> list[dict[str, object]]:
    """What the customer's lines say, the enrolment left out."""
    table = "stranger_lines" if user_code == NOBODY else "audit_lines"
    found = branch.rows(
        f"SELECT line FROM {table} WHERE user_code = ? ORDER BY version",  # noqa: S608 -- two names
        user_code,
    )
    said = [json.loads(str(line, "utf-8") if isinstance(line, bytes) else "") for (line,) in found]
    return [line for line in said if line["event"] == "login"]


def causes(branch: Branch, user_code: UserCode) -> list[object]:
    """Why each judged attempt was refused, "" where it was not."""
    return [line["cause"] for line in lines(branch, user_code)]


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("person", [VERA, OMAR, DORA], ids=lambda person: person.user_code)
async def test_a_fresh_code_signs_in_once(branch: Branch, person: Person) -> None:
    """The same code from another form is refused, and staff see that it was used."""
    code = person.card.code(1)
    assert isinstance(await branch.login(person, code), Accepted)
    assert await branch.login(person, code) == Refused()
    assert causes(branch, person.user_code) == ["", "used"]
    accepted, used = lines(branch, person.user_code)
    assert "behind" not in accepted
    assert used["behind"] == [[1, 1, 1]]


async def test_codes_in_their_order_all_sign_in(branch: Branch) -> None:
    """One after the other; each moves the card."""
    for atc in range(1, 40):
        assert isinstance(await branch.login(VERA, VERA.card.code(atc)), Accepted)
        assert branch.last_atcs(VERA) == [atc]


async def test_an_older_code_after_a_newer_one_is_refused(branch: Branch) -> None:
    """It was overtaken: nobody can keep codes for later. The card stays where it is."""
    assert isinstance(await branch.login(VERA, VERA.card.code(7)), Accepted)
    for atc in (6, 1):
        assert await branch.login(VERA, VERA.card.code(atc)) == Refused()
    assert causes(branch, VERA.user_code) == ["", "overtaken", "overtaken"]
    # Staff read where it stands, and behind what.
    said = lines(branch, VERA.user_code)[1:]
    assert [line["behind"] for line in said] == [[[1, 6, 7]], [[1, 1, 7]]]
    assert branch.last_atcs(VERA) == [7]


@pytest.mark.parametrize(("person", "window"), [(VERA, 31), (OMAR, 255)], ids=["sesame", "bank"])
async def test_skipped_codes_cost_nothing_within_the_window(
    branch: Branch, person: Person, window: int
) -> None:
    """Codes tried out and thrown away, or payments: up to the window's last ATC."""
    assert isinstance(await branch.login(person, person.card.code(window)), Accepted)
    assert isinstance(await branch.login(person, person.card.code(2 * window)), Accepted)
    assert await branch.login(person, person.card.code(3 * window + 1)) == Refused()
    assert branch.last_atcs(person) == [2 * window]
    assert causes(branch, person.user_code) == ["", "", "wrong"]


async def test_a_wrong_code_is_refused_and_counted(branch: Branch) -> None:
    """Until the next right one, which forgets what failed."""
    await branch.fail(VERA.user_code, 2)
    assert branch.row(VERA.user_code)["open_failures"] == 2
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    assert branch.row(VERA.user_code)["open_failures"] == 0
    assert await branch.fail(VERA.user_code, 2) == [Refused()] * 2


async def test_somebody_elses_code_is_refused(branch: Branch) -> None:
    """A code belongs to one card, and the card to one customer."""
    assert await branch.login(VERA, DORA.card.code(1)) == Refused()
    assert branch.last_atcs(DORA) == [0, 0]


async def test_either_of_two_cards_signs_in(branch: Branch) -> None:
    """Each by its own ATC; the other one does not move."""
    sesame, bank = DORA.cards
    assert isinstance(await branch.login(DORA, bank.code(200)), Accepted)
    assert branch.last_atcs(DORA) == [0, 200]
    assert isinstance(await branch.login(DORA, sesame.code(3)), Accepted)
    assert branch.last_atcs(DORA) == [3, 200]
    assert [line["cards"] for line in lines(branch, DORA.user_code)] == [
        [[2, "bank-card-1", 200]],
        [[1, "sesame-card-2", 3]],
    ]


async def test_a_code_of_two_cards_advances_both(branch: Branch) -> None:
    """Made sure by asking custody for both: afterwards neither takes it again."""
    branch.bank = replace(branch.bank, custodian=Says(Fit(0, 5), Fit(1, 9)))
    assert isinstance(await branch.login(DORA, DORA.card.code(5)), Accepted)
    assert branch.last_atcs(DORA) == [5, 9]
    assert lines(branch, DORA.user_code)[0]["cards"] == [
        [1, "sesame-card-2", 5],
        [2, "bank-card-1", 9],
    ]


async def test_a_held_card_does_not_sign_in(branch: Branch) -> None:
    """Its code is refused like any other, and is not used up: the card does not move."""
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", VERA.user_code)
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    assert causes(branch, VERA.user_code) == ["card-not-active"]
    assert branch.last_atcs(VERA) == [0]
    branch.change("UPDATE cards SET state = 'active' WHERE user_code = ?", VERA.user_code)
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)


async def test_the_last_atc_of_a_card_is_its_last(branch: Branch) -> None:
    """65535 signs in; after it no code of the card can."""
    branch.change("UPDATE cards SET last_atc = 65530 WHERE user_code = ?", VERA.user_code)
    assert isinstance(await branch.login(VERA, VERA.card.code(65535)), Accepted)
    for atc in (1, 30, 65535):
        assert await branch.login(VERA, VERA.card.code(atc)) == Refused()
    assert branch.last_atcs(VERA) == [65535]


async def test_the_first_accepted_code_erases_the_old_one(branch: Branch) -> None:
    """In the same commit; a refused one leaves it."""
    await branch.fail(VERA.user_code, 1)
    assert branch.row(VERA.user_code)["old_code"]
    await branch.login(VERA, VERA.card.code(1))
    assert branch.row(VERA.user_code)["old_code"] is None


async def test_a_sealed_card_of_another_row_is_not_opened(branch: Branch) -> None:
    """Whoever can write rows cannot sign in to Omar's account with Vera's card."""
    branch.change(
        "UPDATE cards SET (sealed, profile) = "
        "(SELECT sealed, profile FROM cards WHERE user_code = ?) WHERE user_code = ?",
        VERA.user_code,
        OMAR.user_code,
    )
    with pytest.raises(SealBroken, match="moved here from another row"):
        await branch.login(OMAR, VERA.card.code(1))
    assert branch.row(OMAR.user_code)["version"] == 1


# ── Suspension ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("user_code", [VERA.user_code, NOBODY], ids=["customer", "nobody"])
async def test_three_failures_suspend_for_longer_each_time(
    branch: Branch, user_code: UserCode
) -> None:
    """The same for a user code that nobody has: outside, the two cannot be told apart."""
    judged = 0
    for minutes in (15, 60):
        assert await branch.fail(user_code, 3) == [Refused()] * 3
        judged += 3
        until = branch.clock.at + timedelta(minutes=minutes)
        assert await branch.fail(user_code, 3) == [Suspended(until)] * 3
        branch.clock.at = until - timedelta(microseconds=1)
        assert await branch.fail(user_code, 1) == [Suspended(until)]
        assert len(lines(branch, user_code)) == judged
        branch.clock.at = until
    assert [line["failures"] for line in lines(branch, user_code)] == [1, 2, 0] * 2
    suspends = [bool(line["suspended_until"]) for line in lines(branch, user_code)]
    assert suspends == [False, False, True] * 2


@pytest.mark.parametrize("user_code", [VERA.user_code, NOBODY], ids=["customer", "nobody"])
async def test_after_nine_failures_two_codes_are_asked_for(
    branch: Branch, user_code: UserCode
) -> None:
    """For thirty days; a wrong pair counts, and three of them suspend for one minute."""
    for minutes in (15, 60, 1):
        assert await branch.fail(user_code, 3) == [Refused()] * 3
        branch.clock.forward(minutes=minutes)
    assert await branch.fail(user_code, 2) == [TwoCodesWanted()] * 2
    code = VERA.card.code(1)
    assert await verify_login(branch.bank, attempt(user_code, code)) == TwoCodesWanted()
    assert branch.last_atcs(VERA) == [0]
    for guess in range(3):
        pair = TwoCodes(VERA.card.wrong_code(1, guess + 1), VERA.card.code(2))
        assert await verify_login(branch.bank, attempt(user_code, pair)) == Refused()
    until = branch.clock.at + timedelta(minutes=1)
    assert await branch.fail(user_code, 1) == [Suspended(until)]
    branch.clock.forward(days=30)
    assert await branch.fail(user_code, 1) == [Refused()]


async def test_the_owner_gets_in_with_two_codes_under_pressure(branch: Branch) -> None:
    """One is asked to be two; both are used up; a pair from beyond the window is refused."""
    for minutes in (15, 60, 1):
        await branch.fail(VERA.user_code, 3)
        branch.clock.forward(minutes=minutes)
    far = TwoCodes(VERA.card.code(40), VERA.card.code(41))
    assert await branch.login(VERA, far) == Refused()
    pair = TwoCodes(VERA.card.code(3), VERA.card.code(4))
    assert isinstance(await branch.login(VERA, pair), Accepted)
    assert branch.last_atcs(VERA) == [4]
    assert await branch.login(VERA, pair) == Refused()
    assert await branch.login(VERA, VERA.card.code(5)) == TwoCodesWanted()


async def test_a_right_code_is_not_judged_while_suspended(branch: Branch) -> None:
    """Nor used up: it signs in when the suspension is over."""
    await branch.fail(VERA.user_code, 3)
    code = VERA.card.code(1)
    assert isinstance(await branch.login(VERA, code), Suspended)
    assert branch.last_atcs(VERA) == [0]
    branch.clock.forward(minutes=15)
    assert isinstance(await branch.login(VERA, code), Accepted)


async def test_while_suspended_the_read_alone_answers(branch: Branch) -> None:
    """Custody is not asked and nothing is written."""
    await branch.fail(VERA.user_code, 3)
    before = branch.row(VERA.user_code)
    branch.bank = replace(branch.bank, custodian=Silent())
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Suspended)
    assert branch.row(VERA.user_code) == before


async def test_every_kind_of_refusal_counts(branch: Branch) -> None:
    """Used, overtaken, wrong and held codes side by side: three are three."""
    await branch.login(DORA, DORA.card.code(5))
    await branch.login(DORA, DORA.card.code(9))
    branch.change(
        "UPDATE cards SET state = 'held' WHERE user_code = ? AND card_number = 2", DORA.user_code
    )
    sesame, bank = DORA.cards
    for code in (sesame.code(9), sesame.code(5), sesame.wrong_code(10)):
        assert await branch.login(DORA, code) == Refused()
    assert isinstance(await branch.login(DORA, sesame.code(10)), Suspended)
    branch.clock.forward(minutes=15)
    assert await branch.login(DORA, bank.code(1)) == Refused()
    seen = ["used", "overtaken", "wrong", "card-not-active"]
    assert causes(branch, DORA.user_code)[2:] == seen


async def test_a_clock_that_runs_backwards(branch: Branch) -> None:
    """The row's own time stands still until the clock has caught up; nothing is lifted early."""
    branch.clock.forward(hours=1)
    await branch.fail(VERA.user_code, 2)
    branch.clock.forward(hours=-2)
    assert await branch.fail(VERA.user_code, 1) == [Refused()]
    until = NINE + timedelta(hours=1) + _QUARTER
    assert await branch.fail(VERA.user_code, 1) == [Suspended(until)]
    branch.clock.at = until
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    branch.clock.forward(days=-365)
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    moments = [str(line["at"]) for line in lines(branch, VERA.user_code)]
    assert moments == sorted(moments)


# ── One attempt, however often it is sent ────────────────────────────────────────────────────────


async def test_a_double_click_opens_one_session(branch: Branch) -> None:
    """Both answers carry the same token; one line is written, one session stands."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    first, second = await asyncio.gather(
        verify_login(branch.bank, form), verify_login(branch.bank, form)
    )
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.session_token == second.session_token
    assert first.session_token is not None
    assert len(lines(branch, VERA.user_code)) == 1
    assert branch.rows("SELECT token_hash FROM sessions") == [(token_hash(first.session_token),)]


async def test_a_double_click_on_two_processes(branch: Branch, where: Where) -> None:
    """The loser of the swap reads again, and repeats what the winner was told."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    other = open_bank(where, name="another process")
    outcome: list[object] = []

    async def meanwhile() -> None:
        outcome.append(await verify_login(other, form))

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    mine = await verify_login(branch.bank, form)
    await other.store.close()
    assert isinstance(mine, Accepted)
    assert [mine.session_token] == [
        said.session_token for said in outcome if isinstance(said, Accepted)
    ]
    assert len(lines(branch, VERA.user_code)) == 1


async def test_a_double_click_with_a_wrong_code_counts_once(branch: Branch) -> None:
    """Twice within five seconds; later it is a new attempt."""
    form = attempt(VERA.user_code, VERA.card.wrong_code(1))
    for _ in range(3):
        assert await verify_login(branch.bank, form) == Refused()
    assert branch.row(VERA.user_code)["open_failures"] == 1
    branch.clock.forward(seconds=5)
    assert await verify_login(branch.bank, form) == Refused()
    assert branch.row(VERA.user_code)["open_failures"] == 2


async def test_guessing_under_one_attempts_id_is_not_free(branch: Branch) -> None:
    """What is not counted is not judged either: even the right code reads « refused »."""
    id_ = bytes(range(16))
    assert await branch.login(VERA, VERA.card.wrong_code(1), id=id_) == Refused()
    assert await branch.login(VERA, VERA.card.wrong_code(1, 2), id=id_) == Refused()
    assert await branch.login(VERA, VERA.card.code(1), id=id_) == Refused()
    assert branch.row(VERA.user_code)["open_failures"] == 1
    assert branch.last_atcs(VERA) == [0]


async def test_an_accepted_id_opens_nothing_to_another_code(branch: Branch) -> None:
    """Neither by itself nor in a race against the right one."""
    id_ = bytes(range(16))
    await branch.login(VERA, VERA.card.code(3), id=id_)
    assert await branch.login(VERA, VERA.card.wrong_code(4), id=id_) == Refused()
    assert branch.row(VERA.user_code)["open_failures"] == 1


async def test_an_accepted_id_in_a_race_opens_nothing_to_another_code(
    branch: Branch, where: Where
) -> None:
    """Its guess loses the swap to the right code of the same form, and is judged by itself."""
    right = attempt(VERA.user_code, VERA.card.code(1))
    other = open_bank(where, name="another process")

    async def meanwhile() -> None:
        assert isinstance(await verify_login(other, right), Accepted)

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    guess = replace(right, code=VERA.card.wrong_code(2))
    assert await verify_login(branch.bank, guess) == Refused()
    await other.store.close()
    assert branch.row(VERA.user_code)["open_failures"] == 1


async def test_another_browsers_seed_gets_no_session(branch: Branch) -> None:
    """Whoever learns the id and the code of an accepted form computes a token of nothing."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    mine = await verify_login(branch.bank, form)
    stolen = await verify_login(branch.bank, replace(form, session_seed=SEED[::-1]))
    assert isinstance(mine, Accepted)
    assert isinstance(stolen, Accepted)
    assert stolen.session_token is not None
    assert stolen.session_token != mine.session_token
    hashes = [hashed for (hashed,) in branch.rows("SELECT token_hash FROM sessions")]
    assert token_hash(stolen.session_token) not in hashes


async def test_one_form_with_two_fresh_codes_opens_two_sessions(branch: Branch) -> None:
    """Signed in, « back », the next code: a new login with a new token."""
    form = attempt(VERA.user_code, VERA.card.code(1))
    first = await verify_login(branch.bank, form)
    second = await verify_login(branch.bank, replace(form, code=VERA.card.code(2)))
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.session_token != second.session_token
    assert len(branch.rows("SELECT * FROM sessions")) == 2


async def test_a_door_without_sessions_gets_none(branch: Branch) -> None:
    """The JSON door asks whether a code is right, nothing more; also the second time."""
    form = attempt(VERA.user_code, VERA.card.code(1), session_seed=None)
    for _ in range(2):
        assert await verify_login(branch.bank, form) == Accepted(None)
    assert branch.rows("SELECT * FROM sessions") == []


# ── Others are faster ────────────────────────────────────────────────────────────────────────────


async def test_after_lost_swaps_the_code_is_judged_on_what_the_winner_left(
    branch: Branch, where: Where
) -> None:
    """A code that was overtaken while it was being judged is refused."""
    other = Branch(where, open_bank(where, name="another process"))

    async def meanwhile() -> None:
        assert isinstance(await other.login(VERA, VERA.card.code(2)), Accepted)

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    assert await branch.login(VERA, VERA.card.code(1)) == Refused()
    await other.bank.store.close()
    assert causes(branch, VERA.user_code) == ["", "overtaken"]
    assert branch.last_atcs(VERA) == [2]


async def test_after_eight_lost_swaps_nothing_was_counted(branch: Branch, where: Where) -> None:
    """TooBusy: the attempt stands in no line, and its code is still good."""
    other = Branch(where, open_bank(where, name="another process"))

    async def meanwhile() -> None:
        (last,) = branch.last_atcs(VERA)
        assert isinstance(last, int)
        assert isinstance(await other.login(VERA, VERA.card.code(last + 1)), Accepted)

    lost = branch.bank.limits.lost_swaps
    interrupted = replace(branch.bank, custodian=Interrupted(*[meanwhile] * lost))
    mine = attempt(VERA.user_code, VERA.card.code(30))
    with pytest.raises(TooBusy, match="nothing was counted"):
        await verify_login(interrupted, mine)
    assert branch.row(VERA.user_code)["version"] == 1 + lost
    assert mine.id.hex() not in {line["attempt"] for line in lines(branch, VERA.user_code)}
    assert isinstance(await verify_login(branch.bank, mine), Accepted)
    await other.bank.store.close()


@pytest.mark.parametrize("right", [True, False])
async def test_a_second_click_is_read_anew_where_the_row_went_on(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, *, right: bool
) -> None:
    """While it was looked up: once more, and then what holds is said; not for ever."""
    code = VERA.card.code(1) if right else VERA.card.wrong_code(1)
    mine = attempt(VERA.user_code, code)
    first = await verify_login(branch.bank, mine)
    lasts, before = branch.bank.store.lasts, branch.place.everything()
    asked: list[bool] = []

    async def at_the_second_look(*of: Any) -> bool:  # noqa: ANN401 -- handed on
        asked.append(len(asked) > 0)
        return asked[-1] and await lasts(*of)

    async def never(*_: object) -> bool:
        return False

    with monkeypatch.context() as patched:
        patched.setattr(branch.bank.store, "lasts", at_the_second_look)
        assert await verify_login(branch.bank, mine) == first
        patched.setattr(branch.bank.store, "lasts", never)
        with pytest.raises(TooBusy):
            await verify_login(branch.bank, mine)
    assert asked == [False, True]
    assert branch.place.everything() == before


async def test_six_at_once_on_one_user_code_and_the_seventh_is_sent_away(branch: Branch) -> None:
    """One is judged, five wait; more hear at once that it is too busy. Others do not notice.

    Nor does the owner on a known device: they go first.
    """
    known = await known_device(branch)
    reached, gate = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await gate.wait()

    branch.bank = replace(branch.bank, custodian=Interrupted(hold))
    wrong = [VERA.card.wrong_code(5, guess) for guess in range(1, 8)]
    tasks = [asyncio.create_task(branch.login(VERA, code)) for code in wrong[:6]]
    await reached.wait()
    with pytest.raises(TooBusy):
        await branch.login(VERA, wrong[6])
    assert isinstance(await branch.login(OMAR, OMAR.card.code(1)), Accepted)
    owner = asyncio.create_task(branch.login(VERA, VERA.card.code(2), origin=known))
    await asyncio.sleep(0)  # theirs is asked before this one
    await branch.bank.store.read_access(VERA.user_code)
    gate.set()
    outcomes = await asyncio.gather(*tasks)
    assert isinstance(await owner, Accepted)
    assert outcomes == [Refused()] * 3 + [Suspended(NINE + _QUARTER)] * 3
    assert causes(branch, VERA.user_code) == ["", "wrong", "", "wrong", "wrong"]


# ── Known devices ────────────────────────────────────────────────────────────────────────────────


async def known_device(branch: Branch, person: Person = VERA) -> Origin:
    """Sign in with the first code of *person*, and come back from the same browser."""
    outcome = await branch.login(person, person.card.code(1), device_seed=b"D" * 32)
    assert isinstance(outcome, Accepted)
    assert outcome.device is not None
    return Origin(Door.PORTAL, ADDRESS, (outcome.device,))


async def test_a_stranger_cannot_shut_the_owner_out(branch: Branch) -> None:
    """The reserved tries are for the browsers that Vera has signed in with."""
    known = await known_device(branch)
    await branch.fail(VERA.user_code, 3)
    assert isinstance(await branch.login(VERA, VERA.card.code(2)), Suspended)
    assert isinstance(await branch.login(VERA, VERA.card.code(2), origin=known), Accepted)
    assert isinstance(await branch.login(VERA, VERA.card.code(3)), Suspended)


async def test_a_known_device_has_two_tries_of_its_own_and_then_those_of_everybody(
    branch: Branch,
) -> None:
    """Five in a row in all."""
    known = await known_device(branch)
    wrong = [VERA.card.wrong_code(2, guess) for guess in range(1, 7)]
    outcomes = [await branch.login(VERA, code, origin=known) for code in wrong]
    assert outcomes == [Refused()] * 5 + [Suspended(NINE + _QUARTER)]
    assert [line["side"] for line in lines(branch, VERA.user_code)] == [
        "open",
        *["reserved"] * 2,
        *["open"] * 3,
    ]


async def test_a_device_is_known_to_one_customer(branch: Branch) -> None:
    """Whoever brings Vera's device to Omar's access is a stranger there."""
    known = await known_device(branch)
    await branch.fail(OMAR.user_code, 3)
    assert isinstance(await branch.login(OMAR, OMAR.card.code(1), origin=known), Suspended)


async def test_a_device_is_known_for_thirteen_months(branch: Branch) -> None:
    """Then the next login makes it known again."""
    known = await known_device(branch)
    branch.clock.forward(days=396, microseconds=-1)
    again = await branch.login(VERA, VERA.card.code(2), origin=known, device_seed=b"E" * 32)
    assert again == Accepted(again.session_token, None) if isinstance(again, Accepted) else False
    branch.clock.forward(microseconds=1)
    later = await branch.login(VERA, VERA.card.code(3), origin=known, device_seed=b"E" * 32)
    assert isinstance(later, Accepted)
    assert later.device not in {None, known.devices[0]}


async def test_a_shared_computer_is_not_known(branch: Branch) -> None:
    """No device was wanted, none stands in the database."""
    assert isinstance(await branch.login(VERA, VERA.card.code(1), device_seed=None), Accepted)
    assert branch.rows("SELECT * FROM devices") == []


async def test_a_refused_attempt_makes_no_device_known(branch: Branch) -> None:
    """Only the accepting commit does."""
    await branch.login(VERA, VERA.card.wrong_code(1), device_seed=b"D" * 32)
    assert branch.rows("SELECT * FROM devices") == []


async def test_the_store_keeps_no_devices_secret(branch: Branch) -> None:
    """A hash that is bound to the customer."""
    (secret,) = (await known_device(branch)).devices
    ((hashed,),) = branch.rows("SELECT device_hash FROM devices")
    assert hashed == device_hash(VERA.user_code, secret)
    assert hashed not in {secret, device_hash(OMAR.user_code, secret)}


async def test_whoever_knows_the_form_does_not_know_the_device(branch: Branch) -> None:
    """Its secret is custody's to make, of the form's seed and the customer."""
    (secret,) = (await known_device(branch)).devices
    assert secret != b"D" * 32
    others = {
        await make_device(branch.bank, VERA.user_code, b"E" * 32),
        await make_device(branch.bank, OMAR.user_code, b"D" * 32),
    }
    assert secret not in others
    assert await make_device(branch.bank, VERA.user_code, b"D" * 32) == secret


async def test_the_same_form_twice_makes_the_same_device_known(branch: Branch) -> None:
    """Both answers carry its cookie, whichever the browser takes."""
    form = attempt(VERA.user_code, VERA.card.code(1), device_seed=b"D" * 32)
    first, second = [await verify_login(branch.bank, form) for _ in range(2)]
    assert first == second
    assert isinstance(second, Accepted)
    assert second.device is not None
    assert len(branch.rows("SELECT * FROM devices")) == 1


async def test_a_form_that_is_accepted_twice_knows_its_device_once(branch: Branch) -> None:
    """« Back », the next code, without the cookie of the first: no error."""
    form = attempt(VERA.user_code, VERA.card.code(1), device_seed=b"D" * 32)
    await verify_login(branch.bank, form)
    again = await verify_login(branch.bank, replace(form, code=VERA.card.code(2)))
    assert isinstance(again, Accepted)
    assert len(branch.rows("SELECT * FROM devices")) == 1


async def test_a_device_that_was_forgotten_meanwhile_is_a_stranger(
    branch: Branch, where: Where
) -> None:
    """Forgetting is a step of the row: who was read as known before loses the swap."""
    known = await known_device(branch)
    other = open_bank(where, name="another process")

    async def meanwhile() -> None:
        await forget_known_devices(other, VERA.user_code, ADDRESS)

    branch.bank = replace(branch.bank, custodian=Interrupted(meanwhile))
    assert await branch.login(VERA, VERA.card.wrong_code(2), origin=known) == Refused()
    await other.store.close()
    assert branch.row(VERA.user_code)["open_failures"] == 1
    assert branch.row(VERA.user_code)["reserved_failures"] == 0


async def test_a_second_click_is_repeated_whatever_strangers_did_between(branch: Branch) -> None:
    """Accepted: also while they have the open side suspended. Refused: on the owner's own side."""
    known = await known_device(branch)
    form = attempt(VERA.user_code, VERA.card.code(2))
    first = await verify_login(branch.bank, form)
    wrong = attempt(VERA.user_code, VERA.card.wrong_code(3), origin=known)
    assert await verify_login(branch.bank, wrong) == Refused()
    await branch.fail(VERA.user_code, 3)
    assert await verify_login(branch.bank, form) == first
    assert await verify_login(branch.bank, wrong) == Refused()
    assert branch.row(VERA.user_code)["reserved_failures"] == 1
    guess = replace(form, code=VERA.card.code(4))
    assert isinstance(await verify_login(branch.bank, guess), Suspended)
    assert branch.last_atcs(VERA) == [2]


# ── Two codes heal everything ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("person", "ahead"), [(VERA, 40), (OMAR, 3_000)], ids=["sesame", "bank"])
async def test_a_card_far_ahead_is_found_by_two_codes(
    branch: Branch, person: Person, ahead: int
) -> None:
    """Refused with one, in with two, refused with the same pair again; then one is enough."""
    assert await branch.login(person, person.card.code(ahead)) == Refused()
    pair = TwoCodes(person.card.code(ahead), person.card.code(ahead + 1))
    assert isinstance(await branch.login(person, pair), Accepted)
    assert branch.last_atcs(person) == [ahead + 1]
    assert await branch.login(person, pair) == Refused()
    assert await branch.login(person, pair.second) == Refused()
    assert isinstance(await branch.login(person, person.card.code(ahead + 2)), Accepted)
    assert causes(branch, person.user_code) == ["wrong", "", "used", "used", ""]
    assert lines(branch, person.user_code)[1]["means"] == "two-codes"


async def test_two_codes_of_two_cards_are_no_pair(branch: Branch) -> None:
    """Both right, each of another card: refused."""
    sesame, bank = DORA.cards
    assert await branch.login(DORA, TwoCodes(sesame.code(1), bank.code(2))) == Refused()
    assert branch.last_atcs(DORA) == [0, 0]


async def test_two_codes_in_the_wrong_order_are_refused(branch: Branch) -> None:
    """Both stay good: nothing of them was used up."""
    pair = TwoCodes(VERA.card.code(2), VERA.card.code(1))
    assert await branch.login(VERA, pair) == Refused()
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)


async def test_two_codes_sent_twice_open_one_session(branch: Branch) -> None:
    """A double click, as with one code."""
    form = attempt(VERA.user_code, TwoCodes(VERA.card.code(50), VERA.card.code(51)))
    assert await verify_login(branch.bank, form) == await verify_login(branch.bank, form)
    assert len(branch.rows("SELECT * FROM sessions")) == 1


# ── The old code ─────────────────────────────────────────────────────────────────────────────────


async def test_the_old_code_opens_a_session_until_the_first_code_sesame(branch: Branch) -> None:
    """From then on it is refused like any wrong code."""
    for _ in range(2):
        assert isinstance(await branch.login(VERA, OLD_CODE), Accepted)
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Accepted)
    assert await branch.login(VERA, OLD_CODE) == Refused()
    assert causes(branch, VERA.user_code) == ["", "", "", "wrong"]
    means = branch.rows("SELECT means, erased_old_code FROM sessions ORDER BY means, token_hash")
    assert means == [("code", 1), ("old-code", 0), ("old-code", 0)]
    assert branch.row(VERA.user_code)["old_code"] is None


async def test_a_wrong_old_code_counts_like_a_wrong_code(branch: Branch) -> None:
    """On the same tries; the third failure suspends both ways in."""
    await branch.fail(VERA.user_code, 2)
    assert await branch.login(VERA, OldCode("wrong")) == Refused()
    assert isinstance(await branch.login(VERA, OLD_CODE), Suspended)
    assert isinstance(await branch.login(VERA, VERA.card.code(1)), Suspended)


async def test_an_old_code_makes_the_device_known(branch: Branch) -> None:
    """« Has signed in before » counts whichever way."""
    outcome = await branch.login(VERA, OLD_CODE, device_seed=b"D" * 32)
    assert isinstance(outcome, Accepted)
    assert outcome.device is not None


async def test_under_pressure_the_old_code_is_judged_once_an_hour(branch: Branch) -> None:
    """A password can be guessed at one minute a suspension; a pair of codes cannot."""
    for minutes in (15, 60, 1):
        await branch.fail(VERA.user_code, 3)
        branch.clock.forward(minutes=minutes)
    assert await branch.login(VERA, OLD_CODE) == TwoCodesWanted()
    branch.clock.forward(minutes=58, seconds=59)
    assert await branch.login(VERA, OldCode("wrong")) == TwoCodesWanted()
    branch.clock.forward(seconds=1)
    assert await branch.login(VERA, OldCode("wrong")) == Refused()
    assert await branch.login(VERA, OLD_CODE) == TwoCodesWanted()
    branch.clock.forward(hours=1)
    assert isinstance(await branch.login(VERA, OLD_CODE), Accepted)


async def test_what_fails_all_over_the_bank_stops_neither_far_cards_nor_old_codes(
    branch: Branch,
) -> None:
    """Nobody is refused for what others do: one code becomes two, that is all."""
    branch.bank = replace(branch.bank, limits=Limits(hour_floor=2, day_floor=2))
    await branch.fail(NOBODY, 3)
    branch.clock.forward(seconds=5)
    assert await branch.login(VERA, VERA.card.code(1)) == TwoCodesWanted()
    assert isinstance(await branch.login(OMAR, OLD_CODE), Accepted)
    far = TwoCodes(OMAR.card.code(3_000), OMAR.card.code(3_001))
    assert isinstance(await branch.login(OMAR, far), Accepted)


@pytest.mark.parametrize("user_code", [VERA.user_code, NOBODY], ids=["customer", "nobody"])
async def test_the_id_of_no_attempt_is_no_second_click(branch: Branch, user_code: UserCode) -> None:
    """A browser may send any id. Sixteen zeros stand where none was accepted: no guess is free."""
    await branch.fail(user_code, 3)
    for code in (OLD_CODE, VERA.card.code(1), OldCode("wrong")):
        form = attempt(user_code, code, id=bytes(16))
        assert isinstance(await verify_login(branch.bank, form), Suspended)
    branch.clock.forward(minutes=15)
    wrong = attempt(user_code, OldCode("wrong"), id=bytes(16))
    assert await verify_login(branch.bank, wrong) == Refused()
    assert branch.row(user_code)["open_failures"] == 1


async def test_strangers_old_codes_do_not_keep_a_known_device_waiting(branch: Branch) -> None:
    """They wait for their computation outside the turnstile; the owner goes through meanwhile."""
    known = await known_device(branch)
    async with branch.bank.old_codes.place(waiting=9), branch.bank.old_codes.place(waiting=9):
        strangers = [
            asyncio.create_task(branch.login(VERA, OldCode(f"guess {n}"))) for n in range(5)
        ]
        await asyncio.sleep(0)
        assert isinstance(await branch.login(VERA, VERA.card.code(2), origin=known), Accepted)
        assert not any(task.done() for task in strangers)
    outcomes = await asyncio.gather(*strangers)
    assert outcomes == [Refused()] * 3 + [Suspended(NINE + _QUARTER)] * 2


async def test_a_race_of_the_old_code_and_the_first_code_sesame(
    branch: Branch, where: Where
) -> None:
    """The old code was right when it was read, and is gone when it is to be written: refused."""
    other = Branch(where, open_bank(where, name="another process"))

    class Slow(OldCodes):
        async def verify(self, stored: str | None, typed: OldCode) -> bool:
            if stored is not None:
                assert isinstance(await other.login(VERA, VERA.card.code(1)), Accepted)
            return await super().verify(stored, typed)

    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    branch.bank = replace(branch.bank, old_codes=Slow(hasher))
    assert await branch.login(VERA, OLD_CODE) == Refused()
    await other.bank.store.close()
    assert causes(branch, VERA.user_code) == ["", "wrong"]


# ── When the outcome of a commit is not known ────────────────────────────────────────────────────


class Cut(Store):
    """A store whose connection is cut once: before or after the commit has reached the disk."""

    def __init__(self, where: Where, *, arrives: bool) -> None:
        super().__init__(open_database(url_of(where)))
        self._cut = False
        self._arrives = arrives
        self.meanwhile: Callable[[], Awaitable[object]] = _nothing

    async def swap_access(self, step: Step) -> Fate:
        """Take *step*, the first time without saying so."""
        if self._cut:
            return await super().swap_access(step)
        self._cut = True
        if self._arrives:
            assert await super().swap_access(step) is Fate.WON
        await self.meanwhile()
        raise StoreUnavailable("the connection was cut")


async def _nothing() -> None:
    pass


def _cut_bank(branch: Branch, *, arrives: bool = True) -> tuple[Bank, Cut]:
    store = Cut(branch.where, arrives=arrives)
    # As another process: it has a turnstile of its own.
    return replace(branch.bank, store=store, turnstile=Turnstile()), store


async def test_an_acceptance_that_arrived_is_answered_as_it_was(branch: Branch) -> None:
    """Once: the session of the answer is the one that stands."""
    bank, store = _cut_bank(branch)
    outcome = await verify_login(bank, attempt(VERA.user_code, VERA.card.code(1)))
    await store.close()
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    assert branch.rows("SELECT token_hash FROM sessions") == [(token_hash(outcome.session_token),)]
    assert causes(branch, VERA.user_code) == [""]


@pytest.mark.parametrize("user_code", [VERA.user_code, NOBODY], ids=["customer", "nobody"])
@pytest.mark.parametrize("failures", [0, 2])
async def test_a_refusal_that_arrived_counts_once(
    branch: Branch, user_code: UserCode, failures: int
) -> None:
    """And reads « refused », even where it was the one that suspended."""
    await branch.fail(user_code, failures)
    bank, store = _cut_bank(branch)
    outcome = await verify_login(bank, attempt(user_code, VERA.card.wrong_code(1, 77)))
    await store.close()
    assert outcome == Refused()
    assert len(lines(branch, user_code)) == failures + 1


async def test_an_acceptance_that_arrived_and_was_followed_by_others(branch: Branch) -> None:
    """The row names another attempt by now; the line still tells that ours was settled."""
    bank, store = _cut_bank(branch)

    async def meanwhile() -> None:
        await branch.fail(VERA.user_code, 1)

    store.meanwhile = meanwhile
    outcome = await verify_login(bank, attempt(VERA.user_code, VERA.card.code(1)))
    await store.close()
    assert isinstance(outcome, Accepted)
    assert causes(branch, VERA.user_code) == ["", "wrong"]


async def test_a_commit_that_did_not_arrive_is_said_to_be_so(branch: Branch) -> None:
    """Nothing was counted, nothing is tried again behind the customer's back."""
    bank, store = _cut_bank(branch, arrives=False)
    mine = attempt(VERA.user_code, VERA.card.code(1))
    with pytest.raises(StoreUnavailable, match="cut"):
        await verify_login(bank, mine)
    assert branch.row(VERA.user_code)["version"] == 1
    assert isinstance(await verify_login(bank, mine), Accepted)
    await store.close()


async def test_another_attempt_of_the_same_version_is_not_taken_for_ours(branch: Branch) -> None:
    """Ours was lost, another one stands in its place: that one's success is not ours."""
    bank, store = _cut_bank(branch, arrives=False)

    async def meanwhile() -> None:
        await branch.login(VERA, VERA.card.code(1))

    store.meanwhile = meanwhile
    with pytest.raises(StoreUnavailable, match="cut"):
        await verify_login(bank, attempt(VERA.user_code, VERA.card.wrong_code(1)))
    await store.close()
    assert causes(branch, VERA.user_code) == [""]


# ── Constant work ────────────────────────────────────────────────────────────────────────────────


def counted_cryptograms(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The ATCs of all cryptograms that custody computes from now on."""
    computed: list[int] = []

    def counted(
        card_key: DesKey, atcs: Sequence[int], *, before: bytes, after: bytes
    ) -> list[bytes]:
        computed.extend(atcs)
        return cryptograms_by_atc(card_key, atcs, before=before, after=after)

    monkeypatch.setattr(cryptogram_version, "cryptograms_by_atc", counted)
    return computed


@pytest.mark.parametrize(
    ("user_code", "code", "state"),
    [
        (NOBODY, VERA.card.code(1), "active"),
        (VERA.user_code, VERA.card.code(9), "active"),
        (VERA.user_code, VERA.card.wrong_code(1), "active"),
        (VERA.user_code, VERA.card.code(9), "held"),
        (DORA.user_code, DORA.cards[1].code(9), "active"),
        (DORA.user_code, VERA.card.code(9), "held"),
        (OMAR.user_code, VERA.card.code(1), "active"),
    ],
    ids=["nobody", "right", "wrong", "held", "two cards", "two held cards", "another's code"],
)
async def test_every_attempt_costs_four_cryptograms(
    branch: Branch,
    monkeypatch: pytest.MonkeyPatch,
    user_code: UserCode,
    code: Code,
    state: str,
) -> None:
    """Near and behind for two cards, present or not, so that time tells nobody apart."""
    branch.change("UPDATE cards SET state = ?, last_atc = 7", state)
    computed = counted_cryptograms(monkeypatch)
    await verify_login(branch.bank, attempt(user_code, code))
    assert len(computed) == 4


@pytest.mark.parametrize("near_only", [False, True], ids=["far", "near"])
@pytest.mark.parametrize(
    ("user_code", "first", "state"),
    [
        (NOBODY, 1, "active"),
        (VERA.user_code, 9, "active"),
        (VERA.user_code, 300, "active"),
        (VERA.user_code, 9, "held"),
        (DORA.user_code, 9, "active"),
        (OMAR.user_code, 65_534, "active"),
    ],
    ids=["nobody", "right", "far", "held", "two cards", "at the end"],
)
async def test_every_pair_costs_the_same(  # noqa: PLR0913, PLR0917 -- a case and its names
    branch: Branch,
    monkeypatch: pytest.MonkeyPatch,
    user_code: UserCode,
    first: int,
    state: str,
    near_only: bool,  # noqa: FBT001 -- the case
) -> None:
    """Two cards, the pairs that a reach has, two cryptograms a pair: whatever fits."""
    branch.change("UPDATE cards SET state = ?, last_atc = 7", state)
    access = await branch.bank.store.read_access(user_code)
    computed = counted_cryptograms(monkeypatch)
    pair = TwoCodes(VERA.card.code(first), VERA.card.code(first + 1))
    await find_pairs(branch.bank, access, pair, near_only=near_only)
    assert len(computed) == 2 * 2 * (2 if near_only else 65)


async def test_a_refusal_runs_the_same_statements_for_all(branch_on_file: Branch) -> None:
    """As many reads and writes, whether somebody has the user code or not."""
    for user_code in (VERA.user_code, NOBODY):
        await branch_on_file.fail(user_code, 1)  # the next one finds a row in either case
        statements = await _traced(branch_on_file, branch_on_file.fail(user_code, 1))
        assert [statement.split()[0] for statement in statements] == [
            "WITH",  # the rows of the group
            "BEGIN",
            "INSERT",  # the row
            "INSERT",  # the line
            "INSERT",  # its personal values
            "INSERT",  # the bank's count of strangers' failures
            "COMMIT",
        ]


async def _traced(branch_on_file: Branch, attempted: Awaitable[object]) -> list[str]:
    """What the two connections of a login run for *attempted*."""
    statements: list[str] = []
    database = branch_on_file.bank.store._database  # noqa: SLF001 -- to listen in
    assert isinstance(database, SqliteDatabase)
    sides = (database._reader, database._writer)  # noqa: SLF001 -- to listen in
    for side in sides:
        await side.run(lambda side: side.raw.set_trace_callback(statements.append))
    await attempted
    for side in sides:
        await side.run(lambda side: side.raw.set_trace_callback(None))
    return statements


# ── What is seen ─────────────────────────────────────────────────────────────────────────────────


async def test_outcomes_and_attempts_do_not_print_secrets(branch: Branch) -> None:
    """Code, token and seed stay out of every repr."""
    code = VERA.card.code(1)
    form = attempt(VERA.user_code, code)
    outcome = await verify_login(branch.bank, form)
    assert isinstance(outcome, Accepted)
    assert outcome.session_token is not None
    said = f"{form!r} {outcome!r} {branch.bank!r}"
    assert code.digits not in said
    assert outcome.session_token not in said
    assert repr(SEED) not in said


# ── Doubles ──────────────────────────────────────────────────────────────────────────────────────


class Interrupted(KeystoreCustodian):
    """Custody during whose work other things happen: one a call, in this order."""

    def __init__(self, *happenings: Callable[[], Awaitable[object]]) -> None:
        super().__init__(custody_keys(), random=chance("interrupted"))
        self._happenings = list(happenings)

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Let the next thing happen, then answer."""
        if self._happenings:
            await self._happenings.pop(0)()
        return await super().match(inquiries)


class Says(KeystoreCustodian):
    """Custody to which every code fits as given."""

    def __init__(self, *fits: Fit) -> None:
        super().__init__(custody_keys(), random=chance("says"))
        self._fits = fits

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """The same for each."""
        return [self._fits for _ in inquiries]


class Silent(KeystoreCustodian):
    """Custody that must not be asked."""

    def __init__(self) -> None:
        super().__init__(custody_keys(), random=chance("silent"))

    async def match(self, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
        """Never."""
        pytest.fail(f"custody was asked: {len(inquiries)} inquiries")
