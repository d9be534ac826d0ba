"""A slot with a card file in it."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self

from sesame.card.card_file import open_card
from sesame.card.chip import Chip
from sesame.emv.apdu import Command, Response
from sesame.reader.errors import CardIsMute


class VirtualSlot:
    """The card of the file *path*, put into a slot.

    From power on to power off the file is locked: nobody else uses the card meanwhile.
    Leaving the context takes the power away.

    Args:
        path: of the card file.
        wait: how many seconds `power_on` waits for a card that is in use elsewhere.
        upside_down: the card lies the wrong way round: nothing touches its chip.
    """

    def __init__(self, path: Path, wait: float = 0.0, *, upside_down: bool = False) -> None:
        self._path = path
        self._wait = wait
        self._upside_down = upside_down
        self._power = ExitStack()
        self._chip: Chip | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_off()

    def power_on(self) -> bytes:
        """Take the card for us alone, and reset it.

        Raises:
            CardIsMute: it lies the wrong way round.
            CardError: the file is missing, damaged, too new, or in use elsewhere.
        """
        self.power_off()
        if self._upside_down:
            raise CardIsMute
        self._chip = self._power.enter_context(open_card(self._path, wait=self._wait))
        return self._chip.reset()

    def transmit(self, command: Command) -> Response:
        """Let the chip answer *command*.

        Raises:
            CardIsMute: the card has no power.
        """
        if self._chip is None:
            raise CardIsMute
        return Response.decode(self._chip.respond(command.encode()))

    def power_off(self) -> None:
        """Forget the chip's working memory and let the file go."""
        self._chip = None
        self._power.close()
