"""The custody process: a `Custodian` behind a local socket, for a web process of another user.

Who may ask is settled three times: by the folder of the socket, by its group and mode 0660, and
by the user id that the kernel tells of who connects (unix(7), SO_PEERCRED). What may be asked are
the calls of `Custodian`; anything else closes the connection that it came on, with one line in
the log and none of what came. A portal is one who asks; registering cards and finding them by
their number is for others, and their number itself is said to the desk alone (docs/decisions/0022).
Nor is a code compared for a portal with the card of a member of staff, which opens the desk.
"""

import asyncio
import errno
import fcntl
import logging
import os
import socket
import stat
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from sesame.custody.custodian import Custodian, Inquiry, PairInquiry, RevealingCustodian
from sesame.custody.errors import (
    CustodyError,
    CustodyUnavailable,
    MalformedFrame,
    SocketFolderExposed,
    SocketRefused,
    SocketTaken,
    WrongUsage,
)
from sesame.custody.wire import (
    LARGEST_FRAME,
    LENGTH,
    PROTOCOL,
    Call,
    Failure,
    Greeting,
    Mac,
    Match,
    MatchPairs,
    PanIndex,
    Register,
    RegisterAll,
    Reveal,
    encode,
    framed,
    read_frame,
    to_failure,
)
from sesame.emv.pan import Pan

MOST_CONNECTIONS = 80  # a web process has one a worker, 64 at most; while it restarts, two
# Of one connection that are worked on; the next wait in the kernel's buffer. More than the
# strangers who may wait for a slow custodian, or they would keep known devices from being read.
MOST_FRAMES = 512
MOST_BYTES = 8 * LARGEST_FRAME
_MODE = 0o660
_BACKLOG = 128
_FAREWELL = 5.0  # seconds for what is in flight when the process is to end
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid: struct ucred
_FOR_REGISTRARS = (Register, RegisterAll, PanIndex)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_log = logging.getLogger("sesame.custody")


def listen(path: Path, group: int | None = None) -> socket.socket:
    """A socket at *path*, mode 0660, of *group*; one that a killed process left is replaced.

    A file beside it, `*.lock`, has processes that start in the same instant do so in turn. It
    stays: whoever took it away would let two of them lock two files of one name.

    Raises:
        SocketFolderExposed: other users may write to its folder.
        SocketTaken: another process answers there, or is about to.
        SocketRefused: the system does not let us, or something else stands there.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mode = stat.S_IMODE(path.parent.stat().st_mode)
        if mode & _OTHERS_WRITE:
            raise SocketFolderExposed(path, mode)
        with _alone(path):
            _take_away_what_is_dead(path)
            _bind(listener, path, group)
            listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SocketRefused(path, error.strerror or str(error)) from None
    except CustodyError:
        listener.close()
        raise
    return listener


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes from looking at the socket at *path* before it answers.

    Until it listens it looks like one that a killed process left, and would be taken away.
    """
    lock = path.with_name(f"{path.name}.lock")
    # Of the owner alone: who could open it could keep custody from starting.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(lock, flags, 0o600)
    except OSError as error:
        raise SocketRefused(lock, error.strerror or str(error)) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SocketTaken(path) from None
        yield
    finally:
        os.close(descriptor)


def _bind(listener: socket.socket, path: Path, group: int | None) -> None:
    # Nobody else may connect before group and mode are right.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    if group is not None:
        os.chown(path, -1, group)
    path.chmod(_MODE)


def _take_away_what_is_dead(path: Path) -> None:
    """Take away the socket at *path* that nobody listens on any more."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except FileNotFoundError:
            return
        except ConnectionRefusedError:
            if not stat.S_ISSOCK(path.lstat().st_mode):
                raise OSError(errno.EEXIST, "something else stands there") from None
            path.unlink()
            return
    raise SocketTaken(path)


class Service:
    """Answers what comes on a socket out of *custodian*.

    Args:
        custodian: what has the keys.
        allowed: the users (uids) who may have codes compared and lines signed.
        registrars: those who may also register cards and find them by their number.
        revealers: those who may also have a card's number said, where *custodian* does that.
        is_desks: of the context of a card, whether only registrars and revealers may have codes
            compared with it.
        demonstration: whether the keys are those of a demonstration.
    """

    def __init__(  # noqa: PLR0913 -- who may what, by name
        self,
        custodian: Custodian,
        *,
        allowed: Collection[int],
        registrars: Collection[int] = (),
        revealers: Collection[int] = (),
        is_desks: Callable[[bytes], bool] = lambda _context: False,
        demonstration: bool,
    ) -> None:
        self._custodian = custodian
        self._registrars = frozenset(registrars)
        self._revealers = frozenset(revealers)
        self._is_desks = is_desks
        self._allowed = self._registrars | self._revealers | frozenset(allowed)
        self._greeting = framed(encode(Greeting(PROTOCOL, demonstration)))
        self._connections: set[_Connection] = set()
        self._told: set[int] = set()  # whose questions were logged
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Begin to accept connections on *listener*."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self), sock=listener)

    async def stop(self) -> None:
        """Accept nothing more, answer what is in flight, and close."""
        if self._server is not None:
            self._server.close()
        closing = [connection.finish() for connection in self._connections]
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await asyncio.gather(*closing)
        for connection in list(self._connections):
            connection.drop()

    async def answer(self, call: Call | CustodyError, user: int) -> tuple[Failure | None, object]:
        """What comes of *call* of *user*: a `wire.Result` before it is encoded."""
        if isinstance(call, CustodyError):
            return to_failure(call), None
        try:
            return None, await self._ask(call, user)
        except CustodyError as error:
            return to_failure(error), None
        except Exception as error:  # noqa: BLE001 -- one call's trouble stays its own
            # The type alone: what an unforeseen error says may hold a card's number.
            _log.error("a call could not be answered: %s", type(error).__name__)
            return to_failure(CustodyUnavailable("it failed: see its log")), None

    async def _ask(self, call: Call, user: int) -> object:  # noqa: PLR0911 -- one for each call
        if isinstance(call, _FOR_REGISTRARS) and user not in self._registrars:
            raise WrongUsage("registering cards is not for this user: see registrars")
        if isinstance(call, Match | MatchPairs):
            self._keep_from_the_portal(call, user)
        match call:
            case Match():
                return await self._custodian.match(call.inquiries)
            case MatchPairs():
                return await self._custodian.match_pairs(call.inquiries)
            case Register():
                return await self._custodian.register(call.card, call.context)
            case RegisterAll():
                return await self._custodian.register_all(call.cards)
            case PanIndex():
                return await self._custodian.pan_index(call.pan)
            case Mac():
                return await self._custodian.mac(call.usage, call.data)
            case Reveal():
                return await self._reveal(call, user)

    def _keep_from_the_portal(self, call: Match | MatchPairs, user: int) -> None:
        """Refuse the whole of *call* where it asks of a card that is not for *user*."""
        if user in self._registrars or user in self._revealers:
            return
        inquiries: tuple[Inquiry | PairInquiry, ...] = call.inquiries
        if not any(self._is_desks(one.context) for asked in inquiries for one in asked.questions):
            return
        if user not in self._told:  # one line for each: it may ask as often as it likes
            self._told.add(user)
            _log.warning(
                "user %d asked about a card of staff: refused, it is none of registrars", user
            )
        raise WrongUsage("cards of staff are compared for the desk alone: see registrars")

    async def _reveal(self, call: Reveal, user: int) -> Pan:
        if user not in self._revealers or not isinstance(self._custodian, RevealingCustodian):
            raise WrongUsage("a card's number is not for this user: see revealers")
        return await self._custodian.reveal(call.sealed, call.context)

    def admit(self, connection: "_Connection", user: int) -> bytes | None:
        """What to greet a new *connection* of *user* with; None where it is turned away."""
        if user not in self._allowed:
            _log.warning("user %d is not one of those who may ask: turned away", user)
            return None
        if len(self._connections) >= MOST_CONNECTIONS:
            _log.warning("%d connections are open: one more is turned away", MOST_CONNECTIONS)
            return None
        self._connections.add(connection)
        return self._greeting

    def forget(self, connection: "_Connection") -> None:
        """*connection* is closed."""
        self._connections.discard(connection)


class _Connection(asyncio.Protocol):
    """One connection: frames come, a task answers each, in whatever order they are done."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._running: set[asyncio.Task[None]] = set()
        self._bytes = 0  # of the frames that are worked on
        self._writable = True
        self._reading = True  # False: no more frames are taken, for good
        self._paused = False
        self._closed = asyncio.Event()
        self._user = -1

    # ── What asyncio says ────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.Transport", transport)  # of a stream socket it is
        self._user = _user_of(stream)
        greeting = self._service.admit(self, self._user)
        if greeting is None:
            self._reading = False
            stream.abort()
            return
        self._transport = stream
        stream.write(greeting)

    def data_received(self, data: bytes) -> None:
        if self._reading:
            self._received += data
            self._take_frames()

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._take_frames()

    def connection_lost(self, _error: Exception | None) -> None:
        self._reading = False
        self._transport = None
        self._closed.set()
        self._service.forget(self)

    # ── Frames ───────────────────────────────────────────────────────────────────────────────────

    def _take_frames(self) -> None:
        """Begin to answer the frames that are whole, as many as there is room for."""
        while self._reading and self._has_room():
            try:
                frame = self._next_frame()
                if frame is None:
                    break
                number, calls = read_frame(frame)
            except MalformedFrame as error:
                _log.warning("a connection was closed: %s", error)
                self._reading = False
                self.drop()
                return
            self._bytes += len(frame)
            task = asyncio.ensure_future(self._answer(number, calls, len(frame)))
            self._running.add(task)
            task.add_done_callback(self._answered)
        self._pause(wanted=not self._has_room())

    def _next_frame(self) -> bytes | None:
        if len(self._received) < LENGTH:
            return None
        length = int.from_bytes(self._received[:LENGTH])
        if length > LARGEST_FRAME:
            raise MalformedFrame(f"a frame of {length} bytes, {LARGEST_FRAME} are the most")
        if len(self._received) < LENGTH + length:
            return None
        frame = bytes(self._received[LENGTH : LENGTH + length])
        del self._received[: LENGTH + length]
        return frame

    def _has_room(self) -> bool:
        return self._writable and len(self._running) < MOST_FRAMES and self._bytes < MOST_BYTES

    def _pause(self, *, wanted: bool) -> None:
        if self._transport is None or wanted is self._paused:
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    async def _answer(self, number: int, calls: Sequence[Call | CustodyError], length: int) -> None:
        if len(calls) == 1:  # no task for who comes alone
            results = [await self._service.answer(calls[0], self._user)]
        else:
            answers = (self._service.answer(call, self._user) for call in calls)
            results = await asyncio.gather(*answers)
        if self._transport is not None:
            self._transport.write(framed(encode((number, results))))
        self._bytes -= length

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("an answer could not be sent: %s", type(error).__name__)
            self.drop()
        self._take_frames()

    # ── The end ──────────────────────────────────────────────────────────────────────────────────

    async def finish(self) -> None:
        """Read no more, answer what was read, and close once that is sent."""
        self._reading = False
        if self._running:
            await asyncio.wait(self._running)
        if self._transport is not None:
            self._transport.close()
            await self._closed.wait()

    def drop(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()


def _user_of(transport: asyncio.Transport) -> int:
    """The user id of the process at the other end, when it connected."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as other:
        said = other.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, user, _group = _CREDENTIALS.unpack(said)
    return int(user)


async def serve(service: Service, listener: socket.socket, stopped: asyncio.Event) -> None:
    """Answer on *listener* until *stopped*, then take the socket away and end in order."""
    await service.start(listener)
    try:
        await stopped.wait()
    finally:
        with suppress(FileNotFoundError):
            os.unlink(listener.getsockname())  # noqa: PTH108 -- a name that is never a Path
        await service.stop()
