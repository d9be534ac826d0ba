"""The help block is worked out once a minute for each language, and follows the clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from sesame.catalogue import Language
from sesame.portal import help_block
from sesame.portal.help_block import HelpBlock
from sesame.portal.hours import HelpState, state
from sesame.web.opening import OpeningHours

_WEEK = OpeningHours()


@dataclass
class Clock:
    """A clock that is told the time."""

    time: datetime = datetime(2026, 3, 2, 16, 58, 59, tzinfo=UTC)  # 17:58:59 in Paris

    def __call__(self) -> datetime:
        """The time."""
        return self.time


def _said(block: HelpBlock, language: Language = Language.ENGLISH) -> str:
    help_state = block(language)["help"]
    assert isinstance(help_state, HelpState)
    return f"{help_state.now} {help_state.reopening}"


def test_it_follows_the_clock() -> None:
    """To the minute: at 17:59:59 open, at 18:00:00 closed."""
    clock = Clock()
    block = HelpBlock(lambda: _WEEK, clock)
    assert _said(block) == "Open now, until 18:00. Opens again on Tuesday 3\u00a0March at 08:00."
    clock.time += timedelta(seconds=60)
    assert _said(block).startswith("Open now")
    clock.time += timedelta(seconds=1)
    assert _said(block) == "Closed now. Opens again on Tuesday 3\u00a0March at 08:00."


def test_a_clock_that_is_set_back_is_believed() -> None:
    """What was said of a later minute is not said of this one."""
    clock = Clock(datetime(2026, 3, 2, 17, 0, tzinfo=UTC))
    block = HelpBlock(lambda: _WEEK, clock)
    assert _said(block).startswith("Closed now.")
    clock.time -= timedelta(minutes=1)
    assert _said(block).startswith("Open now")


def test_it_is_worked_out_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each language; a page in between costs nothing."""
    worked: list[tuple[datetime, Language]] = []

    def counted(hours: OpeningHours, at: datetime, language: Language) -> HelpState:
        worked.append((at, language))
        return state(hours, at, language)

    monkeypatch.setattr(help_block, "state", counted)
    clock = Clock()
    block = HelpBlock(lambda: _WEEK, clock)
    for seconds in (0, 0, 1, 30, 29):
        clock.time += timedelta(seconds=seconds)
        for language in Language:
            block(language)
    first, second = (datetime(2026, 3, 2, 16, minute, tzinfo=UTC) for minute in (58, 59))
    assert worked == [(at, language) for at in (first, second) for language in Language]
