"""What T=0 makes of a card's answers.

ISO/IEC 7816-3, 12.2; EMV 4.4 Book 1, 9.2 and annex A. A command of T=0 carries data one way
only. So an answer to data that were sent waits (`61xx`) until GET RESPONSE fetches it, and an
answer of another length than was asked for is refused with the right one (`6Cxx`). A reader
that passes commands on as they are shows all this to its programs. T=1 has none of it.
"""

from collections.abc import Callable

from sesame.emv.apdu import Cla, Ins, Response, Sw

_HEADER = 4  # bytes; a fifth one, P3, is the length of what goes one way or the other
_WAITING = 0x6100  # xx bytes wait, 00 for 256
_OTHER_LENGTH = 0x6C00  # ask again with Le = xx
_LONGEST = 256


class T0:
    """A card behind T=0.

    Args:
        respond: the card itself: a whole command in, a whole answer out.
    """

    def __init__(self, respond: Callable[[bytes], bytes]) -> None:
        self._respond = respond
        self._waiting = b""  # data that nobody has fetched yet

    def reset(self) -> None:
        """Forget what waits: the card has lost its power."""
        self._waiting = b""

    def respond(self, raw: bytes) -> bytes:
        """The answer to a command as T=0 gives it: 0 to 256 bytes of data, and a status word.

        An Le behind data that are sent is accepted, and means nothing.
        """
        if raw[1:2] == bytes([Ins.GET_RESPONSE]) and raw[0] in frozenset(Cla):
            return self._get_response(raw).encode()
        self._waiting = b""
        answer = Response.decode(self._respond(raw))
        if not answer.data:
            return answer.encode()
        if len(raw) > _HEADER + 1:
            self._waiting = answer.data
            return Response(_WAITING | _byte(answer.data)).encode()
        return _as_asked(raw, answer).encode()

    def _get_response(self, raw: bytes) -> Response:
        """GET RESPONSE, Book 1, 9.3.1.3; what is not fetched goes on waiting."""
        if not self._waiting:
            return Response(Sw.CONDITIONS_NOT_SATISFIED)
        if len(raw) < _HEADER or len(raw) > _HEADER + 1:
            return Response(Sw.WRONG_LENGTH)
        if any(raw[2:_HEADER]):
            return Response(Sw.WRONG_P1_P2)
        wanted = _le(raw)
        if wanted > len(self._waiting):
            return Response(_OTHER_LENGTH | _byte(self._waiting))
        data, self._waiting = self._waiting[:wanted], self._waiting[wanted:]
        return Response(_WAITING | _byte(self._waiting) if self._waiting else Sw.OK, data)


def _as_asked(raw: bytes, answer: Response) -> Response:
    """*answer* to a command that sent no data, when its length is what was asked for.

    Such commands (READ RECORD, GET DATA) change nothing, so the card may answer them twice.
    """
    return answer if _le(raw) == len(answer.data) else Response(_OTHER_LENGTH | _byte(answer.data))


def _le(raw: bytes) -> int:
    """How many bytes P3 asks for; a command of four bytes gets P3 = 00."""
    return (raw[_HEADER] if len(raw) > _HEADER else 0) or _LONGEST


def _byte(data: bytes) -> int:
    return len(data) % _LONGEST
