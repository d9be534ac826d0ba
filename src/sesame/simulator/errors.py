"""Errors of the simulator.

SimulatorError
 ├ DrawerDamaged      the file of the demonstration's cards cannot be used
 ├ CardNotInDrawer    the page is older than the drawer
 ├ ReaderForgotten    its window was silent for too long, or all was made new
 ├ NoReaderLeft       as many are in use as we keep
 └ MalformedRequest   a body that our page does not send
"""

from pathlib import Path

from sesame.errors import SesameError


class SimulatorError(SesameError):
    """Anything that the simulator raises on purpose."""


class DrawerDamaged(SimulatorError):
    """The file is not there, or is not what `sesame.simulator.drawer.save` writes."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}. Make the demonstration anew: make demo RESET=1")
        self.path = path


class CardNotInDrawer(SimulatorError):
    """No card of the drawer has this name."""

    def __init__(self) -> None:
        super().__init__("the drawer has no such card: load the page again")


class ReaderForgotten(SimulatorError):
    """There is no reader of this id, or no longer."""

    def __init__(self) -> None:
        super().__init__("there is no such reader: open a new one")


class NoReaderLeft(SimulatorError):
    """As many readers are open as the simulator keeps."""

    def __init__(self, most: int) -> None:
        super().__init__(f"all {most} readers are in use: try again in a few minutes")


class MalformedRequest(SimulatorError):
    """The body is not what our page sends. `status` is the HTTP status that says so."""

    def __init__(self, problem: str, *, status: int = 400) -> None:
        super().__init__(f"request: {problem}")
        self.status = status
