"""Sessions with an HSM's token: some threads with a session each; known devices first.

An HSM may take a second for two codes in a row, so strangers could keep owners waiting. They
never take the last session, no more than some of them wait, and whoever is known goes first
(docs/decisions/0021). A session that fails is replaced, with a fresh login, and its work done
once more; so a token that was away comes back without a restart.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from sesame.custody.cryptoki import Module, Rv, Session, User
from sesame.custody.errors import (
    CustodyBusy,
    CustodyError,
    CustodyUnavailable,
    HsmError,
    HsmRefused,
    HsmTokenMissing,
)
from sesame.custody.passphrase import Passphrase

_log = logging.getLogger("sesame.custody")
_WRONG_PINS = {
    *(Rv.PIN_INCORRECT, Rv.PIN_INVALID, Rv.PIN_LEN_RANGE),
    *(Rv.PIN_EXPIRED, Rv.PIN_LOCKED, Rv.USER_PIN_NOT_INITIALIZED),
}
_PAUSE = 1.0  # seconds after a failed login in which the next one is not tried
# Seconds that a caller waits, its turn and the work together: as long as who asks over the socket,
# so that nobody's turn comes who has gone away.
_PATIENCE = 5.0
_FAREWELL = 5.0  # seconds for what is at work when all is to end

Desk = TypeVar("Desk")  # what a session works with: itself, and the keys that it found
Result = TypeVar("Result")


@dataclass(slots=True, repr=False)
class Login:
    """The way into the token called `label`; it does not print the PIN."""

    module: Module
    label: str
    pin: Passphrase
    _refusal: HsmRefused | None = None

    def open(self, *, writes: bool = False) -> Session:
        """A session of a user who is logged in.

        A PIN that was refused is not tried again: a token locks itself after a few.

        Raises:
            HsmTokenMissing: no slot holds such a token.
            HsmRefused: the module or the token does not let us in.
        """
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)  # raised again and again, it would grow
        session = self.module.open_session(self.slot(), writes=writes)
        try:
            session.login(User.USER, self.pin.encode())
        except HsmRefused as refusal:
            if refusal.rv == Rv.USER_ALREADY_LOGGED_IN:  # another session of ours did
                return session
            if refusal.rv in _WRONG_PINS:
                self._refusal = refusal
            close_quietly(session)
            raise
        return session

    @property
    def is_refused(self) -> bool:
        """Whether the PIN was refused: then nothing helps but a restart with another."""
        return self._refusal is not None

    def slot(self) -> int:
        """Where the token is.

        Raises:
            HsmTokenMissing: nowhere.
        """
        for slot in self.module.slots():
            with suppress(HsmRefused):  # that one was pulled out just now
                if self.module.label(slot) == self.label:
                    return slot
        raise HsmTokenMissing(self.module.path, self.label)

    def __repr__(self) -> str:
        return f"Login({self.label!r})"


def close_quietly(session: Session) -> None:
    """End *session*, if it has not ended by itself."""
    with suppress(HsmRefused):
        session.close()


@dataclass(slots=True)
class _Job(Generic[Desk]):
    work: Callable[[Desk], object]
    result: "Future[object]" = field(default_factory=Future)


class Sessions(Generic[Desk]):
    """Threads that each hold a session, and who waits for one.

    Args:
        login: the way into the token.
        prepare: what a new session works with; raises where its keys are not as they must be.
        sessions: how many, 1 and more.
        waiting: how many strangers may wait; those who are known are never sent away.
    """

    def __init__(
        self, login: Login, prepare: Callable[[Session], Desk], *, sessions: int, waiting: int
    ) -> None:
        self._login = login
        self._prepare = prepare
        self._waiting = waiting
        self._for_strangers = max(1, sessions - 1)
        self._turn = threading.Condition()
        self._first: deque[_Job[Desk]] = deque()
        self._then: deque[_Job[Desk]] = deque()
        self._strangers = 0  # at work
        self._closing = False
        self._module = login.module
        self._opening = threading.Lock()
        self._away_until = 0.0  # by the monotonic clock
        self._why_away = ""
        self._open: dict[int, tuple[Session, Desk]] = {}  # by thread
        self._threads = [
            threading.Thread(target=self._serve, name=f"hsm-{number}", daemon=True)
            for number in range(sessions)
        ]
        for thread in self._threads:
            thread.start()

    async def ask(self, work: Callable[[Desk], Result], *, known: bool) -> Result:
        """The result of *work* with one of the sessions, in a thread of its own.

        Raises:
            CustodyBusy: this is no *known* device's, and too many such ones wait already.
            CustodyUnavailable: the HSM does not answer, or refused twice.
            CustodyError: what *work* raises.
        """
        job = self._enqueue(work, known=known)
        try:
            # A job that is given up while it waits is never begun; one that is at work ends.
            return cast("Result", await asyncio.wait_for(asyncio.wrap_future(job), _PATIENCE))
        except TimeoutError:
            raise CustodyUnavailable(f"no answer of the HSM within {_PATIENCE:.0f} s") from None

    def close(self) -> None:
        """End all sessions, and the login with them. Who waits hears that it is unavailable.

        What is at work may end first; an HSM that hangs is left behind, with its thread.
        """
        with self._turn:
            self._closing = True
            for job in (*self._first, *self._then):
                if job.result.set_running_or_notify_cancel():  # not one whose caller went away
                    job.result.set_exception(CustodyUnavailable("it was closed"))
            self._first.clear()
            self._then.clear()
            self._turn.notify_all()
        ends = time.monotonic() + _FAREWELL
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _enqueue(self, work: Callable[[Desk], object], *, known: bool) -> "Future[object]":
        job: _Job[Desk] = _Job(work)
        with self._turn:
            if self._closing:
                raise CustodyUnavailable("it was closed")
            if not known and len(self._then) >= self._waiting:
                raise CustodyBusy
            (self._first if known else self._then).append(job)
            self._turn.notify()
        return job.result

    # ── In the threads ───────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        while (found := self._next()) is not None:
            job, stranger = found
            try:
                if job.result.set_running_or_notify_cancel():
                    self._do(job)
            finally:
                if stranger:
                    with self._turn:
                        self._strangers -= 1
                        self._turn.notify()
        self._leave()

    def _next(self) -> tuple[_Job[Desk], bool] | None:
        """Whose turn it is, and whether it is a stranger's; None when all is over."""
        with self._turn:
            while True:
                if self._first:
                    return self._first.popleft(), False
                if self._then and self._strangers < self._for_strangers:
                    self._strangers += 1
                    return self._then.popleft(), True
                if self._closing:
                    return None
                self._turn.wait()

    def _do(self, job: _Job[Desk]) -> None:
        try:
            job.result.set_result(self._once_or_twice(job.work))
        except Exception as error:  # noqa: BLE001 -- it is for who waits, whatever it is
            job.result.set_exception(error)

    def _once_or_twice(self, work: Callable[[Desk], object]) -> object:
        """*work* with the session of this thread; once more with a new one if that refuses."""
        try:
            if threading.get_ident() not in self._open:
                self._reopen()
            with self._module.calling():
                return work(self._desk())
        except HsmError:
            self._leave()
        try:
            self._reopen()
            with self._module.calling():
                return work(self._desk())
        except HsmError as error:
            self._leave()
            raise CustodyUnavailable(str(error)) from None

    def _reopen(self) -> None:
        """A new session for this thread, from a module that is initialised anew if need be.

        One thread after the other, and for a moment after a failure none: whoever asks hears of
        it at once, and the HSM is left in peace.
        """
        with self._opening:
            if time.monotonic() < self._away_until:
                raise CustodyUnavailable(self._why_away)
            try:
                self._enter()
            except HsmError as error:
                self._away_until = time.monotonic() + _PAUSE
                if self._why_away != str(error):  # one line for each reason
                    self._why_away = str(error)
                    _log.error("the HSM does not let us in: %s", error)
                raise
            if self._why_away:
                self._why_away = ""
                _log.warning("the HSM lets us in again")

    def _enter(self) -> None:
        try:
            with self._module.calling():
                self._desk()
        except HsmError:
            if self._login.is_refused:
                raise
            self._module.initialize_anew()
            with self._module.calling():
                self._desk()

    def _desk(self) -> Desk:
        me = threading.get_ident()
        if me not in self._open:
            session = self._login.open()
            try:
                self._open[me] = session, self._prepare(session)
            except CustodyError:
                close_quietly(session)
                raise
        return self._open[me][1]

    def _leave(self) -> None:
        """End the session of this thread."""
        found = self._open.pop(threading.get_ident(), None)
        if found is not None:
            with self._module.calling():
                close_quietly(found[0])
