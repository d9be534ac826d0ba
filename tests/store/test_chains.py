"""`sesame.store.chains`: a page at a time, by an index, on either database."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sesame.store.buckets import bucket_of
from sesame.store.chains import (
    BEFORE_ALL,
    changed_since,
    find_heads,
    lines_beyond,
    read_chain,
    read_chain_lines,
    read_heads,
    read_opening,
    version_of_attempt,
)
from tests.places import Place
from tests.store.databases import STRANGER, USER_CODE, enrol, line, step

_OTHERS = ("ADA22222", "BOB22222", "CARL2222")
_KEY = (bucket_of(USER_CODE), USER_CODE)


@pytest.fixture
def bank(place: Place) -> Place:
    """Four customers, one with four lines, and a stranger."""
    for user_code in (USER_CODE, *_OTHERS):
        enrol(place, user_code)
    for version in (1, 2, 3):
        place.swap_group([step(read_version=version, at=1_000 + version)])
    place.swap_group([step(STRANGER, 0)])
    return place


def test_customers_come_page_by_page(bank: Place) -> None:
    """Each once, in order; a stranger is none."""
    found, after = [], BEFORE_ALL
    while page := bank.write(partial(read_heads, after=after, most=2)):
        found += page
        after = page[-1][:2]
    assert [head.user_code for head in found] == sorted(
        (USER_CODE, *_OTHERS), key=lambda code: (bucket_of(code), code)
    )
    (vera,) = [head for head in found if head.user_code == USER_CODE]
    assert (vera.version, vera.head) == (4, line(4).head)
    assert bank.write(partial(find_heads, keys=[_KEY, (0, "NOBODY22")])) == {USER_CODE: vera}
    assert bank.write(partial(find_heads, keys=[(bucket_of(STRANGER), STRANGER)])) == {}


def test_lines_come_page_by_page(bank: Place) -> None:
    """From anywhere to anywhere."""
    found, after = [], (*BEFORE_ALL, 0)
    while page := bank.write(partial(read_chain_lines, after=after, last=None, most=3)):
        found += page
        after = page[-1][:3]
    assert len(found) == 7
    assert found == sorted(found, key=lambda one: one[:3])
    vera = [one for one in found if one.user_code == USER_CODE]
    assert [one.version for one in vera] == [1, 2, 3, 4]
    assert bank.write(partial(read_chain, key=_KEY)) == vera
    ask = partial(read_chain_lines, after=(*_KEY, 1), last=_KEY, most=9)
    assert bank.write(ask) == vera[1:]
    other = (bucket_of("ADA22222"), "ADA22222")
    since = [(*_KEY, 2), (*other, 0), (*_KEY[:1], "NOBODY22", 0)]
    beyond = bank.write(partial(lines_beyond, since=since))
    assert sorted((one.user_code, one.version) for one in beyond) == [
        ("ADA22222", 1),
        (USER_CODE, 3),
        (USER_CODE, 4),
    ]


def test_who_changed_since(bank: Place) -> None:
    """By the moment of a line; beyond a number of lines, nobody in particular."""
    assert bank.write(partial(changed_since, at=1_002, most=9)) == [_KEY]
    assert len(bank.write(partial(changed_since, at=0, most=9)) or []) == 4
    assert bank.write(partial(changed_since, at=2_000, most=9)) == []
    assert bank.write(partial(changed_since, at=0, most=6)) is None


def test_what_opens_a_line(bank: Place) -> None:
    """Until it is erased; and which line an attempt led to."""
    assert bank.write(partial(read_opening, key=_KEY, version=2)) == (
        line(2).salt,
        line(2).address,
    )
    assert bank.write(partial(read_opening, key=_KEY, version=9)) is None
    assert bank.write(partial(version_of_attempt, key=_KEY, attempt=line(3).attempt)) == 3
    assert bank.write(partial(version_of_attempt, key=_KEY, attempt=bytes(16))) is None


def test_each_walk_begins_at_an_index(bank: Place) -> None:
    """On PostgreSQL once a table is no longer small; on SQLite always."""
    questions = (
        partial(changed_since, at=1_002, most=9),
        partial(read_heads, after=_KEY, most=2),
        partial(read_chain_lines, after=(*_KEY, 1), last=_KEY, most=2),
    )
    for ask in questions:
        plan = bank.write(lambda connection, ask=ask: _plan(connection, ask))  # type: ignore[misc]
        assert "Seq Scan" not in plan, plan
        assert "SCAN a" not in plan, plan
        assert "Index Scan" in plan or "USING" in plan, plan


def _plan(connection: Connection, ask: partial[object]) -> str:
    """How the database finds what *ask* asks."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:  # noqa: ANN401 -- of any driver
        asked.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask(connection)
    event.remove(connection, "before_cursor_execute", note)
    ((statement, parameters),) = asked
    if connection.dialect.name == "sqlite":
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
    connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
    return str(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).all())
