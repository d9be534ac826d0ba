"""The way of a customer who listens: what is said on each page, in its order.

By the browser's accessibility tree (`tests/screen_reader.py`), which every screen reader goes by.
Orca, NVDA and VoiceOver themselves are not tried here.
"""

from collections.abc import Mapping

import pytest
from playwright.async_api import Page, expect

from sesame.catalogue import Language, translator
from sesame.portal.trial import STEPS
from sesame.web.drawn_reader import draw, sentence_of
from tests.chromium import enter
from tests.portal.street import PAGES, Street
from tests.screen_reader import Heard, assert_sound, listen

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.asyncio(loop_scope="module")]

_LANDMARKS: Mapping[str, list[str]] = {
    "fr": [
        "[complementary « Démonstration »]",
        "[banner]",
        "[navigation « Langue »]",
        "[main]",
        "[complementary « Besoin d’aide ? »]",
        "[contentinfo]",
    ],
    "en": [
        "[complementary « Demonstration »]",
        "[banner]",
        "[navigation « Language »]",
        "[main]",
        "[complementary « Need help? »]",
        "[contentinfo]",
    ],
}
_USER_CODE = "Les 8 caractères que la banque vous a donnés. Il ne change pas."
_CODE = "Les 8 chiffres affichés par votre lecteur, avec ou sans espace."
_SHARED = (
    "box: Ordinateur partagé ou public, not ticked – Cochez la case si d’autres que vous s’en "
    "servent : nous ne le retiendrons pas."
)
_REFUSED = (
    "Connexion refusée. Vérifiez votre code utilisateur, puis générez un nouveau code Sésame : "
    "un code ne sert qu’une fois."
)
_PIN = "N’entrez jamais ici le code secret de votre carte."


async def _arrive(page: Page, title: str, *, keyboard: str = "the page") -> Heard:
    """The page is there: its title is read first, then the voice is where the keyboard is."""
    await expect(page).to_have_title(title)
    await page.wait_for_load_state()
    heard = await listen(page)
    assert (heard.title, heard.focus) == (title, keyboard), str(heard)
    assert_sound(heard, _LANDMARKS[heard.language])
    return heard


async def test_in_and_out_again(street: Street) -> None:
    """From the home page, refused once, to the accounts, and away."""
    async with street.visitor() as page:
        await page.goto("/")
        home = await _arrive(page, "Coop@net – Banque coopérative du Tilleul")
        assert home.lines[0] == "link: Aller au contenu"
        home.says(
            "[banner]",
            "link: Coop@net Banque coopérative du Tilleul",
            "[main]",
            "heading 1: Votre banque en ligne, ouverte avec votre carte",
            "link: Accès abonnés",
            "link: Faites un premier essai",
            "link: lisez le mode d’emploi",
            "[complementary « Besoin d’aide ? »]",
            "link: 01 99 00 26 40, assistance téléphonique",
            "Ouverte en ce moment, jusqu’à 18 h.",
            "link: 01 99 00 26 41, cartes perdues ou volées",
            "[contentinfo]",
        )

        await page.get_by_role("link", name="Accès abonnés").click()
        choice = await _arrive(page, "Accès à vos comptes – Coop@net")
        choice.says(
            "heading 1: Accès à vos comptes",
            "Cliquez sur votre moyen de connexion.",
            "link: Lecteur Sésame avec votre carte bancaire ou votre carte Sésame",
            "Pas encore de lecteur, ou pas encore de première connexion avec lui ?",
            "link: Connexion avec votre ancien code confidentiel",
        )

        await page.get_by_role("link", name="Lecteur Sésame").click()
        form = await _arrive(page, "Connexion avec le lecteur Sésame – Coop@net")
        form.says(
            "heading 1: Connexion avec le lecteur Sésame",
            "[form « Connexion avec le lecteur Sésame »]",
            f"field: Code utilisateur, required – {_USER_CODE}",
            f"field: Code Sésame, required – {_CODE}",
            _SHARED,
            "button: Valider",
            "[end of form]",
            "heading 2: Obtenir un code Sésame",
            "1. Insérez votre carte dans le lecteur, puce vers le haut.",
            "2. Appuyez sur la touche « Code ».",
            "[end of list]",
        )
        assert "[alert]" not in form.lines

        await page.get_by_role("textbox", name="Code utilisateur").fill("NOBODY23")
        await page.get_by_role("textbox", name="Code Sésame").fill("3456 7890")
        await enter(page)
        refused = await _arrive(
            page,
            "Erreur – Connexion avec le lecteur Sésame – Coop@net",
            keyboard=f"field: Code Sésame, required – {_REFUSED} {_CODE}",
        )
        assert refused.within("alert") == [
            _REFUSED,
            "Votre carte a beaucoup servi ailleurs, ou le code est encore refusé ?",
            "link: Entrez deux codes de suite",
            "Nouvelle carte, jamais utilisée ?",
            "link: Activez-la d’abord",
            "Vous aviez bloqué vos codes ?",
            "link: Débloquez-les",
        ]
        refused.says(
            "heading 1: Connexion avec le lecteur Sésame",
            "[alert]",
            "[form « Connexion avec le lecteur Sésame »]",
            f"field: Code utilisateur, required, says NOBODY23 – {_USER_CODE}",
        )

        await page.get_by_role("textbox", name="Code utilisateur").fill("VERA2345")
        code = await street.town.code_of(street.town.vera)
        await page.get_by_role("textbox", name="Code Sésame").fill(code)
        await enter(page)
        await page.wait_for_url("**/espace")
        space = await _arrive(page, "Votre espace Coop@net – Banque coopérative du Tilleul")
        space.says(
            "heading 1: Votre espace Coop@net",
            "Bonjour Véra Tissot.",
            "Sans activité pendant 5 minutes, votre session se ferme : "
            "à 14 h 22 si vous ne faites rien.",
            "link: Prolonger la session",
            "button: Se déconnecter",
            "[region « Vos comptes »]",
            "heading 2: Vos comptes",
            "[article « Compte de l’association »]",
            "heading 3: Compte de l’association",
            "Solde : 2 418,97 €",
            "[table « Dernières opérations »]",
            "Date | Opération | Montant",
            "28/02/2026 | Assurance de l’association | −252,53 €",
        )

        await page.get_by_role("button", name="Se déconnecter").click()
        await page.wait_for_url("**/deconnexion")
        away = await _arrive(page, "Vous êtes déconnecté – Coop@net")
        away.says(
            "heading 1: Vous êtes déconnecté",
            "Votre session est fermée. Retirez votre carte du lecteur et rangez-la.",
            "link: Accès à vos comptes",
        )


async def test_in_and_out_again_in_english(street: Street) -> None:
    """The language first, in its own name; then the same way."""
    async with street.visitor() as page:
        await page.goto("/")
        french = await _arrive(page, "Coop@net – Banque coopérative du Tilleul")
        assert french.foreign == (("en", "English"),)
        await page.get_by_role("link", name="English").click()
        home = await _arrive(page, "Coop@net – Linden Cooperative Bank")
        assert home.language == "en"
        assert ("fr", "Français") in home.foreign
        await page.get_by_role("link", name="Subscriber access").click()
        await _arrive(page, "Access to your accounts – Coop@net")
        await page.get_by_role("link", name="Sésame reader").click()
        await _arrive(page, "Login with the Sésame reader – Coop@net")
        await page.get_by_role("textbox", name="User code").fill("NOBODY23")
        await page.get_by_role("textbox", name="Sésame code").fill("34567890")
        await enter(page)
        refused = "Login refused. Check your user code, then make a new Sésame code: "
        refused += "a code works only once."
        hint = "The 8 digits that your reader shows, with or without a space."
        again = await _arrive(
            page,
            "Error – Login with the Sésame reader – Coop@net",
            keyboard=f"field: Sésame code, required – {refused} {hint}",
        )
        again.says("[alert]", refused, "link: Type two codes in a row", "[end of alert]")
        await page.get_by_role("textbox", name="User code").fill("VERA2345")
        code = await street.town.code_of(street.town.vera)
        await page.get_by_role("textbox", name="Sésame code").fill(code)
        await enter(page)
        await page.wait_for_url("**/espace")
        space = await _arrive(page, "Your Coop@net space – Linden Cooperative Bank")
        space.says("heading 1: Your Coop@net space", "button: Log out", "heading 2: Your accounts")
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url("**/deconnexion")
        await _arrive(page, "You are logged out – Coop@net")


async def test_a_slip_is_heard_at_its_field(street: Street) -> None:
    """What was wrong comes before the hint; the keyboard is in the first wrong field."""
    wrong_user_code = "Votre code utilisateur a 8 caractères, chiffres ou lettres sans accent."
    wrong_code = f"Un code Sésame a 8 chiffres : ceux que votre lecteur affiche. {_PIN}"
    async with street.visitor() as page:
        await page.goto("/acces/sesame")
        await page.get_by_role("textbox", name="Code utilisateur").fill("VERA")
        await page.get_by_role("textbox", name="Code Sésame").fill("1234")
        await enter(page)
        both = await _arrive(
            page,
            "Erreur – Connexion avec le lecteur Sésame – Coop@net",
            keyboard=f"field: Code utilisateur, required, wrong – {wrong_user_code} {_USER_CODE}",
        )
        both.says(
            "[alert]",
            "La saisie est à corriger. Aucun essai n’a été compté.",
            "[form « Connexion avec le lecteur Sésame »]",
            f"field: Code Sésame, required, wrong – {wrong_code} {_CODE}",
        )
        await page.get_by_role("textbox", name="Code utilisateur").fill("VERA2345")
        await page.get_by_role("textbox", name="Code Sésame").fill("1234")
        await enter(page)
        await _arrive(
            page,
            "Erreur – Connexion avec le lecteur Sésame – Coop@net",
            keyboard=f"field: Code Sésame, required, wrong – {wrong_code} {_CODE}",
        )


async def test_two_codes(street: Street) -> None:
    """Two fields whose names tell which is which."""
    async with street.visitor() as page:
        await page.goto("/acces/deux-codes")
        form = await _arrive(page, "Connexion avec deux codes de suite – Coop@net")
        another = "Éteignez et rallumez le lecteur, puis faites un nouveau code avec la même carte."
        form.says(
            "heading 1: Connexion avec deux codes de suite",
            "[form « Connexion avec deux codes de suite »]",
            f"field: Code utilisateur, required – {_USER_CODE}",
            f"field: Premier code Sésame, required – {_CODE}",
            f"field: Second code Sésame, required – {another}",
            _SHARED,
            "button: Valider",
            "heading 2: Pourquoi deux codes ?",
            "link: Connexion avec un seul code",
        )
        await page.get_by_role("textbox", name="Code utilisateur").fill("VERA2345")
        await page.get_by_role("textbox", name="Premier code Sésame").fill("3456 7890")
        await page.get_by_role("textbox", name="Second code Sésame").fill("1")
        await enter(page)
        again = await listen(page)
        assert again.title == "Erreur – Connexion avec deux codes de suite – Coop@net"
        assert again.focus.startswith("field: Second code Sésame, required, wrong – "), str(again)
        assert again.focus.endswith(another), str(again)


async def test_the_old_code(street: Street) -> None:
    """It is said not to be the card's; what is typed is not spoken."""
    async with street.visitor() as page:
        await page.goto("/acces/ancien-code")
        hint = "Celui de Coop@net avant Sésame. Ce n’est pas le code secret de votre carte : "
        hint += "ne l’entrez jamais ici."
        form = await _arrive(page, "Connexion avec votre ancien code confidentiel – Coop@net")
        form.says(
            "[form « Connexion avec votre ancien code confidentiel »]",
            f"field: Code utilisateur, required – {_USER_CODE}",
            f"field: Ancien code confidentiel, required – {hint}",
            "button: Valider",
            "heading 2: En attendant Sésame",
            "link: Connexion avec le lecteur Sésame",
        )
        await page.get_by_label("Ancien code confidentiel", exact=True).fill("secret-1971")
        spoken = await listen(page)
        assert "secret-1971" not in str(spoken)


async def test_help(street: Street) -> None:
    """The topics as a named navigation, the hours as a table, each number with whose it is."""
    async with street.visitor() as page:
        await page.goto("/aide")
        heard = await _arrive(page, "Aide – Coop@net")
        heard.says(
            "heading 1: Aide",
            "[navigation « Sur cette page »]",
            "link: Carte perdue ou volée",
            "link: Reconnaître une fraude",
            "[region « Nous appeler »]",
            "link: 01 99 00 26 40, assistance téléphonique",
            "Ouverte en ce moment, jusqu’à 18 h. Réouverture mardi 3 mars à 8 h.",
            "[table « Horaires de l’assistance téléphonique (heure de Paris) »]",
            "Jour | Horaires",
            "Samedi | De 9 h 30 à 13 h 30",
            "Dimanche | Fermée",
            "[region « Carte perdue ou volée »]",
            "heading 2: Carte perdue ou volée",
            "link: 01 99 00 26 41, cartes perdues ou volées",
            "[region « Reconnaître une fraude »]",
        )


async def test_an_instruction_sheet(street: Street) -> None:
    """The steps as a list in letters; each drawn key is named where it is pressed."""
    async with street.visitor() as page:
        await page.goto("/mode-d-emploi/carte-bancaire")
        heard = await _arrive(page, "Mode d’emploi avec une carte bancaire – Coop@net")
        heard.says(
            "heading 1: Mode d’emploi avec une carte bancaire",
            "link: Prenez le mode d’emploi avec une carte Sésame.",
            "link: Lire et imprimer en gros caractères",
            "heading 2: 1. Faites un premier essai",
            "[list]",
            "a. Glissez votre carte bancaire dans le lecteur, puce vers le haut. "
            "Le lecteur s’allume.",
            "b. Choisissez de faire un code : appuyez sur la touche « Code ».",
            "image: Dessin de la touche « Code » : large, bleu clair, en haut à gauche du clavier.",
            "d. Confirmez avec la touche « OK ».",
            "image: Dessin de la touche « OK » : verte, en bas à droite.",
            "image: Dessin du lecteur Sésame. L’écran affiche : Code Sésame, 0 0 0 0, 0 0 0 0, "
            "une barre compte les 35 secondes. La carte est dans le lecteur.",
            "heading 2: Conseil pratique",
            "heading 2: Le lecteur affiche autre chose ?",
        )


@pytest.mark.parametrize("language", Language)
async def test_the_first_trial(street: Street, language: Language) -> None:
    """Each step: its title, its drawing by the display's own words, what to do, where to go on."""
    say = translator(language)
    async with street.visitor(language=language) as page:
        await page.goto("/premier-essai/carte-sesame/1")
        for number, step in enumerate(STEPS, 1):
            await page.wait_for_url(f"**/{number}")
            where = say("Étape %(number)s sur %(steps)s") % {"number": number, "steps": len(STEPS)}
            heard = await listen(page)
            assert_sound(heard, _LANDMARKS[heard.language])
            label = " ".join(draw(step.face, language).label.split())
            assert " ".join(sentence_of(step.face, language).split()) in label
            assert "?." not in label
            heard.says("[main]", f"image: {label}", where, f"heading 1: {_plain(say(step.title))}")
            assert heard.title.startswith(where), str(heard)
            assert _plain(say(step.title)) in heard.title, str(heard)
            if number < len(STEPS):
                await page.get_by_role("link", name=say("Étape suivante")).click()


def _plain(text: str) -> str:
    return " ".join(text.split())


async def test_the_link_to_the_content_takes_the_keyboard_there(street: Street) -> None:
    """WCAG 2.4.1: past the ribbon and the header, which every page repeats."""
    async with street.visitor() as page:
        await page.goto("/aide")
        await page.keyboard.press("Tab")
        assert (await listen(page)).focus == "link: Aller au contenu"
        await enter(page)
        await page.wait_for_url("**#main")
        assert (await listen(page)).focus == "[main]"


@pytest.mark.parametrize("language", ["fr", "en"])
async def test_every_page_can_be_listened_to(street: Street, language: str) -> None:
    """And no two pages have the same title, but two forms of one sheet (WCAG 2.4.2)."""
    async with street.visitor(language=language) as page:
        titles = []
        for address in PAGES:
            await page.goto(address)
            heard = await listen(page)
            assert heard.language == language
            assert_sound(heard, _LANDMARKS[heard.language])
            if "?" not in address:
                titles.append(heard.title)
        assert len(titles) == len(set(titles)), sorted(titles)
