"""The days on which the help line has other hours, as this process saw them last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sesame.store.closures import ClosureRow, list_closures
from sesame.store.engine import Store

_MOST = 400  # days: more than a year of them
_A_DAY = timedelta(days=1)  # it is another day already, or still, where the help line is


@dataclass(slots=True)
class Closures:
    """Nothing until it looked; what it saw last while the database does not answer."""

    rows: Sequence[ClosureRow] = ()  # another object only once a day has changed

    async def look(self, store: Store, now: datetime) -> None:
        """See them anew, those of yesterday included.

        Raises:
            StoreUnavailable: it knows what it knew.
        """
        since = (now - _A_DAY).date().isoformat()
        rows = await store.read(lambda c: list_closures(c, since=since, most=_MOST))
        if rows != list(self.rows):
            self.rows = rows
