"""`sesame.bank.sealing`: nothing is lost, nothing sealed twice, whatever ends in between."""

import io
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.errors import FalseSeal
from sesame.bank.moments import to_row
from sesame.bank.sealing import (
    OVERLAP,
    SWEEP_LATEST,
    SWEEP_SOONEST,
    FolderShipping,
    PipeShipping,
    follow,
    sweep_is_due,
)
from sesame.bank.stream import Segment, decode_segment, read_sealed, read_stream
from sesame.store.errors import LedgerHeld, StreamUnreadable
from sesame.store.ledger import Ledger, Looked
from tests.bank.branch import NINE, OMAR, VERA, Branch
from tests.bank.chains import KEY, OTHER_KEY, Sealing, live, sealing


@pytest.fixture
def sealed(branch: Branch, tmp_path: Path) -> Sealing:
    """A sealer for a bank on either database."""
    return sealing(branch, tmp_path)


@pytest.fixture
def sealed_file(branch_on_file: Branch, tmp_path: Path) -> Sealing:
    """A sealer for a bank on SQLite."""
    return sealing(branch_on_file, tmp_path)


def _written(branch: Branch) -> set[tuple[str, int]]:
    return {(str(row[0]), int(row[1])) for row in _lines(branch)}


def _lines(branch: Branch) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in branch.rows("SELECT user_code, version FROM audit_lines")]


def _arrived(sealed: Sealing) -> list[tuple[str, int]]:
    return [(one.user_code, one.version) for one in read_stream(sealed.stream, KEY.public)]


async def test_every_line_is_sealed_once(branch: Branch, sealed: Sealing) -> None:
    """All that there is in the first round, then what is new, and nothing where nothing is."""
    with sealed.sealer() as sealer:
        first = await sealer.seal()
        assert (first.seals, first.lines, first.heads) == (1, 3, 3)
        await live(branch)
        second = await sealer.seal()
        assert (second.seals, second.lines, second.heads) == (1, 4, 2)
        third = await sealer.seal()
        assert (third.seals, third.lines, third.findings) == (1, 0, [])
    arrived = _arrived(sealed)
    assert len(arrived) == len(set(arrived)) == 7
    assert set(arrived) == _written(branch)
    assert [one.seal.seal.count for one in read_sealed(sealed.stream, KEY.public)] == [3, 2, 0]


async def test_a_line_that_comes_late_is_sealed(
    branch_on_file: Branch, sealed_file: Sealing
) -> None:
    """Within the overlap in the next round; later still, by a look at everybody."""
    branch, sealed = branch_on_file, sealed_file
    late = {"VERA2345": OVERLAP - timedelta(seconds=1), "OMAR6789": OVERLAP + timedelta(hours=1)}
    with sealed.sealer() as sealer:
        branch.clock.forward(hours=3)  # since everybody was enrolled
        await sealer.seal()
        for code, much in late.items():
            person = VERA if code == VERA.user_code else OMAR
            await branch.login(person, person.card.code(1))
            branch.change(
                "UPDATE audit_lines SET at = at - ? WHERE user_code = ? AND version = 2",
                much // timedelta(microseconds=1),
                code,
            )
        assert (await sealer.seal()).lines == 1
        branch.clock.forward(seconds=SWEEP_SOONEST.total_seconds() - 1)
        assert (await sealer.seal()).lines == 0
        branch.clock.forward(seconds=1)
        assert (await sealer.seal()).lines == 1
    assert set(_arrived(sealed)) == _written(branch)


async def test_a_clock_that_was_ahead(branch_on_file: Branch, sealed_file: Sealing) -> None:
    """By a year, for one round, an hour before the next one: what came meanwhile is sealed."""
    with sealed_file.sealer() as sealer:
        branch_on_file.clock.forward(days=365)
        await sealer.seal()
        branch_on_file.clock.forward(days=-365)
        await live(branch_on_file)
        branch_on_file.clock.forward(hours=1)
        assert (await sealer.seal()).lines == 4
        assert (await sealer.seal()).lines == 0
    assert set(_arrived(sealed_file)) == _written(branch_on_file)


@pytest.mark.parametrize(
    ("took", "wait"),
    [
        (timedelta(0), SWEEP_SOONEST),
        (timedelta(seconds=10), SWEEP_SOONEST),
        (timedelta(minutes=2), timedelta(hours=2)),
        (timedelta(hours=1), SWEEP_LATEST),
    ],
)
def test_everybody_is_looked_at_as_often_as_it_is_quick(took: timedelta, wait: timedelta) -> None:
    """A sixtieth of the time goes into it, within bounds; and at once where it never was."""
    looked = Looked(at=0, swept_at=to_row(NINE), sweep_took=took // timedelta(microseconds=1))
    assert not sweep_is_due(looked, NINE + wait - timedelta(seconds=1))
    assert sweep_is_due(looked, NINE + wait)
    assert sweep_is_due(Looked(), NINE)


async def test_more_than_a_segment_holds(
    branch_on_file: Branch, sealed_file: Sealing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Becomes several; and more than a round looks at, a look at everybody."""
    monkeypatch.setattr("sesame.bank.sealing._LINES", 2)
    monkeypatch.setattr("sesame.bank.sealing._CUSTOMERS", 1)
    with sealed_file.sealer() as sealer:
        await sealer.seal()
        monkeypatch.setattr("sesame.bank.sealing._CHANGED", 3)
        await live(branch_on_file)
        assert (await sealer.seal()).lines == 4
    segments = list(read_sealed(sealed_file.stream, KEY.public))
    assert len(segments) == 4
    assert set(_arrived(sealed_file)) == _written(branch_on_file)


async def test_what_contradicts_the_seals_is_not_sealed(branch: Branch, sealed: Sealing) -> None:
    """Everybody else is; and it is said, whoever it is, at the latest in a day."""
    await live(branch)
    with sealed.sealer() as sealer:
        await sealer.seal()
        await branch.login(VERA, VERA.card.code(9))
        branch.change(
            "UPDATE audit_lines SET head = ? WHERE user_code = ? AND version = 5",
            bytes(32),
            VERA.user_code,
        )
        done = await sealer.seal()
        assert (done.lines, done.findings) == (0, [Finding(Kind.ALTERED, "VERA2345", 5)])
        branch.clock.forward(days=2)
        found = (await sealer.seal()).findings
    assert found == [Finding(Kind.ALTERED, "VERA2345", 5)]


async def test_a_row_behind_the_seals_is_told(branch_on_file: Branch, sealed_file: Sealing) -> None:
    """An old state, or another head at the same version: at the latest in a day."""
    branch = branch_on_file
    await live(branch)
    with sealed_file.sealer() as sealer:
        await sealer.seal()
        branch.change("UPDATE access SET version = 1 WHERE user_code = ?", VERA.user_code)
        branch.change("UPDATE access SET head = ? WHERE user_code = ?", bytes(32), OMAR.user_code)
        assert (await sealer.seal()).findings == []
        branch.clock.forward(days=2)
        found = (await sealer.seal()).findings
    assert sorted(found, key=lambda one: one.kind) == [
        Finding(Kind.ROLLED_BACK, "VERA2345", 1),
        Finding(Kind.REWRITTEN, "OMAR6789", 2),
    ]


async def test_a_lost_ledger_is_made_anew(branch: Branch, sealed: Sealing) -> None:
    """From the stream, which goes on where it stood."""
    with sealed.sealer() as sealer:
        await sealer.seal()
    await live(branch)
    with sealed.sealer(ledger="another") as sealer:
        assert (await sealer.seal()).lines == 4
    assert [one.number for one in read_sealed(sealed.stream, KEY.public)] == [1, 2]
    assert len(_arrived(sealed)) == 7


async def test_two_sealers_take_turns(branch_on_file: Branch, sealed_file: Sealing) -> None:
    """With a ledger each: the slower one reads what the other sealed, and goes on behind it."""
    with sealed_file.sealer() as one, sealed_file.sealer(ledger="other") as other:
        for atc in (1, 3, 5):
            for sealer in (one, other):
                await live(branch_on_file, first_atc=atc)
                await sealer.seal()
    arrived = _arrived(sealed_file)
    assert len(arrived) == len(set(arrived))
    assert set(arrived) == _written(branch_on_file)


async def test_a_sealer_that_is_overtaken_begins_again(
    branch_on_file: Branch, sealed_file: Sealing
) -> None:
    """Somebody writes its number between its look at the folder and its own writing."""
    folder = sealed_file.stream

    class Overtaken:
        """A folder where somebody else is faster, once."""

        def __init__(self) -> None:
            self.mine = FolderShipping(folder)
            self.before: bytes | None = None

        def ship(self, number: int, content: bytes) -> None:
            if self.before is not None:
                other, self.before = self.before, None
                self.mine.ship(number, other)
            self.mine.ship(number, content)

        def beyond(self, number: int, key: Ed25519PublicKey) -> Iterator[Segment]:
            return self.mine.beyond(number, key)

    with sealed_file.sealer(ledger="other", shipping=_Kept()) as other:
        await other.seal()
        assert isinstance(other.shipping, _Kept)
        content = other.shipping.content[0]
    overtaken = Overtaken()
    overtaken.before = content
    with sealed_file.sealer(shipping=overtaken) as sealer:
        await sealer.seal()
        await live(branch_on_file)
        assert (await sealer.seal()).lines == 4
    assert set(_arrived(sealed_file)) == _written(branch_on_file)
    assert [one.seal.seal.lines for one in read_sealed(folder, KEY.public)] == [3, 0, 4]


class _Kept:
    """A pipe that breaks as often as it is told to."""

    def __init__(self, *, breaks: int = 0) -> None:
        self.content: list[bytes] = []
        self.breaks = breaks

    def ship(self, number: int, content: bytes) -> None:
        if self.breaks:
            self.breaks -= 1
            raise StreamUnreadable(Path(str(number)), "broken")
        self.content.append(content)

    def beyond(self, number: int, key: Ed25519PublicKey) -> Iterator[Segment]:
        yield from PipeShipping(io.BytesIO()).beyond(number, key)


async def test_what_could_not_be_delivered_is_delivered_later(
    branch_on_file: Branch, sealed_file: Sealing
) -> None:
    """As it was sealed; what came meanwhile is in the next."""
    kept = _Kept(breaks=1)
    with sealed_file.sealer(shipping=kept) as sealer, pytest.raises(StreamUnreadable):
        await sealer.seal()
    await live(branch_on_file)
    with sealed_file.sealer(shipping=kept) as sealer:
        await sealer.seal()
    segments = [decode_segment(content) for content in kept.content]
    assert [len(one.lines) for one in segments] == [3, 4]
    assert segments[1].seal.seal.prev == segments[0].seal.hash.hex()


async def test_a_pipe_gets_whole_segments(branch_on_file: Branch, sealed_file: Sealing) -> None:
    """One behind the other."""
    pipe = io.BytesIO()
    with sealed_file.sealer(shipping=PipeShipping(pipe)) as sealer:
        await sealer.seal()
        await live(branch_on_file)
        await sealer.seal()
    rows = pipe.getvalue().splitlines()
    assert sum(b'"format"' in row for row in rows) == sum(b'"seal"' in row for row in rows) == 2
    assert len(rows) == 2 + 7 + 2


async def test_a_pipe_that_nobody_reads(sealed_file: Sealing) -> None:
    """Or a disk that is full: told as a folder's refusal is, and delivered later, the same."""
    with (
        Path("/dev/full").open("wb", buffering=0) as full,  # noqa: ASYNC230 -- at once
        sealed_file.sealer(shipping=PipeShipping(full)) as sealer,
        pytest.raises(StreamUnreadable, match="No space left"),
    ):
        await sealer.seal()
    pipe = io.BytesIO()
    with sealed_file.sealer(shipping=PipeShipping(pipe)) as sealer:
        await sealer.seal()
    assert pipe.getvalue().startswith(b'{"format":"sesame-audit-stream","number":1,')


async def test_a_folder_of_another_key_is_not_gone_on_with(
    branch_on_file: Branch, sealed_file: Sealing
) -> None:
    """Nor one whose seals do not follow ours."""
    sealed_file.key = OTHER_KEY
    with sealed_file.sealer() as sealer:
        await sealer.seal()
    sealed_file.key = KEY
    await live(branch_on_file)
    for ledger in ("ours", "ledger"):  # a new one; and the one that the other key had
        with (
            sealed_file.sealer(ledger=ledger) as sealer,
            pytest.raises(FalseSeal, match="another key"),
        ):
            await sealer.seal()
    assert len(list(sealed_file.stream.iterdir())) == 1


async def test_a_stream_that_branches_off_is_refused(
    branch_on_file: Branch, sealed_file: Sealing, tmp_path: Path
) -> None:
    """The ledger knows another seal before it: the folder was replaced."""
    with sealed_file.sealer() as sealer:
        await sealer.seal()
    with Ledger.open(tmp_path / "auditor") as auditor:
        follow(auditor, sealed_file.stream, KEY.public)
    for file in sealed_file.stream.iterdir():
        file.unlink()
    await live(branch_on_file)
    with sealed_file.sealer(ledger="new") as sealer:
        await sealer.seal()
        await sealer.seal()
    with (
        Ledger.open(tmp_path / "auditor") as auditor,
        pytest.raises(FalseSeal, match="number 2 does not follow"),
    ):
        follow(auditor, sealed_file.stream, KEY.public)
    with sealed_file.sealer() as sealer, pytest.raises(FalseSeal, match="does not follow"):
        await sealer.seal()


def test_a_ledger_is_one_process_own(tmp_path: Path) -> None:
    """A second one is told so."""
    with Ledger.open(tmp_path / "ledger"), pytest.raises(LedgerHeld):
        Ledger.open(tmp_path / "ledger")


_SEAL_AND_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
import sesame.bank.sealing as sealing
from sesame.store.ledger import Ledger, Looked
from tests.bank.branch import Clock, open_bank
from tests.bank.chains import KEY

where, folder, place = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

class Folder(sealing.FolderShipping):
    def ship(self, number, content):
        if place == "before it is shipped":
            die()
        super().ship(number, content)
        if place == "before it is recorded":
            die()

class Dying(Ledger):
    def pend(self, number, content):
        if place == "before it is kept":
            die()
        super().pend(number, content)
    def look(self, *moments):
        die()

async def main():
    bank = open_bank(where)
    sealer = sealing.Sealer(store=bank.store, ledger=Dying.open(folder / "ledger"), key=KEY,
                            shipping=Folder(folder / "stream"), now=Clock())
    await sealer.seal()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "place",
    ["before it is kept", "before it is shipped", "before it is recorded", "before the end"],
)
async def test_a_sealer_that_is_killed(
    branch_on_file: Branch, sealed_file: Sealing, place: str
) -> None:
    """Wherever it was: the next one loses no line and seals none twice."""
    await live(branch_on_file)
    folders = [str(branch_on_file.path), str(sealed_file.folder)]
    program = [sys.executable, "-c", _SEAL_AND_DIE, *folders, place]
    sealed_file.stream.mkdir(exist_ok=True)
    killed = subprocess.run(program, check=False, cwd=Path(__file__).parents[2])  # noqa: ASYNC221
    assert killed.returncode == -signal.SIGKILL
    await live(branch_on_file, first_atc=5)
    with sealed_file.sealer() as sealer:
        await sealer.seal()
    arrived = _arrived(sealed_file)
    assert len(arrived) == len(set(arrived))
    assert set(arrived) == _written(branch_on_file)
