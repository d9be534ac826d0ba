"""What issuing puts on the disk: the bureau's file, and batches of letters, each beside its commit.

Both are written under a name that says they are not recorded yet, then recorded in the database
with their hash, then given their own name. What a run that was cut off has left is settled by the
next: if the database has the hash it gets its name, else it is destroyed.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from secrets import token_bytes

from cryptography import x509

from sesame.bank.bank import Bank
from sesame.bank.details import PostalAddress
from sesame.bank.dispatching import (
    ToPrint,
    find_batch_row,
    new_reference,
    prepare_letters,
    record_destroyed,
    record_letters,
)
from sesame.bank.errors import BankError, BatchDone
from sesame.bank.helping import HANDED_OVER
from sesame.bank.issuing import (
    CardRules,
    Making,
    NoticeGone,
    PinGone,
    make_cards,
    read_pin,
    was_committed,
)
from sesame.bank.moments import from_row
from sesame.bank.notices import Event, event_of
from sesame.bank.post_days import PostDays
from sesame.catalogue import N_, Language, translator
from sesame.custody.bureau_file import BureauCard, write_bureau_file
from sesame.custody.issuing import CardMaker
from sesame.letters.batch import (
    MANIFEST,
    alone_in,
    destroy_batch,
    discard_batch,
    discard_unfinished,
    read_manifest,
    write_batch,
    write_samples,
)
from sesame.letters.errors import BatchExists, LetterError, OtherBatch
from sesame.letters.letter import (
    Addressee,
    CardKind,
    CardLetter,
    PinLetter,
    Posted,
    ReaderLetter,
    ReminderLetter,
    WelcomeLetter,
    every_sheet,
)
from sesame.letters.typesetting import Typesetter
from sesame.notice_letters import notice_letter
from sesame.postal import LetterFormat
from sesame.store.addresses import AddressRow
from sesame.store.approvals import Signer
from sesame.store.details import DetailsRow
from sesame.store.dispatches import CARD, PIN, READER, REMINDER, TOLD
from sesame.store.notices import NoticeRow, find_by_letters, find_former
from sesame.web.institution import Institution

_SALT = 16  # bytes
_AT_COUNTER = N_("Remis au guichet")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A letter that cannot be printed, and why: it stays due."""

    reference: str
    why: LetterError | PinGone | NoticeGone


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a run printed: `batch` is empty where that was nothing."""

    batch: str = ""
    letters: int = 0
    left_out: Sequence[LeftOut] = ()


# ── The bureau's file ────────────────────────────────────────────────────────────────────────────


async def write_cards(  # noqa: PLR0913 -- of which bank, by whom, for whom, to where
    bank: Bank,
    maker: CardMaker,
    by: Signer,
    *,
    rules: CardRules,
    post: PostDays,
    certificate: x509.Certificate,
    file: Path,
    most: int,
) -> Making | None:
    """Make the cards that are ordered, for the bureau, into the new *file*; None where it was.

    That is: a run before this one was cut off behind its commit, so that *file* is its file, whole,
    and nothing else was done.

    Raises:
        BatchExists: something stands at *file*.
        BankError, CustodyError, StoreError: see `make_cards`; nothing is left but, where it is not
            known whether the database took it, the part that the next run settles.
        OSError: the disk does not take it.
    """
    part = _unrecorded(file)
    with alone_in(file.parent):
        _refuse_taken(file)
        if (left := _hash_of(part)) is not None:
            if await was_committed(bank, left):
                _name(part, file)
                return None
            part.unlink()

        def write(batch: str, cards: Sequence[BureauCard]) -> bytes:
            write_bureau_file(part, cards, certificate=certificate, at=bank.now(), batch=batch)
            return hashlib.sha256(part.read_bytes()).digest()

        try:
            made = await make_cards(bank, maker, by, rules=rules, post=post, write=write, most=most)
        except BankError:
            part.unlink(missing_ok=True)  # nothing was committed: no card of it will be known
            raise
        if made.cards:
            _name(part, file)
        return made


# ── Letters ──────────────────────────────────────────────────────────────────────────────────────


async def print_letters(  # noqa: PLR0913 -- of which bank, what, by whom, with what, to where
    bank: Bank,
    kind: str,
    by: Signer,
    *,
    post: PostDays,
    institution: Institution,
    maker: CardMaker | None,
    folder: Path,
    most: int,
    begun: Callable[[int], None],
    written: Callable[[int], None],
) -> Printed | None:
    """Print the letters of *kind* that *by* may print now into the new *folder*; None as above.

    *maker* opens PINs, for PIN letters. A letter that cannot be set is left out, and told. *begun*
    is called with how many letters there are, *written* with the count after each.

    Raises:
        BatchExists, OSError, BankError, CustodyError, StoreError: as `write_cards`.
    """
    part = _unrecorded(folder)
    with alone_in(folder.parent):
        _refuse_taken(folder)
        if await _finished(bank, part, folder):
            return None
        letters = await prepare_letters(bank, kind, by, post, most=most)
        told = await _told(bank, kind, letters)
        begun(len(letters))
        today = post.day(bank.now())
        typesetter = Typesetter(institution)
        run = _Run(letters, kind, today, post.activation_days, maker, typesetter, told)
        if not letters:
            return Printed()
        posted = run.posted()
        first = next(posted, None)
        if first is None:
            return Printed(left_out=run.left_out)
        write_batch(part, chain([first], posted), typesetter=run, at=bank.now(), written=written)
        batch = new_reference(bank.random_bytes)
        manifest = hashlib.sha256((part / MANIFEST).read_bytes()).digest()
        try:
            await record_letters(bank, batch, kind, by, run.printed, manifest=manifest, post=post)
        except BankError:
            discard_batch(part)  # nothing was committed
            raise
        _name(part, folder)
        return Printed(batch=batch, letters=len(run.printed), left_out=run.left_out)


def write_sheets(folder: Path, *, institution: Institution, written: Callable[[int], None]) -> int:
    """Write every instruction sheet of *institution* into *folder*, new or empty; how many.

    Raises:
        BatchExists, OSError: as `letters.batch.write_samples`.
    """
    typesetter = Typesetter(institution)
    return len(write_samples(folder, every_sheet(), typesetter=typesetter, written=written))


async def destroy_letters(  # noqa: PLR0913 -- which batch, by whom, what is confirmed
    bank: Bank, batch: str, by: Signer, *, folder: Path, printed: int, post: PostDays
) -> None:
    """Destroy the letters of *batch* in *folder*, of which *printed* are on paper, and say so.

    Cut off in between, it goes on where it was when it is called again.

    Raises:
        OtherBatch: the folder is another batch's.
        BatchError, OSError: see `letters.batch.destroy_batch`.
        NoSuchBatch, BatchDone: there is none, or it was destroyed before.
        NotAllowed, TooBusy, StoreUnavailable: see `record_destroyed`.
    """
    row = await find_batch_row(bank, batch)
    if row.destroyed_at is not None:
        raise BatchDone(batch, f"{post.day(from_row(row.destroyed_at))}")
    manifest = read_manifest(folder)
    begun = manifest.altered is not None  # destruction writes that into the manifest
    if not begun and hashlib.sha256((folder / MANIFEST).read_bytes()).digest() != row.manifest:
        raise OtherBatch(folder, batch)
    if (manifest.kind, manifest.letters) != (row.kind, row.letters):
        raise OtherBatch(folder, batch)
    if manifest.destroyed is None:
        destroy_batch(folder, printed=printed, at=bank.now())
    await record_destroyed(bank, batch, by, post)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a letter tells, and the address that it goes to where that is not today's."""

    notice: NoticeRow
    former: AddressRow | None  # whoever had it changed lives at the new one, perhaps

    def where(self, details: DetailsRow) -> DetailsRow:
        """*details* with the address that it goes to."""
        return details if self.former is None else details._replace(**self.former._asdict())


class _Run:
    """Letters on their way to the disk: each is set before it is handed on, or left out."""

    def __init__(  # noqa: PLR0913, PLR0917 -- what, on which day, with what
        self,
        letters: Sequence[ToPrint],
        kind: str,
        today: date,
        activation_days: int,
        maker: CardMaker | None,
        typesetter: Typesetter,
        told: Mapping[str, _Told],
    ) -> None:
        self._told = told
        self._letters = letters
        self._kind = kind
        self._today = today
        self._activate_by = today + timedelta(days=activation_days)
        self._maker = maker
        self._typesetter = typesetter
        self._set: tuple[Posted, bytes] | None = None
        self.printed: list[ToPrint] = []
        self.left_out: list[LeftOut] = []

    def posted(self) -> Iterator[Posted]:
        """The letters that can be set, one at a time."""
        for letter in self._letters:
            if self._kind in TOLD and letter.row.reference not in self._told:
                gone = NoticeGone()
                self.left_out.append(LeftOut(reference=letter.row.reference, why=gone))
                continue
            try:
                posted = self._letter(letter)
                self._set = posted, self._typesetter.pdf(posted)
            except (LetterError, PinGone) as error:
                self.left_out.append(LeftOut(reference=letter.row.reference, why=error))
                continue
            self.printed.append(letter)
            yield posted

    def pdf(self, posted: Posted) -> bytes:
        """What *posted* was set as a moment ago."""
        assert self._set is not None  # noqa: S101 -- it was handed on
        assert self._set[0] is posted  # noqa: S101 -- likewise
        return self._set[1]

    def _letter(self, letter: ToPrint) -> Posted:
        row = letter.row
        reference, on, salt = row.reference, self._today, token_bytes(_SALT)
        if self._kind in TOLD:
            told = self._told[reference]
            to = _addressee(row.name, row.language, told.where(row.details))
            return notice_letter(self._kind, told.notice, to, reference=reference, on=on, salt=salt)
        to = _addressee(row.name, row.language, row.details)
        if self._kind == REMINDER:
            activated = row.signs_in
            return ReminderLetter(to=to, reference=reference, on=on, salt=salt, activated=activated)
        if self._kind == CARD:
            card = CardKind.SESAME
            if row.reason == HANDED_OVER:  # it waits at the counter: the post never has it
                to = replace(to, address=(translator(to.language)(_AT_COUNTER),))
            return CardLetter(to=to, reference=reference, on=on, salt=salt, card=card)
        if self._kind == PIN:
            assert self._maker is not None  # noqa: S101 -- the caller has one for this kind
            pin = read_pin(self._maker, letter)
            return PinLetter(
                to=to, reference=reference, on=on, salt=salt, card=CardKind.SESAME, pin=pin
            )
        if self._kind == READER:
            return ReaderLetter(
                to=to,
                reference=reference,
                on=on,
                salt=salt,
                serial=letter.serial,
                model=letter.model,
                activation=letter.activation,
                activate_by=None if letter.activation is None else self._activate_by,
            )
        return WelcomeLetter(
            to=to,
            reference=reference,
            on=on,
            salt=salt,
            user_code=row.user_code,
            old_code=row.old_code,
        )


def _addressee(name: str, language: str, details: DetailsRow) -> Addressee:
    address = PostalAddress(
        line_2=details.line_2,
        line_3=details.line_3,
        line_4=details.line_4,
        line_5=details.line_5,
        postcode=details.postcode,
        city=details.city,
        country=details.country,
    )
    return Addressee(
        name=name,
        address=address.below_name(),
        language=Language(language),
        format=LetterFormat(details.letter_format),
    )


async def _told(bank: Bank, kind: str, letters: Sequence[ToPrint]) -> Mapping[str, _Told]:
    """What each of *letters* tells, by its reference, where they are of such a *kind*."""
    if kind not in TOLD:
        return {}
    due = [(letter.row.key, letter.row.reference) for letter in letters]
    notices = await bank.store.read(lambda connection: find_by_letters(connection, due))
    moved = [notice for notice in notices.values() if event_of(notice) is Event.ADDRESS]
    former = await bank.store.read(lambda connection: find_former(connection, moved))
    return {
        reference: _Told(notice, former.get(notice.id)) for reference, notice in notices.items()
    }


async def _finished(bank: Bank, part: Path, folder: Path) -> bool:
    """Settle what a run before has left: True where it was recorded, and has its name now."""
    discard_unfinished(part)
    left = _hash_of(part / MANIFEST)
    if left is not None and await was_committed(bank, left):
        _name(part, folder)
        return True
    _discard(part)
    return False


def _refuse_taken(path: Path) -> None:
    if os.path.lexists(path):
        raise BatchExists(f"{path}: exists: name one that does not")


def _hash_of(path: Path) -> bytes | None:
    """SHA-256 of the file at *path*; None where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except FileNotFoundError:
        return None


def _discard(part: Path) -> None:
    if part.is_dir():
        discard_batch(part)


def _unrecorded(path: Path) -> Path:
    return path.with_name(f".{path.name}.unrecorded")


def _name(part: Path, path: Path) -> None:
    """Give *part* its name, for good."""
    part.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
