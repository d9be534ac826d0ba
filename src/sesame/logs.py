"""What a server writes on standard error: one event a line, out of a fixed list.

An event has a name, a sentence and fields, and each is a function here. None of them takes what a
customer typed, who they are or where they come from: that stands in the audit lines, under their
own rules. Of an error that we did not foresee its type and its place are written and never its
message, which may hold a value; of what libraries log, where it was logged and never the text
(docs/decisions/0028).
"""

import logging
import os
import secrets
import sys
import threading
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum, unique
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypeAlias

import msgspec

from sesame.errors import SesameError

Value: TypeAlias = str | int | float | bool

_PACKAGES = Path(__file__).parent.parent  # where `sesame` is; libraries mostly lie beside it
_SESAME = logging.getLogger("sesame")
_EVENT, _FIELDS = "sesame_event", "sesame_fields"  # attributes of our log records

# The only texts of libraries that are written: each is a whole sentence without a value.
_KNOWN: Mapping[str, str] = {
    "Invalid HTTP request received.": "http-malformed",
    "Exceeded concurrency limit.": "http-full",
    "Unsupported upgrade request.": "http-malformed",
    "Exception in ASGI application\n": "crashed",
}

# Requests by number, under a name that this process has by chance.
_PROCESS = secrets.token_hex(4)
_numbers = count(1)
_request: ContextVar[int] = ContextVar("request", default=0)


@unique
class Style(StrEnum):
    """How the lines are written."""

    TEXT = "text"
    JSON = "json"


def begin_request() -> None:
    """All that is logged in this task from now on belongs to a request of its own."""
    _request.set(next(_numbers))


# ── The events ───────────────────────────────────────────────────────────────────────────────────


def serving() -> None:
    """A server process answers from now on."""
    _write(logging.INFO, "serving", "this process serves")


def stopping() -> None:
    """A server process was told to end, and takes no new connections."""
    _write(logging.INFO, "stopping", "this process ends")


def attempt_unjudged(sentence: str, error: Exception) -> None:
    """An attempt was answered 503: database or custody did not answer."""
    # The type alone: what these errors say is for who looks into the database.
    _write(logging.ERROR, "attempt-unjudged", f"{sentence}: %s", error=type(error).__name__)


def page_unanswered(error: Exception) -> None:
    """A page was answered 503: database or custody did not answer."""
    kind = type(error).__name__
    _write(logging.ERROR, "page-unanswered", "a page could not be answered: %s", error=kind)


def commit_found(error: SesameError) -> None:
    """A commit that the database did not confirm was found to have arrived, and was answered so."""
    sentence = "a step whose commit was not answered was found by its line: %s"
    _write(logging.WARNING, "commit-found", sentence, reason=str(error))


def put_off(chore: str, error: SesameError) -> None:
    """A chore failed (tidy, share_sources, look_at_closures, tell); it is tried again soon."""
    _write(logging.WARNING, "put-off", "%s was put off: %s", chore=chore, reason=str(error))


def limit_ignored(limit: str) -> None:
    """A change of a limit is passed over: its value is out of bounds, or nobody knows the limit."""
    sentence = "a change of the limit %s is ignored: nobody can have asked for it at the desk. "
    sentence += "Look at limit_changes, and run sesame audit verify"
    _write(logging.WARNING, "limit-ignored", sentence, limit=limit)


def database_warned(said: str) -> None:
    """PostgreSQL sent a warning with an answer, in its own words."""
    _write(logging.WARNING, "database-warned", "PostgreSQL: %s", said=said)


def role_too_strong(database: str, better: str) -> None:
    """The server's role in PostgreSQL may alter audit lines; `better` may not."""
    sentence = "the database %s: the role of this server may alter audit lines. "
    sentence += "Let it serve as %s, which may not"
    _write(logging.WARNING, "role-too-strong", sentence, database=database, better=better)


def on_sqlite() -> None:
    """A server that is no demonstration begins on SQLite: its file guards no counter, no line."""
    sentence = "the database is SQLite, which has neither roles nor triggers: whoever may write to "
    sentence += "its file may lower a last ATC or alter an audit line. A bank wants PostgreSQL"
    _write(logging.WARNING, "on-sqlite", sentence)


def no_heartbeat() -> None:
    """A server that is no demonstration begins without a heartbeat: a restore may go unnoticed."""
    sentence = "no heartbeat is kept: an older database that is put back goes unnoticed unless "
    sentence += (
        "sesame database backup made it, and used codes pass again. Name one in the settings"
    )
    _write(logging.WARNING, "no-heartbeat", sentence)


def pressure_on(failures_this_hour: int, failures_this_day: int) -> None:
    """Unknown browsers are asked for two codes all over the bank from now on."""
    sentence = "two codes are asked of unknown browsers: %s failures this hour, %s within a day"
    _write(
        logging.WARNING,
        "pressure-on",
        sentence,
        failures_this_hour=failures_this_hour,
        failures_this_day=failures_this_day,
    )


def pressure_off() -> None:
    """Nobody is asked for two codes any more for what fails all over the bank."""
    _write(logging.WARNING, "pressure-off", "one code is enough again")


def not_ready(database: str, schema: str, custody: str) -> None:
    """The process became unready; each part says `ok` or what is wrong."""
    sentence = "not ready: database %s, schema %s, custody %s"
    _write(logging.ERROR, "not-ready", sentence, database=database, schema=schema, custody=custody)


def ready() -> None:
    """The process is ready, for the first time or again."""
    _write(logging.INFO, "ready", "ready")


def restored(generation: int) -> None:
    """The database turned out to be an older one that was put back: every card is unsure."""
    sentence = "the database was restored from an older state: every card is unsure and asked for "
    sentence += "the answer to a challenge, all sessions have ended (generation %s)"
    _write(logging.WARNING, "restored", sentence, generation=generation)


def in_doubt() -> None:
    """The database is an older one, and no new life of it can be begun: no code is taken here."""
    sentence = "the database was restored from an older state, and that cannot be written down: "
    sentence += "every login here is answered as unavailable until it can"
    _write(logging.ERROR, "in-doubt", sentence)


def mail_server_away(error: SesameError) -> None:
    """The mail server takes no e-mail; notices wait. Once a minute for each process at most."""
    _write(logging.WARNING, "mail-server-away", "e-mails wait: %s", reason=str(error))


def beat_missed(error: SesameError) -> None:
    """A heartbeat was not taken: what is restored meanwhile may go unnoticed."""
    sentence = "no heartbeat: what is restored now may go unnoticed (%s)"
    _write(logging.ERROR, "beat-missed", sentence, reason=str(error))


def reader_stopped(error: BaseException) -> None:
    """Of the simulator: a reader could not follow the time, and was left as it was."""
    _write(logging.ERROR, "reader-stopped", "a reader could not follow the time", of=error)


def crashed(error: BaseException) -> None:
    """Something happened that we did not foresee: a fault of the program. Its place is written."""
    _write(logging.ERROR, "crashed", "a fault of the program", of=error)


EVENTS = (
    serving,
    ready,
    not_ready,
    stopping,
    attempt_unjudged,
    page_unanswered,
    commit_found,
    put_off,
    limit_ignored,
    database_warned,
    role_too_strong,
    on_sqlite,
    no_heartbeat,
    pressure_on,
    pressure_off,
    restored,
    in_doubt,
    beat_missed,
    mail_server_away,
    reader_stopped,
    crashed,
)


def _write(
    level: int, event: str, sentence: str, *, of: BaseException | None = None, **fields: Value
) -> None:
    """Hand an event to the standard library; each `%s` of *sentence* is the next field."""
    places = tuple(fields.values())[: sentence.count("%s")]
    _SESAME.log(level, sentence, *places, exc_info=of, extra={_EVENT: event, _FIELDS: fields})


# ── How they are written ─────────────────────────────────────────────────────────────────────────


def set_up(style: Style, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Have this process write its events, and what libraries log, on *stream*.

    Also what would end the process or a thread of it: Python itself would show the message.
    """
    handler = logging.StreamHandler(stream)  # standard error where it is None
    handler.setFormatter(_Json() if style is Style.JSON else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _SESAME.setLevel(level)
    logging.captureWarnings(capture=True)
    logging.raiseExceptions = False  # what cannot be written would be shown with its arguments
    sys.excepthook = _ended
    threading.excepthook = _thread_ended
    sys.unraisablehook = _unraisable


class Line(msgspec.Struct, omit_defaults=True):
    """A line of JSON, in this order."""

    at: str
    level: str
    event: str
    process: int
    request: str = ""
    fields: Mapping[str, Value] = msgspec.field(default_factory=dict)
    logger: str = ""
    place: str = ""
    error: list["ErrorSeen"] = msgspec.field(default_factory=list)


class ErrorSeen(msgspec.Struct):
    """An error by its type and the places it came through, outermost first; never its message."""

    type: str
    places: list[str]


def line_of(record: logging.LogRecord) -> Line:
    """What is written of *record*."""
    event, fields = getattr(record, _EVENT, None), getattr(record, _FIELDS, {})
    ours = event is not None
    if not ours and record.name.partition(".")[0] == _SESAME.name:
        # A sentence of ours that has no event of its own.
        event, fields, ours = "said", {"said": record.getMessage()}, True
    number = _request.get()
    moment = datetime.fromtimestamp(record.created, UTC)
    return Line(
        at=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        level=record.levelname.lower(),
        event=event or _KNOWN.get(str(record.msg), "library"),
        process=os.getpid(),
        request=f"{_PROCESS}-{number}" if number else "",
        fields=fields,
        logger="" if ours else record.name,
        place="" if ours else f"{_path(record.pathname)}:{record.lineno} {record.funcName}",
        error=_errors(record.exc_info[1] if record.exc_info else None),
    )


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of *record*."""
        return msgspec.json.encode(line_of(record)).decode()


class _Text(logging.Formatter):
    """The same for who reads it as it comes, an error's places below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of *record*, and more where there is an error."""
        line = line_of(record)
        # Our own sentences hold our own fields; a library's text may hold anything.
        sentence = "" if line.logger else f": {' '.join(record.getMessage().split())}"
        request = f" [{line.request}]" if line.request else ""
        where = f" ({line.logger}, {line.place})" if line.logger else ""
        below = [f"\n  {one.type}\n    " + "\n    ".join(one.places) for one in line.error]
        return f"{line.at} {line.level}{request} {line.event}{sentence}{where}" + "".join(below)


def _errors(error: BaseException | None) -> list[ErrorSeen]:
    """*error* and what it came from, the last first."""
    found: list[ErrorSeen] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        kind = type(error)
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{_path(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
        found.append(ErrorSeen(f"{kind.__module__}.{kind.__qualname__}", places))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return found


def _path(file: str) -> str:
    """*file* as it is called on every machine: from the folder of the package on."""
    path = Path(file)
    folders = [Path(place) for place in (str(_PACKAGES), *sys.path) if place]
    inside = [path.relative_to(folder) for folder in folders if path.is_relative_to(folder)]
    return str(min(inside, key=lambda place: len(place.parts), default=Path(path.name)))


def _ended(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:
    if not isinstance(error, KeyboardInterrupt):
        crashed(error)


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        crashed(ended.exc_value)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    if found.exc_value is not None:
        crashed(found.exc_value)
