"""What the bank must answer, told by looking back on what happened.

Written from the rules and not from the source: nothing is counted up, every question is asked
of the whole past. Whether a code is right is looked up among the codes that the card makes.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from tests.bank.branch import Card

QUARTER = timedelta(minutes=15)
MONTH = timedelta(days=30)
REPEATED = timedelta(seconds=5)  # a second click
KNOWN = timedelta(days=396)  # 13 months
# The open side's tries in a row and what follows each third failure; the reserved side's.
TRIES = {"open": 3, "reserved": 2}
PAUSES = {
    "open": (QUARTER, timedelta(hours=1), timedelta(hours=4)),
    "reserved": (QUARTER,),
}
ACCEPTED, REFUSED, TWO_CODES = "accepted", "refused", "two codes"
Answer = str | tuple[str, datetime]  # or ("suspended", until)
Proof = tuple[str, ...]  # ("code", digits), ("two", digits, digits), ("old", typed)


@dataclass(frozen=True)
class Asked:
    """A form that was sent: its id, by which browser, and what was typed into it."""

    id: int
    browser: int
    shared: bool  # the browser is not to be remembered
    proof: Proof


@dataclass(frozen=True)
class Judged:
    """A form that was judged."""

    at: datetime
    side: str
    by_known: bool
    accepted: bool
    asked: Asked


class Seen(NamedTuple):
    """What the past says of a form at a moment."""

    answer: Answer
    judged: Judged | None  # what is to be remembered, if it was judged
    moves: tuple[tuple[int, int], ...] = ()  # the cards that it moves, and to which ATC


@cache
def codes_of(card: Card, first: int, last: int) -> dict[str, tuple[int, ...]]:
    """The codes of a card's transactions *first* to *last*, each with its ATCs."""
    found: dict[str, tuple[int, ...]] = {}
    for atc in range(first, min(last, 0xFFFF) + 1):
        digits = card.code(atc).digits
        found[digits] = (*found.get(digits, ()), atc)
    return found


_SHELF = 256


def atcs_of(card: Card, digits: str, above: int, highest: int) -> Iterator[int]:
    """At which transactions in (*above*, *highest*] the card makes the code *digits*."""
    for start in range((above + 1) // _SHELF * _SHELF, highest + 1, _SHELF):
        shelf = codes_of(card, max(start, 1), start + _SHELF - 1)
        yield from (atc for atc in shelf.get(digits, ()) if above < atc <= highest)


@dataclass
class CardPast:
    """A card, and which of its transactions have signed in."""

    card: Card
    active: bool = True
    used: list[int] = field(default_factory=lambda: [0])

    def fits(self, proof: Proof, *, near_only: bool) -> int | None:
        """The transaction above the last one that *proof* shows, if it does."""
        last, window = self.used[-1], self.card.profile.window
        kind, *typed = proof
        if kind == "code":
            return next(atcs_of(self.card, typed[0], last, last + window), None)
        reach = window if near_only else 64 * (window + 1)
        for atc in atcs_of(self.card, typed[0], last, last + reach):
            following = next(atcs_of(self.card, typed[1], atc, atc + 8), None)
            if following is not None:
                return following
        return None


@dataclass
class Past:
    """Everything that happened to one user code, and what follows from it."""

    cards: list[CardPast]
    old_code: str | None  # as it was before the first code Sésame; None: nobody's user code
    judged: list[Judged] = field(default_factory=list)
    remembered: list[tuple[int, datetime]] = field(default_factory=list)  # browsers, since
    rehearsed: list[tuple[datetime, bool]] = field(default_factory=list)
    written_at: datetime | None = None  # when something was last written down
    unwritten: bool = False  # forms that were turned away and are not in a line yet

    # ── Looking back ─────────────────────────────────────────────────────────────────────────

    def now(self, clock: datetime) -> datetime:
        """The time, which does not run backwards for a row."""
        return clock if self.written_at is None else max(clock, self.written_at)

    def is_known(self, browser: int, now: datetime) -> bool:
        """Whether somebody signed in from there within thirteen months, and it was kept."""
        return any(who == browser and now < at + KNOWN for who, at in self.remembered)

    def failures(self, side: str) -> list[datetime]:
        """When forms of *side* failed."""
        return [one.at for one in self.judged if one.side == side and not one.accepted]

    def streaks(self, side: str) -> list[list[datetime]]:
        """The failures of *side*, cut where one succeeded there or a month went by."""
        streaks: list[list[datetime]] = [[]]
        for one in self.judged:
            if one.side == side:
                if one.accepted or (streaks[-1] and one.at - streaks[-1][-1] >= MONTH):
                    streaks.append([])
                if not one.accepted:
                    streaks[-1].append(one.at)
        return streaks

    def pressed(self, side: str, now: datetime) -> bool:
        """Whether the ninth last failure of *side* is less than thirty days old."""
        failures = self.failures(side)
        return len(failures) >= 9 and now < failures[-9] + MONTH

    def suspended(self, side: str, now: datetime) -> datetime | None:
        """Until when *side* is suspended: by a third (or second) failure of a streak."""
        tries, pauses = TRIES[side], PAUSES[side]
        failures = self.failures(side)
        for streak in self.streaks(side):
            for place, at in enumerate(streak[tries - 1 :: tries]):
                until_then = [failure for failure in failures if failure <= at]
                many = len(until_then) >= 9 and at < until_then[-9] + MONTH
                pause = timedelta(minutes=1) if many else pauses[min(place, len(pauses) - 1)]
                if at <= now < at + pause:
                    return at + pause
        return None

    @property
    def has_old_code(self) -> bool:
        """Whether no code Sésame has signed in yet."""
        return self.old_code is not None and not any(
            one.accepted and one.asked.proof[0] != "old" for one in self.judged
        )

    def enough_rehearsed(self, now: datetime) -> bool:
        """Whether the last five codes that were checked were wrong, none a day after another."""
        last = self.rehearsed[-5:]
        return (
            len(last) == 5
            and not any(right for _, right in last)
            and all(after - at < timedelta(days=1) for (at, _), (after, _) in pairwise(last))
            and now - last[-1][0] < timedelta(days=1)
        )

    # ── What is answered ─────────────────────────────────────────────────────────────────────

    def look(self, asked: Asked, clock: datetime, *, bank_pressed: bool) -> Seen:
        """What the bank must answer to a form."""
        now = self.now(clock)
        known = self.is_known(asked.browser, now)
        side = "open"
        if known and not self.suspended("reserved", now):
            side = "reserved"
        successes = [one for one in self.judged if one.accepted]
        if successes and successes[-1].asked.id == asked.id and self._same(asked):
            return Seen(ACCEPTED, None)
        for own in ("open", "reserved"):
            failed = [one for one in self.judged if one.side == own and not one.accepted]
            if failed and failed[-1].asked.id == asked.id and now < failed[-1].at + REPEATED:
                return Seen(REFUSED, None)
        ends = [self.suspended("open", now)]
        if known:
            ends.append(self.suspended("reserved", now))
        if all(ends):
            return Seen(("suspended", min(end for end in ends if end)), None)
        wary = self.pressed(side, now)
        quiet = not self.failures(side) or now >= self.failures(side)[-1] + timedelta(hours=1)
        if {
            "code": wary or (not known and bank_pressed),
            "two": False,
            "old": wary and not quiet,
        }[asked.proof[0]]:
            return Seen(TWO_CODES, None)
        right, moves = self._right(asked.proof, near_only=wary)
        judged = Judged(now, side, known, right, asked)
        return Seen(ACCEPTED if right else REFUSED, judged, moves)

    def _same(self, asked: Asked) -> bool:
        """Whether *asked* shows again what signed in last and nothing newer has."""
        if asked.proof[0] == "old":
            return self.has_old_code and asked.proof[1] == self.old_code
        newest = [(past.card, past.used[-1]) for past in self.cards if past.used[-1]]
        *before, shown = asked.proof[1:]
        for card, atc in newest:
            if card.code(atc).digits == shown and (
                not before or any(atcs_of(card, before[0], max(0, atc - 9), atc - 1))
            ):
                return True
        return False

    def _right(self, proof: Proof, *, near_only: bool) -> tuple[bool, tuple[tuple[int, int], ...]]:
        if proof[0] == "old":
            return self.has_old_code and proof[1] == self.old_code, ()
        fits = [
            (place, past.fits(proof, near_only=near_only))
            for place, past in enumerate(self.cards)
            if past.active
        ]
        moves = tuple((place, atc) for place, atc in fits if atc is not None)
        return bool(moves), moves

    # ── What happened ────────────────────────────────────────────────────────────────────────

    def answered(self, asked: Asked, seen: Seen, clock: datetime) -> None:
        """Remember what was answered to a form."""
        now = self.now(clock)
        if seen.judged is None:
            if seen.answer not in {ACCEPTED, REFUSED}:
                self._turned_away(now)
            return
        retires = seen.judged.accepted and self.has_old_code and asked.proof[0] != "old"
        self.judged.append(seen.judged)
        self.written_at = now
        self.moved(seen.moves)
        if retires:  # and with the old code go the browsers that it had made known
            self.remembered.clear()
        if seen.judged.accepted and not asked.shared and (retires or not seen.judged.by_known):
            self.remembered.append((asked.browser, now))

    def moved(self, moves: Sequence[tuple[int, int]]) -> None:
        """Remember which transactions signed in."""
        for place, atc in moves:
            self.cards[place].used.append(atc)

    def _turned_away(self, now: datetime) -> None:
        """One summed line a minute, and only where nothing else was written meanwhile."""
        self.unwritten = True
        if self.written_at is None or now >= self.written_at + timedelta(minutes=1):
            self.summed(now)

    def summed(self, now: datetime) -> None:
        """Remember that what was turned away stands in a line now."""
        if self.unwritten:
            self.written_at, self.unwritten = now, False


@dataclass
class Strangers:
    """When unknown devices failed anywhere in the bank."""

    failed: list[datetime] = field(default_factory=list)

    def pressing(self, now: datetime) -> bool:
        """More than 200 in an hour of the last day, or 500 in all of it, or far from usual.

        Of what had failed by then.
        """
        hour = int(now.timestamp()) // 3600
        counts = Counter(int(at.timestamp()) // 3600 for at in self.failed if at <= now)
        month = [at for at in counts if hour - 28 * 24 <= at <= hour]
        lately = [counts[at] for at in month if hour - 24 <= at]
        before = [counts[at] for at in range(min(month, default=hour), hour - 24)]
        usual = median(before) if before else 0
        an_hour, a_day = min(5 * usual, usual + 12_000), min(48 * usual, 24 * usual + 12_000)
        return max(lately, default=0) > max(200, an_hour) or sum(lately) > max(500, a_day)
