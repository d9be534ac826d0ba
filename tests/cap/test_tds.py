"""Transaction Data Signing: the typed numbers under the cryptogram."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.tds import mix, tds_message
from sesame.cap.token import compress
from tests.emv.strategies import bytes_of_8
from tests.vectors.reading import says, vectors

field = st.from_regex(r"[0-9]{1,10}", fullmatch=True)
fields = st.lists(field, min_size=1, max_size=10)


@pytest.mark.parametrize("vector", vectors("tds", "tds"), ids=says)
def test_recorded_mixing(vector: dict[str, Any]) -> None:
    """The message, the mixed cryptogram, and the code where there is one."""
    assert tds_message(vector["fields"]) == bytes.fromhex(vector["padded"])
    mixed = mix(bytes.fromhex(vector["ac"]), vector["fields"])
    assert mixed == bytes.fromhex(vector["mixed_ac"])
    if "token" in vector:
        data = bytes.fromhex(vector["cid_atc"]) + mixed
        assert compress(data, bytes.fromhex(vector["ipb"])) == vector["token"]


@given(fields, fields)
def test_other_fields_are_another_message(one: list[str], other: list[str]) -> None:
    """No two lists of fields give the same bytes: order, borders and leading zeros count."""
    assert (tds_message(one) == tds_message(other)) is (one == other)


@given(bytes_of_8, fields)
def test_parity_bits_do_not_matter(ac: bytes, typed: list[str]) -> None:
    """DES leaves them out, so no check may refuse a cryptogram for them."""
    assert mix(bytes(byte ^ 1 for byte in ac), typed) == mix(ac, typed)
