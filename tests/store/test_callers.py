"""`sesame.store.callers`: what is looked at to know who is likely calling."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from sesame.store.callers import read_callers
from sesame.store.steps import Fate
from tests.places import Place
from tests.store.databases import enrol, step


def _plan(connection: Connection) -> list[str]:
    sent: list[tuple[str, Any]] = []

    def note(
        _connection: Connection, _cursor: object, statement: str, values: object, *_: object
    ) -> None:
        sent.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    assert read_callers(connection, since=10, most=26) == []
    event.remove(connection, "before_cursor_execute", note)
    ((statement, values),) = sent
    rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
    return [str(row[-1]) for row in rows]


def test_only_lines_since_then_are_looked_at(file: Place) -> None:
    """However many there were before."""
    enrol(file)
    plan = file.write(_plan)
    assert "SEARCH audit_lines USING INDEX audit_lines_by_moment (at>?)" in plan
    assert not any(line.startswith("SCAN audit_lines") for line in plan)


def test_a_flood_makes_it_no_slower(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many of the latest lines are looked at; the rest of them is as if older."""
    for code in ("ADA22222", "BEA22222"):
        enrol(place, code)
        assert place.swap_group([step(code, 1, at=2_000 + len(code))]) == [Fate.WON]
    refused = f'CAST(\'{{"outcome":"refused"}}\' AS {_BYTES[place.kind]})'
    place.execute(f"UPDATE audit_lines SET line = {refused} WHERE version = 2")  # noqa: S608 -- ours
    place.execute("UPDATE audit_lines SET at = 3000 WHERE version = 2 AND user_code = 'BEA22222'")

    def found() -> list[tuple[str, int, int]]:
        rows = place.write(partial(read_callers, since=10, most=26))
        return [(row.user_code, row.version, row.lines) for row in rows]

    assert found() == [("BEA22222", 2, 1), ("ADA22222", 2, 1)]
    monkeypatch.setattr("sesame.store.callers._LOOKED_AT", 1)
    assert found() == [("BEA22222", 2, 1)]


_BYTES = {"sqlite": "BLOB", "postgresql": "bytea"}
