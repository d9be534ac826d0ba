"""The words for people: French in the source, English from a file.

A French sentence is its own key (GNU gettext's way). Its English stands in
`locale/en/LC_MESSAGES/sesame.po`, which Babel reads once, when it is first needed.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum, unique
from functools import cache
from pathlib import Path

from babel.messages.pofile import read_po

_FOLDER = Path(__file__).parent / "locale"


@unique
class Language(StrEnum):
    """A language of the whole program, by its ISO 639-1 code."""

    FRENCH = "fr"
    ENGLISH = "en"


def N_(text: str) -> str:  # noqa: N802 -- gettext's own name
    """Mark *text* for the catalogue and leave it French; a translator is asked later."""
    return text


@cache
def translator(language: Language) -> Callable[[str], str]:
    """What turns a French sentence into *language*; one that it does not know stays French."""
    known = {} if language is Language.FRENCH else _sentences(language)

    def translate(text: str) -> str:
        return known.get(text, text)

    return translate


def _sentences(language: Language) -> Mapping[str, str]:
    path = _FOLDER / language / "LC_MESSAGES" / "sesame.po"
    with path.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    # Fuzzy means that the French has changed since: old words are worse than French ones.
    return {
        message.id: message.string
        for message in catalogue
        if isinstance(message.id, str)
        and isinstance(message.string, str)
        and message.id
        and message.string
        and not message.fuzzy
    }
