"""`bench.help_line`, in small: each question is asked."""

from bench.help_line import measure


def test_figures_of_the_help_line() -> None:
    """A figure each."""
    figures = measure("sqlite", 300)
    assert len(figures) == 14
    assert all(0 < milliseconds < 5_000 for milliseconds in figures.values())
