"""`sesame.store.switching`: what is read to know how far everybody is."""

from typing import Any

from sqlalchemy import Connection, event

from sesame.store.switching import count_facts
from tests.places import Place
from tests.store.databases import enrol


def _plan(connection: Connection) -> list[str]:
    sent: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, values: object, *_: object
    ) -> None:
        sent.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    assert sum(count_facts(connection).values()) == 1
    event.remove(connection, "before_cursor_execute", note)
    ((statement, values),) = sent
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return [str(row[-1]) for row in rows]


def test_a_customers_letters_are_not_looked_up_one_by_one(file: Place) -> None:
    """The index of a customer's letters has all that is asked, for each customer and question."""
    enrol(file)
    letters = [line for line in file.write(_plan) if " dispatches " in line or " sent " in line]
    assert letters
    assert all("USING COVERING INDEX dispatches_of_customer" in line for line in letters)
