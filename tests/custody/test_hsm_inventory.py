"""What records say of the keys of a token, and which records no token of ours has."""

from dataclasses import replace

import pytest

from sesame.custody.custodian import KeyRef, KeyUsage
from sesame.custody.errors import (
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
    WrongUsage,
)
from sesame.custody.hsm_inventory import (
    Entry,
    Inventory,
    check_not_last,
    check_value_free,
    take_inventory,
)
from sesame.custody.key import KeyState
from sesame.custody.key_life import (
    check_name_free,
    record_of,
    with_adopted,
    with_current,
    with_retired,
    without_key,
)
from sesame.custody.keystore import Generation
from sesame.custody.records import Act, Record
from tests.custody.test_key_life import DEED

AC = KeyUsage.ISSUER_AC
FIRST = Entry(label="dpa-01", usage=AC, check_value=b"\x01\x02\x03")
SECOND = Entry(label="dpa-02", usage=AC, check_value=b"\x02\x03\x04")
SEAL = Entry(label="seal-01", usage=KeyUsage.SEAL, check_value=b"\x05\x06\x07")
FOUND = (FIRST, SECOND, SEAL)


def record(act: Act, entry: Entry, dki: int | None) -> Record:
    """That *act* was done to the key, of generation *dki*."""
    return record_of(act, replace(entry, dki=dki), DEED)


ROTATED = (
    record(Act.GENERATE, FIRST, 1),
    record(Act.GENERATE, SEAL, None),
    record(Act.CURRENT, FIRST, 1),
    record(Act.UNWRAP, SECOND, 2),
    record(Act.RETIRE, FIRST, 1),
    record(Act.CURRENT, SECOND, 2),
)


def test_states_come_of_records() -> None:
    """Record by record: new, current, verify-only, destroyed."""
    states = []
    for many in range(len(ROTATED) + 1):
        keys = {key.label: key for key in take_inventory(FOUND, ROTATED[:many]).keys}
        states.append((keys["dpa-01"].state.value, keys["dpa-02"].state.value))
    new, current, retired = "new", "current", "verify-only"
    assert states == [
        *[(new, new)] * 3,
        *[(current, new)] * 2,
        (retired, new),
        (retired, current),
    ]
    rotated = take_inventory(FOUND, ROTATED)
    assert rotated.current(AC) == Generation(KeyRef("dpa-02"), 2)
    assert [key.dki for key in rotated.keys] == [1, 2, None]
    with pytest.raises(NoCurrentKey, match="sesame hsm use"):
        rotated.current(KeyUsage.ISSUER_PAYMENT)
    rotated.check_whole()


def test_what_is_done_is_read_again() -> None:
    """What a step makes of an inventory is what its records make of the keys."""
    before = take_inventory(FOUND, ROTATED)
    retired = with_retired(before, "dpa-02", DEED)
    again = with_current(retired, "dpa-01", DEED)
    gone = without_key(again, "dpa-02", DEED, cards={}, given_up=0)
    for after, found in ((retired, FOUND), (again, FOUND), (gone, (FIRST, SEAL))):
        assert take_inventory(found, after.records) == after


def test_a_key_of_before_the_records() -> None:
    """It verifies; its DKI is said once, and only then it can be the current one."""
    found = take_inventory(FOUND, ())
    assert {key.state for key in found.keys} == {KeyState.NEW}
    with pytest.raises(UnsuitableKey, match="new cards need its derivation key index"):
        with_current(found, "dpa-01", DEED)
    adopted = with_adopted(found, "dpa-01", 1, DEED)
    assert take_inventory(FOUND, adopted.records) == adopted
    assert adopted.key("dpa-01").dki == 1
    assert with_current(adopted, "dpa-01", DEED).current(AC) == Generation(KeyRef("dpa-01"), 1)
    for label, dki, says in (("dpa-01", 3, "index, 1, for ever"), ("dpa-02", 1, "no new one")):
        with pytest.raises(KeyTaken, match=says):
            with_adopted(adopted, label, dki, DEED)
    with pytest.raises(WrongUsage, match="is for seal"):
        with_adopted(found, "seal-01", 1, DEED)
    with pytest.raises(KeyMissing, match="dpa-09"):
        with_adopted(found, "dpa-09", 9, DEED)
    with pytest.raises(UnsuitableKey, match="one byte"):
        with_adopted(found, "dpa-01", 256, DEED)
    retired = with_retired(found, "dpa-01", DEED)  # without one it may, and stays so
    late = take_inventory(FOUND, with_adopted(retired, "dpa-01", 1, DEED).records)
    assert late.key("dpa-01").state is KeyState.VERIFY_ONLY


def test_a_key_that_is_not_there() -> None:
    """Somebody took it out with another program: it stays on record, and `check` names it."""
    away = take_inventory((SECOND, SEAL), ROTATED)
    assert not away.key("dpa-01").is_there
    with pytest.raises(HsmKeyAway, match=r"'dpa-01' is on record.*Put it back.*Only if") as one:
        away.check_whole()
    assert one.value.label == "dpa-01"


def test_a_single_key_that_is_not_there() -> None:
    """No command of ours ends it, so none is advised: without it sealed cards do not open."""
    away = take_inventory((FIRST, SECOND), ROTATED)
    with pytest.raises(HsmSingleKeyAway, match="'seal-01', for seal, is on record") as one:
        away.check_whole()
    assert (one.value.label, one.value.usage) == ("seal-01", KeyUsage.SEAL)
    assert "destroy" not in str(one.value)
    assert "generate" not in str(one.value)


def test_a_key_that_is_still_there() -> None:
    """Its destruction was interrupted: it is no key any more, and `check` names it."""
    gone = without_key(take_inventory(FOUND, ROTATED), "dpa-01", DEED, cards={}, given_up=0)
    lingers = take_inventory(FOUND, gone.records)
    assert lingers.lingering == ("dpa-01",)
    assert [key.label for key in lingers.keys] == ["dpa-02", "seal-01"]
    with pytest.raises(HsmKeyLingers, match=r"'dpa-01' was destroyed.*hsm destroy dpa-01"):
        lingers.check_whole()
    with pytest.raises(KeyTaken, match="label names another key for ever"):
        check_name_free(lingers, "dpa-01", AC, 3)
    with pytest.raises(KeyTaken, match="index 1 is no new one"):
        check_name_free(lingers, "dpa-03", AC, 1)
    check_name_free(lingers, "dpa-03", AC, 3)


def test_a_key_comes_once() -> None:
    """Its check value tells it, also after its destruction; for another usage it is another."""
    both = take_inventory(FOUND, ROTATED)
    gone = without_key(both, "dpa-01", DEED, cards={}, given_up=0)
    with pytest.raises(KeyTaken, match="the same as key dpa-01, by its check value"):
        check_value_free(both, "dpa-03", AC, FIRST.check_value)
    with pytest.raises(KeyTaken, match="it was destroyed here as key dpa-01"):
        check_value_free(gone, "dpa-03", AC, FIRST.check_value)
    check_value_free(gone, "dpa-03", AC, b"\x09\x09\x09")
    check_value_free(gone, "payment-02", KeyUsage.ISSUER_PAYMENT, FIRST.check_value)


def test_custody_keeps_one_key() -> None:
    """The last one that makes codes stays, whatever its state; of payments none is wanted."""
    payment = Entry(label="pay-01", usage=KeyUsage.ISSUER_PAYMENT, check_value=b"\x08\x08\x08")
    alone = take_inventory((FIRST, SEAL, payment), ())
    with pytest.raises(KeyLast, match="last one for issuer-ac"):
        check_not_last(alone, "dpa-01")
    check_not_last(alone, "pay-01")
    check_not_last(take_inventory(FOUND, ()), "dpa-01")
    with pytest.raises(KeyLast):  # the other one is on record only
        check_not_last(take_inventory((FIRST, SEAL), ROTATED), "dpa-01")


@pytest.mark.parametrize(
    ("otherwise", "says"),
    [
        (replace(FIRST, check_value=b"\x09\x09\x09"), "'dpa-01' in the token is another key"),
        (replace(FIRST, usage=KeyUsage.ISSUER_PAYMENT), "'dpa-01' in the token is another key"),
    ],
    ids=["value", "usage"],
)
def test_another_key_under_a_label(otherwise: Entry, says: str) -> None:
    """Somebody exchanged it with another program; one that was destroyed too."""
    gone = without_key(take_inventory(FOUND, ROTATED), "dpa-01", DEED, cards={}, given_up=0)
    for records in (ROTATED, gone.records):
        with pytest.raises(HsmKeyUnsuitable, match=says):
            take_inventory((otherwise, SECOND, SEAL), records)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Record(act=Act.BACKUP, deed=DEED), r"an act \(backup\) on no key"),
        (replace(ROTATED[0], label=None), "on no key"),
        (replace(ROTATED[0], usage=None), "on no key"),
        (replace(ROTATED[0], check_value=None), "on no key"),
        (record(Act.EXPORT, SECOND, 2), r"no act of a token \(export\)"),
    ],
)
def test_records_of_elsewhere(wrong: Record, says: str) -> None:
    """What no token of ours says is not guessed at."""
    with pytest.raises(HsmRecordsUnsuitable, match=says):
        take_inventory(FOUND, (*ROTATED, wrong))


def test_records_that_contradict_each_other() -> None:
    """Two keys that are current, or of one DKI; a seal key with a generation."""
    for more in (record(Act.CURRENT, FIRST, 1), record(Act.RETIRE, SECOND, 1)):
        with pytest.raises(UnsuitableKey, match="two issuer-ac keys"):
            take_inventory(FOUND, (*ROTATED, more))
    with pytest.raises(UnsuitableKey, match="only issuer keys"):
        replace(SEAL, dki=1)
    with pytest.raises(KeyMissing):
        Inventory(keys=()).key("dpa-01")
