"""The parts of docs/reference that are read off the source, between two comments each.

    reference.py check     name the pages that say something else than the source; 1 if any
    reference.py update    write those parts anew

What stands around them is written by hand.
"""

import argparse
import ast
import inspect
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any

import msgspec

from sesame.catalogue import Language
from sesame.cli.main import parser
from sesame.custody.settings import CustodySettings
from sesame.logs import EVENTS, Line, line_of
from sesame.meters import Meters
from sesame.settings import Settings

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "sesame"
PAGES = ROOT / "docs" / "reference"


def main(action: str) -> int:
    """`check` prints what is out of step and returns 1 if there is any; `update` writes."""
    behind = []
    for name, generate in PARTS.items():
        page = PAGES / f"{name}.md"
        written = page.read_text(encoding="utf-8")
        current = filled(written, generate())
        if current != written and action == "update":
            page.write_text(current, encoding="utf-8")
        elif current != written:
            behind.append(name)
    for name in behind:
        print(f"docs/reference/{name}.md is out of step with the source: run make reference")
    return 1 if behind else 0


def filled(page: str, part: str) -> str:
    """*page* with *part* between its two comments.

    Raises:
        ValueError: the page has not exactly one such place.
    """
    current, count = _PLACE.subn(lambda place: f"{place[1]}\n\n{part}\n{place[2]}", page)
    if count != 1:
        raise ValueError(f"the page has {count} places between {_BEGIN} and {_END}, not one")
    return current


_BEGIN, _END = "<!-- from the source -->", "<!-- to here -->"
_PLACE = re.compile(f"({_BEGIN}).*?({_END})", re.DOTALL)


# ── Settings ─────────────────────────────────────────────────────────────────────────────────────


def settings() -> str:
    """Each setting with its type, default and meaning, as its own description says."""
    structs = _structs(Settings)
    first = structs.pop("Settings")
    lines = [*_table(first)]
    for name, struct in structs.items():
        lines += ["", f"## `{_heading(name, first, structs)}`", "", *_table(struct)]
    apart = _structs(CustodySettings)
    first = apart.pop("CustodySettings")
    lines += ["", "## Of the custody process, in a file of its own", "", *_table(first)]
    for name, struct in apart.items():
        heading = f"## `{_heading(name, first, apart)}`, of the custody process"
        lines += ["", heading, "", *_table(struct)]
    return "\n".join(lines) + "\n"


def _structs(settings: type[msgspec.Struct]) -> dict[str, Any]:
    """The tables of *settings* by name; the choices in them are kept aside."""
    structs: dict[str, Any] = msgspec.json.schema(settings)["$defs"]
    for name in [name for name, schema in structs.items() if "enum" in schema]:
        _CHOICES[f"#/$defs/{name}"] = structs.pop(name)
    return structs


def _heading(name: str, first: Mapping[str, Any], structs: Mapping[str, Any]) -> str:
    """Where the table *name* stands in the file: `[institution]`, `[[institution.closures]]`."""
    for above, struct in ((None, first), *structs.items()):
        for field, schema in struct["properties"].items():
            if f"'#/$defs/{name}'" in str(schema):
                outer = _heading(above, first, structs).strip("[]") + "." if above else ""
                heading = f"[{outer}{field}]"
                return f"[{heading}]" if schema.get("type") == "array" else heading
    raise LookupError(f"no setting holds a table {name}")


def _table(struct: Mapping[str, Any]) -> Iterator[str]:
    yield "| Setting | Type | Default | Meaning |"
    yield "|---|---|---|---|"
    for name, schema in struct["properties"].items():
        default = "must be set" if name in struct["required"] else _default(schema)
        yield f"| `{name}` | {_type(schema)} | {default} | {schema['description']} |"


_CHOICES: dict[str, Mapping[str, Any]] = {}  # what is one word out of a few


def _type(schema: Mapping[str, Any]) -> str:
    """In words: "integer, 1 to 65535"."""
    one = schema["anyOf"][0] if "anyOf" in schema else schema
    if "enum" in (chosen := _CHOICES.get(one.get("$ref", ""), {})):
        return " or ".join(f"`{json.dumps(choice)}`" for choice in chosen["enum"])
    of = "tables" if "$ref" in one.get("items", {}) else "strings"
    kinds = {"array": f"list of {of}", "object": "table", None: "table"}
    kind = one.get("format") or kinds.get(one.get("type"), one.get("type"))
    bounds = f", {one['minimum']} to {one['maximum']}" if "minimum" in one else ""
    return f"{kind}{bounds}"


def _default(schema: Mapping[str, Any]) -> str:
    default = schema.get("default")
    if default is None:
        return "none"
    return "empty" if default in ({}, [], ()) else f"`{json.dumps(default)}`"


# ── Commands ─────────────────────────────────────────────────────────────────────────────────────


def commands() -> str:
    """Each command with what it does and its arguments, as its own help says in English."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = Language.ENGLISH
    try:
        return "\n".join(_command(parser()))
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before


def _command(command: argparse.ArgumentParser, does: str | None = None) -> Iterator[str]:
    below = [a for a in command._actions if isinstance(a, argparse._SubParsersAction)]  # noqa: SLF001 -- argparse has no other way to look at a tree
    if does is not None:
        yield from (f"## `{command.prog}`", "", f"{does}.", "")
        if not below:
            yield from ("| Argument | |", "|---|---|")
            known = [action for action in command._actions if action.dest != "help"]  # noqa: SLF001 -- as above
            for action in sorted(known, key=lambda action: bool(action.option_strings)):
                default = f"; default `{action.default}`" if action.default else ""
                yield f"| {_argument(action)} | {action.help}{default} |"
            yield ""
    for tree in below:
        for choice in tree._choices_actions:  # noqa: SLF001 -- as above
            yield from _command(tree.choices[choice.dest], choice.help)


def _argument(action: argparse.Action) -> str:
    names = action.option_strings or [str(action.metavar or action.dest)]
    value = f" {action.metavar or action.dest.upper()}" if action.option_strings else ""
    spelled = ", ".join(f"`{name}{value if action.nargs != 0 else ''}`" for name in names)
    return spelled + (", required" if action.required and action.option_strings else "")


# ── Modules ──────────────────────────────────────────────────────────────────────────────────────


def modules() -> str:
    """Each package and module by its first line, and the names in it that others may use."""
    lines = []
    for package in sorted(path.parent for path in SOURCE.rglob("__init__.py")):
        name = ".".join(package.relative_to(SOURCE.parent).parts)
        lines += [f"## `{name}`", "", *_public(package / "__init__.py"), ""]
        for path in sorted(package.glob("*.py")):
            if path.stem != "__init__":
                lines += [f"### `{name}.{path.stem}`", "", *_public(path), ""]
    return "\n".join(lines)


def _public(path: Path) -> Iterator[str]:
    module = ast.parse(path.read_text(encoding="utf-8"))
    yield _first_sentence(module)
    names = [
        node
        for node in module.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
    ]
    if names:
        yield ""
    for node in names:
        yield f"- `{node.name}`: {_first_sentence(node)}"


def _first_sentence(
    node: ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef,
) -> str:
    return (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")


# ── Metrics and events ───────────────────────────────────────────────────────────────────────────


def metrics() -> str:
    """Each meter of a server with its kind, labels and meaning."""
    lines = ["| Metric | Kind | Labels | Meaning |", "|---|---|---|---|"]
    for meter in Meters().all():
        labels = ", ".join(f"`{label}`" for label in meter.labels) or "–"
        kind = type(meter).__name__.lower()
        lines.append(f"| `{meter.name}` | {kind} | {labels} | {meter.meaning} |")
    return "\n".join(lines) + "\n"


def events() -> str:
    """Each event of a server's log with its level, its fields and its meaning."""
    lines = ["| Event | Level | Fields | When |", "|---|---|---|---|"]
    for event in EVENTS:
        written = _written(event)
        fields = ", ".join(f"`{field}`" for field in written.fields) or "–"
        meaning = (event.__doc__ or "").partition("\n\n")[0]
        lines.append(f"| `{written.event}` | {written.level} | {fields} | {meaning} |")
    return "\n".join(lines) + "\n"


def _written(event: Callable[..., None]) -> Line:
    """What *event* writes, called with a word for each of its arguments."""
    handler = BufferingHandler(capacity=2)
    logger = logging.getLogger("sesame")
    before, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    try:
        event(*[Exception() for _ in inspect.signature(event).parameters])
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        logger.propagate = propagates
    return line_of(handler.buffer[0])


PARTS: Mapping[str, Callable[[], str]] = {
    "api": modules,
    "command-line": commands,
    "logs": events,
    "metrics": metrics,
    "settings": settings,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
