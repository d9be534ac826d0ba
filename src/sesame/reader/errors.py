"""Errors of the reader.

ReaderError
 ├ CardIsMute         nothing answers in the slot
 ├ CardUnfit          the card answers, and cannot make a code that we could read
 ├ CardBlocked        the card, its application or its PIN is closed for good
 ├ CardDeclines       the card was asked for an ARQC and answered with something else
 ├ PcscError
 │  ├ PcscLibraryMissing  pyscard, or the library that it needs
 │  ├ ServiceAbsent       nothing runs that knows the readers of this computer
 │  ├ ServiceForbids      it does, and not for this user
 │  ├ ServiceHangs        it does not answer, or the card does not
 │  ├ ServiceFails        it says something else that we cannot work with
 │  ├ NoReader            no reader is connected
 │  ├ ReaderUnknown       none of the name that was given
 │  ├ SeveralCards        cards in more than one reader, and none was named
 │  ├ ReaderBusy          another program has the card
 │  ├ ReaderUnplugged     it was there, and is not any more
 │  ├ NoCard              nobody put a card in
 │  ├ CardPulled          somebody took it out in the middle
 │  ├ NoCommonProtocol    the card speaks neither T=0 nor T=1
 │  ├ PadUnfit            the reader's keys cannot take the PIN as a card of ours wants it
 │  └ AnswerMalformed     what came back is no answer of a card
 └ RecordingError
    ├ NotRecordings   a file that holds no recorded sessions
    ├ PartMissing     a session without something that it takes to play it
    ├ PartMalformed   a part of a session is not what it should be
    ├ SchemeUnknown   a scheme that our reader does not know
    ├ ModeUnknown     a mode that our reader does not know
    ├ ModeWithoutCode a session that holds commands only
    └ CommandDiffers  our reader sends something else than what was recorded
"""

from collections.abc import Sequence

from sesame.errors import SesameError


class ReaderError(SesameError):
    """Anything wrong between the reader and a card."""


class CardIsMute(ReaderError):
    """No answer: the card lies the wrong way round, is gone, or its chip is dead."""

    def __init__(self) -> None:
        super().__init__(
            "no answer from the card: insert it chip first, chip up, and clean the chip"
        )


class CardUnfit(ReaderError):
    """What the card says of itself lacks something, or contradicts itself."""


class CardBlocked(ReaderError):
    """The card, its application or its PIN is closed for good."""

    def __init__(self) -> None:
        super().__init__("the card is blocked")


class CardDeclines(ReaderError):
    """Asked for an ARQC, the card answers `answer`: AAC, TC, or a status word."""

    def __init__(self, answer: str) -> None:
        super().__init__(f"the card declines: it answers GENERATE AC with {answer}")
        self.answer = answer


# ── A card in a reader of the computer ───────────────────────────────────────────────────────────


class PcscError(ReaderError):
    """Anything wrong with the readers that the computer's PC/SC service knows."""


class PcscLibraryMissing(PcscError):
    """`pyscard` cannot be loaded; `reason` says why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"pyscard cannot be loaded ({reason}): install it, and libpcsclite")


class ServiceAbsent(PcscError):
    """Nobody answers for the readers of this computer."""

    def __init__(self) -> None:
        super().__init__("the PC/SC service does not run: start pcscd")


class ServiceForbids(PcscError):
    """The service turns this user away."""

    def __init__(self) -> None:
        super().__init__("the PC/SC service turns this user away: see its polkit rules")


class ServiceHangs(PcscError):
    """No answer to `call` for `seconds`: a card that does not answer blocks its reader."""

    def __init__(self, call: str, seconds: float) -> None:
        self.call = call
        self.seconds = round(seconds)
        super().__init__(f"no answer to {call} for {self.seconds} s: take the card out")


class ServiceFails(PcscError):
    """The service answers `call` with `code`, in hexadecimal, and we know no cure for it."""

    def __init__(self, call: str, code: int) -> None:
        self.call = call
        self.code = f"{code:08X}"
        super().__init__(f"the PC/SC service answers {call} with {self.code}")


class NoReader(PcscError):
    """No reader is connected to this computer."""

    def __init__(self) -> None:
        super().__init__("no reader is connected: connect one, with its driver (libccid)")


class ReaderUnknown(PcscError):
    """No reader has this name or number; `readers` lists those that there are."""

    def __init__(self, name: str, readers: Sequence[str]) -> None:
        self.name = _quoted(name)
        self.readers = _numbered(readers, readers)
        super().__init__(f"no reader is called {self.name}: there are {self.readers}")


class SeveralCards(PcscError):
    """There are cards in several of the `readers` that may be meant; *known* are all of them."""

    def __init__(self, readers: Sequence[str], known: Sequence[str]) -> None:
        self.readers = _numbered(readers, known)
        super().__init__(f"cards are in several readers, name one: {self.readers}")


class _OfReader(PcscError):
    """Something with the reader called `reader`."""

    problem = ""

    def __init__(self, reader: str) -> None:
        self.reader = shown_name(reader)
        super().__init__(f"{self.reader}: {self.problem}")


class ReaderBusy(_OfReader):
    """Another program has the card."""

    problem = "another program uses the card: end it"


class ReaderUnplugged(_OfReader):
    """The reader is gone."""

    problem = "the reader was unplugged: connect it again"


class NoCard(PcscError):
    """No card came into one of `readers` within `seconds`."""

    def __init__(self, readers: Sequence[str], seconds: float) -> None:
        self.readers = ", ".join(map(shown_name, readers))
        self.seconds = round(seconds)
        super().__init__(f"no card within {self.seconds} s in {self.readers}")


class CardPulled(_OfReader):
    """The card was taken out in the middle."""

    problem = "the card was taken out: put it in and start again"


class NoCommonProtocol(_OfReader):
    """The card speaks neither T=0 nor T=1."""

    problem = "the card speaks neither T=0 nor T=1: it is no card for this"


class PadUnfit(_OfReader):
    """The reader's keys cannot take a PIN as this card wants it.

    A card that was sent one may answer the same: its count of tries tells.
    """

    problem = "its keys cannot take the PIN of this card: use another reader"


class AnswerMalformed(PcscError):
    """What came back is no answer of a card; `problem` says why."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"what came back is no answer of a card: {problem}")


# ── Recordings ───────────────────────────────────────────────────────────────────────────────────


class RecordingError(ReaderError):
    """Anything wrong with a recorded session."""


class NotRecordings(RecordingError):
    """The file is not JSON with recorded sessions; `needed` is the first thing that it lacks."""

    def __init__(self, needed: str) -> None:
        super().__init__(f"no recorded sessions: it takes {needed}")
        self.needed = needed


class PartMissing(RecordingError):
    """What `part` names is not there, and nothing can take its place."""

    def __init__(self, part: str) -> None:
        super().__init__(f"missing: {part}")
        self.part = part


class PartMalformed(RecordingError):
    """What `part` names is there, and is not what it should be; its value is not repeated."""

    def __init__(self, part: str, problem: str) -> None:
        super().__init__(f"{part}: {problem}")
        self.part = part
        self.problem = problem


class SchemeUnknown(RecordingError):
    """`scheme` is none that our reader has values for."""

    def __init__(self, scheme: str) -> None:
        self.scheme = _quoted(scheme)
        super().__init__(f"unknown scheme: {self.scheme}")


class ModeUnknown(RecordingError):
    """`mode` is none of CAP's, nor DOL."""

    def __init__(self, mode: str) -> None:
        self.mode = _quoted(mode)
        super().__init__(f"unknown mode: {self.mode}")


class ModeWithoutCode(RecordingError):
    """The session holds commands to build, and no cryptogram."""

    def __init__(self) -> None:
        super().__init__("mode DOL makes no code: only its commands are compared")


class CommandDiffers(RecordingError):
    """Our reader sends `sent`, the session has `recorded`; both whole, in hexadecimal.

    `ours` and `theirs` are what differs, from byte `at` on (CLA is byte 1). A real card would
    have answered ours with another cryptogram: the session has no answer to it.
    """

    def __init__(self, name: str, sent: bytes, recorded: bytes) -> None:
        apart = [
            at
            for at, (ours, theirs) in enumerate(zip(sent, recorded, strict=False))
            if ours != theirs
        ]
        first = apart[0] if apart else min(len(sent), len(recorded))
        end = apart[-1] + 1 if len(sent) == len(recorded) else None
        self.name = name
        self.sent, self.recorded = sent.hex().upper(), recorded.hex().upper()
        self.at = first + 1
        self.ours = sent[first:end].hex().upper()
        self.theirs = recorded[first:end].hex().upper()
        super().__init__(
            f"{name} is not as recorded: from byte {self.at} on it is {self.ours}, "
            f"recorded is {self.theirs}"
        )


def _numbered(readers: Sequence[str], known: Sequence[str]) -> str:
    """Each of *readers* with its number among all that are *known*: that is quickly typed."""
    return ", ".join(f"{known.index(reader)} ({shown_name(reader)})" for reader in readers)


_LONGEST_QUOTED = 40  # characters
_LONGEST_NAME = 128  # characters, which is what PC/SC lite takes


def _quoted(text: str) -> str:
    """*text* on one line of plain characters, however long and strange it is."""
    return ascii(text[:_LONGEST_QUOTED])


def shown_name(reader: str) -> str:
    """The name of a reader without what would steer a terminal: USB devices choose theirs."""
    return "".join(c if c.isprintable() else "?" for c in reader[:_LONGEST_NAME])
