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
    SHOWN,
    USELESS,
    Asked,
    CardInserted,
    CardMute,
    CardPowered,
    CardRemoved,
    FunctionChosen,
    Key,
    KeyHeld,
    PadShown,
    Reader,
    Screen,
    State,
    Tick,
    Trigger,
)
from sesame.reader.screens import lines

DOCS = Path(__file__).parent.parent / "docs"
PAGES = (DOCS / "explanation" / "the-reader.md", DOCS / "reference" / "reader.md")
_BLOCK = re.compile(r"(<!-- drawn: (\w+) -->\n).*?(<!-- end -->)", flags=re.DOTALL)

WORDS: Mapping[Trigger, str] = {
    Key.CODE: "Code",
    Key.RESPOND: "Répondre",
    Key.SIGN: "Signer",
    Key.COMMA: "comma",
    Key.OK: "OK",
    Key.CORRECTION: "C",
    Key.ON: "on/off",
    KeyHeld: "C held",
    FunctionChosen: "a program",
    PadShown: "shown",
    CardInserted: "card in",
    CardRemoved: "card out",
    CardPowered: "ATR",
    CardMute: "no answer",
    **dict.fromkeys(DIGITS, "digit"),
    **{asked: asked.value for asked in Asked},  # its answer
}
# Drawn as one box each: what happens in all of their states is one arrow, not twenty.
GROUPS: Mapping[str, tuple[frozenset[State], str]] = {
    "on": (ON, "in every state that is on"),
    "powered": (POWERED, "while the card has power"),
    "useless": (USELESS, "cards of no use"),
    "shown": (SHOWN, "to be read"),
}
_LABEL = 24  # characters in a line of a label, so that a drawing is no wider than a page
_FRAMES = frozenset({"useless", "shown"})
KEYS = [WORDS[key] for key in Key if key is not Key.ON]


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


def way() -> str:
    """From off to a code and back to off, as Mermaid: what a customer goes through."""
    return _diagram("TB", lambda ends: ends <= _WAY)


def cards() -> str:
    """Which cards make no code, and when that comes out."""
    return _diagram("LR", lambda ends: bool(ends & _USELESS))


def power() -> str:
    """What else comes between: a card that is taken out, the battery, time."""
    return _diagram("TB", lambda ends: not ends <= _WAY and not ends & _USELESS)


def _diagram(direction: str, shown: Callable[[set[str]], bool]) -> str:
    """The arrows between two boxes that are *shown*, and these boxes."""
    boxes = {_name(state): state.value for state in State}
    boxes |= {name: words for name, (_, words) in GROUPS.items()}
    labels: dict[tuple[str, str], set[str]] = {}
    for source, words, target in _arrows():
        if source != target and shown({source, target}):
            labels.setdefault((source, target), set()).add(words)
    # In the order of the states: sets, of which the table is made, have none.
    arrows = [
        (source, target) for source in boxes for target in boxes if (source, target) in labels
    ]
    touched = {name for arrow in arrows for name in arrow}
    return "\n".join(
        [
            "```mermaid",
            "stateDiagram-v2",
            f"    direction {direction}",
            *(line for name in boxes if name in touched for line in _box(name, boxes[name])),
            *(["    [*] --> off"] if touched <= _WAY else []),
            *(
                f"    {source} --> {target}: {_label(sorted(labels[source, target]))}"
                for source, target in arrows
            ),
            "```",
        ]
    )


def _box(name: str, words: str) -> list[str]:
    """The box of a state, or of a group: around its states, if they are drawn with it."""
    box = f'    state "{words}" as {name}'
    if name not in _FRAMES:
        return [box]
    members, _ = GROUPS[name]
    inside = (_name(state) for state in State if state in members)
    return [f"{box} {{", *(f"        {member}" for member in inside), "    }"]


def _arrows() -> Iterator[tuple[str, str, str]]:
    """Source, what happens, target."""
    places: dict[tuple[State, Trigger], set[State]] = {}
    for (state, trigger), transition in Reader.TRANSITIONS.items():
        for target in transition.to:
            places.setdefault((target, trigger), set()).add(state)
    for (target, trigger), states in places.items():
        for source, words in _sources(states, trigger):
            yield source, words, _name(target)


def _sources(states: set[State], trigger: Trigger) -> Iterator[tuple[str, str]]:
    """Where the arrows of *trigger* begin, and what stands at them: groups, and other states.

    One state of a group may be an exception, which the label names. Where it does something else
    instead, that is an arrow of its own.
    """
    for name, (members, _) in GROUPS.items():
        others = members - states
        if len(others) <= 1:
            unless = "".join(f" (not in {state.value})" for state in others)
            words = "time-out" if trigger is Tick else WORDS[trigger]
            yield name, words + unless
            states = states - members
    words = f"{NOTICE:.0f} s" if trigger is Tick else WORDS[trigger]
    yield from ((_name(state), words) for state in State if state in states)


def _label(words: list[str]) -> str:
    if all(key in words for key in KEYS):
        words = ["any key", *(word for word in words if word not in KEYS)]
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > _LABEL:
            lines.append("")
        lines[-1] += f"{word}, "
    return "<br>".join(line.strip() for line in lines if line).removesuffix(",")


def _name(state: State) -> str:
    return state.value.replace("-", "_")


_USELESS = frozenset(map(_name, USELESS)) | {_name(State.CARD_BLOCKED), "useless"}
_POWER = {_name(State.CARD_REMOVED), _name(State.BATTERY_WEAK), _name(State.BATTERY_EMPTY)}
_WAY = frozenset(map(_name, State)) - _USELESS - _POWER | {"shown"}


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
_DRAWINGS: Mapping[str, Callable[[], str]] = {
    "way": way,
    "cards": cards,
    "power": power,
    "screens": screens,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
