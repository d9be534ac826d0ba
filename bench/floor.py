"""The floor of the store: what PostgreSQL itself does in a second, asked by `pgbench`.

Two scripts, both prepared. `simple` is the least that a login can be: one SELECT by key, and
one statement that swaps the access row and inserts the audit line. `whole` is all that ours
writes: cards and devices are read too, the card's ATC rises, the personal values are
inserted. The tables are those of a bank, with indexes and triggers, the rows as wide as ours.
"""

import asyncio
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.postgres import Cluster
from sesame.store.schema import migrate

DATABASE = "floor"
CUSTOMERS = 10_000  # so many that clients rarely meet on a row
LINE = 580  # bytes of the line of a code that was accepted, give or take a digit
CLIENTS = (1, 2, 4, 8, 16, 32, 64)
_TRIAL = 3  # seconds to try a number of clients
_ROUND = 5  # seconds
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)

_FILL = f"""
INSERT INTO access
    (bucket, user_code, version, enrolled_at, head, open_failures, open_suspensions,
     open_failed_at, open_refused, reserved_failures, reserved_suspensions, reserved_failed_at,
     reserved_refused, session_epoch, stepped_at, accepted, accepted_version, signed_in_at,
     rehearsal_failures)
SELECT n % 64, 10000000 + n, 1, 1, sha256(n::text::bytea), 0, 0, '', none, 0, 0, '', none, 0, 1,
       none, 1, 1, 0
FROM generate_series(1, {CUSTOMERS}) AS n, decode(repeat('00', 16), 'hex') AS none;
INSERT INTO cards
    (bucket, user_code, card_number, kind, state, profile, sealed, last4, last_atc, created_at)
SELECT n % 64, 10000000 + n, 1, 'bank', 'active', 'bank-card',
       decode(repeat(md5(n::text), 6), 'hex'), '0000', 0, 1
FROM generate_series(1, {CUSTOMERS}) AS n;
VACUUM ANALYZE access, cards;
"""  # noqa: S608 -- one constant

_KEY = f"""
\\set n random(1, {CUSTOMERS})
\\set code 10000000 + :n
\\set bucket :n % 64
"""

_COLUMNS = """version, enrolled_at IS NOT NULL AS enrolled, access.head,
       open_failures, open_suspensions, open_suspended_until, open_failed_at, open_refused,
       reserved_failures, reserved_suspensions, reserved_suspended_until, reserved_failed_at,
       reserved_refused, session_epoch, stepped_at, accepted, accepted_version, signed_in_at,
       old_code, replayed_at, rehearsal_failures, rehearsal_failed_at"""

_SWAP = """
WITH swapped AS (
    UPDATE access
    SET version = version + 1, head = CAST(:new_head AS bytea), open_failures = 0,
        open_suspensions = 0, open_suspended_until = NULL, open_failed_at = '',
        stepped_at = stepped_at + 1, accepted = CAST(:attempt AS bytea),
        accepted_version = version + 1, signed_in_at = stepped_at + 1, old_code = NULL
    WHERE bucket = :bucket AND user_code = :code AND version = :version
    RETURNING bucket, user_code, version, stepped_at
)"""

_LINE = """
INSERT INTO audit_lines (bucket, user_code, version, attempt, at, line, head)
SELECT bucket, user_code, version, CAST(:attempt AS bytea), stepped_at, CAST(:line AS bytea),
       CAST(:new_head AS bytea)
FROM swapped"""

_SCRIPTS = {
    "simple": f"""{_KEY}
SELECT {_COLUMNS} FROM access WHERE bucket = :bucket AND user_code = :code \\gset
{_SWAP}
{_LINE};
""",  # noqa: S608 -- constants
    "whole": f"""{_KEY}
SELECT (SELECT max(expires_at) FROM devices
        WHERE devices.bucket = access.bucket AND devices.user_code = access.user_code
          AND device_hash IN ('a', 'b', 'c', 'd')) AS device_until,
       {_COLUMNS}, card_number, state, profile, sealed, last_atc
FROM access LEFT JOIN cards USING (bucket, user_code)
WHERE access.bucket = :bucket AND access.user_code = :code ORDER BY card_number \\gset
{_SWAP}, card AS (
    UPDATE cards SET last_atc = last_atc + 1 FROM swapped
    WHERE cards.bucket = :bucket AND cards.user_code = :code AND card_number = 1
), line AS ({_LINE}
)
INSERT INTO audit_personal (bucket, user_code, version, at, salt, address)
SELECT bucket, user_code, version, stepped_at, CAST(:attempt AS bytea), '127.0.0.1' FROM swapped;
""",  # noqa: S608 -- constants
}


@dataclass(frozen=True, slots=True)
class Floor:
    """A script at the number of clients that it does most with."""

    cluster: Cluster
    script: Path
    clients: int

    def rate(self, seconds: int = _ROUND) -> float:
        """Logins a second."""
        return _pgbench(self.cluster, self.script, self.clients, seconds)


async def prepare(cluster: Cluster) -> None:
    """Make the database of the floor."""
    cluster.create(DATABASE)
    # In a thread of its own: it runs an event loop.
    await asyncio.to_thread(migrate, cluster.url(DATABASE, "postgresql+asyncpg"))
    cluster.run(DATABASE, _FILL)


def find(cluster: Cluster, name: str, folder: Path) -> Floor:
    """The script of *name*, `simple` or `whole`, with the best number of clients."""
    script = folder / f"{name}.pgbench"
    script.write_text(_SCRIPTS[name])
    tried = {clients: _pgbench(cluster, script, clients, _TRIAL) for clients in CLIENTS}
    return Floor(cluster, script, max(tried, key=lambda clients: tried[clients]))


def _pgbench(cluster: Cluster, script: Path, clients: int, seconds: int) -> float:
    # bytea in its escape format: no more bytes on the way than a driver in binary sends.
    constants = {"attempt": "a" * 16, "new_head": "h" * 32, "line": "l" * LINE}
    command = [str(cluster.programs / "pgbench"), "-n", "-M", "prepared", "-T", str(seconds)]
    load = ["-c", str(clients), "-j", str(min(clients, 2)), "-f", str(script)]
    given = [word for name, value in constants.items() for word in ("-D", f"{name}={value}")]
    said = subprocess.run(
        [*command, *load, *given, cluster.url(DATABASE)], capture_output=True, text=True, check=True
    ).stdout
    found = _TPS.search(said)
    if found is None:
        raise RuntimeError(f"pgbench said nothing of its rate: {said}")
    return float(found[1])
