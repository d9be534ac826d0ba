"""`sesame.bank.matching.judge`: what a code is worth, pure; and what cannot be a code."""

import pytest
from msgspec.structs import replace

from sesame.bank.errors import ImpossibleCode, SameCodeTwice
from sesame.bank.matching import (
    Behind,
    Cause,
    Match,
    Matches,
    TwoCodes,
    Verdict,
    asked_cards,
    check_possible,
    find_pairs,
    judge,
)
from sesame.cap.token import Code
from sesame.store.access import Access
from sesame.store.cards import CardState
from tests.bank.branch import DORA, NOBODY, OMAR, VERA, Branch, Card
from tests.bank.rows import access, behind, card, near

_NOTHING = Matches((), ())


def _at(*places: tuple[int, int]) -> tuple[Behind, ...]:
    """Where a code stands behind cards whose last accepted ATC is 10."""
    return tuple(Behind(number, atc, 10) for number, atc in places)


def test_a_code_above_the_last_atc_is_right() -> None:
    """The card goes to the code's ATC."""
    assert judge(access(), near((1, 15))) == Verdict(None, (Match(1, 15),))


def test_a_code_is_tried_with_cards_that_live() -> None:
    """Never with a retired one; of too many with those that may sign in, then those that wait."""
    held, waiting, retired = CardState.HELD, CardState.WAITING, CardState.RETIRED

    def asked(*states: CardState) -> list[int]:
        row = access(*[card(number, state) for number, state in enumerate(states, 1)])
        return [one.card_number for one in asked_cards(row, 2)]

    active = CardState.ACTIVE
    assert asked(active, held) == [1, 2]
    assert asked(retired, active) == [2]
    assert asked(retired, retired, active, waiting) == [3, 4]
    assert asked(held, waiting, active) == [2, 3]
    assert asked(held, held, waiting) == [1, 3]
    assert asked(retired) == []


@pytest.mark.parametrize("state", [CardState.WAITING, CardState.RETIRED])
def test_a_card_that_is_not_active_is_not_taken(state: CardState) -> None:
    """Whether it is not activated yet, or never will sign in again."""
    assert judge(access(card(1, state)), near((1, 15))) == Verdict(Cause.CARD_NOT_ACTIVE)


def test_a_code_that_fits_two_cards_advances_both() -> None:
    """Whichever it was, it is used up for both."""
    row = access(card(1), card(2))
    assert judge(row, near((1, 15), (2, 11))).advance == (Match(1, 15), Match(2, 11))


def test_a_code_that_is_behind_one_card_and_near_the_other_is_right() -> None:
    """Near on an active card is enough; only that card moves."""
    row = access(card(1), card(2))
    assert judge(row, Matches((Match(2, 11),), (Match(1, 10),))) == Verdict(None, (Match(2, 11),))


def test_a_held_card_beside_an_active_one_does_not_move() -> None:
    """The code is right for the active card alone."""
    row = access(card(1, CardState.HELD), card(2))
    assert judge(row, near((1, 15), (2, 11))).advance == (Match(2, 11),)


def test_a_card_that_is_unsure_is_taken_by_a_fresh_response_only() -> None:
    """Neither does a code that it was accepted with come again for a double click."""
    unsure = replace(card(1), sure=False)
    row = access(unsure, card(2))
    assert judge(row, near((1, 15))) == Verdict(Cause.CARD_UNSURE)
    assert judge(row, near((1, 15)), fresh=True) == Verdict(None, (Match(1, 15),))
    assert judge(row, near((1, 15), (2, 11))) == Verdict(None, (Match(2, 11),))
    assert judge(row, behind((1, 10))) == Verdict(Cause.USED, behind=_at((1, 10)))
    assert judge(row, behind((1, 10)), fresh=True) == Verdict(
        Cause.USED, again=True, behind=_at((1, 10))
    )
    assert judge(row, Matches((Match(1, 15),), (Match(2, 10),))) == Verdict(
        Cause.CARD_UNSURE, again=True
    )
    held = access(replace(unsure, state=CardState.HELD))
    assert judge(held, near((1, 15))) == Verdict(Cause.CARD_NOT_ACTIVE)


@pytest.mark.parametrize(
    ("row", "matches", "verdict"),
    [
        (access(), _NOTHING, Verdict(Cause.WRONG)),
        (access(), behind((1, 10)), Verdict(Cause.USED, again=True, behind=_at((1, 10)))),
        (access(), behind((1, 9)), Verdict(Cause.OVERTAKEN, behind=_at((1, 9)))),
        (
            access(card(1), card(2)),
            behind((1, 9), (2, 10)),
            Verdict(Cause.USED, again=True, behind=_at((1, 9), (2, 10))),
        ),
        (access(card(1, CardState.HELD)), near((1, 15)), Verdict(Cause.CARD_NOT_ACTIVE)),
        (
            access(card(1, CardState.HELD)),
            behind((1, 10)),
            Verdict(Cause.USED, again=True, behind=_at((1, 10))),
        ),
        (access(card(1, CardState.HELD)), _NOTHING, Verdict(Cause.WRONG)),
        (replace(access(), cards=()), _NOTHING, Verdict(Cause.WRONG)),
        (access(), Matches((), (), (1,)), Verdict(Cause.KEY_MISSING)),
        (access(card(1, CardState.HELD)), Matches((), (), (1,)), Verdict(Cause.WRONG)),
        (
            access(card(1), card(2)),
            Matches((), (Match(2, 10),), (1,)),
            Verdict(Cause.USED, again=True, behind=_at((2, 10))),
        ),
        (
            access(card(1), card(2)),
            Matches((Match(2, 15),), (), (1,)),
            Verdict(None, (Match(2, 15),)),
        ),
        (Access("NEMO3333"), _NOTHING, Verdict(Cause.UNKNOWN_USER_CODE)),
    ],
)
def test_every_other_code_has_a_cause(row: Access, matches: Matches, verdict: Verdict) -> None:
    """One for each refusal, for staff."""
    assert judge(row, matches) == verdict


# ── Format: syntactic, the same for everybody ────────────────────────────────────────────────────


@pytest.mark.parametrize("of", [VERA.card, OMAR.card], ids=["sesame", "bank"])
def test_only_codes_of_our_cards_are_possible(branch: Branch, of: Card) -> None:
    """A code from outside every profile's range was mistyped, and costs no try."""
    check_possible(branch.bank, of.code(1))
    check_possible(branch.bank, of.code(1), of.code(2))
    for digits in ("00000000", "33554431", "67108864", "99999999"):
        with pytest.raises(ImpossibleCode, match="mistyped"):
            check_possible(branch.bank, Code(digits))
        with pytest.raises(ImpossibleCode, match="mistyped"):
            check_possible(branch.bank, of.code(1), Code(digits))


def test_two_codes_are_two(branch: Branch) -> None:
    """The same one typed twice is a mistake, for everybody alike."""
    with pytest.raises(SameCodeTwice, match="make a second one"):
        check_possible(branch.bank, VERA.card.code(1), VERA.card.code(1))


def test_two_codes_do_not_print_themselves() -> None:
    """They are as good as the session that they open."""
    pair = TwoCodes(VERA.card.code(1), VERA.card.code(2))
    assert pair.first.digits not in repr(pair)
    assert pair.second.digits not in repr(pair)


# ── Two codes in a row ───────────────────────────────────────────────────────────────────────────


async def _found(branch: Branch, of: Card, first: int, second: int, *, near_only: bool) -> Matches:
    """What custody finds for the codes of two ATCs of DORA's."""
    access = await branch.bank.store.read_access(DORA.user_code)
    pair = TwoCodes(of.code(first), of.code(second))
    return await find_pairs(branch.bank, access, pair, near_only=near_only)


@pytest.mark.parametrize("number", [1, 2], ids=["sesame", "bank"])
async def test_a_pair_is_found_wherever_it_lies_ahead(branch: Branch, number: int) -> None:
    """Of either card; the second code's ATC is the one that counts."""
    of = DORA.cards[number - 1]
    reach = 64 * (of.profile.window + 1)
    for first, second in ((1, 2), (40, 48), (reach, reach + 8)):
        found = await _found(branch, of, first, second, near_only=False)
        assert found == Matches((Match(number, second),), ())
    for first, second in ((1, 10), (5, 4), (reach + 1, reach + 2)):
        assert await _found(branch, of, first, second, near_only=False) == _NOTHING


@pytest.mark.parametrize("number", [1, 2], ids=["sesame", "bank"])
async def test_under_pressure_a_pair_is_looked_for_in_the_window_only(
    branch: Branch, number: int
) -> None:
    """Of the first code; the second one may lie just beyond."""
    of = DORA.cards[number - 1]
    window = of.profile.window
    found = await _found(branch, of, window, window + 8, near_only=True)
    assert found == Matches((Match(number, window + 8),), ())
    assert await _found(branch, of, window + 1, window + 2, near_only=True) == _NOTHING


@pytest.mark.parametrize("near_only", [True, False])
async def test_a_pair_behind_is_told_from_one_that_nobody_made(
    branch: Branch,
    near_only: bool,  # noqa: FBT001 -- the case
) -> None:
    """Used again, or overtaken: for staff, and for a second click."""
    branch.change("UPDATE cards SET last_atc = 20 WHERE user_code = ?", DORA.user_code)
    of = DORA.cards[0]
    assert await _found(branch, of, 19, 20, near_only=near_only) == behind((1, 20))
    assert await _found(branch, of, 11, 12, near_only=near_only) == behind((1, 12))


async def test_of_nobody_no_pair_is_found(branch: Branch) -> None:
    """The same question to custody, about decoys."""
    access = await branch.bank.store.read_access(NOBODY)
    pair = TwoCodes(VERA.card.code(1), VERA.card.code(2))
    assert await find_pairs(branch.bank, access, pair, near_only=False) == _NOTHING
