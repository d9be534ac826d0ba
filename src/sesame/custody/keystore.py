"""Keys in one encrypted file: argon2id of a passphrase (RFC 9106), then AES-256-GCM.

docs/reference/keystore.md gives the file field by field, docs/decisions/0010 the reasons.
The header is authenticated with the keys; the file is replaced whole or not at all.
"""

import fcntl
import hashlib
import hmac
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import msgspec
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from msgspec import Meta, Struct

from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import (
    KeystoreAltered,
    KeystoreDamaged,
    KeystoreExists,
    KeystoreExposed,
    KeystoreInaccessible,
    KeystoreMissing,
    KeystoreTooNew,
    KeystoreWeak,
    UnsuitableKey,
    WrongPassphrase,
)
from sesame.custody.key import CHECK_VALUE, ISSUER_USAGES, Key, Random, standard_keys
from sesame.custody.passphrase import Passphrase

_FORMAT: Final = "sesame-keystore"
_VERSION: Final = 1
_LARGEST = 1 << 20  # bytes of a file; a key takes about 400
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Keystore:
    """An opened keystore. Build one and it is right.

    Raises:
        UnsuitableKey: two keys of one label, or not exactly one key of a usage other than
            the issuer's.
    """

    path: Path
    demo: bool  # its passphrase may be anybody's: production settings refuse it
    cost: Cost
    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        labels = {key.label for key in self.keys}
        if len(labels) != len(self.keys):
            raise UnsuitableKey("two keys of one label: a label names one key for ever")
        for usage in KeyUsage:
            if usage not in ISSUER_USAGES and sum(key.usage is usage for key in self.keys) != 1:
                raise UnsuitableKey(f"a keystore has exactly one {usage} key")

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
        with _written_beside(path, _encode(keystore, passphrase, random)) as new:
            try:
                # Unlike a rename, a link never replaces: of two creators one loses.
                path.hardlink_to(new)
            except FileExistsError:
                raise KeystoreExists(path) from None
        return keystore

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
            stored = msgspec.json.decode(plain, type=list[_StoredKey])
            keys = tuple(_loaded(key) for key in stored)
            return cls(path=path, demo=file.demo, cost=file.kdf.cost, keys=keys)
        except (*_NOT_OURS, UnsuitableKey):
            raise KeystoreDamaged(path, "its keys are not as a keystore writes them") from None

    @classmethod
    def add(cls, path: Path, passphrase: Passphrase, key: Key, *, random: Random) -> Self:
        """The keystore at *path* with one more *key*, on disk when this returns.

        Raises:
            UnsuitableKey: its label is taken, or its usage allows one key only.
            KeystoreError: as `open`, or the file cannot be written.
        """
        # Of two that add at once, neither may write over the other's key.
        with _locked(path):
            old = cls.open(path, passphrase)
            keystore = cls(path=path, demo=old.demo, cost=old.cost, keys=(*old.keys, key))
            with _written_beside(path, _encode(keystore, passphrase, random)) as new:
                new.replace(path)
        return keystore

    def only(self, usage: KeyUsage) -> Key:
        """The key for *usage*, one of those that have exactly one."""
        return next(key for key in self.keys if key.usage is usage)


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
    version: Literal[1]
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

    def __repr__(self) -> str:
        return "_StoredKey(…)"


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
    plain = msgspec.json.encode([_stored(key) for key in keystore.keys])
    ciphertext = AESGCM(key).encrypt(nonce, plain, file.header())
    file = msgspec.structs.replace(file, ciphertext=ciphertext.hex())
    return msgspec.structs.replace(file, checksum=file.expected_checksum()).encode()


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
    )


def _loaded(stored: _StoredKey) -> Key:
    value = bytes.fromhex(stored.value)
    key = Key(label=stored.label, usage=stored.usage, value=value, created=stored.created)
    if key.check_value.hex() != stored.check:
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
    """*data* in a new file (mode 0600) in the folder of *path*, on disk; then gone from there.

    The caller gives it the name *path*; the folder is on disk at the end.
    """
    with _refusals(path):
        number, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
        new = Path(name)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield new
        finally:
            new.unlink(missing_ok=True)
        with _folder(path) as folder:
            os.fsync(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The only writer of the folder of *path*. The file itself is replaced, so not its lock."""
    with _refusals(path), _folder(path) as folder:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refusal:
        raise KeystoreInaccessible(path, str(refusal.strerror)) from None
