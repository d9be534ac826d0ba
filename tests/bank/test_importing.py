"""`sesame.bank.importing`: rows become customers whole, once, whatever happens meanwhile."""

import asyncio
import csv
import io
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from sesame.bank.audit_chain import Kind
from sesame.bank.auditing import audit
from sesame.bank.customer_file import FileFormat, Problem, Trouble
from sesame.bank.errors import TooBusy, UnreadableCustomers
from sesame.bank.importing import BATCH, Counts
from sesame.bank.moments import to_row
from sesame.bank.old_code import OldCode
from sesame.bank.person import erase
from sesame.bank.user_code import UserCode, generate_user_code
from sesame.bank.verification import Accepted
from sesame.emv.pan import luhn_digit
from sesame.store.errors import EnrolledMeanwhile, StoreUnavailable
from tests.bank.branch import OMAR, VERA, Branch, Person, open_bank, quick_old_codes
from tests.bank.importer import an_import
from tests.custody.keystores import chance
from tests.places import url_of

_HASH = quick_old_codes().hash(OldCode("tilleul-1971"))
_OTHER = replace(OMAR.card, number="497010555555555")
_PLAIN = {
    "user_code": "",
    "reference": "",
    "name": "Zoé Petit",
    "line_4": "12 rue des Tilleuls",
    "postcode": "75011",
    "city": "PARIS",
    "old_code_hash": _HASH,
    "card_kind": "bank",
    "pan": _OTHER.record.pan.digits,
    "psn": "01",
    "dki": "01",
}
_NO_CARD = {"card_kind": "sesame", "pan": "", "psn": "", "dki": ""}

Row = Mapping[str, str]


def _file(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(_PLAIN))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _rows(number: int, first: int = 0) -> Iterator[Row]:
    """Customers of all kinds: with a bank card, a Sésame card to come, the old code alone."""
    for place in range(first, first + number):
        payload = f"400000{place:09d}"
        user_code = {"user_code": f"A{place:07d}"}
        yield (
            _PLAIN
            | {"name": f"Nº {place}"}
            | (
                user_code | {"pan": payload + luhn_digit(payload)},
                {
                    **_NO_CARD,
                    "reference": f"R{place}",
                    "old_code_hash": _HASH if place % 2 else "will-be-set",
                },
                user_code | _NO_CARD | {"card_kind": "none"},
            )[place % 3]
        )


async def _import(
    branch: Branch, rows: Sequence[Row] | bytes, *, keep: bool = True
) -> tuple[Counts, list[Problem]]:
    content = rows if isinstance(rows, bytes) else _file(rows)
    problems: list[Problem] = []
    ours = an_import(branch.bank, problems, keep=keep)
    return await ours.read(io.BytesIO(content), FileFormat.CSV), problems


def _all_whole(branch: Branch, imported: int) -> None:
    """So many were imported, and everybody has all their rows."""
    assert branch.rows("SELECT count(*) FROM customer_details") == [(imported,)]
    for table in ("customers", "access"):
        assert branch.rows(f"SELECT count(*) FROM {table}") == [(imported + 3,)]  # noqa: S608
    for one, other, where in (
        ("customer_details", "customers", ""),
        ("customer_details", "access", ""),
        ("customer_details", "audit_lines", ""),
        ("customer_details", "audit_personal", ""),
        ("customer_details", "cards", "card_kind = 'bank' AND"),
        ("cards", "pan_index", ""),
    ):
        missing = (
            f"SELECT count(*) FROM {one} AS one WHERE {where} NOT EXISTS "  # noqa: S608 -- our own
            f"(SELECT 1 FROM {other} AS other WHERE other.user_code = one.user_code)"
        )
        assert branch.rows(missing) == [(0,)], other
    to_be_told = (
        "SELECT user_code FROM customer_details WHERE reference LIKE 'R%' "
        "AND reference NOT LIKE 'R-%' AND NOT old_code_to_come ORDER BY user_code"
    )
    letters = branch.rows("SELECT user_code FROM dispatches ORDER BY user_code")
    assert letters == branch.rows(to_be_told)


async def test_a_customer_is_imported_whole(branch: Branch) -> None:
    """With address, card and old code; their chain begins, and says by whom; they sign in."""
    zoe = UserCode("ZOEP2345")
    counts, problems = await _import(
        branch, [_PLAIN | {"user_code": zoe.lower(), "reference": "R-7"}]
    )
    assert (counts, problems) == (Counts(enrolled=1), [])
    _all_whole(branch, 1)
    person = Person(zoe, "Zoé Petit", (_OTHER,))
    ((_, line, _),), _ = await branch.chain(person)
    said = json.loads(line)
    assert (said["event"], said["by"]) == ("enrolment", "Ann")
    assert said["cards"] == [[1, "bank-card-1", 0]]
    row = branch.rows("SELECT name, language FROM customers WHERE user_code = ?", zoe)
    assert row == [("Zoé Petit", "fr")]
    ((city, reference),) = branch.rows("SELECT city, reference FROM customer_details")
    assert (city, reference) == ("PARIS", "R-7")
    assert isinstance(await branch.login(person, OldCode("tilleul-1971")), Accepted)
    assert isinstance(await branch.login(person, _OTHER.code(3)), Accepted)
    assert (await audit(branch.bank.store, None)).findings == []


async def test_to_whom_a_user_code_is_written(branch: Branch) -> None:
    """Who was given one here, and has an old code to use it with: one letter, due at once.

    Not who has known theirs, nor who can do nothing yet: an order tells them. None by a rehearsal,
    and none again by the same file.
    """
    rows = [
        _PLAIN | {"reference": "bank"},
        _PLAIN | _NO_CARD | {"reference": "sesame"},
        _PLAIN | _NO_CARD | {"reference": "none", "card_kind": "none"},
        _PLAIN | _NO_CARD | {"reference": "known", "user_code": "ZOEP2345"},
        _PLAIN | _NO_CARD | {"reference": "new", "old_code_hash": "none"},
        _PLAIN | _NO_CARD | {"reference": "later", "old_code_hash": "will-be-set"},
    ]
    found = (
        "SELECT customer_details.reference, dispatches.kind, dispatches.reference, due_at, "
        "order_number FROM dispatches JOIN customer_details "
        "ON customer_details.user_code = dispatches.user_code ORDER BY customer_details.reference"
    )
    assert await _import(branch, rows, keep=False) == (Counts(enrolled=6), [])
    assert branch.rows(found) == []
    assert await _import(branch, rows) == (Counts(enrolled=6), [])
    letters = branch.rows(found)
    assert [(who, kind, due, order) for who, kind, _, due, order in letters] == [
        (who, "welcome", to_row(branch.clock()), None) for who in ("bank", "none", "sesame")
    ]
    branch.clock.forward(days=1)
    assert await _import(branch, rows) == (Counts(there=6), [])
    assert branch.rows(found) == letters
    ((code,),) = branch.rows("SELECT user_code FROM customer_details WHERE reference = 'none'")
    ((_, line, _),), _ = await branch.chain(Person(UserCode(str(code)), "Zoé Petit", ()))
    assert json.loads(line)["welcome"] == letters[1][2]
    assert (await audit(branch.bank.store, None)).findings == []


async def test_the_same_file_again(branch: Branch) -> None:
    """Everybody is there already, also who has changed since; and the same codes are given out."""
    rows = [*_rows(7)]
    given: list[tuple[str, str]] = []
    for expected in (Counts(enrolled=7), Counts(there=7)):
        one = replace(an_import(branch.bank, []), generated=lambda *pair: given.append(pair))
        assert await one.read(io.BytesIO(_file(rows)), FileFormat.CSV) == expected
        branch.change("UPDATE customers SET name = 'Somebody'")
        branch.change("UPDATE customer_details SET city = 'LYON'")
    assert given[:2] == given[2:]
    assert [reference for reference, _ in given[:2]] == ["R1", "R4"]
    assert branch.rows("SELECT user_code FROM customer_details WHERE reference = 'R4'") == [
        (given[1][1],)
    ]
    _all_whole(branch, 7)
    assert (await audit(branch.bank.store, None)).findings == []


async def test_a_file_that_grew(branch: Branch) -> None:
    """Who is in is passed over, who is new goes in, with the user code that was given out too."""
    await _import(branch, [*_rows(4)])
    ((code,),) = branch.rows("SELECT user_code FROM customer_details WHERE reference = 'R1'")
    rows = [*_rows(9)]
    rows[1] = {**rows[1], "user_code": code}
    assert await _import(branch, rows) == (Counts(enrolled=5, there=4), [])
    _all_whole(branch, 9)


async def test_a_broken_row_in_the_middle(branch: Branch) -> None:
    """It is told by its line, and nothing else is lost, in whatever batch it stands."""
    rows = [*_rows(2 * BATCH + 10)]
    lines = _file(rows).split(b"\r\n")
    lines[BATCH] = b'"' + lines[BATCH]
    lines[BATCH + 7] = lines[BATCH + 7].replace(b"75011", b"7501")
    counts, problems = await _import(branch, b"\r\n".join(lines))
    assert counts == Counts(enrolled=2 * BATCH + 8, refused=2)
    assert problems == [
        Problem(BATCH + 1, "", Trouble.NOT_CSV),
        Problem(BATCH + 8, "postcode", Trouble.POSTCODE),
    ]
    _all_whole(branch, 2 * BATCH + 8)
    assert await _import(branch, rows) == (Counts(enrolled=2, there=2 * BATCH + 8), [])


async def test_who_cannot_be_imported(branch: Branch) -> None:
    """What is somebody's already, here or in the file; a rehearsal tells the same."""
    await _import(branch, [*_rows(3)])
    await _erase(branch, "A0000002")
    card = {"card_kind": "bank", "psn": "01", "dki": "01"}
    rows = [
        _PLAIN | _NO_CARD | {"user_code": "NEWA2345"},
        _PLAIN | _NO_CARD | {"user_code": "NEWA2345", "name": "Twin"},
        _PLAIN | _NO_CARD | {"user_code": "NEWB2345", "reference": "R1"},
        _PLAIN | _NO_CARD | {"reference": "R1"},
        _PLAIN | _NO_CARD | {"user_code": VERA.user_code},
        _PLAIN | card | {"user_code": "NEWC2345", "pan": OMAR.card.record.pan.digits},
        _PLAIN | {"user_code": "NEWD2345"},
        _PLAIN | {"user_code": "NEWE2345", "reference": "R-5"},
        _PLAIN | _NO_CARD | {"user_code": "NEWF2345", "reference": "R-5"},
        _PLAIN | {"user_code": "NEWG2345", "psn": "02"},
        {**next(_rows(1)), "city": "LYON"},
        [*_rows(3)][2],
    ]
    expected = [
        Problem(3, "user_code", Trouble.TWICE, 2),
        Problem(8 + 1, "pan", Trouble.TWICE, 8),
        Problem(4, "reference", Trouble.REFERENCE_TAKEN),
        Problem(5, "reference", Trouble.TWICE, 4),
        Problem(6, "user_code", Trouble.USER_CODE_TAKEN),
        Problem(7, "pan", Trouble.CARD_TAKEN),
        Problem(12, "user_code", Trouble.DIFFERS),
        Problem(13, "user_code", Trouble.USER_CODE_TAKEN),
    ]
    before = branch.place.everything()
    for keep in (False, True):
        counts, problems = await _import(branch, rows, keep=keep)
        assert sorted(problems) == sorted(expected)
        assert counts == Counts(enrolled=4, refused=8)
        if not keep:
            assert branch.place.everything() == before
    assert await _import(branch, [rows[3]]) == (
        Counts(refused=1),
        [Problem(2, "reference", Trouble.DIFFERS)],
    )
    names = [name for (name,) in branch.rows("SELECT user_code FROM customer_details")]
    assert sorted(n for n in names if n.startswith("NEW")) == [
        "NEWA2345",
        "NEWD2345",
        "NEWF2345",
        "NEWG2345",
    ]


async def _erase(branch: Branch, user_code: str) -> None:
    store = branch.bank.store
    await erase(store, user_code, by="Ann", now=branch.clock(), random_bytes=chance("erasure"))


async def test_a_rehearsal_asks_custody(branch_on_file: Branch) -> None:
    """For each batch once; and for a real import once too, whoever is there."""
    asked: list[int] = []
    custodian = branch_on_file.bank.custodian
    real = custodian.register_all

    class Counting:
        """Custody that counts."""

        async def register_all(self, cards: object) -> object:
            """As custody does it."""
            asked.append(len(cards))  # type: ignore[arg-type]  # a list
            return await real(cards)  # type: ignore[arg-type]

    bank = replace(branch_on_file.bank, custodian=Counting())  # type: ignore[arg-type]
    content = _file([*_rows(BATCH + 3)])
    for keep in (False, True, True):
        await an_import(bank, [], keep=keep).read(io.BytesIO(content), FileFormat.CSV)
    assert asked == [167, 1] * 3


async def test_a_user_code_that_somebody_has(branch: Branch) -> None:
    """Is generated, by bad luck: another one is, and the card sealed for that."""
    row = _PLAIN | {"reference": "R-1"}
    taken = generate_user_code(chance("luck"))
    await _import(branch, [_PLAIN | _NO_CARD | {"user_code": taken}])
    bank = replace(branch.bank, random_bytes=chance("luck"))
    counts = await an_import(bank, []).read(io.BytesIO(_file([row])), FileFormat.CSV)
    assert counts == Counts(enrolled=1)
    ((code,),) = branch.rows("SELECT user_code FROM customer_details WHERE reference = 'R-1'")
    assert code != taken
    person = Person(UserCode(code), "Zoé Petit", (_OTHER,))
    assert isinstance(await branch.login(person, _OTHER.code(1)), Accepted)


async def test_the_same_file_twice_at_once(branch: Branch) -> None:
    """Each customer goes in once, and both imports count all of theirs."""
    content = _file([*_rows(3 * BATCH)])
    told: list[Problem] = []
    both = await asyncio.gather(
        *(an_import(branch.bank, told).read(io.BytesIO(content), FileFormat.CSV) for _ in range(2))
    )
    assert told == []
    assert [counts.rows for counts in both] == [3 * BATCH] * 2
    assert sum(counts.enrolled for counts in both) == 3 * BATCH
    _all_whole(branch, 3 * BATCH)
    assert (await audit(branch.bank.store, None)).findings == []


async def test_a_database_that_goes(
    branch_on_file: Branch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed stays, and the next import goes on from there; nobody waits for ever."""
    content = _file([*_rows(3 * BATCH)])
    real, turns = branch_on_file.bank.store.write, list[int]()

    async def gone(change: object) -> object:
        turns.append(1)
        if len(turns) == 2:
            raise StoreUnavailable("gone")
        return await real(change)  # type: ignore[arg-type]

    monkeypatch.setattr(branch_on_file.bank.store, "write", gone)
    ours = an_import(branch_on_file.bank, [])
    with pytest.raises(StoreUnavailable):
        await ours.read(io.BytesIO(content), FileFormat.CSV)
    assert ours.counts == Counts(enrolled=BATCH)
    _all_whole(branch_on_file, BATCH)
    counts, _ = await _import(branch_on_file, content)
    assert counts == Counts(enrolled=2 * BATCH, there=BATCH)

    async def busy(change: object) -> object:  # noqa: ARG001 -- any of them
        raise EnrolledMeanwhile

    monkeypatch.setattr(branch_on_file.bank.store, "write", busy)
    with pytest.raises(TooBusy):
        await _import(branch_on_file, [*_rows(1, 3 * BATCH)])


async def test_an_import_that_is_killed(branch: Branch, tmp_path: Path) -> None:
    """At whatever moment: everybody is whole or not there, and the same command goes on."""
    number = 5 * BATCH
    file = tmp_path / "customers.csv"
    file.write_bytes(_file([*_rows(number)]))
    await branch.bank.store.close()
    program = [sys.executable, "-m", "tests.bank.importer", url_of(branch.where), str(file)]
    done = 0
    for wanted in (1, 2 * BATCH + 1):
        done = _killed(program, branch, wanted)
        _all_whole(branch, done)
        assert done % BATCH == 0
    assert done < number
    enrolled, there, refused, *_ = _ran(program)
    assert (enrolled + there, refused) == (number, 0)
    assert there >= done
    _all_whole(branch, number)
    branch.bank = open_bank(branch.where, name="auditor")
    report = await audit(branch.bank.store, None)
    assert report.customers == number + 3
    assert report.findings == []
    assert report.found[Kind.TRUNCATED] == 0


def _killed(program: Sequence[str], branch: Branch, wanted: int) -> int:
    """How many are in after *program* was killed, as soon as *wanted* were."""

    def there() -> int:
        return int(branch.rows("SELECT count(*) FROM customer_details")[0][0])

    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        while there() < wanted and process.poll() is None:
            time.sleep(0.003)
        process.kill()
    return there()


def _ran(program: Sequence[str]) -> list[int]:
    """The numbers that *program* printed at its end."""
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    return [*map(int, done.stdout.split())]


async def test_any_bytes(branch_on_file: Branch) -> None:
    """Damaged here and there: our own error or an exact count, and everybody is whole."""
    good = _file([*_rows(12)])
    chosen = random.Random(8)  # noqa: S311 -- a test's
    enrolled = 0
    for _ in range(80):
        content = bytearray(good)
        for _ in range(chosen.randrange(4)):
            at = chosen.randrange(len(content))
            content[at : at + chosen.randrange(3)] = chosen.choice(
                [b"\n", b'"', b",", b"\x00", b"\xff", b"\xc3", b";", b"9", b""]
            )
        try:
            counts, problems = await _import(branch_on_file, bytes(content))
        except UnreadableCustomers:
            continue
        enrolled += counts.enrolled
        assert counts.rows <= 12 + content.count(b"\n") - good.count(b"\n") + 1
        assert len({problem.line for problem in problems}) == counts.refused
        _all_whole(branch_on_file, enrolled)
    assert enrolled >= 12
    assert (await audit(branch_on_file.bank.store, None)).findings == []


def test_memory_stays_flat(file: Path, tmp_path: Path) -> None:
    """The first five thousand of twenty thousand take as much of it as all do."""
    path = tmp_path / "customers.csv"
    path.write_bytes(_file([*_rows(20_000)]))
    program = [sys.executable, "-m", "tests.bank.importer", url_of(file), str(path)]
    enrolled, _, _, quarter, end = _ran(program)
    assert enrolled == 20_000
    assert end - quarter < 6_000, (quarter, end)  # KiB; a row that stays takes 60 MB of all
