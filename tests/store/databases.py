"""What the store's tests stand on: rows with little to say, and the whole database at a glance."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from sesame.store.access import State, Tries
from sesame.store.audit import AuditRow
from sesame.store.buckets import bucket_of
from sesame.store.cards import NewCardRow
from sesame.store.customers import NewCustomerRow, insert_customer
from sesame.store.devices import DeviceRow
from sesame.store.engine import open_engine
from sesame.store.sessions import SessionRow
from sesame.store.steps import Step

Answer = TypeVar("Answer")

USER_CODE = "VERA2222"
STRANGER = "NEMO3333"
ENROLLED_AT = 1_000


def in_transaction(path: Path, work: Callable[[Connection], Answer]) -> Answer:
    """Run *work* on the database at *path*, and let go of it."""
    engine = open_engine(path)
    try:
        with engine.begin() as connection:
            return work(connection)
    finally:
        engine.dispose()


def connect(path: Path) -> sqlite3.Connection:
    """A connection that opens no transaction by itself."""
    return sqlite3.connect(path, isolation_level=None)


def everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with closing(connect(path)) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2, 3").fetchall()  # noqa: S608 -- the schema's own names
            for name in tables
            if name != "alembic_version"
        }


def row_of(path: Path, user_code: str) -> dict[str, object]:
    """The access row of *user_code*, by column; empty where there is none."""
    with closing(connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        row = connection.execute(
            "SELECT * FROM access WHERE user_code = ?", (user_code,)
        ).fetchone()
        return dict(row) if row else {}


def last_atcs(path: Path, user_code: str) -> list[int]:
    """The last ATC of each card of *user_code*."""
    with closing(connect(path)) as connection:
        return [
            atc
            for (atc,) in connection.execute(
                "SELECT last_atc FROM cards WHERE user_code = ? ORDER BY card_number", (user_code,)
            )
        ]


def line(version: int, at: int = ENROLLED_AT) -> AuditRow:
    """A line that differs from those of other versions and says nothing."""
    return AuditRow(
        version=version,
        attempt=bytes([version % 256]) * 16,
        at=at,
        line=f'{{"version":{version}}}'.encode(),
        head=bytes([version % 256, 0xAD]) * 16,
        salt=bytes([version % 256, 0x5A]) * 8,
        address="192.0.2.1",
    )


def card(number: int, owner: str = USER_CODE, *, last_atc: int = 10) -> NewCardRow:
    """A card whose seal nobody opens."""
    return NewCardRow(
        card_number=number,
        kind="sesame",
        profile="sesame-card-1",
        sealed=b"sealed",
        last4="4417",
        pan_hash=hashlib.sha256(f"{owner} {number}".encode()).digest(),
        psn="00",
        last_atc=last_atc,
    )


def customer(user_code: str = USER_CODE, *, version: int = 1) -> NewCustomerRow:
    """A customer with two cards and an old code."""
    return NewCustomerRow(
        bucket=bucket_of(user_code),
        user_code=user_code,
        name="Véra Dupont",
        language="fr",
        old_code="$argon2id$...",
        cards=[card(1, user_code), card(2, user_code)],
        line=line(version),
    )


def enrol(path: Path, user_code: str = USER_CODE) -> None:
    """Write a customer into the database at *path*."""
    row = customer(user_code)
    assert in_transaction(path, lambda connection: insert_customer(connection, row))


def step(
    user_code: str = USER_CODE, read_version: int = 1, *, at: int = 2_000, **changes: object
) -> Step:
    """A refused attempt on *user_code*, unless *changes* say otherwise."""
    written = line(read_version + 1, at)
    plain = Step(
        bucket=bucket_of(user_code),
        user_code=user_code,
        read_version=read_version,
        enrolled=user_code != STRANGER,
        state=State(
            open=Tries(failures=1, failed_at=(at,), refused=written.attempt), stepped_at=at
        ),
        line=written,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # fields by name


def accepted(user_code: str = USER_CODE, read_version: int = 1, **changes: object) -> Step:
    """An accepted step with all it can carry: both cards go to 11, a session, a device."""
    at = 2_000
    written = line(read_version + 1, at)
    session = SessionRow(
        token_hash=bytes([read_version]) * 32,
        session_epoch=0,
        means="code",
        erased_old_code=True,
        opened_at=at,
        ends_at=9_000,
        previous_login_at=None,
    )
    whole: dict[str, object] = {
        "state": State(
            stepped_at=at,
            accepted=written.attempt,
            accepted_version=read_version + 1,
            signed_in_at=at,
        ),
        "atcs": ((1, 11), (2, 11)),
        "session": session,
        "device": DeviceRow(device_hash=bytes(32), known_since=at, expires_at=99_000),
    }
    return step(user_code, read_version, **(whole | changes))  # type: ignore[arg-type]  # by name
