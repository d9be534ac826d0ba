"""The keystore file: whole or refused, opened by its passphrase or not at all."""

import hashlib
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2.low_level import Type, hash_secret_raw
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import (
    CustodyError,
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreError,
    KeystoreExists,
    KeystoreExposed,
    KeystoreFull,
    KeystoreInaccessible,
    KeystoreMissing,
    KeystoreTooNew,
    KeystoreWeak,
    UnsuitableKey,
    WeakPassphrase,
    WrongPassphrase,
)
from sesame.custody.key import KeyState, generate_key
from sesame.custody.key_life import with_record
from sesame.custody.keystore import COST, Cost, Keystore, _StoredKey
from sesame.custody.passphrase import Passphrase
from sesame.custody.records import Act, Deed, Officer
from tests.custody.keystores import (
    IMK,
    NOW,
    PASSPHRASE,
    QUICK,
    chance,
    issuer_key,
    quick_keystore,
)

Fields = dict[str, Any]  # the file, as JSON has it


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the keystore of a test goes; nothing is there yet."""
    return tmp_path / "trousseau de clés"


def write(path: Path, fields: Fields) -> None:
    """*fields* as the file, with a checksum that fits: what somebody could do on purpose."""
    fields["checksum"] = ""
    rest = json.dumps(fields, separators=(",", ":")).encode()
    fields["checksum"] = hashlib.sha256(rest).hexdigest()
    path.write_text(json.dumps(fields, indent=2) + "\n")


# ── What is made can be opened ───────────────────────────────────────────────────────────────────


def test_what_was_created_opens(path: Path) -> None:
    """The same keys, by the same passphrase, for the owner of the file alone."""
    created = quick_keystore(path)
    assert Keystore.open(path, PASSPHRASE) == created
    assert created.demo
    assert {key.usage for key in created.keys} == set(KeyUsage)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]  # nothing is left beside it


def test_the_mode_does_not_depend_on_the_umask(path: Path) -> None:
    """A careless shell makes no difference."""
    before = os.umask(0)
    try:
        quick_keystore(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600


def test_real_keystores_cost_what_they_should(path: Path) -> None:
    """Not a demonstration: full argon2id, no payment key; and its flag is authenticated."""
    Keystore.create(path, PASSPHRASE, demo=False, now=NOW, random=chance("real"))
    keystore = Keystore.open(path, PASSPHRASE)
    assert keystore.cost == COST
    assert not keystore.demo
    assert KeyUsage.ISSUER_PAYMENT not in {key.usage for key in keystore.keys}
    fields = json.loads(path.read_text())
    write(path, fields | {"demo": True})
    with pytest.raises(KeystoreAltered):
        Keystore.open(path, PASSPHRASE)


def test_the_file_is_what_its_page_says(path: Path) -> None:
    """Read by docs/reference/keystore.md alone, without a line of ours."""
    keystore = quick_keystore(path)
    fields = json.loads(path.read_text())
    assert list(fields) == [
        *("format", "version", "demo", "kdf", "check", "nonce", "ciphertext", "checksum")
    ]
    assert fields["kdf"].keys() == {"name", "salt", "cost"}
    assert fields["kdf"]["cost"] == {"time": 1, "memory_kib": 8, "lanes": 1}
    stretched = hash_secret_raw(
        PASSPHRASE.text.encode(), bytes.fromhex(fields["kdf"]["salt"]), 1, 8, 1, 64, Type.ID
    )
    assert stretched[32:].hex() == fields["check"]
    header = json.dumps(fields | {"ciphertext": "", "checksum": ""}, separators=(",", ":"))
    plain = AESGCM(stretched[:32]).decrypt(
        bytes.fromhex(fields["nonce"]), bytes.fromhex(fields["ciphertext"]), header.encode()
    )
    issuer = {"dki": 1, "state": "current", "exportable": False}
    other = {"dki": None, "state": None, "exportable": False}
    assert json.loads(plain) == {
        "keys": [
            {
                "label": key.label,
                "usage": key.usage,
                "value": key.value.hex(),
                "created": "2025-03-14T09:26:53Z",
                "check": key.check_value.hex(),
                **(issuer if key.usage.startswith("issuer") else other),
            }
            for key in keystore.keys
        ],
        "records": [],
    }


def test_each_keystore_has_its_own_chance(tmp_path: Path) -> None:
    """Salt, nonce and keys all come from the chance that was given."""
    one, other = (quick_keystore(tmp_path / seed, seed) for seed in ("one", "other"))
    assert not {key.value for key in one.keys} & {key.value for key in other.keys}
    first, second = (json.loads(keystore.path.read_text()) for keystore in (one, other))
    assert first["nonce"] != second["nonce"]
    assert first["kdf"]["salt"] != second["kdf"]["salt"]


# ── What must not open it ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("wrong", ["", "another passphrase", PASSPHRASE.text.upper()])
def test_another_passphrase(path: Path, wrong: str) -> None:
    """It says that the passphrase is wrong, not that the file is damaged, and repeats neither."""
    quick_keystore(path)
    with pytest.raises(WrongPassphrase) as refused:
        Keystore.open(path, Passphrase(wrong))
    assert refused.value.path == path
    assert not wrong or wrong not in str(refused.value)


def test_every_bit_of_the_file_counts(path: Path) -> None:
    """Whichever is flipped, the file is refused, and never for its passphrase."""
    quick_keystore(path)
    good = path.read_bytes()
    file = os.open(path, os.O_WRONLY)
    for place, byte in enumerate(good):
        for bit in range(8):
            os.pwrite(file, bytes([byte ^ 1 << bit]), place)
            # A flipped version reads as a later one: refused all the same.
            with pytest.raises((KeystoreDamaged, KeystoreTooNew)):
                Keystore.open(path, PASSPHRASE)
        os.pwrite(file, bytes([byte]), place)
    os.close(file)
    Keystore.open(path, PASSPHRASE)


def test_cut_anywhere(path: Path) -> None:
    """A file cut short, or one that goes on, is damaged."""
    quick_keystore(path)
    good = path.read_bytes()
    for length in [*range(0, len(good), 17), len(good) - 2, len(good) - 1]:
        path.write_bytes(good[:length])
        with pytest.raises(KeystoreDamaged):
            Keystore.open(path, PASSPHRASE)
    for more in (b"\n", b" ", b"{}", good):
        path.write_bytes(good + more)
        with pytest.raises(KeystoreDamaged):
            Keystore.open(path, PASSPHRASE)
    path.write_bytes(good + bytes(32 << 20))
    with pytest.raises(KeystoreDamaged, match="larger"):
        Keystore.open(path, PASSPHRASE)


@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """What is no keystore raises our error and nothing else."""
    path = tmp_path_factory.getbasetemp() / "any-bytes"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(KeystoreDamaged, match="not a keystore"):
        Keystore.open(path, PASSPHRASE)


def test_another_spelling(path: Path) -> None:
    """The same JSON written otherwise is not what we wrote."""
    quick_keystore(path)
    fields = json.loads(path.read_text())
    for text in (json.dumps(fields), json.dumps(fields, indent=2), json.dumps(fields, indent=4)):
        path.write_text(text)
        with pytest.raises(KeystoreDamaged, match="checksum"):
            Keystore.open(path, PASSPHRASE)


def with_kdf(**changed: object) -> Callable[[Fields], Fields]:
    """A change inside `kdf`."""
    return lambda fields: fields | {"kdf": fields["kdf"] | changed}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (with_kdf(salt="00" * 16), WrongPassphrase),
        (with_kdf(cost={"time": 2, "memory_kib": 8, "lanes": 1}), WrongPassphrase),
        (lambda fields: fields | {"check": "00" * 32}, WrongPassphrase),
        (lambda fields: fields | {"nonce": "00" * 12}, KeystoreAltered),
        (lambda fields: fields | {"ciphertext": ""}, KeystoreAltered),
        (lambda fields: fields | {"ciphertext": "00" + fields["ciphertext"][2:]}, KeystoreAltered),
        (lambda fields: fields | {"ciphertext": fields["ciphertext"][2:]}, KeystoreAltered),
        (lambda fields: fields | {"ciphertext": fields["ciphertext"][1:]}, KeystoreDamaged),
        (lambda fields: fields | {"ciphertext": fields["ciphertext"].upper()}, KeystoreDamaged),
        (lambda fields: fields | {"nonce": "00" * 11}, KeystoreDamaged),
        (lambda fields: fields | {"nonce": fields["nonce"] + "\n"}, KeystoreDamaged),
        (lambda fields: fields | {"format": "sesame-card"}, KeystoreDamaged),
        (lambda fields: fields | {"version": 0}, KeystoreDamaged),
        (lambda fields: fields | {"version": 1.0}, KeystoreDamaged),
        (lambda fields: fields | {"version": 3}, KeystoreTooNew),
        (lambda fields: fields | {"version": 3, "kdf": "of later"}, KeystoreTooNew),
        (lambda fields: fields | {"more": 1}, KeystoreDamaged),
        (lambda fields: {k: v for k, v in fields.items() if k != "check"}, KeystoreDamaged),
        (lambda fields: fields | {"demo": False}, KeystoreWeak),
        (with_kdf(name="scrypt"), KeystoreDamaged),
        (with_kdf(cost={"time": 1, "memory_kib": 1 << 21, "lanes": 1}), KeystoreDamaged),
        (with_kdf(cost={"time": 65, "memory_kib": 8, "lanes": 1}), KeystoreDamaged),
        (with_kdf(cost={"time": 1, "memory_kib": 8, "lanes": 17}), KeystoreDamaged),
        (with_kdf(cost={"time": 1, "memory_kib": 8, "lanes": 2}), KeystoreDamaged),
        (with_kdf(cost={"time": 0, "memory_kib": 8, "lanes": 1}), KeystoreDamaged),
    ],
)
def test_changed_on_purpose(
    path: Path, change: Callable[[Fields], Fields], error: type[KeystoreError]
) -> None:
    """With a checksum made to fit, no change goes through, and none costs more than we allow."""
    quick_keystore(path)
    write(path, change(json.loads(path.read_text())))
    with pytest.raises(KeystoreError) as refused:
        Keystore.open(path, PASSPHRASE)
    assert refused.type is error


def test_what_would_never_be_read_again_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records only grow: the one too many is refused, and the file stays and opens."""
    quick_keystore(path)
    monkeypatch.setattr("sesame.custody.keystore._LARGEST", len(path.read_bytes()) + 2500)
    deed = Deed(NOW, (Officer("Ada", "security"), Officer("Brice", "issuing")), "monthly")
    for _ in range(100):
        before = path.read_bytes()
        try:
            Keystore.change(
                path,
                PASSPHRASE,
                lambda old: with_record(old, Act.BACKUP, deed),
                random=chance("change"),
            )
        except KeystoreFull:
            break
    else:
        pytest.fail("never full")
    assert path.read_bytes() == before
    assert Keystore.open(path, PASSPHRASE).records


def reseal(path: Path, stored: object) -> None:
    """*stored* in place of the keys, by somebody who has the passphrase."""
    fields = json.loads(path.read_text())
    stretched = hash_secret_raw(
        PASSPHRASE.encode(), bytes.fromhex(fields["kdf"]["salt"]), 1, 8, 1, 64, Type.ID
    )
    header = json.dumps(fields | {"ciphertext": "", "checksum": ""}, separators=(",", ":"))
    sealed = AESGCM(stretched[:32]).encrypt(
        bytes.fromhex(fields["nonce"]), json.dumps(stored).encode(), header.encode()
    )
    write(path, fields | {"ciphertext": sealed.hex()})


def stored_keys(keystore: Keystore) -> list[dict[str, Any]]:
    """The keys as the file holds them."""
    return [
        {
            "label": key.label,
            "usage": key.usage,
            "value": key.value.hex(),
            "created": key.created.isoformat(),
            "check": key.check_value.hex(),
            "dki": key.dki,
            "state": key.state if key.dki else None,
            "exportable": key.exportable,
        }
        for key in keystore.keys
    ]


def test_keys_are_checked_when_loaded(path: Path) -> None:
    """Behind the right seal too: check values, usages, lengths, one key of each lone usage."""
    keystore = quick_keystore(path)
    good = stored_keys(keystore)
    assert [good[0]["usage"], good[1]["usage"]] == ["issuer-ac", "seal"]
    wrong: list[list[dict[str, Any]]] = [
        [],
        [*good, good[0]],
        good[:1] + good[2:],
        [*good, {**good[1], "label": "seal-02"}],
        [{**good[0], "check": "000000"}, *good[1:]],
        [{**good[0], "usage": "audit"}, *good[1:]],
        [{**good[0], "usage": "gold"}, *good[1:]],
        [{**good[0], "value": good[0]["value"][:30]}, *good[1:]],
        [{**good[0], "value": good[0]["value"][:31]}, *good[1:]],
        [{**good[0], "label": "Not a label"}, *good[1:]],
        [{**good[0], "created": "2025-03-14T09:26:53"}, *good[1:]],
        [{**good[0], "created": "yesterday"}, *good[1:]],
        [{**good[0], "more": ""}, *good[1:]],
        [{**good[0], "dki": 256}, *good[1:]],
        [{**good[0], "dki": None}, *good[1:]],
        [good[0], {**good[1], "dki": 1}, *good[2:]],
        [*good, {**good[0], "label": "dpa-02", "dki": 2}],
        [*good, {**good[0], "label": "dpa-02", "state": "new"}],
    ]
    for stored in [{}, [], *({"keys": keys, "records": []} for keys in wrong)]:
        reseal(path, stored)
        with pytest.raises(KeystoreDamaged, match="keys are not"):
            Keystore.open(path, PASSPHRASE)
    reseal(path, {"keys": good, "records": []})
    assert Keystore.open(path, PASSPHRASE) == keystore


def as_version_1(path: Path, stored: list[dict[str, Any]]) -> None:
    """*stored* in a file as it was written before there were generations and records."""
    old = [{k: key[k] for k in ("label", "usage", "value", "created", "check")} for key in stored]
    write(path, json.loads(path.read_text()) | {"version": 1})
    reseal(path, old)


def test_a_file_of_version_1_opens(path: Path) -> None:
    """Its issuer key is the current one, of the first generation; a change writes version 2."""
    keystore = quick_keystore(path)
    as_version_1(path, stored_keys(keystore))
    assert Keystore.open(path, PASSPHRASE) == keystore
    changed = Keystore.add(path, PASSPHRASE, issuer_key("dpa-02"), random=chance("add"))
    assert Keystore.open(path, PASSPHRASE) == changed
    assert changed.keys[:-1] == keystore.keys
    assert json.loads(path.read_text())["version"] == 2


def test_several_issuer_keys_of_version_1(path: Path) -> None:
    """They are generations in their order, each usage by itself; the last is current."""
    keystore = quick_keystore(path)
    stored = stored_keys(keystore)
    second = stored_keys(replace(keystore, keys=(*keystore.keys, issuer_key("dpa-02"))))[-1]
    as_version_1(path, [*stored, second])
    found = {
        key.label: (key.dki, key.state)
        for key in Keystore.open(path, PASSPHRASE).keys
        if key.usage.startswith("issuer")
    }
    assert found == {
        "dpa-01": (1, KeyState.VERIFY_ONLY),
        "payment-01": (1, KeyState.CURRENT),
        "dpa-02": (2, KeyState.CURRENT),
    }


# ── Where it may stand ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o666, 0o601, 0o610])
def test_a_file_that_others_may_use(path: Path, mode: int) -> None:
    """Whatever the group or the others may do with it is too much."""
    quick_keystore(path)
    path.chmod(mode)
    with pytest.raises(KeystoreExposed, match=f"mode {mode:04o}") as refused:
        Keystore.open(path, PASSPHRASE)
    assert refused.value.mode == mode


def test_no_file(path: Path) -> None:
    """It says how to make one."""
    with pytest.raises(KeystoreMissing, match="sesame keys create"):
        Keystore.open(path, PASSPHRASE)


def test_what_is_not_a_file(path: Path) -> None:
    """A folder, and a pipe that nobody writes to: the answer does not wait."""
    with pytest.raises(KeystoreInaccessible, match="not a file"):
        Keystore.open(path.parent, PASSPHRASE)
    os.mkfifo(path, mode=0o600)
    with pytest.raises(KeystoreInaccessible, match="not a file"):
        Keystore.open(path, PASSPHRASE)


def test_what_the_system_refuses(path: Path) -> None:
    """In its own words: a name too long to read, a folder that is none to write to."""
    long = path.with_name("k" * 300)
    with pytest.raises(KeystoreInaccessible, match="File name too long"):
        Keystore.open(long, PASSPHRASE)
    with pytest.raises(KeystoreInaccessible, match="No such file or directory"):
        quick_keystore(path / "under nothing")
    with pytest.raises(KeystoreInaccessible, match="No such file or directory"):
        Keystore.add(path / "x", PASSPHRASE, issuer_key("dpa-02"), random=chance("add"))


# ── Making one ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nowhere")])
def test_nothing_is_overwritten(path: Path, make: Callable[[Path], None]) -> None:
    """Not a file, not a folder, not a link that leads nowhere."""
    make(path)
    with pytest.raises(KeystoreExists):
        quick_keystore(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_second_keystore_never_replaces_the_first(path: Path) -> None:
    """The first keys stay as they are."""
    first = quick_keystore(path, "first")
    with pytest.raises(KeystoreExists):
        quick_keystore(path, "second")
    assert Keystore.open(path, PASSPHRASE) == first


def test_of_creators_at_once_one_wins(path: Path) -> None:
    """The others are told, and the file is whole and the winner's."""

    def create(number: int) -> Keystore | None:
        try:
            return quick_keystore(path, f"creator {number}")
        except KeystoreExists:
            return None

    with ThreadPoolExecutor(16) as pool:
        made = [keystore for keystore in pool.map(create, range(64)) if keystore]
    assert made == [Keystore.open(path, PASSPHRASE)]
    assert list(path.parent.iterdir()) == [path]


def test_weak_passphrases_protect_nothing(path: Path) -> None:
    """No file is made, for a demonstration neither."""
    for weak in ("", "sesame", "aaaaaaaaaaaaaaaaaaaa"):
        with pytest.raises(WeakPassphrase):
            Keystore.create(
                path, Passphrase(weak), demo=True, now=NOW, random=chance("weak"), cost=QUICK
            )
    assert not path.exists()


@pytest.mark.parametrize(
    "cost", [QUICK, Cost(3, 64 * 1024 - 1, 4), Cost(2, 64 * 1024, 4)], ids=repr
)
def test_the_floor(path: Path, cost: Cost) -> None:
    """Whoever is no demonstration cannot go below it, not by one KiB."""
    with pytest.raises(KeystoreWeak):
        Keystore.create(path, PASSPHRASE, demo=False, now=NOW, random=chance("x"), cost=cost)
    assert not path.exists()


def test_dearer_than_the_floor_is_allowed() -> None:
    """More memory, more passes; fewer lanes make nothing cheaper."""
    for cost in (COST, Cost(4, 64 * 1024, 1), Cost(3, 128 * 1024, 4)):
        assert cost.reaches(COST)
    with pytest.raises(ValueError, match="8 KiB"):
        Cost(time=1, memory_kib=8, lanes=2)


# ── Adding to one ────────────────────────────────────────────────────────────────────────────────


def test_an_added_key_is_there(path: Path) -> None:
    """Beside the others, under a fresh salt and nonce, and still for the owner alone."""
    before = quick_keystore(path)
    first = json.loads(path.read_text())
    after = Keystore.add(path, PASSPHRASE, issuer_key("dpa-02"), random=chance("add"))
    assert after.keys == (*before.keys, issuer_key("dpa-02"))
    assert Keystore.open(path, PASSPHRASE) == after
    second = json.loads(path.read_text())
    assert first["nonce"] != second["nonce"]
    assert first["kdf"]["salt"] != second["kdf"]["salt"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_added(path: Path) -> None:
    """A label that is taken, a second key of a lone usage, anything by a wrong passphrase."""
    before = quick_keystore(path)
    with pytest.raises(UnsuitableKey, match="two keys of one label"):
        Keystore.add(path, PASSPHRASE, issuer_key("dpa-01"), random=chance("add"))
    second = generate_key("audit-02", KeyUsage.AUDIT, now=NOW, random=chance("audit"))
    with pytest.raises(UnsuitableKey, match="exactly one audit key"):
        Keystore.add(path, PASSPHRASE, second, random=chance("add"))
    with pytest.raises(WrongPassphrase):
        Keystore.add(path, Passphrase("another"), issuer_key("dpa-02"), random=chance("add"))
    assert Keystore.open(path, PASSPHRASE) == before


def test_of_those_who_add_at_once_nobody_loses(path: Path) -> None:
    """Each waits for the other: all keys are there in the end."""
    quick_keystore(path)
    labels = [f"dpa-{number:02}" for number in range(2, 26)]

    def add(label: str) -> None:
        Keystore.add(path, PASSPHRASE, issuer_key(label), random=chance(label))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, labels))
    keys = Keystore.open(path, PASSPHRASE).keys
    assert {key.label for key in keys} >= set(labels)
    assert len(keys) == 6 + len(labels)


# A process that dies at its n-th step on the disk; by the end of the steps it has done it all.
_DYING = """
import os, signal, sys
from pathlib import Path
from sesame.custody.keystore import Keystore
from tests.custody.keystores import PASSPHRASE, chance, issuer_key, quick_keystore

action, path, deadly = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
steps = 0

def step():
    global steps
    steps += 1
    if steps == deadly:
        os.kill(os.getpid(), signal.SIGKILL)

def watch(event, args):
    if event in {"open", "os.rename", "os.remove", "os.link", "fcntl.flock"}:
        step()

def fsync(number, sync=os.fsync):
    step()
    sync(number)
    step()

os.fsync = fsync
sys.addaudithook(watch)
if action == "create":
    quick_keystore(path)
else:
    Keystore.add(path, PASSPHRASE, issuer_key("dpa-02"), random=chance("add"))
"""


def run_dying(action: str, path: Path, deadly: int) -> bool:
    """Whether the process came to its end."""
    done = run_alone(_DYING, action, path, deadly)
    assert done.returncode in {0, -9}
    return done.returncode == 0


def run_alone(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run *program* in a process of its own, whose coverage is not measured.

    One that is killed, or that may not write, would leave half a coverage file behind.
    """
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=Path(__file__).parent.parent.parent,
        env={name: value for name, value in os.environ.items() if "COVERAGE" not in name},
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_killed_while_it_adds(path: Path) -> None:
    """At whichever step, the file is the old one or the new one, and opens."""
    before = quick_keystore(path)
    old = path.read_bytes()
    seen = set()
    finished, deadly = False, 0
    for deadly in range(1, 100):
        path.write_bytes(old)
        finished = run_dying("add", path, deadly)
        labels = [key.label for key in Keystore.open(path, PASSPHRASE).keys]
        added = labels[len(before.keys) :]
        assert added in ([], ["dpa-02"])
        seen.add(tuple(added))
        if finished:
            break
    assert finished
    assert deadly > 6  # it died at some steps before
    assert seen == {(), ("dpa-02",)}


def test_killed_while_it_creates(path: Path) -> None:
    """At whichever step, there is no file or a whole one."""
    seen = set()
    finished, deadly = False, 0
    for deadly in range(1, 100):
        finished = run_dying("create", path, deadly)
        seen.add(path.exists())
        if path.exists():
            assert len(Keystore.open(path, PASSPHRASE).keys) == 6
            path.unlink()
        if finished:
            break
    assert finished
    assert deadly > 4
    assert seen == {False, True}


_FULL = """
import resource, sys
from pathlib import Path
from sesame.custody.errors import KeystoreInaccessible
from sesame.custody.keystore import Keystore
from tests.custody.keystores import PASSPHRASE, chance, issuer_key

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Keystore.add(Path(sys.argv[1]), PASSPHRASE, issuer_key("dpa-02"), random=chance("add"))
except KeystoreInaccessible as error:
    print(error)
"""


def test_a_full_disk(path: Path) -> None:
    """Half a file is none: the old one stays, the half is taken away, the sentence says why."""
    before = quick_keystore(path)
    assert "File too large" in run_alone(_FULL, path).stdout
    assert Keystore.open(path, PASSPHRASE) == before
    assert list(path.parent.iterdir()) == [path]


# ── What is never said ───────────────────────────────────────────────────────────────────────────


def test_errors_keep_their_secrets(path: Path) -> None:
    """No traceback, cause or argument of one holds a key or a passphrase."""
    keystore = quick_keystore(path)
    good = json.loads(path.read_text())
    stored = stored_keys(keystore)
    secrets = [PASSPHRASE.text, *(key["value"] for key in stored)]
    errors: list[CustodyError] = []

    def refused(passphrase: Passphrase = PASSPHRASE) -> None:
        with pytest.raises(CustodyError) as raised:
            Keystore.open(path, passphrase)
        errors.append(raised.value)

    refused(Passphrase(PASSPHRASE.text + "!"))
    write(path, good | {"nonce": "00" * 12})
    refused()
    write(path, good)
    for broken in (
        {"value": stored[0]["value"][:30]},
        {"value": stored[0]["value"] + "zz"},
        {"usage": stored[0]["value"]},
        {"label": stored[0]["value"] + "-"},
        {"check": stored[0]["value"]},
    ):
        reseal(path, {"keys": [{**stored[0], **broken}, *stored[1:]], "records": []})
        refused()
    for usage in (KeyUsage.AUDIT, KeyUsage.SEAL):
        with pytest.raises(UnsuitableKey) as raised:
            replace(keystore.keys[0], usage=usage)
        errors.append(raised.value)
    assert len(errors) == 9
    for error in errors:
        said = "".join(traceback.format_exception(error)) + repr(error.args) + repr(vars(error))
        for secret in secrets:
            assert secret not in said
            assert repr(secret.encode()) not in said


def test_a_stored_key_does_not_print_itself() -> None:
    """Whoever prints what was decrypted sees no value."""
    stored = _StoredKey("dpa-01", KeyUsage.ISSUER_AC, IMK.hex(), NOW, "08d7b4")
    assert IMK.hex() not in repr(stored)


def test_the_file_holds_nothing_in_clear(path: Path) -> None:
    """Neither a key nor what it is for."""
    keystore = quick_keystore(path)
    content = path.read_text()
    for key in keystore.keys:
        assert key.value.hex() not in content
        assert key.label not in content
    assert PASSPHRASE.text not in content
