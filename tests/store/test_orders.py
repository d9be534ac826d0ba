"""`sesame.store.orders`, `.dispatches`, `.notices`: written beside a step, and read again."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, event, update

from sesame.store.buckets import bucket_of
from sesame.store.cards import Key
from sesame.store.dispatches import DispatchRow, insert_dispatch, list_dispatches
from sesame.store.holds import find_own_holds, insert_own_holds
from sesame.store.notices import NOTICES, insert_notice
from sesame.store.orders import ORDERS, OrderRow, find_activations, insert_order, list_orders
from tests.places import Place
from tests.store.databases import STRANGER, USER_CODE

KEY = (bucket_of(USER_CODE), USER_CODE)
OTHER = (bucket_of("ADA22222"), "ADA22222")
STAFF = "_K7P2M4X"


def _order(connection: Connection, reason: str, replaces: int | None = None) -> int:
    return insert_order(
        connection, KEY, kind="sesame", reason=reason, replaces=replaces, by=STAFF, at=1_000
    )


def test_orders_of_a_customer_are_numbered(place: Place) -> None:
    """From 1, each customer's for themselves; nobody else's are listed."""
    assert place.write(lambda connection: _order(connection, "first")) == 1
    assert place.write(lambda connection: _order(connection, "lost", 1)) == 2
    assert place.write(lambda connection: list_orders(connection, OTHER)) == []
    first, second = place.write(lambda connection: list_orders(connection, KEY))
    assert first == OrderRow(*KEY, 1, "sesame", "first", None, 1_000, STAFF)
    assert (second.order_number, second.reason, second.replaces) == (2, "lost", 1)


def test_an_order_does_not_print_what_is_secret() -> None:
    """What an activation number is found by; the sealed PIN is not even read."""
    row = OrderRow(*KEY, 1, "sesame", "first", None, 1, STAFF, activation_hash=b"hash")
    assert repr(row) == "OrderRow(sesame, first)"


def test_letters_are_listed_by_the_day_they_are_due(place: Place) -> None:
    """Those of the customer only."""
    late = DispatchRow("7QK4-XM2P", *KEY, "pin", 1, 2_000)
    soon = DispatchRow("9QK4-XM2P", *KEY, "card", 1, 1_000)

    def write(connection: Connection) -> None:
        for row in (late, soon, DispatchRow("2222-2222", *OTHER, "card", 1, 500)):
            insert_dispatch(connection, row)

    place.write(write)
    assert place.write(lambda connection: list_dispatches(connection, KEY)) == [soon, late]


def test_a_notice_waits_to_be_sent(place: Place) -> None:
    """From the moment of what it tells."""
    place.write(
        lambda connection: insert_notice(
            connection, KEY, notice=bytes(16), event="hold", facts=b"{}", at=7
        )
    )
    assert place.everything()[NOTICES.name] == [
        (bytes(16), *KEY, "hold", 7, b"{}", "new", 0, 7, None, None)
    ]


@pytest.mark.parametrize("find", [find_activations, find_own_holds])
def test_a_stranger_is_answered_by_as_many_rows(
    place: Place, find: Callable[[Connection, Key], list[object]]
) -> None:
    """One of nulls where there is none: the first row that comes takes time that would tell."""
    nobody = (bucket_of(STRANGER), STRANGER)

    def wait_and_hold(connection: Connection) -> None:
        _order(connection, "first")
        waits = {"card_number": 1, "activation_hash": bytes(32), "activation_until": 9}
        connection.execute(update(ORDERS).values(waits))
        insert_own_holds(connection, KEY, [2], reason="", release_hash=bytes(32), at=1)

    def answered(connection: Connection, key: Key) -> tuple[int, int]:
        """How many were found, and how many rows the database gave."""
        sent: list[tuple[str, object]] = []

        def note(_c: object, _cursor: object, statement: str, values: object, *_: object) -> None:
            sent.append((statement, values))

        event.listen(connection, "before_cursor_execute", note)
        found = find(connection, key)
        event.remove(connection, "before_cursor_execute", note)
        ((statement, values),) = sent
        rows = connection.exec_driver_sql(statement, values).all()  # type: ignore[arg-type]  # as sent
        return len(found), len(rows)

    place.write(wait_and_hold)
    assert place.write(lambda connection: answered(connection, KEY)) == (1, 1)
    assert place.write(lambda connection: answered(connection, nobody)) == (0, 1)
