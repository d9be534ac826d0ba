"""The language of the command line is the shell's."""

import pytest

from sesame.catalogue import Language
from sesame.cli.language import language_of, say


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, Language.FRENCH),
        ({"LANG": ""}, Language.FRENCH),
        ({"LANG": "C.UTF-8"}, Language.FRENCH),
        ({"LANG": "POSIX"}, Language.FRENCH),
        ({"LANG": "fr_FR.UTF-8"}, Language.FRENCH),
        ({"LANG": "de_DE.UTF-8"}, Language.FRENCH),
        ({"LANG": "en_GB.UTF-8"}, Language.ENGLISH),
        ({"LANG": "en"}, Language.ENGLISH),
        ({"LANG": "fr_FR.UTF-8", "LC_MESSAGES": "en_IE"}, Language.ENGLISH),
        ({"LANG": "en_GB", "LC_MESSAGES": "fr_BE", "LC_ALL": ""}, Language.FRENCH),
        ({"LANG": "fr_FR", "LC_MESSAGES": "fr_FR", "LC_ALL": "en_US.UTF-8"}, Language.ENGLISH),
        ({"LANG": "en_GB", "LC_CTYPE": "en_GB", "LC_ALL": "fr_CH"}, Language.FRENCH),
    ],
)
def test_the_first_variable_that_is_not_empty(environ: dict[str, str], language: Language) -> None:
    """LC_ALL before LC_MESSAGES before LANG; English if it begins so, French otherwise."""
    assert language_of(environ) is language


def test_it_says_it_in_french(monkeypatch: pytest.MonkeyPatch) -> None:
    """French is the language of the source."""
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert say("le trousseau") == "le trousseau"
