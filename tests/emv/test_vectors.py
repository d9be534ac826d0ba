"""The public vectors are all here, each once."""

import tomllib
from collections import Counter
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "vectors"
# How many begin with each name. Those of the codes are proved beside the code, in tests/cap.
HELD = {
    "ac": 1,
    "atc": 8,
    "be": 3,
    "cap-k2": 1,
    "cap-otp": 9,
    "chain": 10,
    "cvn": 8,
    "des-ecb": 2,
    "e2e": 9,
    "icc-mk": 3,
    "mac-alg3": 6,
    "sk": 15,
    "sm-ccd": 1,
    "sm-mac": 1,
    "sm-mc": 2,
    "sm-vis": 3,
    "tds": 5,
}


def identifiers() -> list[str]:
    """The `id` of every entry of every file that has one."""
    tables = [
        table
        for path in sorted(FOLDER.glob("*.toml"))
        for table in tomllib.loads(path.read_text(encoding="utf-8")).values()
        if isinstance(table, list)
    ]
    return [entry["id"] for table in tables for entry in table if "id" in entry]


def test_none_is_forgotten() -> None:
    """Eighty-seven, from the block cipher to the code, under a name of their own."""
    found = identifiers()
    by_length = sorted(HELD, key=len, reverse=True)
    begin = Counter(
        next((name for name in by_length if one.startswith(f"{name}-")), one) for one in found
    )
    assert begin == HELD
    assert len(set(found)) == len(found) == sum(HELD.values()) == 87
