"""Names, so that somebody can be found by them: a row a word, without accents and case.

Written with a customer and erased with them. Nobody's login reads this table.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import partial

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Index,
    SmallInteger,
    String,
    Table,
    and_,
    column,
    exists,
    func,
    literal,
    select,
    table,
    tuple_,
)

from sesame.store.bulk import insert_rows
from sesame.store.cards import CARDS, Key
from sesame.store.metadata import METADATA

_LONGEST = 40  # characters of a word; of a longer one the beginning is kept

# Compared by their bytes, whatever language a database sorts as: the index finds beginnings by it.
_WORD = String(_LONGEST).with_variant(String(_LONGEST, collation="C"), "postgresql")
CUSTOMER_WORDS = Table(
    "customer_words",
    METADATA,
    Column("bucket", SmallInteger, primary_key=True),
    Column("user_code", String(8), primary_key=True),
    Column("word", _WORD, primary_key=True),
    Index("customer_words_by_word", "word"),
    sqlite_with_rowid=False,
)

# What stays one letter when accents are taken off, and is two on most keyboards, or another.
_LETTERS = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"})
_APOSTROPHES = re.compile("['’\u02bc`]")
_COUNTED = 1_000  # bearers of a word, to know which is the rarest
_LAST = "\U0010ffff"  # stands behind whatever begins in the same way


def words_of(name: str) -> tuple[str, ...]:
    """The words of *name*, each once and in order, without accents and case.

    One with an apostrophe stands there in its parts and as a whole.

    >>> words_of("Éloïse d’Œuvre-Łuk")
    ('d', 'doeuvre', 'eloise', 'luk', 'oeuvre')
    """
    plain = _plain(name)
    joined = _APOSTROPHES.sub("", plain) if _APOSTROPHES.search(plain) else ""
    words = {word[:_LONGEST] for text in (plain, joined) for word in _split(text)}
    return tuple(sorted(words))


def is_same_name(one: str, other: str) -> bool:
    """Whether two names have the same words, whatever their order, accents and case.

    What an apostrophe is between may stand apart, or as one word.

    >>> is_same_name("Éloïse d’Arc", "ARC D ELOISE"), is_same_name("Éloïse d’Arc", "DARC ELOISE")
    (True, True)
    >>> is_same_name("Éloïse", "Élise"), is_same_name("-", "?")
    (False, False)
    """
    return not _spellings(one).isdisjoint(_spellings(other))


def _spellings(name: str) -> set[frozenset[str]]:
    plain = _plain(name)
    apart, joined = _split(plain), _split(_APOSTROPHES.sub("", plain))
    return {frozenset(words) for words in (apart, joined) if words}


def typed_words(typed: str) -> tuple[str, ...]:
    """The words of a name as somebody types it to find it: apostrophes matter no more than case."""
    return words_of(_APOSTROPHES.sub("", typed))


def insert_words(connection: Connection, names: Iterable[tuple[Key, str]]) -> None:
    """Let new customers be found by their names, each with the key of whom it is."""
    rows = [(*key, word) for key, name in names for word in words_of(name)]
    insert_rows(connection, CUSTOMER_WORDS, ("bucket", "user_code", "word"), rows)


def fill_words(connection: Connection, *, at_once: int = 5_000) -> None:
    """Let customers be found who were there before the table was."""
    customers = table("customers", column("bucket"), column("user_code"), column("name"))
    order = (customers.c.bucket, customers.c.user_code)
    page = select(customers).order_by(*order).limit(at_once)
    behind: Key | None = (-1, "")
    while behind is not None:
        of_page = page.where(tuple_(*order) > tuple_(*map(literal, behind)))
        rows = connection.execute(of_page).all()
        insert_words(connection, [((bucket, code), name) for bucket, code, name in rows])
        behind = (rows[-1].bucket, rows[-1].user_code) if len(rows) == at_once else None


def find_by_words(
    connection: Connection, words: Sequence[str], *, last4: str = "", most: int
) -> list[Key]:
    """Customers in whose name each of *words* begins a word, *most* of them at most.

    With *last4* only those who have a card that ends so; of no words, all of those.
    """
    ordered = sorted(words, key=partial(_bearers, connection))
    source: FromClause
    if last4:
        source, found = CARDS, CARDS.c.last4 == last4
    else:
        source = CUSTOMER_WORDS.alias()
        found = _begins(source, ordered.pop(0))  # the rarest leads
    query = select(source.c.bucket, source.c.user_code).where(found)
    for word in ordered:
        other = CUSTOMER_WORDS.alias()
        same = and_(other.c.bucket == source.c.bucket, other.c.user_code == source.c.user_code)
        query = query.where(exists().where(same, _begins(other, word)))
    rows = connection.execute(query.distinct().limit(most))
    return [(bucket, user_code) for bucket, user_code in rows]


def _bearers(connection: Connection, word: str) -> int:
    """How many have a word that begins with *word*, as far as is counted."""
    some = select(CUSTOMER_WORDS.c.word).where(_begins(CUSTOMER_WORDS, word)).limit(_COUNTED)
    return int(connection.execute(select(func.count()).select_from(some.subquery())).scalar_one())


def _begins(words: FromClause, word: str) -> ColumnElement[bool]:
    """Whether a row of *words* begins with *word*; one letter is that word alone."""
    if len(word) == 1:
        return words.c.word == word
    return and_(words.c.word >= word, words.c.word < word + _LAST)


def _plain(name: str) -> str:
    """*name* without accents and case."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in plain if not unicodedata.combining(c)).translate(_LETTERS)


def _split(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text).split()
