"""What is written down of each step: a line, canonical and chained.

A line is JSON in UTF-8 with sorted keys and no blanks, strings and whole numbers only,
so that a stranger can check it with any language's JSON and SHA-256. It commits to
personal values by salted hash; the values stand in a table of their own that can be
erased. No entered code, nor a hash of one, is kept. docs/decisions/0012.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from sesame.bank.moments import to_row
from sesame.store.audit import AuditRow

Fact = str | int | list[list[str | int]]

VERSION = 1
SALT_LENGTH = 16  # bytes
# Events whose accepted lines bear custody's MAC: they sign in, or at least use a code up.
SIGN_IN = frozenset({"login", "activation", "release"})
USE_CODES = SIGN_IN | {"rehearsal", "resync", "code-explained", "rehearsed-together"}
# Events whose `cards` say what cards begin with: number, profile, last ATC.
BANK_CARD_GIVEN = "bank-card-given"
BEGIN_CARDS = frozenset({"enrolment", BANK_CARD_GIVEN})
_DOMAIN = b"sesame-audit-1\x00"

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a line says, before it is chained and encoded."""

    event: str
    version: int  # of the access row that this step leads to
    at: datetime
    attempt: bytes  # 16 bytes
    user_code: str
    address: str
    facts: Mapping[str, Fact]

    def __repr__(self) -> str:
        return f"Record({self.event}, {self.version})"


def unsealed_line(record: Record, *, prev: bytes, salt: bytes) -> bytes:
    """The line without custody's MAC: what that MAC covers."""
    return _encode(_fields(record, prev=prev, salt=salt))


def audit_row(record: Record, *, prev: bytes, salt: bytes, mac: bytes | None) -> AuditRow:
    """The line as a row, behind the chain's head *prev* (32 bytes).

    *salt* is 16 random bytes; *mac* (32 bytes) stands on accepted attempts.
    """
    fields = _fields(record, prev=prev, salt=salt)
    if mac is not None:
        fields["mac"] = mac.hex()
    line = _encode(fields)
    return AuditRow(
        version=record.version,
        attempt=record.attempt,
        at=to_row(record.at),
        line=line,
        head=line_hash(line),
        salt=salt,
        address=record.address,
    )


def sealed(row: AuditRow, mac: bytes) -> AuditRow:
    """*row*, whose line has no MAC yet, with custody's (32 bytes) on it."""
    line = _encode({**_decode(row.line), "mac": mac.hex()})
    return msgspec.structs.replace(row, line=line, head=line_hash(line))


def unsealed(line: bytes) -> bytes:
    """A *line* as it was before custody's MAC was put on it.

    Raises:
        msgspec.DecodeError: it is no line.
    """
    try:
        fields = _decode(line)
        fields.pop("mac", None)
        return _encode(fields)
    except (UnicodeDecodeError, RecursionError):
        raise msgspec.DecodeError("it is no line") from None


def line_hash(line: bytes) -> bytes:
    """The hash (32 bytes) that the next line carries as `prev`."""
    return hashlib.sha256(_DOMAIN + b"line\x00" + line).digest()


def commitment(name: str, value: str, salt: bytes) -> str:
    """The salted hash (hex) that stands in a line for a personal value."""
    return hashlib.sha256(_DOMAIN + name.encode() + b"\x00" + salt + value.encode()).hexdigest()


def moment(at: datetime) -> str:
    """A moment as lines write it: ISO 8601 to the microsecond, UTC as +00:00."""
    return at.isoformat(timespec="microseconds")


def read_moment(text: str) -> int | None:
    """The moment in *text* as rows hold it; None where it is none, or of no zone."""
    try:
        return to_row(datetime.fromisoformat(text))
    except (ValueError, TypeError):
        return None


def _fields(record: Record, *, prev: bytes, salt: bytes) -> dict[str, object]:
    return {
        **record.facts,
        "v": VERSION,
        "event": record.event,
        "version": record.version,
        "prev": prev.hex(),
        "at": moment(record.at),
        "attempt": record.attempt.hex(),
        "subject": commitment("subject", record.user_code, salt),
        "address": commitment("address", record.address, salt),
    }
