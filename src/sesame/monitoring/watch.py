"""The listener for those who run the bank: `/metrics`, `/live` and `/ready`, in its own thread.

It answers while all places at the doors are taken, and can say that the event loop does not turn
any more. What it tells is inside information, so it has an address of its own.
"""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError as Cancelled
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec
from prometheus_client import make_wsgi_app

from sesame import logs
from sesame.bank.bank import Bank
from sesame.monitoring.exposition import Exposition
from sesame.monitoring.neighbours import Neighbours
from sesame.monitoring.readiness import Readiness, Stage
from sesame.store.errors import StoreUnavailable

_BEAT = 1.0  # seconds between two looks at the loop, and two words to the neighbours
_BEATS_A_LOOK = 15  # between two looks at the strangers' failures, where no attempt has one
_STUCK = 5.0  # seconds after which a loop that does not turn is called dead
_PATIENCE = 5.0  # seconds for an answer of the loop, and for a client to send its question


class Watch:
    """Whether this process is ready; and the listener, where the settings want one."""

    def __init__(
        self, bank: Bank, *, listener: socket.socket | None = None, folder: Path | None = None
    ) -> None:
        """Begin as starting.

        Args:
            bank: whose database and custody are asked.
            listener: a socket that listens; the server's processes share it.
            folder: where they tell each other what they count; None for one alone.
        """
        self.readiness = Readiness(bank)
        self._bank = bank
        self._listener = listener
        self._neighbours = Neighbours(folder)
        self._exposition = Exposition(bank.meters, self._neighbours)
        self._metrics = make_wsgi_app(self._exposition.registry)
        self._beats = count(1)
        self._turned_at = time.monotonic()
        self._server: _Server | None = None
        self._looking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen; the loop that runs is the one that is looked at."""
        self._loop = asyncio.get_running_loop()
        if self._listener is None:
            return
        self._server = _Server(self._listener, self._answer, self._beat)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=[_BEAT], name="monitoring", daemon=True
        )
        self._thread.start()

    def serves(self) -> None:
        """The doors are open."""
        self.readiness.stage = Stage.SERVING
        logs.serving()

    def ends(self) -> None:
        """The process was told to end: not ready from now on, while it answers what is left."""
        if self.readiness.stage is not Stage.STOPPING:
            self.readiness.stage = Stage.STOPPING
            logs.stopping()

    async def close(self) -> None:
        """Listen no more; what was counted stays for the neighbours."""
        if self._server is not None:
            await asyncio.to_thread(self._server.shutdown)
            await asyncio.to_thread(self._thread.join)
            self._server.server_close()
        if self._looking is not None:
            await asyncio.wait([self._looking])
        await self.readiness.close()
        with suppress(OSError):
            self._neighbours.tell(self._exposition.own(ended=True))

    # ── In the listener's thread ─────────────────────────────────────────────────────────────────

    def _beat(self) -> None:
        with suppress(OSError):  # a full disk costs the neighbours this process' last second
            self._neighbours.tell(self._exposition.own())
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._turned, time.monotonic())

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        try:
            match environ["PATH_INFO"]:
                case "/metrics":
                    metrics: Iterable[bytes] = self._metrics(environ, start)
                    return metrics
                case "/live":
                    alive = time.monotonic() - self._turned_at < _STUCK
                    return _said(start, {"live": alive}, good=alive)
                case "/ready":
                    return self._ready(start)
                case _:
                    return _said(start, {}, HTTPStatus.NOT_FOUND)
        except Exception as error:  # noqa: BLE001 -- wsgiref would show its message
            logs.crashed(error)
            return _said(start, {}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def _ready(self, start: StartResponse) -> Iterable[bytes]:
        stage = self.readiness.stage
        asked = asyncio.run_coroutine_threadsafe(self.readiness.look(), self._loop)
        try:
            parts = dict(asked.result(_PATIENCE))
        except (TimeoutError, Cancelled):
            asked.cancel()
            return _said(start, {"ready": False, "stage": stage}, good=False)
        ready = stage is Stage.SERVING and self.readiness.is_well(parts)
        return _said(start, {"ready": ready, "stage": stage, **parts}, good=ready)

    # ── In the loop ──────────────────────────────────────────────────────────────────────────────

    def _turned(self, asked_at: float) -> None:
        self._turned_at = time.monotonic()
        self._bank.meters.loop_lag.put(self._turned_at - asked_at)
        self._bank.store.measure()
        if self._looking is None and (next(self._beats) % _BEATS_A_LOOK) == 1:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(lambda _: setattr(self, "_looking", None))
        look = self._bank.pressure.look
        if look is not None:
            meters = self._bank.meters
            meters.pressure.put(look.on)
            for span, failures, most in (
                ("hour", look.this_hour, look.most_an_hour),
                ("day", look.this_day, look.most_a_day),
            ):
                meters.strangers_failures.put(failures, span)
                meters.strangers_failures_usual.put(most, span)

    async def _look(self) -> None:
        bank = self._bank
        with suppress(StoreUnavailable):
            await bank.pressure.is_on(bank.store, bank.limits, bank.now())
        await self.readiness.look()


class _Handler(WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, *_: object) -> None:
        """Nothing: a scrape every few seconds is no event."""


class _Server(ThreadingMixIn, WSGIServer):
    """The standard library's, on a socket that listens already."""

    daemon_threads = True

    def __init__(
        self,
        listener: socket.socket,
        application: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]],
        beat: Callable[[], None],
    ) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        # Of several processes that see one client come, one gets it; the others go on.
        self.socket.settimeout(0)
        self.server_name, self.server_port = "sesame", listener.getsockname()[1]
        self.setup_environ()
        self.set_app(application)
        self._beat = beat

    def service_actions(self) -> None:
        """What is due now and then, between two clients."""
        self._beat()

    def handle_error(self, *_: object) -> None:
        """Nothing: a client that went away is no event, and ours are caught before."""


def _said(
    start: StartResponse,
    words: dict[str, object],
    status: HTTPStatus | None = None,
    *,
    good: bool = False,
) -> Iterable[bytes]:
    if status is None:
        status = HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE
    body = msgspec.json.encode(words)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    start(f"{status.value} {status.phrase}", headers)
    return [body]
