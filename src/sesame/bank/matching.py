"""What a code is worth: custody is asked where it fits, and the answer is judged.

Nothing is decided here: tries and suspensions are not looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum, unique

from sesame.bank.audit import Fact
from sesame.bank.bank import Bank
from sesame.bank.errors import ImpossibleCode, SameCodeTwice, TooBusy
from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.token import Code
from sesame.cap.verification import HIGHEST_ATC, candidates, pair_candidates
from sesame.custody.custodian import (
    NO_ATC,
    Inquiry,
    PairInquiry,
    PairQuestion,
    Question,
    Reach,
)
from sesame.custody.errors import CustodyBusy
from sesame.store.access import Access
from sesame.store.cards import CardRow, CardState, seal_context
from sesame.store.opening import OpenedCard


@dataclass(frozen=True, slots=True, repr=False)
class TwoCodes:
    """Two codes in a row of one card."""

    first: Code
    second: Code

    def __repr__(self) -> str:
        return "TwoCodes(…)"


@unique
class Cause(StrEnum):
    """Why an attempt was not accepted; for staff only."""

    WRONG = "wrong"
    USED = "used"  # the last accepted one again
    OVERTAKEN = "overtaken"  # older than the last accepted one: a sign of harvesting
    CARD_NOT_ACTIVE = "card-not-active"
    CARD_UNSURE = "card-unsure"  # a backup was restored: only a challenge's answer will do
    KEY_MISSING = "key-missing"  # custody has no issuer key of an active card: destroyed, or lost
    UNKNOWN_USER_CODE = "unknown-user-code"
    NUMBER_WRONG = "number-wrong"  # of activation or release, beside a right code
    NUMBER_EXPIRED = "number-expired"  # of activation: right, and too late
    NOTHING_TO_OPEN = "nothing-to-open"  # a right code of a card that signs in already
    SUSPENDED = "suspended"  # not judged
    TWO_CODES_WANTED = "two-codes-wanted"  # not judged


@dataclass(frozen=True, slots=True)
class Match:
    """A card that makes the code at this ATC; of two codes, the second one's."""

    card_number: int
    atc: int


@dataclass(frozen=True, slots=True)
class Matches:
    """The cards that make the code, above their last ATC and at or below it.

    Of those in `keyless`, by their numbers, custody cannot know.
    """

    near: tuple[Match, ...]
    behind: tuple[Match, ...]
    keyless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Behind:
    """A card that made the code at this ATC, which is not above the last one accepted."""

    card_number: int
    atc: int
    last_atc: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code is worth. `cause` is None where it is right.

    `again`: it is the very one that its card was last accepted with. `behind`: where it stands, if
    it was used or overtaken. `opens`: the cards that sign in from now on.
    """

    cause: Cause | None
    advance: tuple[Match, ...] = ()
    again: bool = False
    behind: tuple[Behind, ...] = ()
    opens: tuple[OpenedCard, ...] = ()


def check_possible(bank: Bank, *codes: Code) -> None:
    """Make sure that some card of the institution can make *codes* at all.

    Raises:
        ImpossibleCode: none can; the code was mistyped, which costs no try.
        SameCodeTwice: two codes are one.
    """
    for code in codes:
        if not any(profile.fits(code.token) for profile in bank.profiles.values()):
            raise ImpossibleCode
    if len({code.digits for code in codes}) != len(codes):
        raise SameCodeTwice


_ASKED_FIRST = (CardState.ACTIVE, CardState.WAITING, CardState.HELD)


def asked_cards(
    access: Access, most: int, *, first: Sequence[CardState] = _ASKED_FIRST
) -> tuple[CardRow, ...]:
    """The cards that a code is tried with, *most* of them at most: pure.

    None that is retired. Where there are more, by their states as in *first*: for a login those
    that may sign in, then those that wait for their activation, which may be on its way to replace
    one that is held.
    """
    if len(access.cards) <= most and all(c.state != CardState.RETIRED for c in access.cards):
        return access.cards
    live = [card for card in access.cards if card.state != CardState.RETIRED]
    live.sort(key=lambda card: (first.index(CardState(card.state)), card.card_number))
    return tuple(sorted(live[:most], key=lambda card: card.card_number))


async def find_matches(bank: Bank, access: Access, code: Code, *, known: bool = False) -> Matches:
    """Ask custody at which ATCs the customer's cards make *code*.

    Raises:
        TooBusy: the browser is not *known*, and too many such ones wait for custody already.
        CustodyUnavailable: it does not answer.
    """
    cards = asked_cards(access, bank.limits.cards)
    questions = []
    for card in _with_stand_ins(bank, cards):
        claimed = candidates(bank.profiles[card.profile], card.last_atc, code)
        atcs = tuple(atc for atc in (claimed.near, claimed.behind) if atc is not None)
        questions.append(Question(card.sealed, _context(access, card), atcs))
    inquiry = Inquiry(code, tuple(questions[: len(cards)]), known=known)
    with _busy_as_such():
        (fits,) = await bank.custodian.match([inquiry])
    return _sides(cards, [(fit.question, fit.atc) for fit in fits])


async def find_pairs(  # noqa: PLR0913 -- how far, for whom, and of what, each by name
    bank: Bank,
    access: Access,
    codes: TwoCodes,
    *,
    near_only: bool,
    known: bool = False,
    inputs: Inputs = LOGIN,
) -> Matches:
    """Ask custody at which ATCs one of the customer's cards makes both codes.

    *inputs* are what was to be typed for the first of them.

    Raises:
        TooBusy, CustodyUnavailable: as `find_matches`.
    """
    cards = asked_cards(access, bank.limits.cards)
    first, second = codes.first, codes.second
    questions = []
    for card in _with_stand_ins(bank, cards):
        profile = bank.profiles[card.profile]
        claimed = pair_candidates(profile, card.last_atc, first, second, near_only=near_only)
        behind = () if claimed.behind is None else (claimed.behind,)
        pairs = (*claimed.ahead, *behind)
        questions.append(PairQuestion(card.sealed, _context(access, card), pairs))
    reach = Reach.NEAR if near_only else Reach.FAR
    inquiry = PairInquiry(first, second, reach, tuple(questions[: len(cards)]), known, inputs)
    with _busy_as_such():
        (fits,) = await bank.custodian.match_pairs([inquiry])
    return _sides(cards, [(fit.question, fit.pair[1]) for fit in fits])


@contextmanager
def _busy_as_such() -> Iterator[None]:
    """Custody that is full is as the bank being busy: 503, nothing counted, try again."""
    try:
        yield
    except CustodyBusy:
        raise TooBusy from None


def judge(access: Access, matches: Matches, *, fresh: bool = False) -> Verdict:
    """What a code is worth that fits at *matches*: pure. One that fits two cards moves both.

    A *fresh* one answers a challenge, and so was not made before: a card that is unsure is taken
    by no other.
    """
    active = {card.card_number for card in access.cards if card.state == CardState.ACTIVE}
    sure = {card.card_number for card in access.cards if card.sure or fresh}
    able = active & sure
    advance = tuple(found for found in matches.near if found.card_number in able)
    if advance:
        return Verdict(None, advance)
    if not access.enrolled:
        return Verdict(Cause.UNKNOWN_USER_CODE)
    last = {card.card_number: card.last_atc for card in access.cards}
    used = [found for found in matches.behind if found.atc == last[found.card_number]]
    again = any(found.card_number in sure for found in used)
    if any(found.card_number in active for found in matches.near):
        return Verdict(Cause.CARD_UNSURE, again=again)
    if matches.near:
        return Verdict(Cause.CARD_NOT_ACTIVE, again=again)
    if not matches.behind:
        keyless = any(number in active for number in matches.keyless)
        return Verdict(Cause.KEY_MISSING if keyless else Cause.WRONG)
    behind = tuple(
        Behind(found.card_number, found.atc, last[found.card_number]) for found in matches.behind
    )
    return Verdict(Cause.USED if used else Cause.OVERTAKEN, again=again, behind=behind)


def behind_fact(behind: tuple[Behind, ...]) -> dict[str, Fact]:
    """What a line says of where a used or overtaken code stands; nothing of any other: pure."""
    if not behind:
        return {}
    return {"behind": [[one.card_number, one.atc, one.last_atc] for one in behind]}


def _with_stand_ins(bank: Bank, cards: Sequence[CardRow]) -> list[CardRow]:
    """*cards*, and as many that nobody has as are missing: planned for alike, never asked.

    Else a user code without cards would be answered some twenty to sixty microseconds sooner
    (measured, docs/limits.md). The ATC is one with room on both sides, as most cards have.
    """
    stand_in = CardRow(0, CardState.HELD, next(iter(bank.profiles)), b"", HIGHEST_ATC // 2)
    return [*cards, *[stand_in] * (bank.limits.cards - len(cards))]


def _context(access: Access, card: CardRow) -> bytes:
    return seal_context(access.user_code, card.card_number)


def _sides(cards: Sequence[CardRow], fits: Sequence[tuple[int, int]]) -> Matches:
    """What fits, by question and ATC, on the two sides of each card's last ATC."""
    near: list[Match] = []
    behind: list[Match] = []
    keyless: list[int] = []
    for question, atc in fits:
        card = cards[question]
        if atc == NO_ATC:
            keyless.append(card.card_number)
            continue
        (near if atc > card.last_atc else behind).append(Match(card.card_number, atc))
    return Matches(tuple(near), tuple(behind), tuple(keyless))
