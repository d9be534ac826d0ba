"""Draw the reader's table into the documentation.

    draw_reader.py check     name the pages that no longer show what the reader does
    draw_reader.py update    draw them anew

What is drawn stands between `<!-- drawn: NAME -->` and `<!-- end -->`; the rest of a page is
written by hand.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sesame.catalogue import Language
from sesame.reader.machine import (
    DIGITS,
    NOTICE,
    ON,
    POWERED,
    Asked,
    CardInserted,
    CardMute,
    CardPowered,
    CardRemoved,
    FunctionChosen,
    Key,
    KeyHeld,
    Reader,
    Screen,
    State,
    Tick,
    Transition,
    Trigger,
)
from sesame.reader.screens import lines

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (DOCS / "explanation" / "the-reader.md", DOCS / "reference" / "reader.md")
_BLOCK = re.compile(r"(<!-- drawn: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)

_WORDS: Mapping[Trigger, str] = {
    Key.CODE: "Code",
    Key.RESPOND: "Répondre",
    Key.SIGN: "Signer",
    Key.COMMA: "comma",
    Key.OK: "OK",
    Key.CORRECTION: "C",
    Key.ON: "on/off",
    KeyHeld: "C held",
    FunctionChosen: "a program",
    CardInserted: "card in",
    CardRemoved: "card out",
    CardPowered: "ATR",
    CardMute: "no answer",
    **dict.fromkeys(DIGITS, "digit"),
    **{asked: asked.value for asked in Asked},  # its answer
}
# Drawn as one box each: what happens in all of their states is one arrow, not twenty.
_GROUPS: Mapping[str, tuple[frozenset[State], str]] = {
    "on": (ON, "in every state that is on"),
    "powered": (POWERED, "while the card has power"),
}
_KEYS = [_WORDS[key] for key in Key if key is not Key.ON]


def main(action: str) -> int:
    """`check` prints one page a line and returns 1 if any is out of step; `update` writes."""
    stale = [page for page in PAGES if drawn(page) != page.read_text(encoding="utf-8")]
    for page in stale:
        if action == "update":
            page.write_text(drawn(page), encoding="utf-8")
        else:
            print(f"{page.name}: is out of step, run tools/draw_reader.py update")
    return 1 if stale and action != "update" else 0


def drawn(page: Path) -> str:
    """The text of *page* with its drawings as they should be."""

    def draw(block: re.Match[str]) -> str:
        return f"{block[1]}{_DRAWINGS[block[2]]()}\n{block[3]}"

    return _BLOCK.sub(draw, page.read_text(encoding="utf-8"))


def diagram() -> str:
    """All states, and what leads from one to another, as Mermaid."""
    boxes = {state.value: _name(state) for state in State}
    boxes |= {words: name for name, (_, words) in _GROUPS.items()}
    order = list(boxes.values())
    labels: dict[tuple[str, str], set[str]] = {}
    for source, words, target in _arrows():
        labels.setdefault((source, target), set()).add(words)
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            *(f'    state "{words}" as {name}' for words, name in boxes.items()),
            "    [*] --> off",
            *(
                f"    {source} --> {target}: {_label(sorted(labels[source, target]))}"
                # In the order of the states: sets, of which the table is made, have none.
                for source in order
                for target in order
                if source != target and (source, target) in labels
            ),
            "```",
        ]
    )


def _arrows() -> Iterator[tuple[str, str, str]]:
    """Source, what happens, target."""
    places: dict[tuple[Transition, Trigger], set[State]] = {}
    for (state, trigger), transition in Reader.TRANSITIONS.items():
        places.setdefault((transition, trigger), set()).add(state)
    for (transition, trigger), states in places.items():
        for source, words in _sources(states, trigger):
            for target in transition.to:
                yield source, words, _name(target)


def _sources(states: set[State], trigger: Trigger) -> list[tuple[str, str]]:
    """Where the arrows of *trigger* begin, and what stands at them: a group, or each state.

    One state of a group may be an exception. Where it does something else instead, that is
    an arrow of its own; where it does nothing, the label says so.
    """
    for name, (members, _) in _GROUPS.items():
        others = members - states
        if states <= members and len(others) <= 1:
            deaf = [other for other in others if (other, trigger) not in Reader.TRANSITIONS]
            unless = "".join(f" (not in {state.value})" for state in deaf)
            words = "time-out" if trigger is Tick else _WORDS[trigger]
            return [(name, words + unless)]
    words = f"{NOTICE:.0f} s" if trigger is Tick else _WORDS[trigger]
    return [(_name(state), words) for state in State if state in states]


def _label(words: list[str]) -> str:
    if all(key in words for key in _KEYS):
        words = ["any key", *(word for word in words if word not in _KEYS)]
    return ", ".join(words)


def _name(state: State) -> str:
    return state.value.replace("-", "_")


def screens() -> str:
    """What the display says in every state, in both languages, as a Markdown table."""
    rows = ["| State | French | English |", "|---|---|---|"]
    for state in State:
        french, english = (
            " / ".join(lines(_example(state, language)))
            for language in (Language.FRENCH, Language.ENGLISH)
        )
        rows.append(f"| `{state.value}` | {french} | {english} |")
    return "\n".join(rows)


def _example(state: State, language: Language) -> Screen:
    return Screen(
        state=state,
        language=language,
        typed=4,
        entered=_ENTERED.get(state, ""),
        amount=1250_00,
        payee="34567890",
        tries_left=2,
    )


_ENTERED = {
    State.AWAITING_CHALLENGE: "27182818",
    State.AWAITING_AMOUNT: "1250",
    State.AWAITING_PAYEE: "34567890",
}
_DRAWINGS: Mapping[str, Callable[[], str]] = {"diagram": diagram, "screens": screens}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
