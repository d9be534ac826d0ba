"""What the bank must answer, told by looking back on all that happened before: pure.

Written from the design alone and another way than `sesame.bank`: there a row of counters
moves from step to step, here nothing is kept but the past, and every question is answered by
searching it. docs/explanation/how-we-try-to-make-a-code-pass-twice.md has it in words.

Moments and lengths of time are whole microseconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

OPEN, RESERVED = "open", "reserved"
CODE, TWO_CODES, OLD_CODE = "code", "two-codes", "old-code"

_PAIR_FAR = 64  # windows in which the first of two codes may lie
_PAIR_NEXT = 8  # ATCs that the second one may be behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The numbers of the design."""

    tries: Mapping[str, int]
    suspensions: Mapping[str, Sequence[int]]
    pressed_after: int
    pressed_for: int
    pressed_suspension: int
    pressed_old_code: int
    repeated: int
    waiting: int = 5
    lost_swaps: int = 8
    hour_floor: int
    day_floor: int
    looked: int  # how late a server may notice that the whole bank is under pressure


DESIGN = Rules(
    tries={OPEN: 3, RESERVED: 2},
    suspensions={OPEN: (15 * MINUTE, HOUR, 4 * HOUR), RESERVED: (15 * MINUTE,)},
    pressed_after=9,
    pressed_for=30 * DAY,
    pressed_suspension=MINUTE,
    pressed_old_code=HOUR,
    repeated=5 * SECOND,
    hour_floor=200,
    day_floor=500,
    looked=5 * SECOND,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """What is known of a user code from the start."""

    windows: Mapping[int, int]  # of each card: how far above the last ATC one code may be
    has_old_code: bool = True
    enrolled: bool = True


NOBODY = Customer(windows={}, has_old_code=False, enrolled=False)

Fit = tuple[int, int]  # a card and the ATC at which it makes a code


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: what was typed, and by which browser."""

    attempt: str
    means: str
    fits: Sequence[frozenset[Fit]] = ()  # of each code that was typed
    old_code_right: bool = False
    devices: frozenset[str] = frozenset()  # shown: the attempts whose acceptance gave them
    shared: bool = False  # a shared computer, which is not to be known


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The attempt counts, and this is what its line must say. `cause` is empty if accepted."""

    means: str
    cause: str
    side: str
    known: bool
    failures: int
    suspended_until: int | None
    advance: tuple[Fit, ...]

    @property
    def accepted(self) -> bool:
        """Whether it was."""
        return not self.cause


@dataclass(frozen=True, slots=True)
class Repeated:
    """The very same attempt was answered a moment ago; the answer comes again."""

    accepted: bool


@dataclass(frozen=True, slots=True)
class Suspended:
    """Nothing is judged."""

    until: int


@dataclass(frozen=True, slots=True)
class TwoCodesWanted:
    """Nothing is judged: one code, or an old one, is not enough."""


Answer = Judged | Repeated | Suspended | TwoCodesWanted


@dataclass(frozen=True, slots=True)
class Event:
    """A judged attempt of the past."""

    at: int
    attempt: str
    judged: Judged
    gives_device: bool  # its browser is known from here on
    retires_old_code: bool = False  # and the devices that were known before are forgotten


Past = Sequence[Event]


def answer(  # noqa: PLR0913 -- everything there is
    rules: Rules, customer: Customer, past: Past, asked: Asked, at: int, *, bank_pressed: bool
) -> Answer:
    """The only right answer to *asked* at the moment *at*, after *past*."""
    cause, advance = _worth(rules, customer, past, asked, at)
    if _accepted_just_now(past, asked, cause, advance):
        return Repeated(accepted=True)
    if _refused_just_now(rules, past, asked, at):
        return Repeated(accepted=False)
    known = is_known(past, asked)
    mine = (OPEN, RESERVED) if known else (OPEN,)
    ends = [end for side in mine if (end := suspension(past, side, at)) is not None]
    if len(ends) == len(mine):
        return Suspended(min(ends))
    side = _side(past, at, known=known)
    if _two_codes(rules, past, side, asked, at, bank_pressed=bank_pressed and not known):
        return TwoCodesWanted()
    failures, until = (0, None) if not cause else _count(rules, past, side, at)
    return Judged(
        means=asked.means,
        cause=cause,
        side=side,
        known=known,
        failures=failures,
        suspended_until=until,
        advance=advance,
    )


def is_known(past: Past, asked: Asked) -> bool:
    """Whether one of the devices that are shown was given by an accepted attempt."""
    for event in reversed(past):
        if event.gives_device and event.attempt in asked.devices:
            return True
        if event.retires_old_code:
            return False
    return False


def last_atc(past: Past, card: int) -> int:
    """The highest ATC that was ever accepted of *card*."""
    return max(
        (atc for event in past for number, atc in event.judged.advance if number == card), default=0
    )


def suspension(past: Past, side: str, at: int) -> int | None:
    """Until when *side* is suspended at *at*; None where it is not."""
    for event in reversed(past):
        if event.judged.side == side and event.judged.suspended_until is not None:
            until = event.judged.suspended_until
            return until if at < until else None
    return None


def changes(rules: Rules, past: Past) -> Iterator[int]:
    """The moments at which an answer may change without anybody doing anything."""
    for event in past:
        if not event.judged.accepted:
            yield event.at + rules.repeated
            yield event.at + rules.pressed_for
            yield event.at + rules.pressed_old_code
            if event.judged.suspended_until is not None:
                yield event.judged.suspended_until


def _failures(past: Past, side: str) -> list[Event]:
    return [e for e in past if e.judged.side == side and not e.judged.accepted]


def _side(past: Past, at: int, *, known: bool) -> str:
    """A known device uses the tries that are kept for it, and those of everybody after them."""
    return RESERVED if known and suspension(past, RESERVED, at) is None else OPEN


def _pressed(rules: Rules, past: Past, side: str, at: int) -> bool:
    lately = [e for e in _failures(past, side) if at < e.at + rules.pressed_for]
    return len(lately) >= rules.pressed_after


def _two_codes(  # noqa: PLR0913 -- everything there is
    rules: Rules, past: Past, side: str, asked: Asked, at: int, *, bank_pressed: bool
) -> bool:
    """Whether what was typed is not enough: one code, or an old one that failed lately."""
    pressed = _pressed(rules, past, side, at)
    if asked.means == OLD_CODE:
        return pressed and at < _failures(past, side)[-1].at + rules.pressed_old_code
    return asked.means == CODE and (pressed or bank_pressed)


def _count(rules: Rules, past: Past, side: str, at: int) -> tuple[int, int | None]:
    """The failures in a row that one more at *at* makes, and the suspension it leads to."""
    since = 0
    for place, event in enumerate(past):
        if event.judged.side == side and event.judged.accepted:
            since = place + 1
    in_a_row = len(_failures(past[since:], side)) + 1
    rounds, left = divmod(in_a_row, rules.tries[side])
    if left:
        return left, None
    lately = [e for e in _failures(past, side) if at < e.at + rules.pressed_for]
    if len(lately) + 1 >= rules.pressed_after:
        return 0, at + rules.pressed_suspension
    lengths = rules.suspensions[side]
    return 0, at + lengths[min(rounds, len(lengths)) - 1]


def _accepted_just_now(past: Past, asked: Asked, cause: str, advance: tuple[Fit, ...]) -> bool:
    """Whether nobody was accepted since *asked* was, with what is typed now."""
    accepted = [event for event in past if event.judged.accepted]
    if not accepted or accepted[-1].attempt != asked.attempt or advance:
        return False
    return cause == ("" if asked.means == OLD_CODE else "used")


def _refused_just_now(rules: Rules, past: Past, asked: Asked, at: int) -> bool:
    """Whether the last failure of a side was this attempt's, moments ago."""
    last = [failures[-1] for side in (OPEN, RESERVED) if (failures := _failures(past, side))]
    return any(e.attempt == asked.attempt and at < e.at + rules.repeated for e in last)


def _worth(
    rules: Rules, customer: Customer, past: Past, asked: Asked, at: int
) -> tuple[str, tuple[Fit, ...]]:
    """Why what was typed is refused ("" if it is not), and the ATCs that it moves the cards to."""
    if not customer.enrolled:
        return "unknown-user-code", ()
    if asked.means == OLD_CODE:
        retired = any(e.judged.accepted and e.judged.means != OLD_CODE for e in past)
        right = customer.has_old_code and asked.old_code_right and not retired
        return ("" if right else "wrong"), ()
    known = is_known(past, asked)
    near_only = _pressed(rules, past, _side(past, at, known=known), at)
    ahead, behind = set(), set()
    for card, window in customer.windows.items():
        last = last_atc(past, card)
        for first, atc in _claims(asked, card):
            highest = window if asked.means == CODE or near_only else _PAIR_FAR * (window + 1)
            if last < first <= last + highest:
                ahead.add((card, atc))
            elif last - window <= atc <= last:
                behind.add("used" if atc == last else "overtaken")
    if ahead:
        return "", tuple(sorted(ahead))
    return ("used" if "used" in behind else min(behind, default="wrong")), ()


def _claims(asked: Asked, card: int) -> Iterator[tuple[int, int]]:
    """The ATCs, first and last, at which *card* makes all that was typed."""
    made = [sorted(atc for number, atc in fits if number == card) for fits in asked.fits]
    if asked.means == CODE:
        yield from ((atc, atc) for atc in made[0])
    else:
        first, second = made
        yield from ((a, b) for a in first for b in second if 1 <= b - a <= _PAIR_NEXT)
