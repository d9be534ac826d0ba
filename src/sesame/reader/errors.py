"""Errors of the reader.

ReaderError
 ├ CardIsMute         nothing answers in the slot
 ├ CardUnfit          the card answers, and cannot make a code that we could read
 ├ CardBlocked        the card, its application or its PIN is closed for good
 ├ CardDeclines       the card was asked for an ARQC and answered with something else
 └ RecordingError
    ├ NotRecordings   a file that holds no recorded sessions
    ├ PartMissing     a session without something that it takes to play it
    ├ PartMalformed   a part of a session is not what it should be
    ├ SchemeUnknown   a scheme that our reader does not know
    ├ ModeUnknown     a mode that our reader does not know
    ├ ModeWithoutCode a session that holds commands only
    └ CommandDiffers  our reader sends something else than what was recorded
"""

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


_LONGEST_QUOTED = 40  # characters


def _quoted(text: str) -> str:
    """*text* on one line of plain characters, however long and strange it is."""
    return ascii(text[:_LONGEST_QUOTED])
