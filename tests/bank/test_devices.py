"""`sesame.bank.devices`: which browsers are known, and to whom."""

import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.devices import (
    device_hash,
    device_row,
    is_known,
    known_devices,
    make_device,
)
from sesame.bank.errors import TooBusy
from sesame.bank.moments import from_row, to_row
from sesame.bank.sessions import forget_known_devices, read_session
from sesame.bank.user_code import UserCode
from sesame.bank.verification import Accepted
from sesame.store.access import Access
from sesame.store.errors import StepLost
from tests.bank.branch import ADDRESS, NINE, OMAR, VERA, Branch, Person
from tests.bank.stranger import chain_is_whole

_SECRET = b"what one browser keeps".ljust(32)
_HOME, _PHONE = b"h" * 32, b"p" * 32

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
    row = device_row(bank, VERA.user_code, _SECRET, NINE)
    assert row.device_hash == device_hash(VERA.user_code, _SECRET)
    assert from_row(row.known_since) == NINE
    assert from_row(row.expires_at) == NINE + timedelta(days=396)

    outcome = await branch.login(VERA, VERA.card.code(1), device_seed=_SECRET)
    assert isinstance(outcome, Accepted)
    assert outcome.device == await make_device(bank, VERA.user_code, _SECRET)
    for person, known in ((VERA, True), (OMAR, False)):
        hashes = (device_hash(person.user_code, outcome.device),)
        access = await bank.store.read_access(person.user_code, hashes)
        assert is_known(access, clock()) is known
        assert await known_devices(bank, person.user_code) == known
    clock.forward(days=396)
    assert await known_devices(bank, VERA.user_code) == 0
    clock.forward(days=-1)
    assert await known_devices(bank, VERA.user_code) == 1
    told = "SELECT user_code, event FROM notices WHERE event = 'devices-forgotten'"
    assert branch.rows(told) == []
    await forget_known_devices(bank, VERA.user_code, ADDRESS)
    assert await known_devices(bank, VERA.user_code) == 0
    assert branch.rows(told) == [(VERA.user_code, "devices-forgotten")]


async def _log_in(branch: Branch, person: Person, atc: int, device: bytes) -> Accepted:
    outcome = await branch.login(person, person.card.code(atc), device_seed=device)
    assert isinstance(outcome, Accepted)
    return outcome


async def test_a_customers_devices_are_counted(branch: Branch) -> None:
    """Their own only, and for thirteen months."""
    assert await known_devices(branch.bank, VERA.user_code) == 0
    await _log_in(branch, VERA, 1, _HOME)
    branch.clock.forward(days=30)
    await _log_in(branch, VERA, 2, _PHONE)
    await _log_in(branch, OMAR, 1, _HOME)
    assert await known_devices(branch.bank, VERA.user_code) == 2
    branch.clock.forward(days=366)
    assert await known_devices(branch.bank, VERA.user_code) == 1
    branch.clock.forward(days=30)
    assert await known_devices(branch.bank, VERA.user_code) == 0


async def test_devices_are_forgotten(branch: Branch) -> None:
    """All of the customer's and nobody else's; the sessions stay, and the next login is new."""
    opened = await _log_in(branch, VERA, 1, _HOME)
    await _log_in(branch, VERA, 2, _PHONE)
    await _log_in(branch, OMAR, 1, _HOME)
    await forget_known_devices(branch.bank, VERA.user_code, ADDRESS)
    assert await known_devices(branch.bank, VERA.user_code) == 0
    assert await known_devices(branch.bank, OMAR.user_code) == 1
    assert opened.session_token is not None
    assert await read_session(branch.bank, opened.session_token) is not None
    assert (await _log_in(branch, VERA, 3, _HOME)).device == opened.device
    lines, head = await branch.chain(VERA)
    assert chain_is_whole(lines, head)
    said = json.loads(lines[-2][1])
    assert set(said) == {"v", "event", "version", "prev", "at", "attempt", "subject", "address"}
    assert said["event"] == "devices-forgotten"
    assert json.loads(lines[-1][1])["device"] == "unknown"


async def test_nothing_is_forgotten_while_others_are_faster(branch: Branch) -> None:
    """And whoever asked is told so."""
    await _log_in(branch, VERA, 1, _HOME)

    async def lose(_change: object) -> None:
        raise StepLost

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(branch.bank.store, "write", lose)
        with pytest.raises(TooBusy):
            await forget_known_devices(branch.bank, VERA.user_code, ADDRESS)
    assert await known_devices(branch.bank, VERA.user_code) == 1
