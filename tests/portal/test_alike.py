"""No outsider can tell why they were refused, nor whether a user code is somebody's.

RTS art. 4(3)(a), design 4.5: by text, status, headers, length, thresholds or work. Times are
measured apart (`tests/contract/test_times.py`, in `make soak`).
"""

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from msgspec import structs

from sesame.bank import activation, tries, verification
from sesame.bank.activation import Openings, release_hash
from sesame.bank.bank import Bank
from sesame.bank.limits import Limits
from sesame.bank.matching import Matches
from sesame.bank.matching import find_matches as find_matches_rightly
from sesame.bank.old_code import OldCode, OldCodes
from sesame.bank.turned_away import note_turned_away
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Reading
from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.cap.token import Code
from sesame.store.access import Access, State
from sesame.store.buckets import bucket_of
from sesame.store.cards import Key
from tests.bank.branch import (
    DORA,
    NOBODY,
    OLD_CODE,
    OMAR,
    VERA,
    Branch,
    Person,
    enrol_everybody,
    open_bank,
)
from tests.bank.folders import IN_MEMORY
from tests.bank.waiting import NUMBER, WRONG_NUMBER, have_wait
from tests.portal import besieged
from tests.portal.besieged import (
    ACTIVATION,
    ALL_DOORS,
    DOORS,
    JSON,
    RELEASE,
    SESAME,
    TWO_CODES,
    Outsider,
    Seen,
    Work,
    metered,
)
from tests.portal.town import empty_database

_ELSE = UserCode("NEMO4444")
_PAIR = f"{JSON} "
_SCRIPTS = 24
_STEPS = 30
Typed = tuple[str, ...]


@pytest.fixture
def path() -> Iterator[Path]:
    """The file of a bank of one's own."""
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        path = Path(folder, "bank.db")
        path.write_bytes(empty_database())
        yield path


@pytest.fixture
async def branch(path: Path) -> AsyncIterator[Branch]:
    """Véra has signed in with ATC 9 and 10; Dora's cards are held; Omar never had an old code.

    And his card is unsure, as after a restore.
    """
    branch = Branch(path, open_bank(path))
    await enrol_everybody(branch.bank)
    for atc in (9, 10):
        await branch.login(VERA, VERA.card.code(atc))
    branch.change("UPDATE cards SET state = 'held' WHERE user_code = ?", DORA.user_code)
    branch.change("UPDATE access SET old_code = NULL WHERE user_code = ?", OMAR.user_code)
    branch.change("UPDATE cards SET generation = -1 WHERE user_code = ?", OMAR.user_code)
    branch.clock.forward(hours=1)
    yield branch
    await branch.bank.store.close()


def one_code(person: Person, atc: int) -> Typed:
    """A code of the person's first card."""
    return (person.card.code(atc).digits,)


def two_codes(person: Person, first: int, second: int) -> Typed:
    """Two of them."""
    return (*one_code(person, first), *one_code(person, second))


_WRONG = (VERA.card.wrong_code(11).digits,)
_SINGLE: dict[str, tuple[UserCode, Typed]] = {
    "wrong": (VERA.user_code, _WRONG),
    "used": (VERA.user_code, one_code(VERA, 10)),
    "overtaken": (VERA.user_code, one_code(VERA, 8)),
    "far ahead": (VERA.user_code, one_code(VERA, 900)),
    "card not active": (DORA.user_code, one_code(DORA, 1)),
    "card unsure": (OMAR.user_code, one_code(OMAR, 1)),
    "wrong, two cards": (DORA.user_code, _WRONG),
    "somebody else's": (OMAR.user_code, one_code(VERA, 11)),
    "nobody's user code": (NOBODY, one_code(VERA, 11)),
    "nobody's user code, wrong": (_ELSE, _WRONG),
}
_DOUBLE: dict[str, tuple[UserCode, Typed]] = {
    "wrong": (VERA.user_code, (*_WRONG, VERA.card.wrong_code(12).digits)),
    "half wrong": (VERA.user_code, (*one_code(VERA, 11), *_WRONG)),
    "used": (VERA.user_code, two_codes(VERA, 9, 10)),
    "overtaken": (VERA.user_code, two_codes(VERA, 7, 8)),
    "around the last": (VERA.user_code, two_codes(VERA, 10, 11)),
    "swapped": (VERA.user_code, two_codes(VERA, 12, 11)),
    "nine apart": (VERA.user_code, two_codes(VERA, 11, 20)),
    "too far ahead": (VERA.user_code, two_codes(VERA, 2059, 2060)),
    "card not active": (DORA.user_code, two_codes(DORA, 1, 2)),
    "card unsure": (OMAR.user_code, two_codes(OMAR, 1, 2)),
    "nobody's user code": (NOBODY, two_codes(VERA, 11, 12)),
    "nobody's, no pair": (_ELSE, two_codes(VERA, 12, 11)),
}
_OLD: dict[str, tuple[UserCode, Typed]] = {
    "retired": (VERA.user_code, (OLD_CODE.typed,)),
    "retired and wrong": (VERA.user_code, ("tilleul-1972",)),
    "wrong": (DORA.user_code, ("tilleul-1972",)),
    "never there": (OMAR.user_code, (OLD_CODE.typed,)),
    "nobody's user code": (NOBODY, (OLD_CODE.typed,)),
}
Answer = Callable[[Inputs], Typed]  # what is typed, by what the form asks for


@dataclass(frozen=True)
class _Numbered:
    """A form with a number beside the codes, and what had happened before."""

    user_code: UserCode
    number: str
    codes: Answer
    before: str = ""


def _made(person: Person, first: int, number: int) -> Answer:
    """So many codes of the person's first card from ATC *first* on; wrong ones where negative."""
    card, wrong = person.card, first < 0
    atcs = range(abs(first), abs(first) + number)

    def make(asked: Inputs) -> Typed:
        inputs = [asked, *[LOGIN] * (number - 1)]
        codes = [card.code(atc, said) for atc, said in zip(atcs, inputs, strict=True)]
        return tuple(f"{code.token ^ wrong:08d}" for code in codes)

    return make


_STATE = "UPDATE cards SET state = '{}' WHERE user_code = '{}'"
# Véra's card waits, and Dora holds hers.
_AS_BEFORE = (
    _STATE.format("waiting", VERA.user_code),
    _STATE.format("held", DORA.user_code),
    "UPDATE cards SET generation = 0, last_atc = 10 WHERE user_code <> 'OMAR6789'",
    "UPDATE card_orders SET cancelled_at = NULL, activated_at = NULL",
    "UPDATE holds SET \"by\" = 'owner'",
    # So many failures in a row would have two codes be asked for.
    "UPDATE access SET open_failures = 0, open_suspensions = 0, open_failed_at = x''",
)


def _activations(codes: int, *, asked: bool = False) -> dict[str, _Numbered]:
    """Every cause for which an activation by so many codes is refused."""
    vera, right = VERA.user_code, _made(VERA, 11, codes)
    cases = {
        "number wrong": _Numbered(vera, WRONG_NUMBER, right),
        "code wrong": _Numbered(vera, NUMBER, _made(VERA, -11, codes)),
        "both wrong": _Numbered(vera, WRONG_NUMBER, _made(VERA, -11, codes)),
        "overtaken": _Numbered(vera, NUMBER, _made(VERA, 7, codes)),
        "somebody else's": _Numbered(vera, NUMBER, _made(DORA, 11, codes)),
        "cancelled": _Numbered(vera, NUMBER, right, "UPDATE card_orders SET cancelled_at = 1"),
        "done": _Numbered(vera, NUMBER, right, "UPDATE card_orders SET activated_at = 1"),
        "held": _Numbered(vera, NUMBER, right, _STATE.format("held", vera)),
        "retired": _Numbered(vera, NUMBER, right, _STATE.format("retired", vera)),
        "active": _Numbered(vera, NUMBER, right, _STATE.format("active", vera)),
        "two cards, none waits": _Numbered(DORA.user_code, NUMBER, _made(DORA, 11, codes)),
        "nobody's user code": _Numbered(NOBODY, NUMBER, right),
        "nobody's user code, wrong": _Numbered(_ELSE, WRONG_NUMBER, _made(VERA, -11, codes)),
        "too late": _Numbered(vera, NUMBER, right, "UPDATE card_orders SET activation_until = 1"),
    }
    if not asked:
        unsure = "UPDATE cards SET generation = -1"
        cases["used"] = _Numbered(vera, NUMBER, _made(VERA, 11 - codes, codes))
        cases["unsure"] = _Numbered(vera, NUMBER, right, unsure)
        cases["unsure and active"] = _Numbered(OMAR.user_code, NUMBER, _made(OMAR, 11, codes))
    return cases


def _releases(codes: int, *, asked: bool = False) -> dict[str, _Numbered]:
    """Every cause for which a release by so many codes is refused."""
    dora, right = DORA.user_code, _made(DORA, 11, codes)
    cases = {
        "number wrong": _Numbered(dora, WRONG_NUMBER, right),
        "code wrong": _Numbered(dora, NUMBER, _made(DORA, -11, codes)),
        "both wrong": _Numbered(dora, WRONG_NUMBER, _made(DORA, -11, codes)),
        "overtaken": _Numbered(dora, NUMBER, _made(DORA, 7, codes)),
        "by the desk": _Numbered(dora, NUMBER, right, "UPDATE holds SET \"by\" = 'desk'"),
        "active": _Numbered(dora, NUMBER, right, _STATE.format("active", dora)),
        "retired": _Numbered(dora, NUMBER, right, _STATE.format("retired", dora)),
        "waiting": _Numbered(VERA.user_code, NUMBER, _made(VERA, 11, codes)),
        "nobody's user code": _Numbered(NOBODY, NUMBER, right),
        "nobody's user code, wrong": _Numbered(_ELSE, WRONG_NUMBER, _made(VERA, -11, codes)),
    }
    if not asked:
        unsure = "UPDATE cards SET generation = -1"
        cases["used"] = _Numbered(dora, NUMBER, _made(DORA, 11 - codes, codes))
        cases["unsure"] = _Numbered(dora, NUMBER, right, unsure)
    return cases


_NUMBERS = {
    ACTIVATION: _activations(1),
    f"{ACTIVATION}/deux-codes": _activations(2),
    f"{ACTIVATION}/repondre": _activations(2, asked=True),
    RELEASE: _releases(1),
    f"{RELEASE}/deux-codes": _releases(2),
    f"{RELEASE}/repondre": _releases(2, asked=True),
}
_CAUSES = {
    SESAME: _SINGLE,
    TWO_CODES: _DOUBLE,
    besieged.OLD_CODE: _OLD,
    JSON: _SINGLE,
    _PAIR: _DOUBLE,
}


@pytest.mark.parametrize("door", DOORS)
async def test_every_cause_of_refusal_reads_and_costs_the_same(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """Status, headers, length, every byte; cryptograms, argon2, and SQL statements by kind."""
    answers: dict[str, Seen] = {}
    costs: dict[str, Work] = {}
    with metered(monkeypatch) as works:
        bank = open_bank(branch.path, name="metered")
        object.__setattr__(bank, "now", branch.clock)
        for cause, (user_code, typed) in _CAUSES[door].items():
            outsider = Outsider(bank)
            if door.strip() != JSON:
                await outsider.form(door)
            works.append(Work())
            # Every suspension is over, and the bank's counts are looked at for each.
            branch.clock.forward(hours=5)
            answers[cause] = await outsider.knock(door, user_code, typed)
            costs[cause] = works[-1]
        await bank.store.close()
    (first, *others) = answers
    assert answers[first].status == (200 if door.strip() == JSON else 422)
    for other in others:
        assert answers[other] == answers[first], other
        assert costs[other] == costs[first], other
    _check_cost(door, costs[first])


def _check_cost(door: str, work: Work) -> None:
    """The meter measures: it is not that nothing was counted."""
    pairs, single = door in {TWO_CODES, _PAIR}, door in {SESAME, JSON}
    assert work.argon2 == (door == besieged.OLD_CODE)
    assert work.planned == (0 if door == besieged.OLD_CODE else 2)
    assert (work.cryptograms > 200) is pairs
    assert (0 < work.cryptograms < 40) is single
    assert work.statements["INSERT access"] == 1
    assert work.statements["INSERT audit_lines"] == 1
    assert work.statements["INSERT stranger_failures"] == 1
    assert work.statements["COMMIT "] >= 1


async def _let_wait_and_hold(branch: Branch) -> None:
    """Let Véra's card wait for its activation, and Dora hold hers, each by `NUMBER`."""
    await have_wait(branch, VERA)
    key = (bucket_of(DORA.user_code), DORA.user_code)
    kept = await release_hash(branch.bank, key, NUMBER)
    for number in (1, 2):
        branch.change(
            'INSERT INTO holds (bucket, user_code, card_number, "by", by_code, reason, at, '
            "release_hash) VALUES (?, ?, ?, 'owner', ?, '', 1, ?)",
            *key,
            number,
            key[1],
            kept,
        )


@pytest.mark.parametrize("door", _NUMBERS)
async def test_every_refusal_beside_a_number_reads_and_costs_the_same(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    """Likewise of an activation and a release: whether number, code, both or none is right."""
    await _let_wait_and_hold(branch)
    until = branch.rows("SELECT activation_until FROM card_orders")
    answers: dict[str, Seen] = {}
    costs: dict[str, Work] = {}
    with metered(monkeypatch) as works:
        bank = open_bank(branch.path, name="metered")
        object.__setattr__(bank, "now", branch.clock)
        for cause, one in _NUMBERS[door].items():
            for statement in _AS_BEFORE:
                branch.change(statement)
            branch.change("UPDATE card_orders SET activation_until = ?", *until[0])
            branch.clock.forward(hours=5)
            works.append(Work())  # a form with a challenge looks at the database too
            outsider = Outsider(bank)
            typed = one.codes(await outsider.asked(door))
            if one.before:
                branch.change(one.before)
            works.append(Work())
            answers[cause] = await outsider.knock(door, one.user_code, (one.number, *typed))
            costs[cause] = works[-1]
        await bank.store.close()
    (first, *others) = answers
    assert answers[first].status == 422
    assert "refusé" in answers[first].text
    for other in others:
        assert answers[other] == answers[first], other
        assert costs[other] == costs[first], other
    work = costs[first]
    assert work.planned == 2
    assert (work.cryptograms > 200) is (door not in {ACTIVATION, RELEASE})
    assert work.macs == (2 if door.startswith(ACTIVATION) else 1)
    assert work.statements["INSERT audit_lines"] == 1


class _Script:
    """What an attacker does, step by step, the same against any user code."""

    def __init__(self, seed: int, doors: Mapping[str, int]) -> None:
        self.chance = random.Random(seed)  # noqa: S311 -- a test that repeats
        self.doors = self.chance.choices(list(doors), list(doors.values()), k=_STEPS)
        # Some are in a hurry, some have months.
        patient = self.chance.random()
        self.waits = [self._wait(patient) for _ in range(_STEPS)]
        self.again = [self.chance.random() < 0.15 for _ in range(_STEPS)]
        self.sprayed = {self.chance.randrange(_STEPS)} if self.chance.random() < 0.4 else set()
        self.typed = [self._typed(door) for door in self.doors]

    def _wait(self, patient: float) -> timedelta:
        if self.chance.random() > patient:
            return timedelta(seconds=self.chance.choice([0, 1, 4, 5, 20]))
        return self.chance.choice(
            [
                timedelta(seconds=60),
                timedelta(minutes=15),
                timedelta(minutes=15),
                timedelta(hours=1),
                timedelta(hours=4),
                timedelta(days=1, hours=2),
                timedelta(days=31),
            ]
        )

    def _typed(self, door: str) -> Typed:
        """Guesses; and codes of Véra's that were overheard and are used."""
        if door == besieged.OLD_CODE:
            return (self.chance.choice(["azerty", "tilleul-1972", "été", "x" * 128]),)
        number: Typed = ()
        if "number" in (fields := ALL_DOORS[door]):  # that of the letter, which was stolen, or none
            number = (self.chance.choice([NUMBER, WRONG_NUMBER, "00000000"]),)
        codes = len(fields) - len(number)
        if self.chance.random() < 0.2:
            return (*number, *(*one_code(VERA, 9), *one_code(VERA, 10))[:codes])
        profile = self.chance.choice([SESAME_CARD, BANK_CARD])
        guesses = [
            profile.constant | self.chance.getrandbits(profile.bits - 1) for _ in range(codes)
        ]
        return (*number, *(f"{guess:08d}" for guess in guesses))


@pytest.mark.parametrize("seed", range(_SCRIPTS))
async def test_no_script_tells_a_user_code_from_none(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whole sequences of answers and of work, against a customer and against nobody.

    Guesses through every door, second clicks, two codes, waiting from seconds to months, and
    sometimes a spray over the bank: one step against each, at the same moments.
    """
    seen = await _besiege(branch, monkeypatch, seed)
    assert {answer.status for answer in seen} <= {200, 422, 429}


@pytest.mark.parametrize("seed", range(_SCRIPTS // 2))
async def test_no_script_with_numbers_tells_one_either(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Through the doors of activation and release too, by who perhaps has the letter's number."""
    await _let_wait_and_hold(branch)
    seen = await _besiege(branch, monkeypatch, seed, _WITH_NUMBERS)
    assert {answer.status for answer in seen} <= {200, 422, 429}


_LOGINS = dict(zip(DOORS, (6, 2, 2, 2, 1), strict=True))  # how often each is tried
_WITH_NUMBERS = {
    SESAME: 2,
    JSON: 1,
    besieged.CHALLENGE: 1,
    **dict.fromkeys((ACTIVATION, RELEASE), 4),
    **dict.fromkeys((door for door in _NUMBERS if door.endswith("/deux-codes")), 2),
    **dict.fromkeys((door for door in _NUMBERS if door.endswith("/repondre")), 1),
}


async def _besiege(
    branch: Branch,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    doors: Mapping[str, int] = _LOGINS,
) -> list[Seen]:
    """Make sure that nothing differs in script *seed*; what was answered."""
    script = _Script(seed, doors)
    user_code = (VERA, OMAR, DORA)[seed % 3].user_code
    seen = []
    with metered(monkeypatch) as works:
        bank = open_bank(branch.path, name="metered", limits=Limits(source=None))
        object.__setattr__(bank, "now", branch.clock)
        try:
            nobody = UserCode(f"NEMO{2000 + seed}")
            outsiders = {user_code: Outsider(bank), nobody: Outsider(bank)}
            for step, door in enumerate(script.doors):
                branch.clock.at += script.waits[step]
                if step in script.sprayed:
                    hour = int(branch.clock.at.timestamp()) // 3600
                    spray = "INSERT OR REPLACE INTO stranger_failures VALUES (63, ?, 0, 300)"
                    branch.change(spray, hour)
                # Whoever comes first looks at the bank's counts, and whether it was restored: here
                # neither.
                await bank.pressure.is_on(bank.store, bank.limits, branch.clock())
                await bank.recovery.asked(bank.store, bank.limits, branch.clock())
                answers, costs = [], []
                for target, outsider in outsiders.items():
                    works.append(Work())  # a form with a challenge looks at the database too
                    if door.strip() != JSON:
                        await outsider.form(door)
                    works.append(Work())
                    said = [await outsider.knock(door, target, script.typed[step])]
                    if script.again[step] and door.strip() != JSON:
                        said.append(await outsider.knock_again(target))
                    answers.append(said)
                    costs.append(works[-1])
                assert answers[0] == answers[1], (step, door)
                assert costs[0] == costs[1], (step, door)
                seen += answers[0]
        finally:
            await bank.store.close()
    return seen


async def test_the_scripts_come_everywhere(branch: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused, suspended by each length, asked for two codes: else alike would say little."""
    seen = [answer for seed in (0, 1, 2) for answer in await _besiege(branch, monkeypatch, seed)]
    texts = " ".join(answer.text for answer in seen)
    assert "Connexion refusée" in texts
    assert "deux codes Sésame de suite sont demandés" in texts
    assert '{"outcome":"two-codes"}' in texts
    assert '{"outcome":"suspended"}' in texts
    waits = {int(dict(answer.headers).get("retry-after", 0)) for answer in seen}
    assert any(0 < wait <= 60 for wait in waits)
    assert any(60 < wait <= 900 for wait in waits)


# ── Whether it would be found ────────────────────────────────────────────────────────────────────


def _nobody_is_asked_of_custody(patched: pytest.MonkeyPatch) -> None:
    async def find(bank: Bank, access: Access, code: Code, *, known: bool) -> Matches:
        if not access.cards:
            return Matches((), ())
        return await find_matches_rightly(bank, access, code, known=known)

    patched.setattr(verification, "find_matches", find)


def _no_old_code_is_no_argon2(patched: pytest.MonkeyPatch) -> None:
    right = OldCodes.verify

    async def verify(codes: OldCodes, stored: str | None, typed: OldCode) -> bool:
        return stored is not None and await right(codes, stored, typed)

    patched.setattr(OldCodes, "verify", verify)


def _nobody_is_never_suspended(patched: pytest.MonkeyPatch) -> None:
    right = verification.answer_unjudged

    def answer_unjudged(reading: Reading, *others: Any) -> Any:  # noqa: ANN401 -- handed on
        return right(reading, *others) if reading.access.enrolled else None

    patched.setattr(verification, "answer_unjudged", answer_unjudged)


def _nobody_is_noted(patched: pytest.MonkeyPatch) -> None:
    right = note_turned_away

    async def note(bank: Bank, access: Access, cause: str, now: datetime) -> None:
        if access.enrolled:
            await right(bank, access, cause, now)

    patched.setattr(verification, "note_turned_away", note)


def _nobody_is_forgotten_sooner(patched: pytest.MonkeyPatch) -> None:
    right = tries.after_failure

    def after_failure(state: State, *others: Any) -> State:  # noqa: ANN401 -- handed on
        young = (
            state
            if state.signed_in_at
            else structs.replace(state, open=structs.replace(state.open, suspensions=0))
        )
        return right(young, *others)

    patched.setattr(verification, "after_failure", after_failure)


def _nobodys_number_is_not_looked_up(patched: pytest.MonkeyPatch) -> None:
    right = activation.find_openings

    async def find(bank: Bank, access: Access, *others: Any) -> Openings:  # noqa: ANN401 -- handed on
        return await right(bank, access, *others) if access.enrolled else Openings()

    patched.setattr(verification, "find_openings", find)


def _no_order_is_no_hash(patched: pytest.MonkeyPatch) -> None:
    right = activation.activation_hash

    async def hashed(bank: Bank, key: Key, order_number: int, number: str) -> bytes:
        return await right(bank, key, order_number, number) if order_number else bytes(32)

    patched.setattr(activation, "activation_hash", hashed)


@pytest.mark.parametrize(
    "plant",
    [_nobodys_number_is_not_looked_up, _no_order_is_no_hash],
    ids=lambda plant: plant.__name__,
)
async def test_a_planted_difference_beside_a_number_is_found(
    branch: Branch, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """By one of the scripts with numbers, against Véra, whose card waits."""
    await _let_wait_and_hold(branch)
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        await _besiege(branch, monkeypatch, 0, _WITH_NUMBERS)


@pytest.mark.parametrize(
    ("plant", "seed"),
    [
        (_nobody_is_asked_of_custody, 0),
        (_no_old_code_is_no_argon2, 5),  # against Dora, who has one
        (_nobody_is_never_suspended, 0),
        (_nobody_is_noted, 0),
        (_nobody_is_forgotten_sooner, 6),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("_"),
)
async def test_a_planted_difference_is_found(
    branch: Branch,
    monkeypatch: pytest.MonkeyPatch,
    plant: Callable[[pytest.MonkeyPatch], None],
    seed: int,
) -> None:
    """By one of the same scripts: they can fail."""
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        await _besiege(branch, monkeypatch, seed)
