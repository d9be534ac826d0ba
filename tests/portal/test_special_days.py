"""The hours that a page tells: the week, and the days that officers set, as they were seen last."""

from datetime import UTC, date, datetime

import pytest

from sesame.bank.closures import Closures
from sesame.bank.housekeeping import look_at_closures
from sesame.portal.special_days import Hours, special_days
from sesame.store.closures import CLOSURES, ClosureRow
from sesame.store.errors import StoreUnavailable
from sesame.web.opening import OpeningHours, Span, SpecialDay
from tests.portal.browser import Browser
from tests.portal.town import Town

_CLOSED = ClosureRow("2026-03-06", None, None, "Travaux.", "_K7P2M4X", 1)
_OPEN = ClosureRow("2026-03-08", "09:00", "12:30", "Affluence.", "_K7P2M4X", 1)


def test_rows_become_days() -> None:
    """One that cannot be read has its usual hours."""
    broken = [
        _OPEN._replace(day="8 mars"),
        _OPEN._replace(opens="25:00"),
        _OPEN._replace(opens="13:00"),
    ]
    assert list(special_days([_CLOSED, *broken, _OPEN])) == [
        SpecialDay(day=date(2026, 3, 6), hours=None, reason="Travaux."),
        SpecialDay(day=date(2026, 3, 8), hours=Span(540, 750), reason="Affluence."),
    ]


def test_the_same_value_until_a_day_changes() -> None:
    """So that what is worked out of it is worked out once."""
    closures, week = Closures(), OpeningHours()
    hours = Hours(week, lambda: closures.rows)
    assert hours() is week
    closures.rows = [_CLOSED]
    seen = hours()
    assert seen is hours()
    assert len(seen.days) == 1
    closures.rows = []
    assert hours() == week


async def _insert(town: Town, row: ClosureRow) -> None:
    await town.bank.store.write(lambda c: c.execute(CLOSURES.insert().values(row._asdict())))


async def test_a_page_needs_no_database_for_its_hours(
    town: Town, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was seen last stays; and nothing is read for a page."""
    await _insert(town, _CLOSED)
    await look_at_closures(town.bank)
    seen = town.bank.closures.rows
    await look_at_closures(town.bank)
    assert town.bank.closures.rows is seen

    async def fails(*_: object) -> None:
        raise StoreUnavailable("the disk is gone")

    monkeypatch.setattr(town.bank.store, "read", fails)
    with pytest.raises(StoreUnavailable):
        await look_at_closures(town.bank)
    page = (await browser.get("/aide")).text
    assert "Fermeture exceptionnelle le vendredi 6\u00a0mars." in page


async def test_outside_its_hours_the_other_number_is_first(town: Town, browser: Browser) -> None:
    """The one that answers day and night; in its hours the help line's."""

    async def block() -> str:
        return (await browser.get("/")).text.partition('<aside class="help"')[2]

    def places(text: str) -> list[int]:
        return [text.index(number) for number in ("tel:+33199002640", "tel:+33199002641")]

    line, lost = places(await block())
    assert line < lost
    town.clock.time = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)
    closed = await block()
    line, lost = places(closed)
    assert lost < line
    assert closed.count("tel:+33199002640") == closed.count("tel:+33199002641") == 1
    assert closed.index("help-title") < lost
