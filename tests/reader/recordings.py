"""Recorded sessions for the tests: those that were published, and made-up ones of any layout."""

import copy
import json
from pathlib import Path
from typing import Any

from sesame.emv.tlv import encode_one

Vector = dict[str, Any]

PATH = Path(__file__).parent.parent / "vectors" / "traces.json"
FILE: dict[str, Any] = json.loads(PATH.read_bytes())
VECTORS: list[Vector] = FILE["vectors"]
NAMES: list[str] = [vector["id"] for vector in VECTORS]

# The eight standard elements: amounts, country, TVR, currency, date, type, UN.
ELEMENTS = "9F0206 9F0306 9F1A02 9505 5F2A02 9A03 9C01 9F3704"
LOGIN = "000000000000 000000000000 0000 8000000000 0000 000000 00 00000000"
# An answer of a Belgian card, and a bitmap for it: the last 8 bits of the ATC, 18 of the AC.
CRYPTOGRAM = "80 005A 513C1201B7DB02A0 06015603A40000"
BITMAP = "0000FF000000000003FFFF"
NUMBER = 23790240


def vector(name: str) -> Vector:
    """A copy of the published vector *name*, to be changed."""
    return copy.deepcopy(VECTORS[NAMES.index(name)])


def step(found: Vector, name: str, number: int = 0) -> dict[str, Any]:
    """The exchange *number* of those that are called *name*."""
    exchanges: list[dict[str, Any]] = [one for one in found["exchanges"] if one["step"] == name]
    return exchanges[number]


def bare(found: Vector) -> Vector:
    """The same without what it says of itself."""
    return {name: value for name, value in found.items() if name not in ("expect", "fields")}


def objects(tags: dict[str, str]) -> bytes:
    """TLV objects, tags and values in hexadecimal."""
    return b"".join(encode_one(int(tag, 16), bytes.fromhex(value)) for tag, value in tags.items())


def template(tag: int, content: bytes) -> str:
    """An answer 9000 with one template in it."""
    return encode_one(tag, content).hex() + "9000"


def made_up(  # noqa: PLR0913 -- a session has so many parts
    *,
    scheme: str = "CAP",
    aid: str = "A0000000048002",
    mode: str = "M2",
    inputs: dict[str, Any] | None = None,
    fci: dict[str, str] | None = None,
    pdol_values: str = "",
    options: str = "80 06 1000 08010100 9000",
    record: dict[str, str] | None = None,
    without: str = "",
    cdol1: str = ELEMENTS,
    data: str = LOGIN,
    answer: str = CRYPTOGRAM,
) -> Vector:
    """A whole session of one record, in which *record* adds to two CDOLs and a bitmap.

    *without* is a tag that the record lacks; *data* are the bytes of the first GENERATE AC,
    *answer* is CID, ATC, AC and IAD (format 1), or a whole answer of format 2.
    """
    in_record = {"8C": cdol1, "8D": f"8A02 {ELEMENTS}", "9F56": BITMAP, **(record or {})}
    in_record.pop(without, None)
    values, sent = bytes.fromhex(pdol_values), bytes.fromhex(data)
    name, made = bytes.fromhex(aid), bytes.fromhex(answer)
    found = encode_one(0x84, name) + encode_one(0xA5, objects(fci or {}))
    gpo = encode_one(0x83, values)
    exchanges = {
        f"00A40400{len(name):02X}{name.hex()}": template(0x6F, found),
        f"80A80000{len(gpo):02X}{gpo.hex()}": options,
        "00B2010C00": template(0x70, objects(in_record)),
        f"80AE8000{len(sent):02X}{sent.hex()}": (
            f"{answer} 9000" if made[0] == 0x77 else template(0x80, made)
        ),
    }
    return {
        "id": "made-up",
        "scheme": scheme,
        "mode": mode,
        "inputs": inputs or {},
        "exchanges": [
            {"command": command, "response": response} for command, response in exchanges.items()
        ],
    }
