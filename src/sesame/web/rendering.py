"""Pages: a template, a dataclass that lists all it may show, and the reader's language.

A template sees nothing but

- ``page``: its own dataclass, made by the handler;
- ``site``: what every page of the application shows;
- ``language``, ``languages``: the page's language; the others, as (name, code, address);
- ``static(name)``: the address of a style sheet or picture;
- ``_("…")``: a sentence, with its places filled (``%(name)s``); ``say(text)``: one that is data;
- ``tel(number)``, ``spaced(number)``: the link that dials a number, and the number as it is read;
- what the application's frame asks for at every page, and its filters (`Renderer`).

What is written into a page is escaped, and a name that does not exist is an error.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from jinja2.ext import Extension
from jinja2.nodes import Name, Output
from jinja2.parser import Parser
from markupsafe import escape
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from sesame.catalogue import Language, translator
from sesame.web.institution import Institution, spaced, tel
from sesame.web.language import OWN_NAMES, language_of, switch_address
from sesame.web.static_files import HashedFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What every page of one application shows and obeys."""

    institution: Institution
    demonstration: bool  # every page says that the bank is fictional (docs/limits.md)
    beside: str | None = None  # in a demonstration: address of the other application
    https: bool = True  # False only for plain http on loopback


class _SetOnce(Extension):
    """Puts what is the same on every page into the template when it is compiled.

    Sentences, addresses of files, the institution: what an expression says with the names of
    the environment alone. A page has some forty of them; working them out each time was more
    than half the work of a page. So no template gives one of those names to something else.
    """

    def preprocess(self, source: str, _name: str | None, _filename: str | None = None) -> str:
        return _EXPRESSION.sub(self._value, source)

    def _value(self, place: re.Match[str]) -> str:
        expression = Parser(self.environment, place[1], state="variable").parse_expression()
        names = {name.name for name in Output([expression]).find_all(Name)}
        if not names <= self.environment.globals.keys():
            return place[0]
        value = self.environment.compile_expression(place[1], undefined_to_none=False)()
        text = escape(value)
        return place[0] if "{" in text else text  # braces would be read as a template's


_EXPRESSION = re.compile(r"\{\{ (.+?) \}\}")


class Renderer:
    """The templates of one package and of `sesame.web`, compiled once for each language."""

    def __init__(
        self,
        package: str,
        site: Site,
        *,
        frame: Callable[[Language], Mapping[str, object]] | None = None,
        filters: Mapping[str, Callable[[str], str]] = {},
    ) -> None:
        """Take the templates and static files of *package*, then those of `sesame.web`.

        Args:
            package: it has a frame.html.
            site: what never changes while the application runs.
            frame: what that frame shows and does change, by name; asked at every page, so it
                should have its answer ready.
            filters: what its templates may put a value through, by name.
        """
        self.site = site
        self._frame = frame
        self._filters = filters
        self.static = HashedFiles(package, "sesame.web")
        self._environments = {
            language: self._environment(package, language) for language in Language
        }

    def render(
        self, request: HTTPConnection, template: str, page: object, status: int = 200
    ) -> HTMLResponse:
        """The page as an answer to *request*."""
        language = language_of(request)
        text = (
            self._environments[language]
            .get_template(template)
            .render(
                self._frame(language) if self._frame else {},
                page=page,
                languages=[
                    (name, other.value, switch_address(other, request))
                    for other, name in OWN_NAMES.items()
                    if other is not language
                ],
            )
        )
        return HTMLResponse(text, status, {"Content-Language": language.value})

    def _environment(self, package: str, language: Language) -> Environment:
        say = translator(language)

        def fill(sentence: str, **values: object) -> str:
            # A value may be markup of ours; a sentence of the catalogue never is.
            return escape(say(sentence)) % values if values else say(sentence)

        environment = Environment(
            loader=ChoiceLoader([PackageLoader(package), PackageLoader("sesame.web")]),
            extensions=[_SetOnce],
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters.update(self._filters)
        environment.globals.update(
            {
                "_": fill,
                "language": language.value,
                "say": say,
                "site": self.site,
                "spaced": spaced,
                "static": self.static.address,
                "tel": tel,
            }
        )
        return environment
