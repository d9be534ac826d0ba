"""What a reader makes of T=0 and T=1. Pure.

EMV 4.4 Book 1, 9.2 and annex A; ISO/IEC 7816-3, 12. Under T=0 a command carries data one way
only: an answer to data that were sent is fetched with GET RESPONSE (`61xx`), and one of another
length is asked for again (`6Cxx`). Under T=1 a command that sends data and awaits some says so
with Le.

A command that sends data is never sent again, whatever the card answers: a PIN that a card asked
for twice would cost two tries.
"""

from collections.abc import Callable
from dataclasses import replace

from sesame.emv.apdu import Cla, Command, Ins, Response
from sesame.emv.errors import MalformedApdu

_WAITING = 0x61  # SW1: SW2 bytes wait, 00 for 256
_OTHER_LENGTH = 0x6C  # SW1: ask again with Le = SW2
_LONGEST = 256


def exchange(command: Command, send: Callable[[bytes], bytes], *, t0: bool) -> Response:
    """The whole answer to *command*, which *send* carries to the card and back.

    Raises:
        MalformedApdu: the card's answer is under two bytes or, put together, over 258; or there is
            no end to it: the card promises bytes and sends none, or names one length after another.
    """
    response = _as_long_as_it_is(_framed(command, t0=t0), send)
    whole = response
    # Each piece brings a byte at least, and the whole is refused when it has too many.
    while response.sw >> 8 == _WAITING:
        fetch = Command(Cla.ISO, Ins.GET_RESPONSE, 0x00, 0x00, le=_length(response.sw))
        response = _as_long_as_it_is(fetch, send)
        if response.sw >> 8 == _WAITING and not response.data:
            raise MalformedApdu(f"{response.sw:04X} to GET RESPONSE, and no byte with it")
        whole = Response(response.sw, whole.data + response.data)
    return whole


def _framed(command: Command, *, t0: bool) -> Command:
    """*command* with the Le that its protocol wants."""
    if not command.data:
        return command
    if t0 or command.ins == Ins.VERIFY:  # under T=0 never both, and VERIFY awaits nothing
        return replace(command, le=None)
    return replace(command, le=command.le or _LONGEST)


def _as_long_as_it_is(command: Command, send: Callable[[bytes], bytes]) -> Response:
    response = Response.decode(send(command.encode()))
    if command.data or response.sw >> 8 != _OTHER_LENGTH:
        return response
    response = Response.decode(send(replace(command, le=_length(response.sw)).encode()))
    if response.sw >> 8 == _OTHER_LENGTH:
        raise MalformedApdu(f"{response.sw:04X} to the length that the card has asked for")
    return response


def _length(sw: int) -> int:
    return sw & 0xFF or _LONGEST
