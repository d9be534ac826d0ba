"""Issuer scripts: commands that the issuer sends through the terminal, and the PIN change.

EMV 4.4 Book 2, 9 (secure messaging, format 2). Nothing of CAP needs them; this is for whoever
studies what issuers do with the same cards. A script is header ‖ enciphered data ‖ MAC. Its keys
are `session_key` of the ARQC under the card's keys for scripts, or `visa_script_key` of the ATC.
"""

from sesame.emv.cryptogram import Padding, mac_algorithm_3, pad
from sesame.emv.errors import WrongLength
from sesame.emv.keys import DesKey, cbc, xor
from sesame.emv.pin import Pin

_BLOCK = 8  # bytes
_HEADER = 5
_ATC_ARQC = 10
_LONGEST_DATA = 255
_KEY_PART = 4  # bytes of the card's key that enter Visa's block


def script_mac(sk_smi: DesKey, header: bytes, data: bytes = b"", *, bound_to: bytes = b"") -> bytes:
    """The 8-byte MAC of a command, of which the card may want the first 4 to 8; Book 2, 9.2.

    Args:
        sk_smi: the session key for integrity.
        header: CLA INS P1 P2 Lc, 5 bytes.
        data: what the command carries in front of the MAC, enciphered where it is.
        bound_to: ATC ‖ ARQC, 10 bytes, where the profile binds scripts to the transaction;
            else nothing. They are not sent.

    Raises:
        WrongLength: *header* or *bound_to* is longer or shorter.
    """
    if len(header) != _HEADER:
        raise WrongLength("command header", len(header), "5")
    if len(bound_to) not in (0, _ATC_ARQC):
        raise WrongLength("ATC and ARQC", len(bound_to), "10, or 0")
    return mac_algorithm_3(sk_smi, pad(header + bound_to + data, Padding.METHOD_2))


def encipher_mchip(sk_smc: DesKey, data: bytes) -> bytes:
    """*data* in CBC as M/Chip wants it, padded (method 2) only where no whole blocks."""
    blocks = pad(data, Padding.METHOD_2) if len(data) % _BLOCK else data
    return cbc(sk_smc.value + sk_smc.left, blocks)


def encipher_ccd(sk_smc: DesKey, data: bytes) -> bytes:
    """*data* in CBC as CCD wants it, always padded (method 2); Book 2, 9.3 and A1.1."""
    return cbc(sk_smc.value + sk_smc.left, pad(data, Padding.METHOD_2))


def encipher_visa(sk_smc: DesKey, data: bytes) -> bytes:
    """*data*, up to 255 bytes, in ECB as Visa wants it: behind its length, padded (method 2).

    Raises:
        WrongLength: *data* is longer.
    """
    if len(data) > _LONGEST_DATA:
        raise WrongLength("script data", len(data), "0 to 255")
    return sk_smc.encrypt(pad(bytes([len(data)]) + data, Padding.METHOD_2))


def visa_pin_block(card_key: DesKey, pin: Pin, current: Pin | None = None) -> bytes:
    """The 8-byte block of Visa's PIN change, to be enciphered by `encipher_visa`.

    *card_key* is the card's key for cryptograms: the end of its KL is mixed into the block, and
    so is the PIN that the card has now where *current* gives it. M/Chip and CCD take
    `sesame.emv.pin.pin_block`, which is made of the new PIN alone.
    """
    digits = f"{len(pin.digits):02X}{pin.digits}".ljust(2 * _BLOCK, "F")
    block = xor(bytes.fromhex(digits), card_key.left[-_KEY_PART:].rjust(_BLOCK, b"\x00"))
    if current is None:
        return block
    return xor(block, bytes.fromhex(current.digits.ljust(2 * _BLOCK, "0")))
