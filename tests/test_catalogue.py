"""French in the source, English from the file, and French where the file has none."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import PoFileError

from sesame import catalogue
from sesame.catalogue import N_, Language, translator

PO = """\
msgid ""
msgstr "Content-Type: text/plain; charset=utf-8"

msgid "Carte retirée"
msgstr "Card removed"

msgid "Pas encore"
msgstr ""

#, fuzzy
msgid "Autrement dit"
msgstr "Something old"

msgid "{n} essai"
msgid_plural "{n} essais"
msgstr[0] "{n} try"
msgstr[1] "{n} tries"
"""


@pytest.fixture
def po(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of a few sentences in the place of the real one."""
    path = tmp_path / "en" / "LC_MESSAGES" / "sesame.po"
    path.parent.mkdir(parents=True)
    path.write_text(PO, encoding="utf-8")
    monkeypatch.setattr(catalogue, "_FOLDER", tmp_path)
    translator.cache_clear()
    yield path
    translator.cache_clear()


@pytest.mark.usefixtures("po")
def test_french_is_what_stands_in_the_source() -> None:
    """Whatever the file says."""
    _ = translator(Language.FRENCH)
    assert _("Carte retirée") == "Carte retirée"


@pytest.mark.usefixtures("po")
def test_english_comes_from_the_file() -> None:
    """Sentence by sentence."""
    assert translator(Language.ENGLISH)("Carte retirée") == "Card removed"


@pytest.mark.usefixtures("po")
@pytest.mark.parametrize("text", ["Inconnu", "Pas encore", "Autrement dit", "{n} essai", ""])
def test_what_has_no_good_english_stays_french(text: str) -> None:
    """Not in the file, not translated, not up to date, in numbers, or nothing at all."""
    assert translator(Language.ENGLISH)(text) == text


def test_the_file_is_read_once_and_only_when_needed(po: Path) -> None:
    """French needs no file; English keeps what it has read."""
    english = translator(Language.ENGLISH)
    po.unlink()
    assert translator(Language.ENGLISH) is english
    assert english("Carte retirée") == "Card removed"
    translator.cache_clear()
    translator(Language.FRENCH)


def test_a_damaged_file_is_an_error_and_no_silent_french(po: Path) -> None:
    """Half a catalogue would be noticed by customers only."""
    po.write_text(PO + "garbage\n", encoding="utf-8")
    with pytest.raises(PoFileError):
        translator(Language.ENGLISH)


def test_marking_changes_nothing() -> None:
    """`N_` is for the tool that collects sentences."""
    assert N_("Carte retirée") == "Carte retirée"


def test_the_real_catalogue_speaks_english() -> None:
    """It is found where the package is."""
    assert translator(Language.ENGLISH)("CARTE RETIRÉE") == "CARD REMOVED"
    assert set(Language) == {"fr", "en"}
