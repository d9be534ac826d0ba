"""What becomes of keys: one comes, takes over, retires, leaves, is destroyed.

Pure: a keystore goes in, another comes out, with the record of what was done. Who writes it is
`Keystore.change`. The inventory of a token lives by the same rules; who writes there is `hsm_life`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from sesame.custody.custodian import KeyRef, KeyUsage
from sesame.custody.errors import (
    AlreadyCurrent,
    KeyCurrent,
    KeyHasCards,
    KeyRetired,
    KeyTaken,
    NotExportable,
    UnsuitableKey,
    WrongUsage,
)
from sesame.custody.hsm_inventory import Entry, Inventory
from sesame.custody.key import ISSUER_USAGES, Key, KeyState
from sesame.custody.keystore import Keystore
from sesame.custody.records import Act, Deed, Record

Keys = TypeVar("Keys", Keystore, Inventory)


def record_of(act: Act, key: Key | Entry, deed: Deed) -> Record:
    """That *act* was done to *key*."""
    return Record(
        act=act,
        deed=deed,
        label=key.label,
        usage=key.usage,
        dki=key.dki,
        check_value=key.check_value,
    )


def check_free(keystore: Keystore, key: Key) -> None:
    """Make sure that *key* can be added to *keystore*.

    Raises:
        KeyTaken: its label, its DKI or its value is another key's, or was one's that was
            destroyed.
        UnsuitableKey: it is no issuer key, of which alone there may be several.
    """
    check_name_free(keystore, key.label, key.usage, key.dki)
    for other in keystore.keys:
        if other.value == key.value:
            raise KeyTaken(key.label, f"it is the same as key {other.label}")
    for record in _destructions(keystore):
        if (record.usage, record.check_value) == (key.usage, key.check_value):
            raise KeyTaken(key.label, f"it was destroyed here as key {record.label}")


def check_name_free(
    keystore: Keystore | Inventory, label: str, usage: KeyUsage, dki: int | None
) -> None:
    """The same before the key's value is known.

    Raises:
        KeyTaken, UnsuitableKey: as `check_free`.
    """
    KeyRef(label)
    if usage not in ISSUER_USAGES:
        raise UnsuitableKey(
            f"key {label}: only issuer keys are added, of {usage} keys there is one"
        )
    destroyed = _destructions(keystore)
    labels = {key.label for key in keystore.keys} | {record.label for record in destroyed}
    if label in labels:
        raise KeyTaken(label, "that label names another key for ever")
    _check_dki_free(keystore, label, usage, dki)


def _check_dki_free(
    keystore: Keystore | Inventory, label: str, usage: KeyUsage, dki: int | None
) -> None:
    destroyed = {(record.usage, record.dki) for record in _destructions(keystore)}
    generations = {(key.usage, key.dki) for key in keystore.keys}
    if dki is None or (usage, dki) in generations | destroyed:
        raise KeyTaken(label, f"derivation key index {dki} is no new one of an {usage} key")


def _destructions(keystore: Keystore | Inventory) -> list[Record]:
    return [record for record in keystore.records if record.act is Act.DESTROY]


def with_key(keystore: Keystore, key: Key, act: Act, deed: Deed) -> Keystore:
    """*keystore* with one more issuer key, which verifies; `with_current` puts it to use.

    Raises:
        KeyTaken, UnsuitableKey: as `check_free`.
    """
    check_free(keystore, key)
    return replace(
        keystore,
        keys=(*keystore.keys, replace(key, state=KeyState.NEW)),
        records=(*keystore.records, record_of(act, key, deed)),
    )


def with_current(keystore: Keys, label: str, deed: Deed) -> Keys:
    """*keystore* in which new cards are made under the key of *label*; its predecessor retires.

    Raises:
        KeyMissing: there is no such key.
        WrongUsage: it is no issuer key.
        AlreadyCurrent: there is nothing to do.
        UnsuitableKey: it has no DKI.
    """
    chosen = _issuer_key(keystore, label)
    if chosen.state is KeyState.CURRENT:
        raise AlreadyCurrent(label)
    for key in keystore.keys:
        if key.usage is chosen.usage and key.state is KeyState.CURRENT:
            keystore = with_retired(keystore, key.label, deed)
    return _in_state(keystore, label, KeyState.CURRENT, Act.CURRENT, deed)


def with_retired(keystore: Keys, label: str, deed: Deed) -> Keys:
    """*keystore* in which no new cards are made under the key of *label*, which still verifies.

    Raises:
        KeyMissing: there is no such key.
        WrongUsage: it is no issuer key.
        KeyRetired: it has retired already.
    """
    key = _issuer_key(keystore, label)
    if key.state is KeyState.VERIFY_ONLY:
        raise KeyRetired(label)
    return _in_state(keystore, label, KeyState.VERIFY_ONLY, Act.RETIRE, deed)


def with_adopted(inventory: Inventory, label: str, dki: int, deed: Deed) -> Inventory:
    """*inventory* in which the issuer key of *label* has its DKI, which no record said yet.

    Raises:
        KeyMissing: there is no such key.
        WrongUsage: it is no issuer key.
        KeyTaken: it has one, or *dki* is or was another key's.
        UnsuitableKey: *dki* is no byte.
    """
    key = _issuer_key(inventory, label)
    if key.dki is not None:
        raise KeyTaken(label, f"it has a derivation key index, {key.dki}, for ever")
    _check_dki_free(inventory, label, key.usage, dki)
    keys = tuple(replace(one, dki=dki) if one is key else one for one in inventory.keys)
    record = record_of(Act.ADOPT, replace(key, dki=dki), deed)
    return replace(inventory, keys=keys, records=(*inventory.records, record))


def _issuer_key(keystore: Keystore | Inventory, label: str) -> Key | Entry:
    key = keystore.key(label)
    if key.usage not in ISSUER_USAGES:
        raise WrongUsage(f"key {label} is for {key.usage}, and the only one: it stays as it is")
    return key


def _in_state(keystore: Keys, label: str, state: KeyState, act: Act, deed: Deed) -> Keys:
    keys = tuple(replace(one, state=state) if one.label == label else one for one in keystore.keys)
    records = (*keystore.records, record_of(act, keystore.key(label), deed))
    return replace(keystore, keys=keys, records=records)


def without_key(
    keystore: Keys, label: str, deed: Deed, *, cards: Mapping[str, int], given_up: int
) -> Keys:
    """*keystore* without the value of the key of *label*; its record stays.

    Args:
        keystore: the one that has it.
        label: the key's.
        deed: who destroys it, and why.
        cards: how many cards of the bank each key has.
        given_up: how many cards of this key are knowingly made useless: exactly as many as it has.

    Raises:
        KeyMissing: there is no such key.
        WrongUsage: it is no issuer key.
        KeyCurrent: new cards are made under it.
        KeyHasCards: it has other than *given_up* cards.
    """
    key = _issuer_key(keystore, label)
    if key.state is KeyState.CURRENT:
        raise KeyCurrent(label)
    if cards.get(label, 0) != given_up:
        raise KeyHasCards(label, cards.get(label, 0))
    return replace(
        keystore,
        keys=tuple(one for one in keystore.keys if one is not key),
        records=(*keystore.records, record_of(Act.DESTROY, key, deed)),
    )


def with_export(keystore: Keystore, label: str, deed: Deed, act: Act = Act.EXPORT) -> Keystore:
    """*keystore* with the record that the key of *label* left it in a key block.

    *act* says so where it left otherwise.

    Raises:
        KeyMissing: there is no such key.
        NotExportable: it was made to stay.
    """
    key = keystore.key(label)
    if not key.exportable:
        raise NotExportable(label)
    return replace(keystore, records=(*keystore.records, record_of(act, key, deed)))


def with_record(keystore: Keystore, act: Act, deed: Deed) -> Keystore:
    """*keystore* with the record of what was done to it as a whole."""
    return replace(keystore, records=(*keystore.records, Record(act=act, deed=deed)))


def check_may_issue(key: Key | Entry) -> None:
    """Make sure that new cards may be made under *key*.

    Raises:
        KeyRetired: it only verifies.
    """
    if key.state is KeyState.VERIFY_ONLY:
        raise KeyRetired(key.label)
