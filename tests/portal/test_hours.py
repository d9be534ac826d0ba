"""The hours of the help line in words, as people say them."""

from datetime import UTC, date, datetime

import pytest

from sesame.catalogue import Language
from sesame.portal.hours import calendar, state
from sesame.web.opening import MIDNIGHT, PARIS, Closure, Holiday, OpeningHours, Span
from sesame.web.week import week_in_words

FRENCH, ENGLISH = Language.FRENCH, Language.ENGLISH
NO_HOLIDAYS = frozenset[Holiday]()
DAY, MORNING, AFTERNOON = Span(480, 1080), Span(480, 720), Span(840, 1080)
SCHOOLING = Closure(
    first=date(2026, 11, 27),
    last=date(2026, 11, 27),
    reason="Formation de l’équipe.",
    reason_in_english="The team is on a course.",
)
WORKS = Closure(first=date(2026, 12, 28), last=date(2027, 1, 8), reason="Travaux.")


def paris(text: str) -> datetime:
    """The moment when a clock in Paris shows *text*."""
    return datetime.fromisoformat(text).replace(tzinfo=PARIS).astimezone(UTC)


def plain(text: str) -> str:
    """*text* with ordinary spaces."""
    return text.replace("\u00a0", " ")


def test_the_leaflets_week() -> None:
    """As the paper has it, and but for feasts."""
    assert plain(week_in_words(OpeningHours(), FRENCH)) == (
        "du lundi au vendredi de 8 h à 18 h, le samedi de 9 h 30 à 13 h 30, sauf les jours fériés"
    )
    assert week_in_words(OpeningHours(), ENGLISH) == (
        "Monday to Friday from 08:00 to 18:00, Saturday from 09:30 to 13:30, "
        "except on public holidays"
    )


@pytest.mark.parametrize(
    ("week", "french", "english"),
    [
        (((DAY,),) * 7, "tous les jours de 8 h à 18 h", "every day from 08:00 to 18:00"),
        (
            ((Span(0, MIDNIGHT),),) * 7,
            "tous les jours 24 h sur 24",
            "every day 24 hours a day",
        ),
        (
            ((DAY,), (DAY,), (), (DAY,), (), (), ()),
            "le lundi et le mardi de 8 h à 18 h, le jeudi de 8 h à 18 h",
            "Monday and Tuesday from 08:00 to 18:00, Thursday from 08:00 to 18:00",
        ),
        (
            ((MORNING, AFTERNOON),) * 3 + ((),) * 4,
            "du lundi au mercredi de 8 h à 12 h et de 14 h à 18 h",
            "Monday to Wednesday from 08:00 to 12:00 and from 14:00 to 18:00",
        ),
        (
            ((MORNING, AFTERNOON, Span(1200, MIDNIGHT)),) + ((),) * 6,
            "le lundi de 8 h à 12 h, de 14 h à 18 h et de 20 h à minuit",
            "Monday from 08:00 to 12:00, from 14:00 to 18:00 and from 20:00 to midnight",
        ),
        (((),) * 7, "aucun horaire d’ouverture", "no opening hours"),
    ],
)
def test_other_weeks(week: tuple[tuple[Span, ...], ...], french: str, english: str) -> None:
    """Neighbouring days with the same hours are said at once."""
    hours = OpeningHours(week=week, holidays=NO_HOLIDAYS)
    assert plain(week_in_words(hours, FRENCH)) == french
    assert plain(week_in_words(hours, ENGLISH)) == english


def test_some_holidays() -> None:
    """A line that answers on Whit Monday does not say « sauf les jours fériés »."""
    hours = OpeningHours(holidays=frozenset({Holiday.CHRISTMAS}))
    assert week_in_words(hours, FRENCH).endswith(", sauf certains jours fériés")
    assert week_in_words(hours, ENGLISH).endswith(", except on some public holidays")


@pytest.mark.parametrize(
    ("at", "french", "english"),
    [
        (
            "2026-11-30T09:00",
            "Ouverte en ce moment, jusqu’à 18 h.|Réouverture mardi 1er décembre à 8 h.",
            "Open now, until 18:00.|Opens again on Tuesday 1 December at 08:00.",
        ),
        (
            "2026-11-29T09:00",
            "Fermée en ce moment.|Réouverture lundi 30 novembre à 8 h.",
            "Closed now.|Opens again on Monday 30 November at 08:00.",
        ),
        (
            "2026-11-30T07:00",
            "Fermée en ce moment.|Réouverture aujourd’hui à 8 h.",
            "Closed now.|Opens again today at 08:00.",
        ),
        (
            "2026-11-11T09:00",
            "Fermée en ce moment : c’est un jour férié.|Réouverture jeudi 12 novembre à 8 h.",
            "Closed now: it is a public holiday.|Opens again on Thursday 12 November at 08:00.",
        ),
        (
            "2026-11-01T09:00",  # a feast on a Sunday
            "Fermée en ce moment.|Réouverture lundi 2 novembre à 8 h.",
            "Closed now.|Opens again on Monday 2 November at 08:00.",
        ),
        (
            "2026-12-28T09:00",
            (
                "Fermée en ce moment : fermeture exceptionnelle."
                "|Réouverture samedi 9 janvier 2027 à 9 h 30."
            ),
            "Closed now, exceptionally.|Opens again on Saturday 9 January 2027 at 09:30.",
        ),
    ],
)
def test_this_moment(at: str, french: str, english: str) -> None:
    """Open until when, or closed and why; and when it opens next."""
    hours = OpeningHours(closures=(WORKS,))
    for language, said in ((FRENCH, french), (ENGLISH, english)):
        now = state(hours, paris(at), language)
        assert plain(f"{now.now}|{now.reopening}") == said
        assert now.open is ("|" in said and said.startswith(("Ouverte", "Open")))
        assert now.hours == week_in_words(hours, language)


def test_never_and_always() -> None:
    """No moment is promised that does not come."""
    at = paris("2026-11-30T09:00")
    never = state(OpeningHours(week=((),) * 7), at, FRENCH)
    assert never.now == "Fermée en ce moment."
    assert never.reopening == "Aucune réouverture n’est prévue."
    week = ((Span(0, MIDNIGHT),),) * 7
    always = state(OpeningHours(week=week, holidays=NO_HOLIDAYS), at, FRENCH)
    assert always.now == "Ouverte en ce moment."
    assert always.reopening == ""


@pytest.mark.parametrize(
    ("today", "announced"),
    [("2026-11-12", 0), ("2026-11-13", 1), ("2026-11-27", 1), ("2026-11-28", 0)],
)
def test_a_closure_is_announced_two_weeks_ahead(today: str, announced: int) -> None:
    """Until it is over."""
    hours = OpeningHours(closures=(SCHOOLING,))
    assert len(state(hours, paris(f"{today}T12:00"), FRENCH).closures) == announced


def test_a_closure_in_words() -> None:
    """One day or several; a reason without English stays French, and says so."""
    hours = OpeningHours(closures=(WORKS, SCHOOLING))
    one, several = calendar(hours, date(2026, 11, 1), FRENCH).closures
    assert plain(one.days) == "Fermeture exceptionnelle le vendredi 27 novembre."
    assert (one.reason, one.language) == ("Formation de l’équipe.", FRENCH)
    assert plain(several.days) == (
        "Fermeture exceptionnelle du lundi 28 décembre au vendredi 8 janvier 2027 inclus."
    )
    one, several = calendar(hours, date(2026, 11, 1), ENGLISH).closures
    assert plain(one.days) == "Exceptionally closed on Friday 27 November."
    assert (one.reason, one.language) == ("The team is on a course.", ENGLISH)
    assert (several.reason, several.language) == ("Travaux.", FRENCH)


def test_the_table_of_hours() -> None:
    """Each day with its hours, and the next feasts by name."""
    french = calendar(OpeningHours(), date(2026, 11, 30), FRENCH)
    rows = [plain(f"{row.day} {row.hours}") for row in french.week]
    assert rows[4:] == ["vendredi de 8 h à 18 h", "samedi de 9 h 30 à 13 h 30", "dimanche fermée"]
    assert [plain(holiday) for holiday in french.holidays] == [
        "vendredi 25 décembre (Noël)",
        "vendredi 1er janvier 2027 (jour de l’an)",
        "lundi 29 mars 2027 (lundi de Pâques)",
    ]
    english = calendar(OpeningHours(), date(2026, 11, 30), ENGLISH)
    assert english.week[6].hours == "closed"
    assert plain(english.holidays[0]) == "Friday 25 December (Christmas Day)"
