"""The file of a command's drawing: asked for before the work, written behind the result."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sesame.cli.inputs import Unusable
from sesame.cli.language import say


def check_writable(path: Path) -> None:
    """Before a year is lived, not after it; nothing is left at *path* that was not there.

    Raises:
        Unusable: no drawing can be written there.
    """
    is_new = not os.path.lexists(path)
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
        with path.open("w", encoding="utf-8") as file, _or_nothing(path):
            file.write(drawing)
            file.flush()
    except OSError as error:
        raise _refused(path, error) from None
    print(say("Dessin\u00a0: {path}").format(path=path), file=sys.stderr)


@contextmanager
def _or_nothing(path: Path) -> Iterator[None]:
    """Take the file at *path* away where what is written into it is not whole."""
    try:
        yield
    except OSError:
        if path.is_file():
            with suppress(OSError):
                path.unlink()
        raise


def _refused(path: Path, error: OSError) -> Unusable:
    return Unusable(
        say("{path}\u00a0: le dessin ne peut y être écrit ({reason}).").format(
            path=path, reason=error.strerror
        )
    )
