"""A key with its value, as it lies in a keystore: never outside custody."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique

from sesame.custody.custodian import HIGHEST_DKI, KeyRef, KeyUsage
from sesame.custody.errors import UnsuitableKey
from sesame.emv.keys import DesKey, des_fault, key_check_value, odd_parity

Random = Callable[[int], bytes]  # so many bytes of chance: `secrets.token_bytes`

ISSUER_USAGES = (KeyUsage.ISSUER_AC, KeyUsage.ISSUER_PAYMENT)
MAC_USAGES = (KeyUsage.AUDIT, KeyUsage.SESSION)
CHECK_VALUE = 3  # bytes
CHECK_PREFIX = b"sesame key check value\x00"
FIRST_DKI = 1

_DES_KEY = 16  # bytes, double length
_KEY = 32  # bytes, AES-256 and HMAC-SHA256


@unique
class KeyState(StrEnum):
    """What becomes of an issuer key. Codes of its cards are verified in each of them."""

    NEW = "new"  # nothing is made under it yet but cards to try it with
    CURRENT = "current"  # new cards are made under it
    VERIFY_ONLY = "verify-only"  # it was current: no new cards


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Key:
    """A key, its name, and what it is for; it does not print its value.

    Of issuer keys there may be several generations, which `dki` (one byte, as in the IAD of
    their cards) tells apart; `state` says what becomes of each. Of every other usage there is one
    key, and it is always in use.

    Raises:
        UnsuitableKey: wrong length or label, DES halves alike or weak, a naive time, or a
            DKI that is no byte or not an issuer key's.
    """

    label: str
    usage: KeyUsage
    value: bytes  # 16 bytes for the issuer usages, else 32
    created: datetime
    dki: int | None = None
    state: KeyState = KeyState.NEW  # of an issuer key
    exportable: bool = False  # decided when it is made

    def __post_init__(self) -> None:
        KeyRef(self.label)
        if len(self.value) != key_length(self.usage):
            raise UnsuitableKey(
                f"key {self.label}: {self.usage} keys have {key_length(self.usage)} bytes"
            )
        if self.usage in ISSUER_USAGES:
            if fault := des_fault(self.value):
                raise UnsuitableKey(f"key {self.label}: {fault}")
            if self.dki is not None and not 0 <= self.dki <= HIGHEST_DKI:
                raise UnsuitableKey(f"key {self.label}: a derivation key index is one byte")
            if self.state is KeyState.CURRENT and self.dki is None:
                raise UnsuitableKey(f"key {self.label}: new cards need its derivation key index")
        elif self.dki is not None or self.state is not KeyState.NEW or self.exportable:
            raise UnsuitableKey(
                f"key {self.label}: only issuer keys have generations, and are exported"
            )
        if self.created.tzinfo is None:
            raise UnsuitableKey(f"key {self.label}: the time of its making names no time zone")

    @property
    def check_value(self) -> bytes:
        """3 bytes that tell keys apart and give none away: see `check_value`."""
        return check_value(self.usage, self.value)

    def __repr__(self) -> str:
        return f"Key({self.label}, {self.usage}, {self.check_value.hex().upper()})"


def check_value(usage: KeyUsage, value: bytes) -> bytes:
    """3 bytes that tell keys for *usage*, or components of one, apart and give none away.

    For DES the usual one, eight zeros encrypted. For the others the first bytes of
    SHA-256 over a text of ours and the key.
    """
    if usage in ISSUER_USAGES:
        return key_check_value(DesKey(value))
    digest = hashlib.sha256(CHECK_PREFIX + value).digest()
    return digest[:CHECK_VALUE]


def generate_key(
    label: str, usage: KeyUsage, *, now: datetime, random: Random, dki: int | None = None
) -> Key:
    """A new key by chance alone, as long as *usage* wants; the current one if it has a *dki*."""
    value = random(key_length(usage))
    if usage in ISSUER_USAGES:
        value = odd_parity(value)
    return Key(
        label=label,
        usage=usage,
        value=value,
        created=now,
        dki=dki,
        state=KeyState.NEW if dki is None else KeyState.CURRENT,
    )


def standard_keys(*, demo: bool, now: datetime, random: Random) -> tuple[Key, ...]:
    """One key for each usage, those of a payment application for demonstrations only.

    The issuer keys are the current ones, of the first generation.

    Real payment cryptograms are another system's business.
    """
    return tuple(
        generate_key(
            label,
            usage,
            now=now,
            random=random,
            dki=FIRST_DKI if usage in ISSUER_USAGES else None,
        )
        for label, usage in standard_usages(demo=demo).items()
    )


def standard_usages(*, demo: bool) -> dict[str, KeyUsage]:
    """The labels of the standard keys, and what each is for."""
    usages = {
        "dpa-01": KeyUsage.ISSUER_AC,
        "seal-01": KeyUsage.SEAL,
        "pan-index-01": KeyUsage.PAN_INDEX,
        "audit-01": KeyUsage.AUDIT,
        "session-01": KeyUsage.SESSION,
    }
    return usages | ({"payment-01": KeyUsage.ISSUER_PAYMENT} if demo else {})


def key_length(usage: KeyUsage) -> int:
    """How many bytes a key for *usage* has."""
    return _DES_KEY if usage in ISSUER_USAGES else _KEY
