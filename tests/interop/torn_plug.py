"""`sesame card plug` of a card that is pulled while it checks a PIN: this process kills itself.

    torn_plug.py MOMENT CARDFILE [OPTION …]

MOMENT is how far it comes: `asked` (VERIFY is here, nothing is done), `drafted` (the file without
one try is written, and is not yet the card's), `spent` (it is; nothing is compared yet), `judged`
(all is done but the answer).
"""

import os
import signal
import sys
from typing import Any

from sesame.card.chip import Chip
from sesame.cli.main import main
from sesame.emv.apdu import Ins

_respond, _rename = Chip.respond, os.rename
_VERIFYING = False


def pull(moment: str) -> None:
    """Be gone at once, if it is *moment*."""
    if sys.argv[1] == moment:
        os.kill(os.getpid(), signal.SIGKILL)


def respond(chip: Chip, raw: bytes) -> bytes:
    """As ever, and not to the end of VERIFY."""
    global _VERIFYING  # noqa: PLW0603 -- a process of one card
    _VERIFYING = raw[1:2] == bytes([Ins.VERIFY])
    if not _VERIFYING:
        return _respond(chip, raw)
    pull("asked")
    answer = _respond(chip, raw)
    pull("judged")
    return answer


def rename(*names: str, **folders: Any) -> None:  # noqa: ANN401 -- as they come
    """Likewise."""
    if _VERIFYING:
        pull("drafted")
    _rename(*names, **folders)
    if _VERIFYING:
        pull("spent")


if __name__ == "__main__":
    setattr(Chip, "respond", respond)  # noqa: B010 -- as they are for everybody in this process
    setattr(os, "rename", rename)  # noqa: B010
    sys.exit(main(["card", "plug", *sys.argv[2:]]))
