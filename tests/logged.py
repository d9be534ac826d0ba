"""The tests' own logging, given back after a test that has a server's set up."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def restored_logs() -> Iterator[None]:
    """Undo what `sesame.logs.set_up` does within."""
    root, ours = logging.getLogger(), logging.getLogger("sesame")
    before = root.handlers[:], root.level, ours.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        logging.raiseExceptions = True
        root.handlers[:], root.level, ours.level = before
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
