"""A demonstration without a bank: a folder of real cards, a clock, and the simulator on them."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from sesame.card.card_file import create
from sesame.card.memory import CardImage, Counters
from sesame.card.personalisation import bank_card, payment_card, sesame_card
from sesame.emv.pin import Pin
from sesame.reader.slot import Clock
from sesame.simulator.drawer import DemoCustomer, Drawer, Kind, OddCard, Oddity
from sesame.simulator.routes import Simulator
from tests.card.cards import DATA, DKI, DPA_KEY, PAYMENT_KEY

TODAY = 20261123
CAMILLE = "CAMAR25X"  # a bank card
INES = "NESLF37K"  # a Sésame card
PIN = "1234"
WRONG_PIN = "4321"


def fill(folder: Path) -> Drawer:
    """Make the cards in *folder*, and say whose they are."""
    data = replace(DATA, pin=Pin(PIN))
    old = replace(data, effective=date(2020, 1, 1), expiry=date(2023, 12, 31))
    return Drawer(
        customers=(
            DemoCustomer(
                name="Camille Martin",
                user_code=CAMILLE,
                kind=Kind.BANK,
                card=_make(
                    folder / "camille.card",
                    bank_card(data, dki=DKI, dpa_key=DPA_KEY, payment_key=PAYMENT_KEY),
                ),
                pin=PIN,
                old_code="tilleul-1971",
            ),
            DemoCustomer(
                name="Inès Lefèvre",
                user_code=INES,
                kind=Kind.SESAME,
                card=_make(folder / "ines.card", sesame_card(data, dki=DKI, dpa_key=DPA_KEY)),
                pin=PIN,
                old_code="cerise-42-sud",
            ),
        ),
        odd_cards=(
            OddCard(
                oddity=Oddity.PAYMENT_ONLY,
                card=_make(
                    folder / "pays.card", payment_card(data, dki=DKI, payment_key=PAYMENT_KEY)
                ),
                pin=PIN,
            ),
            OddCard(oddity=Oddity.MUTE),
            OddCard(
                oddity=Oddity.EXPIRED,
                card=_make(folder / "expired.card", sesame_card(old, dki=DKI, dpa_key=DPA_KEY)),
                pin=PIN,
            ),
            OddCard(
                oddity=Oddity.BLOCKED,
                card=_make(
                    folder / "blocked.card", sesame_card(data, dki=DKI, dpa_key=DPA_KEY), tries=0
                ),
                pin=PIN,
            ),
        ),
    )


def _make(path: Path, card: tuple[CardImage, Counters], tries: int | None = None) -> Path:
    image, counters = card
    create(path, image, counters if tries is None else replace(counters, pin_tries_left=tries))
    return path


@dataclass
class Table:
    """A simulator whose time the test makes pass, and which counts its resets."""

    drawer: Drawer
    resets: int = 0
    _start: float = field(default_factory=time.monotonic)
    _skipped: float = 0.0

    def pass_time(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._skipped += seconds

    def seconds(self) -> float:
        """What the readers' clock says: it stands still but for `pass_time`."""
        return self._start + self._skipped

    async def reset(self) -> None:
        """What « Tout remettre à neuf » does here: it is counted."""
        await asyncio.sleep(0)
        self.resets += 1

    def simulator(self, **changes: object) -> Simulator:
        """The simulator on this table."""
        simulator = Simulator(
            drawer=lambda: self.drawer,
            portal_url="http://127.0.0.1:9/",
            reset=self.reset,
            clock=Clock(self.seconds, lambda: TODAY),
        )
        return replace(simulator, **changes)  # type: ignore[arg-type]  # the test's own words


@contextmanager
def serve(app: ASGIApp) -> Iterator[str]:
    """Serve *app* on a free port of this machine, in a thread; gives its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="on")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
