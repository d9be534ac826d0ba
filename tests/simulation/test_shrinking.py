"""The fewest events: of what is left, nothing can be left out."""

from hypothesis import given
from hypothesis import strategies as st

from sesame.simulation.events import Event, Kind
from sesame.simulation.shrinking import fewest

_MOST = 60


@given(st.sets(st.integers(0, _MOST - 1), min_size=1, max_size=4), st.integers(1, _MOST))
def test_what_is_needed_is_left(needed: set[int], length: int) -> None:
    """And it is asked a few hundred times at most."""
    events = [Event(at, 0, Kind.LOGIN) for at in range(_MOST)][: max(length, max(needed) + 1)]
    asked = 0

    def breaks(few: list[Event]) -> bool:
        nonlocal asked
        asked += 1
        return needed <= {event.at for event in few}

    assert {event.at for event in fewest(events, breaks)} == needed
    assert asked < 400


def test_where_either_will_do_one_is_left() -> None:
    """Which one does not matter."""
    events = [Event(at, 0, Kind.LOGIN) for at in range(10)]
    assert len(fewest(events, lambda few: any(event.at % 3 == 0 for event in few))) == 1
