"""An anchor: which line was the last that the rule took away, signed by the key that seals.

docs/reference/audit.md has it byte by byte, docs/decisions/0029 the reasons.
"""

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.audit import moment
from sesame.bank.audit_chain import Finding, Head, Kind
from sesame.bank.moments import from_row
from sesame.custody.seal_key import SealKey
from sesame.store.buckets import bucket_of
from sesame.store.retention import AnchorRow

_DOMAIN = b"sesame-audit-1\x00anchor\x00"


def new_anchor(user_code: str, pruned: Head, *, at: int, key: SealKey) -> AnchorRow:
    """The anchor of a chain whose last *pruned* line that is; *at* as rows hold moments."""
    signature = key.sign(_to_sign(user_code, pruned.version, pruned.head, at))
    return AnchorRow(bucket_of(user_code), user_code, pruned.version, pruned.head, at, signature)


def is_signed(anchor: AnchorRow, key: Ed25519PublicKey) -> bool:
    """Whether *key* has signed just this anchor."""
    try:
        covered = _to_sign(anchor.user_code, anchor.version, anchor.head, anchor.at)
        key.verify(anchor.signature, covered)
    except (InvalidSignature, OverflowError, TypeError, AttributeError):
        return False  # on SQLite a column may hold anything, once somebody was at it
    return True


def start_of(anchor: AnchorRow | None) -> Head | None:
    """Where the chain begins that *anchor* is of; None where nothing was pruned."""
    return None if anchor is None else Head(anchor.version, anchor.head)


def false_anchor(anchor: AnchorRow | None, key: Ed25519PublicKey | None) -> Finding | None:
    """That *anchor* is not what *key* signed; None where it is, or there is none, or no key."""
    if anchor is None or key is None or is_signed(anchor, key):
        return None
    return Finding(Kind.FALSE_ANCHOR, anchor.user_code, anchor.version)


def _to_sign(user_code: str, version: int, head: bytes, at: int) -> bytes:
    text = {
        "at": moment(from_row(at)),
        "head": head.hex(),
        "user_code": user_code,
        "v": 1,
        "version": version,
    }
    return _DOMAIN + msgspec.json.Encoder(order="sorted").encode(text)
