"""`sesame.bank.timeline`: what lines say, clause by clause, for whoever has the words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.moments import from_row
from sesame.bank.timeline import UNREADABLE, Clause, Line, entries, entry

_AT = 1_772_442_000_000_000
_LOGIN = {"door": "portal", "cause": "", "side": "open", "failures": 0, "suspended_until": ""}


def clauses(event: str, **said: object) -> tuple[Clause, ...]:
    """What a line of *event* says."""
    line = json.dumps({"v": 1, "event": event, "version": 7, "prev": "00"} | said)
    return entry(Line(7, _AT, line.encode())).clauses


@pytest.mark.parametrize("means", ["code", "two-codes", "challenge"])
def test_an_accepted_login(means: str) -> None:
    """By what it was, with the card and its counter; a code of two cards is said of both."""
    said = _LOGIN | {"means": means, "outcome": "accepted"}
    cards = [[1, "sesame-1", 815], [2, "bank-1", 9]]
    assert clauses("login", **said, cards=cards) == (
        Clause(f"login-{means}", {"atc": 815}, (1,)),
        Clause(f"login-{means}", {"atc": 9}, (2,)),
    )


def test_an_accepted_old_code() -> None:
    """It moves no card."""
    said = _LOGIN | {"means": "old-code", "outcome": "accepted", "cards": []}
    assert clauses("login", **said) == (Clause("login-old-code"),)


@pytest.mark.parametrize(
    ("cause", "behind", "first"),
    [
        ("wrong", None, Clause("wrong-code")),
        ("card-not-active", None, Clause("refused-card-not-active")),
        ("used", None, Clause("refused-used")),  # of a line from before places were written down
        ("used", [[1, 815, 815]], Clause("refused-used-at", {"atc": 815, "last_atc": 815}, (1,))),
        (
            "overtaken",
            [[2, 812, 815]],
            Clause("refused-overtaken-at", {"atc": 812, "last_atc": 815}, (2,)),
        ),
    ],
)
def test_a_refused_login(cause: str, behind: list[list[int]] | None, first: Clause) -> None:
    """Why, then how many that makes."""
    said = _LOGIN | {"means": "code", "outcome": "refused", "cause": cause, "failures": 2}
    said |= {"cards": []} | ({} if behind is None else {"behind": behind})
    assert clauses("login", **said) == (first, Clause("failures-open", {"failures": 2}))


def test_the_failure_that_suspends() -> None:
    """Until when, and which side."""
    said = _LOGIN | {"means": "old-code", "outcome": "refused", "cause": "wrong", "cards": []}
    said |= {"side": "reserved", "suspended_until": "2026-03-02T09:15:00.000000+00:00"}
    assert clauses("login", **said) == (
        Clause("wrong-old-code"),
        Clause("suspended-reserved", {"until": "2026-03-02T09:15:00.000000+00:00"}),
    )


def test_sums_of_what_was_turned_away() -> None:
    """A clause for each cause."""
    assert clauses("turned-away", causes=[["suspended", 40], ["two-codes-wanted", 1]]) == (
        Clause("turned-away-suspended", {"times": 40}),
        Clause("turned-away-two-codes-wanted", {"times": 1}),
    )


def test_a_rehearsal() -> None:
    """Any event that a code was judged in is told as a login is; this one uses no tries."""
    accepted = {"outcome": "accepted", "cause": "", "failures": 0, "cards": [[1, "x", 4]]}
    assert clauses("rehearsal", **accepted) == (Clause("rehearsal-accepted", {"atc": 4}, (1,)),)
    refused = {"outcome": "refused", "cause": "used", "behind": [[1, 4, 4]], "cards": []}
    assert clauses("rehearsal", **refused, failures=1) == (
        Clause("rehearsal-refused"),
        Clause("refused-used-at", {"atc": 4, "last_atc": 4}, (1,)),
    )


def test_requests_and_verdicts() -> None:
    """Who decided comes first, then who asked."""
    said = {"kind": "lift-hold", "asked_by": "K7P2M4X", "about": "VERA2345"}
    asked = said | {"verdict": "", "decided_by": ""}
    assert clauses("approval-requested", **asked) == (
        Clause("approval-requested", {"kind": "lift-hold"}),
    )
    decided = said | {"verdict": "approved", "decided_by": "M4XK7P2"}
    assert clauses("approval-decided", **decided) == (
        Clause("approval-approved", {"kind": "lift-hold", "asked_by": "K7P2M4X"}),
    )
    lines = [
        Line(version, _AT, json.dumps(one | {"event": "approval-decided"}).encode())
        for version, one in ((2, decided), (1, asked | {"verdict": "refused"}))
    ]
    assert [one.by for one in entries(lines)] == ["M4XK7P2", "K7P2M4X"]


def test_an_enrolment() -> None:
    """With its cards."""
    assert clauses("enrolment", cards=[[1, "sesame-1", 0]]) == (Clause("enrolment", {}, (1,)),)


def test_a_bank_card() -> None:
    """The one that was given, and the one in whose place it comes, if it does; by who asked."""
    said = {"event": "bank-card-given", "cards": [[3, "bank-card-1", 12]], "asked_by": "K7P2M4X"}
    said["by"] = "Aubry"  # whoever ran the command, by their own word
    given, replaced = (
        entry(Line(9, _AT, json.dumps(said | {"retired": retired}).encode()))
        for retired in ([], [[2]])
    )
    assert given.clauses == (Clause("bank-card-given", {}, (3,)),)
    assert replaced.clauses == (
        Clause("bank-card-given", {}, (3,)),
        Clause("bank-card-replaced", {}, (2,)),
    )
    assert replaced.by == "K7P2M4X"
    ended = clauses("bank-card-ended", retired=[[2]], request="00", asked_by="K7P2M4X")
    assert [(one.name, one.cards) for one in ended] == [("bank-card-ended", (2,))]


@pytest.mark.parametrize(
    ("named", "cards"),
    [
        ({}, ()),
        ({"card": 2}, (2,)),
        ({"cards": [1, 2]}, (1, 2)),
        ({"cards": [[1, "x", 3], []]}, (1,)),
        ({"held": [[1]], "retired": [[2]]}, (1, 2)),
    ],
)
def test_an_event_that_has_no_maker(named: dict[str, object], cards: tuple[int, ...]) -> None:
    """One sentence by its name, with what the line says in words and numbers."""
    more = {"reason": "volée", "mac": "00", "list": [[1]]}
    assert clauses("card-retired", **more, **named) == (
        Clause("card-retired", {"reason": "volée"}, cards),
    )


def test_a_number_of_cards() -> None:
    """Is a number, and names none of them."""
    assert clauses("cards-made", cards=7) == (Clause("cards-made", {"cards": 7}),)


def test_two_codes_read_out() -> None:
    """They were wrong as two codes are."""
    refused = {"outcome": "refused", "cause": "wrong", "failures": 1, "side": "open", "cards": []}
    assert clauses("resync", **refused)[:2] == (Clause("resync-refused"), Clause("wrong-two-codes"))


@pytest.mark.parametrize("waits", [0, 1])
def test_an_address(waits: int) -> None:
    """Whether a PIN letter waits for a second person."""
    more = (Clause("address-pin-waits"),) * waits
    assert clauses("address-changed", by="K7P2M4X", pin_waits=waits) == (
        Clause("address-changed"),
        *more,
    )


def _opposed(reason: str, held: list[list[int]], *, ordered: int, ended: bool) -> list[Clause]:
    said = {"event": "opposition", "reason": reason, "held": held, "retired": []}
    said |= {"ordered": [[1]] * ordered, "sessions": "ended" if ended else ""}
    return list(entry(Line(9, _AT, json.dumps(said).encode())).clauses)


def test_an_opposition() -> None:
    """It tells what was done: with a damaged card nothing ends."""
    assert _opposed("stolen", [[2]], ordered=1, ended=True) == [
        Clause("opposition", {"reason": "stolen"}, (2,)),
        Clause("replacement-ordered"),
        Clause("sessions-ended"),
        Clause("devices-forgotten"),
    ]
    assert _opposed("lost", [[1]], ordered=0, ended=True)[1] == Clause("sessions-ended")
    assert _opposed("damaged", [], ordered=1, ended=False) == [
        Clause("replacement", {"reason": "damaged"}),
        Clause("replacement-ordered"),
    ]


def test_a_number_that_was_shown() -> None:
    """By who asked to see it; who agreed did not."""
    said = {"event": "number-shown", "card": 1, "asked_by": "K7P2M4X", "decided_by": "ABCDEF2"}
    told = entry(Line(9, _AT, json.dumps(said).encode()))
    assert told.by == "K7P2M4X"
    (clause,) = told.clauses
    assert clause.places["decided_by"] == "ABCDEF2"


def test_the_rest_of_an_entry() -> None:
    """When, by whom, by which way."""
    line = json.dumps({"event": "hold", "by": "K7P2M4X", "door": "desk"}).encode()
    said = entry(Line(9, _AT, line))
    assert (said.version, said.at, said.by, said.door) == (9, from_row(_AT), "K7P2M4X", "desk")


@given(
    st.binary()
    | st.dictionaries(st.text(), st.integers() | st.text()).map(
        lambda said: json.dumps(said).encode()
    )
)
def test_whatever_a_line_is(line: bytes) -> None:
    """It is an entry, if only one that says that it cannot be read."""
    assert entry(Line(1, _AT, line)).version == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"event":"login"}',
        b'{"event":"login","outcome":"accepted","means":"code","cards":[[1]]}',
        b'{"event":"turned-away","causes":1}',
        b'{"event":"bank-card-given","cards":[[3]],"retired":[]}',
        b'{"event":"bank-card-given","cards":[[3,"bank-card-1",12]]}',
    ],
)
def test_a_line_that_cannot_be_read(line: bytes) -> None:
    """Says so, and keeps no other from being shown."""
    assert entry(Line(1, _AT, line)).clauses == (Clause(UNREADABLE),)
