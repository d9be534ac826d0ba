"""`--trace`: what goes over a card's contacts, in a file that can be sent with a bug report."""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from sesame.cap.token import Code
from sesame.cli.language import say
from sesame.errors import Worded
from sesame.reader.recorder import Recorder, Session, recording


class NoTrace(Worded):
    """There is no trace. The message is for people, in their language."""


def add_tracing(parser: argparse.ArgumentParser) -> None:
    """Add `--trace` and `--unredacted` to a command."""
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help=say("écrire la session dans ce nouveau fichier, pour «\u00a0sesame trace\u00a0»"),
    )
    parser.add_argument(
        "--unredacted",
        action="store_true",
        help=say("y laisser numéro de carte, piste et nom\u202f; le code secret n’y est jamais"),
    )


def add_trace_code(parser: argparse.ArgumentParser) -> None:
    """Add `--trace-code` to a command that makes one code."""
    parser.add_argument(
        "--trace-code", action="store_true", help=say("y écrire aussi le code qui a été montré")
    )


class Trace:
    """A new file for the sessions that *arguments* want traced, or none.

    Raises:
        NoTrace: there is such a file, or none can be made; or what belongs to a trace is given
            without one.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._path: Path | None = arguments.trace
        self._private: bool = arguments.unredacted
        self._with_code: bool = getattr(arguments, "trace_code", False)
        if self._path is None:
            if self._private or self._with_code:
                raise NoTrace(say("--unredacted et --trace-code vont avec --trace."))
            return
        # At once, before a card is touched: what cannot be written is not worth a code.
        try:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise NoTrace(
                say(
                    "{path}\u00a0: ce fichier existe déjà et reste tel qu’il est. Choisissez un "
                    "autre chemin."
                ).format(path=self._path)
            ) from None
        except OSError as error:
            raise self._refused(error) from None

    def write(self, recorder: Recorder, code: Code | None = None) -> None:
        """Write down what went over the contacts; where nothing did, no file stays.

        Raises:
            NoTrace: it cannot be written.
        """
        if self._path is None:
            return
        sessions = recorder.sessions
        digits = code.digits if code and self._with_code else None
        try:
            with os.fdopen(self._file, "wb") as file:
                if sessions:
                    file.write(recording(sessions, code=digits, private=self._private))
            if not sessions:
                self._path.unlink()
                return
        except OSError as error:
            with suppress(OSError):
                self._path.unlink()  # half a trace is none, and would stand in the next one's way
            raise self._refused(error) from None
        print(self._said(sessions), file=sys.stderr)

    def _refused(self, error: OSError) -> NoTrace:
        sentence = say("{path}\u00a0: le système refuse ({reason}). Vérifiez le chemin.")
        return NoTrace(sentence.format(path=self._path, reason=error.strerror or error))

    def _said(self, sessions: Sequence[Session]) -> str:
        """What is in the file, and to whom it may be given."""
        if self._private:
            what = say(
                "{path}\u00a0: la session y est, avec tout ce que la carte a dit d’elle et de "
                "vous. Ne la donnez à personne."
            )
        else:
            what = say(
                "{path}\u00a0: la session y est, sans code secret, numéro de carte, piste ni nom. "
                "L’échéance et le compteur de la carte y sont, et ce que vous avez tapé d’autre "
                "(défi, montant, bénéficiaire)."
            )
        if any(session.made_cryptogram for session in sessions):
            what += " " + say(
                "Son cryptogramme permet de refaire le code\u00a0: ne la donnez qu’une fois ce "
                "code utilisé, ou un plus récent."
            )
        return what.format(path=self._path)
