"""Chains as a database has them, made up line by line, and a bank whose chains are sealed."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection

from sesame.bank.audit import Record, audit_row, line_hash
from sesame.bank.audit_chain import Head, Row
from sesame.bank.moments import to_row
from sesame.bank.sealing import FolderShipping, Sealer, Shipping
from sesame.bank.stream import StreamedLine
from sesame.custody.seal_key import SealKey
from sesame.store.access import NO_HEAD
from sesame.store.engine import Store
from sesame.store.incarnation import begin_incarnation
from sesame.store.ledger import Ledger
from tests.bank.branch import NINE, OMAR, VERA, Branch, Clock

KEY = SealKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_KEY = SealKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))


def chain(length: int, user_code: str = "VERA2345", *, first: int = 1) -> list[Row]:
    """A whole chain."""
    rows: list[Row] = []
    prev = NO_HEAD
    for version in range(first, first + length):
        record = Record(
            event="login",
            version=version,
            at=NINE + timedelta(seconds=version),
            attempt=version.to_bytes(16),
            user_code=user_code,
            address="192.0.2.1",
            facts={"outcome": "refused"},
        )
        row = audit_row(record, prev=prev, salt=bytes(16), mac=None)
        rows.append(Row(version, row.line, row.head))
        prev = row.head
    return rows


def head_of(rows: Sequence[Row]) -> Head:
    """Where *rows* end."""
    return Head(rows[-1].version, rows[-1].head)


def streamed(rows: Sequence[Row], user_code: str = "VERA2345") -> list[StreamedLine]:
    """*rows* as the stream has them."""
    return [StreamedLine(user_code, row.version, row.line) for row in rows]


def rewritten(rows: Sequence[Row], **changes: object) -> list[Row]:
    """The same history with another first line, and every hash made to fit."""
    forged: list[Row] = []
    prev = NO_HEAD
    for row in rows:
        said = json.loads(row.line) | {"prev": prev.hex()} | (changes if not forged else {})
        line = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        prev = line_hash(line)
        forged.append(Row(row.version, line, prev))
    return forged


@dataclass
class Sealing:
    """A sealer on the database of a branch, with what it needs around it."""

    folder: Path
    store: Store
    now: Clock
    key: SealKey = KEY

    @property
    def stream(self) -> Path:
        """Where the stream arrives."""
        (self.folder / "stream").mkdir(exist_ok=True)
        return self.folder / "stream"

    @contextmanager
    def sealer(
        self, *, ledger: str = "ledger", shipping: Shipping | None = None
    ) -> Iterator[Sealer]:
        """A process that seals."""
        opened = Ledger.open(self.folder / ledger)
        try:
            yield Sealer(
                store=self.store,
                ledger=opened,
                key=self.key,
                shipping=shipping or FolderShipping(self.stream),
                now=self.now,
            )
        finally:
            opened.close()


def sealing(branch: Branch, folder: Path) -> Sealing:
    """A sealer for *branch*, whose files are in *folder*."""
    return Sealing(folder, branch.bank.store, branch.clock)


async def begin_anew(branch: Branch) -> None:
    """Have the database be one that was restored just now."""

    def restored(connection: Connection) -> object:
        at = to_row(branch.clock())
        return begin_incarnation(connection, wanted=lambda *_: True, mark=bytes(16), at=at)

    await branch.bank.store.write(restored)


async def live(branch: Branch, first_atc: int = 1) -> None:
    """Three lines more of Vera's, one more of Omar's."""
    branch.clock.forward(minutes=1)
    await branch.fail(VERA.user_code, 1)
    for atc in (first_atc, first_atc + 1):
        await branch.login(VERA, VERA.card.code(atc))
    await branch.login(OMAR, OMAR.card.code(first_atc))
