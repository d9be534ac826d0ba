"""Whatever is typed into a field of the desk: no card number is kept in clear or shown again."""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack
from html import unescape
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Connection, inspect, text
from starlette.datastructures import QueryParams
from starlette.routing import Route

from sesame.desk.requests import CARD_FORMS
from sesame.desk.routes import routes
from sesame.store.schema import migrate
from tests.desk.office import Office, open_office
from tests.desk.test_pages import desk_of
from tests.desk.walk import Form, Walk, walk_desk
from tests.portal.browser import Browser
from tests.postgresql import Cluster

_PAN = "4970101234567893"
_ODD = ("VERA\x00345", "9" * 5000)
_EITHER = ["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("postgresql"))]
_SPELT = (_PAN, "4970 1012 3456 7893", "4970.1012.3456.7893", f"PAN {_PAN} PIN 4711")


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """An empty database on PostgreSQL for a test that says so; else None."""
    if getattr(request, "param", "sqlite") == "sqlite":
        yield None
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    name = cluster.new_database()
    migrate(cluster.url(name))
    yield cluster.url(name)
    cluster.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def office(tmp_path: Path, url: str | None) -> AsyncIterator[Office]:
    """A bank with its staff, on either kind of database."""
    office = await open_office(tmp_path, url)
    yield office
    await office.bank.store.close()


@pytest.fixture
async def walk(office: Office) -> AsyncIterator[Walk]:
    """The whole desk, walked through."""
    async with AsyncExitStack() as stack:
        yield await walk_desk(office, stack)


async def test_every_form_is_met(walk: Walk) -> None:
    """Whatever address takes a form is among those that the tests below send."""
    actions = {form.action for _, form in walk.forms}
    for route in routes(desk_of(walk.office)):
        if isinstance(route, Route) and "POST" in (route.methods or ()):
            met = [action for action in actions if route.path_regex.match(action)]
            assert met, f"no page led to the form of {route.path}"


async def test_no_card_number_comes_back(walk: Walk) -> None:
    """From no field, whether what stands beside it is right or missing; and none is kept."""
    for browser, form in walk.forms:
        for wrong in form.fields:
            if wrong.is_written:
                for typed in _SPELT:
                    for good in (walk.good, {}):
                        sent = form.filled(good) | {wrong.name: typed}
                        await _send(browser, form, sent, wrong.name)
    assert not [place async for place in _in_clear(walk.office)]


async def test_what_is_no_user_code_does_not_come_back(walk: Walk) -> None:
    """It may be a PIN; what is right beside it stays."""
    about_somebody = [
        (browser, form)
        for browser, form in walk.forms
        if any(one.name == "user_code" and one.is_written for one in form.fields)
    ]
    for browser, form in about_somebody:
        sent = form.filled(walk.good) | {"user_code": "c’est 4711"}
        answer = await browser.post(form.action, data=sent)
        assert answer.status_code == 422, form.action
        assert "4711" not in answer.text, form.action
        assert f'value="{sent["reason"]}"' in answer.text, form.action
    assert {form.action for _, form in about_somebody} == {address for _, _, address in CARD_FORMS}


@pytest.mark.parametrize("url", _EITHER, indirect=True)
async def test_nothing_in_a_field_is_unhandled(walk: Walk) -> None:
    """NUL, which PostgreSQL takes in no text, and more digits than Python reads as a number."""
    for browser, form in walk.forms:
        for name in dict.fromkeys(one.name for one in form.fields):
            for odd in _ODD:
                answer = await browser.post(form.action, data=form.filled(walk.good) | {name: odd})
                assert answer.status_code < 500, (form.action, name, odd[:9])


@pytest.mark.parametrize("url", _EITHER, indirect=True)
async def test_nothing_in_an_address_is_unhandled(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Likewise, under each name that a page asks for, beside what its own links say."""
    names: set[str] = set()
    get = QueryParams.get

    def get_and_note(self: QueryParams, name: str, default: str = "") -> str:
        names.add(name)
        found: str = get(self, name, default)
        return found

    monkeypatch.setattr(QueryParams, "get", get_and_note)
    async with AsyncExitStack() as stack:
        walk = await walk_desk(office, stack)
        asked = frozenset(names)
        assert {"rappels", "apres", "avant", "abonne", "agent", "demande", "raison"} <= asked
        for walker in walk.walkers.values():
            for page in _of_each_kind(walker.pages):
                for name in sorted(asked):
                    for odd in _ODD:
                        address = httpx.URL(page).copy_set_param(name, odd)
                        answer = await walker.browser.get(address)
                        assert answer.status_code < 500, (page, name, odd[:9])


def _of_each_kind(pages: Iterable[str]) -> list[str]:
    """One address of those that differ in values only."""
    kinds = {}
    for page in pages:
        url = httpx.URL(page)
        kinds[url.path, *url.params] = page
    return list(kinds.values())


async def _send(browser: Browser, form: Form, sent: dict[str, str], name: str) -> None:
    answer = await browser.post(form.action, data=sent)
    assert answer.status_code < 500
    assert not _shows(answer.text), (form.action, name)
    if answer.status_code == 303:
        assert not _shows(answer.headers["location"]), (form.action, name)
        there = await browser.get(answer.headers["location"])
        assert not _shows(there.text), (form.action, name)


def _shows(page: str) -> bool:
    """Whether the number stands there, however it is grouped."""
    return _PAN in re.sub(r"[\s._/-]", "", unescape(page))


async def _in_clear(office: Office) -> AsyncIterator[str]:
    """The tables and columns in which the number stands."""

    def look(connection: Connection) -> Iterator[str]:
        for table in inspect(connection).get_table_names():
            for row in connection.execute(text(f"SELECT * FROM {table}")).mappings():  # noqa: S608 -- the schema's own names
                for column, value in row.items():
                    said = value.decode("latin-1") if isinstance(value, bytes) else str(value)
                    if _shows(said):
                        yield f"{table}.{column}"

    for place in await office.bank.store.read(lambda connection: list(look(connection))):
        yield place
