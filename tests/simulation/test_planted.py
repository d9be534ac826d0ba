"""Faults that are put into the bank on purpose: the short run finds each, in a short story."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection

from sesame.bank import matching, settling, sources, verification
from sesame.bank.audit import Record, audit_row, unsealed_line
from sesame.bank.bank import Bank
from sesame.bank.limits import SourceLimits
from sesame.bank.matching import Cause, Match, Matches, Verdict
from sesame.bank.pressure import hour_of
from sesame.bank.replay import Replayed
from sesame.bank.restored import Seen
from sesame.bank.settling import Change
from sesame.bank.sources import ByHour, Standing
from sesame.bank.tries import suspended_until
from sesame.bank.verification import Accepted, Attempt, Decision, Reading, Refused
from sesame.cap import verification as prediction
from sesame.cap.profile import Profile
from sesame.cap.token import Code
from sesame.cap.verification import Candidates
from sesame.simulation import world
from sesame.simulation.events import Kind
from sesame.simulation.model import Rule
from sesame.simulation.plan import DAY, Habits, Plan
from sesame.simulation.run import simulate
from sesame.simulation.shrinking import Story, shortest_story
from sesame.simulation.world import Violation
from sesame.store import memory, sqlite_login
from sesame.store import sources as store_sources
from sesame.store.access import Access, State
from sesame.store.audit import AuditRow
from sesame.store.sources import SourceRow
from tests.simulation.busy import CALM, FLOODED, SHORT

Plant = Callable[[pytest.MonkeyPatch], None]


def _narrow(patch: pytest.MonkeyPatch) -> None:
    def candidates(profile: Profile, last_atc: int, code: Code) -> Candidates:
        found = prediction.candidates(profile, last_atc, code)
        return replace(found, near=None) if found.near == last_atc + profile.window else found

    patch.setattr(matching, "candidates", candidates)


def _wide(patch: pytest.MonkeyPatch) -> None:
    def candidates(profile: Profile, last_atc: int, code: Code) -> Candidates:
        found = prediction.candidates(profile, last_atc, code)
        beyond = last_atc + profile.window + 1
        return replace(found, near=beyond) if found.near is None else found

    patch.setattr(matching, "candidates", candidates)


def _uncounted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(verification, "after_failure", lambda state, *_: state)


def _again(patch: pytest.MonkeyPatch) -> None:
    def judge(access: Access, matches: Matches, *, fresh: bool = False) -> Verdict:
        found = matching.judge(access, matches, fresh=fresh)
        return Verdict(None) if found.cause is Cause.USED else found

    patch.setattr(verification, "judge", judge)


def _any_code(patch: pytest.MonkeyPatch) -> None:
    """What no card makes is right too, at the next ATC."""

    async def find_matches(bank: Bank, access: Access, code: Code, *, known: bool) -> Matches:
        found = await matching.find_matches(bank, access, code, known=known)
        if found.near or found.behind:
            return found
        return Matches(tuple(Match(c.card_number, c.last_atc + 1) for c in access.cards[:1]), ())

    patch.setattr(verification, "find_matches", find_matches)


def _held_too(patch: pytest.MonkeyPatch) -> None:
    def judge(access: Access, matches: Matches, *, fresh: bool = False) -> Verdict:
        active = Verdict(None, matches.near)
        return active if matches.near else matching.judge(access, matches, fresh=fresh)

    patch.setattr(verification, "judge", judge)


def _nobody_is_told_apart(patch: pytest.MonkeyPatch) -> None:
    """Failures on a user code that nobody has suspend nothing."""

    def decide(reading: Any, *rest: Any) -> Decision:  # noqa: ANN401 -- as the bank's own
        found = verification.__dict__["_decide"](reading, *rest)
        return found if reading.access.enrolled else Decision(found.cause, State())

    patch.setattr(verification, "_decide", verification.decide, raising=False)
    patch.setattr(verification, "decide", decide)


def _stays_open(patch: pytest.MonkeyPatch) -> None:
    async def end_session(*_: object) -> None:
        pass

    patch.setattr(world, "end_session", end_session)


def _unnoticed(patch: pytest.MonkeyPatch) -> None:
    """No heartbeat, and no backup says that it is one: the cards stay sure."""

    async def beat(_: Bank, seen: Seen | None) -> Seen | None:
        return seen

    patch.setattr(world, "beat", beat)
    patch.setattr(memory, "mark_as_backup", lambda *_, **__: None)


def _server_unaware(patch: pytest.MonkeyPatch) -> None:
    """The server lets an unsure card pass; the write stands against it, and there is no answer."""

    def judge(access: Access, matches: Matches, *, fresh: bool = False) -> Verdict:
        return matching.judge(access, matches, fresh=fresh or bool(matches.near))

    patch.setattr(verification, "judge", judge)


def _unsure_too(patch: pytest.MonkeyPatch) -> None:
    """An unsure card takes a plain code: the server lets it pass, and so does the write."""
    _server_unaware(patch)
    advance = sqlite_login._ADVANCE_CARD  # noqa: SLF001 -- to be broken
    sure = "THEN generation = (SELECT now.generation FROM incarnation AS now WHERE now.id = 1)"
    assert sure in advance
    patch.setattr(sqlite_login, "_ADVANCE_CARD", advance.replace(sure, "THEN 1"))


def _no_recovery(patch: pytest.MonkeyPatch) -> None:
    """The stream is not replayed: what was held signs in, and what was used is not known."""

    async def work_off(*_: object) -> Replayed:
        return Replayed()

    patch.setattr(world, "work_off", work_off)


def _false_line(patch: pytest.MonkeyPatch) -> None:
    """The journal names the counter after the one that was accepted."""

    def facts(*of: Any) -> dict[str, Any]:  # noqa: ANN401 -- as the bank's own
        found: dict[str, Any] = true(*of)
        return found | {"cards": [[number, name, atc + 1] for number, name, atc in found["cards"]]}

    true = verification.__dict__["_facts"]
    patch.setattr(verification, "_facts", facts)


def _unchained(patch: pytest.MonkeyPatch) -> None:
    """Each line begins a chain of its own."""

    def row(record: Record, *, prev: bytes, salt: bytes, mac: bytes | None) -> AuditRow:
        return audit_row(record, prev=bytes(len(prev)), salt=salt, mac=mac)

    patch.setattr(settling, "audit_row", row)


def _vouched_for_another(patch: pytest.MonkeyPatch) -> None:
    """Custody's MAC stands on the line, but covers something else."""

    def covered(record: Record, *, prev: bytes, salt: bytes) -> bytes:
        return unsealed_line(record, prev=prev, salt=salt) + b" "

    patch.setattr(settling, "unsealed_line", covered)


def _locked_out(patch: pytest.MonkeyPatch) -> None:
    """A known device is suspended as soon as strangers are."""

    def until(state: State, now: datetime, *, known: bool) -> datetime | None:
        return suspended_until(state, now, known=known and False)

    patch.setattr(verification, "suspended_until", until)


def _remembered(patch: pytest.MonkeyPatch) -> None:
    """A computer of everybody's is known from then on."""

    def device(bank: Bank, reading: Any, attempt: Attempt, *rest: Any, **more: Any) -> Change:  # noqa: ANN401
        attempt = replace(attempt, device_seed=attempt.device_seed or bytes(32))
        answer = replace(rest[1], device=bytes(32)) if isinstance(rest[1], Accepted) else rest[1]
        return change(bank, reading, attempt, rest[0], answer, **more)

    change: Callable[..., Change] = verification.__dict__["_change"]
    patch.setattr(verification, "_change", device)


def _endless(patch: pytest.MonkeyPatch) -> None:
    """A session lasts for a day."""

    def session(*of: Any) -> Any:  # noqa: ANN401 -- as the bank's own
        found = opened(*of)
        return found and replace(found, ends_at=found.opened_at + DAY)

    opened = verification.__dict__["_session"]
    patch.setattr(verification, "_session", session)


def _quiet(**habits: float) -> Plan:
    """A bank in which nothing else goes wrong than what *habits* say."""
    nothing = Habits(
        curious=0,
        mistyped=0,
        wrong_key=0,
        crashed=0,
        clicked_twice=0,
        lost=0,
        forgotten_pin=0,
        harvested=0,
        overlooked=0,
        vandalised=0,
        kept=0,
        restores=0,
    )
    return replace(SHORT, habits=replace(nothing, **habits))  # type: ignore[arg-type]  # by name


_BESIEGED = replace(_quiet(vandalised=40, logins=8), customers=8, days=10)
# Two restores: of a marked backup with a stream, and of a copy of the disk with nothing.
_RESTORED = replace(_quiet(kept=1.0, restores=73), days=10)
_AFTER_RESTORES = (_unnoticed, _unsure_too, _server_unaware, _no_recovery)

_FAULTS = [
    pytest.param(_narrow, SHORT, Rule.COST, 3, id="window one too small"),
    pytest.param(_wide, SHORT, Rule.TOO_FAR, 3, id="window one too large"),
    pytest.param(_uncounted, SHORT, Rule.UNCOUNTED, 2, id="a try is not counted"),
    pytest.param(_again, SHORT, Rule.ATC_AGAIN, 4, id="an ATC is accepted twice"),
    pytest.param(_unnoticed, _RESTORED, Rule.UNSURE, 2, id="a restore is not noticed"),
    pytest.param(_unsure_too, SHORT, Rule.UNSURE, 2, id="an unsure card takes a plain code"),
    pytest.param(_server_unaware, _RESTORED, Rule.OTHERWISE, 4, id="no server knows of it"),
    pytest.param(
        _no_recovery,
        replace(_RESTORED, habits=replace(_RESTORED.habits, lost=40)),
        Rule.NOT_ENDED,
        6,
        id="a restore is not worked off",
    ),
    pytest.param(_stays_open, SHORT, Rule.NOT_ENDED, 2, id="a session does not end"),
    pytest.param(_any_code, _quiet(mistyped=0.1), Rule.NOBODYS_CODE, 2, id="any code is right"),
    pytest.param(_any_code, _quiet(lost=9), Rule.WITHOUT_PIN, 2, id="no PIN is wanted"),
    pytest.param(_any_code, _quiet(wrong_key=0.2), Rule.NO_LOGIN_CODE, 3, id="any key will do"),
    pytest.param(
        _held_too, _quiet(harvested=60, lost=20), Rule.NOT_ENDED, 6, id="held cards sign in"
    ),
    pytest.param(_false_line, SHORT, Rule.LINE, 2, id="a line says something else"),
    pytest.param(_unchained, SHORT, Rule.LINE, 2, id="a line is not chained"),
    pytest.param(_vouched_for_another, SHORT, Rule.LINE, 2, id="a MAC is of something else"),
    pytest.param(_remembered, SHORT, Rule.OTHERWISE, 2, id="a shared computer is known"),
    pytest.param(_endless, SHORT, Rule.OTHERWISE, 2, id="a session lasts for a day"),
    pytest.param(_nobody_is_told_apart, _quiet(), Rule.NOT_ALIKE, 2, id="nobody is told apart"),
]


@pytest.mark.parametrize(("plant", "plan", "rule", "lines"), _FAULTS)
def test_it_is_found(
    monkeypatch: pytest.MonkeyPatch, plant: Plant, plan: Plan, rule: Rule, lines: int
) -> None:
    """The rule that is broken has its name, and the story is as short as it can be."""
    plant(monkeypatch)
    story = _story(plan)
    assert story.violation.rule is rule
    told = [sentence for sentence in story.sentences if not sentence.text.startswith(" ")]
    assert len(told) <= lines
    assert len(story.events) <= lines
    last = told[-1].at
    assert all(event.at <= last for event in story.events)
    assert (plant in _AFTER_RESTORES) == (Kind.RESTORE in {event.kind for event in story.events})


def test_an_owner_who_is_locked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a vandal, although their computer is known. The story is many guesses long."""
    _locked_out(monkeypatch)
    with pytest.raises(Violation) as found:
        simulate(_BESIEGED)
    assert found.value.rule is Rule.COST


def _known_too(patch: pytest.MonkeyPatch) -> None:
    """Who is known is asked for two codes as well, for what strangers do at their address."""

    async def read(bank: Bank, attempt: Attempt, early: Access | None) -> Reading:
        found: Reading = await right(bank, attempt, early)
        return msgspec.structs.replace(found, source=standing(bank, attempt))

    right, standing = verification.__dict__["_read"], verification.__dict__["_standing"]
    patch.setattr(verification, "_read", read)


def _closed_for_a_day(patch: pytest.MonkeyPatch) -> None:
    """An address that was closed stays so."""

    def standing(counts: ByHour, hour: int, limits: SourceLimits) -> Standing:
        found = [sources_standing(counts, one, limits) for one in range(hour - 24, hour + 1)]
        return Standing.CLOSED if Standing.CLOSED in found else found[-1]

    sources_standing = sources.standing
    patch.setattr(sources, "standing", standing)


def _one_too_early(patch: pytest.MonkeyPatch) -> None:
    """The thirtieth refusal does what the thirty-first may do."""

    def standing(counts: ByHour, hour: int, limits: SourceLimits) -> Standing:
        return right(counts, hour, replace(limits, two_codes_above=29))

    right = sources.standing
    patch.setattr(sources, "standing", standing)


def _unread(patch: pytest.MonkeyPatch) -> None:
    """A server forgets what it wrote down, and hears of nobody else's."""

    def add_refusals(connection: Connection, rows: Sequence[SourceRow], *, since: int) -> Any:  # noqa: ANN401 -- nothing
        store_sources.add_refusals(connection, rows, since=since)
        return []

    patch.setattr(sources, "add_refusals", add_refusals)


def _counted_for_all(patch: pytest.MonkeyPatch) -> None:
    """What one address gets wrong goes on counting for the whole bank."""

    def counting(bank: Bank, reading: Reading, attempt: Attempt, *rest: Any, **more: Any) -> Change:  # noqa: ANN401
        found: Change = change(bank, reading, attempt, *rest, **more)
        wrong = isinstance(rest[1], Refused) and not reading.known
        return msgspec.structs.replace(found, failed_hour=hour_of(reading.now) if wrong else None)

    change = verification.__dict__["_change"]
    patch.setattr(verification, "_change", counting)


def _each_address(patch: pytest.MonkeyPatch) -> None:
    """IPv6 whole: whoever has a household's /64 has any number of them."""
    patch.setattr("sesame.simulation.server.source_address", lambda host: host)


@pytest.mark.parametrize(
    ("plant", "plan", "rule"),
    [
        pytest.param(_known_too, FLOODED, Rule.TURNED_AWAY, id="known browsers too"),
        pytest.param(_closed_for_a_day, FLOODED, Rule.TURNED_AWAY, id="closed for a day"),
        pytest.param(_one_too_early, FLOODED, Rule.OTHERWISE, id="one too early"),
        pytest.param(_unread, replace(FLOODED, servers=2), Rule.OTHERWISE, id="nothing is read"),
        pytest.param(_counted_for_all, CALM, Rule.TURNED_AWAY, id="counted for the whole bank"),
        pytest.param(_each_address, SHORT, Rule.LINE, id="each address by itself"),
    ],
)
def test_what_goes_by_address_is_found(
    monkeypatch: pytest.MonkeyPatch, plant: Plant, plan: Plan, rule: Rule
) -> None:
    """It takes many people to break these, so most of them have no story."""
    plant(monkeypatch)
    with pytest.raises(Violation) as found:
        simulate(plan)
    assert found.value.rule is rule


def test_what_befalls_nobody_alone_has_no_story(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that shows in the whole bank only is told without one."""
    _uncounted(monkeypatch)
    with pytest.raises(Violation) as found:
        simulate(SHORT)
    monkeypatch.undo()
    assert shortest_story(SHORT, found.value) is None


def test_a_violation_comes_out_of_another_process() -> None:
    """As it is: who, when and which rule."""
    again = pickle.loads(pickle.dumps(Violation(Rule.COST, "why", who=3, at=17)))  # noqa: S301 -- our own
    assert (again.rule, again.detail, again.who, again.at) == (Rule.COST, "why", 3, 17)


def _story(plan: Plan) -> Story:
    with pytest.raises(Violation) as found:
        simulate(plan)
    story = shortest_story(plan, found.value)
    assert story is not None
    return story
