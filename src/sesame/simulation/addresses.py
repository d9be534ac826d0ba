"""Where people are when they sign in, as the bank sees it: pure.

A *line* is what refusals are counted by: an IPv4 address, or the /64 of a household with IPv6, in
the spelling in which it is written down. The blocks are those kept for private use, for operators'
gateways (RFC 6598), for measurements (RFC 2544) and for documentation (RFC 3849, RFC 5737).
"""

from ipaddress import IPv4Network, IPv6Network

from sesame.simulation.plan import Habits

_HOMES, _OFFICES = IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")
_GATEWAYS = IPv4Network("100.64.0.0/10")
_EXITS, _BOTNET = IPv4Network("203.0.113.0/24"), IPv4Network("198.18.0.0/15")
_HOUSEHOLDS = IPv6Network("2001:db8::/32")
_HOUSEHOLD = 64  # bits
_STRANGERS = 1 << 31  # from that household on
_SPREAD = 7919  # a prime: neighbours by number differ in what they have
_FEW, _MANY = 24, 4096  # machines of a small botnet and of a large one
_RENTED = 8  # exits of a service that hides where somebody is

OFFICE = str(_OFFICES[0])  # the first one, where something is loose
GATEWAY = str(_GATEWAYS[0])  # the first operator's, behind which there are strangers too


def home(number: int, habits: Habits) -> str:
    """The line at home of a customer."""
    if _share(number) < habits.ipv6:
        return _household(number)
    return _of(_HOMES, number)


def work(number: int, habits: Habits) -> str:
    """The one line of an office where many customers are, and computers that they share."""
    return _of(_OFFICES, number // habits.an_office)


def mobile(number: int, habits: Habits) -> str:
    """The one line of a mobile operator's gateway, with thousands of customers behind it."""
    return _of(_GATEWAYS, number // habits.a_gateway)


def vandal(number: int, habits: Habits) -> str:
    """The line of who fails on purpose on the user code of a customer, or below 0 of nobody."""
    if _share(number) < habits.vandals_near:
        return mobile(max(0, number), habits)
    return _household(_STRANGERS + number)


def rented(luck: int) -> str:
    """A line of who uses what customers gave away, or lost."""
    return _of(_EXITS, luck % _RENTED)


def few(luck: int) -> str:
    """A line of a small botnet: a quarter of it sits in phones behind the first gateway."""
    return GATEWAY if luck % 4 == 0 else _of(_BOTNET, luck // 4 % _FEW)


def many(luck: int) -> str:
    """A line of a large botnet."""
    return _of(_BOTNET, _FEW + luck % _MANY)


def host(line: str, drawn: int) -> str:
    """An address on *line*; with IPv6 another one each time, as systems choose them (RFC 8981)."""
    prefix, slash, _ = line.partition("/")
    return f"{prefix}{drawn % 0xFFFF + 1:x}" if slash else prefix


def _of(network: IPv4Network, number: int) -> str:
    return str(network[number % network.num_addresses])


def _household(number: int) -> str:
    first = int(_HOUSEHOLDS.network_address) + (number << (128 - _HOUSEHOLD))
    return str(IPv6Network((first, _HOUSEHOLD)))


def _share(number: int) -> float:
    """A number from 0 to 1 for each person, the same always."""
    return number * _SPREAD % 1000 / 1000
