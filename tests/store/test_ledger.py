"""`sesame.store.ledger`: what was sealed, in one commit, for one process."""

import stat
from pathlib import Path

import pytest

from sesame.store.errors import LedgerHeld, LedgerUnusable
from sesame.store.ledger import Ledger, Looked, SealedHead

_HEADS = [
    SealedHead(bucket, f"CODE000{bucket}", bucket + 1, bytes([bucket]) * 32) for bucket in range(5)
]


def test_a_new_ledger_knows_nothing(tmp_path: Path) -> None:
    """No seal, no head, nothing to be shipped."""
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert ledger.last_seal is None
        assert ledger.pending is None
        assert ledger.looked == Looked()
        assert ledger.heads([(0, "CODE0000")]) == {}
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}


def test_what_was_recorded_is_there_next_time(tmp_path: Path) -> None:
    """The latest seal and head; what was to be shipped is no more."""
    with Ledger.open(tmp_path / "ledger") as ledger:
        ledger.pend(1, b"content")
        assert ledger.pending == (1, b"content")
        ledger.record(1, b"a" * 32, _HEADS)
        ledger.record(2, b"b" * 32, [_HEADS[3]._replace(version=9)])
        ledger.look(Looked(5, 4, 3))
    with Ledger.open(tmp_path / "ledger") as ledger:
        assert (ledger.last_seal, ledger.pending) == ((2, b"b" * 32), None)
        assert ledger.looked == Looked(at=5, swept_at=4, sweep_took=3)
        assert ledger.heads([head[:2] for head in _HEADS])["CODE0003"] == (9, bytes([3]) * 32)
        assert ledger.heads_behind((1, "CODE0001"), most=1) == [_HEADS[2]]
        assert [head[:2] for head in ledger.heads_behind((2, "CODE0002"), most=9)] == [
            (3, "CODE0003"),
            (4, "CODE0004"),
        ]


def test_half_a_record_is_none(tmp_path: Path) -> None:
    """An error in the middle leaves everything as it was."""

    def heads() -> object:
        yield _HEADS[0]
        raise ZeroDivisionError

    with Ledger.open(tmp_path / "ledger") as ledger:
        with pytest.raises(ZeroDivisionError):
            ledger.record(1, bytes(32), heads())  # type: ignore[arg-type]  # a generator of them
        assert ledger.last_seal is None
        assert ledger.heads([_HEADS[0][:2]]) == {}


def test_one_process_has_it(tmp_path: Path) -> None:
    """A second one is told so, until the first lets go."""
    with Ledger.open(tmp_path / "ledger"), pytest.raises(LedgerHeld):
        Ledger.open(tmp_path / "ledger")
    Ledger.open(tmp_path / "ledger").close()


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    """No folder, or bytes of another kind: it says what to do."""
    with pytest.raises(LedgerUnusable, match="made anew from the stream"):
        Ledger.open(tmp_path / "nowhere" / "ledger")
    (tmp_path / "ledger").write_bytes(b"no database" * 1000)
    with pytest.raises(LedgerUnusable, match="not a database"):
        Ledger.open(tmp_path / "ledger")
