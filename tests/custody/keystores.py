"""What custody's tests stand on: keystores that open fast, and chance that can be repeated."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

from sesame.custody.custodian import KeyUsage
from sesame.custody.key import Key, Random
from sesame.custody.keystore import Cost, Keystore
from sesame.custody.passphrase import Passphrase

NOW = datetime(2025, 3, 14, 9, 26, 53, tzinfo=UTC)
PASSPHRASE = Passphrase("cheval agrafe réséda pile")
QUICK = Cost(time=1, memory_kib=8, lanes=1)

# Published: the issuer key, card and card key of many test suites of payment modules.
IMK = bytes.fromhex("0123456789ABCDEFFEDCBA9876543210")


def chance(seed: str) -> Random:
    """Bytes that look like chance and are always the same for one *seed*."""
    drawn = 0

    def draw(length: int) -> bytes:
        nonlocal drawn
        drawn += 1
        return hashlib.shake_256(f"{seed} {drawn}".encode()).digest(length)

    return draw


def quick_keystore(path: Path, seed: str = "keystore") -> Keystore:
    """A new demonstration keystore at *path*, at a cost that only tests may pay."""
    return Keystore.create(path, PASSPHRASE, demo=True, now=NOW, random=chance(seed), cost=QUICK)


def issuer_key(label: str, value: bytes = IMK) -> Key:
    """An issuer key of a CAP application."""
    return Key(label=label, usage=KeyUsage.ISSUER_AC, value=value, created=NOW)
