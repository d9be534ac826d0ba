"""The portal's drawings of the reader, as pictures for a letter: one template draws both."""

import html
import re
from functools import cache
from typing import cast

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from sesame.catalogue import Language, translator
from sesame.web.drawn_reader import FACES, draw

# What the portal's style sheet says of these classes, in the fonts that a letter embeds.
_STYLE = (
    "<style>"
    ".plate, .caps, .key text {font-family: 'Atkinson Hyperlegible'; font-weight: 700}"
    ".plate {font-size: 15px} .caps, .key text {font-size: 18px}"
    ".caps .function {font-size: 14px}"
    ".lcd {font-family: 'DejaVu Sans Mono'; font-weight: 700}"
    ".ring {fill: none; stroke: #ffd24a; stroke-width: 5}"
    ".arrow {fill: #b4531f; stroke: #ffffff; stroke-width: 2; paint-order: stroke}"
    "</style>"
)
_LABEL = re.compile(r'aria-label="([^"]*)"')
_OPENING = re.compile(r"<svg ([^>]*)>")


class Picture(msgspec.Struct, frozen=True, tag="picture", tag_field="kind"):
    """A drawing, and what somebody hears who does not see it."""

    svg: str
    alt: str


@cache
def reader(state: str, language: Language) -> Picture:
    """The reader in *state*, a name of `FACES`."""
    return _picture("reader", draw(FACES[state], language), language)


@cache
def key(name: str, language: Language) -> Picture:
    """One key, to stand in a sentence: `code`, `c` or `ok`."""
    return _picture("key", name, language)


def _picture(macro: str, what: object, language: Language) -> Picture:
    markup = str(getattr(_templates(language).get_template("drawing.html").module, macro)(what))
    label = cast("re.Match[str]", _LABEL.search(markup))[1]  # every drawing of ours has one
    svg = _OPENING.sub(rf'<svg xmlns="http://www.w3.org/2000/svg" \1>{_STYLE}', markup, count=1)
    return Picture(svg=svg.strip(), alt=html.unescape(label))


@cache
def _templates(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("sesame.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["_"] = translator(language)
    return environment
