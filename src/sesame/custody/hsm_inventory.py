"""What a token's records say of its keys: the generations of those whose values nobody has.

Pure: the keys that were found and the records go in, an inventory comes out. It lives by the
same rules as a keystore (`key_life`); who reads and writes the token is `hsm_life`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sesame.custody.custodian import HIGHEST_DKI, KeyRef, KeyUsage
from sesame.custody.errors import (
    HsmError,
    HsmKeyAway,
    HsmKeyLingers,
    HsmKeyUnsuitable,
    HsmRecordsUnsuitable,
    HsmSingleKeyAway,
    KeyLast,
    KeyMissing,
    KeyTaken,
    NoCurrentKey,
    UnsuitableKey,
)
from sesame.custody.key import ISSUER_USAGES, KeyState
from sesame.custody.keystore import Generation
from sesame.custody.records import Act, Record, destroyed_on

_STATES = {Act.GENERATE: KeyState.NEW, Act.UNWRAP: KeyState.NEW} | {
    Act.CURRENT: KeyState.CURRENT,
    Act.RETIRE: KeyState.VERIFY_ONLY,
}
_OF_TOKENS = {*_STATES, Act.ADOPT, Act.DESTROY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A key in a token, without its value. `state` is an issuer key's, as in a keystore.

    Raises:
        UnsuitableKey: a DKI that is no byte or not an issuer key's, or a current key without one.
    """

    label: str
    usage: KeyUsage
    check_value: bytes  # 3 bytes
    dki: int | None = None
    state: KeyState = KeyState.NEW
    is_there: bool = True  # or only on record

    def __post_init__(self) -> None:
        if self.dki is not None and self.usage not in ISSUER_USAGES:
            raise UnsuitableKey(f"key {self.label}: only issuer keys have generations")
        if self.dki is not None and not 0 <= self.dki <= HIGHEST_DKI:
            raise UnsuitableKey(f"key {self.label}: a derivation key index is one byte")
        if self.state is KeyState.CURRENT and self.dki is None:
            raise UnsuitableKey(f"key {self.label}: new cards need its derivation key index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """The keys of a token that were not destroyed, and what was done to them, oldest first.

    Raises:
        UnsuitableKey: two issuer keys for one usage that are current or of one DKI.
    """

    keys: tuple[Entry, ...]
    records: tuple[Record, ...] = ()
    lingering: tuple[str, ...] = ()  # labels of keys destroyed on record that are still there

    def __post_init__(self) -> None:
        for usage in ISSUER_USAGES:
            keys = [key for key in self.keys if key.usage is usage]
            if sum(key.state is KeyState.CURRENT for key in keys) > 1:
                raise UnsuitableKey(f"two {usage} keys are current: new cards are made under one")
            indices = [key.dki for key in keys if key.dki is not None]
            if len(set(indices)) != len(indices):
                raise UnsuitableKey(f"two {usage} keys of one derivation key index")

    def key(self, label: str) -> Entry:
        """The key of *label*.

        Raises:
            KeyMissing: there is none.
        """
        for key in self.keys:
            if key.label == label:
                return key
        raise KeyMissing(label)

    @property
    def unrecorded(self) -> tuple[str, ...]:
        """The labels of keys of which no record says anything."""
        known = {record.label for record in self.records}
        return tuple(key.label for key in self.keys if key.label not in known)

    def current(self, usage: KeyUsage) -> Generation:
        """The issuer key under which new cards are made, and their DKI.

        Raises:
            NoCurrentKey: none is.
        """
        for key in self.keys:
            if key.usage is usage and key.state is KeyState.CURRENT and key.dki is not None:
                return Generation(KeyRef(key.label), key.dki)
        raise NoCurrentKey(usage)

    def check_whole(self) -> None:
        """Make sure that what is on record and what is in the token are the same keys.

        Raises:
            HsmKeyLingers, HsmKeyAway, HsmSingleKeyAway: they are not; says of which key.
        """
        for label in self.lingering:
            raise HsmKeyLingers(label)
        for key in self.keys:
            if not key.is_there:
                raise away(key)


def away(key: Entry) -> HsmError:
    """That *key* is on record and not in the token."""
    if key.usage in ISSUER_USAGES:
        return HsmKeyAway(key.label)
    return HsmSingleKeyAway(key.label, key.usage)


def take_inventory(found: Sequence[Entry], records: Sequence[Record]) -> Inventory:
    """What *records* say of the keys that were *found*, whose DKI and state only they know.

    An issuer key of which they say nothing is new and has no DKI.

    Raises:
        HsmKeyUnsuitable: a key is another one than its records say.
        HsmRecordsUnsuitable: an act that is none of a token's, or on no key.
        UnsuitableKey: as `Inventory`.
    """
    known: dict[str, Entry] = {}
    for record in records:
        entry = _after(record, known.get(record.label or ""))
        known[entry.label] = entry
    for key in found:
        before = known.get(key.label, key)
        if (before.usage, before.check_value) != (key.usage, key.check_value):
            raise HsmKeyUnsuitable(key.label, "is another key than its records say")
    there = {key.label for key in found}
    gone = {label for label in known if destroyed_on(records, label)}
    keys = [known.get(key.label, key) for key in found if key.label not in gone]
    keys += [
        replace(key, is_there=False)
        for label, key in known.items()
        if label not in gone and label not in there
    ]
    return Inventory(
        keys=tuple(keys), records=tuple(records), lingering=tuple(sorted(there & gone))
    )


def _after(record: Record, before: Entry | None) -> Entry:
    """The key as it is after the act of *record*."""
    if record.label is None or record.usage is None or record.check_value is None:
        raise HsmRecordsUnsuitable(f"an act ({record.act}) on no key")
    if record.act not in _OF_TOKENS:
        raise HsmRecordsUnsuitable(f"no act of a token ({record.act})")
    state = KeyState.NEW if before is None else before.state
    return Entry(
        label=record.label,
        usage=record.usage,
        check_value=record.check_value,
        dki=record.dki,
        state=_STATES.get(record.act, state),
    )


def check_value_free(inventory: Inventory, label: str, usage: KeyUsage, value: bytes) -> None:
    """Make sure that no key for *usage* has, or had, the check value *value* (3 bytes).

    Raises:
        KeyTaken: one has: it is the same key under another label, or was destroyed here.
    """
    for key in inventory.keys:
        if (key.usage, key.check_value) == (usage, value):
            raise KeyTaken(label, f"it is the same as key {key.label}, by its check value")
    for record in inventory.records:
        if record.act is Act.DESTROY and (record.usage, record.check_value) == (usage, value):
            raise KeyTaken(label, f"it was destroyed here as key {record.label}")


def check_not_last(inventory: Inventory, label: str) -> None:
    """Make sure that the token has another key for what the one of *label* is for.

    Raises:
        KeyLast: it is the last one that makes codes, without which custody does not start.
    """
    usage = inventory.key(label).usage
    others = [
        key for key in inventory.keys if key.usage is usage and key.is_there and key.label != label
    ]
    if usage is KeyUsage.ISSUER_AC and not others:
        raise KeyLast(label, usage)
