"""`sesame.bank.stream` and `sesame.bank.seal`: a folder holds what was sealed, or it shows."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sesame.bank.audit_chain import Row
from sesame.bank.errors import FalseSeal
from sesame.bank.merkle import tree_root
from sesame.bank.seal import NO_SEAL, SignedSeal, check_seal, fingerprint, new_seal, to_sign
from sesame.bank.stream import (
    Segment,
    StreamedLine,
    check_segment,
    decode_segment,
    encode_segment,
    latest_seal,
    leaves_of,
    read_sealed,
    read_stream,
)
from sesame.custody.seal_key import SealKey
from sesame.store.errors import SegmentLost
from sesame.store.segments import segment_name, write_segment
from tests.bank.branch import NINE
from tests.bank.chains import KEY, OTHER_KEY, chain, streamed


def _segment(
    number: int, lines: Sequence[StreamedLine], prev: bytes = NO_SEAL, key: SealKey = KEY
) -> Segment:
    leaves = leaves_of(lines)
    text = new_seal(
        number=number,
        prev=prev,
        at=NINE,
        count=len(leaves),
        lines=len(lines),
        root=tree_root([leaf.hash for leaf in leaves]),
        key=fingerprint(key.public),
    )
    return Segment(number, lines, SignedSeal(text, key.sign(to_sign(text))))


def _fill(folder: Path, parts: Sequence[Sequence[Row]], first: int = 1) -> list[Segment]:
    segments: list[Segment] = []
    for number, rows in enumerate(parts, first):
        prev = segments[-1].seal.hash if segments else NO_SEAL
        segments.append(_segment(number, streamed(rows), prev))
        write_segment(folder, number, encode_segment(segments[-1]))
    return segments


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Line by line, in order, with and without a look at the seals; an empty one between."""
    rows = chain(5)
    _fill(tmp_path, [rows[:2], [], rows[2:]])
    assert list(read_stream(tmp_path)) == streamed(rows)
    assert list(read_stream(tmp_path, KEY.public)) == streamed(rows)
    assert [one.number for one in read_sealed(tmp_path, KEY.public, first=2)] == [2, 3]


def test_nothing_is_an_empty_stream(tmp_path: Path) -> None:
    """A folder in which nothing has arrived, beside a file that is none of the stream."""
    (tmp_path / ".segment.x.new").touch()
    assert list(read_stream(tmp_path, KEY.public)) == []


def test_how_far_the_seals_go(tmp_path: Path) -> None:
    """The latest one, by number."""
    assert latest_seal(tmp_path, KEY.public) is None
    _fill(tmp_path, [[row] for row in chain(3)])
    latest = latest_seal(tmp_path, KEY.public)
    assert latest is not None
    assert latest.number == 3


def test_a_lost_file_shows(tmp_path: Path) -> None:
    """One in the middle; the oldest may have been taken away."""
    rows = chain(4)
    _fill(tmp_path, [[row] for row in rows])
    (tmp_path / segment_name(3)).unlink()
    with pytest.raises(SegmentLost, match="file 3 is not there") as lost:
        list(read_stream(tmp_path))
    assert lost.value.number == 3
    (tmp_path / segment_name(1)).unlink()
    (tmp_path / segment_name(2)).unlink()
    assert list(read_stream(tmp_path, KEY.public)) == streamed(rows[3:])


def test_files_that_changed_places_show(tmp_path: Path) -> None:
    """Each says its own number, and the seal before."""
    _fill(tmp_path, [[row] for row in chain(3)])
    one, two = (tmp_path / segment_name(number) for number in (2, 3))
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    with pytest.raises(FalseSeal, match="file 2 says that it is number 3"):
        list(read_stream(tmp_path))


def test_a_seal_that_follows_another_shows(tmp_path: Path) -> None:
    """Whole by itself, by the right key, and not what came next."""
    rows = chain(2)
    _fill(tmp_path, [rows[:1]])
    write_segment(tmp_path, 2, encode_segment(_segment(2, streamed(rows[1:]), bytes(32))))
    with pytest.raises(FalseSeal, match="number 2 does not follow"):
        list(read_stream(tmp_path, KEY.public))


def test_another_key_shows(tmp_path: Path) -> None:
    """Whether it says so or not."""
    segment = _segment(1, streamed(chain(1)), key=OTHER_KEY)
    with pytest.raises(FalseSeal, match="names another key"):
        check_segment(segment, KEY.public)
    ours = _segment(1, streamed(chain(1)))
    forged = SignedSeal(ours.seal.text, OTHER_KEY.sign(to_sign(ours.seal.text)))
    with pytest.raises(FalseSeal, match="signature of number 1"):
        check_seal(forged, KEY.public)
    write_segment(tmp_path, 1, encode_segment(replace(ours, seal=forged)))
    with pytest.raises(FalseSeal, match="signature of number 1"):
        list(read_stream(tmp_path, KEY.public))


@given(data=st.data())
def test_every_flipped_bit_shows(data: st.DataObject) -> None:
    """Anywhere in a file."""
    lines = [*streamed(chain(2, "OMAR6789"), "OMAR6789"), *streamed(chain(2))]
    content = bytearray(encode_segment(_segment(1, lines)))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(FalseSeal):
        check_segment(decode_segment(bytes(content)), KEY.public)


@given(data=st.data())
def test_a_line_more_less_or_moved_shows(data: st.DataObject) -> None:
    """Under a seal that is whole."""
    rows = chain(6)
    whole = _segment(1, streamed(rows))
    lines = list(whole.lines)
    at = data.draw(st.integers(0, 4))
    match data.draw(st.sampled_from(["less", "more", "moved"])):
        case "less":
            del lines[at]
        case "more":
            lines.insert(at, lines[at])
        case _:
            lines[at], lines[at + 1] = lines[at + 1], lines[at]
    with pytest.raises(FalseSeal, match="not those that were sealed"):
        check_segment(replace(whole, lines=lines), KEY.public)


@given(content=st.binary(max_size=200))
def test_bytes_of_any_kind_are_refused(content: bytes) -> None:
    """As no file of the stream."""
    with pytest.raises(FalseSeal):
        decode_segment(content)


def test_a_file_of_another_spelling_is_none() -> None:
    """What means the same and is written otherwise, or goes on behind its end."""
    content = encode_segment(_segment(1, streamed(chain(2))))
    for other in (content.replace(b'"v":1}\n', b'"v": 1}\n', 1), content + b"x"):
        with pytest.raises(FalseSeal, match="one spelling"):
            decode_segment(other)


def test_a_seal_of_another_spelling_is_none() -> None:
    """What means the same and is written otherwise."""
    signed = _segment(1, []).seal
    with pytest.raises(FalseSeal, match="not written as seals are"):
        check_seal(SignedSeal(signed.text.replace(b",", b", "), signed.signature), KEY.public)
    with pytest.raises(FalseSeal, match="no seal at all"):
        check_seal(SignedSeal(b"{}", signed.signature), KEY.public)


def test_a_line_that_is_none_ends_a_chain() -> None:
    """Two of one customer, of which the second has no `prev`."""
    lines = [*streamed(chain(1)), StreamedLine("VERA2345", 2, b"{}")]
    with pytest.raises(FalseSeal, match="not those that were sealed"):
        check_segment(_segment(1, lines), KEY.public)
