"""What was done to keys, when, by whom and why: what stays when a key has gone.

A record holds no key material, and outlives the key: it is kept beside the keys, in the keystore
or in the token, and printed to be signed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum, unique
from typing import Annotated

from msgspec import Meta, Struct

from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import UnsuitableOfficers

FEWEST_OFFICERS = 2
_LONGEST = 80  # characters of a name, a role and a reason


@unique
class Act(StrEnum):
    """What can be done to a key, or to the keystore as a whole."""

    GENERATE = "generate"  # made in a token, by its chance
    UNWRAP = "unwrap"  # brought into one, enciphered for it
    ADOPT = "adopt"  # in a token before there were records, it gets its DKI
    CEREMONY = "ceremony"  # made of components
    IMPORT = "import"  # out of a key block
    EXPORT = "export"  # into one
    WRAP = "wrap"  # enciphered for an HSM's token
    CURRENT = "current"  # new cards are made under it from now on
    RETIRE = "retire"  # they no longer are
    DESTROY = "destroy"
    BACKUP = "backup"
    RESTORE = "restore"


@dataclass(frozen=True, slots=True)
class Officer:
    """One person who was there.

    Raises:
        UnsuitableOfficers: a name or role that is empty, too long, or no line of text.
    """

    name: str
    role: str

    def __post_init__(self) -> None:
        for text in (self.name, self.role):
            check_line(text, "a name and a role")


@dataclass(frozen=True, slots=True)
class Deed:
    """When something is done to keys, by which two or three persons, and why.

    Raises:
        UnsuitableOfficers: fewer than two different persons, or a reason that is no line of text.
    """

    at: datetime  # aware
    officers: tuple[Officer, ...]
    reason: str

    def __post_init__(self) -> None:
        check_distinct(self.officers)
        check_line(self.reason, "the reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One act on one key; of the whole keystore, a backup or a restore, with no key named."""

    act: Act
    deed: Deed
    label: str | None = None
    usage: KeyUsage | None = None
    dki: int | None = None
    check_value: bytes | None = None  # 3 bytes


def check_distinct(officers: Sequence[Officer]) -> None:
    """Make sure that two persons or more are there, by their names.

    Raises:
        UnsuitableOfficers: they are not.
    """
    names = {" ".join(officer.name.split()).casefold() for officer in officers}
    if len(names) != len(officers) or len(names) < FEWEST_OFFICERS:
        raise UnsuitableOfficers(
            f"two or more different persons must be named, these are {len(names)}: "
            "nobody handles keys alone"
        )


def check_line(text: str, what: str) -> None:
    """Make sure that *text* is one short line.

    Raises:
        UnsuitableOfficers: it is not.
    """
    if not (text.strip() and text.isprintable() and len(text) <= _LONGEST):
        raise UnsuitableOfficers(f"{what}: one line of 1 to {_LONGEST} characters each")


def destroyed_on(records: Sequence[Record], label: str) -> date | None:
    """The day on which the key of *label* was destroyed, in UTC; None where it was not."""
    for record in records:
        if record.act is Act.DESTROY and record.label == label:
            return record.deed.at.date()
    return None


# ── As it is stored ──────────────────────────────────────────────────────────────────────────────


class StoredOfficer(Struct, frozen=True, forbid_unknown_fields=True):
    """An `Officer` in JSON."""

    name: str
    role: str


class StoredRecord(Struct, frozen=True, forbid_unknown_fields=True):
    """A `Record` in JSON: in a keystore's plaintext, and in a token's data object."""

    act: Act
    at: datetime
    officers: tuple[StoredOfficer, ...]
    reason: str
    label: str | None
    usage: KeyUsage | None
    dki: int | None
    check: Annotated[str, Meta(pattern=r"^[0-9a-f]{6}\Z")] | None


def stored(record: Record) -> StoredRecord:
    """*record* in plain fields."""
    return StoredRecord(
        act=record.act,
        at=record.deed.at,
        officers=tuple(StoredOfficer(one.name, one.role) for one in record.deed.officers),
        reason=record.deed.reason,
        label=record.label,
        usage=record.usage,
        dki=record.dki,
        check=None if record.check_value is None else record.check_value.hex(),
    )


def loaded(record: StoredRecord) -> Record:
    """The contrary.

    Raises:
        UnsuitableOfficers: no deed of two persons or more.
    """
    officers = tuple(Officer(one.name, one.role) for one in record.officers)
    return Record(
        act=record.act,
        deed=Deed(record.at, officers, record.reason),
        label=record.label,
        usage=record.usage,
        dki=record.dki,
        check_value=None if record.check is None else bytes.fromhex(record.check),
    )
