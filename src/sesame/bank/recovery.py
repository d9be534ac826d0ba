"""What the pages ask of everybody after a restore: the same of all, whoever has come already.

Whether a card is unsure is decided by its row and by the write that moves it. This here is what
is shown, and may be some seconds late. Until a restore that was noticed is written into the
database its rows do not say so: then nobody's code is judged in this process.
"""

from contextlib import suppress
from datetime import datetime, timedelta
from enum import StrEnum, unique

from sesame.bank.limits import Limits
from sesame.bank.moments import from_row
from sesame.store.engine import Store
from sesame.store.errors import StoreUnavailable
from sesame.store.incarnation import Incarnation, read_incarnation

_LOOKED = timedelta(seconds=5)  # one look serves all pages of so long


@unique
class Asked(StrEnum):
    """Whether a challenge is asked for: by the bank's history alone, never by a customer's."""

    NEVER = "never"  # no backup was ever restored
    FIRST = "first"  # one was lately: the answer to a challenge comes first
    OFFERED = "offered"  # one was once: whoever is refused may still need it


def asked(found: Incarnation | None, limits: Limits, now: datetime) -> Asked:
    """What is asked of everybody, by the row of the database: pure."""
    if found is None:
        return Asked.FIRST
    if found.restored_at is None:
        # A backup that was opened behind the back of a server that runs.
        return Asked.NEVER if found.mark else Asked.FIRST
    recent = now < from_row(found.restored_at) + limits.challenge_first
    return Asked.FIRST if recent else Asked.OFFERED


class Recovery:
    """What this process last saw of it."""

    def __init__(self) -> None:
        """In doubt: the database was found to be an older one, and no new life has begun yet."""
        self.in_doubt = False
        self._looked_at: datetime | None = None
        self._asked = Asked.NEVER

    async def asked(self, store: Store, limits: Limits, now: datetime) -> Asked:
        """What is asked of everybody, by a look a few seconds old at most.

        Where the database does not answer it is what was seen last: a page can be shown then.
        """
        if self._looked_at is None or not timedelta(0) <= now - self._looked_at < _LOOKED:
            self._looked_at = now  # whoever comes meanwhile takes the last look
            with suppress(StoreUnavailable):
                self._asked = asked(await store.read(read_incarnation), limits, now)
        return self._asked

    def require_no_doubt(self) -> None:
        """Let pass unless it is in doubt: a used code might be taken.

        Raises:
            StoreUnavailable: it is.
        """
        if self.in_doubt:
            raise StoreUnavailable("it was restored, and cannot write down that it was")
