"""A page shows its dataclass, escaped, in the browser's language."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup
from starlette.requests import Request

from sesame.catalogue import Language
from sesame.portal.help_block import HelpBlock
from sesame.web.institution import Institution
from sesame.web.opening import OpeningHours
from sesame.web.problems import ProblemPage
from sesame.web.rendering import Renderer, Site

_PAGE = ProblemPage("Cette page n’existe pas", "Revenir à l’accueil")


@dataclass(frozen=True, slots=True)
class _Page:
    name: str


def _request(language: str = "fr") -> Request:
    return Request(
        {
            "type": "http",
            "raw_path": b"/acces",
            "query_string": b"",
            "headers": [(b"cookie", f"sesame_language={language}".encode())],
        }
    )


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with templates of its own; gives their folder."""
    monkeypatch.delitem(sys.modules, "papers", raising=False)
    folder = tmp_path / "papers"
    (folder / "templates").mkdir(parents=True)
    (folder / "static").mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    return folder / "templates"


def _render(package: Path, template: str, page: object, language: str = "fr") -> str:
    (package / "page.html").write_text(template, encoding="utf-8")
    renderer = Renderer("papers", Site(institution=Institution(), demonstration=False))
    answer = renderer.render(_request(language), "page.html", page)
    return bytes(answer.body).decode()


def test_each_language_is_whole(renderer: Renderer) -> None:
    """Title, body, `lang`, the header, and the link to the other one."""
    french = renderer.render(_request("fr"), "problem.html", _PAGE)
    english = renderer.render(_request("en"), "problem.html", _PAGE, 404)
    assert (french.status_code, english.status_code) == (200, 404)
    assert french.headers["content-language"] == "fr"
    text = bytes(french.body).decode()
    assert '<html lang="fr">' in text
    assert "<title>Erreur – Cette page n’existe pas – Coop@net</title>" in text
    assert '<a href="/langue/en?retour=%2Facces" lang="en" hreflang="en">English</a>' in text
    text = bytes(english.body).decode()
    assert '<html lang="en">' in text
    assert "<title>Error – This page does not exist – Coop@net</title>" in text
    assert "<h1>This page does not exist</h1>" in text
    assert '<a href="/langue/fr?retour=%2Facces" lang="fr" hreflang="fr">Français</a>' in text


def test_what_a_page_shows_is_escaped(package: Path) -> None:
    """In the text, in an attribute, and in the place of a sentence."""
    template = '{{ page.name }}|<a title="{{ page.name }}">|{{ _("Bonjour %(n)s.", n=page.name) }}'
    text = _render(package, template, _Page('<script>"x"</script>'))
    assert "<script>" not in text
    assert text.count("&lt;script&gt;&#34;x&#34;&lt;/script&gt;") == 3


def test_markup_of_ours_fills_a_place_as_it_is(package: Path) -> None:
    """A link within a sentence, for example."""
    text = _render(
        package, '{{ _("Voir %(link)s.", link=page.name) }}', _Page(Markup("<b>ici</b>"))
    )
    assert text == "Voir <b>ici</b>."


@pytest.mark.parametrize(
    ("template", "french"),
    [
        ("{{ _('Erreur') }}", "Erreur"),
        ('{{ _("Erreur") }}', "Erreur"),
        ('{{ _("A & B") }}', "A &amp; B"),
        ('{{ _("100 % sûr") }}', "100 % sûr"),
        ('{{ say("Erreur") }}', "Erreur"),
        ("{{ say(page.name) }}", "Erreur"),
    ],
)
def test_sentences_are_translated_in_every_way(package: Path, template: str, french: str) -> None:
    """Set once at compile time, or looked up for each page: the same words."""
    assert _render(package, template, _Page("Erreur")) == french
    english = _render(package, template, _Page("Erreur"), "en")
    assert english == french.replace("Erreur", "Error")


def test_what_is_the_same_on_every_page_is_the_institutions(package: Path) -> None:
    """Set once too; what settings say is text, not a template."""
    (package / "page.html").write_text(
        "{{ site.institution.name }}|{{ tel(site.institution.telephone) }}|{{ language }}|"
        "{% for name in page.name %}{{ name }}{{ _(name) }}{% endfor %}",
        encoding="utf-8",
    )
    institution = Institution(name="<{{ page.name }}>", telephone="+33 1")
    renderer = Renderer("papers", Site(institution=institution, demonstration=False))
    text = bytes(renderer.render(_request("en"), "page.html", _Page("ab")).body).decode()
    assert text == "&lt;{{ page.name }}&gt;|tel:+331|en|aabb"


def test_what_changes_is_asked_for_at_every_page(package: Path) -> None:
    """In the language of the page, and not when the template is compiled."""
    (package / "page.html").write_text("{{ moment }}, {{ page.name }}", encoding="utf-8")
    moments = iter(["now", "later"])
    asked: list[Language] = []

    def frame(language: Language) -> Mapping[str, object]:
        asked.append(language)
        return {"moment": next(moments)}

    site = Site(institution=Institution(), demonstration=False)
    renderer = Renderer("papers", site, frame=frame)
    answers = [
        renderer.render(_request(name), "page.html", _Page("x")).body for name in ("en", "fr")
    ]
    assert answers == [b"now, x", b"later, x"]
    assert asked == [Language.ENGLISH, Language.FRENCH]


@pytest.mark.parametrize("template", ["{{ page.nothing }}", "{{ nothing }}", "{{ site.nothing }}"])
def test_a_name_that_does_not_exist_is_an_error(package: Path, template: str) -> None:
    """Not an empty place on the page."""
    with pytest.raises(jinja2.UndefinedError):
        _render(package, template, _Page("x"))


def test_a_file_that_does_not_exist_is_an_error(package: Path) -> None:
    """Found when the template is read."""
    with pytest.raises(KeyError):
        _render(package, "{{ static('nothing.css') }}", _Page("x"))


@pytest.mark.parametrize("demonstration", [True, False])
def test_a_demonstration_says_so_on_every_page(demonstration: bool) -> None:  # noqa: FBT001 -- the case
    """The ribbon, the link to what stands beside, and no search engine; else none of them."""
    site = Site(
        institution=Institution(),
        demonstration=demonstration,
        beside="http://127.0.0.1:8001/" if demonstration else None,
    )
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    renderer = Renderer("sesame.portal", site, frame=HelpBlock(OpeningHours, lambda: at))
    answer = renderer.render(_request(), "problem.html", _PAGE)
    text = bytes(answer.body).decode()
    assert ("Démonstration – banque fictive" in text) is demonstration
    assert ('href="http://127.0.0.1:8001/"' in text) is demonstration
    assert ('name="robots" content="noindex' in text) is demonstration
