"""One request against the model: luck, and what is told of it."""

import asyncio

import pytest

from sesame.bank import matching, verification
from sesame.bank.bank import Bank
from sesame.bank.matching import Match, Matches
from sesame.cap.token import Code
from sesame.simulation.book import UNIT, Book, Count
from sesame.simulation.events import Event, Kind
from sesame.simulation.lives import portrait
from sesame.simulation.model import Rule
from sesame.simulation.plan import DAY, HOUR, SECOND, START, Plan
from sesame.simulation.server import Sentence
from sesame.simulation.wallet import How, Made, make_code
from sesame.simulation.world import Violation, World
from sesame.store.access import Access

_PLAN = Plan(customers=5, days=2, seed=1)
_WHO = 3
_MANY = Plan(customers=100, days=4, seed=1)


def _live(*events: Event, given: int | None = None) -> tuple[Book, list[Sentence]]:
    """What *events* come to; a stranger has made up the very code of the ATC *given*."""

    async def run() -> World:
        world = World(_PLAN, only=[_WHO], tells=True)
        await world.populate()
        person = world.person(_WHO)
        if given is not None:
            made = make_code(person.cards[1].twin_at(given), lambda: 0.0)
            assert made is not None
            person.given.append(Made(made.code, How.GUESSED))
        world.begin([iter([event]) for event in events])
        try:
            await world.advance(START + DAY)
        finally:
            await world.close()
        return world

    world = asyncio.run(run())
    return world.book, world.story


def _event(kind: Kind, after: int = 1, luck: int = 1, n: int = 0) -> Event:
    return Event(START + after * SECOND, _WHO, kind, luck, n)


def test_a_lucky_guess_is_luck() -> None:
    """The card itself says that code: it is counted, beside what chance expects, and no fault."""
    book, story = _live(_event(Kind.USE_GIVEN), given=9)
    assert book.total[Count.LUCKY] == 1
    assert book.total[Count.GUESSES] == 1
    assert 2.0**-26 < book.expected / UNIT < 2.0**-16
    assert [sentence.values["answer"] for sentence in story] == ["accepté"]


def test_whoever_was_lucky_has_used_the_code_up() -> None:
    """The same code again is refused, as any other that has signed in."""
    book, _ = _live(_event(Kind.USE_GIVEN), _event(Kind.USE_SEEN, after=9), given=9)
    assert book.total[Count.LUCKY] == 1
    assert book.total[Count.LOGINS] == 1


def test_a_guess_that_no_card_makes_is_refused() -> None:
    """And counts as a try."""
    book, story = _live(*(_event(Kind.GUESS, after=9 * n, luck=n) for n in range(1, 5)))
    assert book.total[Count.GUESSES] == 3
    assert book.total[Count.GUESSES_TURNED_AWAY] == 1
    assert book.total[Count.SUSPENDED_BY_STRANGER] == 1
    answers = [sentence.values["answer"] for sentence in story]
    assert answers == ["refusé", "refusé", "refusé", "suspendu"]


def test_a_story_tells_what_is_done() -> None:
    """Each thing in a sentence, with the counters where a card made the code."""
    _, story = _live(
        _event(Kind.TRY_OUT, n=2), _event(Kind.APPROACH, after=600), _event(Kind.LOSE, after=9_000)
    )
    told = [sentence.text.format(**sentence.values) for sentence in story]
    assert "fait 2 codes et les jette" in told[0]
    assert "sans se connecter" in told[1]
    assert "accepté" in told[2]
    assert "dernier accepté 0" in told[3]
    assert "perd sa carte" in told[4]
    assert "opposition" in told[5]


def test_a_violation_names_whom_it_befell(monkeypatch: pytest.MonkeyPatch) -> None:
    """And when."""
    monkeypatch.setattr("sesame.bank.verification.after_failure", lambda state, *_: state)
    with pytest.raises(Violation) as found:
        _live(_event(Kind.GUESS, after=77))
    assert (found.value.who, found.value.at) == (_WHO, START + 77 * SECOND)
    assert found.value.rule is Rule.UNCOUNTED


def test_a_code_that_fits_both_cards_moves_both(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no guess; what it costs on the other card is counted by itself."""
    with_two = next(n for n in range(100) if len(portrait(_MANY, n).cards) > 1)

    moved: list[Match] = []

    async def find_matches(bank: Bank, access: Access, code: Code, *, known: bool) -> Matches:
        found = await matching.find_matches(bank, access, code, known=known)
        if [one.card_number for one in found.near] == [1] and not moved:
            moved.append(Match(2, access.cards[1].last_atc + 15))
            return Matches((*found.near, *moved), found.behind)
        return found

    monkeypatch.setattr(verification, "find_matches", find_matches)
    monkeypatch.setattr(World, "_makes", lambda *_: True)
    events = [
        Event(START + n * HOUR, with_two, Kind.LOGIN, luck)
        for n, luck in enumerate([1, *range(50, 70)], 1)
    ]

    async def run() -> Book:
        world = World(_MANY, only=[with_two])
        await world.populate()
        world.begin([iter(events)])
        await world.advance(START + 3 * DAY)
        await world.close()
        return world.book

    book = asyncio.run(run())
    assert book.total[Count.TWO_CARDS] == 1
    assert book.total[Count.LUCKY] == 0
    assert book.total[Count.OVERTAKEN] >= 1
