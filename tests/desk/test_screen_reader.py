"""The desk for staff who listen: what is said on its most important pages, in its order.

As `tests/portal/test_screen_reader.py`; each page of the desk is listened to in `test_wcag.py`.
"""

from collections.abc import Mapping

import pytest
from playwright.async_api import Page, expect

from tests.chromium import enter, follow
from tests.desk.mistakes import begin_shift
from tests.desk.test_browser import Corridor, chromium, corridor  # noqa: F401 -- fixtures
from tests.portal.town import wrong_code
from tests.screen_reader import Heard, assert_sound, listen

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]

_BANNER = {
    "fr": ["[complementary « Démonstration »]", "[banner]", "[navigation « Langue »]", "[main]"],
    "en": [
        "[complementary « Demonstration »]",
        "[banner]",
        "[navigation « Language »]",
        "[main]",
    ],
}
AROUND: Mapping[str, list[str]] = {
    language: [*banner, "[contentinfo]"] for language, banner in _BANNER.items()
}
AROUND_SIGNED_IN: Mapping[str, list[str]] = {
    "fr": [
        *_BANNER["fr"],
        "[navigation « Guichet »]",
        "[complementary « À ne jamais demander »]",
        "[contentinfo]",
    ],
    "en": [
        *_BANNER["en"],
        "[navigation « Desk »]",
        "[complementary « Never ask for this »]",
        "[contentinfo]",
    ],
}


async def _arrive(page: Page, title: str, *, keyboard: str = "the page") -> Heard:
    """The page is there: its title is read first, then the voice is where the keyboard is."""
    await expect(page).to_have_title(title)
    await page.wait_for_load_state()
    heard = await listen(page)
    assert (heard.title, heard.focus) == (title, keyboard), str(heard)
    signed_in = "/connexion" not in page.url
    assert_sound(heard, (AROUND_SIGNED_IN if signed_in else AROUND)[heard.language])
    return heard


async def test_signing_in(corridor: Corridor) -> None:  # noqa: F811 -- the fixture
    """Refused once, which is heard at the code; in; too long without a word, which is told."""
    ada = corridor.office.ada
    staff_code = "Les 7 caractères reçus à l’ouverture de votre compte."
    code = "Les 8 chiffres affichés par votre lecteur, avec ou sans espace."
    refused = (
        "Connexion refusée. Vérifiez votre code d’agent, puis faites un nouveau code Sésame : un "
        "code ne sert qu’une fois."
    )
    async with corridor.visitor(script=True) as page:
        await page.goto("/guichet/connexion")
        form = await _arrive(page, "Connexion au guichet – Guichet")
        assert form.lines[0] == "link: Aller au contenu"
        form.says(
            "[banner]",
            "link: Guichet Banque coopérative du Tilleul",
            "[main]",
            "heading 1: Connexion au guichet",
            "[form « Connexion au guichet »]",
            f"field: Code d’agent, required – {staff_code}",
            f"field: Code Sésame, required – {code}",
            "button: Valider",
            "[end of form]",
            "heading 2: Avant d’entrer",
            "link: Entrez deux codes de suite",
            "[contentinfo]",
        )
        assert "[alert]" not in form.lines
        for name, purpose in (("staff_code", "username"), ("code", "one-time-code")):
            assert await page.get_attribute(f"#{name}", "autocomplete") == purpose
        await page.get_by_role("textbox", name="Code d’agent").fill(ada.typed)
        wrong = wrong_code(await corridor.office.code_of(ada))
        await page.get_by_role("textbox", name="Code Sésame").fill(wrong)
        await enter(page)
        again = await _arrive(
            page,
            "Erreur – Connexion au guichet – Guichet",
            keyboard=f"field: Code Sésame, required – {refused} {code}",
        )
        assert again.within("alert") == [refused, "link: Entrez deux codes de suite"]
        again.says(f"field: Code d’agent, required, says {ada.typed} – {staff_code}")
        await corridor.log_in(page, ada)
        home = await _arrive(page, "Accueil – Guichet")
        home.says(
            "[main]",
            "heading 1: Accueil",
            "Ada Lemoine, Conseiller",
            "Sans activité pendant 5 minutes, votre session se ferme : "
            "à 14 h 22 si vous ne faites rien.",
            "link: Prolonger la session",
            "button: Se déconnecter",
            "[navigation « Guichet »]",
            "link: Chercher un abonné",
            "[complementary « À ne jamais demander »]",
            "heading 2: Qui appelle sans doute",
            "heading 2: Ce qui vous attend",
        )
        corridor.office.town.clock.advance(minutes=6)
        await follow(page, "text=Prolonger la session")
        over = await _arrive(page, "Connexion au guichet – Guichet")
        assert over.within("status")[0].startswith("Votre session est terminée : après quelques")


async def test_a_call(corridor: Corridor) -> None:  # noqa: F811 -- the fixture
    """A customer who is suspended; the form, and where in it something was forgotten."""
    await begin_shift(corridor.office)
    too_few = (
        "Posez au moins 2 de ces questions, dont la dernière connexion ou la référence d’une "
        "lettre, et cochez-les : l’adresse et la carte sont aussi dans un portefeuille volé."
    )
    questions = (
        "[group « Questions posées, et bien répondues »] – 2 au moins, dont la dernière connexion "
        "ou la référence de la lettre. Les réponses ne s’écrivent nulle part."
    )
    async with corridor.visitor(script=True) as page:
        await corridor.log_in(page, corridor.office.ada)
        await page.goto("/guichet/client/VERA2345")
        customer = await _arrive(page, "Véra Tissot – Guichet")
        customer.says(
            "heading 1: Véra Tissot",
            "[complementary « À ne jamais demander »]",
            "[region « Qui »]",
            "Code utilisateur",
            "VERA2345",
            "[region « Accès »]",
            "• Suspendu jusqu’à 14 h 33, puis l’accès se rouvre seul.",
            "[region « Cartes »]",
            "Carte Sésame ••••7895 – Bloquée",
            "[region « Ce que vous pouvez faire »]",
            "link: Lever une suspension",
            "[region « Ce qui s’est passé »]",
            "[list]",
            "à 14 h 17",
            "Trop d’échecs : accès suspendu jusqu’à 14 h 33.",
            "[end of list]",
        )
        await follow(page, "text=Lever une suspension")
        form = await _arrive(page, "Lever une suspension – Guichet")
        form.says(
            "Pour Véra Tissot, code utilisateur VERA2345.",
            "[form « Lever une suspension »]",
            questions,
            "box: La date de sa dernière connexion, not ticked",
            "[end of group]",
            "[group « Raison »]",
            "choice: Codes mal recopiés, not chosen",
            "[end of group]",
            "button: Lever la suspension",
        )
        await follow(page, "form.panel button")
        title = "Erreur – Lever une suspension – Guichet"
        first = f"box: La date de sa dernière connexion, not ticked, wrong – {too_few}"
        forgotten = await _arrive(page, title, keyboard=first)
        forgotten.says(
            "[alert]",
            "Rien n’a été fait : la saisie est à corriger.",
            questions,
            first,
            "[group « Raison »]",
            "choice: Codes mal recopiés, not chosen, wrong – Choisissez une raison.",
        )
        await page.check("#asked-letter-1")
        await page.check("#asked-card-1")
        await follow(page, "form.panel button")
        half = await _arrive(
            page,
            title,
            keyboard="choice: Codes mal recopiés, not chosen, wrong – Choisissez une raison.",
        )
        half.says("box: La référence de notre dernière lettre, ticked")


async def test_a_call_in_english(corridor: Corridor) -> None:  # noqa: F811 -- the fixture
    """The same pages say that they are English, and what is wrong with them in English."""
    await begin_shift(corridor.office)
    first = (
        "box: The date of the last login, not ticked, wrong – Ask at least 2 of these questions, "
        "one of them the last login or the reference of a letter, and tick them: address and card "
        "stand in a stolen wallet too."
    )
    async with corridor.visitor(script=True, language="en") as page:
        await page.goto("/guichet/connexion")
        assert (await _arrive(page, "Sign in to the desk – Desk")).language == "en"
        await corridor.log_in(page, corridor.office.ada)
        await page.goto("/guichet/client/VERA2345")
        assert (await _arrive(page, "Véra Tissot – Desk")).language == "en"
        await page.goto("/guichet/client/VERA2345/suspension")
        await follow(page, "form.panel button")
        await _arrive(page, "Error – Lift a suspension – Desk", keyboard=first)
