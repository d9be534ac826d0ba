"""Finding customers by what whoever calls can say: code, name, card's end, letter's reference."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, select

from sesame.store.bulk import find_rows
from sesame.store.callers import find_last4
from sesame.store.cards import Key
from sesame.store.customers import CUSTOMERS
from sesame.store.details import CUSTOMER_DETAILS
from sesame.store.dispatches import DISPATCHES
from sesame.store.names import find_by_words


class Found(NamedTuple):
    """A customer, as a list tells them apart."""

    user_code: str
    name: str
    place: str  # postcode and city; empty where none is known
    last4: tuple[str, ...]  # of their cards


def find_customers(  # noqa: PLR0913 -- by whichever of them
    connection: Connection,
    *,
    key: Key | None,
    references: Sequence[str],
    words: Sequence[str],
    last4: str,
    most: int,
) -> list[Found]:
    """Customers at *key*, or to whom one of *references* was sent, or with *words* and *last4*.

    *most* of each at most, by name.
    """
    keys = set() if key is None else {key}
    if references:
        columns = (DISPATCHES.c.bucket, DISPATCHES.c.user_code)
        sent = connection.execute(select(*columns).where(DISPATCHES.c.reference.in_(references)))
        keys |= {(bucket, user_code) for bucket, user_code in sent}
    if words or last4:
        keys |= set(find_by_words(connection, words, last4=last4, most=most))
    return _shown(connection, sorted(keys))


def _shown(connection: Connection, keys: Sequence[Key]) -> list[Found]:
    """Those at *keys* who are customers; staff have cards and are none."""
    of = ("bucket", "user_code")
    names = {row[:2]: row[2] for row in find_rows(connection, CUSTOMERS, of, ("name",), keys)}
    wanted = ("postcode", "city")
    places = {
        row[:2]: f"{row[2]} {row[3]}"
        for row in find_rows(connection, CUSTOMER_DETAILS, of, wanted, [*names])
    }
    cards = find_last4(connection, [*names])
    found = [
        Found(key[1], name, places.get(key, ""), tuple(cards[key[1]].values()))
        for key, name in names.items()
    ]
    return sorted(found, key=lambda one: (one.name.casefold(), one.user_code))
