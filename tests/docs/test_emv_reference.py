"""docs/reference/emv.md names what `emv` and `cap` offer: all of it, and nothing else."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent.parent
_PAGE = (_ROOT / "docs" / "reference" / "emv.md").read_text(encoding="utf-8")
_PACKAGES = ["emv", "cap"]
_MODULES = [
    f"{package}.{module.name}"
    for package in _PACKAGES
    for module in pkgutil.iter_modules([str(_ROOT / "src" / "sesame" / package)])
]


def public_names(module: str) -> Iterator[str]:
    """The classes, functions and constants that *module* itself defines."""
    path = _ROOT / "src" / "sesame" / f"{module.replace('.', '/')}.py"
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names = [name]
            case ast.Assign(targets=targets):
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names = [name]
            case _:
                names = []
        yield from (name for name in names if not name.startswith("_"))


@pytest.mark.parametrize("module", _MODULES)
def test_every_public_name_is_on_the_page(module: str) -> None:
    """In the table of its module."""
    found = re.search(rf"^## `sesame\.{module}`$(.*?)(?=^## |\Z)", _PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no heading for {module}"
    first_cells = re.findall(r"^\| (`[^|]*) \|", found[1], re.MULTILINE)
    listed = [name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(listed) == sorted(public_names(module))


def test_no_module_is_on_the_page_that_is_not_there() -> None:
    """Each heading is a module."""
    assert re.findall(r"^## `sesame\.([\w.]+)`$", _PAGE, re.MULTILINE) == _MODULES


@pytest.mark.parametrize("package", _PACKAGES)
def test_a_package_offers_its_modules(package: str) -> None:
    """`__all__` lists them, all and in order."""
    offered = importlib.import_module(f"sesame.{package}").__all__
    assert [f"{package}.{name}" for name in offered] == [
        module for module in _MODULES if module.startswith(f"{package}.")
    ]
