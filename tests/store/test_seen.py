"""`sesame.store.seen`: what stood in a file before, and where."""

import pytest

from sesame.store.seen import Seen


@pytest.fixture
def seen() -> Seen:
    """Nothing was seen yet."""
    return Seen()


def test_where_a_value_stood_first(seen: Seen) -> None:
    """Of each field by itself; the same value of another field is another."""
    assert seen.first_lines(2, [("pan", "1"), ("reference", "1")]) == {}
    assert seen.first_lines(3, [("pan", "2")]) == {}
    assert seen.first_lines(4, [("reference", "1"), ("pan", "2")]) == {"reference": 2, "pan": 3}
    seen.close()


def test_a_line_that_repeats_leaves_nothing(seen: Seen) -> None:
    """What else stood on it is free for the next one."""
    seen.first_lines(2, [("pan", "1")])
    assert seen.first_lines(3, [("reference", "x"), ("pan", "1")]) == {"pan": 2}
    assert seen.first_lines(4, [("reference", "x")]) == {}
    seen.close()


def test_no_value_is_kept(seen: Seen) -> None:
    """Only a hash under a key of its own."""
    seen.first_lines(2, [("pan", "4970101234567890")])
    with Seen() as other:
        other.first_lines(2, [("pan", "4970101234567890")])
        both = [
            one._scratch.execute("SELECT value FROM seen").fetchall()  # noqa: SLF001 -- looked into
            for one in (seen, other)
        ]
    assert both[0] != both[1]
    assert b"4970101234567890" not in both[0][0][0]
    seen.close()
