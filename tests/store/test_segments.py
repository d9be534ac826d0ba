"""`sesame.store.segments`: a file is there whole, or not at all."""

from pathlib import Path

import pytest

from sesame.store.errors import SegmentLost, SegmentTaken, StreamUnreadable
from sesame.store.segments import (
    read_segment,
    read_segments,
    segment_name,
    segment_numbers,
    write_segment,
)


def test_files_are_read_in_order(tmp_path: Path) -> None:
    """By number, from any of them on; what is no segment is passed over."""
    for number in (11, 9, 10):
        write_segment(tmp_path, number, str(number).encode())
    (tmp_path / "note.txt").touch()
    assert list(read_segments(tmp_path)) == [(9, b"9"), (10, b"10"), (11, b"11")]
    assert list(read_segments(tmp_path, first=11)) == [(11, b"11")]
    assert segment_numbers(tmp_path) == range(9, 12)
    assert read_segment(tmp_path, 12) is None


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    """Of two writers the second is told; nothing else is left behind."""
    write_segment(tmp_path, 1, b"first")
    with pytest.raises(SegmentTaken, match="file 1 is there"):
        write_segment(tmp_path, 1, b"second")
    assert [file.name for file in tmp_path.iterdir()] == [segment_name(1)]
    assert read_segment(tmp_path, 1) == b"first"


def test_a_file_that_goes_while_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is lost."""
    write_segment(tmp_path, 1, b"1")
    monkeypatch.setattr("sesame.store.segments.read_segment", lambda *_: None)
    with pytest.raises(SegmentLost):
        list(read_segments(tmp_path))


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Is told of, whatever is asked; so is a file that is a folder."""
    nowhere = tmp_path / "nowhere"
    for ask in (
        lambda: write_segment(nowhere, 1, b""),
        lambda: read_segment(nowhere, 1),
        lambda: segment_numbers(nowhere),
    ):
        with pytest.raises(StreamUnreadable, match=r"nowhere: (No|no) such"):
            ask()
    (tmp_path / segment_name(1)).mkdir()
    with pytest.raises(StreamUnreadable, match="directory"):
        read_segment(tmp_path, 1)
