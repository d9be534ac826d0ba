"""Hands and eyes before the page in Debian's Chromium, and ears for what it says aloud."""

import re
from collections.abc import Callable

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

CODE = re.compile(r"\d{4} \d{4}")
WCAG = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

SILENCE = "(silence)"
# In the place of the browser's speech: what it would say, and when it was silenced. The first of
# its French voices is somebody's server, which would be told the code.
RECORDER = """
window.heard = [];
window.voices = [
  { lang: "fr-FR", name: "far", localService: false, default: true },
  { lang: "en_GB", name: "english", localService: true },
  { lang: "fr_FR", name: "french", localService: true },
];
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
Object.defineProperty(window, "speechSynthesis", { value: {
  addEventListener(_name, listener) { window.findVoices = listener; },
  getVoices: () => voices,
  cancel: () => heard.push("(silence)"),
  speak({ text, lang, voice }) {
    if (voice.lang.slice(0, 2) !== lang || voice.name === "far") throw Error("a foreign voice");
    heard.push(text);
  },
} });
"""

Open = Callable[..., Page]


class Ears:
    """What is heard of a page: the only way in which these tests look at it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._from = 0

    def all(self) -> list[str]:
        """Everything since the page was opened, silences too."""
        heard: list[str] = self.page.evaluate("heard")
        return heard

    def wait(self, words: str) -> str:
        """Listen until something begins with *words*; says the whole sentence."""
        self.page.wait_for_function(
            "([words, from]) => heard.slice(from).some((said) => said.startsWith(words))",
            arg=[words, self._from],
        )
        heard = self.all()
        at = next(n for n in range(self._from, len(heard)) if heard[n].startswith(words))
        self._from = at + 1
        return heard[at]


def insert(page: Page, card: str, how: str = "insert") -> None:
    """Take *card* out of the drawer and put it in."""
    page.locator(f'[data-card="{card}"] [data-event="{how}"]').click()
    expect(page.locator("#card")).to_be_visible()


def press(page: Page, *names: str) -> None:
    """Press keys of the drawing by what they are called."""
    for name in names:
        page.locator("#keys").get_by_role("button", name=name, exact=True).click()


def code_on(page: Page) -> str:
    """The code on the display, once it is there."""
    digits = page.locator("#digits")
    expect(digits).to_have_text(CODE)
    return digits.inner_text()


def overlap(page: Page, one: str, other: str) -> bool:
    """Whether two things on the page lie one over the other, if only in part."""
    first, second = page.locator(one).bounding_box(), page.locator(other).bounding_box()
    assert first is not None
    assert second is not None
    return (
        first["x"] < second["x"] + second["width"]
        and second["x"] < first["x"] + first["width"]
        and first["y"] < second["y"] + second["height"]
        and second["y"] < first["y"] + first["height"]
    )


def violations(page: Page) -> list[str]:
    """What axe finds, in words."""
    results = Axe().run(page, options=WCAG).response["violations"]
    return [f"{rule['id']}: {node['html']}" for rule in results for node in rule["nodes"]]
