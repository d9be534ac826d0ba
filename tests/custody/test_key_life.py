"""What becomes of the keys of a keystore, and what is written down of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from sesame.custody.custodian import KeyRef, KeyUsage
from sesame.custody.errors import (
    AlreadyCurrent,
    KeyCurrent,
    KeyHasCards,
    KeyMissing,
    KeyRetired,
    KeystoreDamaged,
    NoCurrentKey,
    NotExportable,
    UnsuitableKey,
    UnsuitableOfficers,
    WrongUsage,
)
from sesame.custody.hsm_inventory import Entry, Inventory
from sesame.custody.key import Key, KeyState, standard_keys
from sesame.custody.key_life import (
    Keys,
    with_current,
    with_export,
    with_key,
    with_record,
    with_retired,
    without_key,
)
from sesame.custody.keystore import Generation, Keystore
from sesame.custody.records import Act, Deed, Officer, Record
from tests.custody.keystores import IMK, NOW, PASSPHRASE, QUICK, chance, issuer_key, quick_keystore

ADA, BRICE = Officer("Ada Brun", "sécurité"), Officer("Brice Noé", "émission")
DEED = Deed(NOW, (ADA, BRICE), "rotation annuelle")
SECOND = replace(issuer_key("dpa-02"), dki=2)
OF_DPA = (KeyUsage.ISSUER_AC, 1)


@pytest.fixture
def first() -> Keystore:
    """The standard keys of a demonstration, on no disk."""
    keys = standard_keys(demo=True, now=NOW, random=chance("life"))
    return Keystore(path=Path("keys"), demo=True, cost=QUICK, keys=keys)


@pytest.fixture
def both(first: Keystore) -> Keystore:
    """With a second generation, which is current."""
    return with_current(with_key(first, SECOND, Act.CEREMONY, DEED), "dpa-02", DEED)


@pytest.fixture(params=["keystore", "token"])
def rotated(request: pytest.FixtureRequest, both: Keystore) -> Keystore:
    """Those keys, with their values or as a token's records tell of them: the rules are one."""
    return both if request.param == "keystore" else cast("Keystore", in_a_token(both))


def in_a_token(keystore: Keystore) -> Inventory:
    """The same keys in a token, where nobody has their values."""
    keys = [
        Entry(
            label=key.label,
            usage=key.usage,
            check_value=key.check_value,
            dki=key.dki,
            state=key.state,
        )
        for key in keystore.keys
    ]
    return Inventory(keys=tuple(keys), records=keystore.records)


def acts(keystore: Keystore | Inventory) -> list[tuple[str | None, str]]:
    """What was done to which key, in order."""
    return [(record.label, record.act.value) for record in keystore.records]


def test_a_key_lives_and_dies(first: Keystore) -> None:
    """New, current, verify-only, destroyed: one state at a time, and a line for each step."""
    grown = with_key(first, replace(SECOND, state=KeyState.CURRENT), Act.CEREMONY, DEED)
    assert grown.key("dpa-02").state is KeyState.NEW  # to use it is a step of its own
    assert grown.current(KeyUsage.ISSUER_AC) == Generation(KeyRef("dpa-01"), 1)
    rotated = with_current(grown, "dpa-02", DEED)
    assert rotated.current(KeyUsage.ISSUER_AC) == Generation(KeyRef("dpa-02"), 2)
    assert rotated.current(KeyUsage.ISSUER_PAYMENT) == Generation(KeyRef("payment-01"), 1)
    assert rotated.key("dpa-01").state is KeyState.VERIFY_ONLY
    gone = without_key(rotated, "dpa-01", DEED, cards={"dpa-02": 7}, given_up=0)
    assert [key.label for key in gone.keys if key.usage is KeyUsage.ISSUER_AC] == ["dpa-02"]
    assert acts(gone) == [
        ("dpa-02", "ceremony"),
        ("dpa-01", "retire"),
        ("dpa-02", "current"),
        ("dpa-01", "destroy"),
    ]
    old = first.key("dpa-01")
    assert gone.records[-1] == Record(
        act=Act.DESTROY,
        deed=DEED,
        label="dpa-01",
        usage=KeyUsage.ISSUER_AC,
        dki=1,
        check_value=old.check_value,
    )


def test_a_current_key_may_retire_without_a_successor(first: Keystore) -> None:
    """Then no cards are made at all, until somebody says under which key."""
    retired = with_retired(first, "dpa-01", DEED)
    with pytest.raises(NoCurrentKey, match="no issuer-ac key is current"):
        retired.current(KeyUsage.ISSUER_AC)
    again = with_current(retired, "dpa-01", DEED)
    assert again.current(KeyUsage.ISSUER_AC) == Generation(KeyRef("dpa-01"), 1)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda k: with_current(k, "dpa-02", DEED), AlreadyCurrent, "is the current one already"),
        (lambda k: with_current(k, "dpa-03", DEED), KeyMissing, "dpa-03"),
        (lambda k: with_current(k, "seal-01", DEED), WrongUsage, "is for seal"),
        (lambda k: with_retired(k, "dpa-01", DEED), KeyRetired, "only verifies"),
        (lambda k: with_retired(k, "audit-01", DEED), WrongUsage, "is for audit"),
        (lambda k: destroyed(k, "dpa-02"), KeyCurrent, "is the current one"),
        (lambda k: destroyed(k, "seal-01"), WrongUsage, "is for seal"),
        (lambda k: destroyed(k, "dpa-09"), KeyMissing, "dpa-09"),
        (lambda k: destroyed(k, "dpa-01", cards=3), KeyHasCards, "has 3 cards"),
        (lambda k: destroyed(k, "dpa-01", cards=3, given_up=2), KeyHasCards, "has 3 cards"),
        (lambda k: destroyed(k, "dpa-01", given_up=2), KeyHasCards, "has 0 cards"),
    ],
)
def test_what_is_not_done(
    rotated: Keystore,
    change: Callable[[Keystore], Keystore],
    error: type[Exception],
    says: str,
) -> None:
    """A step that makes no sense is refused, whoever asks for it, wherever the keys are."""
    with pytest.raises(error, match=says):
        change(rotated)


@pytest.mark.parametrize(("label", "error"), [("dpa-01", NotExportable), ("dpa-09", KeyMissing)])
def test_what_does_not_leave(both: Keystore, label: str, error: type[Exception]) -> None:
    """A key that was made to stay, and one that is not there."""
    with pytest.raises(error, match=label):
        with_export(both, label, DEED)


def destroyed(keystore: Keys, label: str, *, cards: int = 0, given_up: int = 0) -> Keys:
    """*keystore* without this key, which has so many cards."""
    return without_key(keystore, label, DEED, cards={label: cards}, given_up=given_up)


def test_cards_are_given_up_by_their_number(rotated: Keystore) -> None:
    """Who destroys a key that has cards says how many: twice said."""
    assert acts(destroyed(rotated, "dpa-01", cards=3, given_up=3))[-1] == ("dpa-01", "destroy")


def test_a_token_s_keys_live_as_a_keystore_s(first: Keystore) -> None:
    """Retired, used again, overtaken, destroyed: the same keys in the same states, and records."""
    grown = with_key(first, SECOND, Act.CEREMONY, DEED)
    here, there = grown, in_a_token(grown)
    here, there = with_retired(here, "dpa-01", DEED), with_retired(there, "dpa-01", DEED)
    assert in_a_token(here) == there
    here, there = with_current(here, "dpa-01", DEED), with_current(there, "dpa-01", DEED)
    assert in_a_token(here) == there
    here, there = with_current(here, "dpa-02", DEED), with_current(there, "dpa-02", DEED)
    assert in_a_token(here) == there
    here = destroyed(here, "dpa-01", cards=2, given_up=2)
    there = destroyed(there, "dpa-01", cards=2, given_up=2)
    assert in_a_token(here) == there
    assert acts(there)[-1] == ("dpa-01", "destroy")


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (replace(SECOND, label="dpa-01"), "label names another key for ever"),
        (replace(SECOND, label="seal-01"), "label names another key for ever"),
        (replace(SECOND, dki=None), "index None is no new one"),
        (replace(SECOND, dki=1), "index 1 is no new one"),
        (Key(label="seal-02", usage=KeyUsage.SEAL, value=bytes(32), created=NOW), "there is one"),
    ],
    ids=["label", "other label", "no dki", "dki", "usage"],
)
def test_what_is_not_added(first: Keystore, key: Key, says: str) -> None:
    """A label and a DKI name one key for ever; of other keys there is one."""
    with pytest.raises(UnsuitableKey, match=says):
        with_key(first, key, Act.IMPORT, DEED)


def test_a_key_is_added_once(both: Keystore) -> None:
    """Not under another name either, and not after it was destroyed: nor are its names free."""
    third = replace(SECOND, label="dpa-03", dki=3)
    with pytest.raises(UnsuitableKey, match="the same as key dpa-02"):
        with_key(both, third, Act.IMPORT, DEED)
    first = both.key("dpa-01")
    gone = destroyed(both, "dpa-01")
    for key, says in (
        (replace(first, label="dpa-03", dki=3), "it was destroyed here as key dpa-01"),
        (replace(first, dki=3), "label names another"),
        (replace(first, label="dpa-03"), "index 1 is no new one"),
    ):
        with pytest.raises(UnsuitableKey, match=says):
            with_key(gone, key, Act.IMPORT, DEED)
    fresh = replace(issuer_key("dpa-03", bytes(range(16))), dki=3)
    assert with_key(gone, fresh, Act.IMPORT, DEED).key("dpa-03") == fresh
    with pytest.raises(UnsuitableKey, match="label names one key for ever"):
        replace(gone, keys=(*gone.keys, first))


def test_an_export_leaves_its_record(first: Keystore) -> None:
    """Of a key that was made to leave."""
    grown = with_key(first, replace(SECOND, exportable=True), Act.CEREMONY, DEED)
    assert acts(with_export(grown, "dpa-02", DEED))[-1] == ("dpa-02", "export")


def test_records_are_kept_in_the_file(tmp_path: Path, both: Keystore) -> None:
    """Written and read again as they were; what cannot be a record makes the file a damaged one."""
    path = tmp_path / "keys"
    quick_keystore(path)
    full = with_record(destroyed(both, "dpa-01"), Act.BACKUP, DEED)
    written = Keystore.change(
        path, PASSPHRASE, lambda old: replace(full, path=old.path), random=chance("x")
    )
    assert Keystore.open(path, PASSPHRASE) == written
    assert written.records == full.records
    lone = replace(full.records[0], deed=object.__new__(Deed))
    for name, value in (("at", NOW), ("officers", (ADA,)), ("reason", "seule")):
        object.__setattr__(lone.deed, name, value)
    Keystore.change(path, PASSPHRASE, lambda old: replace(old, records=(lone,)), random=chance("y"))
    with pytest.raises(KeystoreDamaged):
        Keystore.open(path, PASSPHRASE)


def test_a_change_that_fails_leaves_the_file(tmp_path: Path) -> None:
    """Nothing is written, nothing stays locked, nothing is left beside it."""
    path = tmp_path / "keys"
    keystore = quick_keystore(path)
    before = path.read_bytes()
    with pytest.raises(KeyMissing):
        Keystore.change(
            path, PASSPHRASE, lambda old: with_current(old, "dpa-09", DEED), random=chance("x")
        )
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    assert Keystore.open(path, PASSPHRASE) == keystore


@pytest.mark.parametrize(
    ("officers", "reason", "says"),
    [
        ((ADA,), "seule", "two or more different persons"),
        ((ADA, Officer(" ada  brun", "émission")), "deux fois la même", "persons must be named"),
        ((ADA, BRICE), " ", "the reason: one line"),
        ((ADA, BRICE), "deux\nlignes", "the reason: one line"),
        ((ADA, BRICE), "x" * 81, "the reason: one line"),
    ],
)
def test_nobody_handles_keys_alone(officers: tuple[Officer, ...], reason: str, says: str) -> None:
    """Two persons, however one of them is written, and a reason that fits on a line."""
    with pytest.raises(UnsuitableOfficers, match=says):
        Deed(NOW, officers, reason)


@pytest.mark.parametrize("name", ["", "  ", "Ada\tBrun", "x" * 81])
def test_officers_have_a_name_and_a_role(name: str) -> None:
    """Something that can be printed and signed."""
    for one in ((name, "sécurité"), ("Ada", name)):
        with pytest.raises(UnsuitableOfficers, match="a name and a role"):
            Officer(*one)


def test_states_are_of_issuer_keys() -> None:
    """The others are always in use; an issuer key that is current says its DKI, of one byte."""
    seal = Key(label="seal-01", usage=KeyUsage.SEAL, value=bytes(32), created=NOW)
    changes: list[Callable[[], Key]] = [
        lambda: replace(seal, dki=1),
        lambda: replace(seal, state=KeyState.CURRENT),
        lambda: replace(seal, exportable=True),
    ]
    for change in changes:
        with pytest.raises(UnsuitableKey, match="only issuer keys"):
            change()
    issuer = Key(label="dpa-01", usage=KeyUsage.ISSUER_AC, value=IMK, created=NOW)
    with pytest.raises(UnsuitableKey, match="new cards need its derivation key index"):
        replace(issuer, state=KeyState.CURRENT)
    for dki in (-1, 256):
        with pytest.raises(UnsuitableKey, match="one byte"):
            replace(SECOND, dki=dki)


def test_one_key_is_current(first: Keystore) -> None:
    """Two would leave it open under which a card is made; and a DKI names one of them."""
    for key in (replace(SECOND, state=KeyState.CURRENT), replace(SECOND, dki=1)):
        with pytest.raises(UnsuitableKey, match="two issuer-ac keys"):
            replace(first, keys=(*first.keys, key))
