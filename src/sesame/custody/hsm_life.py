"""What becomes of the keys in a token, step by step, each with its record in the token.

The rules are those of a keystore (`key_life`). A key that is made or brought in comes before its
record and is taken out again without one; a destruction is on record before the key goes, so that
no key is gone of which nothing is said.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sesame.custody.cryptoki import Handle, Session
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import (
    CustodyError,
    HsmKeyUnsuitable,
    KeyMissing,
    KeyTaken,
    UnsuitableKey,
)
from sesame.custody.hsm_inventory import (
    Entry,
    Inventory,
    check_not_last,
    check_value_free,
    take_inventory,
)
from sesame.custody.hsm_keys import (
    TokenKey,
    check_alone,
    check_value,
    find_keys,
    generate,
    generate_standard,
    take_back,
    unwrap,
)
from sesame.custody.hsm_records import append, read_records, writing
from sesame.custody.key import FIRST_DKI, ISSUER_USAGES, standard_usages
from sesame.custody.key_life import (
    check_name_free,
    record_of,
    with_adopted,
    with_current,
    with_retired,
    without_key,
)
from sesame.custody.records import Act, Deed, Record


def inventory_of(session: Session, keys: Sequence[TokenKey]) -> Inventory:
    """What the token's records say of its *keys*, as `find_keys` gave them.

    Raises:
        HsmError, UnsuitableKey: as `read_records` and `take_inventory`.
    """
    found = [
        Entry(label=key.label, usage=key.usage, check_value=check_value(session, key))
        for key in keys
    ]
    return take_inventory(found, read_records(session))


def make_standard(session: Session, deed: Deed, *, demo: bool) -> tuple[Record, ...]:
    """The standard keys, made in the token; its issuer keys are current, of the first generation.

    Raises:
        KeyTaken, UnsuitableKey: one of them cannot be: then none is.
        HsmError: the token does not keep a key or a record: no key stays.
    """
    wanted = {
        label: (usage, FIRST_DKI if usage in ISSUER_USAGES else None)
        for label, usage in standard_usages(demo=demo).items()
    }
    before = _room(session, wanted)
    made = generate_standard(session, demo=demo)
    return _entered(session, before, wanted, made, act=Act.GENERATE, deed=deed, at_once=True)


def make_key(
    session: Session, label: str, usage: KeyUsage, deed: Deed, *, dki: int | None
) -> tuple[Record, ...]:
    """One key, made in the token; an issuer key of generation *dki*, which is new.

    Raises:
        KeyTaken, UnsuitableKey, HsmError: as `make_standard`.
    """
    wanted = {label: (usage, dki)}
    before = _room(session, wanted)
    made = {label: generate(session, label, usage)}
    return _entered(session, before, wanted, made, act=Act.GENERATE, deed=deed)


def bring_key(  # noqa: PLR0913 -- a key, what it is called, what it must be, and who brings it
    session: Session,
    label: str,
    usage: KeyUsage,
    wrapped: bytes,
    deed: Deed,
    *,
    dki: int | None,
    expected: bytes,
    hashed: int,
) -> tuple[Record, ...]:
    """A key of elsewhere, as `unwrap` takes it; an issuer key of generation *dki*, which is new.

    Raises:
        KeyTaken, UnsuitableKey, HsmError: as `make_standard` and `unwrap`; or it is, or was, in
            the token under another label.
    """
    wanted = {label: (usage, dki)}
    before = _room(session, wanted)
    check_value_free(before, label, usage, expected)
    made = {label: unwrap(session, label, usage, wrapped, expected=expected, hashed=hashed)}
    return _entered(session, before, wanted, made, act=Act.UNWRAP, deed=deed)


def adopt(session: Session, label: str, dki: int, deed: Deed) -> tuple[Record, ...]:
    """Put on record of which generation an issuer key is that came before there were records.

    Raises:
        KeyMissing, WrongUsage, KeyTaken, UnsuitableKey: as `with_adopted`.
        HsmError: the token does not keep the record.
    """
    inventory = _present(session, label)
    return _written(session, inventory, with_adopted(inventory, label, dki, deed))


def use(session: Session, label: str, deed: Deed) -> tuple[Record, ...]:
    """Have new cards made under the key of *label*; its predecessor retires.

    Raises:
        KeyMissing, WrongUsage, AlreadyCurrent, UnsuitableKey: as `with_current`.
        HsmError: the token does not keep the record.
    """
    inventory = _present(session, label)
    return _written(session, inventory, with_current(inventory, label, deed))


def retire(session: Session, label: str, deed: Deed) -> tuple[Record, ...]:
    """Have no new cards made under the key of *label*.

    Raises:
        KeyMissing, WrongUsage, KeyRetired: as `with_retired`.
        HsmError: the token does not keep the record.
    """
    inventory = _present(session, label)
    return _written(session, inventory, with_retired(inventory, label, deed))


def is_lingering(session: Session, label: str) -> bool:
    """Whether the key of *label* is destroyed on record, and is still to be taken out.

    Raises:
        HsmError, UnsuitableKey: as `inventory_of`.
    """
    return label in inventory_of(session, find_keys(session)).lingering


def destroy(
    session: Session, label: str, deed: Deed, *, cards: Mapping[str, int], given_up: int
) -> tuple[Record, ...]:
    """Put on record that the key of *label* is destroyed, then destroy it.

    Where an earlier call was interrupted between the two, the key goes now, and the record is the
    one that there is. One that is on record and no longer there is put on record as destroyed.

    Raises:
        KeyMissing, WrongUsage, KeyCurrent, KeyHasCards: as `without_key`.
        KeyLast: custody wants one key at least.
        HsmError: the token does not keep the record, or the key.
    """
    keys = find_keys(session)
    inventory = inventory_of(session, keys)
    written: tuple[Record, ...]
    if label in inventory.lingering:
        written = tuple(
            record
            for record in inventory.records
            if (record.act, record.label) == (Act.DESTROY, label)
        )
    else:
        after = without_key(inventory, label, deed, cards=cards, given_up=given_up)
        check_not_last(inventory, label)
        written = _written(session, inventory, after)
    _take_out(session, [key for key in keys if key.label == label])
    return written


def _room(session: Session, wanted: Mapping[str, tuple[KeyUsage, int | None]]) -> Inventory:
    """What the token has, if keys of these labels, usages and DKIs can come into it."""
    inventory = inventory_of(session, find_keys(session))
    for label, (usage, dki) in wanted.items():
        if usage in ISSUER_USAGES:
            check_name_free(inventory, label, usage, dki)
        elif dki is not None:
            raise UnsuitableKey(f"key {label}: only issuer keys have generations")
        elif any(record.label == label for record in inventory.records):
            raise KeyTaken(label, "that label names another key for ever")
    return inventory


def _entered(  # noqa: PLR0913 -- which keys came, and what is to be said of it
    session: Session,
    before: Inventory,
    wanted: Mapping[str, tuple[KeyUsage, int | None]],
    made: Mapping[str, Handle],
    *,
    act: Act,
    deed: Deed,
    at_once: bool = False,
) -> tuple[Record, ...]:
    """The records that the *wanted* keys came by *act*; issuer keys are used *at_once*, or not.

    Those of them that we *made* and that got no record are out again, whatever came between; also
    where another process made a key that there may be once only.
    """
    records: list[Record] = []
    written: list[Record] = []
    try:
        records += _records_of(session, wanted, act, deed, at_once=at_once)
        for record in writing(session, len(before.records), records):
            written.append(record)  # noqa: PERF402 -- one that is written stays written
    except BaseException:
        if records:
            # It may have been interrupted in the very call that wrote one.
            with suppress(CustodyError):
                written += read_records(session)[len(before.records) :]
        kept = {record.label for record in written}
        take_back(session, [handle for label, handle in made.items() if label not in kept])
        raise
    return tuple(records)


def _records_of(
    session: Session,
    wanted: Mapping[str, tuple[KeyUsage, int | None]],
    act: Act,
    deed: Deed,
    *,
    at_once: bool,
) -> list[Record]:
    """What is to be put on record of the *wanted* keys, which the token has.

    Raises:
        HsmKeyTaken: another process made one of them too.
        HsmKeyUnsuitable: the token does not keep one as it was to be.
    """
    found = find_keys(session)
    labels = {key.label for key in found}
    for label, (usage, _) in wanted.items():
        if label not in labels:
            raise HsmKeyUnsuitable(label, "is not private, though it was to be")
        check_alone(found, usage)
    entries = [
        Entry(
            label=key.label,
            usage=key.usage,
            check_value=check_value(session, key),
            dki=wanted[key.label][1],
        )
        for key in found
        if key.label in wanted
    ]
    records = [record_of(act, key, deed) for key in entries]
    if at_once:
        records += [record_of(Act.CURRENT, key, deed) for key in entries if key.dki is not None]
    return records


def _present(session: Session, label: str) -> Inventory:
    """The inventory of a token that has the key of *label*, and not only its records."""
    inventory = inventory_of(session, find_keys(session))
    if not inventory.key(label).is_there:
        raise KeyMissing(label)
    return inventory


def _written(session: Session, before: Inventory, after: Inventory) -> tuple[Record, ...]:
    """The records that *after* has more, now in the token."""
    new = after.records[len(before.records) :]
    append(session, len(before.records), new)
    return new


def _take_out(session: Session, keys: Sequence[TokenKey]) -> None:
    for key in keys:
        session.destroy(key.handle)
