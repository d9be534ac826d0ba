"""`sesame serve` on the checker's bank, in a process of its own that can be killed.

    python -m tests.history.server FOLDER PORT [--fault NAME]

The same application behind the same server as in production, but for two things that are no
settings and shall never be: limits with short suspensions, and the tests' keys.
"""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from sesame import app
from sesame.bank.bank import Bank
from sesame.cli.serve import listen, serve
from sesame.custody.custodian import Custodian
from sesame.settings import Settings
from sesame.store.engine import Store, database_path
from sesame.store.steps import Fate, Step
from tests.bank.branch import custodian
from tests.history import town
from tests.history.faults import planted

_PAUSE = 0.06  # seconds at most


def run(folder: Path, port: int, fault: str | None = None) -> None:
    """Serve the bank in *folder* until a signal ends it."""
    settings = town.settings(folder / "bank.db", port)
    path = folder / f"settings-{port}.toml"
    written = ("database", "keystore", "keystore_passphrase_file", "public_url", "port")
    path.write_text(
        "".join(f"{name} = {json.dumps(getattr(settings, name))}\n" for name in written)
        + "demonstration = true\n",
        encoding="utf-8",
    )
    with (
        planted(fault),
        patch.object(Store, "swap_access", _slowly(Store.swap_access)),
        patch.object(app, "open_custodian", _open_custodian),
        patch.object(app, "open_bank", _open_bank),
    ):
        serve(path, settings, listen("127.0.0.1", port))


def _slowly(swap_access: Callable[[Store, Step], Awaitable[Fate]]) -> object:
    """The same commits, now and then with a pause before anybody is told.

    No fault: a machine may be slow there, and whoever kills it then has taken an answer away
    whose effect stands.
    """

    async def swap(store: Store, step: Step) -> Fate:
        fate = await swap_access(store, step)
        if step.line.salt[0] % 4 == 0:
            await asyncio.sleep(step.line.salt[1] / 256 * _PAUSE)
        return fate

    return swap


def _open_custodian(_: Settings) -> Custodian:
    return custodian()


def _open_bank(settings: Settings, _: Custodian) -> Bank:
    return town.open_bank(database_path(settings.database))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--fault")
    said = parser.parse_args(arguments)
    run(said.folder, said.port, said.fault)


if __name__ == "__main__":
    main()
