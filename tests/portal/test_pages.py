"""Each page, from its dataclass alone, in both languages."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from starlette.requests import Request

from sesame.bank.challenges import Challenge
from sesame.catalogue import Language
from sesame.portal.account import AccountLines, MovementLine, SignedOutPage, SpacePage
from sesame.portal.answers import AnswerPage, DisplayLine, DisplaysPage
from sesame.portal.cards import Card
from sesame.portal.connections import ConnectionLines, ConnectionsPage
from sesame.portal.help import HelpPage
from sesame.portal.help_block import HelpBlock
from sesame.portal.holding import HeldPage, HoldPage
from sesame.portal.home import AccessPage, HomePage
from sesame.portal.hours import ClosureNotice, DayHours, HelpCalendar
from sesame.portal.instructions import InstructionsIndexPage, InstructionsPage
from sesame.portal.login import LoginPage
from sesame.portal.rehearsal import BravoPage, NoRehearsalPage, RehearsalPage
from sesame.portal.signed_in import SignedIn
from sesame.portal.trial import TrialStartPage, TrialStepPage
from sesame.web.drawn_reader import Drawing
from sesame.web.institution import Institution
from sesame.web.opening import Closure, OpeningHours
from sesame.web.problems import ProblemPage
from sesame.web.rendering import Renderer, Site
from tests.portal.town import SIMULATOR

_FORM = LoginPage(
    action="/acces/sesame",
    form="00" * 16,
    proof="00" * 32,
    back="/espace",
    single="/acces/sesame",
    asking="/acces/repondre",
)
_FORMS = (
    _FORM,
    replace(_FORM, notice="<notice>", shared=True),
    replace(_FORM, user_code="<user>", message="<message>"),
    replace(_FORM, message="<message>", refused=True),
    replace(_FORM, user_code_error="<one>", code_error="<two>"),
)
_DRAWING = Drawing(lines=("<line>",), code="", card=True, next="ok", label="<label>")
_SHOWN = Drawing(lines=("<line>",), code="<code>", card=False, next="", label="<label>")
_OFF = Drawing(lines=(), code="", card=False, next="on", label="<label>")
_SESSION = SignedIn(
    here="/espace",
    view_only=False,
    replayed="<replay>",
    idle_minutes=5,
    idle_until="14:32",
    ends_at="22:32",
    left=300,
    last=False,
    login="/acces/sesame",
    prolong_proof="00",
    sign_out_proof="00",
    end_all_proof="00",
)
_VIEW_ONLY = replace(_SESSION, view_only=True, replayed=None)
_CONNECTION = ConnectionLines(id="00", here=False, means="x", opened="x", seen="x")
_ANSWERING = replace(
    _FORM,
    challenge=Challenge("<token>", "12345678", datetime(2026, 3, 2, tzinfo=UTC), b"mark"),
    drawing=_DRAWING,
    two=True,
)
_WITH_NUMBER = (
    *_FORMS,
    replace(_FORM, number_error="<number>"),
    replace(_FORM, two=True, next_code_error="<three>"),
    replace(_FORM, two=True, message="<message>", refused=True, challenge_offered=True),
    _ANSWERING,
    replace(_ANSWERING, number_error="<number>", next_code_error="<three>"),
)
_PAGES: Mapping[str, tuple[object, ...]] = {
    "home.html": (HomePage(),),
    "access.html": (AccessPage(),),
    "login.html": _FORMS,
    "two_codes.html": (*_FORMS, replace(_FORM, next_code_error="<three>")),
    "challenge.html": tuple(
        replace(
            form,
            challenge=Challenge("<token>", "12345678", datetime(2026, 3, 2, tzinfo=UTC), b"mark"),
            drawing=_DRAWING,
        )
        for form in (*_FORMS, replace(_FORM, next_code_error="<three>"))
    ),
    "old_code.html": (*_FORMS, replace(_FORM, refused=True, challenge_offered=True)),
    "activation.html": _WITH_NUMBER,
    "release.html": _WITH_NUMBER,
    "space.html": (
        SpacePage(
            session=_SESSION,
            name="<name>",
            last_login="<moment>",
            erased_old_code=False,
            opened="<opened>",
            accounts=(
                AccountLines("<account>", "0000", "1 €", (MovementLine("1", "<label>", "2 €"),)),
                AccountLines("<empty>", "0001", "0 €", ()),
            ),
        ),
        SpacePage(
            session=_SESSION,
            name="x",
            last_login=None,
            erased_old_code=False,
            opened=None,
            accounts=(),
        ),
        SpacePage(
            session=_SESSION,
            name="x",
            last_login="x",
            erased_old_code=True,
            opened=None,
            accounts=(),
        ),
        SpacePage(
            session=_VIEW_ONLY,
            name="x",
            last_login=None,
            erased_old_code=False,
            opened=None,
            accounts=(),
        ),
    ),
    "connections.html": (
        ConnectionsPage(
            session=_SESSION,
            connections=(
                replace(_CONNECTION, here=True),
                replace(_CONNECTION, means="<means>", opened="<opened>", seen="<seen>"),
            ),
            devices=7,
            done="<done>",
            end_one_proof="00",
            end_others_proof="01",
            forget_devices_proof="02",
        ),
        *(
            ConnectionsPage(
                session=_VIEW_ONLY,
                connections=(replace(_CONNECTION, here=True),),
                devices=devices,
                done=None,
                end_one_proof="00",
                end_others_proof="01",
                forget_devices_proof="02",
            )
            for devices in (0, 1)
        ),
    ),
    "hold.html": (
        HoldPage(session=_SESSION, possible=True, form="00", proof="00"),
        HoldPage(session=_VIEW_ONLY, possible=False, form="00", proof="00"),
    ),
    "held.html": (HeldPage(session=_SESSION, number="1234-5678"),),
    "rehearsal.html": (
        RehearsalPage(session=_VIEW_ONLY, form="00", proof="00"),
        RehearsalPage(session=_VIEW_ONLY, form="00", proof="00", wrong=True),
        RehearsalPage(session=_VIEW_ONLY, form="00", proof="00", message="<message>"),
        RehearsalPage(session=_VIEW_ONLY, form="00", proof="00", code_error="<error>"),
    ),
    "bravo.html": (BravoPage(_VIEW_ONLY),),
    "no_rehearsal.html": (NoRehearsalPage(_SESSION),),
    "signed_out.html": (SignedOutPage(),),
    "assistance.html": (
        HelpPage(HelpCalendar(week=(), closures=(), holidays=()), address=None),
        HelpPage(
            HelpCalendar(
                week=(DayHours("<day>", "<hours>"),),
                closures=(
                    ClosureNotice("<days>", "<reason>", Language.FRENCH),
                    ClosureNotice("<others>", "<because>", Language.ENGLISH),
                ),
                holidays=("<feast>",),
            ),
            address="https://bank.test",
        ),
    ),
    "instructions_index.html": (InstructionsIndexPage(),),
    "instructions.html": (
        InstructionsPage(Card.BANK, large=False, drawing=_SHOWN),
        InstructionsPage(Card.SESAME, large=True, drawing=_SHOWN),
    ),
    "trial_start.html": (TrialStartPage(),),
    "trial_step.html": tuple(
        TrialStepPage(
            card=card,
            number=number,
            steps=3,
            title="<heading>",
            see="<see>",
            do=("<one>", "<two>"),
            drawing=drawing,
        )
        for number, card, drawing in [
            (1, Card.BANK, _OFF),
            (2, Card.SESAME, _DRAWING),
            (3, Card.BANK, _SHOWN),
        ]
    ),
    "displays.html": (
        DisplaysPage(
            card=Card.BANK,
            calm=(
                DisplayLine("off", Drawing(lines=(), code="", card=True, next="", label=""), "<t>"),
                DisplayLine(
                    "code",
                    Drawing(lines=("<words>",), code="<code>", card=True, next="", label=""),
                    "<heading>",
                ),
            ),
            others=(),
        ),
    ),
    "answer.html": (
        AnswerPage(
            card=Card.SESAME,
            title="<heading>",
            meaning="<meaning>",
            do=("<one>", "<two>"),
            step=2,
            drawing=_DRAWING,
        ),
    ),
}
_OPEN = datetime(2026, 3, 2, 13, 17, tzinfo=UTC)
_CLOSED = datetime(2026, 3, 1, 13, 17, tzinfo=UTC)
# What other pages are made of.
_AROUND = {
    "field.html",
    "challenge_number.html",
    "challenge_steps.html",
    "opening.html",
    "way_in.html",
    "check_a_code.html",
    "first_time.html",
    "frame.html",
    "help.html",
    "learn.html",
    "signed_in.html",
}
_CASES = [(template, page) for template, pages in _PAGES.items() for page in pages]
# A word that only French has, and that no name of a person, a product or a language is.
_FRENCH = re.compile(
    r"\b(?:votre|vous|vos|nous|avec|les|une|des|est|compte|connexion)\b", re.IGNORECASE
)


def _render(template: str, page: object, language: Language) -> str:
    site = Site(institution=Institution(), demonstration=True, beside=SIMULATOR, https=False)
    request = Request(
        {
            "type": "http",
            "raw_path": b"/",
            "query_string": b"",
            "headers": [(b"cookie", f"sesame_language={language}".encode())],
        }
    )
    return bytes(_renderer(site).render(request, template, page).body).decode()


def _renderer(site: Site, at: datetime = _OPEN) -> Renderer:
    block = HelpBlock(lambda: site.institution.hours, lambda: at)
    return Renderer("sesame.portal", site, frame=block)


def test_no_page_is_left_out() -> None:
    """Every template of the portal has a page here, or is part of one."""
    import sesame.portal  # noqa: PLC0415 -- for its folder only

    folder = Path(sesame.portal.__path__[0], "templates")
    assert {path.name for path in folder.iterdir()} == _AROUND | set(_PAGES)


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("template", "page"), _CASES)
def test_every_page_is_sound(template: str, page: object, language: Language) -> None:
    """One `h1`, a title that says where, labels that lead to fields, nothing unescaped."""
    text = _render(template, page, language)
    assert text.startswith("<!doctype html>")
    assert f'<html lang="{language}">' in text
    assert len(re.findall("<h1[ >]", text)) == 1
    title = re.search("<title>(.*)</title>", text)
    assert title
    assert "Coop@net" in title[1]
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for name in re.findall(r' (?:for|aria-labelledby|aria-describedby)="([^"]+)"', text):
        assert set(name.split()) <= set(ids)
    for word in re.findall(r"'<(\w+)>'", repr(page)):
        assert f"<{word}>" not in text
        assert f"&lt;{word}&gt;" in text


@pytest.mark.parametrize(("template", "page"), _CASES)
def test_english_is_whole(template: str, page: object) -> None:
    """No French is left over but what is marked as French."""
    page_text = _render(template, page, Language.ENGLISH)
    text = re.sub(r'<(a|span) [^>]*lang="fr".*?</\1>', "", page_text)
    words = re.sub(r"<[^>]+>", " ", text)
    assert not _FRENCH.search(words)
    for attribute in re.findall(r'(?:alt|aria-label|title)="([^"]*)"', text):
        assert not _FRENCH.search(attribute)


def test_an_error_is_in_the_title() -> None:
    """Read aloud first, before anything else of the page."""
    for template, page in _CASES:
        if isinstance(page, LoginPage):
            text = _render(template, page, Language.FRENCH)
            assert ("<title>Erreur – " in text) is page.error


def test_a_production_page_has_no_ribbon() -> None:
    """The same templates without a demonstration."""
    site = Site(institution=Institution(), demonstration=False)
    scope = {"type": "http", "raw_path": b"/", "query_string": b"", "headers": []}
    text = bytes(_renderer(site).render(Request(scope), "home.html", HomePage()).body).decode()
    assert "ribbon" not in text
    assert "noindex" not in text


def test_the_error_page_too() -> None:
    """problem.html is shared, and has the portal's frame with its help."""
    page = ProblemPage("Cette page n’existe pas", "Revenir à l’accueil")
    text = _render("problem.html", page, Language.FRENCH)
    assert "Banque coopérative du Tilleul" in text
    assert "<title>Erreur – Cette page n’existe pas – Coop@net</title>" in text
    assert text.count('<aside class="help"') == 1


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(("template", "page"), _CASES)
def test_help_stands_on_every_page_once(template: str, page: object, language: Language) -> None:
    """In a landmark with a name, outside of what the page itself says."""
    text = _render(template, page, language)
    assert text.count('<aside class="help" id="aide" aria-labelledby="help-title">') == 1
    assert text.index("</main>") < text.index('<aside class="help"') < text.index("<footer")


@pytest.mark.parametrize(
    ("at", "language", "said"),
    [
        (_OPEN, Language.FRENCH, "<strong>Ouverte en ce moment, jusqu’à\u00a018\u00a0h.</strong>"),
        (_OPEN, Language.ENGLISH, "<strong>Open now, until 18:00.</strong>"),
        (_CLOSED, Language.FRENCH, "<strong>Fermée en ce moment.</strong>"),
        (_CLOSED, Language.FRENCH, "Réouverture lundi 2\u00a0mars à\u00a08\u00a0h."),
        (_CLOSED, Language.ENGLISH, "Opens again on Monday 2\u00a0March at 08:00."),
    ],
)
def test_help_says_whether_somebody_answers(at: datetime, language: Language, said: str) -> None:
    """In words; a colour and a sign only repeat it."""
    assert said in _help(OpeningHours(), at, language)


@pytest.mark.parametrize("language", Language)
def test_help_announces_a_closure(language: Language) -> None:
    """A reason that is French on an English page says so to a screen reader (WCAG 3.1.2)."""
    closure = Closure(first=date(2026, 3, 9), last=date(2026, 3, 9), reason="<Travaux>")
    text = _help(OpeningHours(closures=(closure,)), _OPEN, language)
    marked = "" if language is Language.FRENCH else ' lang="fr"'
    assert f"<span{marked}>&lt;Travaux&gt;</span>" in text


def _help(hours: OpeningHours, at: datetime, language: Language) -> str:
    site = Site(institution=Institution(hours=hours), demonstration=False)
    headers = [(b"cookie", f"sesame_language={language}".encode())]
    scope = {"type": "http", "raw_path": b"/", "query_string": b"", "headers": headers}
    page = _renderer(site, at).render(Request(scope), "home.html", HomePage())
    return bytes(page.body).decode()
