"""Every command, setting, address and module is in the reference."""

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

import sesame
from sesame.bank.bank import Bank
from sesame.custody.custodian import KeyRef
from sesame.desk.desk import Desk
from sesame.desk.routes import routes as desk_routes
from sesame.portal.portal import Portal
from sesame.portal.routes import routes as portal_routes
from sesame.rest.routes import routes as rest_routes
from sesame.simulator.drawer import Drawer
from sesame.simulator.routes import Simulator, build
from sesame.web.institution import Institution
from sesame.web.rendering import Site
from tools import reference

_REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"
_NOBODY = cast("Bank", None)  # a table of addresses asks nothing of a bank


@pytest.mark.parametrize("page", reference.PARTS)
def test_pages_made_from_the_source_are_up_to_date(page: str) -> None:
    """`make reference` has nothing to do."""
    written = (_REFERENCE / f"{page}.md").read_text(encoding="utf-8")
    assert reference.filled(written, reference.PARTS[page]()) == written, "run make reference"


@pytest.mark.parametrize("page", ["", "<!-- to here --> <!-- from the source -->"])
def test_a_page_without_its_place_is_an_error(page: str) -> None:
    """A page whose comments were lost is not taken for one that is up to date."""
    with pytest.raises(ValueError, match="0 places"):
        reference.filled(page, "x")


def addresses(routes: Iterable[BaseRoute]) -> set[str]:
    """Each method and path that *routes* answer."""
    found = set()
    for route in routes:
        assert isinstance(route, Route | Mount)
        # A Mount has no methods of its own: here it is static files. Nor has the JSON
        # door's plain ASGI application, which says POST itself.
        methods = (isinstance(route, Route) and route.methods) or set()
        fallback = "GET" if isinstance(route, Mount) else "POST"
        found |= {f"{method} {route.path}" for method in (methods or {fallback}) - {"HEAD"}}
    return found


def of_portal() -> list[BaseRoute]:
    """Coop@net's table."""
    site = Site(institution=Institution(), demonstration=True)
    return portal_routes(Portal(bank=_NOBODY, site=site, random_bytes=bytes))


def of_desk() -> list[BaseRoute]:
    """The desk's table."""
    site = Site(institution=Institution(), demonstration=True)
    key = KeyRef("dpa-01")
    return desk_routes(Desk(bank=_NOBODY, site=site, random_bytes=bytes, card_key=key, card_dki=1))


def of_json_door() -> list[BaseRoute]:
    """The JSON door's table."""
    return [*rest_routes(_NOBODY, [])]


def of_simulator() -> list[BaseRoute]:
    """The simulator's table, out of what wraps its application."""
    nothing = Simulator(drawer=Drawer, portal_url="http://127.0.0.1:8000", reset=_nothing)
    (application,) = [v for v in vars(build(nothing)).values() if isinstance(v, Starlette)]
    return application.routes


async def _nothing() -> None:
    """Stands in for what makes a demonstration anew."""


@pytest.mark.parametrize(
    ("heading", "routes"),
    [
        ("Coop@net", of_portal),
        ("The desk", of_desk),
        ("JSON", of_json_door),
        ("Simulator", of_simulator),
    ],
    ids=["portal", "desk", "rest", "simulator"],
)
def test_every_address_is_listed(heading: str, routes: Callable[[], list[BaseRoute]]) -> None:
    """All of them, and no others."""
    page = (_REFERENCE / "pages.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {heading}$(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    listed = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \|", section, re.MULTILINE))
    assert listed == addresses(routes())


def test_every_public_name_is_listed() -> None:
    """What a package's `__all__` offers, names or modules, stands on the page of modules."""
    page = (_REFERENCE / "api.md").read_text(encoding="utf-8")
    for module in pkgutil.walk_packages(sesame.__path__, "sesame."):
        if module.ispkg:
            for name in getattr(importlib.import_module(module.name), "__all__", ()):
                whole = f"{module.name}.{name}"
                assert f"`{name}`" in page or f"`{whole}`" in page, whole
