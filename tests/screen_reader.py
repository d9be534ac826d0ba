"""What a screen reader has to say: Chromium's accessibility tree, put into words.

A real one has its own words for roles and states. What there is to say, in which order, and where
the keyboard is, comes from this tree; the tests compare that. A line in brackets is a landmark or
a group; `field: Code Sésame, required – …` is a name, its states and its description.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from playwright.async_api import Page

LANDMARKS = ("banner", "complementary", "contentinfo", "form", "main", "navigation", "region")
_GROUPS = (*LANDMARKS, "alert", "article", "dialog", "group", "list", "status", "table")
_CONTROLS = {
    "Date": "field",
    "InputTime": "field",
    "button": "button",
    "checkbox": "box",
    "combobox": "choice",
    "image": "image",
    "img": "image",
    "link": "link",
    "radio": "choice",
    "textbox": "field",
}
_INLINE = ("StaticText", "code", "emphasis", "generic", "mark", "none", "strong", "time")
# Names that say nothing to somebody who has the links of a page read out as a list.
_VAGUE = re.compile(
    r"^(ici|cliquez ici|lien|suite|lire la suite|en savoir plus|voir|plus|ok"
    r"|here|click here|link|more|read more|see|next|\W*[\d\W]+)$",
    re.IGNORECASE,
)
# Text that lies in another language than its page.
_FOREIGN = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const language = walker.currentNode.parentElement.closest("[lang]").lang;
    const text = walker.currentNode.data.trim();
    if (text && language !== document.documentElement.lang) found.push([language, text]);
  }
  return found;
}"""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One page from its title to its end, spaces of every kind as plain ones."""

    title: str
    language: str
    lines: tuple[str, ...]
    focus: str  # the line of what has the keyboard, or "the page"
    links: tuple[tuple[str, str], ...]  # names and where they lead
    nameless: tuple[str, ...]  # roles of what ought to have a name and has none
    foreign: tuple[tuple[str, str], ...]  # languages and texts

    def __str__(self) -> str:
        return "\n".join([f"title: {self.title}", *self.lines, f"keyboard: {self.focus}"])

    def says(self, *lines: str) -> None:
        """Fail unless these lines are heard in this order; others may lie between."""
        rest = iter(self.lines)
        for line in lines:
            assert line in rest, f"not heard, or not here: {line}\n\nheard:\n{self}"

    @property
    def landmarks(self) -> list[str]:
        """In order, those of forms and regions left out."""
        return [line for line in self.lines if line.startswith("[") and _is_landmark(line)]

    @property
    def outline(self) -> list[tuple[int, str]]:
        """The headings, each with its level."""
        headings = [line for line in self.lines if line.startswith("heading ")]
        return [(int(line[8]), line[11:]) for line in headings]

    def within(self, group: str) -> list[str]:
        """What is heard in the first group of that name, « main » or « alert »."""
        start = next(n for n, line in enumerate(self.lines) if line.startswith(f"[{group}"))
        end = self.lines.index(f"[end of {group}]", start)
        return list(self.lines[start + 1 : end])


def assert_sound(heard: Heard, around: Sequence[str]) -> None:
    """Landmarks once or named, headings without jumps, a name on everything, links that speak.

    The landmarks *around* the content are heard in that order; others are named navigation.
    """
    assert [one for one in heard.landmarks if one in around] == list(around), str(heard)
    assert max(Counter(heard.landmarks).values()) == 1, str(heard)
    others = set(heard.landmarks) - set(around)
    assert all(re.match(r"\[navigation « .+ »\]", other) for other in others), str(heard)
    levels = [level for level, _ in heard.outline]
    assert levels.count(1) == 1, str(heard)
    assert levels[0] == 1, str(heard)
    assert all(after <= before + 1 for before, after in pairwise(levels)), str(heard)
    assert heard.nameless == (), str(heard)
    assert [name for name, _ in heard.links if _VAGUE.match(name)] == [], str(heard)
    leads: dict[str, set[str]] = {}
    for name, address in heard.links:
        leads.setdefault(name, set()).add(address)
    assert {name: to for name, to in leads.items() if len(to) > 1} == {}, str(heard)
    # Language: the page's own, and each part in another one says so (WCAG 3.1.2).
    other = {"fr": ("en", "English"), "en": ("fr", "Français")}[heard.language]
    assert heard.foreign[0] == other, str(heard)


def _is_landmark(line: str) -> bool:
    role = line.strip("[]").split(" ")[0]
    return role in LANDMARKS and role not in {"form", "region"}


async def listen(page: Page) -> Heard:
    """Read *page* from the top."""
    session = await page.context.new_cdp_session(page)
    tree = await session.send("Accessibility.getFullAXTree")
    await session.detach()
    speech = _Speech({node["nodeId"]: node for node in tree["nodes"]})
    root = tree["nodes"][0]
    speech.read(root)
    speech.flush()
    return Heard(
        title=_plain(root["name"]["value"]),
        language=await page.evaluate("document.documentElement.lang"),
        lines=tuple(speech.lines),
        focus=speech.focus,
        links=tuple(speech.links),
        nameless=tuple(speech.nameless),
        foreign=tuple((one, _plain(two)) for one, two in await page.evaluate(_FOREIGN)),
    )


_Node = Mapping[str, object]


@dataclass
class _Speech:
    nodes: Mapping[str, _Node]
    lines: list[str] = field(default_factory=list)
    focus: str = "the page"
    links: list[tuple[str, str]] = field(default_factory=list)
    nameless: list[str] = field(default_factory=list)
    _words: list[str] = field(default_factory=list)  # of the line that is not at its end

    def read(self, node: _Node) -> None:
        role = "none" if node["ignored"] else _value(node, "role")
        match role:
            case "StaticText" | "ListMarker":
                self._words.append(_value(node, "name"))
            case "heading":
                self._say(f"heading {_states(node)['level']}: {self._name(node, role)}")
            case "row":
                self._say(" | ".join(self._cells(node)))
            case _ if role in _CONTROLS:
                self._say(self._control(node, role))
            case _ if role in _GROUPS and not (role == "group" and not _value(node, "name")):
                name = _plain(_value(node, "name"))
                if role in {"region", "table"} and not name:
                    self.nameless.append(role)
                line = f"[{role} « {name} »]" if name else f"[{role}]"
                description = _plain(_value(node, "description"))
                self._say(f"{line} – {description}" if description else line)
                if _states(node).get("focused"):
                    self.focus = self.lines[-1]
                self._inside(node)
                self._say(f"[end of {role}]")
            case _ if role in _INLINE:
                self._inside(node)
            case "LineBreak":
                self._words.append(" ")
            case _:
                self.flush()
                self._inside(node)
                self.flush()

    def flush(self) -> None:
        """End a line of text."""
        if words := _plain("".join(self._words)):
            self.lines.append(words)
        self._words.clear()

    def _say(self, line: str) -> None:
        self.flush()
        self.lines.append(line)

    def _inside(self, node: _Node) -> None:
        for child in self._children(node):
            self.read(child)

    def _children(self, node: _Node) -> Iterator[_Node]:
        children = node.get("childIds", ())
        assert isinstance(children, Sequence)
        return (self.nodes[child] for child in children if child in self.nodes)

    def _name(self, node: _Node, role: str) -> str:
        name = _plain(_value(node, "name"))
        if not name:
            self.nameless.append(role)
        return name

    def _control(self, node: _Node, role: str) -> str:
        states = _states(node)
        line = f"{_CONTROLS[role]}: {self._name(node, role)}"
        if role == "checkbox":
            line += ", ticked" if states["checked"] == "true" else ", not ticked"
        if role == "radio":
            line += ", chosen" if states["checked"] == "true" else ", not chosen"
        if states.get("required"):
            line += ", required"
        if states.get("invalid") == "true":
            line += ", wrong"
        if value := _plain(_value(node, "value")):
            line += f", says {value}"
        if description := _plain(_value(node, "description")):
            line += f" – {description}"
        if role == "link":
            self.links.append((_plain(_value(node, "name")), str(states["url"])))
        if states.get("focused"):
            self.focus = line
        return line

    def _cells(self, row: _Node) -> Iterator[str]:
        for cell in self._children(row):
            yield _plain(_value(cell, "name"))


def _value(node: _Node, key: str) -> str:
    found = node.get(key)
    return str(found.get("value") or "") if isinstance(found, Mapping) else ""


def _states(node: _Node) -> Mapping[str, object]:
    properties = node.get("properties", ())
    assert isinstance(properties, Sequence)
    return {one["name"]: one["value"].get("value") for one in properties}


def _plain(text: str) -> str:
    return " ".join(text.split())
