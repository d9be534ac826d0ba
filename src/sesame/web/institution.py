"""The institution as data: its name and how to reach it.

The default is a fictional bank; its telephone numbers come from the range that is kept for
fiction in France (01 99 00 xx xx).
"""

from dataclasses import dataclass, field

from sesame.catalogue import N_
from sesame.web.opening import OpeningHours


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """What pages say of the bank. Sentences are French; known ones are translated."""

    name: str = N_("Banque coopérative du Tilleul")
    portal: str = "Coop@net"
    telephone: str = "01 99 00 26 40"
    keys_to_press: str = N_("tapez étoile, puis 2")
    hours: OpeningHours = field(default_factory=OpeningHours)  # of the help line
    tariff: str = N_("Appel non surtaxé, au prix d’un appel national.")
    lost_cards: str = "01 99 00 26 41"  # day and night


def tel(number: str) -> str:
    """The address that dials *number*, and nothing but the number (RFC 3966).

    >>> tel("01 99 00 26 40")  # French, unless it begins with the sign of another country
    'tel:+33199002640'
    """
    digits = "".join(number.split())
    return f"tel:{digits}" if digits.startswith("+") else f"tel:+33{digits.removeprefix('0')}"


def spaced(number: str) -> str:
    """*number* as a page shows it, on one line: its spaces do not break."""
    return "\u00a0".join(number.split())
