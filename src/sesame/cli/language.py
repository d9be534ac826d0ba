"""Which language the command line speaks: the shell's, and French where that is not English."""

import os
from collections.abc import Mapping

from sesame.catalogue import Language, translator

_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")  # POSIX.1-2017, 8.2: the first that is not empty


def language_of(environ: Mapping[str, str]) -> Language:
    """The language that *environ* asks for."""
    locale = next((environ[name] for name in _VARIABLES if environ.get(name)), "")
    return Language.ENGLISH if locale.lower().startswith("en") else Language.FRENCH


def say(sentence: str) -> str:
    """*sentence*, French as the source has it, in the language of this process."""
    return translator(language_of(os.environ))(sentence)
