"""A slot that writes down what goes over the contacts, as docs/reference/recordings.md has it."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress

from sesame.cap.mode import Inputs
from sesame.cap.terminal_data import AIDS, Scheme, scheme_of
from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.errors import EmvError
from sesame.errors import SesameError
from sesame.reader.application import primitives
from sesame.reader.blackening import blackened, without_pin
from sesame.reader.recording import KIND, SCHEMA, Exchange
from sesame.reader.slot import PinPadSlot, Slot

_ID = "session"
_PRIVATE_NOTE = "everything that the card said; the PIN is blackened"
_PUBLIC_NOTE = "card number, track data, cardholder's name and PIN are blackened"


class Recorder:
    """The *slot* that it stands in front of, and what went to and fro there.

    Only whole exchanges are kept, with the lengths of T=0 folded away. `broken` says at which
    command there was no answer, and why.
    """

    def __init__(self, slot: Slot) -> None:
        self._slot = slot
        self.atr = b""
        self.exchanges: list[Exchange] = []
        self.broken = ""

    @property
    def pin_pad(self) -> bool:
        """Whether the slot has keys of its own."""
        return isinstance(self._slot, PinPadSlot) and self._slot.pin_pad

    def power_on(self) -> bytes:
        """Reset the card; a session begins."""
        self.exchanges.clear()
        self.broken = ""
        self.atr = self._slot.power_on()
        return self.atr

    def transmit(self, command: Command) -> Response:
        """Send *command*, and write it down with its answer."""
        return self._kept(command, self._slot.transmit)

    def verify_on_pad(self, command: Command) -> Response:
        """Let the PIN be typed on the slot's keys; *command* has none in it."""
        if not isinstance(self._slot, PinPadSlot):
            raise TypeError("a slot without keys was asked for a PIN")
        return self._kept(command, self._slot.verify_on_pad)

    def power_off(self) -> None:
        """Take the power; what was written down stays."""
        self._slot.power_off()

    def _kept(self, command: Command, send: Callable[[Command], Response]) -> Response:
        try:
            response = send(command)
        except SesameError as error:
            self.broken = f"no answer to {command.name}: {type(error).__name__}"
            raise
        self.exchanges.append(Exchange(command, response))
        return response


def recording(
    recorder: Recorder,
    inputs: Inputs,
    *,
    transport: str | None = None,
    code: str | None = None,
    private: bool = False,
) -> bytes:
    """The file of one session: what `sesame trace` reads.

    Args:
        recorder: what went over the contacts.
        inputs: what was typed for the code.
        transport: `T=0` or `T=1`, where somebody knows.
        code: the digits that were shown, to be written down beside it.
        private: keep card number, track data and name. The PIN is never kept.
    """
    aid, scheme = _application(recorder.exchanges)
    shown = without_pin(recorder.exchanges) if private else blackened(recorder.exchanges)
    notes = [_PRIVATE_NOTE if private else _PUBLIC_NOTE, recorder.broken]
    vector: dict[str, object] = {
        "id": _ID,
        "scheme": scheme.value,
        "mode": inputs.mode.value,
        "inputs": _typed(inputs),
        "aid": aid.hex().upper() or None,
        "atr": recorder.atr.hex().upper() or None,
        "transport": transport,
        "exchanges": [
            {
                "step": one.command.name,
                "command": one.command.encode().hex().upper(),
                "response": one.response.encode().hex().upper(),
                "origin": "recorded",
            }
            for one in shown
        ],
        "note": "; ".join(note for note in notes if note),
    }
    if code is not None:
        vector["expect"] = {"otp_value": code}
    file = {"schema": SCHEMA, "kind": KIND, "vectors": [vector]}
    return json.dumps(file, indent=1).encode() + b"\n"


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
