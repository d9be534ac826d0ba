"""What the rounds gave, as figures."""

from bench.side_by_side import Notes


def test_the_better_number_of_processes_counts() -> None:
    """By its median: the better of each round would be better than either."""
    notes = Notes()
    for one, two in ((0.5, 0.9), (0.7, 0.4), (0.6, 0.5)):
        notes("http_over_floor_32", one)
        notes("http_over_floor_32_of_two_processes", two)
        notes("http_32_of_two_processes_per_second", 9.0)
    assert notes.medians() == {
        "http_over_floor_32": 0.6,
        "http_over_floor_32_of_two_processes": 0.5,
        "http_32_of_two_processes_per_second": 9.0,
    }
    notes("http_over_floor_32_of_two_processes", 0.9)
    notes("http_over_floor_32_of_two_processes", 0.9)
    assert notes.medians()["http_over_floor_32"] == 0.9
