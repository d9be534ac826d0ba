"""What a code is worth: custody is asked where it fits, and the answer is judged.

Nothing is decided here: tries and suspensions are not looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum, unique

from sesame.bank.bank import Bank
from sesame.bank.errors import ImpossibleCode, SameCodeTwice
from sesame.cap.token import Code
from sesame.cap.verification import HIGHEST_ATC, candidates, pair_candidates
from sesame.custody.custodian import Inquiry, PairInquiry, PairQuestion, Question, Reach
from sesame.store.access import Access
from sesame.store.cards import CardRow, CardState, seal_context


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
    UNKNOWN_USER_CODE = "unknown-user-code"
    SUSPENDED = "suspended"  # not judged
    TWO_CODES_WANTED = "two-codes-wanted"  # not judged


@dataclass(frozen=True, slots=True)
class Match:
    """A card that makes the code at this ATC; of two codes, the second one's."""

    card_number: int
    atc: int


@dataclass(frozen=True, slots=True)
class Matches:
    """The cards that make the code, above their last ATC and at or below it."""

    near: tuple[Match, ...]
    behind: tuple[Match, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code is worth. `cause` is None where it is right.

    `again`: it is the very one that its card was last accepted with.
    """

    cause: Cause | None
    advance: tuple[Match, ...] = ()
    again: bool = False


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


async def find_matches(bank: Bank, access: Access, code: Code) -> Matches:
    """Ask custody at which ATCs the customer's cards make *code*."""
    cards = access.cards[: bank.limits.cards]
    questions = []
    for card in _with_stand_ins(bank, cards):
        claimed = candidates(bank.profiles[card.profile], card.last_atc, code)
        atcs = tuple(atc for atc in (claimed.near, claimed.behind) if atc is not None)
        questions.append(Question(card.sealed, _context(access, card), atcs))
    (fits,) = await bank.custodian.match([Inquiry(code, tuple(questions[: len(cards)]))])
    return _sides(cards, [(fit.question, fit.atc) for fit in fits])


async def find_pairs(bank: Bank, access: Access, codes: TwoCodes, *, near_only: bool) -> Matches:
    """Ask custody at which ATCs one of the customer's cards makes both codes."""
    cards = access.cards[: bank.limits.cards]
    first, second = codes.first, codes.second
    questions = []
    for card in _with_stand_ins(bank, cards):
        profile = bank.profiles[card.profile]
        claimed = pair_candidates(profile, card.last_atc, first, second, near_only=near_only)
        behind = () if claimed.behind is None else (claimed.behind,)
        pairs = (*claimed.ahead, *behind)
        questions.append(PairQuestion(card.sealed, _context(access, card), pairs))
    reach = Reach.NEAR if near_only else Reach.FAR
    inquiry = PairInquiry(first, second, reach, tuple(questions[: len(cards)]))
    (fits,) = await bank.custodian.match_pairs([inquiry])
    return _sides(cards, [(fit.question, fit.pair[1]) for fit in fits])


def judge(access: Access, matches: Matches) -> Verdict:
    """What a code is worth that fits at *matches*: pure. One that fits two cards moves both."""
    active = {card.card_number for card in access.cards if card.state == CardState.ACTIVE}
    advance = tuple(found for found in matches.near if found.card_number in active)
    if advance:
        return Verdict(None, advance)
    if not access.enrolled:
        return Verdict(Cause.UNKNOWN_USER_CODE)
    last = {card.card_number: card.last_atc for card in access.cards}
    again = any(found.atc == last[found.card_number] for found in matches.behind)
    if matches.near:
        return Verdict(Cause.CARD_NOT_ACTIVE, again=again)
    if not matches.behind:
        return Verdict(Cause.WRONG)
    return Verdict(Cause.USED if again else Cause.OVERTAKEN, again=again)


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
    for question, atc in fits:
        card = cards[question]
        (near if atc > card.last_atc else behind).append(Match(card.card_number, atc))
    return Matches(tuple(near), tuple(behind))
