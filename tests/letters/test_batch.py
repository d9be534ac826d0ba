"""A batch is whole or not there, for its owner alone, and gone when it was printed."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import msgspec
import pytest
from pypdf import PdfReader

from sesame.letters import batch
from sesame.letters.batch import (
    MANIFEST,
    destroy_batch,
    discard_unfinished,
    read_manifest,
    write_batch,
    write_samples,
)
from sesame.letters.errors import (
    AddressTooLong,
    BatchDestroyed,
    BatchError,
    BatchExists,
    BatchUnreadable,
    Miscounted,
    MixedBatch,
    NoBatch,
    StrangeFiles,
)
from sesame.letters.letter import PinLetter, Posted
from tests.letters.mail import PIN, TYPESETTER, addressee, card_letter, pin_letter, reader_letter

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
_LATER = datetime(2026, 3, 2, 17, tzinfo=UTC)


def _letters(count: int = 3) -> Iterator[PinLetter]:
    return (pin_letter(reference=f"REF-{number}") for number in range(count))


def _write(folder: Path, *letters: Posted) -> batch.Manifest:
    return write_batch(folder, letters or _letters(), typesetter=TYPESETTER, at=_AT)


def test_a_folder_of_letters_and_a_manifest(tmp_path: Path) -> None:
    """Counts and hashes are those of what stands there, and nobody else may read it."""
    folder, counted = tmp_path / "batch", list[int]()
    manifest = write_batch(
        folder, _letters(), typesetter=TYPESETTER, at=_AT, written=counted.append
    )
    assert read_manifest(folder) == manifest
    assert (manifest.kind, manifest.letters, manifest.written) == ("pin", 3, _AT)
    assert counted == [1, 2, 3]
    names = [f"pin-REF-{number}.pdf" for number in range(3)]
    assert sorted(path.name for path in folder.iterdir()) == [MANIFEST, *names]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["batch"]
    for file in manifest.files:
        content = (folder / file.name).read_bytes()
        assert (file.bytes, file.sha256) == (len(content), sha256(content).hexdigest())
    assert manifest.bytes == sum(file.bytes for file in manifest.files)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert PIN not in (folder / MANIFEST).read_text().replace("sha256", "")[:200]


def test_each_letter_is_the_one_of_its_name(tmp_path: Path) -> None:
    """Its reference stands in it, and its PIN."""
    _write(tmp_path / "batch")
    for number in range(3):
        content = (tmp_path / "batch" / f"pin-REF-{number}.pdf").read_bytes()
        text = PdfReader(BytesIO(content)).pages[0].extract_text()
        assert f"REF-{number}" in text
        assert PIN in text.replace(" ", "")


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    """Whatever is taken away from others was not given to them."""
    before = os.umask(0)
    try:
        _write(tmp_path / "batch")
    finally:
        os.umask(before)
    assert (tmp_path / "batch").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "batch").iterdir()} == {0o600}


def test_a_letter_that_cannot_be_set_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written before it is overwritten and gone."""
    overwritten: list[str] = []
    before = batch._overwrite  # noqa: SLF001 -- to see it being called

    def overwrite(path: Path) -> None:
        overwritten.append(path.name)
        before(path)

    monkeypatch.setattr(batch, "_overwrite", overwrite)
    wide = pin_letter(addressee(address=("W" * 60,)))
    with pytest.raises(AddressTooLong):
        _write(tmp_path / "batch", *_letters(2), wide)
    assert sorted(overwritten) == ["pin-REF-0.pdf", "pin-REF-1.pdf"]
    assert not list(tmp_path.iterdir())


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    """Whatever ends it."""

    def interrupted() -> Iterator[PinLetter]:
        yield from _letters(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_batch(tmp_path / "batch", interrupted(), typesetter=TYPESETTER, at=_AT)
    assert not list(tmp_path.iterdir())


def test_one_kind_and_each_reference_once(tmp_path: Path) -> None:
    """A card and its PIN are never printed together."""
    with pytest.raises(MixedBatch, match="a batch of pin letters got a card"):
        _write(tmp_path / "batch", pin_letter(), card_letter())
    with pytest.raises(MixedBatch, match="two letters have the reference"):
        _write(tmp_path / "batch", pin_letter(), pin_letter())
    with pytest.raises(BatchError, match="at least one"):
        write_batch(tmp_path / "batch", [], typesetter=TYPESETTER, at=_AT)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["folder", "file", "dangling"])
def test_nothing_is_written_over(tmp_path: Path, kind: str) -> None:
    """What stands there stays as it is."""
    folder = tmp_path / "batch"
    match kind:
        case "folder":
            folder.mkdir()
        case "file":
            folder.touch()
        case _:
            folder.symlink_to(tmp_path / "nowhere")
    with pytest.raises(BatchExists, match="name a folder that does not"):
        _write(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]


def test_what_a_killed_run_has_left_is_discarded_first(tmp_path: Path) -> None:
    """It may be one that still goes on, so nobody takes it away unasked."""
    folder = tmp_path / "batch"
    left = tmp_path / ".batch.part"
    left.mkdir()
    (left / "pin-REF-0.pdf").write_bytes(b"secret")
    with pytest.raises(BatchExists, match="discard it"):
        _write(folder)
    assert (left / "pin-REF-0.pdf").read_bytes() == b"secret"
    assert discard_unfinished(folder)
    assert not left.exists()
    assert not discard_unfinished(folder)
    assert _write(folder).letters == 3


def test_destroying_leaves_the_manifest(tmp_path: Path) -> None:
    """The bytes are overwritten in their place before the names go."""
    folder = tmp_path / "batch"
    manifest = _write(folder)
    kept = tmp_path / "kept"
    os.link(folder / "pin-REF-1.pdf", kept)  # the same bytes on the disk
    before = kept.read_bytes()
    destroyed = destroy_batch(folder, printed=3, at=_LATER)
    assert destroyed == msgspec.structs.replace(manifest, destroyed=_LATER, altered=[])
    assert read_manifest(folder) == destroyed
    assert [path.name for path in folder.iterdir()] == [MANIFEST]
    after = kept.read_bytes()
    assert len(after) == len(before)
    assert b"%PDF" not in after
    assert sum(one == other for one, other in zip(before, after, strict=True)) < len(after) / 10
    with pytest.raises(BatchDestroyed, match="was destroyed at 2026-03-02T17:00:00"):
        destroy_batch(folder, printed=3, at=_LATER)


def test_nothing_is_destroyed_unless_all_is_confirmed(tmp_path: Path) -> None:
    """Another count, or a file that nobody counted."""
    folder = tmp_path / "batch"
    _write(folder)
    with pytest.raises(Miscounted, match="has 3 letters and 2 are confirmed"):
        destroy_batch(folder, printed=2, at=_LATER)
    (folder / "pin-REF-9.pdf").touch()
    with pytest.raises(StrangeFiles, match="holds 1 files"):
        destroy_batch(folder, printed=3, at=_LATER)
    assert len(list(folder.iterdir())) == 5


def test_destroying_goes_on_where_it_was(tmp_path: Path) -> None:
    """After a kill, with some of the letters gone."""
    folder = tmp_path / "batch"
    _write(folder)
    (folder / "pin-REF-0.pdf").unlink()
    (folder / f".{MANIFEST}").write_text("half")
    assert destroy_batch(folder, printed=3, at=_LATER).letters == 3
    assert [path.name for path in folder.iterdir()] == [MANIFEST]


def test_a_disk_that_takes_nothing_keeps_no_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are unlinked without being overwritten, all of them, and that is told."""
    folder, left = tmp_path / "batch", tmp_path / ".batch.part"
    _write(folder)
    left.mkdir()
    for number in range(3):
        (left / f"pin-REF-{number}.pdf").write_bytes(b"secret")
    with monkeypatch.context() as full:
        full.setattr(os, "urandom", _no_space)
        with pytest.raises(OSError, match="No space left"):
            destroy_batch(folder, printed=3, at=_LATER)
        assert [path.name for path in folder.iterdir()] == [MANIFEST]
        assert read_manifest(folder).destroyed is None
        with pytest.raises(OSError, match="No space left"):
            discard_unfinished(folder)
        assert not left.exists()
    assert destroy_batch(folder, printed=3, at=_LATER).destroyed == _LATER


def _no_space(_: int) -> bytes:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_no_hash_can_be_tried_out(tmp_path: Path) -> None:
    """The same letter has another one in each batch: nobody who guesses its number finds it."""
    one, other = (_write(tmp_path / name, reader_letter()).files[0] for name in "ab")
    assert one.sha256 != other.sha256
    assert one.sha256 != sha256(TYPESETTER.pdf(reader_letter())).hexdigest()


def test_letters_that_were_changed_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, in what is kept; also when destroying was stopped in between."""
    folder = tmp_path / "batch"
    _write(folder)
    (folder / "pin-REF-1.pdf").write_bytes(b"another PIN")
    with monkeypatch.context() as stopped:
        stopped.setattr(batch, "_overwrite_all", _stop)
        with pytest.raises(KeyboardInterrupt):
            destroy_batch(folder, printed=3, at=_LATER)
    (folder / "pin-REF-0.pdf").write_bytes(b"half of it overwritten")
    assert destroy_batch(folder, printed=3, at=_LATER).altered == ["pin-REF-1.pdf"]
    assert read_manifest(folder).altered == ["pin-REF-1.pdf"]


def _stop(_: object) -> None:
    raise KeyboardInterrupt


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A letter that somebody replaced by a link to another file does not take that one along."""
    folder, other = tmp_path / "batch", tmp_path / "other"
    _write(folder)
    other.write_bytes(b"precious")
    (folder / "pin-REF-0.pdf").unlink()
    (folder / "pin-REF-0.pdf").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        destroy_batch(folder, printed=3, at=_LATER)
    assert other.read_bytes() == b"precious"
    assert read_manifest(folder).altered == ["pin-REF-0.pdf"]
    assert [path.name for path in folder.iterdir()] == [MANIFEST]


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"{}", b'{"kind": 1}', b"[]"],
)
def test_what_is_no_manifest_of_ours(tmp_path: Path, content: bytes) -> None:
    """It says so, whatever it is."""
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(NoBatch, match="is no manifest of ours"):
        read_manifest(tmp_path)


def test_a_manifest_names_no_file_elsewhere(tmp_path: Path) -> None:
    """Somebody who may write it does not have files destroyed by those who read it."""
    folder = tmp_path / "batch"
    _write(folder)
    path = folder / MANIFEST
    path.write_text(path.read_text().replace("pin-REF-0.pdf", "../precious.pdf"))
    with pytest.raises(NoBatch, match="names a file that no batch of ours has"):
        destroy_batch(folder, printed=3, at=_LATER)


def test_no_batch_there(tmp_path: Path) -> None:
    """The message says what was looked for."""
    with pytest.raises(BatchUnreadable, match="name the folder of a batch"):
        read_manifest(tmp_path)


# ── Samples ──────────────────────────────────────────────────────────────────────────────────────


def _samples(folder: Path, *letters: Posted) -> list[batch.File]:
    return write_samples(folder, letters, typesetter=TYPESETTER)


def test_samples_of_all_kinds_lie_in_one_folder(tmp_path: Path) -> None:
    """For their owner alone, and without a manifest: nobody prints them."""
    folder = tmp_path / "samples"
    files = _samples(folder, pin_letter(), card_letter())
    assert [file.name for file in files] == ["pin-K7-3QX-XM.pdf", "card-K7-3QX-XM.pdf"]
    assert {path.name for path in folder.iterdir()} == {file.name for file in files}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]


def test_samples_take_the_place_of_an_empty_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file, a link and the folder that somebody works in are no such place."""
    empty, full, link, file = (tmp_path / name for name in ("empty", "full", "link", "file"))
    empty.mkdir(mode=0o755)
    full.mkdir()
    (full / "photograph").touch()
    link.symlink_to(empty)
    file.touch()
    monkeypatch.chdir(empty)
    for folder in (empty, full, link, file):
        with pytest.raises(BatchExists, match="name a folder that is not there"):
            _samples(folder, card_letter())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BatchExists):
        _samples(link, card_letter())
    assert not list(empty.iterdir())
    _samples(empty, card_letter())
    assert len(list(empty.iterdir())) == 1
    assert empty.stat().st_mode & 0o777 == 0o700


def test_samples_discard_what_a_killed_run_has_left(tmp_path: Path) -> None:
    """A run that goes on is waited for: what it writes is not what one has left."""
    left = tmp_path / ".samples.part"
    left.mkdir()
    (left / "pin-REF-0.pdf").write_bytes(b"half")
    with ThreadPoolExecutor() as pool:
        with batch.alone_in(tmp_path):  # another run that goes on
            other = pool.submit(_samples, tmp_path / "samples", card_letter())
            with pytest.raises(TimeoutError):
                other.result(0.2)
            assert (left / "pin-REF-0.pdf").read_bytes() == b"half"
        assert len(other.result(10)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["samples"]
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["card-K7-3QX-XM.pdf"]
