"""What bare batches come to: asyncpg, 64 logins a batch, two round trips, nothing worked out.

    python -m bench.batches URL SECONDS CUSTOMERS LINE

Runs on the floor's database, two batches in flight, and prints the logins a second. It is
a program of its own, so that nothing of a bank takes its processor time.
"""

import asyncio
import random
import sys
import time

import asyncpg
import uvloop

BATCH = 64
IN_FLIGHT = 2

_READ = """
SELECT access.user_code, version, enrolled_at IS NOT NULL, head, open_failures,
       open_suspensions, open_suspended_until, open_failed_at, open_refused, reserved_failures,
       reserved_suspensions, reserved_suspended_until, reserved_failed_at, reserved_refused,
       session_epoch, stepped_at, accepted, accepted_version, signed_in_at, old_code,
       replayed_at, rehearsal_failures, rehearsal_failed_at
FROM unnest($1::smallint[], $2::varchar[]) AS asked (bucket, user_code)
JOIN access USING (bucket, user_code)
"""
_SWAP = """
WITH steps AS (
    SELECT * FROM unnest($1::smallint[], $2::varchar[], $3::bigint[], $4::bytea[], $5::bytea[],
                         $6::bytea[]) AS step (bucket, user_code, version, attempt, line, head)
), swapped AS (
    UPDATE access
    SET version = access.version + 1, head = steps.head, open_failures = 0,
        open_suspensions = 0, open_suspended_until = NULL, open_failed_at = '',
        stepped_at = stepped_at + 1, accepted = steps.attempt,
        accepted_version = access.version + 1, signed_in_at = stepped_at + 1, old_code = NULL
    FROM steps
    WHERE access.bucket = steps.bucket AND access.user_code = steps.user_code
      AND access.version = steps.version
    RETURNING access.bucket, access.user_code, access.version, stepped_at, attempt, line,
              steps.head
)
INSERT INTO audit_lines (bucket, user_code, version, attempt, at, line, head)
SELECT bucket, user_code, version, attempt, stepped_at, line, head FROM swapped
"""


async def measure(url: str, seconds: float, customers: int, line: int) -> float:
    """Logins a second on the rows 1 to *customers*, with lines of so many bytes."""
    share = customers // IN_FLIGHT
    ends = time.perf_counter() + seconds
    started = time.perf_counter()
    done = await asyncio.gather(
        *(
            _batches(url, range(at * share + 1, (at + 1) * share + 1), ends, bytes(line))
            for at in range(IN_FLIGHT)
        )
    )
    return sum(done) / (time.perf_counter() - started)


async def _batches(url: str, rows: range, ends: float, line: bytes) -> int:
    """The logins of one connection, until the clock shows *ends*."""
    connection = await asyncpg.connect(url)
    read, swap = await connection.prepare(_READ), await connection.prepare(_SWAP)
    done = 0
    while time.perf_counter() < ends:
        keys = sorted((n % 64, str(10000000 + n)) for n in random.sample(rows, BATCH))
        buckets, codes = [key[0] for key in keys], [key[1] for key in keys]
        versions = {row[0]: row[1] for row in await read.fetch(buckets, codes)}
        await swap.fetch(
            buckets,
            codes,
            [versions[code] for code in codes],
            [bytes(16)] * BATCH,
            [line] * BATCH,
            [bytes(32)] * BATCH,
        )
        if swap.get_statusmsg() != f"INSERT 0 {BATCH}":
            raise RuntimeError(f"a batch did not take all of its steps: {swap.get_statusmsg()}")
        done += BATCH
    await connection.close()
    return done


if __name__ == "__main__":
    place, time_given, rows_there, bytes_of_line = sys.argv[1:]
    print(
        uvloop.run(measure(place, float(time_given), int(rows_there), int(bytes_of_line))),
    )
