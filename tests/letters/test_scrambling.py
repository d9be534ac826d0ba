"""The pattern: the same from the same seed, another from another, and each ink in its channels."""

from sesame.letters.scrambling import BARS, DIGITS, FALSE, GROUND, pattern_of


def test_it_grows_from_its_seed() -> None:
    """One bit makes another pattern."""
    one, same, other = pattern_of(bytes(16)), pattern_of(bytes(16)), pattern_of(bytes(15) + b"\1")
    assert one == same
    assert one.over != other.over


def test_each_ink_keeps_to_its_channels() -> None:
    """Digits and bars to the red, all else to green and blue: none tells of another."""
    for ink in (DIGITS, BARS):
        assert ink[3:] == "ffff"
    for ink in (GROUND, *FALSE):
        assert ink[1:3] == "ff"
    pattern = pattern_of(bytes(16)).over
    assert DIGITS not in pattern
    for ink in (BARS, GROUND, *FALSE):
        assert ink in pattern


def test_through_a_red_filter_digits_are_the_darkest() -> None:
    """Darker than two bars one over the other, and so much darker than one as a bar than paper."""
    digits, bar = int(DIGITS[1:3], 16) / 255, int(BARS[1:3], 16) / 255
    assert digits < bar**2 - 0.03
    assert pattern_of(bytes(16)).over.count(BARS) == 2


def test_no_digit_is_greener_or_bluer_than_it_is_red() -> None:
    """Nothing else of the pattern is, so that would be seen."""
    assert max(int(GROUND[3:5], 16), int(GROUND[5:], 16)) < int(DIGITS[1:3], 16) * 0.85
