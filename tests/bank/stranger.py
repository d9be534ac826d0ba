"""What a stranger can check of an audit chain with json and hashlib, and nothing of ours.

As docs/reference/audit.md tells them to do it.
"""

import hashlib
import json
from collections.abc import Sequence

Lines = Sequence[tuple[int, bytes, bytes]]  # version, line, head


def chain_is_whole(lines: Lines, head: bytes) -> bool:
    """Whether *lines* are a customer's whole chain, up to the *head* in the access row."""
    prev = bytes(32)
    for place, (version, line, written_head) in enumerate(lines):
        try:
            said = json.loads(line)
        except ValueError:
            return False
        canonical = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if canonical.encode() != line or said.get("prev") != prev.hex():
            return False
        if not said.get("version") == version == lines[0][0] + place:
            return False
        prev = hashlib.sha256(b"sesame-audit-1\x00line\x00" + line).digest()
        if written_head != prev:
            return False
    return prev == head


def opens(name: str, commitment: str, value: str, salt: bytes) -> bool:
    """Whether a *commitment* in a line is to *value*."""
    committed = b"sesame-audit-1\x00" + name.encode() + b"\x00" + salt + value.encode()
    return hashlib.sha256(committed).hexdigest() == commitment
