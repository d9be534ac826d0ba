"""How tests read the vectors of this folder."""

import tomllib
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def vectors(file: str, table: str) -> list[dict[str, Any]]:
    """The entries of *table* in FILE.toml, in their order."""
    entries = tomllib.loads((_FOLDER / f"{file}.toml").read_text(encoding="utf-8"))[table]
    return list(entries)


def says(vector: dict[str, Any]) -> str:
    """What a vector shows, as the name of its test."""
    return str(vector["says"])
