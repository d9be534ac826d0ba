"""A card in a slot of the PC/SC service: the connection to its virtual reader driver.

Thin: dials the driver, carries frames between it and `sesame.card.vpcd`, and dials again when the
service has gone. The driver answers to nobody's password, so a card is plugged on the machine
itself.
"""

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum, unique

from sesame.card.vpcd import Frames, PluggedCard, frame

HOST, PORT = "127.0.0.1", 35963  # of the driver's first slot; the second is the next port

_REDIAL = 0.5  # seconds between two tries to reach the service
_PATIENCE = 5.0  # seconds for the service to take a connection, or an answer
_SILENCE = 3.0  # seconds: a slot that we have asks for the ATR more than twice a second
_CHUNK = 65536  # bytes


@unique
class Line(StrEnum):
    """What happened to the connection, as the log has it."""

    WAITING = "waiting"  # nobody answers there; tried again until somebody does
    CONNECTED = "connected"
    SILENT = "silent"  # connected, and nothing is asked: another card has the slot
    GONE = "gone"  # the service ended


@dataclass(frozen=True, slots=True)
class Address:
    """Where the driver listens for a card."""

    host: str = HOST
    port: int = PORT

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def keep_plugged(
    card: PluggedCard, address: Address, end: socket.socket, tell: Callable[[object], None]
) -> None:
    """Leave *card* in the slot at *address* until there is something to read from *end*.

    Args:
        card: the card.
        address: where the driver listens, now or later.
        end: ends it, at once but never within a command or a dial.
        tell: is told each `Line` and each `Happening`.

    Raises:
        CardFileUnusable: the card's counters could not be kept; it is out of the slot.
    """
    waiting = False
    while True:
        driver = _dial(address)
        if driver is not None:
            tell(Line.CONNECTED)
            with driver:
                ended = _serve(card, driver, end, tell)
            told = card.power_off().happening
            if told is not None:
                tell(told)
            if ended:
                return
            tell(Line.GONE)
            waiting = False
        elif not waiting:
            tell(Line.WAITING)
            waiting = True
        if _is_readable(end, within=_REDIAL):
            return


def _dial(address: Address) -> socket.socket | None:
    try:
        driver = socket.create_connection((address.host, address.port), timeout=_PATIENCE)
        if driver.getsockname() == driver.getpeername():
            _hang_up(driver)
            return None
        driver.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        return None
    return driver


def _hang_up(echo: socket.socket) -> None:
    """Free the port at once, of which a connection has both ends.

    The driver's ports are among those that the system gives to who dials. While nobody listens
    there, sooner or later we are given the very port that we dial, and are connected to
    ourselves: the service could never have its port.
    """
    echo.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    echo.close()


def _serve(
    card: PluggedCard, driver: socket.socket, end: socket.socket, tell: Callable[[object], None]
) -> bool:
    """Answer the driver; whether *end* ended it, and not the driver."""
    frames = Frames()
    patience: float | None = _SILENCE
    while True:
        _acknowledge_at_once(driver)
        ready, _, _ = select.select([driver, end], [], [], patience)
        patience = None  # what has been silent was said once
        if end in ready:
            return True
        if not ready:
            tell(Line.SILENT)
            continue
        data = _receive(driver)
        if not data:
            return False
        for body in frames.feed(data):
            turn = card.handle(body)
            if turn.answer is not None and not _send(driver, frame(turn.answer)):
                return False
            if turn.happening is not None:
                tell(turn.happening)


def _acknowledge_at_once(driver: socket.socket) -> None:
    """Ask for it before every read, for it does not last.

    The driver sends the length of a command and waits for our acknowledgement before it sends
    the rest: without this every command takes 40 ms.
    """
    if hasattr(socket, "TCP_QUICKACK"):
        with suppress(OSError):  # it has gone: the read will tell
            driver.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _receive(driver: socket.socket) -> bytes:
    """What the driver sent; nothing once it has gone."""
    try:
        return driver.recv(_CHUNK)
    except OSError:
        return b""


def _send(driver: socket.socket, data: bytes) -> bool:
    try:
        driver.sendall(data)
    except OSError:
        return False
    return True


def _is_readable(end: socket.socket, within: float) -> bool:
    return bool(select.select([end], [], [], within)[0])
