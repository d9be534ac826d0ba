"""A week of opening hours in words, as a page and a letter say them."""

from collections.abc import Sequence
from itertools import groupby

from sesame.catalogue import N_, Language, translator
from sesame.web.opening import MIDNIGHT, Holiday, OpeningHours, Span

DAYS = (
    N_("lundi"),
    N_("mardi"),
    N_("mercredi"),
    N_("jeudi"),
    N_("vendredi"),
    N_("samedi"),
    N_("dimanche"),
)
_EVERY_DAY = N_("tous les jours {hours}")
_RUN_OF_DAYS = N_("du {first} au {last} {hours}")
_TWO_DAYS = N_("le {first} et le {last} {hours}")
_ONE_DAY = N_("le {day} {hours}")
_SPAN = N_("de {opens} à {closes}")
_AND = N_("{some} et {other}")
_ROUND_THE_CLOCK = N_("24\u00a0h sur 24")
_NEVER = N_("aucun horaire d’ouverture")
_NOT_ON_HOLIDAYS = N_("{week}, sauf les jours fériés")
_NOT_ON_SOME_HOLIDAYS = N_("{week}, sauf certains jours fériés")
_MIDNIGHT = N_("minuit")
_NO_BREAK = "\N{NO-BREAK SPACE}"


def week_in_words(hours: OpeningHours, language: Language) -> str:
    """« du lundi au vendredi de 8 h à 18 h, le samedi de 9 h 30 à 13 h 30, sauf les jours fériés ».

    Neighbouring days with the same hours are said at once.
    """
    say = translator(language)
    parts = [
        _days_in_words([name for name, _ in days], spans_in_words(spans, language), language)
        for spans, days in groupby(zip(DAYS, hours.week, strict=True), key=lambda one: one[1])
        if spans
    ]
    if not parts:
        return say(_NEVER)
    week = ", ".join(parts)
    if not hours.holidays:
        return week
    every = hours.holidays == frozenset(Holiday)
    return say(_NOT_ON_HOLIDAYS if every else _NOT_ON_SOME_HOLIDAYS).format(week=week)


def spans_in_words(spans: Sequence[Span], language: Language) -> str:
    """« de 8 h à 12 h et de 14 h à 18 h »."""
    say = translator(language)
    if spans == (Span(0, MIDNIGHT),):
        return say(_ROUND_THE_CLOCK)
    *some, last = (
        say(_SPAN).format(opens=clock(span.opens, language), closes=clock(span.closes, language))
        for span in spans
    )
    return say(_AND).format(some=", ".join(some), other=last) if some else last


def clock(minutes: int, language: Language) -> str:
    """That many *minutes* after midnight: `8 h`, `14 h 32`, or `08:00`, `14:32`.

    The end of a day, 1440, is `minuit` or `midnight`.
    """
    if minutes == MIDNIGHT:
        return translator(language)(_MIDNIGHT)
    hour, minute = divmod(minutes, 60)
    if language is not Language.FRENCH:
        return f"{hour:02d}:{minute:02d}"
    return f"{hour}{_NO_BREAK}h" + (f"{_NO_BREAK}{minute:02d}" if minute else "")


def _days_in_words(names: Sequence[str], hours: str, language: Language) -> str:
    say = translator(language)
    first, last = say(names[0]), say(names[-1])
    match len(names):
        case 1:
            return say(_ONE_DAY).format(day=first, hours=hours)
        case 2:
            return say(_TWO_DAYS).format(first=first, last=last, hours=hours)
        case 7:
            return say(_EVERY_DAY).format(hours=hours)
    return say(_RUN_OF_DAYS).format(first=first, last=last, hours=hours)
