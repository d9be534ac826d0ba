"""What somebody reads on a page, as blocks of text and as sentences."""

import re
from html.parser import HTMLParser

_BLOCKS = {"p", "li", "h1", "h2", "h3", "div", "section", "nav", "main"}


class _Blocks(HTMLParser):
    """The main part, without the help block; a drawing is read aloud by its name only."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = [""]
        self._main = False
        self._silent = ""  # the element that is passed over

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._main = self._main or tag == "main"
        if tag in _BLOCKS:
            self.blocks.append("")
        if tag == "svg" and self._main:
            self.blocks += [given.get("aria-label") or "", ""]
        if tag == "svg" or "help" in (given.get("class") or "").split():
            self._silent = tag

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.blocks.append("")
        if tag == self._silent:
            self._silent = ""
        self._main = self._main and tag != "main"

    def handle_data(self, data: str) -> None:
        if self._main and not self._silent:
            self.blocks[-1] += data


def text_of(page: str) -> str:
    """The main part of *page*, in one line, with plain spaces."""
    return " ".join(_blocks(page))


def sentences_of(page: str) -> list[str]:
    """Its sentences; a heading or an item of a list is one too."""
    return [
        sentence
        for block in _blocks(page)
        for sentence in re.split(r"(?<=[.?!…])\s+(?=[^\W\d_]|[«“\d])", block)
        if re.search(r"\w", sentence)
    ]


def words_of(sentence: str) -> list[str]:
    """Its words, numbers included; `l’écran` is two."""
    return re.findall(r"\w+", sentence)


def _blocks(page: str) -> list[str]:
    parser = _Blocks()
    parser.feed(page)
    parser.close()
    return [words for block in parser.blocks if (words := " ".join(block.split()))]
