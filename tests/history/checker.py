"""Explains every answer that clients got by the model, or fails and says which one it cannot.

For one user code the audit chain says in which order attempts were judged. It is a witness,
not believed: every line must be what the model makes of the lines before it and of one
request; and a search in the manner of Wing and Gong must find, for each request, a place among
the lines that explains its answer, such that what was answered before another began also comes
before it. Answers that leave no line have a place too: between the lines, while they were so.
"""

import hashlib
import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from tests.history import model, records
from tests.history.model import (
    OLD_CODE,
    Asked,
    Customer,
    Event,
    Judged,
    Repeated,
    Rules,
    TwoCodesWanted,
)
from tests.history.records import NEVER, Kill, Request, last_moments

_MOST_FAILURES = 5  # in a row, without a suspension
_HOUR = 3_600 * 1_000_000
_SLOW_LOOK = 3_000_000  # µs that reading the bank's counts may take


class Unexplained(Exception):
    """The model does not allow what happened; the message says what, and what it allows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an audit chain, parsed."""

    version: int
    at: int
    said: Mapping[str, Any]

    @property
    def is_login(self) -> bool:
        """Whether it is a judged attempt's."""
        return bool(self.said["event"] == "login")

    @property
    def attempt(self) -> str:
        """The attempt's id."""
        return str(self.said["attempt"])

    @property
    def judged(self) -> Judged:
        """What it says of the attempt."""
        until = self.said["suspended_until"]
        return Judged(
            means=self.said["means"],
            cause=self.said["cause"],
            side=self.said["side"],
            known=self.said["device"] == "known",
            failures=self.said["failures"],
            suspended_until=_microseconds(until) if until else None,
            advance=tuple(sorted((card, atc) for card, _, atc in self.said["cards"])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What the database holds of one user code when all is over."""

    lines: Sequence[Line]
    broken_at: int | None = None  # the version at which a stranger finds the chain broken
    version: int = 0  # of the access row
    last_atcs: Mapping[int, int] = field(default_factory=dict)  # of each card
    has_old_code: bool = False
    devices: int = 0
    sessions: Sequence[tuple[bytes, str, int]] = ()  # token's hash, means, opened at


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that clients wrote, and what was left."""

    rules: Rules
    customers: Mapping[str, Customer]
    requests: Sequence[Request]
    kills: Sequence[Kill]
    left: Mapping[str, Left]
    # The cards' codes: for a user code and what was typed, which cards make it at which ATCs.
    fits: Mapping[str, Mapping[str, frozenset[tuple[int, int]]]]
    old_code: str
    strangers_failures: int | None = None  # as the bank counted them
    befell: Sequence[str] = ()  # what else befell the bank
    pages: Mapping[int, int] = field(default_factory=dict)  # behind the login, by status
    skew: int = 0  # µs by which a server's clock may differ from the clients', either way


@dataclass(slots=True)
class Summary:
    """What a run was like."""

    kills: int = 0
    requests: int = 0
    attempts: int = 0
    lines: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    unknown: int = 0  # requests whose answer nobody got
    took_effect: int = 0  # of these
    longest_search: int = 0  # places looked at for one user code
    befell: Counter[str] = field(default_factory=Counter)
    pages: Counter[int] = field(default_factory=Counter)

    def __iadd__(self, other: "Summary") -> Self:
        self.kills += other.kills
        self.requests += other.requests
        self.attempts += other.attempts
        self.lines += other.lines
        self.answers += other.answers
        self.unknown += other.unknown
        self.took_effect += other.took_effect
        self.longest_search = max(self.longest_search, other.longest_search)
        self.befell += other.befell
        self.pages += other.pages
        return self

    def __str__(self) -> str:
        answers = ", ".join(f"{count} {name}" for name, count in sorted(self.answers.items()))
        befell = "".join(f"{count} × {what}, " for what, count in sorted(self.befell.items()))
        return (
            f"{self.kills} kills, {befell}{self.requests} requests of {self.attempts} attempts "
            f"({answers}); {self.lines} lines; of {self.unknown} unknown outcomes "
            f"{self.took_effect} had taken effect; {self.pages[200]} of {self.pages.total()} pages "
            f"behind the login opened; longest search {self.longest_search} places"
        )


def check(history: History) -> Summary:
    """Explain *history*.

    Raises:
        Unexplained: it is not one of a bank that follows the model.
    """
    summary = Summary(
        kills=len(history.kills),
        requests=len(history.requests),
        attempts=len({request.attempt for request in history.requests}),
        answers=Counter(request.answer for request in history.requests),
        unknown=sum(request.is_unknown for request in history.requests),
        befell=Counter(history.befell),
        pages=Counter(history.pages),
    )
    _no_code_twice(history)
    _one_session_each(history.requests)
    pressure = _Pressure(history)
    for user_code, left in history.left.items():
        one = _OneUserCode(history, user_code, left, pressure)
        summary.longest_search = max(summary.longest_search, one.explain())
        summary.took_effect += one.took_effect
        summary.lines += len(left.lines)
    if history.strangers_failures not in {None, pressure.total}:
        raise Unexplained(
            f"the bank counted {history.strangers_failures} failures of unknown devices, the "
            f"lines tell of {pressure.total}"
        )
    return summary


# ── What needs no model: it must hold of the clients' logs alone ─────────────────────────────────


def _no_code_twice(history: History) -> None:
    """No ATC of a card was accepted for two attempts, whatever the bank wrote down."""
    first: dict[tuple[str, tuple[str, ...]], Request] = {}
    for request in history.requests:
        if request.answer != records.ACCEPTED or request.means == model.OLD_CODE:
            continue
        before = first.setdefault((request.user_code, request.typed), request)
        if before.attempt != request.attempt:
            raise Unexplained(
                f"{request.user_code}: one code was accepted twice, for the attempts of "
                f"{before.name} and {request.name} ({request.knows}). The model accepts a code "
                f"once\n{_told(before)}\n{_told(request)}"
            )


def _one_session_each(requests: Sequence[Request]) -> None:
    """A form sent twice opens one session; no two forms open the same, nor give one device."""
    owner: dict[str, Request] = {}
    for request in requests:
        new = [device for device in request.gave if device not in request.devices]
        for secret in [*new, *([request.token] if request.token else [])]:
            before = owner.setdefault(secret, request)
            if before.attempt != request.attempt:
                raise Unexplained(
                    f"{request.user_code}: {before.name} and {request.name} are two attempts "
                    f"and were given the same secret\n{_told(before)}\n{_told(request)}"
                )


# ── The whole bank under pressure ────────────────────────────────────────────────────────────────


class _Pressure:
    """Which answers a server may give to whether strangers are asked for two codes.

    A server looks every few seconds, so for a while both are right.
    """

    def __init__(self, history: History) -> None:
        self._rules = history.rules
        self._at = sorted(
            line.at
            for left in history.left.values()
            for line in left.lines
            if line.is_login and line.said["cause"] and line.said["device"] == "unknown"
        )

    @property
    def total(self) -> int:
        return len(self._at)

    def between(self, first: int, last: int) -> Iterator[bool]:
        late = self._rules.looked + _SLOW_LOOK
        if not self._on(first - late):
            yield False
        if self._on(last):
            yield True

    def _on(self, at: int) -> bool:
        so_far = self._at[: bisect_right(self._at, at)]
        hours = Counter(moment // _HOUR for moment in so_far)
        over = max(hours.values(), default=0) > self._rules.hour_floor
        return over or len(so_far) > self._rules.day_floor


# ── One user code ────────────────────────────────────────────────────────────────────────────────


class _OneUserCode:
    """One user code's requests and lines."""

    def __init__(self, history: History, user_code: str, left: Left, pressure: _Pressure) -> None:
        self.history = history
        self.user_code = user_code
        self.customer = history.customers[user_code]
        self.left = left
        self.lines = left.lines
        self.pressure = pressure
        moments = dict(last_moments(list(history.requests), list(history.kills)))
        self.requests = [one for one in history.requests if one.user_code == user_code]
        # In servers' clocks: the earliest and latest moments that a request may have met there.
        skew = history.skew
        self.began = [request.began - skew for request in self.requests]
        self.ended = [request.ended + skew for request in self.requests]
        self.latest = [moments[request] + skew for request in self.requests]
        self.giver = {
            device: request.attempt
            for request in history.requests
            for device in request.gave
            if device not in request.devices
        }
        self.asked = [self._asked(request) for request in self.requests]
        self.past: list[Event] = []
        self.lengths = [0]  # of the past, at each place
        self.writers: list[list[int]] = []  # of each line, the requests that may have led to it
        self.took_effect = 0

    def explain(self) -> int:
        """Raise, or return how many places the search looked at."""
        self._whole()
        self._never_six()
        for place in range(len(self.lines)):
            self._explain_line(place)
        reads = [self._places(index) for index in range(len(self.requests))]
        self._left_behind()
        self._turned_away()
        search = _Search(self, reads)
        chosen = search.run()
        self.took_effect = sum(self.requests[index].is_unknown for index in chosen)
        return search.looked_at

    # The lines

    def _whole(self) -> None:
        if self.left.broken_at is not None:
            there = [f"attempt {x.attempt}" for x in self.lines if x.version == self.left.broken_at]
            raise Unexplained(
                f"{self.user_code}: the audit chain is broken at line {self.left.broken_at}, "
                f"{', '.join(there)}: it does not follow from the line before, or is not the last"
            )
        versions = [line.version for line in self.lines]
        if versions != list(range(1, self.left.version + 1)):
            raise Unexplained(
                f"{self.user_code}: the access row is at version {self.left.version}, its lines "
                f"are {versions[:3]} … {versions[-3:]}, {len(versions)} of them. The model has "
                "one line for each version"
            )
        for before, line in itertools.pairwise(self.lines):
            if line.at < before.at:
                raise Unexplained(
                    f"{self.user_code}: line {line.version} is older than the one before it"
                )

    def _explain_line(self, place: int) -> None:
        line = self.lines[place]
        if not line.is_login:
            self.writers.append([])
            self.lengths.append(len(self.past))
            return
        judged = line.judged
        of_attempt = [i for i, one in enumerate(self.requests) if one.attempt == line.attempt]
        writers = []
        allowed: list[str] = []
        for index in of_attempt:
            request = self.requests[index]
            if not self.began[index] <= line.at <= self.latest[index]:
                allowed.append(f"{request.name}: was on its way at another time")
                continue
            if not _may_lead_to(request, judged):
                allowed.append(f"{request.name}: was answered « {request.answer} »")
                continue
            for answer in self._answers(index, place, line.at, line.at):
                if answer == judged:
                    writers.append(index)
                    break
                allowed.append(f"{request.name}: the model {_in_words(answer, judged)}")
        if not writers:
            why = allowed or ["no client sent such an attempt"]
            raise Unexplained(
                f"{self.user_code}: line {line.version} of attempt {line.attempt} says "
                f"« {_in_words(judged)} ». That is not allowed:\n  "
                + "\n  ".join(why)
                + f"\n{self._cards_at(len(self.past))}\n"
                + "\n".join(map(_told, (self.requests[index] for index in of_attempt)))
                + f"\n{self._lines_before(place)}"
            )
        shared = self.requests[writers[0]].shared
        retires = judged.accepted and judged.means != OLD_CODE and self._has_old_code()
        gives = judged.accepted and not shared and (retires or not judged.known)
        self.past.append(Event(line.at, line.attempt, judged, gives, retires))
        self.writers.append(writers)
        self.lengths.append(len(self.past))

    def _has_old_code(self) -> bool:
        """Whether no code Sésame has signed in yet."""
        return self.customer.has_old_code and not any(e.retires_old_code for e in self.past)

    def _never_six(self) -> None:
        """However the sides are counted: six failures in a row have a suspension among them."""
        rules = self.history.rules
        shortest = min(rules.pressed_suspension, *itertools.chain(*rules.suspensions.values()))
        row: list[Line] = []
        for line in self.lines:
            if not line.is_login:
                continue
            row = [*row[-_MOST_FAILURES:], line] if line.said["cause"] else []
            if len(row) > _MOST_FAILURES and row[-1].at - row[0].at < shortest:
                raise Unexplained(
                    f"{self.user_code}: lines {row[0].version} to {line.version} are six judged "
                    f"failures in a row within {row[-1].at - row[0].at} µs: no suspension is so "
                    f"short ({shortest} µs). The model allows five; attempt {line.attempt}"
                )

    def _left_behind(self) -> None:
        """The other tables say what the lines say."""
        for card in self.customer.windows:
            last = model.last_atc(self.past, card)
            if self.left.last_atcs[card] != last:
                raise Unexplained(
                    f"{self.user_code}: card {card} is at ATC {self.left.last_atcs[card]}, its "
                    f"lines end at {last}"
                )
        retired = [
            e.attempt for e in self.past if e.judged.accepted and e.judged.means != model.OLD_CODE
        ]
        if self.left.has_old_code != (self.customer.has_old_code and not retired):
            by = f"which was attempt {retired[0]}" if retired else "and there was none"
            raise Unexplained(
                f"{self.user_code}: the old code is {'there' if self.left.has_old_code else 'gone'}"
                f" in the end. The model erases it with the first code Sésame, {by}"
            )
        # With the old code went the devices that it had made known.
        places = [place for place, event in enumerate(self.past) if event.retires_old_code]
        since = self.past[places[-1] :] if places else self.past
        devices = len({event.attempt for event in since if event.gives_device})
        if self.left.devices != devices:
            raise Unexplained(
                f"{self.user_code}: {self.left.devices} devices are known, {devices} were given"
            )
        accepted = Counter((e.at, e.judged.means) for e in self.past if e.judged.accepted)
        opened = Counter((at, means) for _, means, at in self.left.sessions)
        # Nor does what an old code opened hold any more: who looks in then ends it for good.
        retired_first = self.past[: places[-1]] if places else []
        outlived = [e for e in retired_first if e.judged.means == model.OLD_CODE]
        gone = accepted - opened - Counter((e.at, e.judged.means) for e in outlived)
        if odd := gone or opened - accepted:
            at = next(iter(odd))
            lines = [
                f"attempt {line.attempt} (line {line.version}, {at[1]})"
                for line in self.lines
                if line.at == at[0]
            ]
            count = f"{opened.total()} sessions for {accepted.total()} accepted attempts"
            raise Unexplained(
                f"{self.user_code}: {count}; the odd one is of {' or '.join(lines) or at}. "
                "The model opens one with each"
            )
        hashes = {token_hash for token_hash, _, _ in self.left.sessions}
        for request in self.requests:
            token = request.token
            if request.attempt in {event.attempt for event in outlived}:
                continue
            if token and hashlib.sha256(token.encode()).digest() not in hashes:
                raise Unexplained(
                    f"{self.user_code}: {request.name} was given a session that is not there, "
                    f"attempt {request.attempt}\n{_told(request)}"
                )

    def _turned_away(self) -> None:
        """The summed lines tell of no more than there were."""
        for cause, answer in (
            ("suspended", records.SUSPENDED),
            ("two-codes-wanted", records.TWO_CODES_WANTED),
        ):
            told = 0
            for line in self.lines:
                if line.said["event"] != "turned-away":
                    continue
                told += sum(times for name, times in line.said["causes"] if name == cause)
                there = sum(
                    began <= line.at and (request.answer == answer or request.is_unknown)
                    for began, request in zip(self.began, self.requests, strict=True)
                )
                if told > there:
                    raise Unexplained(
                        f"{self.user_code}: the lines up to {line.version} tell of {told} "
                        f"attempts turned away ({cause}), clients know of {there}"
                    )

    # The requests

    def _places(self, index: int) -> frozenset[int]:
        """After how many lines a request's answer is right without a line of its own."""
        request = self.requests[index]
        if not _needs_a_place(request):
            return frozenset()
        if request.answer == records.BUSY:
            return self._busy(index)
        places = []
        allowed: list[str] = []
        for place in self._current(index):
            answers = list(self._answers(index, place, *self._while(index, place)))
            if any(self._agrees(request, answer) for answer in answers):
                places.append(place)
            allowed += [f"after {place} lines it {_in_words(answer)}" for answer in answers]
        if not places and not any(index in writers for writers in self.writers):
            raise Unexplained(
                f"{self.user_code}: {request.name}, attempt {request.attempt}, was answered "
                f"« {_answer_of(request)} » and no line explains it. The model, while it was on "
                "its way:\n  "
                + "\n  ".join(dict.fromkeys(allowed or ["knows no such answer"]))
                + f"\n{_told(request)}\n{self._lines_before(max(self._current(index)))}"
            )
        return frozenset(places)

    def _busy(self, index: int) -> frozenset[int]:
        """Nothing was counted: right if too many waited at that server, or swapped first."""
        request, rules = self.requests[index], self.history.rules
        others = [
            other
            for place, other in enumerate(self.requests)
            if place != index
            and other.server == request.server
            and other.began <= request.ended
            and self.latest[place] >= request.began
        ]
        places = self._current(index)
        # One is inside while others wait.
        if len(others) <= rules.waiting and len(places) - 1 < rules.lost_swaps:
            raise Unexplained(
                f"{self.user_code}: {request.name}, attempt {request.attempt}, was answered "
                f"« busy », while {len(others)} others were there and {len(places) - 1} lines were "
                f"written. The model lets {rules.waiting} wait behind one, and gives up after "
                f"{rules.lost_swaps} lost swaps\n{_told(request)}"
            )
        return frozenset(places)

    def _current(self, index: int) -> range:
        """The places, in lines, that the request may have seen as the last."""
        began, ended = self.began[index], self.ended[index]
        places = [
            place
            for place in range(len(self.lines) + 1)
            if self._from(place) <= ended and self._to(place) >= began
        ]
        return range(places[0], places[-1] + 1)

    def _from(self, place: int) -> int:
        """The earliest moment at which *place* lines were there."""
        return self.lines[place - 1].at if place else 0

    def _to(self, place: int) -> int:
        """The latest moment at which there was no further line.

        The next one was there when the one after it was decided, and when it was answered.
        """
        if place == len(self.lines):
            return NEVER
        # One clock wrote the line, another one may read until then.
        apart = 2 * self.history.skew
        ends = [NEVER if place + 1 == len(self.lines) else self.lines[place + 1].at + apart]
        if self.writers[place]:
            ends.append(max(self.latest[writer] for writer in self.writers[place]))
        return min(ends)

    def _while(self, index: int, place: int) -> tuple[int, int]:
        return max(self.began[index], self._from(place)), min(self.ended[index], self._to(place))

    def _answers(self, index: int, place: int, first: int, last: int) -> Iterator[model.Answer]:
        """What the model answers after *place* events, at any moment from *first* to *last*."""
        rules = self.history.rules
        past = self.past[: self.lengths[place]]
        moments = {first, last}
        if first < last:
            for moment in model.changes(rules, past):
                moments.update(at for at in (moment - 1, moment) if first < at < last)
        for at in sorted(moments):
            for bank_pressed in self.pressure.between(at, at):
                yield model.answer(
                    rules, self.customer, past, self.asked[index], at, bank_pressed=bank_pressed
                )

    def _agrees(self, request: Request, answer: model.Answer) -> bool:
        match answer:
            case Repeated(accepted):
                return request.answer == (records.ACCEPTED if accepted else records.REFUSED)
            case model.Suspended(until):
                if request.answer != records.SUSPENDED or request.retry_after is None:
                    return False
                # Rounded up, one at least, from some moment before the answer was there.
                skew = self.history.skew
                least, most = (
                    max(1, -(-(until - at) // model.SECOND))
                    for at in (request.ended + skew, request.began - skew)
                )
                return least <= request.retry_after <= most
            case TwoCodesWanted():
                return request.answer == records.TWO_CODES_WANTED
            case Judged():
                return False

    def _asked(self, request: Request) -> Asked:
        fits = self.history.fits.get(self.user_code, {})
        return Asked(
            attempt=request.attempt,
            means=request.means,
            fits=tuple(fits.get(code, frozenset()) for code in request.typed),
            old_code_right=request.typed == (self.history.old_code,),
            devices=frozenset(self.giver.get(device, "") for device in request.devices),
            shared=request.shared,
        )

    # Messages

    def _cards_at(self, length: int) -> str:
        past = self.past[:length]
        cards = [
            f"card {card}: last ATC {model.last_atc(past, card)}, window {window}"
            for card, window in self.customer.windows.items()
        ]
        return "; ".join(cards) or "nobody has this user code"

    def _lines_before(self, place: int) -> str:
        told = [f"the lines before ({self.user_code}):"]
        for line in self.lines[max(0, place - 6) : place]:
            what = _in_words(line.judged) if line.is_login else line.said["event"]
            told.append(f"  line {line.version} at {line.at}, attempt {line.attempt}: {what}")
        return "\n".join(told)

    def told(self, index: int) -> str:
        return _told(self.requests[index])


_Chosen = tuple[Any, ...]  # a linked list of requests that wrote a line


class _Search:
    """A place for every request, such that no answer is overtaken by what came after it."""

    def __init__(self, of: _OneUserCode, reads: Sequence[frozenset[int]]) -> None:
        self.of = of
        self.looked_at = 0
        requests = of.requests
        self.needed = [i for i, one in enumerate(requests) if _needs_a_place(one)]
        self.by_end = sorted(self.needed, key=lambda i: requests[i].ended)
        self.all = sum(1 << i for i in self.needed)
        self.reads_at: list[list[int]] = [[] for _ in range(len(of.lines) + 1)]
        for index in self.needed:
            for place in reads[index]:
                self.reads_at[place].append(index)
        self.reads = reads
        self.last_writes: dict[int, int] = {}
        for place, writers in enumerate(of.writers):
            for index in writers:
                self.last_writes[index] = place

    def run(self) -> list[int]:
        """The requests that led to the lines, in order.

        Raises:
            Unexplained: there is no such arrangement.
        """
        waiting: list[tuple[int, int, _Chosen]] = [(0, 0, ())]
        seen: set[tuple[int, int]] = set()
        deepest = (-1, 0)
        while waiting:
            place, done, chosen = waiting.pop()
            done = self._read_all(place, done)
            if (place, done) in seen:
                continue
            seen.add((place, done))
            self.looked_at += 1
            deepest = max(deepest, (place, done), key=lambda at: (at[0], at[1].bit_count()))
            if place == len(self.of.lines):
                if done & self.all == self.all:
                    return _in_order(chosen)
            else:
                waiting += self._next_line(place, done, chosen)
            waiting += [
                (place, done | 1 << index, chosen)
                for index in self.reads_at[place]
                if not done >> index & 1 and self._may_go(index, done)
            ]
        raise Unexplained(self._why(*deepest))

    def _next_line(
        self, place: int, done: int, chosen: _Chosen
    ) -> Iterator[tuple[int, int, _Chosen]]:
        if not self.of.lines[place].is_login:
            yield place + 1, done, chosen
        for index in self.of.writers[place]:
            if not done >> index & 1 and self._may_go(index, done):
                yield place + 1, done | 1 << index, (index, chosen)

    def _read_all(self, place: int, done: int) -> int:
        """Give a place to all that can have it here and are wanted for no later line.

        To read changes nothing, so the earliest place is the best.
        """
        for index in sorted(self.reads_at[place], key=lambda i: self.of.requests[i].began):
            wanted = self.last_writes.get(index, -1) >= place
            if not done >> index & 1 and not wanted and self._may_go(index, done):
                done |= 1 << index
        return done

    def _may_go(self, index: int, done: int) -> bool:
        """Whether all that was answered before it began has its place."""
        return self._first_left(done) >= self.of.requests[index].began

    def _first_left(self, done: int) -> int:
        left = next((i for i in self.by_end if not done >> i & 1), None)
        return NEVER if left is None else self.of.requests[left].ended

    def _why(self, place: int, done: int) -> str:
        of = self.of
        left = next(index for index in self.by_end if not done >> index & 1)
        request = of.requests[left]
        said = (
            f"{of.user_code}: {request.name}, attempt {request.attempt}, was answered "
            f"« {_answer_of(request)} » at {request.ended}. By the model that is right only "
        )
        lines = [of.lines[p].version for p, w in enumerate(of.writers) if left in w]
        places = sorted(self.reads[left])
        ways = [f"as line {version}" for version in lines]
        ways += [f"after {places[0]} to {places[-1]} lines"] if places else []
        said += " or ".join(ways) + ", and that place is "
        if place < len(of.lines):
            line = of.lines[place]
            said += f"not before line {line.version}, which came first: {_in_words(line.judged)}"
            writers = [of.told(index) for index in of.writers[place]]
        else:
            said += "taken by another request, or was over when it was asked"
            writers = []
        return "\n".join([said, of.told(left), *writers, of._lines_before(place + 1)])  # noqa: SLF001 -- one module


def _in_order(chosen: _Chosen) -> list[int]:
    order = []
    while chosen:
        index, chosen = chosen
        order.append(index)
    return order[::-1]


def _needs_a_place(request: Request) -> bool:
    """Whether there is an answer to explain."""
    return request.answer not in {records.LOST, records.UNAVAILABLE, records.UNREACHED}


def _may_lead_to(request: Request, judged: Judged) -> bool:
    if request.is_unknown:
        return True
    return request.answer == (records.ACCEPTED if judged.accepted else records.REFUSED)


def _in_words(answer: model.Answer, beside: Judged | None = None) -> str:
    """*answer* in words; what is alike in *beside* is left out."""
    match answer:
        case Repeated(accepted):
            return f"repeats « {'accepted' if accepted else 'refused'} » without a line"
        case model.Suspended(until):
            return f"judges nothing: suspended until {until}"
        case TwoCodesWanted():
            return "judges nothing: asks for two codes"
        case Judged():
            said = {
                "outcome": "accepts" if answer.accepted else f"refuses ({answer.cause})",
                "side": f"{answer.side} side",
                "device": "known device" if answer.known else "unknown device",
                "failures": f"{answer.failures} failures in a row",
                "until": f"suspended until {answer.suspended_until}",
                "cards": f"cards moved {list(answer.advance)}",
            }
            if beside is None and answer.suspended_until is None:
                del said["until"]
            if beside is not None:
                for name, same in (
                    ("side", answer.side == beside.side),
                    ("device", answer.known == beside.known),
                    ("failures", answer.failures == beside.failures),
                    ("until", answer.suspended_until == beside.suspended_until),
                    ("cards", answer.advance == beside.advance),
                ):
                    if same:
                        del said[name]
            return ", ".join(said.values())


def _answer_of(request: Request) -> str:
    if request.answer == records.SUSPENDED:
        return f"suspended, {request.retry_after} s to go"
    return request.answer


def _told(request: Request) -> str:
    """A request as its client's log has it."""
    ended = "never" if request.ended == NEVER else request.ended
    status = f" ({request.status})" if request.status else ""
    return (
        f"  {request.log}.jsonl, request {request.number}, attempt {request.attempt}, to "
        f"{request.server}: {request.means}, {request.knows}; began {request.began}, "
        f"ended {ended}: {_answer_of(request)}{status}"
    )


def _microseconds(moment: str) -> int:
    at = datetime.fromisoformat(moment)
    return int(at.timestamp()) * 1_000_000 + at.microsecond
