"""The file of a command's drawing: asked for before the work, written behind the result."""

import sys
from contextlib import suppress
from pathlib import Path

from sesame.cli.inputs import Unusable
from sesame.cli.language import say


def check_writable(path: Path) -> None:
    """Before a year is lived, not after it; nothing is left at *path* that was not there.

    Raises:
        Unusable: no drawing can be written there.
    """
    is_new = not path.exists()
    try:
        path.open("a").close()
        if is_new:
            path.unlink()
    except OSError as error:
        raise _refused(path, error) from None


def write_drawing(path: Path, drawing: str) -> None:
    """Write *drawing* (SVG) to *path*, and say so on standard error.

    Raises:
        Unusable: the system refuses; half a drawing is not left there.
    """
    try:
        path.write_text(drawing, encoding="utf-8")
    except OSError as error:
        if path.is_file():
            with suppress(OSError):
                path.unlink()
        raise _refused(path, error) from None
    print(say("Dessin\u00a0: {path}").format(path=path), file=sys.stderr)


def _refused(path: Path, error: OSError) -> Unusable:
    return Unusable(
        say("{path}\u00a0: le dessin ne peut y être écrit ({reason}).").format(
            path=path, reason=error.strerror
        )
    )
