"""`sesame.simulation.written`: a line that says anything else than what is true is told."""

import json
from dataclasses import replace

import msgspec
import pytest

from sesame.bank.audit import Record, audit_row, line_hash
from sesame.bank.moments import from_row
from sesame.simulation.model import OPEN, Asked, Fit, Judged
from sesame.simulation.plan import MINUTE, START
from sesame.simulation.wallet import How
from sesame.simulation.written import Truth, wrong_field
from sesame.store.access import State
from sesame.store.steps import Step

_ASKED = Asked(attempt=bytes(16), codes=[(How.RIGHT, Fit(1, 7))])
_ACCEPTED = Truth(
    asked=_ASKED,
    judged=Judged(side=OPEN, accepted=True, advance=(Fit(1, 7),)),
    at=START,
    user_code="VERA2345",
    address="192.0.2.1",
    means="code",
    prev=bytes(32),
    profiles={1: "bank-card-1"},
)
_SUSPENDED = replace(
    _ACCEPTED,
    judged=Judged(side=OPEN, accepted=False, suspended_until=START + 15 * MINUTE),
)


def _step(truth: Truth, cause: str = "") -> Step:
    judged, until = truth.judged, truth.judged.suspended_until
    record = Record(
        event="login",
        version=5,
        at=from_row(truth.at),
        attempt=truth.asked.attempt,
        user_code=truth.user_code,
        address=truth.address,
        facts={
            "door": "portal",
            "means": truth.means,
            "outcome": "accepted" if judged.accepted else "refused",
            "cause": cause,
            "side": judged.side,
            "device": "unknown",
            "failures": judged.failures,
            "suspended_until": (
                "" if until is None else from_row(until).isoformat(timespec="microseconds")
            ),
            "cards": [[fit.card, truth.profiles[fit.card], fit.atc] for fit in judged.advance],
        },
    )
    mac = bytes(32) if judged.accepted else None
    row = audit_row(record, prev=truth.prev, salt=bytes(16), mac=mac)
    return Step(
        bucket=0, user_code=truth.user_code, read_version=4, enrolled=True, state=State(), line=row
    )


def _resaid(step: Step, name: str, value: object) -> Step:
    said = json.loads(step.line.line) | {name: value}
    line = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return _with_line(step, line)


def _with_line(step: Step, line: bytes) -> Step:
    row = msgspec.structs.replace(step.line, line=line, head=line_hash(line))
    return msgspec.structs.replace(step, line=row)


@pytest.mark.parametrize(
    ("truth", "cause"),
    [
        (_ACCEPTED, ""),
        (_SUSPENDED, "wrong"),
        (replace(_SUSPENDED, profiles={}), "unknown-user-code"),
    ],
)
def test_what_is_true(truth: Truth, cause: str) -> None:
    """Is no finding; every name that says something else is, and one too many."""
    step = _step(truth, cause)
    assert wrong_field(step, truth) is None
    for name in json.loads(step.line.line):
        assert wrong_field(_resaid(step, name, "other"), truth) == name
    assert wrong_field(_resaid(step, "more", 1), truth) == "more"


@pytest.mark.parametrize(
    ("cause", "behind", "wrong"),
    [
        ("used", [[1, 7, 7]], None),
        ("overtaken", [[1, 6, 7]], None),
        ("overtaken", [[1, 7, 7]], "behind"),
        ("used", [[1, 6, 7]], "behind"),
        ("used", [[1, 7, 7], [2, 7, 7]], "behind"),
        ("overtaken", [[1, 8, 7]], "behind"),
        ("used", [], "behind"),
        ("wrong", [[1, 7, 7]], "behind"),
    ],
)
def test_where_a_code_stands(cause: str, behind: list[list[int]], wrong: str | None) -> None:
    """A used or overtaken one behind a card of theirs; no other says it."""
    step = _resaid(_step(_SUSPENDED, cause), "behind", behind)
    assert wrong_field(step, _SUSPENDED) == wrong
    assert wrong_field(_step(_SUSPENDED, "used"), _SUSPENDED) == "behind"


def test_how_it_is_written() -> None:
    """In its one spelling, with its own hash."""
    step = _step(_ACCEPTED)
    assert wrong_field(_with_line(step, step.line.line + b" "), _ACCEPTED) == ""
    row = msgspec.structs.replace(step.line, head=bytes(32))
    assert wrong_field(msgspec.structs.replace(step, line=row), _ACCEPTED) == ""
    assert wrong_field(_step(_SUSPENDED, "unknown-user-code"), _SUSPENDED) == "cause"
