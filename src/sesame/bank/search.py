"""Finding a customer by whatever whoever calls can say, typed into one field."""

import re
from dataclasses import dataclass
from functools import partial

from sesame.bank.bank import Bank
from sesame.bank.card_numbers import BETWEEN
from sesame.bank.dispatching import is_reference
from sesame.bank.errors import MalformedUserCode, TooVague, WholeNumber
from sesame.bank.user_code import UserCode, parse_user_code
from sesame.store.buckets import bucket_of
from sesame.store.finding import Found, find_customers
from sesame.store.names import typed_words

MOST = 50  # who are shown
_MOST_WORDS = 6
_LAST4 = re.compile(r"[0-9]{4}")
_GROUP = 4  # characters of a reference between its hyphens
_SPACES = re.compile(r"[\s\u00a0\u202f-]+")
_CARD_NUMBER = re.compile(rf"\d(?:{BETWEEN}\d){{11,}}")  # perhaps cut short


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What was typed, in each way that it can be read."""

    user_code: UserCode | None = None
    references: tuple[str, ...] = ()
    words: tuple[str, ...] = ()  # of a name
    last4: str = ""


@dataclass(frozen=True, slots=True)
class Hits:
    """Who was found, by name; `more`: others too, who are not shown."""

    found: tuple[Found, ...]
    more: bool


def read_query(typed: str) -> Query:
    """What was *typed* to find somebody by: pure.

    Raises:
        WholeNumber: it has so many digits together that it may be a card's whole number.
        TooVague: it is nothing, or one letter.
    """
    if _CARD_NUMBER.search(typed):
        raise WholeNumber
    try:
        user_code = parse_user_code(typed)
    except MalformedUserCode:
        user_code = None
    words = typed_words(typed)
    last4 = next((word for word in words if _LAST4.fullmatch(word)), "")
    words = tuple(word for word in words if word != last4)[:_MOST_WORDS]
    references = _references(typed)
    if not last4 and not any(len(word) > 1 for word in words):
        raise TooVague
    return Query(user_code=user_code, references=references, words=words, last4=last4)


async def search(bank: Bank, query: Query) -> Hits:
    """The customers that *query* may mean.

    Raises:
        StoreUnavailable: the database did not answer.
    """
    user_code = query.user_code
    found = await bank.store.read(
        partial(
            find_customers,
            key=None if user_code is None else (bucket_of(user_code), user_code),
            references=query.references,
            words=query.words,
            last4=query.last4,
            most=MOST + 1,
        )
    )
    return Hits(found=tuple(found[:MOST]), more=len(found) > MOST)


def _references(typed: str) -> tuple[str, ...]:
    """The references of letters that it may be: as it is, or with its hyphens in their places."""
    plain = _SPACES.sub("", typed).upper()
    grouped = "-".join(plain[at : at + _GROUP] for at in range(0, len(plain), _GROUP))
    as_typed = "-".join(_SPACES.split(typed.strip())).upper()
    return tuple(dict.fromkeys(one for one in (as_typed, grouped, plain) if is_reference(one)))
