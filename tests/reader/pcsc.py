"""A PC/SC service that is not there: what pyscard's functions answer, and everything going wrong.

Numbers and shapes as the functions of `smartcard.scard` give them: a number first, and behind it
what the function is asked for, whether it has succeeded or not.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.pin import EMPTY_PIN_BLOCK

OK = 0
NO_SERVICE, STOPPED, INVALID_HANDLE = 0x8010001D, 0x8010001E, 0x80100003
COMM_ERROR, NOT_TRANSACTED = 0x80100013, 0x80100016
FORBIDDEN = 0x8010006A
NO_READERS, UNKNOWN_READER, UNAVAILABLE = 0x8010002E, 0x80100009, 0x80100017
BUSY, NO_CARD, REMOVED = 0x8010000B, 0x8010000C, 0x80100069
UNRESPONSIVE, UNPOWERED, MISMATCH = 0x80100066, 0x80100067, 0x8010000F
UNSUPPORTED = 0x8010001F

PRESENT, EMPTY = 0x22, 0x12
T0, T1 = 1, 2
PAD_CODE = 0x42330006
FEATURES = bytes.fromhex("1204 42330012 0604 42330006")
COLD, WARM = 2, 1
DIRECT_ATR, INVERSE_ATR = bytes.fromhex("3B00"), bytes.fromhex("3F00")


@dataclass
class FakeReader:
    """A reader, and perhaps a card that answers."""

    answer: Callable[[bytes], bytes] | None = None  # None: no card
    protocol: int = T0
    atrs: dict[int, bytes] = field(default_factory=lambda: {COLD: DIRECT_ATR, WARM: DIRECT_ATR})
    typed: Callable[[bytes], bytes] | None = None  # what comes of a PIN on its keys; None: has none
    reset: Callable[[], object] = lambda: None
    resets: list[int] = field(default_factory=list)


class FakeLibrary:
    """Stands in for `smartcard.scard`.

    `codes` has what a function says instead of success; `before` is called before each with its
    name, and may change anything, or wait.
    """

    def __init__(self, **readers: FakeReader) -> None:
        self.readers = {name.replace("_", " "): reader for name, reader in readers.items()}
        self.codes: dict[str, int] = {}
        self.before: Callable[[str], None] = lambda _: None
        self.called: list[str] = []
        self.sent: list[bytes] = []
        self.controlled: list[bytes] = []
        self.connected: FakeReader | None = None
        self.threads: set[int] = set()

    def _begin(self, name: str) -> int:
        self.called.append(name)
        self.threads.add(threading.get_ident())
        self.before(name)
        return self.codes.get(name, OK)

    def SCardEstablishContext(self, scope: int) -> Sequence[object]:  # noqa: N802 -- its name
        """A context."""
        assert scope == 2
        return [self._begin("SCardEstablishContext"), 77]

    def SCardReleaseContext(self, context: int) -> int:  # noqa: N802
        """No tuple, as pyscard has it."""
        assert context == 77
        return self._begin("SCardReleaseContext")

    def SCardListReaders(self, context: int, groups: list[str]) -> Sequence[object]:  # noqa: N802
        """Their names."""
        assert (context, groups) == (77, [])
        code = self._begin("SCardListReaders") or (OK if self.readers else NO_READERS)
        return [code, list(self.readers) if code == OK else []]

    def SCardGetStatusChange(  # noqa: N802
        self, context: int, timeout: int, states: list[tuple[str, int]]
    ) -> Sequence[object]:
        """One reader's state, at once."""
        ((name, known),) = states
        assert (context, timeout, known) == (77, 0, 0)
        code = self._begin("SCardGetStatusChange")
        reader = self.readers.get(name)
        if reader is None:
            return [code or UNKNOWN_READER, [(name, 0, [])]]
        return [code, [(name, PRESENT if reader.answer else EMPTY, [])]]

    def SCardConnect(  # noqa: N802
        self, context: int, name: str, share: int, protocols: int
    ) -> Sequence[object]:
        """A card for one program alone."""
        assert (context, share, protocols) == (77, 1, 3)
        code = self._begin("SCardConnect")
        self.connected = self.readers[name] if code == OK else None
        return [code, 88, self.readers[name].protocol]

    def SCardReconnect(  # noqa: N802
        self, card: int, share: int, protocols: int, how: int
    ) -> Sequence[object]:
        """A reset, cold or warm."""
        assert (card, share, protocols) == (88, 1, 3)
        reader = self._card()
        code = self._begin("SCardReconnect")
        reader.resets.append(how)
        reader.reset()
        return [code, reader.protocol]

    def SCardStatus(self, card: int) -> Sequence[object]:  # noqa: N802
        """With the ATR at its end."""
        assert card == 88
        code = self._begin("SCardStatus")
        reader = self._card()
        return [code, "name", 0, reader.protocol, [*reader.atrs[reader.resets[-1]]]]

    def SCardTransmit(  # noqa: N802
        self, card: int, protocol: int, command: list[int]
    ) -> Sequence[object]:
        """The card's answer; a card that goes in the middle makes an empty one, and success."""
        assert card == 88
        reader = self._card()
        assert protocol == reader.protocol
        code = self._begin("SCardTransmit")
        self.sent.append(bytes(command))
        if code != OK or reader.answer is None:
            return [code, []]
        return [OK, [*reader.answer(bytes(command))]]

    def SCardControl(self, card: int, number: int, data: list[int]) -> Sequence[object]:  # noqa: N802
        """The features, and the keys."""
        assert card == 88
        reader = self._card()
        if number == self.SCARD_CTL_CODE(3400):
            code = self._begin("features")
            return [code, [*FEATURES]] if reader.typed else [code or UNSUPPORTED, []]
        assert number == PAD_CODE
        assert reader.typed is not None
        code = self._begin("SCardControl")
        self.controlled.append(bytes(data))
        return [code, [*reader.typed(bytes(data))] if code == OK else []]

    def SCardDisconnect(self, card: int, how: int) -> int:  # noqa: N802
        """Takes the power."""
        assert (card, how) == (88, 2)
        self.connected = None
        return self._begin("SCardDisconnect")

    def SCARD_CTL_CODE(self, number: int) -> int:  # noqa: N802
        """As on Unix."""
        return 0x42000000 + number

    def _card(self) -> FakeReader:
        assert self.connected is not None
        return self.connected


def t0(respond: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A card behind T=0, written from Book 1, annex A: `61xx` and `6Cxx` as they come."""
    waiting = b""

    def answer(raw: bytes) -> bytes:
        nonlocal waiting
        if raw[1] == Ins.GET_RESPONSE:
            assert raw[:4] == bytes.fromhex("00C00000")
            data, waiting = waiting[: raw[4] or 256], waiting[raw[4] or 256 :]
            return data + ((0x6100 + len(waiting)) if waiting else 0x9000).to_bytes(2)
        command = Command.decode(raw)
        assert not (command.data and command.le), "T=0 carries data one way only"
        found = Response.decode(respond(raw))
        if not found.data:
            return found.encode()
        if command.data:
            waiting = found.data
            return (0x6100 + len(waiting) % 256).to_bytes(2)
        if (raw[4:] or b"\0") != bytes([len(found.data) % 256]):
            return (0x6C00 + len(found.data) % 256).to_bytes(2)
        return found.encode()

    return answer


def pad(answer: Callable[[bytes], bytes], digits: str) -> Callable[[bytes], bytes]:
    """The keys of a reader on which somebody types *digits*."""

    def typed(structure: bytes) -> bytes:
        command = structure[19:]
        assert command.endswith(EMPTY_PIN_BLOCK)
        block = bytes.fromhex(f"2{len(digits):X}{digits}".ljust(16, "F"))
        return answer(command[:5] + block)

    return typed
