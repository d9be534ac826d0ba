"""The second reading of a card's answers is right where people have said what comes out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.reader.plain import block_of, code_of, leaves, tell

_TRACES = Path(__file__).parent.parent / "vectors" / "traces.json"
_VECTORS = [
    vector
    for vector in json.loads(_TRACES.read_text(encoding="utf-8"))["vectors"]
    if vector["exchanges"][0]["step"] == "SELECT"
]


@pytest.mark.parametrize("vector", _VECTORS, ids=lambda vector: str(vector["id"]))
def test_the_codes_of_recorded_cards(vector: dict[str, Any]) -> None:
    """Come out of their answers."""
    heard = [
        (bytes.fromhex(one["command"]), bytes.fromhex(one["response"]))
        for one in vector["exchanges"]
        if one["step"] != "VERIFY"
    ]
    typed = (vector["inputs"].get("tds") or ()) if vector["mode"] == "M2+TDS" else ()
    assert code_of(tell(heard), typed) == str(vector["expect"]["otp"])


def test_what_is_no_tlv_has_no_leaves() -> None:
    """And what is has those of all templates."""
    assert leaves(bytes.fromhex("7004 8102 0102")) == [("81", b"\1\2")]
    deep = b""
    for _ in range(16):
        deep = b"\x70" + bytes([len(deep)]) + deep
    assert leaves(deep) == []
    assert leaves(b"\x70" + bytes([len(deep)]) + deep) is None
    for cut in ("70", "7001", "9F", "8181", "8180", "8080", "1F81818101"):
        assert leaves(bytes.fromhex(cut)) is None


def test_a_pin_block() -> None:
    """As EMV draws it."""
    assert block_of("1234").hex().upper() == "241234FFFFFFFFFF"
