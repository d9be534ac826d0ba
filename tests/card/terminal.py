"""A terminal that follows what T=0 makes of answers."""

from collections.abc import Callable


def terminal(transmit: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """A terminal that follows `61xx` and `6Cxx`, EMV Book 1, annex A."""

    def exchange(raw: bytes) -> bytes:
        answer = transmit(raw)
        if answer[-2] == 0x6C:
            answer = transmit(raw[:4] + answer[-1:])
        data = b""
        while answer[-2] == 0x61:
            data += answer[:-2]
            answer = transmit(bytes.fromhex("00C00000") + answer[-1:])
        return data + answer

    return exchange
