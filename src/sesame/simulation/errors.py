"""What can go wrong with a simulation itself, not in it."""

from sesame.errors import SesameError


class ServerGone(SesameError):
    """A process of the simulation ended before its time."""

    def __init__(self) -> None:
        super().__init__(
            "a process of the simulation ended before its time: is there memory enough? "
            "--processes 1 needs least; the same seed begins the same year again"
        )
