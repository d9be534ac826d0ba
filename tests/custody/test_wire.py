"""What crosses the socket comes out as it went in, errors too."""

from pathlib import Path

import msgspec
import pytest

from sesame.cap.mode import Inputs, Mode
from sesame.cap.token import Code
from sesame.custody.custodian import (
    CardRecord,
    Inquiry,
    KeyRef,
    KeyUsage,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import (
    CustodyBusy,
    CustodyError,
    CustodyUnavailable,
    KeyMissing,
    KeystoreMissing,
    MalformedFrame,
    MalformedInquiry,
    ProfileUnknown,
    SealBroken,
    SocketUnreachable,
    UnsuitableCard,
    UnsuitableKey,
    WrongUsage,
)
from sesame.custody.wire import (
    Call,
    Failure,
    Mac,
    Match,
    MatchPairs,
    PanIndex,
    Register,
    RegisterAll,
    encode,
    encode_call,
    from_failure,
    question,
    read_frame,
    to_failure,
)
from sesame.emv.pan import Pan

CARD = CardRecord(
    pan=Pan("4761730000000011"), psn="01", profile="bank-card-1", key=KeyRef("dpa-01"), dki=1
)
_CODE, _NEXT = Code("34334243"), Code("66665085")
CALLS: list[Call] = [
    Match((Inquiry(_CODE),)),
    Match(
        (
            Inquiry(_CODE, (Question(b"sealed", b"row", (1, 65535)), Question(b"", b"", ()))),
            Inquiry(_NEXT, (), Inputs(mode=Mode.TDS, fields=("1", "22"))),
        )
    ),
    MatchPairs((PairInquiry(_CODE, _NEXT, Reach.FAR, (PairQuestion(b"s", b"r", ((1, 9),)),)),)),
    Register(CARD, b"row"),
    RegisterAll(((CARD, b"row"), (CARD, b"other"))),
    PanIndex(CARD.pan),
    Mac(KeyUsage.SESSION, b"data"),
]


def test_calls_come_out_as_they_went_in() -> None:
    """All of `Custodian`, in one frame, with its number and in order."""
    frame = question(2**40, [encode_call(call) for call in CALLS])
    assert int.from_bytes(frame[:4]) == len(frame) - 4
    assert read_frame(frame[4:]) == (2**40, CALLS)


@pytest.mark.parametrize(
    "error",
    [
        SealBroken("altered, or moved here from another row"),
        SealBroken("3 bytes are too few", inquiry=7, question=1),
        KeyMissing("dpa-99"),
        ProfileUnknown("card-of-2031"),
        WrongUsage("key seal-01 is for seal, not for issuer-ac"),
        UnsuitableCard("we issue card numbers of at most 16 digits"),
        UnsuitableKey("a key's label has 1 to 32 small letters"),
        MalformedInquiry("a code is asked of at most two cards"),
        CustodyBusy(),
        CustodyUnavailable("the token is gone"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_out_as_they_went_in(error: CustodyError) -> None:
    """Their type, their words, and what a program reads of them."""
    sent = msgspec.msgpack.decode(encode(to_failure(error)), type=Failure)
    received = from_failure(sent)
    assert type(received) is type(error)
    assert str(received) == str(error)
    assert vars(received) == vars(error)


def test_what_custody_is_made_of_is_its_own_business() -> None:
    """The web process does not learn the path of the keystore."""
    received = from_failure(to_failure(KeystoreMissing(Path("/secret/place"))))
    assert type(received) is CustodyUnavailable
    assert "KeystoreMissing" in str(received)
    assert "secret" not in str(received)


def test_a_kind_of_a_known_error_arrives_as_that() -> None:
    """Whoever knows the one knows what to do with the other."""
    received = from_failure(to_failure(SocketUnreachable(Path("s"), "gone")))
    assert type(received) is CustodyUnavailable


@pytest.mark.parametrize(
    "failure",
    [
        Failure("Exception", ("x",)),
        Failure("CustodyError", ("x",)),
        Failure("SealBroken", ("x", "y", "z")),
        Failure("SealBroken", ()),
        Failure("KeyMissing", ()),
        Failure("CustodyBusy", ("x",)),
    ],
)
def test_no_other_error_is_made(failure: Failure) -> None:
    """Of what the other end says, only errors of custody."""
    with pytest.raises(MalformedFrame):
        from_failure(failure)


def test_calls_do_not_print_what_they_carry() -> None:
    """Neither code, nor card number, nor the seed of a session."""
    printed = " ".join(map(repr, CALLS))
    for secret in ("34334243", "66665085", "4761730000000011", "data", "sealed"):
        assert secret not in printed
