"""Amounts, days and times as the two languages write them, in Paris time."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_currency

from sesame.catalogue import Language

PARIS = ZoneInfo("Europe/Paris")
_LOCALES = {Language.FRENCH: "fr_FR", Language.ENGLISH: "en_GB"}


@lru_cache(maxsize=4096)
def amount(cents: int, language: Language) -> str:
    """Euros, from whole cents: `1 250,00 €` or `€1,250.00`, with spaces that do not break."""
    text: str = format_currency(Decimal(cents) / 100, "EUR", locale=_LOCALES[language])
    return text.replace("-", "\N{MINUS SIGN}")  # a hyphen may end a line, and is not read aloud


@lru_cache(maxsize=256)
def day(moment: date, language: Language) -> str:
    """`3 mars 2025` or `3 March 2025`."""
    return format_date(moment, "d MMMM y", locale=_LOCALES[language]).replace(" ", "\u00a0")


def short_day(moment: date) -> str:
    """`03/03/2026`, as both languages write it in a column."""
    return f"{moment:%d/%m/%Y}"


def time(moment: datetime, language: Language) -> str:
    """The time in Paris: `14 h 32`, with spaces that do not break, or `14:32`."""
    local = moment.astimezone(PARIS)
    if language is Language.FRENCH:
        return f"{local.hour}\u00a0h\u00a0{local.minute:02d}"
    return f"{local:%H:%M}"


def end_time(moment: datetime, language: Language) -> str:
    """The first whole minute that is not before *moment*: who waits until then waits enough."""
    whole = moment.replace(second=0, microsecond=0)
    return time(whole if whole == moment else whole + timedelta(minutes=1), language)
