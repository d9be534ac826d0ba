"""Is every French sentence of the program well set, and in the English catalogue?

    catalogue.py check     name what is missing, empty, doubtful, left over or badly set
    catalogue.py update    bring the catalogue up to the source; translations are kept

French is the language of the source: a message is its own key. What reads the catalogue is
`sesame.catalogue`.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "sesame"
CATALOGUE = SOURCE / "locale" / "en" / "LC_MESSAGES" / "sesame.po"

# What marks a sentence: `_` and its kin translate it where it stands, N_ marks a constant that
# is translated later.
# No plural forms: French and English count differently (0 essai, 0 tries), so each number that
# matters has a sentence of its own.
KEYWORDS = dict.fromkeys(["_", "gettext", "say", "N_"])
# Silent: a template that Jinja cannot read would count as one without sentences.
JINJA = {"silent": "false", "trimmed": "true", "newstyle_gettext": "true"}

Places = dict[str, list[str]]  # the French of each message, and the files where it stands


def main(action: str) -> int:
    """`check` prints one problem a line and returns 1 if there is any; `update` writes."""
    if action == "update":
        update(CATALOGUE, french(SOURCE))
        return 0
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="en", abort_invalid=True)
    sentences = french(SOURCE)
    problems = [
        *untranslated(sentences, catalogue),
        *badly_set(sentences, FRENCH),
        *badly_set(english(catalogue), ENGLISH),
        *outside(SOURCE),
    ]
    for problem in problems:
        print(problem)
    if not problems:
        print(f"The catalogue is complete: {len(sentences)} messages.")
    return 1 if problems else 0


def french(source: Path) -> Places:
    """Every message that the Python files and templates under *source* mark."""
    found: Places = {}
    for path in sorted([*source.rglob("*.py"), *source.rglob("*.html")]):
        method, options = ("jinja2", JINJA) if path.suffix == ".html" else ("python", {})
        with path.open("rb") as file:
            for _, text, _, _ in extract(method, file, KEYWORDS, options=options):
                places = found.setdefault(str(text), [])
                place = path.relative_to(source).as_posix()
                if place not in places:
                    places.append(place)
    return found


def untranslated(sentences: Places, catalogue: Catalog) -> Iterator[str]:
    """What keeps *catalogue* from being the English of *sentences*, no more and no less."""
    known = {str(message.id): message for message in catalogue if message.id}
    for text, places in sentences.items():
        if text not in known:
            yield f"{places[0]}: missing in the catalogue, run make catalogue: {text!r}"
    for text, message in known.items():
        if text not in sentences:
            yield f"catalogue: left over, run make catalogue: {text!r}"
        elif not message.string:
            yield f"catalogue: has no English yet: {text!r}"
        elif message.fuzzy:
            yield f"catalogue: marked fuzzy: {text!r}"
        elif _fields(text) != _fields(str(message.string)):
            yield f"catalogue: the fields in braces or after % differ: {text!r}"
    for message in catalogue.obsolete.values():
        yield f"catalogue: obsolete, delete it: {message.id!r}"


def english(catalogue: Catalog) -> Places:
    """Every translation of *catalogue*, as `badly_set` takes it."""
    return {str(message.string): ["catalogue"] for message in catalogue if message.id}


def badly_set(sentences: Places, setting: "Setting") -> Iterator[str]:
    """What a typesetter would correct: spaces that may break, straight apostrophes."""
    for text, places in sentences.items():
        for rule, pattern in setting.items():
            if pattern.search(text):
                yield f"{places[0]}: {rule}: {text!r}"


Setting = Mapping[str, re.Pattern[str]]  # a rule of typography, and what breaks it

_MAY_BREAK = r"[^\S\u00a0\u202f]"
_NO_BREAK = "needs a no-break space (U+00A0 or U+202F)"
# What stands before a unit: a number, or a place that a program fills with one.
_NUMBER = r"(?:\d|\}|\)[sd])"
_UNITS = r"(?:h|min|s|ms|mm|cm|m|km|Kio|Mio|Ko|Mo|KiB|MiB|kB|MB|€|%|×)(?!\w)"
_MONTHS = (
    "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre|"
    "January|February|March|April|May|June|July|August|September|October|November|December"
)
_BOTH: Setting = {
    f"{_NO_BREAK} between the groups of a number": re.compile(rf"\d{_MAY_BREAK}+\d"),
    f"{_NO_BREAK} between a day and its month": re.compile(
        rf"\d(?:er)?{_MAY_BREAK}+(?:{_MONTHS})\b"
    ),
    f"{_NO_BREAK} between a number and its unit": re.compile(
        rf"{_NUMBER}{_MAY_BREAK}+{_UNITS}(?!’)|\dh{_MAY_BREAK}"
    ),
    "needs the apostrophe ’": re.compile(r"\w'\w"),
    "needs the ellipsis …": re.compile(r"\.\.\."),
}
FRENCH: Setting = {
    **_BOTH,
    f"{_NO_BREAK} before : ; ? ! »": re.compile(
        r"(?<![\u00a0\u202f?!])[;?!»](?![\w=&/])|[^\S\u00a0\u202f]:|\w:(?=\s|$)"
    ),
    f"{_NO_BREAK} before % and €": re.compile(r"\d[%€]|[^\S\u00a0\u202f][%€](?![\w(])"),
    f"{_NO_BREAK} after «": re.compile(r"«(?![\u00a0\u202f])"),
    f"{_NO_BREAK} before a time and around its h": re.compile(
        rf"\dh(?:\d|\b)|\bh{_MAY_BREAK}+(?:\d|{{)"
        rf"|(?<![\dh] )à{_MAY_BREAK}+(?:\d{{1,2}}[\u00a0\u202f]h\b|{{time}}|%\(time\)s)"
    ),
    f"{_NO_BREAK} after n°": re.compile(r"\b[nN]°(?![\u00a0\u202f])"),
}
ENGLISH: Setting = {
    **_BOTH,
    "has a space before : ; ? ! % as French has": re.compile(r"\s[:;?!](?=\s|$)|\d\s%"),
    "needs the quotation marks “ ”": re.compile(r"[«»]|(?<![\w=])\"|\"(?![\w=])"),
    "has a time as French writes it": re.compile(r"\b\d{1,2}\sh\b"),
}


def outside(source: Path) -> Iterator[str]:
    """Words that stand in a template without passing through the catalogue."""
    for path in sorted(source.rglob("*.html")):
        template = path.read_text(encoding="utf-8")
        page = _Words()
        page.feed(_JINJA_PARTS.sub("", template))
        page.close()
        for words in page.found:
            place = path.relative_to(source).as_posix()
            yield f"{place}: stands outside the catalogue: {words!r}"


_JINJA_PARTS = re.compile(
    r"{%-?\s*trans\b(?:(?!pluralize).)*?endtrans\s*-?%}|{{.*?}}|{%.*?%}|{#.*?#}", flags=re.DOTALL
)
_SAME_EVERYWHERE = {"OK"}  # stands on the keys of readers in every language
_READ_ALOUD = {"alt", "aria-description", "aria-label", "placeholder", "title"}


class _Words(HTMLParser):
    """Collects what a person would read or hear of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in _READ_ALOUD:
                self._keep(value or "")

    def handle_data(self, data: str) -> None:
        self._keep(data)

    def _keep(self, text: str) -> None:
        words = " ".join(text.split())
        # Two letters make a word; one is a sign or a unit.
        if re.search(r"[^\W\d_]{2}", words) and words not in _SAME_EVERYWHERE:
            self.found.append(words)


def update(path: Path, sentences: Places) -> None:
    """Write the catalogue anew: what the source has, in its order, with the English so far."""
    old = Catalog(locale="en", fuzzy=False)
    if path.exists():
        with path.open("rb") as file:
            old = read_po(file, locale="en")
    new = Catalog(locale="en", fuzzy=False)
    for text, places in sentences.items():
        known = old.get(text)
        new.add(text, known.string if known else "", locations=[(place, 0) for place in places])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(_HEADER.encode())
        write_po(file, new, width=100, include_lineno=False, omit_header=True)


# Without the usual dates: in them two branches would always differ.
_HEADER = """\
# The English of Sésame. French is the language of the source.
# `make catalogue` brings this file up to the source, `make check` says what is missing.
msgid ""
msgstr ""
"Language: en\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"

"""


def _fields(text: str) -> Counter[str]:
    """The places that a program fills: `{code}`, `%(code)s`."""
    return Counter(re.findall(r"{[^{}]*}|%\(\w+\)\w", text))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
