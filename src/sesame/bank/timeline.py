"""What happened to one customer, as staff read it: audit lines in, entries out. Pure.

An entry is made of clauses, each a name for a sentence and what goes into its places; the words
stand at the desk (`sesame.desk.timeline_words`). Of an event that is not known here the clause has
the event's own name: whoever adds an event adds a sentence there, and nothing here unless the line
says more than one sentence can.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from sesame.bank.moments import from_row

UNREADABLE = "unreadable"
_BY = ("by", "decided_by", "asked_by")  # who did it: the first that a line has
_DONE_BY = {
    "number-shown": ("asked_by",),  # whoever agreed to it did not look
    "bank-card-given": ("asked_by",),  # who asked was signed in; `by` is a word at a console
    "bank-card-ended": ("asked_by",),
}


class Line(NamedTuple):
    """An audit line as it is kept, with its version and moment as in rows."""

    version: int
    at: int
    line: bytes

    def __repr__(self) -> str:
        return f"Line({self.version})"


@dataclass(frozen=True, slots=True)
class Clause:
    """A sentence by its name, and what its places hold: numbers and words as the line has them.

    `cards` are numbers of the customer's cards.
    """

    name: str
    places: Mapping[str, str | int] = field(default_factory=dict)
    cards: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one line says. `by` is a staff code without its mark, a user code, or a name."""

    version: int
    at: datetime
    clauses: tuple[Clause, ...]
    by: str = ""
    door: str = ""  # where it came in; empty where it came through none


def entries(lines: Sequence[Line]) -> list[Entry]:
    """What *lines* say, in their order."""
    return [entry(line) for line in lines]


def entry(line: Line) -> Entry:
    """What one *line* says; of one that cannot be read, that it cannot."""
    at = from_row(line.at)
    try:
        said = _decode(line.line)
        event = str(said["event"])
        maker = _MAKERS.get(event) or (_judged if "outcome" in said else _by_its_name)
        clauses = tuple(maker(said))
    except (msgspec.DecodeError, LookupError, RecursionError, TypeError, ValueError):
        return Entry(version=line.version, at=at, clauses=(Clause(UNREADABLE),))
    return Entry(
        version=line.version,
        at=at,
        clauses=clauses,
        by=next((str(said[name]) for name in _DONE_BY.get(event, _BY) if said.get(name)), ""),
        door=str(said.get("door", "")),
    )


def _login(said: Mapping[str, Any]) -> Iterator[Clause]:
    """A login says by what it was; a refused one by what it was wrong."""
    if said["outcome"] == "accepted":
        yield from _accepted(f"login-{said['means']}", said)
        return
    yield from _refused(said, str(said["means"]))


def _judged(said: Mapping[str, Any]) -> Iterator[Clause]:
    """Any other event that a code was judged in."""
    event = said["event"]
    if said["outcome"] == "accepted":
        yield from _accepted(f"{event}-accepted", said)
        return
    yield Clause(f"{event}-refused")
    yield from _refused(said, "two-codes" if event == "resync" else "code")


def _accepted(name: str, said: Mapping[str, Any]) -> Iterator[Clause]:
    """One for each card that went on; an old code moves none."""
    cards = [(int(number), int(atc)) for number, _, atc in said["cards"]]
    if not cards:
        yield Clause(name)
    for number, atc in cards:
        yield Clause(name, {"atc": atc}, (number,))


def _refused(said: Mapping[str, Any], means: str) -> Iterator[Clause]:
    """Why, and what it did to the tries of the side that it used, if it used any."""
    cause = str(said["cause"])
    behind = [(int(number), int(atc), int(last)) for number, atc, last in said.get("behind", [])]
    if cause == "wrong":
        yield Clause(f"wrong-{means}")
    elif not behind:
        yield Clause(f"refused-{cause}")
    for number, atc, last_atc in behind:
        yield Clause(f"refused-{cause}-at", {"atc": atc, "last_atc": last_atc}, (number,))
    if said.get("suspended_until"):
        yield Clause(f"suspended-{said['side']}", {"until": str(said["suspended_until"])})
    elif "side" in said:
        yield Clause(f"failures-{said['side']}", {"failures": int(said["failures"])})


def _turned_away(said: Mapping[str, Any]) -> Iterator[Clause]:
    for cause, times in said["causes"]:
        yield Clause(f"turned-away-{cause}", {"times": int(times)})


def _enrolment(said: Mapping[str, Any]) -> Iterator[Clause]:
    yield Clause("enrolment", {}, tuple(int(number) for number, _, _ in said["cards"]))


def _bank_card(said: Mapping[str, Any]) -> Iterator[Clause]:
    """The cards that were given, and those in whose place they come."""
    yield Clause("bank-card-given", {}, tuple(int(number) for number, _, _ in said["cards"]))
    if retired := tuple(int(number) for (number,) in said["retired"]):
        yield Clause("bank-card-replaced", {}, retired)


def _request(said: Mapping[str, Any]) -> Iterator[Clause]:
    yield Clause("approval-requested", {"kind": str(said["kind"])})


def _decision(said: Mapping[str, Any]) -> Iterator[Clause]:
    places = {"kind": str(said["kind"]), "asked_by": str(said["asked_by"])}
    yield Clause(f"approval-{said['verdict']}", places)
    for number, begun, to in said.get("lowered", []):
        yield Clause("counter-lowered", {"before": int(begun), "to": int(to)}, (int(number),))


def _by_its_name(said: Mapping[str, Any]) -> Iterator[Clause]:
    """One sentence for the event; its places are whatever the line says in words and numbers."""
    places = {
        name: value
        for name, value in said.items()
        if isinstance(value, str | int) and name not in _OF_EVERY_LINE
    }
    yield Clause(str(said["event"]), places, tuple(_cards(said)))


def _address(said: Mapping[str, Any]) -> Iterator[Clause]:
    yield Clause("address-changed")
    if said["pin_waits"]:
        yield Clause("address-pin-waits")


def _opposition(said: Mapping[str, Any]) -> Iterator[Clause]:
    """A damaged card is replaced and works on; only with a lost or stolen one sessions end."""
    reason, cards = str(said["reason"]), tuple(_cards(said))
    yield Clause("opposition" if cards else "replacement", {"reason": reason}, cards)
    if said.get("ordered"):
        yield Clause("replacement-ordered")
    if said.get("sessions"):
        yield Clause("sessions-ended")
        yield Clause("devices-forgotten")


def _cards(said: Mapping[str, Any]) -> Iterator[int]:
    """The cards that a line names: one by its number, or several, with more about each or not."""
    if isinstance(said.get("card"), int):
        yield said["card"]
    for name in _LISTED:
        listed = said.get(name)
        for card in listed if isinstance(listed, list) else []:
            number = card[0] if isinstance(card, list) and card else card
            if isinstance(number, int):
                yield number


_LISTED = ("cards", "held", "retired")
_OF_EVERY_LINE = frozenset(
    {"v", "event", "version", "prev", "at", "attempt", "subject", "address", "mac", "card"}
)
_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Clause]]] = {
    "login": _login,
    "turned-away": _turned_away,
    "enrolment": _enrolment,
    "address-changed": _address,
    "opposition": _opposition,
    "bank-card-given": _bank_card,
    "approval-requested": _request,
    "approval-decided": _decision,
}
_decode = msgspec.json.Decoder(dict[str, Any]).decode
