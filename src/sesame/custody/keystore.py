"""Keys in one encrypted file: argon2id of a passphrase (RFC 9106), then AES-256-GCM.

docs/reference/keystore.md gives the file field by field, docs/decisions/0010 the reasons.
The header is authenticated with the keys; the file is replaced whole or not at all.
"""

import fcntl
import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, Struct

from sesame.custody.custodian import KeyRef, KeyUsage
from sesame.custody.errors import (
    KeyMissing,
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreExists,
    KeystoreExposed,
    KeystoreFull,
    KeystoreInaccessible,
    KeystoreMissing,
    KeystoreTooNew,
    KeystoreWeak,
    NoCurrentKey,
    UnsuitableKey,
    UnsuitableOfficers,
    WrongPassphrase,
)
from sesame.custody.key import (
    CHECK_VALUE,
    FIRST_DKI,
    ISSUER_USAGES,
    Key,
    KeyState,
    Random,
    standard_keys,
)
from sesame.custody.passphrase import Passphrase
from sesame.custody.records import Record, StoredRecord, destroyed_on, loaded, stored
from sesame.custody.whole_file import folder_of, written_beside

_FORMAT: Final = "sesame-keystore"
_VERSION: Final = 2
_WITHOUT_RECORDS = 1  # the version before there were generations and records
_LARGEST = 1 << 24  # bytes of a file; a key takes about 400, a record 500
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ARGON2_VERSION = 0x13
_SALT = 16  # bytes
_NONCE = 12
_KEY = 32
_SHA256 = 32
_NOT_OURS = (msgspec.DecodeError, UnicodeDecodeError)  # the second for a string that is no UTF-8


class Cost(Struct, frozen=True, forbid_unknown_fields=True):
    """What each try of a passphrase costs: argon2id's parameters, RFC 9106, 3.1."""

    time: Annotated[int, Meta(ge=1, le=64)]  # passes
    memory_kib: Annotated[int, Meta(ge=8, le=1 << 20)]  # at least 8 a lane
    lanes: Annotated[int, Meta(ge=1, le=16)]

    def __post_init__(self) -> None:
        if self.memory_kib < 8 * self.lanes:
            raise ValueError("argon2id wants 8 KiB of memory for each lane")

    def reaches(self, floor: "Cost") -> bool:
        """Whether a try costs at least as much as at *floor*; lanes make it no dearer."""
        return self.time >= floor.time and self.memory_kib >= floor.memory_kib


# RFC 9106, section 4, second recommendation. It is the floor too: only demonstrations go below.
COST = Cost(time=3, memory_kib=64 * 1024, lanes=4)


@dataclass(frozen=True, slots=True)
class Generation:
    """An issuer key as a new card's record names it."""

    ref: KeyRef
    dki: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystore:
    """An opened keystore. Build one and it is right.

    Raises:
        UnsuitableKey: two keys of one label, not exactly one key of a usage other than the
            issuer's, or two issuer keys for one usage that are current or of one DKI.
    """

    path: Path
    demo: bool  # its passphrase may be anybody's: production settings refuse it
    cost: Cost
    keys: tuple[Key, ...]
    records: tuple[Record, ...] = ()  # of what was done to them, oldest first

    def __post_init__(self) -> None:
        labels = {key.label for key in self.keys}
        if len(labels) != len(self.keys) or any(
            destroyed_on(self.records, label) for label in labels
        ):
            raise UnsuitableKey("two keys of one label: a label names one key for ever")
        for usage in KeyUsage:
            keys = [key for key in self.keys if key.usage is usage]
            if usage not in ISSUER_USAGES and len(keys) != 1:
                raise UnsuitableKey(f"a keystore has exactly one {usage} key")
            if sum(key.state is KeyState.CURRENT for key in keys) > 1:
                raise UnsuitableKey(f"two {usage} keys are current: new cards are made under one")
            indices = [key.dki for key in keys if key.dki is not None]
            if len(set(indices)) != len(indices):
                raise UnsuitableKey(f"two {usage} keys of one derivation key index")

    @classmethod
    def create(  # noqa: PLR0913 -- time, chance and cost are the caller's, each by name
        cls,
        path: Path,
        passphrase: Passphrase,
        *,
        demo: bool,
        now: datetime,
        random: Random,
        cost: Cost = COST,
    ) -> Self:
        """A new file, mode 0600, with the standard keys. It is whole when it appears.

        Raises:
            WeakPassphrase: *passphrase* is too short or too plain.
            KeystoreExists: something stands at *path*, or came there meanwhile.
            KeystoreWeak: *cost* is below the floor, and this is no *demo*.
            KeystoreInaccessible: the file cannot be written.
        """
        passphrase.check_strength()
        keys = standard_keys(demo=demo, now=now, random=random)
        keystore = cls(path=path, demo=demo, cost=cost, keys=keys)
        keystore.write_new(passphrase, random=random)
        return keystore

    def write_new(self, passphrase: Passphrase, *, random: Random) -> None:
        """Write this keystore to its path, where nothing is yet, under *passphrase*.

        Raises:
            WeakPassphrase, KeystoreExists, KeystoreWeak, KeystoreInaccessible: as `create`.
        """
        passphrase.check_strength()
        with _written_beside(self.path, _encode(self, passphrase, random)) as new:
            try:
                # Unlike a rename, a link never replaces: of two creators one loses.
                self.path.hardlink_to(new)
            except FileExistsError:
                raise KeystoreExists(self.path) from None

    @classmethod
    def open(cls, path: Path, passphrase: Passphrase) -> Self:
        """The keystore at *path*.

        Raises:
            KeystoreMissing: there is none.
            KeystoreInaccessible: the file cannot be read.
            KeystoreExposed: its mode lets other users in.
            KeystoreTooNew: a later version wrote it.
            KeystoreDamaged: a byte of it is not as it was written; KeystoreAltered, one of
                them, if somebody took pains to hide that.
            KeystoreWeak: its cost is below the floor, and it is no demonstration.
            WrongPassphrase: the file is whole and *passphrase* is not its own.
        """
        file = _decode(path, _read(path))
        plain = _decrypt(path, file, passphrase)
        try:
            keys, records = _read_plain(file.version, plain)
            return cls(path=path, demo=file.demo, cost=file.kdf.cost, keys=keys, records=records)
        except (*_NOT_OURS, UnsuitableKey, UnsuitableOfficers):
            raise KeystoreDamaged(path, "its keys are not as a keystore writes them") from None

    @classmethod
    def add(cls, path: Path, passphrase: Passphrase, key: Key, *, random: Random) -> Self:
        """The keystore at *path* with one more *key*, on disk when this returns.

        Raises:
            UnsuitableKey: its label is taken, or its usage allows one key only.
            KeystoreError: as `open`, or the file cannot be written.
        """
        return cls.change(
            path, passphrase, lambda old: replace(old, keys=(*old.keys, key)), random=random
        )

    @classmethod
    def change(
        cls,
        path: Path,
        passphrase: Passphrase,
        changed: Callable[[Self], Self],
        *,
        random: Random,
    ) -> Self:
        """The keystore at *path* as *changed* makes it of the one that is there: whole or not.

        It is on disk when this returns. What *changed* raises leaves the file as it was.

        Raises:
            KeystoreError: as `open`, or the file cannot be written.
        """
        # Of two that change it at once, neither may write over what the other did.
        with _locked(path):
            keystore = changed(cls.open(path, passphrase))
            with _written_beside(path, _encode(keystore, passphrase, random)) as new:
                new.replace(path)
        return keystore

    def only(self, usage: KeyUsage) -> Key:
        """The key for *usage*, one of those that have exactly one."""
        return next(key for key in self.keys if key.usage is usage)

    def current(self, usage: KeyUsage) -> Generation:
        """The issuer key under which new cards are made, and their DKI.

        Raises:
            NoCurrentKey: none is.
        """
        for key in self.keys:
            if key.usage is usage and key.state is KeyState.CURRENT and key.dki is not None:
                return Generation(KeyRef(key.label), key.dki)
        raise NoCurrentKey(usage)

    def key(self, label: str) -> Key:
        """The key of *label*.

        Raises:
            KeyMissing: there is none.
        """
        for key in self.keys:
            if key.label == label:
                return key
        raise KeyMissing(label)


# ── Between keys and bytes ───────────────────────────────────────────────────────────────────────


def _hex(length: int) -> Meta:
    """*length* bytes in small hexadecimal digits."""
    return Meta(pattern=rf"^[0-9a-f]{{{2 * length}}}\Z")


_ANY_HEX = Meta(pattern=r"^([0-9a-f]{2})*\Z")


class _Kdf(Struct, frozen=True, forbid_unknown_fields=True):
    name: Literal["argon2id"]
    salt: Annotated[str, _hex(_SALT)]
    cost: Cost


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """The file, its fields in their order."""

    format: Literal["sesame-keystore"]
    version: Literal[1, 2]
    demo: bool
    kdf: _Kdf
    check: Annotated[str, _hex(_KEY)]  # tells a wrong passphrase from a damaged file
    nonce: Annotated[str, _hex(_NONCE)]
    ciphertext: Annotated[str, _ANY_HEX] = ""
    checksum: Annotated[str, _hex(_SHA256)] = ""

    def header(self) -> bytes:
        """What AES-GCM authenticates beside the keys: all but ciphertext and checksum."""
        return msgspec.json.encode(msgspec.structs.replace(self, ciphertext="", checksum=""))

    def expected_checksum(self) -> str:
        """SHA-256 of all the rest, so that damage shows without the passphrase."""
        rest = msgspec.json.encode(msgspec.structs.replace(self, checksum=""))
        return hashlib.sha256(rest).hexdigest()

    def encode(self) -> bytes:
        """The one spelling of this file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class _Preface(Struct):
    """What every version of the format begins with."""

    format: Literal["sesame-keystore"]
    version: int


class _StoredKey(Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    usage: KeyUsage
    value: Annotated[str, _ANY_HEX]
    created: datetime
    check: Annotated[str, _hex(CHECK_VALUE)]
    dki: int | None = None
    state: KeyState | None = None  # of issuer keys only
    exportable: bool = False

    def __repr__(self) -> str:
        return "_StoredKey(…)"


class _Plain(Struct, frozen=True, forbid_unknown_fields=True):
    """What is encrypted."""

    keys: tuple[_StoredKey, ...]
    records: tuple[StoredRecord, ...]

    def __repr__(self) -> str:
        return "_Plain(…)"


def _encode(keystore: Keystore, passphrase: Passphrase, random: Random) -> bytes:
    _check_cost(keystore.path, keystore.cost, demo=keystore.demo)
    # A new salt at each writing makes a new key, under which the nonce is used once.
    salt, nonce = random(_SALT), random(_NONCE)
    key, check = _stretch(passphrase, salt, keystore.cost)
    file = _File(
        format=_FORMAT,
        version=_VERSION,
        demo=keystore.demo,
        kdf=_Kdf(name="argon2id", salt=salt.hex(), cost=keystore.cost),
        check=check.hex(),
        nonce=nonce.hex(),
    )
    plain = msgspec.json.encode(
        _Plain(
            keys=tuple(_stored(key) for key in keystore.keys),
            records=tuple(map(stored, keystore.records)),
        )
    )
    ciphertext = AESGCM(key).encrypt(nonce, plain, file.header())
    file = msgspec.structs.replace(file, ciphertext=ciphertext.hex())
    data = msgspec.structs.replace(file, checksum=file.expected_checksum()).encode()
    if len(data) > _LARGEST:  # written, it would never be read again
        raise KeystoreFull(keystore.path)
    return data


def _decode(path: Path, data: bytes) -> _File:
    """The file in *data*: whole, of our version, dear enough. Nothing is decrypted yet."""
    try:
        version = msgspec.json.decode(data, type=_Preface).version
        if version > _VERSION:
            raise KeystoreTooNew(path, version)
        file = msgspec.json.decode(data, type=_File)
    except _NOT_OURS:
        raise KeystoreDamaged(path, "damaged, or not a keystore at all") from None
    # One spelling: nothing in the file, not even a space, escapes the checksum.
    if file.checksum != file.expected_checksum() or file.encode() != data:
        raise KeystoreDamaged(path, "its checksum does not fit its content")
    _check_cost(path, file.kdf.cost, demo=file.demo)
    return file


def _decrypt(path: Path, file: _File, passphrase: Passphrase) -> bytes:
    key, check = _stretch(passphrase, bytes.fromhex(file.kdf.salt), file.kdf.cost)
    if not hmac.compare_digest(check, bytes.fromhex(file.check)):
        raise WrongPassphrase(path)
    nonce, ciphertext = bytes.fromhex(file.nonce), bytes.fromhex(file.ciphertext)
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, file.header())
    except InvalidTag:
        raise KeystoreAltered(path) from None


def _check_cost(path: Path, cost: Cost, *, demo: bool) -> None:
    if not (demo or cost.reaches(COST)):
        raise KeystoreWeak(path)


def _stretch(passphrase: Passphrase, salt: bytes, cost: Cost) -> tuple[bytes, bytes]:
    """The file's key and the value that proves the passphrase, 32 bytes each."""
    both = hash_secret_raw(
        secret=passphrase.encode(),
        salt=salt,
        time_cost=cost.time,
        memory_cost=cost.memory_kib,
        parallelism=cost.lanes,
        hash_len=2 * _KEY,
        type=Type.ID,
        version=_ARGON2_VERSION,
    )
    return both[:_KEY], both[_KEY:]


def _stored(key: Key) -> _StoredKey:
    return _StoredKey(
        label=key.label,
        usage=key.usage,
        value=key.value.hex(),
        created=key.created,
        check=key.check_value.hex(),
        dki=key.dki,
        state=key.state if key.usage in ISSUER_USAGES else None,
        exportable=key.exportable,
    )


def _read_plain(version: int, plain: bytes) -> tuple[tuple[Key, ...], tuple[Record, ...]]:
    """The keys and records in what was decrypted."""
    if version == _WITHOUT_RECORDS:
        old = msgspec.json.decode(plain, type=tuple[_StoredKey, ...])
        return tuple(_loaded(key) for key in _with_generations(old)), ()
    new = msgspec.json.decode(plain, type=_Plain)
    return tuple(map(_loaded, new.keys)), tuple(map(loaded, new.records))


def _with_generations(old: tuple[_StoredKey, ...]) -> Iterator[_StoredKey]:
    """Keys of version 1, whose generations count from 1 for each usage; the last is current.

    `sesame keys create` made one issuer key for each usage, whose cards have DKI 1.
    """
    for place, key in enumerate(old):
        if key.usage not in ISSUER_USAGES:
            yield key
            continue
        before = sum(one.usage is key.usage for one in old[:place])
        after = any(one.usage is key.usage for one in old[place + 1 :])
        state = KeyState.VERIFY_ONLY if after else KeyState.CURRENT
        yield msgspec.structs.replace(key, dki=FIRST_DKI + before, state=state)


def _loaded(stored_key: _StoredKey) -> Key:
    value = bytes.fromhex(stored_key.value)
    key = Key(
        label=stored_key.label,
        usage=stored_key.usage,
        value=value,
        created=stored_key.created,
        dki=stored_key.dki,
        state=stored_key.state or KeyState.NEW,
        exportable=stored_key.exportable,
    )
    if key.check_value.hex() != stored_key.check:
        raise UnsuitableKey(f"key {key.label} does not have its check value")
    return key


# ── Between bytes and disk ───────────────────────────────────────────────────────────────────────


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise KeystoreInaccessible(path, "not a file")  # to open a pipe would be to wait
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise KeystoreExposed(path, stat.S_IMODE(mode))
            data = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise KeystoreMissing(path) from None
    except OSError as refusal:
        raise KeystoreInaccessible(path, str(refusal.strerror)) from None
    if len(data) > _LARGEST:
        raise KeystoreDamaged(path, "larger than any keystore")
    return data


@contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """As `written_beside`, with our own errors."""
    with _refusals(path), written_beside(path, data) as new:
        yield new


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The only writer of the folder of *path*. The file itself is replaced, so not its lock."""
    with _refusals(path), folder_of(path) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refusal:
        raise KeystoreInaccessible(path, str(refusal.strerror)) from None
