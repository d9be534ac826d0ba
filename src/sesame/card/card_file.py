"""The file that a virtual card lives in: read, locked for one transaction, replaced whole.

docs/reference/card-file.md has the format, docs/explanation/the-chip.md the reasons. Beside the
connection to a PC/SC service (`sesame.card.plug`) the only file of the card with I/O.

A file is never changed in place. Its successor is written beside it, made durable, and
renamed over it: whatever happens between two bytes, the file is the old one or the new
one, and any other bytes are damage. Two slots in one file would be faster, but could not
tell a torn slot from a damaged one, and falling back to the older slot would give back a
PIN try.
"""

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sesame.card.chip import Chip
from sesame.card.errors import (
    CardFileDamaged,
    CardFileExists,
    CardFileExposed,
    CardFileGone,
    CardFileMissing,
    CardFileTooNew,
    CardFileUnusable,
    CardInUse,
    CardKeyMissing,
    PersonalisationError,
)
from sesame.card.memory import Application, CardData, CardImage, CardKind, Counters, Record
from sesame.emv.iad import Cvr
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin
from sesame.errors import SesameError

KEY_FILE = "card.key"

_FORMAT = "sesame-card"
_VERSION = 1
_KEY = 32  # bytes, AES-256
_KEY_ID = 8  # bytes of the key's SHA-256
_NONCE = 12  # bytes, drawn anew for every write
_OWNER_ONLY = 0o600
_OTHERS = 0o077
_LONGEST = 1 << 20  # bytes; a card has some three thousand
_PAUSE = 0.02  # seconds between two looks at a card in use

# What bytes can raise that are no JSON of ours: no UTF-8, other fields, too deep.
_UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

# The last lines of a file of any version: the checksum of all bytes above them.
_TAIL = re.compile(rb',\n  "checksum": "([0-9a-f]{64})"\n}\n\Z')


@dataclass(frozen=True, slots=True)
class CardSummary:
    """What a card file shows without its key."""

    kind: CardKind
    label: str  # of its first application
    last4: str  # of the PAN
    expiry: date
    counters: Counters

    @property
    def pin_blocked(self) -> bool:
        """Whether no try is left."""
        return self.counters.pin_tries_left == 0


def create(path: Path, image: CardImage, counters: Counters) -> None:
    """Make a card file; with the first one in a folder, the key beside it.

    Raises:
        CardFileExists: there is one already.
        CardFileMissing: the folder does not exist.
        CardFileError: the key or the folder cannot be used.
    """
    with _place_of(path) as place:
        place.lock_folder()
        if place.exists():
            raise CardFileExists(path)
        place.make(_encode(image, counters, place.key_or_new()))


def reissue(path: Path, image: CardImage, counters: Counters, wait: float = 0.0) -> None:
    """Put another card into an existing file, whatever state that file is in.

    Waits up to *wait* seconds for a reader to give the card back.

    Raises:
        CardFileMissing: there is no file.
        CardInUse: a reader still holds the card.
        CardFileError: the key or the folder cannot be used.
    """
    with _place_of(path) as place, place.held(wait):
        place.lock_folder()
        place.replace(_encode(image, counters, place.key_or_new()))


@contextmanager
def open_card(path: Path, wait: float = 0.0) -> Iterator[Chip]:
    """A chip under power, for one transaction: nobody else has this card meanwhile.

    Waits up to *wait* seconds for another reader to give it back. The lock ends with the
    context, or with the process. A write that fails, or a command after the context, is a
    `CardFileUnusable` out of `Chip.respond`, and no answer; so is a `CardFileGone`, when the file
    was deleted meanwhile.

    Raises:
        CardInUse: another reader still holds the card.
        CardFileError: it cannot be opened; the subclass says why. It is left as it is.
    """
    with _place_of(path) as place, place.held(wait):
        key = place.key()
        image, counters = _decode(path, place.read(), key)

        def persist(counters: Counters) -> None:
            place.replace(_encode(image, counters, key))

        yield Chip(image, counters, persist)


def read_summary(path: Path) -> CardSummary:
    """What a card file shows, for a list of cards. Needs neither the key nor the lock.

    Raises:
        CardFileError: it cannot be read; the subclass says why. It is left as it is.
    """
    with _place_of(path) as place:
        return _check(path, place.read()).card


# ── What stands in the file ──────────────────────────────────────────────────────────────────────


class _Header(msgspec.Struct, frozen=True):
    """What every version has."""

    format: str
    version: int


class _File(_Header, frozen=True, forbid_unknown_fields=True):
    card: CardSummary
    key: str  # which folder key seals it: 8 bytes of the key's SHA-256
    nonce: bytes  # 12 bytes
    sealed: bytes  # an `_Inside` under AES-256-GCM, the card's summary authenticated with it
    checksum: str


class _Application(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    aid: bytes
    label: str
    priority: int
    aip: bytes
    pdol: bytes
    records: tuple[tuple[int, int, bytes], ...]  # SFI, number, template 70
    cvn: int
    dki: int
    cvr: int
    mk_ac: bytes
    strict: bool

    def __repr__(self) -> str:
        return f"_Application({self.aid.hex().upper()})"


class _Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    pan: str
    psn: str
    pin: str
    languages: tuple[str, ...]
    effective: date
    pin_try_limit: int
    atr: bytes
    applications: tuple[_Application, ...]

    def __repr__(self) -> str:
        return "_Inside(…)"


def _encode(image: CardImage, counters: Counters, key: bytes) -> bytes:
    summary = CardSummary(
        kind=image.kind,
        label=image.applications[0].label,
        last4=image.data.pan.last4,
        expiry=image.data.expiry,
        counters=counters,
    )
    nonce = os.urandom(_NONCE)
    inside = msgspec.json.encode(_inside(image))
    # The counters are under the seal too: a file edited by hand is a damaged one.
    sealed = AESGCM(key).encrypt(nonce, inside, msgspec.json.encode(summary))
    file = _File(_FORMAT, _VERSION, summary, _key_id(key), nonce, sealed, checksum="")
    text = msgspec.json.format(msgspec.json.encode(file), indent=2)
    body = text.removesuffix(b',\n  "checksum": ""\n}')
    checksum = hashlib.sha256(body).hexdigest()
    return body + f',\n  "checksum": "{checksum}"\n}}\n'.encode()


def _decode(path: Path, content: bytes, key: bytes) -> tuple[CardImage, Counters]:
    file = _check(path, content)
    if file.key != _key_id(key):
        raise CardKeyMissing(_real(path).parent / KEY_FILE)
    try:
        associated = msgspec.json.encode(file.card)
        inside = AESGCM(key).decrypt(file.nonce, file.sealed, associated)
        image = _image(file.card, msgspec.json.decode(inside, type=_Inside))
    except (InvalidTag, SesameError, *_UNREADABLE):
        raise CardFileDamaged(path) from None
    return image, file.card.counters


def _check(path: Path, content: bytes) -> _File:
    """The file's plain part, when every byte is as it was written and of our version."""
    tail = _TAIL.search(content)
    if tail is None or hashlib.sha256(content[: tail.start()]).hexdigest().encode() != tail[1]:
        raise CardFileDamaged(path)
    try:
        header = msgspec.json.decode(content, type=_Header)
        if header.format == _FORMAT and header.version > _VERSION:
            raise CardFileTooNew(path, header.version)
        if (header.format, header.version) != (_FORMAT, _VERSION):
            raise CardFileDamaged(path)
        return msgspec.json.decode(content, type=_File)
    except (PersonalisationError, *_UNREADABLE):
        raise CardFileDamaged(path) from None


def _inside(image: CardImage) -> _Inside:
    return _Inside(
        name=image.data.name,
        pan=image.data.pan.digits,
        psn=image.data.psn,
        pin=image.data.pin.digits,
        languages=image.data.languages,
        effective=image.data.effective,
        pin_try_limit=image.pin_try_limit,
        atr=image.atr,
        applications=tuple(
            _Application(
                aid=application.aid,
                label=application.label,
                priority=application.priority,
                aip=application.aip,
                pdol=application.pdol,
                records=tuple((r.sfi, r.number, r.value) for r in application.records),
                cvn=application.cvn,
                dki=application.dki,
                cvr=int(application.cvr),
                mk_ac=application.mk_ac.value,
                strict=application.strict,
            )
            for application in image.applications
        ),
    )


def _image(summary: CardSummary, inside: _Inside) -> CardImage:
    return CardImage(
        kind=summary.kind,
        data=CardData(
            name=inside.name,
            pan=Pan(inside.pan),
            psn=inside.psn,
            pin=Pin(inside.pin),
            languages=inside.languages,
            effective=inside.effective,
            expiry=summary.expiry,
        ),
        pin_try_limit=inside.pin_try_limit,
        atr=inside.atr,
        applications=tuple(
            Application(
                aid=application.aid,
                label=application.label,
                priority=application.priority,
                aip=application.aip,
                pdol=application.pdol,
                records=tuple(Record(*record) for record in application.records),
                cvn=application.cvn,
                dki=application.dki,
                cvr=Cvr(application.cvr),
                mk_ac=DesKey(application.mk_ac),
                strict=application.strict,
            )
            for application in inside.applications
        ),
    )


def _key_id(key: bytes) -> str:
    return hashlib.sha256(key).digest()[:_KEY_ID].hex()


# ── Where the file stands ────────────────────────────────────────────────────────────────────────


@contextmanager
def _place_of(path: Path) -> Iterator["_Place"]:
    """The card's place, its folder open."""
    real = _real(path)
    try:
        folder = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise CardFileMissing(path, "there is no such folder: make it first") from None
    except OSError as refusal:
        raise CardFileUnusable(path, refusal) from None
    try:
        yield _Place(path, real, folder)
    finally:
        os.close(folder)


def _real(path: Path) -> Path:
    """Where a card behind a link is: there it is replaced, and there its key is."""
    return Path(os.path.realpath(path))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What the system refuses becomes an error of ours."""
    try:
        yield
    except OSError as refusal:
        raise CardFileUnusable(path, refusal) from refusal


class _Place:
    """A card's name in its folder; everything goes through the open folder."""

    def __init__(self, path: Path, real: Path, folder: int) -> None:
        self._path = path  # as it was given
        self._where = real.parent
        self._name = real.name
        self._folder = folder
        self._lock: int | None = None  # the open file, while this card is ours

    def exists(self) -> bool:
        """Whether the name is taken."""
        return self._status() is not None

    def read(self) -> bytes:
        """The file as one writer left it."""
        content = self._read(self._name)
        if content is None:
            raise CardFileMissing(self._path, _NO_CARD)
        return content

    def key(self) -> bytes:
        """The folder's key, 32 bytes."""
        key = self._read(KEY_FILE)
        if key is None or len(key) != _KEY:
            raise CardKeyMissing(self._where / KEY_FILE)
        return key

    def key_or_new(self) -> bytes:
        """The folder's key; a new one where there is none. Lock the folder first."""
        with suppress(CardKeyMissing):
            return self.key()
        key = os.urandom(_KEY)
        os.close(self._write(KEY_FILE, key))
        return key

    def make(self, content: bytes) -> None:
        """Put a first file there. Lock the folder first."""
        os.close(self._write(self._name, content))

    def replace(self, content: bytes) -> None:
        """Put *content* in the file's place: durable on return. The card must be `held`.

        If it fails, the card is no longer ours: the chip has lost its power.

        Raises:
            CardFileGone: the file was deleted, or another one has its name.
        """
        lock, self._lock = self._lock, None
        if lock is None:
            raise CardFileUnusable(self._path, OSError(errno.EBADF, _TAKEN_OUT))
        try:
            self._lock = self._write(self._name, content, successor_of=lock)
        finally:
            os.close(lock)

    def lock_folder(self) -> None:
        """Be the only one to make a card or the key here, until the place is left."""
        with _told(self._where):
            fcntl.flock(self._folder, fcntl.LOCK_EX)

    @contextmanager
    def held(self, wait: float) -> Iterator[None]:
        """Hold the card, after waiting up to *wait* seconds for it."""
        deadline = time.monotonic() + wait
        while (lock := self._try_lock()) is None:
            if time.monotonic() >= deadline:
                raise CardInUse(self._path)
            time.sleep(_PAUSE)
        self._lock = lock
        try:
            yield
        finally:
            if self._lock is not None:
                os.close(self._lock)
            self._lock = None

    def _try_lock(self) -> int | None:
        """The file, open and locked, or None where somebody else has it.

        The lock is on the file, not on its name. A holder that replaces the file locks the
        new one before it gets the name, so who has locked an old one looks again.
        """
        with _told(self._path):
            try:
                lock = os.open(self._name, os.O_RDONLY, dir_fd=self._folder)
            except FileNotFoundError:
                raise CardFileMissing(self._path, _NO_CARD) from None
            with suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if self._is_named(lock):
                    return lock
            os.close(lock)
            return None

    def _is_named(self, file: int) -> bool:
        """Whether the card's name stands for this open file."""
        status = self._status()
        return status is not None and os.path.samestat(status, os.fstat(file))

    def _status(self) -> os.stat_result | None:
        with suppress(FileNotFoundError):
            return os.stat(self._name, dir_fd=self._folder)
        return None

    def _read(self, name: str) -> bytes | None:
        with _told(self._where / name):
            try:
                file = os.open(name, os.O_RDONLY, dir_fd=self._folder)
            except FileNotFoundError:
                return None
            try:
                if os.fstat(file).st_mode & _OTHERS:
                    raise CardFileExposed(self._where / name)
                return os.read(file, _LONGEST)
            finally:
                os.close(file)

    def _write(self, name: str, content: bytes, successor_of: int | None = None) -> int:
        """Replace file *name*, if it still is *successor_of*; gives the new one, open and locked.

        Who deletes a card that is in a reader wants it gone, and a card that was put there since
        is another one: neither is written over.
        """
        draft = f".{name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with _told(self._where / name):
            with suppress(FileNotFoundError):
                # What a power cut left of an earlier draft was never a card.
                os.unlink(draft, dir_fd=self._folder)
            file = os.open(draft, flags, _OWNER_ONLY, dir_fd=self._folder)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                with os.fdopen(file, "wb", closefd=False) as stream:
                    stream.write(content)
                os.fsync(file)
                self._check_place(successor_of)
                os.rename(draft, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
                os.fsync(self._folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(draft, dir_fd=self._folder)  # gone by now if it got its name
                os.close(file)  # and with it the lock
                raise
        return file

    def _check_place(self, predecessor: int | None) -> None:
        if predecessor is not None and not self._is_named(predecessor):
            raise CardFileGone(self._path)


_NO_CARD = "there is no such card file"
_TAKEN_OUT = "the card is out of the reader"
