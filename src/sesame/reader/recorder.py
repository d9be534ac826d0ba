"""A slot that writes down what goes over the contacts, as docs/reference/recordings.md has it."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.terminal_data import AIDS, Scheme, scheme_of
from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.errors import EmvError
from sesame.errors import SesameError
from sesame.reader.application import primitives
from sesame.reader.blackening import blackened, blackened_atr, without_pin
from sesame.reader.recording import KIND, SCHEMA, Exchange
from sesame.reader.slot import PinPadSlot, Slot, TransportSlot, WatchedSlot

_ID = "session"
_PRIVATE_NOTE = "everything that the card said; the PIN is blackened"
_PUBLIC_NOTE = "card number, track data, cardholder's name and PIN are blackened"


@dataclass(slots=True, repr=False)
class Session:
    """What went over the contacts from a card's reset on.

    Only whole exchanges are kept, with the lengths of T=0 folded away. `broken` says at which
    command there was no answer, and why; `inputs` what the code was for, or was to be.
    """

    atr: bytes
    inputs: Inputs
    transport: str | None = None
    exchanges: list[Exchange] = field(default_factory=list)
    broken: str = ""

    @property
    def made_cryptogram(self) -> bool:
        """Whether somebody could make a code of it."""
        return any(one.command.ins == Ins.GENERATE_AC and one.response.ok for one in self.exchanges)


class Recorder:
    """The *slot* that it stands in front of, and what went to and fro there.

    *inputs* tells what the code is for, whenever it is asked. `sessions` are those in which the
    card has answered at least one command.
    """

    def __init__(self, slot: Slot, inputs: Callable[[], Inputs] = lambda: LOGIN) -> None:
        self._slot = slot
        self._inputs = inputs
        self._session = Session(b"", LOGIN)  # before there is a card
        self._begun: list[Session] = []

    @property
    def sessions(self) -> Sequence[Session]:
        """In their order."""
        return [session for session in self._begun if session.exchanges]

    @property
    def pin_pad(self) -> bool:
        """Whether the slot has keys of its own."""
        return isinstance(self._slot, PinPadSlot) and self._slot.pin_pad

    def power_on(self) -> bytes:
        """Reset the card; a session begins."""
        atr = self._slot.power_on()
        transport = self._slot.transport if isinstance(self._slot, TransportSlot) else None
        self._session = Session(atr, self._inputs(), transport)
        self._begun = [*self.sessions, self._session]
        return atr

    def transmit(self, command: Command) -> Response:
        """Send *command*, and write it down with its answer."""
        return self._kept(command, self._slot.transmit)

    def verify_on_pad(self, command: Command) -> Response:
        """Let the PIN be typed on the slot's keys; *command* has none in it."""
        if not isinstance(self._slot, PinPadSlot):
            raise TypeError("a slot without keys was asked for a PIN")
        return self._kept(command, self._slot.verify_on_pad)

    def power_off(self) -> None:
        """Take the power; what was written down stays, but for the PIN."""
        self._slot.power_off()
        self._session.exchanges = without_pin(self._session.exchanges)

    def _kept(self, command: Command, send: Callable[[Command], Response]) -> Response:
        session = self._session
        session.inputs = self._inputs()
        try:
            response = send(command)
        except SesameError as error:
            session.broken = f"no answer to {command.name}: {type(error).__name__}"
            raise
        session.exchanges.append(Exchange(command, response))
        return response


class WatchedRecorder(Recorder):
    """The same in front of a slot that a hand puts a card into."""

    def __init__(self, slot: WatchedSlot, inputs: Callable[[], Inputs]) -> None:
        super().__init__(slot, inputs)
        self._watched = slot

    def card_there(self) -> bool:
        """Whether there is a card now."""
        return self._watched.card_there()


def recorder_of(slot: Slot, inputs: Callable[[], Inputs]) -> Recorder:
    """What records *slot* and can do all that it can."""
    if isinstance(slot, WatchedSlot):
        return WatchedRecorder(slot, inputs)
    return Recorder(slot, inputs)


def recording(
    sessions: Sequence[Session], *, code: str | None = None, private: bool = False
) -> bytes:
    """The file of some sessions: what `sesame trace` reads.

    Args:
        sessions: what went over the contacts, one session or more.
        code: the digits that were shown in the last one, to be written down beside it.
        private: keep card number, track data and name. The PIN is never kept.
    """
    # Together: what one session tells to be private is private in the others.
    everything = [one for session in sessions for one in session.exchanges]
    shown = iter(without_pin(everything) if private else blackened(everything))
    vectors = [
        _vector(
            replace(
                session,
                atr=session.atr if private else blackened_atr(session.atr),
                exchanges=[*islice(shown, len(session.exchanges))],
            ),
            note=_PRIVATE_NOTE if private else _PUBLIC_NOTE,
        )
        for session in sessions
    ]
    for number, vector in enumerate(vectors, 1):
        vector["id"] = _ID if len(vectors) == 1 else f"{_ID}-{number}"
    if code is not None:
        vectors[-1]["expect"] = {"otp_value": code}
    file = {"schema": SCHEMA, "kind": KIND, "vectors": vectors}
    return json.dumps(file, indent=1).encode() + b"\n"


def _vector(session: Session, *, note: str) -> dict[str, object]:
    """What stands in the file of a *session*, all of which may be shown."""
    aid, scheme = _application(session.exchanges)
    return {
        "id": _ID,
        "scheme": scheme.value,
        "mode": session.inputs.mode.value,
        "inputs": _typed(session.inputs),
        "aid": aid.hex().upper() or None,
        "atr": session.atr.hex().upper() or None,
        "transport": session.transport,
        "exchanges": [
            {
                "step": one.command.name,
                "command": one.command.encode().hex().upper(),
                "response": one.response.encode().hex().upper(),
                "origin": "recorded",
            }
            for one in session.exchanges
        ],
        "note": "; ".join(filter(None, (note, session.broken))),
    }


def _application(exchanges: Iterable[Exchange]) -> tuple[bytes, Scheme]:
    """The AID that was selected last, and whose it is; DPA where none was."""
    aid, scheme = b"", Scheme.DPA
    for one in exchanges:
        if one.command.ins == Ins.SELECT and one.response.ok:
            aid = one.command.data
            scheme = AIDS.get(aid, scheme)
            with suppress(EmvError):
                scheme = scheme_of(scheme, primitives(one.response.data))
    return aid, scheme


def _typed(inputs: Inputs) -> dict[str, str | list[str]]:
    """What was typed, as it was; nothing of what was not."""
    amount = f"{inputs.amount // 100}.{inputs.amount % 100:02}" if inputs.amount else ""
    typed = {"challenge": inputs.challenge, "amount": amount, "currency": inputs.currency}
    fields = {"tds": list(inputs.fields)} if inputs.fields else {}
    return {**{name: value for name, value in typed.items() if value}, **fields}
