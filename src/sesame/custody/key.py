"""A key with its value, as it lies in a keystore: never outside custody."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sesame.custody.custodian import KeyRef, KeyUsage
from sesame.custody.errors import UnsuitableKey
from sesame.emv.keys import DesKey, key_check_value, odd_parity

Random = Callable[[int], bytes]  # so many bytes of chance: `secrets.token_bytes`

ISSUER_USAGES = (KeyUsage.ISSUER_AC, KeyUsage.ISSUER_PAYMENT)
CHECK_VALUE = 3  # bytes

_DES_KEY = 16  # bytes, double length
_KEY = 32  # bytes, AES-256 and HMAC-SHA256


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Key:
    """A key, its name, and what it is for; it does not print its value.

    Raises:
        UnsuitableKey: wrong length or label, DES halves alike, or a naive time.
    """

    label: str
    usage: KeyUsage
    value: bytes  # 16 bytes for the issuer usages, else 32
    created: datetime

    def __post_init__(self) -> None:
        KeyRef(self.label)
        if len(self.value) != _length(self.usage):
            raise UnsuitableKey(
                f"key {self.label}: {self.usage} keys have {_length(self.usage)} bytes"
            )
        if self.usage in ISSUER_USAGES:
            des = DesKey(odd_parity(self.value))
            if des.left == des.right:
                raise UnsuitableKey(f"key {self.label}: its halves are alike, that is single DES")
        if self.created.tzinfo is None:
            raise UnsuitableKey(f"key {self.label}: the time of its making names no time zone")

    @property
    def check_value(self) -> bytes:
        """3 bytes that tell keys apart and give none away.

        For DES the usual one, eight zeros encrypted. For the others the first bytes of
        SHA-256 over a text of ours and the key.
        """
        if self.usage in ISSUER_USAGES:
            return key_check_value(DesKey(self.value))
        digest = hashlib.sha256(b"sesame key check value\x00" + self.value).digest()
        return digest[:CHECK_VALUE]

    def __repr__(self) -> str:
        return f"Key({self.label}, {self.usage}, {self.check_value.hex().upper()})"


def generate_key(label: str, usage: KeyUsage, *, now: datetime, random: Random) -> Key:
    """A new key by chance alone, as long as *usage* wants."""
    value = random(_length(usage))
    if usage in ISSUER_USAGES:
        value = odd_parity(value)
    return Key(label=label, usage=usage, value=value, created=now)


def standard_keys(*, demo: bool, now: datetime, random: Random) -> tuple[Key, ...]:
    """One key for each usage, those of a payment application for demonstrations only.

    Real payment cryptograms are another system's business.
    """
    usages = {
        "dpa-01": KeyUsage.ISSUER_AC,
        "seal-01": KeyUsage.SEAL,
        "pan-index-01": KeyUsage.PAN_INDEX,
        "audit-01": KeyUsage.AUDIT,
        "session-01": KeyUsage.SESSION,
    }
    if demo:
        usages["payment-01"] = KeyUsage.ISSUER_PAYMENT
    return tuple(
        generate_key(label, usage, now=now, random=random) for label, usage in usages.items()
    )


def _length(usage: KeyUsage) -> int:
    return _DES_KEY if usage in ISSUER_USAGES else _KEY
