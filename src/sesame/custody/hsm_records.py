"""The records of what was done to a token's keys: data objects in the token, one for each act.

Numbered from 1 without a gap, private, never changed, never destroyed by us. docs/reference/hsm.md
gives them attribute by attribute, docs/decisions/0031 the reasons.
"""

from collections.abc import Iterator, Sequence

import msgspec

from sesame.custody.cryptoki import Attribute, Handle, Kind, Session, Template
from sesame.custody.errors import (
    HsmRecordsBusy,
    HsmRecordsUnsuitable,
    UnsuitableOfficers,
)
from sesame.custody.records import Record, StoredRecord, loaded, stored

LONGEST = 2048  # bytes of a record: two or three officers take 300 to 700

_OURS: Template = {
    Attribute.CLASS: Kind.DATA,
    Attribute.TOKEN: True,
    Attribute.PRIVATE: True,  # others could be anybody's, without the PIN
    Attribute.APPLICATION: b"sesame",
}


def read_records(session: Session) -> tuple[Record, ...]:
    """Every record, oldest first.

    Raises:
        HsmRecordsUnsuitable: one is missing, there twice, or not as we write it.
    """
    found = sorted((_label(session, handle), handle) for handle in session.find(_OURS))
    for number, (label, _) in enumerate(found, 1):
        if label != _numbered(number):
            raise HsmRecordsUnsuitable(f"number {number} is missing, or there twice")
    return tuple(_read(session, label, handle) for label, handle in found)


def append(session: Session, before: int, records: Sequence[Record]) -> None:
    """Write *records* behind the *before* that the token has, one by one.

    Raises:
        HsmRecordsBusy: another one came meanwhile; from the one that met it on, none is written.
        UnsuitableOfficers: names and reason together are too long.
        HsmRefused: the token does not take one.
    """
    for _ in writing(session, before, records):
        pass


def writing(session: Session, before: int, records: Sequence[Record]) -> Iterator[Record]:
    """`append`, which gives each record as soon as it is in the token."""
    values = [msgspec.json.encode(stored(record)) for record in records]
    if any(len(value) > LONGEST for value in values):
        raise UnsuitableOfficers(
            f"names, roles and reason: a token's record has at most {LONGEST} bytes"
        )
    for number, value in enumerate(values, before + 1):
        label = _numbered(number).encode()
        handle = session.create(
            {
                **_OURS,
                Attribute.MODIFIABLE: False,
                Attribute.LABEL: label,
                Attribute.VALUE: value,
            }
        )
        # PKCS#11 has no lock: who finds another record of that number takes theirs back.
        if len(session.find({**_OURS, Attribute.LABEL: label})) != 1:
            session.destroy(handle)
            raise HsmRecordsBusy
        yield records[number - before - 1]


def _numbered(number: int) -> str:
    return f"sesame record {number:06}"


def _label(session: Session, handle: Handle) -> str:
    return (session.read(handle, Attribute.LABEL) or b"").decode(errors="replace")


def _read(session: Session, label: str, handle: Handle) -> Record:
    if session.read_bool(handle, Attribute.MODIFIABLE):
        raise HsmRecordsUnsuitable(f"{label} may be changed (CKA_MODIFIABLE)")
    try:
        value = session.read(handle, Attribute.VALUE) or b""
        return loaded(msgspec.json.decode(value, type=StoredRecord))
    except (msgspec.DecodeError, UnicodeDecodeError, UnsuitableOfficers):
        raise HsmRecordsUnsuitable(f"{label} is not as it was written") from None
