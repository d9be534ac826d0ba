"""The Authorisation Response Cryptogram: the issuer's answer to an AC, which the card checks.

EMV 4.4 Book 2, 8.2. CAP needs none, for its readers are not online; this is for whoever studies
what a whole transaction says.
"""

from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.errors import WrongLength
from sesame.emv.keys import DesKey, xor

_AC = 8  # bytes
_ARC = 2
_CSU = 4
_LONGEST_PROPRIETARY = 8
_ARPC_2 = 4


def arpc_method_1(sk: DesKey, arqc: bytes, arc: bytes) -> bytes:
    """The 8-byte ARPC of method 1: triple DES of the ARQC mixed with the ARC, 8.2.1.

    Some profiles take the card's key as *sk* (tests/vectors/profiles.toml).

    Args:
        sk: the session key that made the ARQC.
        arqc: 9F26 as the card sent it, 8 bytes.
        arc: Authorisation Response Code (8A), 2 bytes.

    Raises:
        WrongLength: ARQC or ARC is longer or shorter.
    """
    _check_arqc(arqc)
    if len(arc) != _ARC:
        raise WrongLength("ARC", len(arc), "2")
    return sk.encrypt(xor(arqc, arc + bytes(_AC - _ARC)))


def arpc_method_2(sk: DesKey, arqc: bytes, csu: bytes, proprietary: bytes = b"") -> bytes:
    """The 4-byte ARPC of method 2: the left half of a MAC over ARQC ‖ CSU ‖ data, 8.2.2.

    Args:
        sk: the session key that made the ARQC.
        arqc: 9F26 as the card sent it, 8 bytes.
        csu: Card Status Update, 4 bytes.
        proprietary: Proprietary Authentication Data, 0 to 8 bytes.

    Raises:
        WrongLength: one of them is longer or shorter.
    """
    _check_arqc(arqc)
    if len(csu) != _CSU:
        raise WrongLength("CSU", len(csu), "4")
    if len(proprietary) > _LONGEST_PROPRIETARY:
        raise WrongLength("Proprietary Authentication Data", len(proprietary), "0 to 8")
    return application_cryptogram(sk, arqc + csu + proprietary, Padding.METHOD_2)[:_ARPC_2]


def _check_arqc(arqc: bytes) -> None:
    if len(arqc) != _AC:
        raise WrongLength("ARQC", len(arqc), "8")
