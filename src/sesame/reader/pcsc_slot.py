"""A slot of the computer: any card in any reader that its PC/SC service knows.

The only file that knows `pyscard`, and loads it when a card gets power. Its lowest layer is used,
the functions of PC/SC themselves: what the service says comes back as a number, and nothing runs
behind our back. PC/SC has no time limits, and a card that does not answer blocks whoever asks: so
a thread of its own asks, and is left behind where it is not answered.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, NoReturn, Self

from sesame.catalogue import Language
from sesame.emv.apdu import Command, Response
from sesame.emv.errors import MalformedApdu
from sesame.reader.errors import (
    AnswerMalformed,
    CardIsMute,
    CardPulled,
    NoCard,
    NoCommonProtocol,
    NoReader,
    PadUnfit,
    PcscLibraryMissing,
    ReaderBusy,
    ReaderUnknown,
    ReaderUnplugged,
    ServiceAbsent,
    ServiceFails,
    ServiceForbids,
    ServiceHangs,
    SeveralCards,
)
from sesame.reader.pin_pad import (
    FEATURE_VERIFY_PIN_DIRECT,
    PARAMETERS_REFUSED,
    PATIENCE,
    features,
    pin_verify,
)
from sesame.reader.transport import exchange

_PATIENCE = 15.0  # seconds for anything but a command: a cold reset takes up to two
_CARD_PATIENCE = 30.0  # seconds for a command; what chips compute takes less than two
_PAD_PATIENCE = 2 * PATIENCE + _PATIENCE
_LOOK = 0.25  # seconds between two looks for a card
_NOTICE = 1.0  # seconds in which the service notices that a card has gone

# PC/SC part 5, 3, and the control code of part 10, 2.2, as Unix and Windows have it.
_SCOPE_SYSTEM = 2
_EXCLUSIVE = 1
_T0, _T1 = 1, 2
_RESET, _UNPOWER = 1, 2
_UNAWARE, _UNKNOWN, _UNAVAILABLE, _PRESENT = 0x00, 0x04, 0x08, 0x20
_GET_FEATURE_REQUEST = 3400

_INVERSE = 0x3F  # TS of a card whose bits are the other way round
_SW = 2  # bytes

# What the service answers: only what makes a difference here.
_OK = 0
_ABSENT = frozenset({0x8010001D, 0x8010001E, 0x80100003})  # no service, stopped, knows us no more
_LOST = _ABSENT | {0x80100013}  # or broken in the middle: with a card that may be the card
_FORBIDDEN = frozenset({0x8010006A, 0x80100027})  # security violation, no access
_NO_READERS = 0x8010002E
_BUSY = 0x8010000B
_UNPLUGGED = frozenset({0x80100009, 0x80100017})
_REMOVED = frozenset({0x8010000C, 0x80100069})
_UNRESPONSIVE = frozenset({0x80100066, 0x80100067})
_MISMATCH = frozenset({0x8010000F, 0x80100065})


class PcscSlot:
    """A card in a reader of this computer, for us alone from power on to power off.

    Leaving the context takes the power away.

    Args:
        name: of the reader, a part of it, or its number; empty where the card decides.
        wait: how many seconds `power_on` waits for somebody to put a card in.
        language: in which a PIN pad asks.
        tell: is told the readers that are looked at, once, when a card has to be waited for.
        library: what stands in for pyscard's `smartcard.scard`.
        seconds: of a clock that never goes back.
        pause: lets so many of them pass.
    """

    def __init__(  # noqa: PLR0913 -- each by its name
        self,
        name: str = "",
        *,
        wait: float = 0.0,
        language: Language = Language.FRENCH,
        tell: Callable[[Sequence[str]], None] = lambda _: None,
        library: object | None = None,
        seconds: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self.wait = wait
        self._language = language
        self._tell = tell
        self._library = library
        self._seconds = seconds
        self._pause = pause
        self._service: _Service | None = None
        self._card: Any = None  # the service's handle
        self._t0 = True
        self._pad: int | None = None  # its control code
        self.reader = ""  # its name, once a card has power in it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()

    @property
    def pin_pad(self) -> bool:
        """Whether the reader has keys of its own."""
        return self._pad is not None

    @property
    def transport(self) -> str:
        """What the card speaks: `T=0` or `T=1`."""
        return "T=0" if self._t0 else "T=1"

    def power_on(self) -> bytes:
        """Wait for a card, take it for us alone, and reset it.

        Raises:
            CardIsMute: nothing answers.
            PcscError: something is missing, or in use elsewhere; see `sesame.reader.errors`.
        """
        self.power_off()
        self._service = _Service(self._library or _load())
        try:
            self.reader = self._await_card(self._service)
            return self._connect(self._service)
        except BaseException:
            self.power_off()
            raise

    def transmit(self, command: Command) -> Response:
        """Send *command*; what T=0 and T=1 make of lengths stays in here.

        Raises:
            CardIsMute: the card has no power, or does not answer.
            PcscError: it was taken out, its reader unplugged, the service is gone or hangs.
        """
        with _told_as_malformed():
            return exchange(command, self._send, t0=self._t0)

    def verify_on_pad(self, command: Command) -> Response:
        """Let the PIN be typed on the reader's keys and sent in *command*.

        Raises:
            CardIsMute: the card has no power, or does not answer.
            PcscError: as for `transmit`.
        """
        if self._pad is None:
            raise CardIsMute
        structure = pin_verify(command, self._language)
        answer = self._ask_card("SCardControl", self._pad, [*structure], within=_PAD_PATIENCE)
        with _told_as_malformed():
            response = Response.decode(answer)
        if response.sw == PARAMETERS_REFUSED:
            raise PadUnfit(self.reader)
        return response

    def power_off(self) -> None:
        """Take the card's power and let others have it."""
        service, card = self._service, self._card
        self._service = self._card = None
        if service is not None:
            service.end(card)

    def card_there(self) -> bool:
        """Whether there is a card in the reader that has one of ours, else in any that is meant.

        Raises:
            PcscError: there is no reader, or no service that knows it.
        """
        service = self._service
        if service is not None:
            return bool(service.state(self.reader) & _PRESENT)
        service = _Service(self._library or _load())
        try:
            meant = meant_by(self._name, service.readers())
            return any(service.state(reader) & _PRESENT for reader in meant)
        finally:
            service.end()

    # A reader, and a card in it.

    def _await_card(self, service: "_Service") -> str:
        """The one reader that may be meant and has a card in it."""
        end = self._seconds() + self.wait
        told = False
        while True:
            readers = service.readers()
            meant = meant_by(self._name, readers)
            with_card = [reader for reader in meant if service.state(reader) & _PRESENT]
            if len(with_card) > 1:
                raise SeveralCards(with_card, readers)
            if with_card:
                return with_card[0]
            left = end - self._seconds()
            if left <= 0:
                raise NoCard(meant, self.wait)
            if not told:
                self._tell(meant)
                told = True
            self._pause(min(left, _LOOK))

    def _connect(self, service: "_Service") -> bytes:
        """Both protocols are offered, and the card's ATR decides."""
        code, (self._card, _) = service.ask(
            "SCardConnect", service.context, self.reader, _EXCLUSIVE, _T0 | _T1
        )
        if code != _OK:
            self._card = None
            self._fail("SCardConnect", code)
        # It may have had power for a while: a cold reset makes it forget what was.
        atr = self._reset(service, _UNPOWER)
        if atr[:1] == bytes([_INVERSE]):
            atr = self._reset(service, _RESET)
        self._pad = self._find_pad(service)
        return atr

    def _reset(self, service: "_Service", how: int) -> bytes:
        code, (protocol,) = service.ask("SCardReconnect", self._card, _EXCLUSIVE, _T0 | _T1, how)
        if code != _OK:
            self._fail("SCardReconnect", code)
        if protocol not in (_T0, _T1):
            raise NoCommonProtocol(self.reader)
        self._t0 = protocol == _T0
        code, (*_, atr) = service.ask("SCardStatus", self._card)
        if code != _OK:
            self._fail("SCardStatus", code)
        return bytes(atr)

    def _find_pad(self, service: "_Service") -> int | None:
        """The control code of the reader's keys; None where it has none, or is not asked."""
        code, (answer,) = service.ask(
            "SCardControl", self._card, service.control_code(_GET_FEATURE_REQUEST), []
        )
        return features(bytes(answer)).get(FEATURE_VERIFY_PIN_DIRECT) if code == _OK else None

    # A command, and what has become of the card where there is no answer.

    def _send(self, raw: bytes) -> bytes:
        if self._service is None:
            raise CardIsMute
        protocol = _T0 if self._t0 else _T1
        return self._ask_card("SCardTransmit", protocol, [*raw], within=_CARD_PATIENCE)

    def _ask_card(self, call: str, *arguments: object, within: float) -> bytes:
        if self._service is None:
            raise CardIsMute
        code, (answer,) = self._service.ask(call, self._card, *arguments, within=within)
        if code != _OK:
            self._fail(call, code)
        if len(answer) < _SW:  # a card that goes in the middle: the service calls it a success
            self._find_out(self._service)
        return bytes(answer)

    def _fail(self, call: str, code: int) -> NoReturn:
        """Say what *code* means for whoever sits at the reader."""
        if code == _BUSY:
            raise ReaderBusy(self.reader)
        if code in _MISMATCH:
            raise NoCommonProtocol(self.reader)
        if code in _UNRESPONSIVE:
            raise CardIsMute
        if code in _REMOVED:
            raise CardPulled(self.reader)
        if code in _UNPLUGGED:
            raise ReaderUnplugged(self.reader)
        if code in _ABSENT or code in _FORBIDDEN or self._service is None:
            fail(call, code)
        self._find_out(self._service, otherwise=ServiceFails(call, code))

    def _find_out(self, service: "_Service", otherwise: Exception | None = None) -> NoReturn:
        """Why there was no answer: the service notices within a second what has gone."""
        for _ in range(round(_NOTICE / _LOOK) + 1):
            state = service.state(self.reader)
            if state & (_UNKNOWN | _UNAVAILABLE):
                raise ReaderUnplugged(self.reader)
            if not state & _PRESENT:
                raise CardPulled(self.reader)
            self._pause(_LOOK)
        raise otherwise or CardIsMute


def meant_by(name: str, readers: Sequence[str]) -> Sequence[str]:
    """Those of *readers* that *name* may mean: a whole name, a number, or a part of a name.

    Raises:
        NoReader: there are none at all.
        ReaderUnknown: none that it may mean.
    """
    if not readers:
        raise NoReader
    part = name.strip().casefold()
    if not part:
        return readers
    whole = [reader for reader in readers if reader.casefold() == part]
    if whole:
        return whole
    if part.isdecimal() and int(part) < len(readers):
        return [readers[int(part)]]
    found = [reader for reader in readers if part in reader.casefold()]
    if not found:
        raise ReaderUnknown(name, readers)
    return found


def fail(call: str, code: int) -> NoReturn:
    """Say what *code* means for whoever keeps the computer."""
    if code in _LOST:
        raise ServiceAbsent
    if code in _FORBIDDEN:
        raise ServiceForbids
    raise ServiceFails(call, code)


@contextmanager
def _told_as_malformed() -> Iterator[None]:
    """Bytes that are no answer become an error of ours."""
    try:
        yield
    except MalformedApdu as error:
        raise AnswerMalformed(str(error)) from None


def _load() -> object:
    """The functions of PC/SC."""
    try:
        from smartcard import scard  # noqa: PLC0415 -- only who has a reader needs it
    except ImportError as error:
        raise PcscLibraryMissing(str(error)) from None
    functions: object = scard
    return functions


class _Service:
    """The PC/SC service, asked by a thread that may be left behind.

    Raises:
        ServiceAbsent, ServiceForbids, ServiceHangs, ServiceFails: there is nobody to work with.
    """

    def __init__(self, library: object) -> None:
        self._library = library
        self._questions: SimpleQueue[tuple[Callable[[], object], Future[object]] | None]
        self._questions = SimpleQueue()
        self._hangs = False
        # A daemon: the program ends although a card keeps it.
        Thread(target=_answer, args=(self._questions,), daemon=True).start()
        self.context: Any = None
        code, (context,) = self.ask("SCardEstablishContext", _SCOPE_SYSTEM)
        if code != _OK:
            self.end()
            fail("SCardEstablishContext", code)
        self.context = context

    def ask(
        self, call: str, *arguments: object, within: float | None = None
    ) -> tuple[int, Sequence[Any]]:
        """The number that *call* gives, as 32 bits, and what stands behind it.

        Raises:
            ServiceHangs: no answer in so many seconds, now or before.
        """
        seconds = _PATIENCE if within is None else within
        if self._hangs:
            raise ServiceHangs(call, seconds)
        answer = self._put(call, *arguments)
        try:
            told = answer.result(seconds)
        except TimeoutError:
            raise ServiceHangs(call, seconds) from None
        finally:
            self._hangs = not answer.done()  # also when Ctrl-C comes first
        code, *rest = told if isinstance(told, (list, tuple)) else (told,)
        return int(code) & 0xFFFFFFFF, rest

    def readers(self) -> Sequence[str]:
        """Their names, in the service's order."""
        code, (readers,) = self.ask("SCardListReaders", self.context, [])
        if code == _NO_READERS:
            return []
        if code != _OK:
            fail("SCardListReaders", code)
        return [str(reader) for reader in readers]

    def state(self, reader: str) -> int:
        """What is to be said of *reader*, bit by bit: part 5, 3.2.5."""
        call = "SCardGetStatusChange"
        code, (states,) = self.ask(call, self.context, 0, [(reader, _UNAWARE)])
        if code in _UNPLUGGED:
            return _UNKNOWN
        if code != _OK:
            fail(call, code)
        _, state, *_ = states[0]
        return int(state)

    def control_code(self, number: int) -> int:
        """How the driver's function *number* is called on this system."""
        code: int = getattr(self._library, "SCARD_CTL_CODE")(number)  # noqa: B009 -- any library
        return code

    def end(self, card: object = None) -> None:
        """Give *card* and everything back: at once, or when the thread is free."""
        answers = []
        if card is not None:
            answers.append(self._put("SCardDisconnect", card, _UNPOWER))
        if self.context is not None:
            answers.append(self._put("SCardReleaseContext", self.context))
        self._questions.put(None)
        if not self._hangs:
            for answer in answers:
                with suppress(TimeoutError):
                    answer.result(_PATIENCE)

    def _put(self, call: str, *arguments: object) -> "Future[object]":
        answer: Future[object] = Future()
        self._questions.put((partial(getattr(self._library, call), *arguments), answer))
        return answer


def _answer(questions: "SimpleQueue[tuple[Callable[[], object], Future[object]] | None]") -> None:
    """What the thread does: one question after the other."""
    while (question := questions.get()) is not None:
        ask, answer = question
        try:
            answer.set_result(ask())
        except Exception as error:  # noqa: BLE001 -- whoever asked gets it
            answer.set_exception(error)
