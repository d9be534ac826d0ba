"""`sesame.store.devices`; how a step writes and forgets them stands in test_steps."""

from contextlib import closing
from pathlib import Path

import pytest

from sesame.store.buckets import bucket_of
from sesame.store.devices import count_devices, delete_expired_devices
from sesame.store.steps import swap_group
from tests.store.databases import USER_CODE, accepted, connect, enrol, everything, in_transaction

_EXPIRES_AT = 99_000  # of the device that `accepted` makes known


@pytest.mark.parametrize(("now", "known"), [(_EXPIRES_AT - 1, 1), (_EXPIRES_AT, 0)])
def test_a_device_is_known_until_its_time_is_over(path: Path, now: int, known: int) -> None:
    """Counted, and then forgotten."""
    enrol(path)
    with closing(connect(path)) as connection:
        swap_group(connection, [accepted()])
    bucket = bucket_of(USER_CODE)
    counted = in_transaction(path, lambda c: count_devices(c, bucket, USER_CODE, now=now))
    of_nobody = in_transaction(path, lambda c: count_devices(c, bucket, "ADA22222", now=now))
    assert (counted, of_nobody) == (known, 0)
    in_transaction(path, lambda c: delete_expired_devices(c, now=now))
    assert len(everything(path)["devices"]) == known
