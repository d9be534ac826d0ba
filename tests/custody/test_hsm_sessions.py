"""Whose turn it is at the HSM, and how it comes back after it was away; on SoftHSM2."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import pytest

from sesame.cap.token import Code
from sesame.custody import hsm_sessions
from sesame.custody.cryptoki import Attribute, Module, Rv, Session, load
from sesame.custody.custodian import Inquiry
from sesame.custody.errors import CustodyBusy, CustodyUnavailable, HsmRefused, UnsuitableKey
from sesame.custody.hsm import HsmCustodian, open_hsm
from sesame.custody.hsm_sessions import Login, Sessions
from sesame.custody.passphrase import Passphrase
from tests.custody.tokens import MODULE, PIN, new_token, pulled_out, softhsm

pytestmark = pytest.mark.needs("softhsm2")

WRONG = Code("33554432")


@cache
def _login() -> Login:
    return new_token("sessions")


@pytest.fixture
def custodian() -> Iterator[HsmCustodian]:
    """With two sessions."""
    _login()
    with open_hsm(MODULE, "sessions", PIN, sessions=2) as custodian:
        yield custodian


@dataclass
class Line:
    """Sessions, who was served, and a way to keep those that are at work busy."""

    sessions: Sessions[Session]
    served: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)
    asked: list["asyncio.Task[None]"] = field(default_factory=list)

    def ask(self, who: str, *, known: bool, stays: bool = False) -> None:
        """Somebody comes; one who *stays* is at work until `go_on`."""

        def work(_: Session) -> None:
            self.served.append(who)
            if stays:
                self.go_on.wait(60)

        self.asked.append(asyncio.create_task(self.sessions.ask(work, known=known)))

    async def comes_to(self, *served: str) -> None:
        """Wait until these were served, in this order, and nobody else."""
        for _ in range(1000):
            if len(self.served) >= len(served):
                break
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # nobody more
        assert self.served == list(served)


@contextmanager
def _line(*, sessions: int, waiting: int = 3) -> Iterator[Line]:
    line = Line(Sessions(_login(), lambda session: session, sessions=sessions, waiting=waiting))
    try:
        yield line
    finally:
        line.go_on.set()
        line.sessions.close()


# ── Whose turn it is ─────────────────────────────────────────────────────────────────────────────


async def test_known_devices_go_first() -> None:
    """However many strangers came before them; each kind in its order."""
    with _line(sessions=1) as line:
        line.ask("first of all", known=False, stays=True)
        await line.comes_to("first of all")
        for who in ("stranger", "another"):
            line.ask(who, known=False)
        for who in ("owner", "neighbour"):
            line.ask(who, known=True)
        await asyncio.sleep(0.02)
        line.go_on.set()
        await line.comes_to("first of all", "owner", "neighbour", "stranger", "another")


async def test_strangers_never_take_the_last_session() -> None:
    """It stays free for who is known, who may take all."""
    with _line(sessions=2) as line:
        line.ask("stranger", known=False, stays=True)
        line.ask("another", known=False)
        await line.comes_to("stranger")
        line.ask("owner", known=True)
        await line.comes_to("stranger", "owner")
        line.go_on.set()
        await line.comes_to("stranger", "owner", "another")
        line.go_on.clear()
        line.ask("Véra", known=True, stays=True)
        line.ask("Omar", known=True, stays=True)
        await line.comes_to("stranger", "owner", "another", "Véra", "Omar")


async def test_so_many_strangers_wait_and_no_more() -> None:
    """The next is sent away at once; who is known never is."""
    with _line(sessions=1, waiting=2) as line:
        line.ask("stranger", known=False, stays=True)
        await line.comes_to("stranger")
        for number in range(4):
            line.ask(f"stranger {number}", known=False)
            line.ask(f"owner {number}", known=True)
        await asyncio.sleep(0.05)
        away = [task for task in line.asked if task.done()]
        assert [type(task.exception()) for task in away] == [CustodyBusy, CustodyBusy]
        line.go_on.set()
        owners = [f"owner {number}" for number in range(4)]
        await line.comes_to("stranger", *owners, "stranger 0", "stranger 1")


async def test_whoever_gave_up_is_not_served() -> None:
    """Work that is not begun is dropped with who wanted it; the others go on."""
    with _line(sessions=1) as line:
        line.ask("first", known=True, stays=True)
        await line.comes_to("first")
        line.ask("impatient", known=False)
        line.ask("patient", known=False)
        await asyncio.sleep(0.02)
        line.asked[1].cancel()
        await asyncio.sleep(0.02)
        line.go_on.set()
        await line.comes_to("first", "patient")


async def test_whoever_waits_too_long_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An HSM that hangs makes nobody wait for ever."""
    monkeypatch.setattr(hsm_sessions, "_PATIENCE", 0.05)
    with _line(sessions=1) as line:
        line.ask("stuck", known=True, stays=True)
        with pytest.raises(CustodyUnavailable, match="no answer of the HSM"):
            await line.asked[0]


async def test_whoever_waits_at_the_end_hears_of_it() -> None:
    """And what is at work comes to its end."""
    with _line(sessions=1) as line:
        line.ask("at work", known=True, stays=True)
        await line.comes_to("at work")
        line.ask("waits", known=False)
        await asyncio.sleep(0.02)
        threading.Timer(0.05, line.go_on.set).start()
        line.sessions.close()
        await line.asked[0]
        with pytest.raises(CustodyUnavailable, match="closed"):
            await line.asked[1]


async def test_whoever_gave_up_before_the_end_stops_nobody() -> None:
    """Their work lies in the queue still; the others hear of the end, and the sessions end."""
    with _line(sessions=1) as line:
        line.ask("at work", known=True, stays=True)
        await line.comes_to("at work")
        line.ask("impatient", known=True)
        line.ask("waits", known=True)
        await asyncio.sleep(0.02)
        line.asked[1].cancel()
        await asyncio.sleep(0.02)
        threading.Timer(0.05, line.go_on.set).start()
        line.sessions.close()
        with pytest.raises(CustodyUnavailable, match="closed"):
            await line.asked[2]
        await line.asked[0]


async def test_an_hsm_that_hangs_keeps_nobody_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its call never comes back; the process that is told to end can."""
    monkeypatch.setattr(hsm_sessions, "_FAREWELL", 0.1)
    with _line(sessions=2) as line:
        line.ask("hangs", known=True, stays=True)
        await line.comes_to("hangs")
        line.sessions.close()
        assert not line.go_on.is_set()
        assert not line.asked[0].done()
        line.go_on.set()
        await line.asked[0]


async def test_an_error_of_the_work_is_the_callers() -> None:
    """Whatever it is, and the session goes on."""
    with _line(sessions=1) as line:

        def fail(_: Session) -> None:
            raise ZeroDivisionError

        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await line.sessions.ask(fail, known=True)


# ── Away and back ────────────────────────────────────────────────────────────────────────────────


def _sessions_end() -> None:
    """As when the HSM was restarted: every session of this process is gone, and the login."""
    load(softhsm()).close_all_sessions(_login().slot())


def _user_is_logged_out() -> None:
    session = load(softhsm()).open_session(_login().slot())
    session.logout()
    session.close()


def _module_starts_anew() -> None:
    load(softhsm()).initialize_anew()


@pytest.mark.parametrize("happens", [_sessions_end, _user_is_logged_out, _module_starts_anew])
async def test_a_lost_session_is_opened_again(
    custodian: HsmCustodian, happens: Callable[[], None]
) -> None:
    """A fresh login and once more: nobody notices, on any of the sessions."""
    for _ in range(2):
        await asyncio.gather(*(custodian.match([Inquiry(WRONG)]) for _ in range(4)))
        happens()
        answers = await asyncio.gather(*(custodian.match([Inquiry(WRONG)]) for _ in range(4)))
        assert answers == [[()]] * 4


def test_a_session_of_before_a_new_start_is_nobodys() -> None:
    """Handles are counted from the start again: an old session's are those of a new one.

    So it is refused before the token hears of it, or two threads would work in one session, with
    keys that are others by now.
    """
    login = _login()
    _module_starts_anew()
    old = login.open()
    _module_starts_anew()
    new = login.open()
    assert vars(old)["_handle"] == vars(new)["_handle"]
    with pytest.raises(HsmRefused, match="CKR_SESSION_HANDLE_INVALID"):
        old.find({})
    with pytest.raises(HsmRefused, match="CKR_SESSION_HANDLE_INVALID"):
        old.close()
    assert new.find({Attribute.TOKEN: True})
    new.close()


@contextmanager
def answering(rv: Rv, function: str, *, times: int) -> Iterator[None]:
    """The module answers *function* with *rv* so many *times*, then as ever."""
    left, call = [times], Module.call

    def fail(module: Module, name: str, *arguments: object) -> None:
        if name == function and left[0]:
            left[0] -= 1
            raise HsmRefused(name, f"CKR_{rv.name}", rv)
        call(module, name, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Module, "call", fail)
        yield
    assert left[0] < times


@pytest.mark.parametrize(
    "rv",
    [
        *(Rv.DEVICE_REMOVED, Rv.SESSION_HANDLE_INVALID, Rv.USER_NOT_LOGGED_IN),
        *(Rv.TOKEN_NOT_PRESENT, Rv.DEVICE_ERROR, Rv.GENERAL_ERROR),
    ],
)
@pytest.mark.parametrize(
    "function", ["C_DeriveKey", "C_DecryptInit", "C_Decrypt", "C_DestroyObject"]
)
async def test_what_fails_is_done_once_more(custodian: HsmCustodian, rv: Rv, function: str) -> None:
    """Wherever in a code's work it fails, and whatever the module calls it."""
    with answering(rv, function, times=1):
        assert await custodian.match([Inquiry(WRONG)]) == [()]


async def test_what_goes_on_failing_is_unavailable(
    custodian: HsmCustodian, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor helps a module that starts anew: said in its word. The next one is served again."""
    monkeypatch.setattr(hsm_sessions, "_PAUSE", 0)
    with (
        answering(Rv.DEVICE_REMOVED, "C_EncryptInit", times=100),
        pytest.raises(CustodyUnavailable, match="C_EncryptInit with CKR_DEVICE_REMOVED"),
    ):
        await custodian.match([Inquiry(WRONG)])
    assert await custodian.match([Inquiry(WRONG)]) == [()]


@pytest.fixture
async def pulled(custodian: HsmCustodian) -> AsyncIterator[HsmCustodian]:
    """The custodian of a token that was taken out while it was used; put back at the end."""
    await custodian.match([Inquiry(WRONG)])
    with pulled_out():
        _module_starts_anew()
        yield custodian
    assert await custodian.match([Inquiry(WRONG)]) == [()]


async def test_a_token_that_is_pulled_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, pulled: HsmCustodian
) -> None:
    """Unavailable, at once, while it is away; back without a restart, as the fixture sees.

    The log says so once, however often it is tried.
    """
    monkeypatch.setattr(hsm_sessions, "_PAUSE", 60)
    caplog.set_level(logging.WARNING)
    for _ in range(3):
        for _ in range(2):
            with pytest.raises(CustodyUnavailable, match="no token 'sessions' in any slot"):
                await pulled.match([Inquiry(WRONG)])
        pulled._sessions._away_until = 0  # noqa: SLF001 -- as if that minute had passed
    (said,) = caplog.messages
    assert "does not let us in: PKCS#11 module" in said


async def test_an_hsm_that_is_away_is_left_in_peace(
    monkeypatch: pytest.MonkeyPatch, pulled: HsmCustodian
) -> None:
    """Of many who ask within a second one tries to come in, and starts the module anew."""
    monkeypatch.setattr(hsm_sessions, "_PAUSE", 60)
    started: list[Module] = []
    start = Module.initialize_anew

    def watch(module: Module) -> None:
        started.append(module)
        start(module)

    monkeypatch.setattr(Module, "initialize_anew", watch)
    asked = [pulled.match([Inquiry(WRONG)]) for _ in range(6)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {CustodyUnavailable}
    assert len(started) == 1
    pulled._sessions._away_until = 0  # noqa: SLF001 -- as above


async def test_a_refused_pin_is_not_tried_again() -> None:
    """A token locks itself after a few wrong ones."""
    login = Login(load(softhsm()), "sessions", Passphrase("pas le bon PIN"))
    _login()
    tried: list[str] = []
    call = Module.call

    def watch(module: Module, name: str, *arguments: object) -> None:
        tried.append(name)
        call(module, name, *arguments)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Module, "call", watch)
        sessions = Sessions(login, lambda session: session, sessions=2, waiting=1)
        for _ in range(3):
            with pytest.raises(CustodyUnavailable, match="CKR_PIN_INCORRECT"):
                await sessions.ask(lambda _: None, known=True)
        sessions.close()
    assert tried.count("C_Login") == 1
    assert "C_Initialize" not in tried


async def test_keys_that_are_gone_are_said_to_be(custodian: HsmCustodian) -> None:
    """A token that comes back emptied is no outage: nobody goes on as if it were."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("sesame.custody.hsm.find_keys", lambda _: [])
        _sessions_end()
        with pytest.raises(UnsuitableKey, match="0 seal keys"):
            await custodian.match([Inquiry(WRONG)])
    assert await custodian.match([Inquiry(WRONG)]) == [()]
