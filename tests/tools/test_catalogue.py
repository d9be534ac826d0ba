"""`make check` sees what is wrong with the French or missing from the English."""

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from jinja2 import TemplateSyntaxError

from tools import catalogue


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A package with one sentence in Python and two in a template."""
    (tmp_path / "door.py").write_text('title = _("Accès à vos comptes")\n', encoding="utf-8")
    (tmp_path / "page.html").write_text(
        '<h1>{{ _("Code Sésame") }}</h1>\n'
        "<p>{% trans name=page.name %}Bonjour {{ name }}{% endtrans %}</p>\n",
        encoding="utf-8",
    )
    return tmp_path


def english(**translations: str) -> Catalog:
    """A catalogue that holds *translations*."""
    made = Catalog(locale="en", fuzzy=False)
    for text, translation in translations.items():
        made.add(text, translation)
    return made


def test_sentences_of_python_and_of_templates_are_found(source: Path) -> None:
    """A sentence is known by its French, with the files where it stands."""
    assert catalogue.french(source) == {
        "Accès à vos comptes": ["door.py"],
        "Code Sésame": ["page.html"],
        "Bonjour %(name)s": ["page.html"],
    }


def test_a_template_that_jinja_cannot_read_is_an_error(source: Path) -> None:
    """A broken template does not count as one without sentences."""
    (source / "page.html").write_text('{{ _("Code Sésame" }}', encoding="utf-8")
    with pytest.raises(TemplateSyntaxError):
        catalogue.french(source)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "missing in the catalogue"),
        ({"Il reste {n} essais": ""}, "has no English yet"),
        ({"Il reste {n} essais": "{m} tries left"}, "fields"),
        ({"Il reste {n} essais": "{n} tries left", "Ancien": "Old"}, "left over"),
    ],
)
def test_what_the_english_lacks_is_named(entry: dict[str, str], problem: str) -> None:
    """Missing, empty, with other fields, or no longer in the source."""
    found = list(catalogue.untranslated({"Il reste {n} essais": ["x.py"]}, english(**entry)))
    assert len(found) == 1
    assert problem in found[0]


def test_a_fuzzy_entry_is_named() -> None:
    """A translation that a machine guessed is not one."""
    made = english()
    made.add("Valider", "Validate", flags=["fuzzy"])
    assert "fuzzy" in next(catalogue.untranslated({"Valider": ["x.py"]}, made))


def test_a_complete_catalogue_is_silent() -> None:
    """Each sentence once, with its fields: nothing to say."""
    made = english(**{"Il reste {n} essais": "{n} tries left"})
    assert not list(catalogue.untranslated({"Il reste {n} essais": ["x.py"]}, made))


@pytest.mark.parametrize(
    "text",
    [
        "Code secret ?",
        "Code secret?",
        "«\u00a0Code »",
        "« Code\u00a0»",
        "Attention : un essai",
        "Attention: un essai",
        "Assistance:",
        "l'accès",
        "Patientez...",
        "à 14\u00a0h\u00a032",
        "à\u00a014 h\u00a032",
        "à\u00a014\u00a0h 32",
        "14h32",
        "de 8h à 18h",
        "aujourd’hui à {time}",
        "se ferme à %(time)s",
        "35 s",
        "{memory} Kio",
        "%(size)s Mo",
        "10 €",
        "{amount} €",
        "10€",
        "50 %",
        "50%",
        "le 3 mars",
        "le 1er août",
        "01 99 00 26 40",
        "0000 0000",
        "n° 5",
        "n°5",
    ],
)
def test_badly_set_french_is_named(text: str) -> None:
    """A space that may break, none at all, a straight apostrophe, three dots."""
    assert list(catalogue.badly_set({text: ["x.py"]}, catalogue.FRENCH))


@pytest.mark.parametrize(
    "text",
    [
        "Code secret\u202f?",
        "«\u00a0Code\u00a0»",
        "Attention\u00a0: l’accès est suspendu jusqu’à 14:32",
        "https://example.org/?a=b&c=d",
        "Quoi\u202f?!",
        "Patientez…",
        "à\u00a014\u00a0h\u00a032",
        "de 8\u00a0h à 18\u00a0h",
        "à 8 chiffres, 35 secondes et 3 essais",
        "1\u202f250,00\u00a0€ et 50\u00a0%",
        "%(count)s essais sur %(all)s",
        "Votre espace %(portal)s s’ouvre",
        "le dimanche 1er\u00a0mars",
        "01\u00a099\u00a000\u00a026\u00a040",
        "n°\u00a05",
        "le {day} à\u00a0{time}",
    ],
)
def test_well_set_french_passes(text: str) -> None:
    """U+00A0 and U+202F are alike; a time and an address are no sentences."""
    assert not list(catalogue.badly_set({text: ["x.py"]}, catalogue.FRENCH))


@pytest.mark.parametrize(
    "text",
    [
        "PIN ?",
        "PIN\u00a0?",
        "Data : here",
        "50 %",
        "the card's PIN",
        "Wait...",
        "the key «\u00a0Code\u00a0»",
        'the key "Code"',
        "35 s",
        "{memory} KiB",
        "at 14\u00a0h",
        "on 3 March",
        "01 99 00 26 40",
    ],
)
def test_badly_set_english_is_named(text: str) -> None:
    """French habits, and spaces that may break within a number, a date or a measure."""
    assert list(catalogue.badly_set({text: ["catalogue"]}, catalogue.ENGLISH))


@pytest.mark.parametrize(
    "text",
    [
        "PIN?",
        "Data: {folder}. To end: Ctrl-C.",
        "50% of the card’s tries",
        "Wait…",
        "the key “Code”",
        "35\u00a0s, {memory}\u00a0KiB",
        "until 14:32 on 3\u00a0March",
        "8 digits, 3 tries",
        "%(count)s tries",
    ],
)
def test_well_set_english_passes(text: str) -> None:
    """No space before a colon, and one that does not break before a unit."""
    assert not list(catalogue.badly_set({text: ["catalogue"]}, catalogue.ENGLISH))


def test_the_english_is_checked_too() -> None:
    """Every translation of the catalogue, by its own rules."""
    translations = catalogue.english(english(Clés="the bank's keys", Valider="Confirm"))
    (problem,) = catalogue.badly_set(translations, catalogue.ENGLISH)
    assert problem == 'catalogue: needs the apostrophe ’: "the bank\'s keys"'


def test_words_outside_the_catalogue_are_named(source: Path) -> None:
    """Text and what a screen reader says: both pass through the catalogue or are found."""
    (source / "page.html").write_text(
        '<p title="Aide">{{ _("Code") }}</p><b>OK</b> · 35\u00a0s'
        "<p>{% if x %}Bonjour{% endif %}</p>",
        encoding="utf-8",
    )
    assert list(catalogue.outside(source)) == [
        "page.html: stands outside the catalogue: 'Aide'",
        "page.html: stands outside the catalogue: 'Bonjour'",
    ]


def test_an_update_keeps_what_was_translated(source: Path, tmp_path: Path) -> None:
    """New sentences come empty, old English stays, what is gone goes; twice changes nothing."""
    path = tmp_path / "locale" / "sesame.po"
    catalogue.update(path, {"Valider": ["x.py"], "Ancien": ["x.py"]})
    path.write_text(
        path.read_text(encoding="utf-8").replace(
            'msgid "Valider"\nmsgstr ""', 'msgid "Valider"\nmsgstr "Confirm"'
        ),
        encoding="utf-8",
    )
    sentences = catalogue.french(source) | {"Valider": ["x.py"]}
    catalogue.update(path, sentences)
    once = path.read_bytes()
    catalogue.update(path, sentences)
    assert path.read_bytes() == once
    with path.open("rb") as file:
        written = read_po(file, locale="en")
    assert written["Valider"].string == "Confirm"
    assert written["Code Sésame"].string == ""
    assert "Ancien" not in written
    assert not written.obsolete
