"""The hours of the help line in words: the week, this moment, and the days that are different."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sesame.catalogue import N_, Language, translator
from sesame.web.formats import day, time, until
from sesame.web.opening import PARIS, Closure, Holiday, OpeningHours, Span, SpecialDay
from sesame.web.week import DAYS, spans_in_words, week_in_words

ANNOUNCED = timedelta(days=14)  # before it begins, a closure stands on every page
_AHEAD = timedelta(days=365)  # and on the page of help
_HOLIDAYS = 3  # of the coming ones, how many are told

_CLOSED = N_("fermée")

_OPEN_UNTIL = N_("Ouverte en ce moment, {until}.")
_OPEN = N_("Ouverte en ce moment.")
_CLOSED_NOW = N_("Fermée en ce moment.")
_CLOSED_ON_A_HOLIDAY = N_("Fermée en ce moment\u00a0: c’est un jour férié.")
_CLOSED_EXCEPTIONALLY = N_("Fermée en ce moment\u00a0: fermeture exceptionnelle.")
_OPENS_TODAY = N_("Réouverture aujourd’hui à\u00a0{time}.")
_OPENS = N_("Réouverture {day} à\u00a0{time}.")
_OPENS_NEVER = N_("Aucune réouverture n’est prévue.")

_CLOSED_ON = N_("Fermeture exceptionnelle le {day}.")
_CLOSED_FROM_TO = N_("Fermeture exceptionnelle du {first} au {last} inclus.")
_OTHER_HOURS = N_("Horaires exceptionnels le {day}, {hours}.")

_HOLIDAY_NAMES = {
    Holiday.NEW_YEAR: N_("jour de l’an"),
    Holiday.EASTER_MONDAY: N_("lundi de Pâques"),
    Holiday.LABOUR_DAY: N_("fête du Travail"),
    Holiday.VICTORY_DAY: N_("victoire de 1945"),
    Holiday.ASCENSION: N_("Ascension"),
    Holiday.WHIT_MONDAY: N_("lundi de Pentecôte"),
    Holiday.NATIONAL_DAY: N_("fête nationale"),
    Holiday.ASSUMPTION: N_("Assomption"),
    Holiday.ALL_SAINTS: N_("Toussaint"),
    Holiday.ARMISTICE: N_("armistice de 1918"),
    Holiday.CHRISTMAS: N_("Noël"),
}


@dataclass(frozen=True, slots=True)
class ClosureNotice:
    """An exceptional closure, or a day with other hours, as it is read."""

    days: str  # a sentence
    reason: str  # a sentence, in the language beside it
    language: Language  # French where the settings have no English


@dataclass(frozen=True, slots=True)
class HelpState:
    """What the help block says at one moment, and the page of help in more words."""

    open: bool
    now: str  # a sentence: open until when, or closed
    reopening: str  # a sentence: when it opens next; nothing if it never closes
    hours: str  # the week, as part of a sentence
    closures: tuple[ClosureNotice, ...]  # those that every page announces


@dataclass(frozen=True, slots=True)
class DayHours:
    """A row of the table of hours."""

    day: str
    hours: str


@dataclass(frozen=True, slots=True)
class HelpCalendar:
    """The hours at length, for the page of help."""

    week: tuple[DayHours, ...]
    closures: tuple[ClosureNotice, ...]  # of a year
    holidays: tuple[str, ...]  # the next ones on which nobody answers


def state(hours: OpeningHours, at: datetime, language: Language) -> HelpState:
    """What is to be said of *hours* at the moment *at*."""
    today = at.astimezone(PARIS).date()
    is_open, opens = hours.is_open(at), hours.next_opening(at)
    never = "" if is_open else translator(language)(_OPENS_NEVER)
    return HelpState(
        open=is_open,
        now=_open_now(hours, at, language) if is_open else _closed_now(hours, today, language),
        reopening=_reopening(opens, at, language) if opens else never,
        hours=week_in_words(hours, language),
        closures=_notices(hours, today, ANNOUNCED, language),
    )


def calendar(hours: OpeningHours, today: date, language: Language) -> HelpCalendar:
    """The table of hours, and the days of the coming year that are different."""
    say = translator(language)
    return HelpCalendar(
        week=tuple(
            DayHours(say(name), spans_in_words(spans, language) if spans else say(_CLOSED))
            for name, spans in zip(DAYS, hours.week, strict=True)
        ),
        closures=_notices(hours, today, _AHEAD, language),
        holidays=tuple(
            f"{day(when, language, this_year=today.year)} ({say(_HOLIDAY_NAMES[holiday])})"
            for when, holiday in hours.holidays_to_come(today, count=_HOLIDAYS)
        ),
    )


def _open_now(hours: OpeningHours, at: datetime, language: Language) -> str:
    say, closes = translator(language), hours.closes_at(at)
    if closes is None:
        return say(_OPEN)
    return say(_OPEN_UNTIL).format(until=until(closes, language, now=at))


def _closed_now(hours: OpeningHours, today: date, language: Language) -> str:
    say, why = translator(language), hours.exception(today)
    if isinstance(why, Closure):
        return say(_CLOSED_EXCEPTIONALLY)
    # Sunday is closed because it is Sunday, whatever feast it is.
    return say(_CLOSED_ON_A_HOLIDAY if why and hours.week[today.weekday()] else _CLOSED_NOW)


def _reopening(opens: datetime, at: datetime, language: Language) -> str:
    say = translator(language)
    then, today = opens.astimezone(PARIS).date(), at.astimezone(PARIS).date()
    return say(_OPENS_TODAY if then == today else _OPENS).format(
        day=day(then, language, this_year=today.year), time=time(opens, language)
    )


def _notices(
    hours: OpeningHours, today: date, within: timedelta, language: Language
) -> tuple[ClosureNotice, ...]:
    closed = [
        (closure.first, _notice(closure, today.year, language))
        for closure in hours.closures_to_come(today, within=within)
    ]
    other = [
        (special.day, _other_hours(special, span, today.year, language))
        for special, span in hours.openings_to_come(today, within=within)
    ]
    return tuple(notice for _, notice in sorted([*closed, *other], key=lambda one: one[0]))


def _other_hours(
    special: SpecialDay, span: Span, this_year: int, language: Language
) -> ClosureNotice:
    days = translator(language)(_OTHER_HOURS).format(
        day=day(special.day, language, this_year=this_year),
        hours=spans_in_words([span], language),
    )
    return ClosureNotice(days, special.reason, Language.FRENCH)


def _notice(closure: Closure, this_year: int, language: Language) -> ClosureNotice:
    say = translator(language)
    first, last = (
        day(when, language, this_year=this_year) for when in (closure.first, closure.last)
    )
    sentence = say(_CLOSED_ON if closure.first == closure.last else _CLOSED_FROM_TO)
    days = sentence.format(day=first, first=first, last=last)
    if language is Language.ENGLISH and closure.reason_in_english:
        return ClosureNotice(days, closure.reason_in_english, Language.ENGLISH)
    return ClosureNotice(days, closure.reason, Language.FRENCH)
