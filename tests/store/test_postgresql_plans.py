"""Plans of what is not a login's, on PostgreSQL: docs/reference/database.md has them all."""

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sesame.store.access import delete_stranger_rows
from sesame.store.buckets import bucket_of
from sesame.store.callers import read_callers
from sesame.store.cards import any_card
from sesame.store.customer_view import read_lines_before, read_view
from sesame.store.devices import delete_expired_devices
from sesame.store.metadata import METADATA
from sesame.store.names import find_by_words
from sesame.store.sessions import find_session
from sesame.store.steps import Fate
from tests.places import Place
from tests.store.databases import STRANGER, USER_CODE, accepted, enrol, step

pytestmark = pytest.mark.needs("postgresql")

_CUSTOMERS = 20_000
_MANY = ("access", "customers", "cards", "sessions", "devices", "audit_lines", "customer_words")


@pytest.fixture
def large(server: Place) -> Place:
    """A database with many customers, each with a card, a session and a device."""
    enrol(server)
    assert server.swap_group([step(STRANGER, 0)]) == [Fate.WON]
    assert server.swap_group([accepted()]) == [Fate.WON]
    for table in _MANY:
        columns = [column.name for column in METADATA.tables[table].columns]
        others = ", ".join(name for name in columns if name not in {"user_code", "token_hash"})
        token = ", token_hash" if "token_hash" in columns else ""
        new = ", sha256(n::text::bytea)" if token else ""
        server.execute(
            f"INSERT INTO {table} (user_code{token}, {others}) "  # noqa: S608 -- the schema's own names
            f"SELECT 'X' || lpad(n::text, 7, '0'){new}, {others} "
            f"FROM {table}, generate_series(1, {_CUSTOMERS}) AS n WHERE user_code = '{USER_CODE}'"
        )
    for table in METADATA.tables:
        server.execute(f"ANALYZE {table}")
    return server


def _plans(place: Place, work: Callable[[Connection], object]) -> list[dict[str, Any]]:
    """The plan of each statement that *work* sends, as JSON."""
    plans: list[dict[str, Any]] = []

    def run(connection: Connection) -> None:
        sent: list[tuple[str, Any]] = []

        def note(
            _connection: Connection, _cursor: object, statement: str, values: object, *_: object
        ) -> None:
            sent.append((statement, values))

        event.listen(connection, "before_cursor_execute", note)
        work(connection)
        event.remove(connection, "before_cursor_execute", note)
        for statement, values in sent:
            said = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values)
            plan = said.scalar_one()
            plans.append((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])

    place.write(run)
    return plans


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from _nodes(child)


def _reached(plans: list[dict[str, Any]]) -> tuple[set[str], set[str]]:
    """Indexes that are used, and tables that are read from end to end."""
    nodes = [node for plan in plans for node in _nodes(plan)]
    scanned = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"}
    return {node["Index Name"] for node in nodes if "Index Name" in node}, scanned


def test_a_session_is_found_by_keys(large: Place) -> None:
    """Every page of the portal asks for one."""
    used, scanned = _reached(_plans(large, lambda c: find_session(c, bucket_of(USER_CODE), b"")))
    assert used == {"sessions_by_token", "access_pkey", "customers_pkey"}
    assert scanned == set()


def test_expired_devices_are_found_by_their_end(large: Place) -> None:
    """Of all devices only those whose time is over are looked at."""
    used, scanned = _reached(_plans(large, lambda c: delete_expired_devices(c, now=1)))
    assert "devices_by_end" in used
    assert scanned == set()


def test_rows_of_nobody_are_found_among_many_customers(large: Place) -> None:
    """By an index that has no other rows."""
    used, scanned = _reached(_plans(large, lambda c: delete_stranger_rows(c, untouched_since=1)))
    assert "access_nobodys" in used
    assert scanned <= {"stranger_lines", "stranger_personal"}


def test_one_card_is_found_at_once(large: Place) -> None:
    """The first row that comes will do."""
    (plan,) = _plans(large, any_card)
    assert plan["Node Type"] == "Limit"
    assert plan["Plan Rows"] == 1


def test_what_the_help_line_looks_at(large: Place) -> None:
    """A name by the beginning of its longest word; a card by how it ends; callers by the moment."""
    large.execute(
        "UPDATE customer_words SET word = right(user_code, 3) || word WHERE user_code LIKE 'X%'"
    )
    large.execute("UPDATE cards SET last4 = right(user_code, 4) WHERE user_code LIKE 'X%'")
    large.execute("ANALYZE customer_words, cards")
    for words, last4, index in (
        (("dup",), "", "customer_words_by_word"),
        (("dupont", "vera"), "", "customer_words_by_word"),
        (("vera",), "1234", "cards_by_last4"),
        ((), "1234", "cards_by_last4"),
    ):
        find = partial(find_by_words, words=words, last4=last4, most=51)
        used, scanned = _reached(_plans(large, find))
        assert index in used
        assert scanned == set()
    used, scanned = _reached(_plans(large, partial(read_callers, since=10**9, most=26)))
    assert "audit_lines_by_moment" in used
    assert "audit_lines" not in scanned
    key = (bucket_of(USER_CODE), USER_CODE)
    page = _plans(large, partial(read_view, key=key, seen_since=0, now=0))
    page += _plans(large, partial(read_lines_before, key=key, before=9, most=51))
    _, scanned = _reached(page)
    assert not scanned & set(_MANY)
