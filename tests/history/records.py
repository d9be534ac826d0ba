"""What clients write down: each request when it is sent, and each answer when it is there.

One file a client, one JSON object a line. A moment is the machine's clock in microseconds
since 1970-01-01 UTC, which the servers read too; `steady` beside it is the clock that nobody
can set, so that a history under a clock that was set is told from a wrong one.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

# What became of a request, as its client saw it.
ACCEPTED = "accepted"
REFUSED = "refused"
SUSPENDED = "suspended"
TWO_CODES_WANTED = "two-codes-wanted"
BUSY = "busy"  # nothing was counted
UNAVAILABLE = "unavailable"  # whether it was counted is not known
LOST = "lost"  # the connection broke before the answer
UNREACHED = "unreached"  # there was no connection

NEVER = 1 << 62  # later than every moment
_CLOCK_WAS_SET = 250_000  # µs that the two clocks may part in one run


class ClockWasSet(Exception):
    """The machine's clock jumped during the run: its history says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request and its answer."""

    log: str  # the client, and so its file
    number: int  # of the request in that file
    server: str
    user_code: str
    attempt: str  # the form's id
    means: str
    typed: tuple[str, ...]
    knows: str  # what the client knows of it, in words
    made: tuple[tuple[int, int], ...] = ()  # the card and the ATC of each code that is one
    devices: tuple[str, ...]  # secrets in its cookie
    shared: bool
    began: int
    ended: int = NEVER  # when the answer was there, or it was clear that none would come
    answer: str = LOST
    status: int | None = None
    retry_after: int | None = None  # seconds
    token: str | None = None  # of the session
    gave: tuple[str, ...] = ()  # devices in the cookie of the answer

    @property
    def name(self) -> str:
        """How a message names it."""
        return f"{self.log} #{self.number}"

    @property
    def may_be_counted(self) -> bool:
        """Whether it may have led to a line."""
        return self.answer in {ACCEPTED, REFUSED, LOST, UNAVAILABLE}

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows if it was judged."""
        return self.answer in {LOST, UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class Kill:
    """A server that was killed, and when it was surely gone."""

    server: str
    gone: int


@dataclass
class Log:
    """One client's file."""

    folder: Path
    name: str
    _numbers: int = 0
    _file: TextIO = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = (self.folder / f"{self.name}.jsonl").open("w", encoding="utf-8")

    def began(self, **said: object) -> int:
        """Write down that a request is sent; its number."""
        self._numbers += 1
        self._write("began", number=self._numbers, **said)
        return self._numbers

    def ended(self, number: int, **said: object) -> None:
        """Write down what became of it."""
        self._write("ended", number=number, **said)

    def killed(self, server: str) -> None:
        """Write down that a server is gone."""
        self._write("killed", server=server)

    def looked_in(self, status: int) -> None:
        """Write down how a page behind the login was answered."""
        self._write("page", status=status)

    def befell(self, what: str) -> None:
        """Write down what else befell the bank."""
        self._write("befell", what=what)

    def clock_set(self, server: str, by: int) -> None:
        """Write down by how many microseconds a server's clock is wrong from now on."""
        self._write("clock", server=server, by=by)

    def close(self) -> None:
        """No more will come."""
        self._file.close()

    def _write(self, event: str, **said: object) -> None:
        clocks = {"at": time.time_ns() // 1000, "steady": time.monotonic_ns() // 1000}
        self._file.write(json.dumps({"event": event, **clocks, **said}) + "\n")
        self._file.flush()


@dataclass(frozen=True, slots=True)
class Logs:
    """All that was written."""

    requests: list[Request]
    kills: list[Kill]
    befell: list[str]
    pages: Counter[int]  # behind the login, by status
    skew: int  # µs by which a server's clock was wrong at most


def read_logs(folder: Path) -> Logs:
    """All that was written in *folder*.

    Raises:
        ClockWasSet: see there.
    """
    requests: list[Request] = []
    kills, befell, apart, skew = [], [], [], 0
    pages: Counter[int] = Counter()
    for path in sorted(folder.glob("*.jsonl")):
        open_ones: dict[int, dict[str, Any]] = {}
        for line in path.read_text(encoding="utf-8").splitlines():
            said = json.loads(line)
            apart.append(said["at"] - said["steady"])
            match said["event"]:
                case "began":
                    open_ones[said["number"]] = said
                case "ended":
                    requests.append(_request(path.stem, open_ones.pop(said["number"]), said))
                case "killed":
                    kills.append(Kill(said["server"], said["at"]))
                case "page":
                    pages[said["status"]] += 1
                case "clock":
                    befell.append("clock set")
                    skew = max(skew, abs(said["by"]))
                case _:
                    befell.append(said["what"])
        requests += [_request(path.stem, began, {}) for began in open_ones.values()]
    if apart and max(apart) - min(apart) > _CLOCK_WAS_SET:
        raise ClockWasSet(f"by {max(apart) - min(apart)} µs: run it again")
    return Logs(sorted(requests, key=lambda one: one.began), kills, befell, pages, skew)


def _request(log: str, began: Mapping[str, Any], ended: Mapping[str, Any]) -> Request:
    return Request(
        log=log,
        number=began["number"],
        server=began["server"],
        user_code=began["user_code"],
        attempt=began["attempt"],
        means=began["means"],
        typed=tuple(began["typed"]),
        knows=began["knows"],
        made=tuple((card, atc) for card, atc in began["made"]),
        devices=tuple(began["devices"]),
        shared=began["shared"],
        began=began["at"],
        ended=ended.get("at", NEVER),
        answer=ended.get("answer", LOST),
        status=ended.get("status"),
        retry_after=ended.get("retry_after"),
        token=ended.get("token"),
        gave=tuple(ended.get("gave", ())),
    )


def last_moments(requests: list[Request], kills: list[Kill]) -> Iterator[tuple[Request, int]]:
    """Until when each request may have taken effect.

    An answered one until its answer; a lost one until its server was surely gone.
    """
    gone: dict[str, list[int]] = {}
    for kill in sorted(kills, key=lambda one: one.gone):
        gone.setdefault(kill.server, []).append(kill.gone)
    for request in requests:
        if request.answer == LOST:
            # Not at the first end after it began: a server may have several processes.
            later = [at for at in gone.get(request.server, ()) if at >= request.ended]
            yield request, min(later, default=NEVER)
        elif request.answer == UNAVAILABLE:
            yield request, NEVER  # a commit that its server gave up waiting for
        else:
            yield request, request.ended
