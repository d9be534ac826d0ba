"""The pages that explain the source name files and functions that exist."""

import importlib
import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent.parent
_PACKAGE = _ROOT / "src" / "sesame"
_WALK = _ROOT / "docs" / "explanation" / "a-login-through-the-files.md"
_PAGES = sorted(
    [
        *_ROOT.glob("docs/explanation/*.md"),
        *_ROOT.glob("docs/decisions/[0-9]*.md"),
        *_ROOT.glob("docs/limits.md"),
    ]
)
_TOP = {path.stem for path in _PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}


def quoted(page: Path) -> list[str]:
    """What stands between backticks, or in a block that draws the way of a login."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    words = [word for block in blocks for word in block.split()]
    return words + re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    )


def files(page: Path) -> set[str]:
    """The paths of source files that *page* names."""
    return {word for word in quoted(page) if re.fullmatch(r"[\w/.-]+/[\w-]+\.(?:py|html|po)", word)}


def names(page: Path) -> set[str]:
    """The dotted names of modules, functions and classes that *page* names."""
    dotted = {
        match[1].removeprefix("sesame.")
        for word in quoted(page)
        if (match := re.fullmatch(r"((?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*)(?:\(\))?", word))
    }
    return {name for name in dotted if name.partition(".")[0] in _TOP and not name.endswith(".py")}


def resolve(name: str) -> object:
    """The module, function, class or attribute of `sesame` that *name* means."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        module = ".".join(["sesame", *parts[:length]])
        try:
            found: object = importlib.import_module(module)
        except ModuleNotFoundError as error:
            if not module.startswith(str(error.name)):
                raise  # it is there, and something that it imports is not
            continue
        for attribute in parts[length:]:
            found = getattr(found, attribute)
        return found
    raise AttributeError(name)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_files_exist(page: Path) -> None:
    """From the package's folder or from the project's."""
    for path in files(page):
        assert (_PACKAGE / path).exists() or (_ROOT / path).exists(), f"{page.name}: {path}"


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.stem)
def test_names_exist(page: Path) -> None:
    """`bank.verification.decide` is there; so is what an attribute's name says."""
    for name in names(page):
        assert resolve(name) is not None, f"{page.name}: {name}"


def test_the_walk_through_names_what_it_walks_through() -> None:
    """A page without names would pass the tests above: this one has one for each stop."""
    assert len(names(_WALK) | files(_WALK)) >= 8
    assert "bank.verification.decide" in names(_WALK)
