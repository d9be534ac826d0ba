"""`sesame.bank.origin`."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.origin import Door, Origin, source_address


@pytest.mark.parametrize(
    ("host", "written"),
    [
        ("192.0.2.77", "192.0.2.77"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),  # a zone is no address
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("testclient", ""),
        ("192.0.2", ""),
        ("192.0.2.7:80", ""),
        ("<script>", ""),
        ("%eth0", ""),
    ],
)
def test_what_is_written_of_an_address(host: str, written: str) -> None:
    """IPv4 whole, IPv6 by its household, and nothing of what is no address."""
    assert source_address(host) == written


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_a_household_is_one_address(address: ipaddress.IPv6Address, rest: int) -> None:
    """Whichever of its 2⁶⁴ addresses a browser takes next."""
    if address.ipv4_mapped is None:
        other = ipaddress.IPv6Address(int(address) >> 64 << 64 | rest)
        if other.ipv4_mapped is None:
            assert source_address(str(other)) == source_address(str(address))


@given(st.text())
def test_whatever_is_said_is_written_short(host: str) -> None:
    """A proxy's header may hold anything; no error comes of it, and no long text."""
    assert len(source_address(host)) <= len("2001:0db8:1111:2222:3333:4444:5555:6666/64")


def test_devices_do_not_print_themselves() -> None:
    """A secret of a browser is in no repr."""
    secret = b"\xa5" * 32
    assert repr(secret) not in repr(Origin(Door.PORTAL, "192.0.2.77", (secret,)))


def test_a_browser_claims_four_devices_at_most() -> None:
    """More would be more than the statement asks for."""
    Origin(Door.PORTAL, "", (bytes(32),) * 4)
    with pytest.raises(ValueError, match="4 devices at most"):
        Origin(Door.PORTAL, "", (bytes(32),) * 5)
