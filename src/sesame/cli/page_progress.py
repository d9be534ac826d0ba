"""How far letters are set: a bar, and an end in order where the system asks for one."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from sesame.cli.language import say


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Have SIGTERM end us as Ctrl-C does, so that what is half written is destroyed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def page_progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal, of *total* letters."""
    with counted_progress() as (begun, written):
        begun(total)
        yield written


@contextmanager
def counted_progress() -> Iterator[tuple[Callable[[int], None], Callable[[int], None]]]:
    """The same, of a number that is told first; what is called with it, and with each count."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task(say("Mise en page"), total=None)
        yield (
            lambda total: bar.update(task, total=total),
            lambda done: bar.update(task, completed=done),
        )
