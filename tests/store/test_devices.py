"""`sesame.store.devices`; how a step writes and forgets them stands in test_steps."""

import pytest

from sesame.store.buckets import bucket_of
from sesame.store.devices import count_devices, delete_expired_devices
from tests.places import Place
from tests.store.databases import USER_CODE, accepted, enrol

_EXPIRES_AT = 99_000  # of the device that `accepted` makes known


@pytest.mark.parametrize(("now", "known"), [(_EXPIRES_AT - 1, 1), (_EXPIRES_AT, 0)])
def test_a_device_is_known_until_its_time_is_over(place: Place, now: int, known: int) -> None:
    """Counted, and then forgotten."""
    enrol(place)
    place.swap_group([accepted()])
    bucket = bucket_of(USER_CODE)
    counted = place.write(lambda c: count_devices(c, bucket, USER_CODE, now=now))
    of_nobody = place.write(lambda c: count_devices(c, bucket, "ADA22222", now=now))
    assert (counted, of_nobody) == (known, 0)
    place.write(lambda c: delete_expired_devices(c, now=now))
    assert len(place.everything()["devices"]) == known
