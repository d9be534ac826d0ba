"""A program that speaks PC/SC, for the tests: started with Debian's Python, which has pyscard.

    pcsc_client.py SLOT PROTOCOL      T0, T1 or any

Says which protocol it got. Then commands come in, hexadecimal, one a line, and answers go out;
`61xx` and `6Cxx` are followed as EMV Book 1, annex A has it. What goes wrong begins with `!`.
"""

import signal
import sys

from smartcard.CardConnection import CardConnection
from smartcard.System import readers

_PROTOCOLS = {
    "T0": CardConnection.T0_protocol,
    "T1": CardConnection.T1_protocol,
    "any": CardConnection.T0_protocol | CardConnection.T1_protocol,
}


def main(slot: str, protocol: str) -> None:
    """Answer until the input ends, and no longer than a minute: a card could hang us."""
    signal.alarm(60)
    try:
        connection = readers()[int(slot)].createConnection()
        connection.connect(_PROTOCOLS[protocol])
    except Exception as error:  # noqa: BLE001 -- whatever it is, the test must know
        _say(f"!{error}")
        return
    _say({1: "T=0", 2: "T=1"}[connection.getProtocol()])
    for line in sys.stdin:
        try:
            _say(_exchange(connection, list(bytes.fromhex(line))))
        except Exception as error:  # noqa: BLE001 -- likewise
            _say(f"!{type(error).__name__} {error}")


def _exchange(connection: CardConnection, command: "list[int]") -> str:
    data, sw1, sw2 = connection.transmit(command)
    if sw1 == 0x6C:
        data, sw1, sw2 = connection.transmit([*command[:4], sw2])
    while sw1 == 0x61:
        more, sw1, sw2 = connection.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
        data += more
    return bytes([*data, sw1, sw2]).hex()


def _say(line: str) -> None:
    sys.stdout.write(line.replace("\n", " ") + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
