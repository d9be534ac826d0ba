"""Cards are renewed in time, and retired at their end: once a day, whoever is served meanwhile.

What is due for a card is decided in `sesame.bank.card_life`, and once more in the transaction that
does it, behind the step of its customer's row. An order that is written here has its letters
planned where orders are carried out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial

import msgspec

from sesame.bank.audit import SALT_LENGTH, Fact
from sesame.bank.card_life import Act, Due, Why, due
from sesame.bank.errors import TooBusy
from sesame.bank.limits import Limits
from sesame.bank.moves import plan_move, until_taken
from sesame.bank.staff import BANK_ITSELF
from sesame.store.aging import (
    AgingCard,
    NewNotice,
    find_aging,
    read_aging,
    take_end,
    take_renewal,
)
from sesame.store.engine import Store

_AT_ONCE = 500  # cards of one look
_NOTICE_LENGTH = 16
_TAKES: Mapping[Act, Callable[..., None]] = {
    Act.RENEW: partial(take_renewal, by=BANK_ITSELF),
    Act.RETIRE: take_end,
}
_EVENTS: Mapping[Act, str] = {Act.RENEW: "renewal", Act.RETIRE: "card-retired"}


class Renewed(msgspec.Struct, frozen=True, kw_only=True):
    """What it came to: how many cards were ordered and retired, by reason, and left for later."""

    done: Mapping[Due, int]
    left: int = 0  # others were faster each time; they are found again the next day

    def count(self, act: Act, why: Why | None = None) -> int:
        """How many cards had *act* done to them, for whatever reason or this one."""
        return sum(
            number
            for one, number in self.done.items()
            if one.act is act and (why is None or one.why is why)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """One day's look at all cards. `today` is the day of the institution's clock."""

    store: Store
    now: datetime  # aware, UTC
    today: date
    random_bytes: Callable[[int], bytes]
    limits: Limits
    dry_run: bool = False  # count only

    async def run(self) -> Renewed:
        """Order what is to be renewed, and retire what is at its end; a second time, nothing.

        Raises:
            StoreUnavailable: the database does not answer; what was done stays, and the next time
                goes on from there.
        """
        look = partial(
            find_aging,
            expires_by=(self.today + self.limits.renew_before).isoformat(),
            above=self.limits.renew_above,
            many=_AT_ONCE,
        )
        done: dict[Due, int] = {}
        left = 0
        after: AgingCard | None = None
        while cards := await self.store.read(partial(look, after=after)):
            after = cards[-1]
            for card in cards:
                wanted = self._due(card)
                if wanted is None:
                    continue
                try:
                    taken = self.dry_run or await self._take(card, wanted)
                except TooBusy:
                    left += 1
                    continue
                if taken:
                    done[wanted] = done.get(wanted, 0) + 1
        return Renewed(done=done, left=left)

    def _due(self, card: AgingCard | None) -> Due | None:
        return None if card is None else due(card, self.today, self.limits)

    async def _take(self, card: AgingCard, wanted: Due) -> bool:
        """Do what is *wanted* for *card*, if it still is due."""

        async def attempt() -> bool:
            access = await self.store.read_access(card.user_code)
            if self._due(await self.store.read(partial(read_aging, card=card))) != wanted:
                return False
            facts: dict[str, Fact] = {"card": card.card_number, "why": wanted.why}
            salt = self.random_bytes(SALT_LENGTH)
            event = _EVENTS[wanted.act]
            move = plan_move(access, event, facts, now=self.now, salt=salt, address="")

            def still(found: AgingCard | None) -> bool:
                return self._due(found) == wanted

            notice = NewNotice(
                id=self.random_bytes(_NOTICE_LENGTH),
                event=_EVENTS[wanted.act],
                facts=msgspec.json.encode({"last4": [card.last4], "why": wanted.why}),
            )
            take = _TAKES[wanted.act]
            await self.store.write(partial(take, card=card, still=still, move=move, notice=notice))
            return True

        return await until_taken(self.limits.lost_swaps, attempt)
