"""`sesame serve`: what it warns of before it serves."""

import logging

import pytest

from sesame.cli.serve import _warn
from sesame.logs import line_of
from sesame.settings import Settings

_SQLITE = "sqlite:///bank.db"
_POSTGRESQL = "postgresql+asyncpg://sesame_web@db.example/sesame?sslmode=verify-full"


@pytest.mark.parametrize(
    ("database", "heartbeat", "demonstration", "warned"),
    [
        (_SQLITE, None, False, ["on-sqlite", "no-heartbeat"]),
        (_SQLITE, "beat", False, ["on-sqlite"]),
        (_POSTGRESQL, None, False, ["no-heartbeat"]),
        (_POSTGRESQL, "beat", False, []),
        (_SQLITE, None, True, []),
    ],
)
def test_what_a_bank_should_know_is_logged(
    caplog: pytest.LogCaptureFixture,
    database: str,
    heartbeat: str | None,
    demonstration: bool,  # noqa: FBT001 -- a case
    warned: list[str],
) -> None:
    """Each by itself; nothing of a demonstration, which may do without."""
    settings = Settings(
        database=database,
        heartbeat=heartbeat,
        demonstration=demonstration,
        public_url="https://bank.example",
        keystore="keys.json",
        keystore_passphrase_file="passphrase",
    )
    with caplog.at_level(logging.WARNING, logger="sesame"):
        _warn(settings)
    assert [line_of(record).event for record in caplog.records] == warned
    assert {record.levelname for record in caplog.records} <= {"WARNING"}
