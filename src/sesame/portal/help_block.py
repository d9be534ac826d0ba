"""What the help block of every page says, ready for the frame.

It changes with the clock, at whole minutes, and with the days that officers set; so it is worked
out once a minute for each language, and not for each page.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from sesame.catalogue import Language
from sesame.portal.hours import state
from sesame.web.opening import OpeningHours


class HelpBlock:
    """What frame.html asks for: `help`, the state of the help line."""

    def __init__(self, hours: Callable[[], OpeningHours], now: Callable[[], datetime]) -> None:
        self._hours = hours
        self._now = now
        self._last: dict[Language, tuple[datetime, OpeningHours, Mapping[str, object]]] = {}

    def __call__(self, language: Language) -> Mapping[str, object]:
        """The names for the template, those of this minute."""
        # Whole minutes of UTC are whole minutes in Paris, and hours begin with one.
        minute = self._now().replace(second=0, microsecond=0)
        hours, last = self._hours(), self._last.get(language)
        if last is None or last[0] != minute or last[1] is not hours:
            names = {"help": state(hours, minute, language)}
            last = self._last[language] = (minute, hours, names)
        return last[2]
