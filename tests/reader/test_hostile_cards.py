"""Malicious cards: no crash, no hang, no PIN where it does not belong, no code that is not one.

`tests.reader.meetings` says what must be true of a meeting. Here are those that a coverage-guided
search needed to reach every place that it could (`corpora/`), some hundreds at random, and what
hypothesis thinks of. `make soak` goes on searching from there (`tests.fuzz`).
"""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sesame.cap.token import Code
from sesame.emv.apdu import AcType, Command, Response
from sesame.reader import application, blackening, inspection, machine, recorder
from sesame.reader.application import Application, Cryptogram
from sesame.reader.redaction import Redaction
from tests import corpora
from tests.reader.hostile import TAGS
from tests.reader.meetings import CORPORA, MEETINGS

_BEFORE_ANSWERS = 4  # bytes: card, holder, setting and reset, in some order
every_meeting = pytest.mark.parametrize("name", MEETINGS)


@every_meeting
def test_every_meeting_of_the_corpus(name: str) -> None:
    """All of them, quickly: what one search found, no later change may break."""
    meetings = corpora.read_corpus(CORPORA / f"{name}.txt")
    assert len(meetings) > 10
    for data in meetings:
        MEETINGS[name](data)


@every_meeting
def test_random_meetings(name: str) -> None:
    """The same ones every time; honest most of the time, or no card would come far."""
    chance = random.Random(20261126)  # noqa: S311 -- meetings, not secrets
    for _ in range(200):
        data = bytearray(chance.randbytes(4))
        for _ in range(chance.randrange(12)):
            data += bytes(chance.randrange(8)) + chance.randbytes(chance.randrange(1, 6))
        MEETINGS[name](bytes(data))


@every_meeting
@settings(max_examples=50)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_meeting(name: str, data: bytes) -> None:
    """Hypothesis searches its own way, and shrinks what it finds."""
    MEETINGS[name](data)


@pytest.mark.soak
@pytest.mark.timeout(corpora.SECONDS + 120)
@corpora.atheris_is_there
@every_meeting
def test_a_coverage_guided_search_finds_nothing(name: str, tmp_path: Path) -> None:
    """For two minutes each, from the corpus on; SESAME_FUZZ_SECONDS says how long otherwise."""
    corpora.search(name, tmp_path)


# ── Attacks that a fuzzer may take long to find again ────────────────────────────────────────────


def put(place: int, tag: str, value: str, *more: str) -> str:
    """The fuzzer's bytes that put an object beside the one at *place* of an answer; then *more*."""
    chosen = 0x8B if more else 0x0B
    return f"{chosen:02X} {place:02X} 06 {TAGS.index(tag):02X} {value}" + "".join(more)


ONES, NUMBER, NAME = "0A 0B 00", "04", "05"  # eleven bytes of FF; what our chips keep private
_T0, _RESPOND = b"\0\x08", b"\6\0\3"
_TWO_RECORDS = bytes([3])

ATTACKS: dict[str, tuple[str, bytes, str]] = {
    "a CID that names no cryptogram": ("reader", b"", "02 05 C0"),
    "an AAC": ("reader", b"", "02 05 00"),
    "a TC": ("reader", b"", "02 05 40"),
    "a CID of two bytes": ("reader", b"", "0B 01 00 00 02 80 00"),
    "an AC of seven bytes": ("reader", b"", "0B 03 00 00 07 01020304050607"),
    "an AAC that is an ARQC too": ("reader", b"", put(1, "9F27", "00 01 00")),
    "6C01 to everything": ("reader", _T0, "01 05"),
    "6C01 to a PIN that a program gives": ("code", b"\0\0\0\1", "01 05"),
    "a bitmap of ones": ("reader", b"", put(1, "9F56", ONES)),
    "a second bitmap": ("reader", _TWO_RECORDS, put(1, "9F56", "00 03 0000FF")),
    "a CDOL1 that leaves out the challenge": ("reader", _RESPOND, "0B 01 00 08 01"),
    "an AFL of 255 records": ("reader", b"", "05 08 8006 1000 0801FF00"),
    "a PDOL of 255 bytes": ("reader", b"", put(1, "9F38", "07 FF")),
    "a hundred templates": ("reader", b"", "0B 00 05 64"),
    "a label that clears the terminal": ("doctor", b"", put(1, "50", "02 00")),
    "a label that turns lines round": ("doctor", b"", put(1, "9F12", "02 01")),
    "a label that is a format": ("doctor", b"", put(1, "9F12", "02 02")),
    "a number for a label": ("doctor", b"", put(1, "50", NUMBER)),
    "a name for a label": ("doctor", b"", put(1, "5F20", NAME, put(1, "50", NAME))),
    "a bitmap that is a bomb": ("doctor", b"", put(1, "9F56", "01 AA FF")),
    "tries that the card does not repeat": ("doctor", b"\1", "01 00"),
    "a name among other objects": ("recorder", b"", put(1, "5F20", NAME, put(1, "5F50", NAME))),
    "a number in characters": ("recorder", b"", put(1, "9F12", NUMBER)),
    "a record that says something else the second time": (
        "recorder",
        b"",
        f"05 0C 800A 1000 08010100 08010100 00 {put(1, '9F56', '00 0B 0000FF00000000000300FF')}",
    ),
    "a number in the ATR": ("recorder", b"\0\0\0\0\xfc", ""),
}


@pytest.mark.parametrize(("name", "start", "spoil"), ATTACKS.values(), ids=ATTACKS)
def test_an_attack(name: str, start: bytes, spoil: str) -> None:
    """Changes no rule, whichever answer it stands in."""
    for answers in range(40):
        MEETINGS[name](start.ljust(_BEFORE_ANSWERS + answers, b"\0") + bytes.fromhex(spoil))


# ── The rules would notice ───────────────────────────────────────────────────────────────────────

HONEST = b""


def notice(name: str, rule: str, start: bytes, spoil: str = "") -> None:
    """Some answer spoilt by *spoil*, of a meeting that begins with *start*, breaks *rule*.

    Raises:
        Failed: none does.
    """

    def meet_all() -> None:
        for answers in range(60):
            MEETINGS[name](start.ljust(_BEFORE_ANSWERS + answers, b"\0") + bytes.fromhex(spoil))

    MEETINGS[name](HONEST)
    with pytest.raises(AssertionError, match=rule):
        meet_all()


def test_a_wrong_code_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By another digit."""
    right = Application.code
    monkeypatch.setattr(
        Application, "code", lambda *args: Code.of((right(*args).token + 1) % 10**8)
    )
    for name in ("reader", "code"):
        with pytest.raises(AssertionError, match="another code"):
            MEETINGS[name](HONEST)


def test_a_code_of_a_card_that_declines_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sixth byte of the answer is the CID."""
    right = Cryptogram.decode
    monkeypatch.setattr(
        Cryptogram, "decode", lambda data: Cryptogram(AcType.ARQC, right(data).data)
    )
    notice("reader", "without an ARQC", b"", "02 05 00")


def test_a_code_of_a_malformed_answer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says the CID twice: declined, then granted."""

    def last(data: bytes) -> Cryptogram:
        said = application.primitives(data)
        return Cryptogram(AcType.ARQC, b"".join(said[tag] for tag in (0x9F27, 0x9F36, 0x9F26)))

    monkeypatch.setattr(Cryptogram, "decode", last)
    notice("reader", "malformed", b"", "0B 01 07")


def test_a_pin_sent_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a card that answers 6C01 under T=0."""

    def again(command: Command, send: Callable[[bytes], bytes], *, t0: bool) -> Response:
        del t0
        first = Response.decode(send(command.encode()))
        return Response.decode(send(command.encode())) if first.sw >> 8 == 0x6C else first

    monkeypatch.setattr("tests.reader.hostile.exchange", again)
    notice("reader", "sent twice", b"\0\x10", "01 05")
    notice("code", "sent twice", b"\0\0\0\2", "01 05")


def test_a_pin_for_a_blocked_card_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card has said 0, the reader read 3."""
    monkeypatch.setattr(machine, "decode_tries", lambda _: 3)
    notice("reader", "blocked card", bytes([30]))


def test_a_last_try_without_a_warning_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card has said 1; or a wrong PIN has left one, and OK is taken for that warning's."""
    monkeypatch.setattr(machine, "may_be_last", lambda _: False)
    notice("reader", "warned", bytes([20]))
    notice("reader", "warned", bytes([10, 0, 2]))


def test_a_session_without_an_end_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AFL of 255 records."""
    monkeypatch.setattr(application, "_MOST_RECORDS", 99999)
    notice("reader", "without an end", b"", "05 08 8006 1000 0801FF00")


def test_a_label_that_clears_the_terminal_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the label of the application."""
    monkeypatch.setattr(
        Redaction, "text", lambda _, value: value.decode("latin-1") if value else None
    )
    notice("doctor", "terminal", b"", "0B 00 06 00 02 00")


def test_a_card_number_in_a_recording_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing but the PIN is blackened."""
    monkeypatch.setattr(recorder, "blackened", blackening.without_pin)
    with pytest.raises(AssertionError, match="card number"):
        MEETINGS["recorder"](HONEST)


def test_a_card_number_in_a_report_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the card gives for its label, in characters."""
    monkeypatch.setattr(
        Redaction, "text", lambda _, value: value.decode("latin-1") if value else None
    )
    notice("doctor", "card number", b"", "0B 00 06 00 04")


def test_a_pin_for_fewer_tries_than_agreed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer are left than were told, and the doctor goes on."""
    monkeypatch.setattr(inspection, "covers", lambda *_: True)
    notice("doctor", "fewer tries", bytes([1, 10]), "01 18")
    notice("doctor", "blocked card", bytes([1, 30]), "01 20 06")
