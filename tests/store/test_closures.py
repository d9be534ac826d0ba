"""`sesame.store.closures`: a day has one set of hours, and who sets it has the right to."""

from sesame.store.closures import ClosureRow, list_closures
from tests.places import Place


def test_days_come_in_order(place: Place) -> None:
    """From the day that is asked for on, and no more than are asked for."""
    for day in ("2026-12-31", "2026-12-24", "2026-11-01"):
        place.execute("INSERT INTO closures VALUES (?, NULL, NULL, 'Travaux.', '_K7P2M4X', 1)", day)
    days = place.write(lambda c: list_closures(c, since="2026-12-24", most=9))
    assert [row.day for row in days] == ["2026-12-24", "2026-12-31"]
    assert days[0] == ClosureRow("2026-12-24", None, None, "Travaux.", "_K7P2M4X", 1)
    assert len(place.write(lambda c: list_closures(c, since="2026-01-01", most=2))) == 2
