"""Where an attempt comes from: the door, the address, and the devices that the browser claims."""

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum, unique
from functools import lru_cache

from sesame.store.access import DEVICES_ASKED

_SITE_PREFIX = 64  # bits of an IPv6 address that a household keeps


@unique
class Door(StrEnum):
    """By which way an attempt came in."""

    PORTAL = "portal"
    REST = "rest"
    DESK = "desk"


@dataclass(frozen=True, slots=True)
class Origin:
    """The door, the address behind named proxies, and the secrets of the browser's devices.

    `devices` are 32 bytes each, at most four; each may be known for one customer or nobody.
    `of_many`: the address is a program's that asks for its own customers and does not say
    whose; what is refused to one of them is no other's fault.
    """

    door: Door
    address: str = field(repr=False)
    devices: tuple[bytes, ...] = field(default=(), repr=False)
    of_many: bool = False

    @property
    def source(self) -> str:
        """The address by which refusals are counted; "" where there is none."""
        return "" if self.of_many else self.address

    def __post_init__(self) -> None:
        if len(self.devices) > DEVICES_ASKED:
            raise ValueError(f"a browser claims {DEVICES_ASKED} devices at most")


@lru_cache(maxsize=4096)  # the same few ask again and again
def source_address(host: str) -> str:
    """*host* as it is written down: IPv4 whole, IPv6 by its /64, for the rest changes at will.

    >>> source_address("2001:db8:1:2:3:4:5:6")
    '2001:db8:1:2::/64'
    >>> source_address("::ffff:192.0.2.7")  # RFC 4291, 2.5.5.2
    '192.0.2.7'

    What is no address is nothing: "".
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _SITE_PREFIX), strict=False))
