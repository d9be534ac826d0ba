"""The two sheets: the leaflet line by line, each for its card, in plain words of our own."""

import re
from pathlib import Path

import pytest

from sesame.portal.cards import Card
from sesame.portal.trial import STEPS
from tests.portal.browser import Browser
from tests.portal.words import text_of

_BANK = "/mode-d-emploi/carte-bancaire"
_SESAME = "/mode-d-emploi/carte-sesame"
_LARGE = "?caracteres=grands"
_TRIALS = [
    f"/premier-essai/{card}/{number}" for card in Card for number in range(1, len(STEPS) + 1)
]
_REQUIREMENTS = Path(__file__).parents[2] / "docs" / "reference" / "requirements.md"

# Of docs/reference/requirements.md, 1.1: which words of the sheet say it.
_BOTH = [
    ("S1", "Les fraudes sur Internet augmentent."),
    ("S1", "vérifie autrement que c’est bien vous"),
    ("S5", "Faites un premier essai"),
    ("S5", "Entraînez-vous avant de vous connecter."),
    ("S6", "Posez-les devant vous avant de commencer."),
    ("S8", "appuyez sur la touche « Code »"),
    ("S8", "Dessin de la touche « Code »"),
    ("S9", "Le lecteur demande votre code secret, celui de la carte"),
    ("S9", "Tapez-le sur les touches du lecteur."),
    ("S12", "Confirmez avec la touche « OK »."),
    ("S12", "Dessin de la touche « OK »"),
    ("S13", "L’écran montre votre code Sésame. Il a 8 chiffres"),
    ("S14", "Vous avez 35 secondes pour le recopier sur Coop@net."),
    ("S14", "le code s’efface et le lecteur s’éteint"),
    ("S15", "Trop tard ? Ce n’est pas grave."),
    ("S15", "le lecteur donne un nouveau code"),
    ("S16", "en deux groupes de quatre, plus faciles à retenir : 0000 0000"),
    ("S17", "0000 0000 et 00000000 conviennent tous les deux"),
    ("S18", "Ouvrez la page d’accueil de Coop@net, puis choisissez « Accès abonnés »."),
    ("S19", "La page « Accès à vos comptes » s’ouvre."),
    ("S20", "Cliquez sur l’image du lecteur Sésame."),
    ("S21", "Dans « Code utilisateur », écrivez les 8 caractères donnés par la banque."),
    ("S21", "il ne change pas"),
    ("S22", "Puis appuyez sur « Valider »."),
    ("S23", "Dans « Code Sésame », écrivez les 8 chiffres affichés par votre lecteur."),
    ("S24", "Un code sert une seule fois : faites-en un nouveau pour chaque connexion."),
    ("S25", "Votre espace Coop@net s’ouvre : vous avez réussi."),
    ("S25", "un code Sésame vous ouvrira vos comptes en toute sécurité"),
    ("S26", "oubliez votre ancien code confidentiel : il n’est plus utile"),
    ("S29", "Vous hésitez, vous avez une question, ou la connexion échoue ? Appelez-nous"),
    ("S31", "Conseil pratique"),
    ("S31", "Maintenant vous savez générer un code Sésame."),
    ("S31", "Vous pouvez vous connecter à Coop@net en toute sécurité."),
    ("tries", "l’écran dit combien d’essais il reste"),
    ("tries", "« CARTE BLOQUÉE » : retirez la carte et appelez-nous."),
    ("tries", "« PUCE VERS LE HAUT »"),
]
_OF_ONE = {
    _BANK: [
        ("S2", "Mode d’emploi avec une carte bancaire"),
        ("S4", "Il vous faut deux objets : votre carte bancaire et le lecteur Sésame."),
        ("S7", "Glissez votre carte bancaire dans le lecteur, puce vers le haut."),
        (
            "S10",
            "Ce sont vos 4 chiffres habituels, ceux des achats en magasin et des distributeurs",
        ),
    ],
    _SESAME: [
        ("S2", "Mode d’emploi avec une carte Sésame"),
        ("S4", "Il vous faut deux objets : votre carte Sésame et le lecteur."),
        ("S7", "Glissez votre carte Sésame dans le lecteur, puce vers le haut."),
        ("S11", "Ces 4 chiffres sont dans une lettre à part, partie un autre jour que le lecteur"),
        ("activation", "Première fois avec cette carte ? Choisissez « Activez-la d’abord »"),
        ("activation", "le numéro de la lettre du lecteur"),
    ],
}
# Labels and titles, which are the leaflet's own.
_TITLES = (
    "Maintenant vous savez générer un code Sésame. "
    "Vous pouvez vous connecter à Coop@net en toute sécurité."
)


@pytest.mark.parametrize("sheet", _OF_ONE)
async def test_the_whole_leaflet_stands_on_each_sheet(browser: Browser, sheet: str) -> None:
    """Large print leaves nothing out."""
    for address in (sheet, sheet + _LARGE):
        text = text_of((await browser.get(address)).text)
        missing = [line for line in _BOTH + _OF_ONE[sheet] if line[1] not in text]
        assert missing == []


@pytest.mark.parametrize(("sheet", "other"), [(_BANK, _SESAME), (_SESAME, _BANK)])
async def test_a_sheet_says_nothing_of_the_other_card(
    browser: Browser, sheet: str, other: str
) -> None:
    """Nobody has to find out which of two sentences is meant."""
    text = text_of((await browser.get(sheet)).text)
    assert [words for _, words in _OF_ONE[other] if words in text] == []


@pytest.mark.parametrize(("sheet", "other"), [(_BANK, _SESAME), (_SESAME, _BANK)])
@pytest.mark.parametrize("size", ["", _LARGE])
async def test_the_first_lines_point_to_the_other_sheet(
    browser: Browser, sheet: str, other: str, size: str
) -> None:
    """S3: in the first paragraph, and in letters of the same size."""
    page = (await browser.get(sheet + size)).text
    first = page[page.index("</h1>") : page.index("</p>", page.index("</h1>"))]
    assert f'<a href="{other}{size}">' in first


@pytest.mark.parametrize("sheet", [_BANK, _SESAME])
async def test_letters_can_be_large_and_ordinary_again(browser: Browser, sheet: str) -> None:
    """By a link, each way; another value is the ordinary sheet."""
    ordinary = (await browser.get(sheet)).text
    assert f'<a href="{sheet}{_LARGE}">' in ordinary
    assert '<div class="sheet">' in ordinary
    large = (await browser.get(sheet + _LARGE)).text
    assert f'<a href="{sheet}">' in large
    assert '<div class="sheet large">' in large
    assert (await browser.get(sheet + "?caracteres=x")).text.count("sheet large") == 0


async def test_the_index_leads_to_both_sheets_in_both_sizes(browser: Browser) -> None:
    """And to the trial, for those who would rather do than read."""
    page = (await browser.get("/mode-d-emploi")).text
    for address in (_BANK, _SESAME, _BANK + _LARGE, _SESAME + _LARGE, "/premier-essai"):
        assert f'href="{address}"' in page


@pytest.mark.parametrize("address", ["/", "/acces", "/acces/sesame"])
async def test_the_way_in_leads_to_instructions_and_trial(browser: Browser, address: str) -> None:
    """From the home page, the choice of means, and the form."""
    page = (await browser.get(address)).text
    assert '<a href="/premier-essai">Faites un premier essai</a>' in page
    assert '<a href="/mode-d-emploi">lisez le mode d’emploi</a>' in page


async def test_the_words_are_our_own(browser: Browser) -> None:
    """On the sheets and in the trial: no six words in a row of the leaflet's, titles aside."""
    quoted = re.findall(r"^\| S\d+ \|.*?\|(.*)\|$", _REQUIREMENTS.read_text("utf-8"), re.MULTILINE)
    assert len(quoted) == 31
    leaflet = {run for line in quoted for run in _runs(line)}
    for address in (_BANK, _SESAME, *_TRIALS):
        text = text_of((await browser.get(address)).text).replace(_TITLES, ".")
        assert leaflet & _runs(text) == set(), address


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w’']+", text.lower())
    return {tuple(words[start : start + 6]) for start in range(len(words) - 5)}
