"""Faults that a bank could have, planted to see the checker find them.

Each is a line or two that somebody could write by mistake, on both databases. They are planted
from outside: nothing in `sesame` knows of them.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

from msgspec import structs

from sesame.bank import matching, tries, verification
from sesame.bank.limits import Limits
from sesame.bank.matching import Match, Matches
from sesame.bank.tries import Side
from sesame.cap.profile import Profile
from sesame.cap.token import Code
from sesame.cap.verification import Candidates, candidates
from sesame.store import postgresql, postgresql_login, sqlite_login
from sesame.store.access import NO_ATTEMPT, Access, State, Tries, state_columns
from sesame.store.cards import CardRow
from sesame.store.engine import Store
from sesame.store.options import StoreOptions
from sesame.store.sessions import SessionRow
from sesame.store.sqlite_login import insert_sessions
from sesame.store.steps import Fate, Step

Planting = Callable[[], AbstractContextManager[Any]]
_EARLY = timedelta(milliseconds=80)
_LATE = 0.02  # seconds


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """With the fault *name*; None: with none."""
    with nullcontext() if name is None else (FAULTS | OF_KILLS)[name]():
        yield


def _together(*plantings: Planting) -> Planting:
    @contextmanager
    def all_of_them() -> Iterator[None]:
        with ExitStack() as stack:
            for planting in plantings:
                stack.enter_context(planting())
            yield

    return all_of_them


# ── Codes ────────────────────────────────────────────────────────────────────────────────────────


def _window_off_by_one() -> AbstractContextManager[Any]:
    """The code one beyond the window is tried too."""

    def wider(profile: Profile, last_atc: int, code: Code) -> Candidates:
        found = candidates(profile, last_atc, code)
        if found.behind != last_atc:
            return found
        return replace(found, near=last_atc + profile.window + 1)

    return patch.object(matching, "candidates", wider)


def _used_code_accepted() -> AbstractContextManager[Any]:
    """« Not below the last ATC » where it should be « above » it, in both places."""

    def sides(cards_: Sequence[CardRow], fits: Sequence[tuple[int, int]]) -> Matches:
        near: list[Match] = []
        behind: list[Match] = []
        for place, atc in fits:
            card = cards_[place]
            (near if atc >= card.last_atc else behind).append(Match(card.card_number, atc))
        return Matches(tuple(near), tuple(behind))

    stack = ExitStack()
    stack.enter_context(patch.object(matching, "_sides", sides))
    stack.enter_context(
        _sql(sqlite_login, "_ADVANCE_CARD", ("AND last_atc < :atc", "AND last_atc <= :atc"))
    )
    stack.enter_context(_on_postgresql(("cards.last_atc < ", "cards.last_atc <= ")))
    return stack


# ── Tries ────────────────────────────────────────────────────────────────────────────────────────


def _row_is_written(change: Callable[[State], State]) -> AbstractContextManager[Any]:
    """What the row gets is another state than what was decided and written down."""
    stack = ExitStack()
    for module in (sqlite_login, postgresql_login):
        stack.enter_context(
            patch.object(module, "state_columns", lambda state: state_columns(change(state)))
        )
    return stack


def _try_not_counted() -> AbstractContextManager[Any]:
    """The second failure in a row does not reach the row."""

    def fewer(state: State) -> State:
        return structs.replace(
            state, open=structs.replace(state.open, failures=min(state.open.failures, 1))
        )

    return _row_is_written(fewer)


def _suspension_ends_early() -> AbstractContextManager[Any]:
    """A clock that is a little fast looks at the suspension."""
    suspension_end = tries.suspension_end

    def early(of: Tries, now: datetime) -> datetime | None:
        return suspension_end(of, now + _EARLY)

    return patch.object(tries, "suspension_end", early)


def _no_suspension_for_known() -> AbstractContextManager[Any]:
    """A known device is never suspended."""
    suspended_until = tries.suspended_until

    def lenient(state: State, now: datetime, *, known: bool) -> datetime | None:
        return None if known else suspended_until(state, now, known=known)

    return patch.object(verification, "suspended_until", lenient)


def _device_ignored() -> AbstractContextManager[Any]:
    """Every browser is a stranger's."""
    return patch.object(verification, "is_known", lambda _access, _now: False)


def _sides_confused() -> AbstractContextManager[Any]:
    """A success gives back the tries of both sides."""
    after_success = tries.after_success

    def both(state: State, side: Side) -> State:
        other = Side.OPEN if side is Side.RESERVED else Side.RESERVED
        return after_success(after_success(state, side), other)

    return patch.object(verification, "after_success", both)


def _two_codes_not_asked() -> AbstractContextManager[Any]:
    """However often it failed, one code is enough."""
    return patch.object(verification, "pressed", lambda _tries, _limits, _now: False)


# ── One form, one attempt ────────────────────────────────────────────────────────────────────────


def _double_click_judged_twice() -> AbstractContextManager[Any]:
    """The row forgets which attempt it was accepted with."""
    return _row_is_written(lambda state: structs.replace(state, accepted=NO_ATTEMPT))


def _refusal_counted_twice() -> AbstractContextManager[Any]:
    """The second click on a refused form is judged."""

    def never(_state: State, _attempt: bytes, _limits: Limits, _now: datetime) -> bool:
        return False

    return patch.object(verification, "refused_again", never)


# ── One step, one commit ─────────────────────────────────────────────────────────────────────────


def _sql(module: ModuleType, name: str, *changes: tuple[str, str]) -> AbstractContextManager[Any]:
    statement = getattr(module, name)
    for old, new in changes:
        if old not in statement:
            raise ValueError(f"{name} does not say {old!r} any more: plant it anew")
        statement = statement.replace(old, new)
    return patch.object(module, name, statement)


def _on_postgresql(*changes: tuple[str, str]) -> AbstractContextManager[Any]:
    """Change the statement of a step, those of a group and those of one alone."""
    stack = ExitStack()
    for name in ("SWAP_GROUP", "SWAP_ALONE", "SWAP_GROUP_TELLING", "SWAP_ALONE_TELLING"):
        stack.enter_context(_sql(postgresql_login, name, *changes))
    return stack


def _swap_without_guard() -> AbstractContextManager[Any]:
    """Whoever comes last wins."""
    stack = ExitStack()
    stack.enter_context(
        _sql(
            sqlite_login,
            "_SWAP_ACCESS",
            ("WHERE access.version = :read_version", ""),
            ("AND version = :read_version)", ")"),
        )
    )
    stack.enter_context(
        _on_postgresql(
            ("AND found.version = step.read_version", ""),
            ("AND access.version = held.read_version", ""),
            ("AND held.version = held.read_version", ""),
            ("WHERE version <> read_version", "WHERE FALSE"),
        )
    )
    return stack


def _lines_overwritten() -> AbstractContextManager[Any]:
    """A line of the same version takes the place of the one before."""
    stack = ExitStack()
    for name in ("_INSERT_LINE", "_INSERT_PERSONAL"):
        statements: dict[bool, str] = getattr(sqlite_login, name)
        replacing = {k: sql.replace("INSERT", "INSERT OR REPLACE") for k, sql in statements.items()}
        stack.enter_context(patch.object(sqlite_login, name, replacing))
    changes = []
    for columns in (("attempt", "at", "line", "head"), ("at", "salt", "address")):
        for whose in ("enrolled", "NOT enrolled"):
            insert = f"{', '.join(columns)}\n    FROM taken WHERE {whose}"
            written = ", ".join(f"{column} = excluded.{column}" for column in columns)
            replaced = f" ON CONFLICT (bucket, user_code, version) DO UPDATE SET {written}"
            changes.append((insert, insert + replaced))
    stack.enter_context(_on_postgresql(*changes))
    return stack


def _card_without_guard() -> AbstractContextManager[Any]:
    """A card's last ATC goes wherever it is sent."""
    stack = ExitStack()
    stack.enter_context(
        _sql(sqlite_login, "_ADVANCE_CARD", ("AND last_atc < :atc", "AND :atc IS NOT NULL"))
    )
    stack.enter_context(_on_postgresql(("AND cards.last_atc < ", "AND 0 < ")))
    return stack


def _old_code_kept() -> AbstractContextManager[Any]:
    """The first code Sésame does not erase the old code."""
    stack = ExitStack()
    stack.enter_context(_sql(sqlite_login, "_SWAP_ACCESS", ("old_code = excluded.old_code,", "")))
    stack.enter_context(_on_postgresql(("held.old_code", "access.old_code")))
    return stack


def _answer_before_commit() -> AbstractContextManager[Any]:
    """The answer is on its way while the commit still waits; should it lose, nobody is told."""
    swap_access = Store.swap_access
    waiting: set[asyncio.Task[Any]] = set()

    async def later(store: Store, step: Step) -> Fate:
        async def commit() -> None:
            await asyncio.sleep(_LATE)
            await swap_access(store, step)

        task = asyncio.create_task(commit())
        waiting.add(task)
        task.add_done_callback(waiting.discard)
        return Fate.WON

    return patch.object(Store, "swap_access", later)


def _session_not_opened() -> AbstractContextManager[Any]:
    """Every eighth session is forgotten in the commit that should open it."""

    def forgetful(
        connection: sqlite3.Connection, opened: Sequence[tuple[int, str, SessionRow]]
    ) -> None:
        insert_sessions(connection, [one for one in opened if one[2].token_hash[0] % 8])

    stack = ExitStack()
    stack.enter_context(patch.object(sqlite_login, "insert_sessions", forgetful))
    opens = "FROM taken WHERE token_hash IS NOT NULL"
    stack.enter_context(_on_postgresql((opens, f"{opens} AND get_byte(token_hash, 0) % 8 <> 0")))
    return stack


def _commit_forgotten() -> AbstractContextManager[Any]:
    """Every eighth step is answered and never written."""
    swap_access = Store.swap_access

    async def forgetful(store: Store, step: Step) -> Fate:
        if step.line.salt[0] % 8:
            return await swap_access(store, step)
        return Fate.WON

    return patch.object(Store, "swap_access", forgetful)


def _stale_read() -> AbstractContextManager[Any]:
    """The version that guards the swap is read anew, and the tries are those of a while ago."""
    read_access = Store.read_access
    seen: dict[tuple[int, str], tuple[float, Access]] = {}

    async def stale(store: Store, user_code: str, devices: tuple[bytes, ...] = ()) -> Access:
        now = asyncio.get_running_loop().time()
        at, row = seen.get((id(store), user_code), (0.0, None))
        fresh = await read_access(store, user_code, devices)
        if row is not None and now < at + 0.3 and row.state.open.suspended_until:
            return structs.replace(fresh, state=structs.replace(fresh.state, open=row.state.open))
        seen[id(store), user_code] = (now, fresh)
        return fresh

    return patch.object(Store, "read_access", stale)


def _commit_not_synchronous() -> AbstractContextManager[Any]:
    """A commit is answered before it is on any disk, and before any standby has it."""
    connection_arguments = postgresql.connection_arguments

    def careless(dsn: str, options: StoreOptions, settings: Mapping[str, str]) -> dict[str, Any]:
        return connection_arguments(dsn, options, {**settings, "synchronous_commit": "off"})

    return patch.object(postgresql, "connection_arguments", careless)


# Only kills of the database bring these to light.
OF_KILLS: dict[str, Planting] = {"commit-not-synchronous": _commit_not_synchronous}

FAULTS: dict[str, Planting] = {
    "window-off-by-one": _window_off_by_one,
    "used-code-accepted": _used_code_accepted,
    "try-not-counted": _try_not_counted,
    "suspension-ends-early": _suspension_ends_early,
    "no-suspension-for-known": _no_suspension_for_known,
    "device-ignored": _device_ignored,
    "sides-confused": _sides_confused,
    "two-codes-not-asked": _two_codes_not_asked,
    "double-click-judged-twice": _double_click_judged_twice,
    "refusal-counted-twice": _refusal_counted_twice,
    "swap-without-guard": _swap_without_guard,
    "swap-without-guard-nor-key": _together(_swap_without_guard, _lines_overwritten),
    "both-guards-gone": _together(_swap_without_guard, _lines_overwritten, _card_without_guard),
    "old-code-kept": _old_code_kept,
    "answer-before-commit": _answer_before_commit,
    "commit-forgotten": _commit_forgotten,
    "session-not-opened": _session_not_opened,
    "stale-read": _stale_read,
}
