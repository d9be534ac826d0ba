"""What crosses the socket between a web process and the custody process.

A frame is its length (4 bytes, big-endian) and so many bytes of MessagePack. The custody process
begins with a `Greeting`. A question is `[number, [call, …]]`, its answer `[number, [result, …]]`
in the order of the calls; answers may come in another order than their questions.

The calls are those of `RevealingCustodian` and no others: who issues cards is not on this socket
(docs/reference/custody-socket.md).
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from sesame.custody.custodian import (
    CardRecord,
    Fit,
    Inquiry,
    KeyUsage,
    PairFit,
    PairInquiry,
    Registered,
)
from sesame.custody.errors import (
    CustodyBusy,
    CustodyError,
    CustodyUnavailable,
    KeyMissing,
    MalformedFrame,
    MalformedInquiry,
    ProfileUnknown,
    ProfileUnsupported,
    SealBroken,
    UnsuitableCard,
    UnsuitableKey,
    WrongUsage,
)
from sesame.emv.pan import Pan
from sesame.errors import SesameError

PROTOCOL = 1
LENGTH = 4  # bytes in front of a frame
LARGEST_FRAME = 1 << 20  # bytes
# A call has to fit into a frame; longer lists are asked in parts. A pair inquiry takes 2 KiB.
MOST_ITEMS = 128
_FRAME_AROUND_CALLS = 32  # bytes, at most


class Greeting(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What the custody process says first: how it speaks, and whose keys it has."""

    protocol: int
    demonstration: bool  # its keys may be anybody's


class Match(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="match"):
    """`Custodian.match`."""

    inquiries: tuple[Inquiry, ...]


class MatchPairs(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="pairs"):
    """`Custodian.match_pairs`."""

    inquiries: tuple[PairInquiry, ...]


class Register(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="register"):
    """`Custodian.register`."""

    card: CardRecord
    context: bytes


class RegisterAll(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="all"):
    """`Custodian.register_all`."""

    cards: tuple[tuple[CardRecord, bytes], ...]


class PanIndex(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="index"):
    """`Custodian.pan_index`."""

    pan: Pan


class Mac(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="mac"):
    """`Custodian.mac`."""

    usage: KeyUsage
    data: bytes

    def __repr__(self) -> str:
        """Without the data: a session's seed is in it."""
        return f"Mac({self.usage})"


class Reveal(Struct, frozen=True, array_like=True, forbid_unknown_fields=True, tag="reveal"):
    """`RevealingCustodian.reveal`."""

    sealed: bytes
    context: bytes

    def __repr__(self) -> str:
        return f"Reveal({self.context!r})"


Call = Match | MatchPairs | Register | RegisterAll | PanIndex | Mac | Reveal


class Failure(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An error of custody: its name, and what it is made of."""

    name: str
    parts: tuple[str | int | None, ...]


class Result(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What came of one call: an error, or a value that its asker can read."""

    failure: Failure | None
    value: Raw


class Frame(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A question: its number, and calls that are not read yet."""

    number: int
    calls: tuple[Raw, ...]


class Answer(Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The results of the question of this number."""

    number: int
    results: tuple[Result, ...]


encode = msgspec.msgpack.Encoder().encode
read_greeting = msgspec.msgpack.Decoder(Greeting).decode
read_answer = msgspec.msgpack.Decoder(Answer).decode
_read_frame = msgspec.msgpack.Decoder(Frame).decode
_read_call: Callable[[Raw], Call] = msgspec.msgpack.Decoder(Call).decode

read_fits = msgspec.msgpack.Decoder(list[tuple[Fit, ...]]).decode
read_pair_fits = msgspec.msgpack.Decoder(list[tuple[PairFit, ...]]).decode
read_registered = msgspec.msgpack.Decoder(list[Registered]).decode
read_bytes = msgspec.msgpack.Decoder(bytes).decode
read_pan = msgspec.msgpack.Decoder(Pan).decode

NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def framed(message: bytes) -> bytes:
    """*message* with its length before it."""
    return len(message).to_bytes(LENGTH) + message


def question(number: int, calls: list[bytes]) -> bytes:
    """The frame that asks *calls*, each encoded, in this order."""
    return framed(encode((number, list(map(Raw, calls)))))


def encode_call(call: Call) -> bytes:
    """*call* for a frame.

    Raises:
        MalformedInquiry: it is longer than any that custody could answer.
    """
    encoded = encode(call)
    if len(encoded) > LARGEST_FRAME - _FRAME_AROUND_CALLS:
        raise MalformedInquiry(f"{len(encoded)} bytes are more than custody takes at once")
    return encoded


def read_frame(message: bytes) -> tuple[int, list[Call | CustodyError]]:
    """The number of a question and its calls; the error in the place of one of another version.

    Raises:
        MalformedFrame: it is none of ours.
    """
    try:
        frame = _read_frame(message)
        return frame.number, [_call(raw) for raw in frame.calls]
    except NOT_OURS:
        raise MalformedFrame("not a question that custody answers") from None


def _call(raw: Raw) -> Call | CustodyError:
    try:
        return _read_call(raw)
    except CustodyError as error:  # a profile of a later version, for example
        return error
    except SesameError:
        raise MalformedFrame("a call that no client of ours makes") from None


# ── Errors ───────────────────────────────────────────────────────────────────────────────────────

# What makes each error again at the other end: its message, where nothing is said here.
_PARTS: Mapping[type[CustodyError], tuple[str, ...]] = {
    SealBroken: ("problem", "inquiry", "question"),
    KeyMissing: ("label",),
    ProfileUnknown: ("profile",),
    ProfileUnsupported: ("profile",),
    CustodyUnavailable: ("reason",),
    CustodyBusy: (),
}
_ERRORS: Mapping[str, type[CustodyError]] = {
    error.__name__: error
    for error in (
        SealBroken,
        KeyMissing,
        ProfileUnknown,
        ProfileUnsupported,
        WrongUsage,
        UnsuitableCard,
        UnsuitableKey,
        MalformedInquiry,
        CustodyBusy,
        CustodyUnavailable,
    )
}


def to_failure(error: CustodyError) -> Failure:
    """*error* for the other end; of a kind it does not know, custody is unavailable."""
    kind = next((kind for kind in type(error).__mro__ if kind in _ERRORS.values()), None)
    if kind is None:
        return Failure(CustodyUnavailable.__name__, (f"it failed with {type(error).__name__}",))
    if kind not in _PARTS:
        return Failure(kind.__name__, (str(error),))
    return Failure(kind.__name__, tuple(getattr(error, name) for name in _PARTS[kind]))


def from_failure(failure: Failure) -> CustodyError:
    """The error that *failure* was made of.

    Raises:
        MalformedFrame: it is none that custody raises.
    """
    try:
        kind: Any = _ERRORS[failure.name]
        if kind is SealBroken:
            problem, inquiry, place = failure.parts
            return SealBroken(str(problem), inquiry=_number(inquiry), question=_number(place))
        error: CustodyError = kind(*failure.parts)
    except (KeyError, ValueError, TypeError):
        raise MalformedFrame("an error that custody does not raise") from None
    return error


def _number(part: str | int | None) -> int | None:
    return None if part is None else int(part)
