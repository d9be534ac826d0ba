"""What a value shows of itself: in a log, a traceback or a test nobody reads a code or an address.

Every dataclass, struct and named tuple of the program is looked at, so that a new one is too.
"""

import dataclasses
import enum
import importlib
import inspect
import pkgutil
import types
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as AnySequence
from typing import Any, NewType, get_args, get_origin, get_type_hints
from unittest.mock import MagicMock

import msgspec
import pytest

import sesame
from sesame.custody.custodian import CardRecord, Question
from sesame.store.cards import Key

# Words of a field's name by which its text or bytes are nobody else's to read.
_WORDS = """
address addresses answer bootstrap code codes digits email hash key keys line lines mac number pan
passphrase password payload pin pins plain salt sealed secret seed street token tokens
"""
_PRIVATE = frozenset(_WORDS.split())
# Words by which they are not that, but something about it: what was wrong with it, for example.
_ABOUT = {"error", "file", "hashes", "name", "press", "state", "version", "wanted"}
# Codes that tell who somebody is, and open nothing.
_SHOWN = frozenset({"user_code", "staff_code", "by_code", "personnel_number"})
# What only has the same name.
_PAGE = "the address of a page of ours"
_SENTENCE = "a sentence for whoever typed it"
_WHO = "a staff code or user code"
_OTHERWISE: Mapping[str, str] = {
    "bank.beside._Said.mac": "it signs a line, and opens nothing",
    "bank.beside._Waiting.mac": "the same",
    "bank.export._About.key": "the fingerprint of a public key",
    "bank.replay._Used.mac": "it signs a line, and opens nothing",
    "bank.seal.Seal.key": "the fingerprint of a public key",
    "card.card_file._File.key": "the first bytes of a hash of it",
    "card.card_file._File.sealed": "as it stands in a file of a demonstration",
    "custody.keystore._Kdf.salt": "as it stands in the keystore's file, in clear",
    "custody.seal_key._File.salt": "the same",
    "desk.campaign.CustomerLine.address": _PAGE,
    "desk.campaign.CustomerLine.code": _WHO,
    "desk.campaign.Line.address": _PAGE,
    "desk.customer.Action.address": _PAGE,
    "desk.home.CallerLines.address": _PAGE,
    "desk.people.ClosePage.code": _WHO,
    "desk.people.MemberLine.code": _WHO,
    "desk.request_list.ListedLine.address": _PAGE,
    "desk.request_list.ListedLine.code": _WHO,
    "desk.requests.CardForm.address": _PAGE,
    "desk.search.HitLines.address": _PAGE,
    "letters.scrambling.Pattern.digits": "which ink digits are printed with",
    "portal.forms.Mistake.code": _SENTENCE,
    "portal.forms.Mistake.next_code": _SENTENCE,
    "portal.forms.Mistake.number": _SENTENCE,
    "portal.help.HelpPage.address": _PAGE,
    "reader.report.CryptogramReport.pin": "what the chip says that it did about it",
    "simulation.events.Event.line": "the line to the internet of a made-up customer",
    "simulation.refusals.Refused.line": "the same",
    "simulation.server.Browser.line": "the same",
    "simulator.routes.ResetPage.address": _PAGE,
    "simulator.routes.TablePage.reset_address": _PAGE,
    "simulator.till_pages.Mistakes.pin": _SENTENCE,
    "simulator.till_pages.TillPage.address": _PAGE,
    "web.problems.ProblemPage.address": _PAGE,
}


def _classes() -> Iterator[type]:
    for info in pkgutil.walk_packages(sesame.__path__, "sesame."):
        if "migrations" in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for found in vars(module).values():
            if inspect.isclass(found) and found.__module__ == info.name and _fields(found):
                yield found


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, a struct or a named tuple; none of anything else."""
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return getattr(kind, "_fields", ()) if issubclass(kind, tuple) else ()


def _is_text(hint: Any) -> bool:  # noqa: ANN401 -- whatever a hint is
    """Whether there is text or bytes in a value of that type, in a list of them too."""
    if isinstance(hint, NewType):
        hint = hint.__supertype__
    if hint == Key:
        return False
    return hint is str or hint is bytes or any(map(_is_text, get_args(hint)))


def _is_private(name: str, hint: object) -> bool:
    words = set(name.strip("_").split("_"))
    return name not in _SHOWN and bool(words & _PRIVATE) and not words & _ABOUT and _is_text(hint)


def _filled(hint: Any, mark: str) -> object:  # noqa: ANN401
    """A value of that type, or what can stand for one, with *mark* wherever there is text.

    A *mark* has sixteen bytes, as a key.
    """
    if isinstance(hint, NewType):
        return _filled(hint.__supertype__, mark)
    plain: Mapping[object, object] = {str: mark, bytes: mark.encode(), int: 7, bool: True}
    if isinstance(hint, type) and hint in plain:
        return plain[hint]
    of = get_origin(hint)
    if of in {tuple, list, AnySequence}:
        return tuple(_filled(part, mark) for part in get_args(hint) if part is not Ellipsis)
    if isinstance(hint, types.UnionType):
        return _filled(get_args(hint)[0], mark)
    if inspect.isclass(hint) and issubclass(hint, enum.Enum):
        return next(iter(hint))
    return MagicMock()


def _example(kind: type, hints: Mapping[str, Any], marks: Mapping[str, str]) -> object:
    """An instance that nothing has checked."""
    values = {name: _filled(hints[name], marks[name]) for name in _fields(kind)}
    if not dataclasses.is_dataclass(kind) or issubclass(kind, msgspec.Struct):
        return kind(**values)
    example: object = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(example, name, value)  # also of what is frozen
    return example


_CLASSES = {
    f"{kind.__module__.removeprefix('sesame.')}.{kind.__qualname__}": kind for kind in _classes()
}


def test_all_are_looked_at() -> None:
    """Those of the bank, of custody, of the pages."""
    assert len(_CLASSES) > 400
    assert {Question, CardRecord} <= set(_CLASSES.values())


def _private_fields(kind: type) -> list[str]:
    hints = get_type_hints(kind)
    return [field for field in _fields(kind) if _is_private(field, hints[field])]


@pytest.mark.parametrize("name", [name for name, kind in _CLASSES.items() if _private_fields(kind)])
def test_nothing_private_is_shown(name: str) -> None:
    """By whatever way it is made: each field that may hold such a thing stays out."""
    kind = _CLASSES[name]
    marks = {field: f"the mark of {number:04}" for number, field in enumerate(_fields(kind))}
    shown = repr(_example(kind, get_type_hints(kind), marks))
    seen = {f"{name}.{field}" for field in _private_fields(kind) if marks[field] in shown}
    assert seen - set(_OTHERWISE) == set()


def test_what_only_has_the_same_name_is_there() -> None:
    """No line of the list has outlived its field."""
    fields = {f"{name}.{field}" for name, kind in _CLASSES.items() for field in _fields(kind)}
    assert set(_OTHERWISE) <= fields
