"""What the bank must answer, told by looking back on what happened to one user code: pure.

Written from the design's invariants and not from `sesame.bank.verification`: there counters
move from step to step, here failures and successes are kept, and every answer is found by
searching them. It knows the truth that the bank must find out: which card made a code, at which
ATC, and whether the right PIN was typed. Moments and lengths are microseconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum, unique

from sesame.simulation.plan import DAY, HOUR, MINUTE, SECOND
from sesame.simulation.refusals import Asks, opens
from sesame.simulation.wallet import How

OPEN, RESERVED = "open", "reserved"
_TRIES: Mapping[str, int] = {OPEN: 3, RESERVED: 2}
_SUSPENSIONS: Mapping[str, Sequence[int]] = {
    OPEN: (15 * MINUTE, HOUR, 4 * HOUR),
    RESERVED: (15 * MINUTE,),
}
_PRESSED_AFTER = 9
_PRESSED_SUSPENSION = MINUTE
_MONTH = 30 * DAY  # failures press, and count in a row, for so long
_REPEATED = 5 * SECOND
_KNOWN = 396 * DAY
MOST_IN_A_ROW = 5
_PAIR_FAR = 64  # windows in which the first of two codes may lie
_PAIR_NEXT = 8  # ATCs that the second one may be behind it
_CHALLENGE_GOOD = 10 * MINUTE


@unique
class Rule(StrEnum):
    """What was broken: the invariants of the design, and the rest of its rules."""

    ATC_AGAIN = "atc-again"  # 1
    UNSURE = "unsure"  # 1: after a restore, without a fresh challenge
    SIX_IN_A_ROW = "six-in-a-row"  # 2
    UNCOUNTED = "uncounted"  # 2: a failure that left no mark, or another one
    WITHOUT_PIN = "without-pin"  # 3
    NO_LOGIN_CODE = "no-login-code"  # 4
    NOT_ALIKE = "not-alike"  # 5
    COST = "cost"  # 10
    TOO_FAR = "too-far"  # 10: a code was accepted that only two codes may bring back
    TURNED_AWAY = "turned-away"  # 10: for what others do, where the rules do not say so
    NOT_ENDED = "not-ended"  # 11
    NOBODYS_CODE = "nobodys-code"  # a code was accepted that no card makes
    LINE = "line"  # the audit line of a judged request says something else
    OTHERWISE = "otherwise"  # an answer that the rules do not give


class Broken(Exception):
    """The bank did what it must not."""

    def __init__(self, rule: Rule, detail: str = "") -> None:
        super().__init__(f"{rule} {detail}")
        self.rule = rule
        self.detail = detail


@dataclass(slots=True)
class CardView:
    """What is true of one card."""

    window: int
    last_atc: int = 0  # the highest that was ever accepted
    active: bool = True
    known_atc: int = 0  # the highest that the bank still knows of
    unsure: bool = False  # since a restore
    waits: bool = False  # for its activation
    over: bool = False  # retired, or of a number that the bank does not know any more


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a code was made: card, and ATC."""

    card: int
    atc: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenged:
    """A challenge that a request answers: when, and in which life of the database, it was made."""

    at: int
    life: int
    answered: bool  # the first code was made for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: what was typed, and by which browser."""

    attempt: bytes
    codes: Sequence[tuple[How, Fit | None]]  # one or two; no fit where no card of theirs made it
    challenge: Challenged | None = None
    opens: int | None = None  # a card that waits, whose number came with it
    known: bool = False
    makes_known: bool = False
    brings_device: bool = False  # known or not: one that it was known by once
    source: Asks = Asks.ONE_CODE  # of unknown browsers at its address


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """It counts, with this end."""

    side: str
    accepted: bool
    failures: int = 0  # in a row, of that side, afterwards
    suspended_until: int | None = None
    advance: tuple[Fit, ...] = ()


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very same attempt was answered a moment ago."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class Suspended:
    """Nothing is judged."""

    until: int


@dataclass(frozen=True, slots=True)
class TwoCodesWanted:
    """Nothing is judged."""


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing is judged: the challenge is over."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing is judged: too much was refused to the address."""

    until: int


Answer = Judged | Repeated | Suspended | TwoCodesWanted | Over | Closed


@dataclass(frozen=True, slots=True)
class Failure:
    """A judged attempt that failed."""

    at: int
    side: str
    attempt: bytes
    suspended_until: int | None


@dataclass(slots=True)
class Past:
    """What happened to one user code."""

    cards: dict[int, CardView] = field(default_factory=dict)  # none: nobody has it
    failures: list[Failure] = field(default_factory=list)  # oldest first
    successes: dict[str, int] = field(default_factory=dict)  # the last of each side
    in_a_row: int = 0  # failures of both sides since a success or a suspension
    accepted: bytes = b""  # the last attempt that was
    devices: dict[bytes, int] = field(default_factory=dict)  # until when each is known
    life: int = 0  # of the database: one more with each restore
    backed_up: dict[int, int] = field(default_factory=dict)  # of a copy: the cards' ATCs in it

    def copy(self) -> "Past":
        """What a backup has of it: all but what is true of the cards, which none takes back."""
        return replace(
            self,
            cards=dict(self.cards),
            failures=list(self.failures),
            successes=dict(self.successes),
            devices=dict(self.devices),
            backed_up={number: card.known_atc for number, card in self.cards.items()},
        )

    def put_back(self, backup: "Past", *, replayed: bool) -> "Past":
        """What is so once *backup* was put back; *replayed*: the bank knows the ATCs since then.

        Every card is unsure. One that came since is another than the backup's, and its ATCs begin
        anew.
        """
        for number, card in self.cards.items():
            card.unsure = True
            if not replayed:
                same = backup.cards.get(number) is card
                card.known_atc = backup.backed_up[number] if same else 0
        return replace(backup, cards=self.cards, life=self.life + 1)

    def knows(self, device: bytes | None, at: int) -> bool:
        """Whether a browser is known at the moment *at*."""
        return device is not None and at < self.devices.get(device, 0)

    def answer(self, asked: Asked, at: int, *, bank_pressed: bool) -> Answer:
        """The only right answer to *asked* at the moment *at*."""
        closed = asked.source is Asks.NOTHING and not asked.known
        if closed and not asked.brings_device:
            return Closed(opens(at))
        if self._is_over(asked.challenge, at):
            return Over()
        advance = tuple(self._fits(asked, at))
        accepted = self._accepted_just_now(asked, advance)
        if accepted or self._refused_just_now(asked, at):
            return Repeated(accepted=accepted)
        if closed:
            return Closed(opens(at))
        return self._suspended(asked, at) or self._judged(
            asked, advance, at, bank_pressed=bank_pressed
        )

    def _suspended(self, asked: Asked, at: int) -> Suspended | None:
        mine = (OPEN, RESERVED) if asked.known else (OPEN,)
        ends = [end for side in mine if (end := self.suspension(side, at)) is not None]
        return Suspended(min(ends)) if len(ends) == len(mine) else None

    def _judged(
        self, asked: Asked, advance: tuple[Fit, ...], at: int, *, bank_pressed: bool
    ) -> Judged | TwoCodesWanted:
        side = self._side(at, known=asked.known)
        of_others = bank_pressed or asked.source is not Asks.ONE_CODE
        two_wanted = self._pressed(side, at) or (of_others and not asked.known)
        if len(asked.codes) == 1 and two_wanted:
            return TwoCodesWanted()
        if advance:
            return Judged(side=side, accepted=True, advance=advance)
        failures, until = self._count(side, at)
        return Judged(side=side, accepted=False, failures=failures, suspended_until=until)

    def record(self, asked: Asked, judged: Judged, at: int) -> None:
        """Remember that *asked* was judged so.

        Raises:
            Broken: more failed in a row than may, and nothing was suspended.
        """
        if judged.accepted:
            self.successes[judged.side] = at
            self.in_a_row = 0
            self.accepted = asked.attempt
            for fit in judged.advance:
                card = self.cards[fit.card]
                card.last_atc = card.known_atc = fit.atc
                card.unsure = False
                if card.waits:
                    card.active, card.waits = True, False
            if asked.makes_known and not asked.known:
                self.devices[asked.attempt] = at + _KNOWN
            return
        self.failures.append(Failure(at, judged.side, asked.attempt, judged.suspended_until))
        self.in_a_row += 1
        if self.in_a_row > MOST_IN_A_ROW:
            raise Broken(Rule.SIX_IN_A_ROW)
        if judged.suspended_until is not None:
            self.in_a_row = 0

    def suspension(self, side: str, at: int) -> int | None:
        """Until when *side* is suspended at *at*; None where it is not."""
        for failure in reversed(self.failures):
            if failure.side == side and failure.suspended_until is not None:
                return failure.suspended_until if at < failure.suspended_until else None
        return None

    def out_of_step(self, fit: Fit) -> bool:
        """Whether a code made at *fit* is beyond what one code may claim."""
        card = self.cards[fit.card]
        return fit.atc > card.last_atc + card.window

    def _is_over(self, challenge: Challenged | None, at: int) -> bool:
        if challenge is None:
            return False
        return challenge.life != self.life or at >= challenge.at + _CHALLENGE_GOOD

    def _side(self, at: int, *, known: bool) -> str:
        return RESERVED if known and self.suspension(RESERVED, at) is None else OPEN

    def _pressed(self, side: str, at: int) -> bool:
        lately = [f for f in self.failures if f.side == side and at < f.at + _MONTH]
        return len(lately) >= _PRESSED_AFTER

    def _count(self, side: str, at: int) -> tuple[int, int | None]:
        """The failures in a row that one more at *at* makes, and the suspension it leads to."""
        in_a_row, later = 1, at
        for failure in reversed(self.failures):
            if failure.side != side:
                continue
            if failure.at < self.successes.get(side, 0) or later >= failure.at + _MONTH:
                break
            in_a_row, later = in_a_row + 1, failure.at
        rounds, left = divmod(in_a_row, _TRIES[side])
        if left:
            return left, None
        lately = [f for f in self.failures if f.side == side and at < f.at + _MONTH]
        if len(lately) + 1 >= _PRESSED_AFTER:
            return 0, at + _PRESSED_SUSPENSION
        lengths = _SUSPENSIONS[side]
        return 0, at + lengths[min(rounds, len(lengths)) - 1]

    def _fits(self, asked: Asked, at: int) -> Iterator[Fit]:
        """Where a card that may sign in made what was typed, as far as it may have run ahead."""
        if not self._made_as_asked(asked):
            return
        first, last = asked.codes[0][1], asked.codes[-1][1]
        if first is None or last is None or first.card != last.card:
            return
        card = self.cards.get(first.card)
        if card is None or not (card.active or (card.waits and asked.opens == first.card)):
            return
        if card.unsure and asked.challenge is None:
            return
        reach = card.window
        if len(asked.codes) > 1:
            if not 1 <= last.atc - first.atc <= _PAIR_NEXT:
                return
            if not self._pressed(self._side(at, known=asked.known), at):
                reach = _PAIR_FAR * (card.window + 1)
        if card.known_atc < first.atc <= card.known_atc + reach:
            yield last

    def _made_as_asked(self, asked: Asked) -> bool:
        """Whether each code was made by the key and the PIN that it takes."""
        challenge, hows = asked.challenge, [how for how, _ in asked.codes]
        if challenge is None:
            return all(how is How.RIGHT for how in hows)
        return challenge.answered and hows == [How.ANSWERED, How.RIGHT]

    def _accepted_just_now(self, asked: Asked, advance: tuple[Fit, ...]) -> bool:
        """Whether nobody was accepted since *asked* was, with what is typed now."""
        return asked.attempt == self.accepted and not advance

    def _refused_just_now(self, asked: Asked, at: int) -> bool:
        last = {failure.side: failure for failure in self.failures}
        return any(f.attempt == asked.attempt and at < f.at + _REPEATED for f in last.values())
