"""The table says which figures are reached."""

from bench.targets import TARGETS, table


def test_more_is_better_but_for_times() -> None:
    """A ratio of rates must be large, one of times small."""
    target = {target.name: target for target in TARGETS}
    rate, crypto = target["over_privacyidea_8"], target["crypto_over_pyemv"]
    assert [rate.verdict(value) for value in (99, 100, 199, 200)] == [
        "missed",
        "must",
        "must",
        "aim",
    ]
    assert [crypto.verdict(value) for value in (0.36, 0.35, 0.21, 0.2)] == [
        "missed",
        "must",
        "must",
        "aim",
    ]


def test_what_was_not_measured_is_said_to_be() -> None:
    """A figure that is missing is not a figure that is reached."""
    rows = table({"grouped_over_single_32": 2.5}).splitlines()[2:]
    assert len(rows) == len(TARGETS)
    assert sum("not measured" in row for row in rows) == len(TARGETS) - 1
    assert any("2.5 | 2 | 3 | must |" in row for row in rows)
