"""The import of existing customers: each row becomes a customer whole, or is told as a problem.

Rows go in by batches, a commit each, so that an import that was cut off is begun again with the
same file: who is in is recognised by a digest of their row, and passed over. Memory holds two
batches, however long the file is. docs/decisions/0034.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import BinaryIO

import msgspec
from babel import Locale

from sesame.bank.bank import Bank
from sesame.bank.customer_file import Fields, FileFormat, Problem, Trouble, read_fields
from sesame.bank.customer_row import Row, Rules, read_row
from sesame.bank.customers import NewCustomer, enrol_all, register_cards
from sesame.bank.dispatching import new_references
from sesame.bank.errors import NotEnrolled, TooBusy
from sesame.bank.user_code import generate_user_code
from sesame.custody.custodian import KeyRef, Registered
from sesame.store.buckets import bucket_of
from sesame.store.cards import Key
from sesame.store.details import Found, find_enrolled
from sesame.store.seen import Seen

BATCH = 500  # rows of one commit
_TURNS = 8  # how often a batch is looked up again where others enrol meanwhile

# Two letters that CLDR has, and that ISO 3166-1 gives no country; Kosovo (XK) has a post.
_NO_COUNTRY = frozenset(
    {"AC", "CP", "DG", "EA", "EU", "EZ", "IC", "QO", "TA", "UN", "XA", "XB", "ZZ"}
)
_COUNTRY = re.compile(r"[A-Z]{2}")
_DIGEST = b"sesame-import-1\x00"


def countries() -> frozenset[str]:
    """The two letters (ISO 3166-1) of every country."""
    named = map(str, Locale("fr").territories)
    return frozenset(name for name in named if _COUNTRY.fullmatch(name)) - _NO_COUNTRY


@dataclass(slots=True)
class Counts:
    """What became of the rows so far. They sum up: each row is in one of the three."""

    enrolled: int = 0  # in a rehearsal: would be
    there: int = 0  # by an import before
    refused: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.enrolled + self.there + self.refused


@dataclass(frozen=True, slots=True, repr=False)
class _Candidate:
    """A row on its way in; it prints its line alone."""

    row: Row
    customer: NewCustomer
    registered: tuple[Registered, ...]  # their cards

    @property
    def key(self) -> Key:
        return bucket_of(self.customer.user_code), self.customer.user_code

    @property
    def cards(self) -> list[tuple[bytes, str]]:
        """Hash of the PAN, and PSN, of each card."""
        records = [card.record for card in self.customer.cards]
        return [
            (r.pan_hash, record.psn) for r, record in zip(self.registered, records, strict=True)
        ]

    def __repr__(self) -> str:
        return f"_Candidate({self.row.line})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """How rows are imported, and who is told what.

    With `keep` they are enrolled, and `by` stands in their lines; without, everything is tried
    but the writing, the registration of the cards in custody included. `tell` hears of each
    problem; `generated` of each user code that was generated for a reference, once it is in, by
    this import or one before, and without `may_generate` a row without user code is a problem;
    `after` hears of each batch that is done.
    """

    bank: Bank
    keys: Mapping[int, KeyRef]  # issuer keys of cards, by DKI
    by: str
    keep: bool
    tell: Callable[[Problem], None]
    generated: Callable[[str, str], None] | None = None
    may_generate: bool = True
    after: Callable[[Counts], None] = lambda counts: None  # noqa: ARG005
    check_characters: bool = False
    counts: Counts = field(default_factory=Counts)

    async def read(self, file: BinaryIO, kind: FileFormat, *, delimiter: str = ",") -> Counts:
        """Import the rows of *file*, which is open at its start.

        Raises:
            UnreadableCustomers: the file as a whole is none of this kind; nothing was done.
            BankError, CustodyError, StoreError: bank, custody or database do not go on. What
                was enrolled before stays, and the same import can be begun again.
            OSError: the file cannot be read to its end; likewise.
        """
        with Seen() as seen:
            rows = self._rows(read_fields(file, kind, delimiter=delimiter), seen)
            # While one batch is written the next is read and registered.
            writing: asyncio.Task[None] | None = None
            try:
                while batch := list(islice(rows, BATCH)):
                    ready = await self._sift(await self._candidates(batch))
                    if writing is not None:
                        await asyncio.wait([writing])
                        writing.result()
                    self.after(self.counts)
                    writing = asyncio.create_task(self._write(ready))
            finally:
                # Also when something else went wrong: a commit in flight is never cancelled.
                if writing is not None:
                    await asyncio.wait([writing])
                    writing.exception()  # looked at: what ended the loop is told before it
            if writing is not None:
                writing.result()
        self.after(self.counts)
        return self.counts

    def _rows(self, lines: Iterable[tuple[int, Fields | Problem]], seen: Seen) -> Iterator[Row]:
        """The rows that are right by themselves, each that stands in the file for the first time.

        All others are told.
        """
        rules = Rules(
            countries=countries(),
            keys=self.keys,
            check_hash=self.bank.old_codes.check_hash,
            check_characters=self.check_characters,
            may_generate=self.may_generate,
        )
        for line, fields in lines:
            row = [fields] if isinstance(fields, Problem) else read_row(line, fields, rules)
            if isinstance(row, Row):
                before = seen.first_lines(line, _unique(row))
                if not before:
                    yield row
                    continue
                row = [Problem(line, name, Trouble.TWICE, on) for name, on in before.items()]
            self._refuse(row)

    def _refuse(self, problems: Sequence[Problem]) -> None:
        self.counts.refused += 1
        for problem in problems:
            self.tell(problem)

    async def _candidates(self, rows: Sequence[Row]) -> list[_Candidate]:
        """*rows* with a user code each, their cards registered; custody is asked once."""
        customers = [self._customer(row) for row in rows]
        registered = iter(await register_cards(self.bank, customers))
        return [
            _candidate(row, customer, tuple(islice(registered, len(customer.cards))))
            for row, customer in zip(rows, customers, strict=True)
        ]

    def _customer(self, row: Row) -> NewCustomer:
        return NewCustomer(
            user_code=row.user_code or generate_user_code(self.bank.random_bytes),
            name=row.name,
            language=row.language,
            old_code=row.old_code,
            cards=[] if row.card is None else [row.card],
            details=row.details,
        )

    async def _sift(self, candidates: Sequence[_Candidate]) -> list[_Candidate]:
        """Those of *candidates* who are new: the others are counted, and told."""
        references = [one.row.details.reference for one in candidates]
        found = await self.bank.store.read(
            partial(
                find_enrolled,
                keys=[one.key for one in candidates],
                references=[reference for reference in references if reference],
                cards=[card for one in candidates for card in one.cards],
            )
        )
        new, collided = [], []
        for one in candidates:
            there = _there(one, found)
            if isinstance(there, Problem):
                self._refuse([there])
            elif there is not None:
                self.counts.there += 1
                self._tell_generated(one.row, there)
            elif one.key in found.enrolled:  # a user code of ours that somebody has already
                collided.append(one.row)
            else:
                new.append(one)
        return new + (await self._candidates(collided) if collided else [])

    async def _write(self, candidates: list[_Candidate]) -> None:
        """Enrol *candidates*, in one commit; in a rehearsal, count them."""
        for _ in range(_TURNS):
            if not (self.keep and candidates):
                break
            try:
                await enrol_all(
                    self.bank,
                    await self._told(candidates),
                    registered=[card for one in candidates for card in one.registered],
                    by=self.by,
                )
            except NotEnrolled:
                # Somebody else came first: another import perhaps, with the same rows.
                candidates = await self._sift(candidates)
            else:
                break
        else:
            raise TooBusy
        self.counts.enrolled += len(candidates)
        for one in candidates:
            self._tell_generated(one.row, one.customer.user_code)

    async def _told(self, candidates: Sequence[_Candidate]) -> list[NewCustomer]:
        """Their customers; to each whose old code opens with a user code of ours, it is written.

        Whoever has no old code is told theirs with the card or reader that opens anything
        (`sesame.bank.dispatching.is_new`).
        """
        wanted = [
            one.row.user_code is None and one.customer.old_code is not None for one in candidates
        ]
        references = iter(await new_references(self.bank, sum(wanted)))
        return [
            replace(one.customer, welcome=next(references)) if wants else one.customer
            for one, wants in zip(candidates, wanted, strict=True)
        ]

    def _tell_generated(self, row: Row, user_code: str) -> None:
        reference = row.details.reference
        if self.generated is not None and row.user_code is None and reference is not None:
            self.generated(reference, user_code)


def _unique(row: Row) -> list[tuple[str, str]]:
    """What no two rows of a file have in common, by field."""
    values = []
    if row.user_code is not None:
        values.append(("user_code", str(row.user_code)))
    if row.details.reference is not None:
        values.append(("reference", row.details.reference))
    if row.card is not None:
        record = row.card.record
        values.append(("pan", f"{record.pan.digits} {record.psn}"))
    return values


def _candidate(row: Row, customer: NewCustomer, registered: tuple[Registered, ...]) -> _Candidate:
    digest = _digest(customer, registered)
    return _Candidate(row, replace(customer, import_digest=digest), registered)


def _digest(customer: NewCustomer, registered: Sequence[Registered]) -> bytes:
    """What tells a row from another one (32 bytes), whatever user code it has.

    A PAN enters as its keyed hash, so that nobody without custody's key can try PANs.
    """
    atcs = [card.last_atc for card in customer.cards]
    said = [
        customer.name,
        customer.language.value,
        customer.old_code,
        None if customer.details is None else list(customer.details.row()),
        [
            [known.pan_hash.hex(), card.record.psn, card.record.profile, card.record.dki, atc]
            for card, known, atc in zip(customer.cards, registered, atcs, strict=True)
        ],
    ]
    return hashlib.sha256(_DIGEST + msgspec.json.encode(said)).digest()


def _there(one: _Candidate, found: Found) -> str | Problem | None:
    """The user code of a row that is in already; or why it cannot go in; None where it can."""
    row, reference = one.row, one.row.details.reference
    generated = row.user_code is None
    same_reference = found.by_reference.get(reference or "")
    known = same_reference if generated else found.by_key.get(one.key)
    if known is not None and known.digest is not None:
        if known.digest == one.customer.import_digest:
            return known.key[1]
        return Problem(row.line, "reference" if generated else "user_code", Trouble.DIFFERS)
    if not generated and one.key in found.enrolled:
        return Problem(row.line, "user_code", Trouble.USER_CODE_TAKEN)
    if same_reference is not None:
        return Problem(row.line, "reference", Trouble.REFERENCE_TAKEN)
    if found.cards.intersection(one.cards):
        return Problem(row.line, "pan", Trouble.CARD_TAKEN)
    return None
