"""Amounts, days and times as the two languages write them, in Paris time."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date
from babel.numbers import format_currency

from sesame.catalogue import N_, Language, translator
from sesame.web.opening import MIDNIGHT, PARIS
from sesame.web.week import clock

_LOCALES = {Language.FRENCH: "fr_FR", Language.ENGLISH: "en_GB"}
_NO_BREAK = "\N{NO-BREAK SPACE}"
_MINUTE = timedelta(minutes=1)

_AT = N_("à\u00a0{time}")
_ON = N_("le {day} à\u00a0{time}")
_UNTIL = N_("jusqu’à\u00a0{time}")
_UNTIL_DAY = N_("jusqu’au {day} à\u00a0{time}")


@lru_cache(maxsize=4096)
def amount(cents: int, language: Language) -> str:
    """Euros, from whole cents: `1 250,00 €` or `€1,250.00`, with spaces that do not break."""
    text: str = format_currency(Decimal(cents) / 100, "EUR", locale=_LOCALES[language])
    return text.replace("-", "\N{MINUS SIGN}")  # a hyphen may end a line, and is not read aloud


@lru_cache(maxsize=256)
def day(moment: date, language: Language, *, this_year: int) -> str:
    """`mardi 3 mars` or `Tuesday 3 March`, with the year behind it if that is not *this_year*.

    French counts the first of a month and no other: `dimanche 1er mars`.
    """
    number = "1er" if moment.day == 1 and language is Language.FRENCH else f"{moment.day}"
    # A quoted text is taken as it stands (Unicode UTS 35, part 4, date format patterns).
    pattern = f"EEEE '{number}{_NO_BREAK}'MMMM"
    if moment.year != this_year:
        pattern += f"'{_NO_BREAK}'y"
    return format_date(moment, pattern, locale=_LOCALES[language])


def short_day(moment: date) -> str:
    """`03/03/2026`, as both languages write it in a column."""
    return f"{moment:%d/%m/%Y}"


def time(moment: datetime, language: Language) -> str:
    """The time in Paris: `14 h 32` or `14:32`."""
    local = moment.astimezone(PARIS)
    return clock(60 * local.hour + local.minute, language)


def when(moment: datetime, language: Language, *, now: datetime) -> str:
    """`à 14 h 32`, and on another day than *now*'s `le mardi 3 mars à 14 h 32`.

    In English `at 14:32` and `on Tuesday 3 March at 14:32`.
    """
    return _placed(_AT, _ON, moment, language, now)


def until(moment: datetime, language: Language, *, now: datetime) -> str:
    """`jusqu’à 14 h 32`, and on another day than *now*'s `jusqu’au mardi 3 mars à 14 h 32`.

    In English `until 14:32` and `until Tuesday 3 March at 14:32`. It is the first whole minute
    that is not before *moment*: who waits until then waits enough.
    """
    whole = moment.replace(second=0, microsecond=0)
    whole += _MINUTE if whole < moment else timedelta()
    local, today = whole.astimezone(PARIS), now.astimezone(PARIS).date()
    if (local.hour, local.minute) == (0, 0) and local.date() == today + timedelta(days=1):
        return translator(language)(_UNTIL).format(time=clock(MIDNIGHT, language))
    return _placed(_UNTIL, _UNTIL_DAY, whole, language, now)


def _placed(today: str, other: str, moment: datetime, language: Language, now: datetime) -> str:
    """The sentence for the same day or for another one, with its places filled."""
    local, here = moment.astimezone(PARIS).date(), now.astimezone(PARIS).date()
    sentence = translator(language)(today if local == here else other)
    return sentence.format(
        day=day(local, language, this_year=here.year), time=time(moment, language)
    )
