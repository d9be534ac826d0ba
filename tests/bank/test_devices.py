"""`sesame.bank.devices`: which browsers are known, and to whom."""

import hashlib
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.devices import device_hash, is_known, known_devices, new_device
from sesame.bank.moments import from_row, to_row
from sesame.bank.sessions import forget_known_devices
from sesame.bank.user_code import UserCode
from sesame.store.access import Access
from tests.bank.branch import ADDRESS, NINE, OMAR, VERA, Branch

_SECRET = b"what one browser keeps".ljust(32)

secrets = st.binary(min_size=32, max_size=32)
user_codes = st.from_regex(r"[A-Z0-9]{8}", fullmatch=True).map(UserCode)


def test_the_hash_of_a_device() -> None:
    """SHA-256 of a domain, the user code, a zero byte and the secret."""
    expected = hashlib.sha256(b"sesame-device-1\x00VERA2345\x00" + _SECRET).digest()
    assert device_hash(VERA.user_code, _SECRET) == expected


@given(user_codes, user_codes, secrets, secrets)
def test_a_device_is_known_to_one_customer(
    one: UserCode, other: UserCode, secret: bytes, another: bytes
) -> None:
    """Another customer or another browser has another hash."""
    same = (one, secret) == (other, another)
    assert (device_hash(one, secret) == device_hash(other, another)) is same


def test_a_device_is_known_until_its_moment() -> None:
    """Not a microsecond longer; one that was never seen is not known."""
    access = Access("VERA2345", device_until=to_row(NINE))
    assert is_known(access, NINE - timedelta(microseconds=1))
    assert not is_known(access, NINE)
    assert not is_known(Access("VERA2345"), NINE)


async def test_a_browser_is_known_for_thirteen_months(branch: Branch) -> None:
    """From the login that made it known; for its customer alone, until all are forgotten."""
    bank, clock = branch.bank, branch.clock
    row = new_device(bank, VERA.user_code, _SECRET, NINE)
    assert row.device_hash == device_hash(VERA.user_code, _SECRET)
    assert from_row(row.known_since) == NINE
    assert from_row(row.expires_at) == NINE + timedelta(days=396)

    await branch.login(VERA, VERA.card.code(1), device=_SECRET)
    for person, known in ((VERA, True), (OMAR, False)):
        hashes = (device_hash(person.user_code, _SECRET),)
        access = await bank.store.read_access(person.user_code, hashes)
        assert is_known(access, clock()) is known
        assert await known_devices(bank, person.user_code) == known
    clock.forward(days=396)
    assert await known_devices(bank, VERA.user_code) == 0
    clock.forward(days=-1)
    assert await known_devices(bank, VERA.user_code) == 1
    await forget_known_devices(bank, VERA.user_code, ADDRESS)
    assert await known_devices(bank, VERA.user_code) == 0
