"""The issuer's answer to a cryptogram, by the vectors."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.emv.arpc import arpc_method_1, arpc_method_2
from sesame.emv.errors import WrongLength
from sesame.emv.keys import DesKey, xor
from tests.emv.strategies import bytes_of_8, des_keys
from tests.vectors.reading import vectors

ANSWERS = [
    pytest.param(vector, answer, id=f"{vector['id']}-{number}")
    for vector in vectors("cryptogram", "chain") + vectors("profiles", "profile")
    for number, answer in enumerate(vector.get("arpc", []), 1)
]
KEYS = {"card": "card_key", "session": "sk"}


@pytest.mark.parametrize(("vector", "answer"), ANSWERS)
def test_arpcs(vector: dict[str, Any], answer: dict[str, Any]) -> None:
    """Of a payment HSM, by either method, under the key that the profile takes."""
    key = DesKey(bytes.fromhex(vector[KEYS[answer["key"]]]))
    arqc = bytes.fromhex(vector["ac"])
    if answer["method"] == 1:
        made = arpc_method_1(key, arqc, bytes.fromhex(answer["arc"]))
    else:
        csu, proprietary = bytes.fromhex(answer["csu"]), answer.get("proprietary", "")
        made = arpc_method_2(key, arqc, csu, bytes.fromhex(proprietary))
    assert made == bytes.fromhex(answer["arpc"])


@given(des_keys, bytes_of_8, st.binary(min_size=2, max_size=2))
def test_method_1_mixes_the_arc_into_the_first_two_bytes(
    sk: DesKey, arqc: bytes, arc: bytes
) -> None:
    """So that an ARC of zeros leaves the ARQC as it is."""
    mixed = xor(arqc[:2], arc) + arqc[2:]
    assert arpc_method_1(sk, arqc, arc) == arpc_method_1(sk, mixed, bytes(2)) == sk.encrypt(mixed)


@given(des_keys, bytes_of_8, st.binary(min_size=4, max_size=4), st.binary(max_size=8))
def test_method_2_answers_four_bytes(
    sk: DesKey, arqc: bytes, csu: bytes, proprietary: bytes
) -> None:
    """Of whatever the issuer adds."""
    assert len(arpc_method_2(sk, arqc, csu, proprietary)) == 4


@pytest.mark.parametrize(
    ("arqc", "arc", "message"),
    [(7, 2, "ARQC of 7 bytes: it has 8"), (8, 3, "ARC of 3 bytes: it has 2")],
)
def test_lengths_of_method_1(arqc: int, arc: int, message: str) -> None:
    """A shorter value would be answered without anybody noticing."""
    with pytest.raises(WrongLength, match=message):
        arpc_method_1(DesKey(bytes(16)), bytes(arqc), bytes(arc))


@pytest.mark.parametrize(
    ("arqc", "csu", "proprietary", "message"),
    [
        (9, 4, 0, "ARQC of 9 bytes: it has 8"),
        (8, 2, 0, "CSU of 2 bytes: it has 4"),
        (8, 4, 9, "Proprietary Authentication Data of 9 bytes: it has 0 to 8"),
    ],
)
def test_lengths_of_method_2(arqc: int, csu: int, proprietary: int, message: str) -> None:
    """They stand one behind the other, so that one's surplus would be the next one's."""
    with pytest.raises(WrongLength, match=message):
        arpc_method_2(DesKey(bytes(16)), bytes(arqc), bytes(csu), bytes(proprietary))
