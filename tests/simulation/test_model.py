"""The model by itself: what it answers, found by looking back."""

from dataclasses import replace

import pytest

from sesame.simulation.model import (
    OPEN,
    RESERVED,
    Asked,
    Broken,
    CardView,
    Challenged,
    Closed,
    Fit,
    Judged,
    Over,
    Past,
    Repeated,
    Rule,
    Suspended,
    TwoCodesWanted,
)
from sesame.simulation.plan import DAY, HOUR, MINUTE, SECOND
from sesame.simulation.refusals import Asks
from sesame.simulation.wallet import How

_AT = 1_000 * DAY


def _asked(
    *atcs: int, name: int = 0, known: bool = False, how: How = How.RIGHT, card: int = 1
) -> Asked:
    return Asked(
        attempt=name.to_bytes(16),
        codes=[(how, Fit(card, atc)) for atc in atcs],
        known=known,
        makes_known=True,
    )


def _guess(name: int = 0, *, known: bool = False) -> Asked:
    return Asked(attempt=name.to_bytes(16), codes=[(How.GUESSED, None)], known=known)


def _past(last_atc: int = 10) -> Past:
    return Past(cards={1: CardView(window=31, last_atc=last_atc, known_atc=last_atc)})


def _ask(past: Past, asked: Asked, at: int) -> object:
    """What is answered; what is judged is remembered."""
    answer = past.answer(asked, at, bank_pressed=False)
    if isinstance(answer, Judged):
        past.record(asked, answer, at)
    return answer


@pytest.mark.parametrize(
    ("atcs", "right"),
    [
        ((10,), False),
        ((11,), True),
        ((41,), True),
        ((42,), False),
        ((42, 43), True),
        ((11, 19), True),
        ((11, 20), False),
        ((12, 11), False),
        ((10 + 64 * 32, 11 + 64 * 32), True),
        ((11 + 64 * 32, 12 + 64 * 32), False),
        ((10, 11), False),
    ],
)
def test_how_far_codes_may_be_ahead(atcs: tuple[int, ...], *, right: bool) -> None:
    """One in its window, two in sixty-four of them, the second at most eight behind the first."""
    answer = _past().answer(_asked(*atcs), _AT, bank_pressed=False)
    assert isinstance(answer, Judged)
    assert answer.accepted is right
    assert answer.advance == ((Fit(1, atcs[-1]),) if right else ())


@pytest.mark.parametrize(
    "asked",
    [
        _asked(11, how=How.WITHOUT_PIN),
        _asked(11, how=How.SIGNED),
        _asked(11, how=How.ANSWERED),
        _asked(11, card=2),
        _guess(),
        Asked(attempt=b"one", codes=[(How.RIGHT, Fit(1, 11)), (How.RIGHT, Fit(2, 12))]),
        Asked(attempt=b"one", codes=[(How.RIGHT, Fit(1, 11)), (How.RIGHT, None)]),
    ],
)
def test_what_is_no_login_code_of_theirs_is_refused(asked: Asked) -> None:
    """However near it is."""
    answer = _past().answer(asked, _AT, bank_pressed=False)
    assert answer == Judged(side=OPEN, accepted=False, failures=1)


def test_a_held_card_is_refused() -> None:
    """At every ATC."""
    past = _past()
    past.cards[1].active = False
    answer = past.answer(_asked(11), _AT, bank_pressed=False)
    assert isinstance(answer, Judged)
    assert not answer.accepted


def test_suspensions_become_longer() -> None:
    """After three failures each; a success makes the first one short again."""
    past, at, lengths = _past(), _AT, []
    for name in range(9):
        answer = _ask(past, _guess(name), at)
        assert isinstance(answer, Judged)
        if answer.suspended_until:
            lengths.append(answer.suspended_until - at)
            assert _ask(past, _guess(99), at + 1) == Suspended(answer.suspended_until)
            at = answer.suspended_until
        at += MINUTE
    assert lengths == [15 * MINUTE, HOUR, MINUTE]  # by then nine have failed: two codes do
    assert _ask(past, _guess(99), at) == TwoCodesWanted()
    assert isinstance(_ask(past, _asked(11, 12), at), Judged)
    assert past.cards[1].last_atc == 12
    at += 31 * DAY
    assert _ask(past, _guess(100), at) == Judged(side=OPEN, accepted=False, failures=1)


def test_under_pressure_two_codes_do_not_reach_far() -> None:
    """Else a guessed pair would have many places to fit."""
    past = _past()
    for name in range(9):
        past.record(_guess(name), Judged(side=OPEN, accepted=False, suspended_until=_AT), _AT)
    at = _AT + HOUR
    far = past.answer(_asked(42, 43), at, bank_pressed=False)
    assert isinstance(far, Judged)
    assert not far.accepted
    near = past.answer(_asked(41, 42), at, bank_pressed=False)
    assert isinstance(near, Judged)
    assert near.accepted


def test_failures_are_forgotten_after_thirty_days() -> None:
    """By the age of the last one, though each by itself is younger than what came after it."""
    past, at = _past(), _AT
    assert _ask(past, _guess(1), at) == Judged(side=OPEN, accepted=False, failures=1)
    at += 29 * DAY
    assert _ask(past, _guess(2), at) == Judged(side=OPEN, accepted=False, failures=2)
    at += 30 * DAY
    assert _ask(past, _guess(3), at) == Judged(side=OPEN, accepted=False, failures=1)


def test_a_row_of_failures_may_be_as_long_as_it_likes() -> None:
    """One every four weeks: the second suspension is an hour, five months after the first try."""
    past, at, last = _past(), _AT, None
    for name in range(6):
        at += 28 * DAY
        last = _ask(past, _guess(name), at)
    assert last == Judged(side=OPEN, accepted=False, suspended_until=at + HOUR)


def test_a_known_browser_has_tries_of_its_own() -> None:
    """Two, then those of everybody; suspended is it where both are."""
    past, at = _past(), _AT
    assert _ask(past, _guess(1, known=True), at) == Judged(
        side=RESERVED, accepted=False, failures=1
    )
    _ask(past, _guess(2, known=True), at)
    assert _ask(past, _guess(3, known=True), at) == Judged(side=OPEN, accepted=False, failures=1)
    _ask(past, _guess(4, known=True), at)
    _ask(past, _guess(5, known=True), at)
    assert _ask(past, _guess(6, known=True), at) == Suspended(at + 15 * MINUTE)


def test_what_fails_all_over_the_bank_is_for_unknown_browsers() -> None:
    """A known one signs in by one code."""
    past = _past()
    assert past.answer(_asked(11), _AT, bank_pressed=True) == TwoCodesWanted()
    assert isinstance(past.answer(_asked(11, known=True), _AT, bank_pressed=True), Judged)
    assert isinstance(past.answer(_asked(11, 12), _AT, bank_pressed=True), Judged)


def test_what_is_refused_to_an_address_is_for_unknown_browsers() -> None:
    """Two codes, also a few; then nothing until the next hour, whatever is typed."""
    past, at = _past(), _AT + HOUR // 3

    def answer(asked: Asked, source: Asks) -> object:
        return past.answer(replace(asked, source=source), at, bank_pressed=False)

    assert answer(_asked(11), Asks.TWO_CODES) == TwoCodesWanted()
    assert answer(_asked(11, 12), Asks.TWO_CODES) == past.answer(
        _asked(11, 12), at, bank_pressed=False
    )
    for typed in (_asked(11), _asked(11, 12), _guess(), _response(11, 12, life=0)):
        assert answer(typed, Asks.NOTHING) == Closed(_AT + HOUR)
        assert answer(typed, Asks.NOTHING) == answer(
            replace(typed, challenge=None, brings_device=True), Asks.NOTHING
        )
    for source in Asks:
        assert answer(_asked(11, known=True), source) == past.answer(
            _asked(11, known=True), at, bank_pressed=False
        )


def test_a_closed_address_comes_before_all_else_where_no_device_is_brought() -> None:
    """Who brings one is looked at first: a form sent twice, a challenge that is over."""
    past = _past()
    _ask(past, _asked(11, name=1), _AT)
    again = replace(_asked(11, name=1), source=Asks.NOTHING)
    assert _ask(past, again, _AT) == Closed(_AT + HOUR)
    assert _ask(past, replace(again, brings_device=True), _AT) == Repeated(accepted=True)
    late = replace(_response(12, 13, life=7), source=Asks.NOTHING)
    assert _ask(past, late, _AT) == Closed(_AT + HOUR)
    assert _ask(past, replace(late, brings_device=True), _AT) == Over()


def test_the_same_form_is_answered_again() -> None:
    """An acceptance until another one, a refusal for five seconds."""
    past = _past()
    _ask(past, _asked(11, name=1), _AT)
    assert _ask(past, _asked(11, name=1), _AT + DAY) == Repeated(accepted=True)
    _ask(past, _guess(2), _AT)
    assert _ask(past, _guess(2), _AT + 4 * SECOND) == Repeated(accepted=False)
    assert isinstance(_ask(past, _guess(2), _AT + 5 * SECOND), Judged)
    _ask(past, _asked(12, name=3), _AT + DAY)
    assert isinstance(_ask(past, _asked(11, name=1), _AT + 2 * DAY), Judged)


def test_six_failures_in_a_row_are_too_many() -> None:
    """Without a suspension, and whatever sides they were of."""
    past = _past()
    for name in range(5):
        past.record(_guess(name), Judged(side=(OPEN, RESERVED)[name % 2], accepted=False), _AT)
    with pytest.raises(Broken) as broken:
        past.record(_guess(9), Judged(side=OPEN, accepted=False), _AT)
    assert broken.value.rule is Rule.SIX_IN_A_ROW


def test_a_browser_becomes_known_for_thirteen_months() -> None:
    """By the attempt that was accepted from it, and for no longer."""
    past = _past()
    device = (1).to_bytes(16)
    assert not past.knows(None, _AT)
    _ask(past, _asked(11, name=1), _AT)
    assert past.knows(device, _AT + 396 * DAY - 1)
    assert not past.knows(device, _AT + 396 * DAY)
    shared = Asked(attempt=b"two", codes=[(How.RIGHT, Fit(1, 12))])
    _ask(past, shared, _AT)
    assert not past.knows(b"two", _AT)


def _response(
    *atcs: int, at: int = _AT, life: int = 1, answered: bool = True, how: How = How.ANSWERED
) -> Asked:
    """The answer to a challenge made *at*, and a code after it."""
    hows = (how, How.RIGHT)
    return Asked(
        attempt=b"response",
        codes=[(one, Fit(1, atc)) for one, atc in zip(hows, atcs, strict=True)],
        challenge=Challenged(at=at, life=life, answered=answered),
    )


def _put_back(*, replayed: bool) -> Past:
    """After a restore; the backup knows ATC 10, and 20 was accepted after it."""
    past = _past()
    past.cards[1].known_atc = 10
    backup = past.copy()
    _ask(past, _asked(20, name=1), _AT)
    _ask(past, _guess(2), _AT)
    return past.put_back(backup, replayed=replayed)


def _accepts(past: Past, asked: Asked, at: int = _AT) -> bool:
    answer = past.answer(asked, at, bank_pressed=False)
    assert isinstance(answer, Judged)
    return answer.accepted


def test_no_backup_takes_an_atc_back() -> None:
    """Failures and devices it does; and what the bank knows, where there is no stream."""
    for replayed, known in ((False, 10), (True, 20)):
        past = _put_back(replayed=replayed)
        card = past.cards[1]
        assert (past.failures, past.devices, past.successes) == ([], {}, {})
        assert (card.last_atc, card.known_atc, card.unsure) == (20, known, True)
        assert past.out_of_step(Fit(1, 52))
        assert not past.out_of_step(Fit(1, 51))


def test_a_card_that_came_after_the_backup_begins_anew() -> None:
    """Its ATCs are not those of the one before."""
    past = _past()
    backup = past.copy()
    past.cards[1] = CardView(window=31, last_atc=4, known_atc=4)
    assert past.put_back(backup, replayed=False).cards[1].known_atc == 0


def test_an_unsure_card_is_taken_by_a_fresh_response_only() -> None:
    """No code, no two codes; a response to another challenge, or another key, is none."""
    past = _put_back(replayed=False)
    for asked in (
        _asked(21),
        _asked(21, 22),
        _asked(20),
        _response(21, 22, answered=False),
        _response(21, 22, how=How.RIGHT),
        _response(21, 30),
        _response(10, 11),
        _response(10 + 64 * 32 + 1, 10 + 64 * 32 + 2),
    ):
        assert not _accepts(past, asked)
    assert _accepts(past, _response(10 + 64 * 32, 10 + 64 * 32 + 1))
    assert isinstance(_ask(past, _response(21, 22), _AT), Judged)
    assert not past.cards[1].unsure
    assert not _accepts(past, _asked(22))
    assert _accepts(past, _asked(23))
    assert _accepts(past, _response(23, 24))  # a sure one answers too


def test_a_challenge_is_over_after_ten_minutes_and_with_its_life() -> None:
    """Nothing is judged then."""
    past = _put_back(replayed=False)
    assert _accepts(past, _response(21, 22), _AT + 10 * MINUTE - 1)
    assert _ask(past, _response(21, 22), _AT + 10 * MINUTE) == Over()
    assert _ask(past, _response(21, 22, life=0), _AT) == Over()
