"""A simulated bank is timed as a whole."""

from bench.simulation import measure
from sesame.simulation.plan import Plan


def test_logins_a_second() -> None:
    """One figure, and no other."""
    figures = measure(Plan(customers=5, days=3, seed=1))
    assert set(figures) == {"simulated_per_second"}
    assert figures["simulated_per_second"] > 0
