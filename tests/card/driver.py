"""The far end of a plugged card: the frames that the driver `vpcd` sends, without PC/SC."""

import socket
from types import TracebackType
from typing import Self

from sesame.card.plug import Address
from sesame.card.vpcd import frame

OFF, ON, RESET, ATR = (bytes([control]) for control in (0, 1, 2, 4))
PATIENCE = 60.0  # seconds: a card that does not answer fails the test


class Driver:
    """A slot that waits for a card, on a port of its own or on the one given."""

    def __init__(self, port: int = 0) -> None:
        self._listener = socket.create_server(("127.0.0.1", port))
        self._listener.settimeout(PATIENCE)
        self.address = Address(*self._listener.getsockname())
        self._card: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the card and of the port."""
        self.drop()
        self._listener.close()

    def drop(self) -> None:
        """Close the card's connection, as a service that ends."""
        if self._card is not None:
            self._card.close()
        self._card = None

    def accept(self) -> Self:
        """Wait for a card to dial."""
        self._card, _ = self._listener.accept()
        self._card.settimeout(PATIENCE)
        return self

    @property
    def card(self) -> socket.socket:
        """The connection to the card."""
        assert self._card is not None
        return self._card

    def say(self, *bodies: bytes) -> None:
        """Send frames, and wait for nothing."""
        self.card.sendall(b"".join(frame(body) for body in bodies))

    def hear(self) -> bytes:
        """The next answer; nothing when the card has gone."""
        length = self._read(2)
        return self._read(int.from_bytes(length)) if length else b""

    def ask(self, body: bytes) -> bytes:
        """Send a frame and read the answer."""
        self.say(body)
        return self.hear()

    def power_on(self) -> bytes:
        """Power on, and the ATR."""
        self.say(ON)
        return self.ask(ATR)

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self.card.recv(length - len(data))
            if not part:
                return b""
            data += part
        return data
