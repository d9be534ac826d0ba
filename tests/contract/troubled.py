"""A bank's server whose faults are planted: each holds what was typed, in every place it could.

    troubled.py SETTINGS

Serves the settings as `sesame serve` does, with logs as JSON and as text at once. While a file
`trouble` stands beside the settings, custody fails by a fault of the program.
"""

import asyncio
import logging
import sys
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

from sesame import logs
from sesame.cli.serve import listen as listen_on
from sesame.cli.serve import serve_settings
from sesame.custody.custodian import Fit, Inquiry
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.settings import read_settings

_match, _set_up = KeystoreCustodian.match, logs.set_up


async def troubled(self: KeystoreCustodian, inquiries: Sequence[Inquiry]) -> list[tuple[Fit, ...]]:
    """Fail like a program with faults, all of them at once; else match."""
    typed = [inquiry.code.digits for inquiry in inquiries if int(inquiry.code.digits)]
    if not typed or not (_FOLDER / "trouble").exists():
        return await _match(self, inquiries)
    said = f"typed: {typed}, card: {self._seal.open(*_sealed(inquiries)).pan}"

    async def forgotten() -> None:
        raise ValueError(said)

    def in_a_thread() -> None:
        raise ValueError(said)

    asyncio.ensure_future(forgotten())  # noqa: RUF006 -- nobody waits for it
    threading.Thread(target=in_a_thread).start()
    for name in ("uvicorn.error", "sqlalchemy.engine", "asyncpg.pool", "asyncio"):
        logging.getLogger(name).error("of %s", said)
        logging.getLogger(name).error(f"of {said}")  # noqa: G004 -- what a library may do
    warnings.warn(said, stacklevel=1)
    raise KeyError(said)


def _sealed(inquiries: Sequence[Inquiry]) -> tuple[bytes, bytes]:
    question = inquiries[0].questions[0]
    return question.sealed, question.context


def both(_style: logs.Style, *, level: int) -> None:
    """Both styles, on the same stream."""
    _set_up(logs.Style.TEXT, level=level)
    text = logging.getLogger().handlers[:]
    _set_up(logs.Style.JSON, level=level)
    logging.getLogger().handlers.extend(text)


if __name__ == "__main__":
    _FOLDER = Path(sys.argv[1]).parent
    said = read_settings(Path(sys.argv[1]))
    with patch.object(KeystoreCustodian, "match", troubled), patch.object(logs, "set_up", both):
        serve_settings(Path(sys.argv[1]), listen_on(said.host, said.port))
