"""A plugged card over its connection: dialling, dialling again, and ending."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sesame.card import plug
from sesame.card.chip import Chip
from sesame.card.errors import CardFileUnusable
from sesame.card.memory import Counters
from sesame.card.plug import Address, Line, keep_plugged
from sesame.card.vpcd import Happening, PluggedCard, Word
from sesame.emv.apdu import select
from tests.card.cards import DPA, GPO, NEW, sesame_image
from tests.card.driver import ATR, ON, PATIENCE, Driver

SELECT = select(DPA).encode()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plug, "_REDIAL", 0.01)
    monkeypatch.setattr(plug, "_SILENCE", 60.0)


class Plugged:
    """A card that a thread keeps plugged."""

    def __init__(self, address: Address, persist: Callable[[Counters], None]) -> None:
        image = sesame_image()
        card = PluggedCard(Chip(image, NEW, persist), image.atr, tpdu=False)
        self.told: list[object] = []
        self.failure: Exception | None = None
        ours, self._end = socket.socketpair()

        def run() -> None:
            with ours:
                try:
                    keep_plugged(card, address, ours, self.told.append)
                except CardFileUnusable as failure:
                    self.failure = failure

        self._thread = threading.Thread(target=run)
        self._thread.start()

    def pull(self) -> None:
        """Take the card out."""
        with suppress(OSError):
            self._end.send(b"\x00")
        self._thread.join(PATIENCE)
        self._end.close()
        assert not self._thread.is_alive()

    def wait_for(self, event: object, times: int = 1) -> None:
        """Until *event* has been told so often."""
        deadline = time.monotonic() + PATIENCE
        while self.told.count(event) < times:
            assert time.monotonic() < deadline, self.told
            time.sleep(0.005)


@contextmanager
def plugged(
    address: Address, persist: Callable[[Counters], None] = lambda _: None
) -> Iterator[Plugged]:
    """A card in the slot at *address*."""
    card = Plugged(address, persist)
    try:
        yield card
    finally:
        card.pull()


def test_a_card_answers_the_driver() -> None:
    """Power, ATR, a command in two segments; taken out, the connection is closed."""
    with Driver() as driver:
        with plugged(driver.address) as card:
            driver.accept()
            assert driver.power_on() == sesame_image().atr
            driver.card.sendall(len(SELECT).to_bytes(2))
            time.sleep(0.01)
            driver.card.sendall(SELECT)
            assert driver.hear()[-2:] == bytes.fromhex("9000")
        assert driver.ask(ATR) == b""
        assert card.told[:2] == [Line.CONNECTED, Happening(Word.POWER_ON)]
        assert card.told[-1] == Happening(Word.POWER_OFF)


def test_a_service_that_is_not_there_yet_is_waited_for() -> None:
    """That is said once, however often it is tried."""
    with Driver() as driver:
        address = driver.address
    with plugged(address) as card:
        card.wait_for(Line.WAITING)
        time.sleep(0.1)
        with Driver(address.port) as driver:
            assert driver.accept().power_on() == sesame_image().atr
        card.wait_for(Line.GONE)
        card.wait_for(Line.WAITING, times=2)
    assert card.told.count(Line.WAITING) == 2


@pytest.mark.parametrize("linger", [False, True], ids=["close", "reset"])
def test_a_service_that_restarts_finds_the_card_again(linger: bool) -> None:  # noqa: FBT001
    """Without power, and nothing of the old dialogue is left."""
    with Driver() as driver, plugged(driver.address) as card:
        for times in (1, 2, 3):
            driver.accept()
            driver.power_on()
            driver.ask(SELECT)
            if linger:  # close with a reset
                driver.card.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            driver.drop()
            card.wait_for(Line.GONE, times)
        driver.accept()
        assert driver.ask(ATR) == sesame_image().atr
        assert driver.ask(SELECT) == bytes.fromhex("6985")
        assert driver.power_on() == sesame_image().atr
        assert driver.ask(GPO.encode()) == bytes.fromhex("6985")


def test_a_service_that_goes_during_a_command_is_dialled_again() -> None:
    """The answer that nobody takes is lost, as on a card that is pulled."""
    with Driver() as driver, plugged(driver.address):
        for _ in range(3):
            driver.accept()
            driver.card.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            driver.say(ON, *[SELECT] * 2000)
            driver.drop()
        assert driver.accept().power_on() == sesame_image().atr


def test_garbage_is_answered_and_survived() -> None:
    """Frames of every length, and what is no frame at all waits for its end."""
    with Driver() as driver, plugged(driver.address):
        driver.accept().power_on()
        for body in (b"", b"\x03", b"\xff" * 3, bytes(0xFFFF), bytes(range(256))):
            assert len(driver.ask(body)) == 2
        assert driver.ask(SELECT)[-2:] == bytes.fromhex("9000")
        driver.card.sendall(b"\xff\xff half a frame")
        driver.drop()
        assert driver.accept().power_on() == sesame_image().atr


def test_a_slot_that_another_card_has_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connected, and nothing is asked: once."""
    monkeypatch.setattr(plug, "_SILENCE", 0.05)
    with Driver() as driver, plugged(driver.address) as card:
        driver.accept()
        card.wait_for(Line.SILENT)
        time.sleep(0.2)
        assert driver.power_on() == sesame_image().atr
    assert card.told.count(Line.SILENT) == 1


def test_a_card_whose_counters_cannot_be_kept_is_out_of_the_slot() -> None:
    """No answer leaves, the connection is closed, and the error is handed on."""

    def persist(_: Counters) -> None:
        raise CardFileUnusable(Path("vera.card"), OSError(28, "No space left on device"))

    with Driver() as driver:
        with plugged(driver.address, persist) as card:
            driver.accept().power_on()
            assert driver.ask(SELECT)[-2:] == bytes.fromhex("9000")
            assert driver.ask(GPO.encode()) == b""
        assert isinstance(card.failure, CardFileUnusable)


def test_a_card_can_be_taken_out_while_nobody_is_there() -> None:
    """At once."""
    with Driver() as driver:
        address = driver.address
    with plugged(address) as card:
        card.wait_for(Line.WAITING)
    assert card.told == [Line.WAITING]


def test_a_card_that_has_dialled_itself_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given the port that it dials: nobody was there, and the port is free for the service."""
    with Driver() as driver:
        address = driver.address
    real = socket.create_connection
    itself = 0

    def from_that_port(to: tuple[str, int], timeout: float) -> socket.socket:
        nonlocal itself
        connection = real(to, timeout=timeout, source_address=to)
        itself += connection.getsockname() == connection.getpeername()
        return connection

    monkeypatch.setattr(socket, "create_connection", from_that_port)
    with plugged(address) as card:
        card.wait_for(Line.WAITING)
        monkeypatch.setattr(socket, "create_connection", real)
        with Driver(address.port) as driver:
            assert driver.accept().power_on() == sesame_image().atr
            card.wait_for(Line.CONNECTED)
    assert itself
    assert card.told.index(Line.WAITING) < card.told.index(Line.CONNECTED)


def test_an_address_is_written_as_it_is_typed() -> None:
    """IPv6 in brackets."""
    assert [str(Address()), str(Address("::1", 1))] == ["127.0.0.1:35963", "[::1]:1"]
