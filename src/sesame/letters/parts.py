"""What a letter is made of, as `letter.typ` sets it: data, never markup.

Each part says its `kind`; the names of its fields are those that the template reads.
"""

import msgspec

from sesame.letters.drawings import Picture
from sesame.letters.scrambling import Pattern


class Text(msgspec.Struct, frozen=True, tag="text", tag_field="kind"):
    """A paragraph of sentences."""

    text: str


def paragraph(*sentences: str) -> Text:
    """*sentences* one after the other."""
    return Text(" ".join(sentences))


class Heading(msgspec.Struct, frozen=True, tag="heading", tag_field="kind"):
    """A heading below the title."""

    text: str


class Fact(msgspec.Struct, frozen=True, tag="fact", tag_field="kind"):
    """Something to copy, under its name."""

    label: str
    value: str

    def __repr__(self) -> str:
        """Without the value: it may be a user code."""
        return f"Fact(label={self.label!r})"


class Secret(msgspec.Struct, frozen=True, tag="secret", tag_field="kind"):
    """A PIN in its scrambled area."""

    digits: str
    pattern: Pattern

    def __repr__(self) -> str:
        """Without the digits, and without what hides them."""
        return "Secret()"


class Steps(msgspec.Struct, frozen=True, tag="steps", tag_field="kind"):
    """One line under the other: lettered a, b, c, or with a dot each."""

    items: list[list[Text | Picture]]
    numbered: bool = True


class Pictures(msgspec.Struct, frozen=True, tag="pictures", tag_field="kind"):
    """Drawings side by side, lettered as the steps above them; the last ones may have no step."""

    pictures: list[Picture]
    steps: int  # how many of them show a step


class Box(msgspec.Struct, frozen=True, tag="box", tag_field="kind"):
    """What stands out from the rest."""

    heading: str
    parts: list[Text]


Part = Text | Heading | Fact | Secret | Steps | Pictures | Box


class Contents(msgspec.Struct, frozen=True):
    """A letter or a sheet, whole."""

    language: str
    large: bool
    title: str
    sender: str
    address: list[str]  # none on a sheet
    facts: list[Fact]  # beside the window: date and reference
    parts: list[Part]
    help: list[Text]
    help_title: str
    pages: str  # « Page {page} sur {pages} »
    salt: str = ""  # hexadecimal, not shown

    def __repr__(self) -> str:
        """Without what stands in it: name, address, and secrets."""
        return f"Contents(title={self.title!r})"
