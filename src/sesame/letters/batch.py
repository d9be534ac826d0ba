"""A folder of letters for the printer: written whole or not at all, destroyed once printed.

What is kept afterwards is the manifest: how many letters, and the SHA-256 of each.
"""

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Protocol

import msgspec

from sesame.letters.errors import (
    BatchDestroyed,
    BatchError,
    BatchExists,
    BatchUnreadable,
    Miscounted,
    MixedBatch,
    NoBatch,
    StrangeFiles,
)
from sesame.letters.letter import Posted, Sheet, kind_of, name_of

MANIFEST = "manifest.json"
_NAME = re.compile(r"[a-z]+-[A-Za-z0-9-]+\.pdf")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_AGAIN = os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class Typesetter(Protocol):
    """What makes pages: `letters.typesetting.Typesetter`, or who has asked it already."""

    def pdf(self, posted: Posted) -> bytes:
        """The PDF of *posted*."""
        ...


class File(msgspec.Struct, frozen=True):
    """One letter of a batch."""

    name: str
    bytes: int
    sha256: str  # 64 hexadecimal digits


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a batch holds, or held."""

    kind: str  # as `kind_of` says
    letters: int
    bytes: int  # of all of them
    written: datetime
    files: list[File]
    destroyed: datetime | None = None
    # Once destruction has begun: which letters were no longer the ones that were written.
    altered: list[str] | None = None


def write_batch(
    folder: Path,
    letters: Iterable[Posted],
    *,
    typesetter: Typesetter,
    at: datetime,
    written: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write *letters* into the new *folder*, one at a time, and the manifest beside them.

    The folder has its name only once all of it is on the disk. Files are for their owner alone
    (0600, the folder 0700). What was written of a batch that cannot be finished is destroyed.

    Args:
        folder: does not exist; the folder above it does.
        letters: of one kind, for no batch holds two elements of an access; each reference once.
        typesetter: makes the pages.
        at: now, with a time zone.
        written: called with the count after each letter.

    Raises:
        BatchExists: *folder* exists, or what an interrupted run has left of it.
        MixedBatch: two kinds, or one reference twice.
        BatchError: there is no letter.
        LetterError: one of them cannot be set.
        OSError: the disk will not take them.
    """
    if os.path.lexists(folder):
        raise BatchExists(f"{folder}: exists: name a folder that does not")
    with _whole(folder) as part:
        files = _write_all(part, _of_one_kind(map(_salted, letters)), typesetter, written)
        kind = files[0].name.partition("-")[0]
        total = sum(file.bytes for file in files)
        manifest = Manifest(kind=kind, letters=len(files), bytes=total, written=at, files=files)
        _write(part / MANIFEST, _encoded(manifest))
    return manifest


def write_samples(
    folder: Path,
    letters: Iterable[Posted],
    *,
    typesetter: Typesetter,
    written: Callable[[int], None] = lambda _: None,
) -> list[File]:
    """Write *letters* of all kinds into one *folder*, for people to look at: nothing to post.

    As whole as a batch, and as private. There is no manifest, and what a run that was killed has
    left is discarded first. For letters of nobody: those of an access would lie beside each other.

    Args:
        folder: does not exist, or is empty; the folder above it exists.
        letters: each name once.
        typesetter: makes the pages.
        written: called with the count after each letter.

    Raises:
        BatchExists: *folder* is something else.
        MixedBatch: one name twice.
        BatchError: there is no letter.
        LetterError: one of them cannot be set.
        OSError: the disk will not take them.
    """
    with alone_in(folder.parent):  # so that what is left is no run's that goes on
        refuse_occupied(folder)
        discard_unfinished(folder)
        with _whole(folder) as part:
            return _write_all(part, letters, typesetter, written)


def refuse_occupied(folder: Path) -> None:
    """Refuse a *folder* that `write_samples` would refuse.

    Raises:
        BatchExists: it is neither empty nor missing, or where this process works.
    """
    if not os.path.lexists(folder):
        return
    # An empty one gives way to the letters' own: nobody should be working in it.
    plain = folder.is_dir() and not folder.is_symlink() and not folder.samefile(".")
    if not plain or any(folder.iterdir()):
        raise BatchExists(f"{folder}: is there and not empty: name a folder that is not there")


def read_manifest(folder: Path) -> Manifest:
    """The manifest of the batch in *folder*.

    Raises:
        BatchUnreadable: there is none, or none that can be read.
        NoBatch: it is not one of ours.
    """
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise BatchUnreadable(path, error.strerror or type(error).__name__) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NoBatch(path, f"is no manifest of ours ({error})") from None
    for file in manifest.files:
        if not _NAME.fullmatch(file.name):
            raise NoBatch(path, "names a file that no batch of ours has")
    return manifest


def destroy_batch(folder: Path, *, printed: int, at: datetime) -> Manifest:
    """Overwrite and unlink every letter of *folder*, once all of them are confirmed.

    The manifest stays, with the moment of destruction, and says which letters had other bytes by
    then than were written. Interrupted, it goes on where it was when it is called again. A letter
    that cannot be overwritten is unlinked all the same, and so are those after it.

    What a file system or a drive keeps of overwritten bytes is out of reach (docs/limits.md): a
    spool belongs on an encrypted or a volatile one.

    Args:
        folder: of a batch.
        printed: how many letters are confirmed to be on paper.
        at: now, with a time zone.

    Raises:
        NoBatch, BatchDestroyed: it is no batch, or was destroyed before.
        Miscounted, StrangeFiles: the batch has another number of letters, or the folder holds
            other files.
        OSError: a file could not be overwritten, or not unlinked. The manifest does not say
            « destroyed » then; it does when this is called again and nothing is left.
    """
    manifest = read_manifest(folder)
    if manifest.destroyed is not None:
        raise BatchDestroyed(folder, manifest.destroyed)
    if printed != manifest.letters:
        raise Miscounted(folder, letters=manifest.letters, confirmed=printed)
    known = {file.name for file in manifest.files}
    strange = {entry.name for entry in folder.iterdir()} - known - {MANIFEST, _FRESH}
    if strange:
        raise StrangeFiles(folder, len(strange))
    if manifest.altered is None:
        altered = [file.name for file in manifest.files if _is_altered(folder, file)]
        manifest = msgspec.structs.replace(manifest, altered=altered)
        _keep(folder, manifest)
    _overwrite_all([folder / file.name for file in manifest.files])
    destroyed = msgspec.structs.replace(manifest, destroyed=at)
    _keep(folder, destroyed)
    return destroyed


def discard_unfinished(folder: Path) -> bool:
    """Destroy what a run that was killed has left of the batch *folder*; False if nothing.

    Raises:
        OSError: a letter could not be overwritten; it is unlinked, if the file system lets it be.
    """
    part = _part(folder)
    if not part.is_dir():
        return False
    _scrub(part)
    return True


@contextmanager
def alone_in(above: Path) -> Iterator[None]:
    """Wait until nobody else writes in the folder *above* who waits here too."""
    descriptor = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def discard_batch(folder: Path) -> None:
    """Overwrite and unlink all of a batch that nobody is to print.

    Raises:
        OSError: a letter could not be overwritten; it is unlinked, if the file system lets it be.
    """
    _scrub(folder)


_FRESH = f".{MANIFEST}"


def _salted(letter: Posted) -> Posted:
    if isinstance(letter, Sheet) or letter.salt:
        return letter
    return replace(letter, salt=token_bytes(16))


def _part(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.part")


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes *folder* at the end, or is destroyed."""
    part = _part(folder)
    _make(part)
    try:
        yield part
        _sync(part)
        part.rename(folder)
    except BaseException:
        _scrub(part)
        raise
    _sync(folder.parent)


def _make(part: Path) -> None:
    try:
        part.mkdir(mode=0o700)
    except FileExistsError:
        raise BatchExists(
            f"{part}: is what a run has left that was stopped, or one that goes on: "
            "when it has ended, discard it"
        ) from None


def _of_one_kind(letters: Iterable[Posted]) -> Iterator[Posted]:
    first = None
    for letter in letters:
        kind = kind_of(letter)
        first = first or kind
        if kind != first:
            raise MixedBatch(f"a batch of {first} letters got a {kind}")
        yield letter


def _write_all(
    part: Path,
    letters: Iterable[Posted],
    typesetter: Typesetter,
    written: Callable[[int], None],
) -> list[File]:
    files: list[File] = []
    for letter in letters:
        pdf = typesetter.pdf(letter)
        name = f"{kind_of(letter)}-{name_of(letter)}.pdf"
        try:
            _write(part / name, pdf)
        except FileExistsError:
            raise MixedBatch(f"two letters have the reference {name_of(letter)}") from None
        files.append(File(name=name, bytes=len(pdf), sha256=sha256(pdf).hexdigest()))
        written(len(files))
    if not files:
        raise BatchError("a batch has at least one letter: nothing was written")
    return files


def _is_altered(folder: Path, file: File) -> bool:
    """False for one that is gone: destroyed already, when this goes on."""
    try:
        descriptor = os.open(folder / file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    with os.fdopen(descriptor, "rb") as opened:
        return sha256(opened.read()).hexdigest() != file.sha256


def _keep(folder: Path, manifest: Manifest) -> None:
    fresh = folder / _FRESH
    fresh.unlink(missing_ok=True)
    _write(fresh, _encoded(manifest))
    fresh.rename(folder / MANIFEST)
    _sync(folder)


def _encoded(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, _NEW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _scrub(part: Path) -> None:
    """Overwrite whatever stands in *part*, and take it away."""
    try:
        _overwrite_all(part.iterdir())
    finally:
        shutil.rmtree(part)


def _overwrite_all(paths: Iterable[Path]) -> None:
    """Each of them, whatever happens to others; then raise what happened first."""
    first: OSError | None = None
    for path in paths:
        try:
            _overwrite(path)
        except OSError as error:
            first = first or error
    if first is not None:
        raise first


def _overwrite(path: Path) -> None:
    """Random bytes over all of *path*, on the disk before its name goes; nothing if it is gone.

    Raises:
        OSError: it could not be overwritten; its name is gone all the same.
    """
    try:
        descriptor = os.open(path, _AGAIN)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(os.fstat(descriptor).st_size))
            file.flush()
            os.fsync(descriptor)
    except FileNotFoundError:
        return
    finally:
        path.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
