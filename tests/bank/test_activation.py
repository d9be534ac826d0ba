"""`sesame.bank.activation`."""

import pytest

from sesame.bank.activation import activation_hash, make_number, parse_number
from sesame.bank.errors import MalformedNumber
from tests.bank.branch import Branch
from tests.custody.keystores import chance

_KEY = (7, "TESTUSER")


@pytest.mark.parametrize(
    "typed",
    ["1234-5678", "12345678", " 12 34 56 78\n", "1234\u20135678", "1234\u00a05678", "1.2.3.4.5678"],
)
def test_a_number_is_read_as_people_type_it(typed: str) -> None:
    """With or without a hyphen, dashes and spaces of every kind."""
    assert parse_number(typed) == "12345678"


@pytest.mark.parametrize(
    "typed", ["", "1234567", "123456789", "1234567a", "\uff11" * 8, "1234+5678"]
)
def test_what_is_no_number_is_told_so(typed: str) -> None:
    """Eight ASCII digits, nothing else."""
    with pytest.raises(MalformedNumber):
        parse_number(typed)


def test_a_new_number_is_written_as_its_letter_has_it() -> None:
    """Four digits, a hyphen, four digits, by chance; the lowest with its zeros."""
    assert make_number(bytes) == "0000-0000"
    made = {make_number(chance(str(n))) for n in range(50)}
    assert len(made) == 50
    assert all(len(number) == 9 and number[4] == "-" and parse_number(number) for number in made)


async def test_a_hash_is_of_one_order_and_one_number(branch_on_file: Branch) -> None:
    """However it is spelled; another order, customer or number has another."""
    bank = branch_on_file.bank
    first = await activation_hash(bank, _KEY, 1, "1234-5678")
    assert first == await activation_hash(bank, _KEY, 1, "12345678")
    others = [
        await activation_hash(bank, _KEY, 2, "1234-5678"),
        await activation_hash(bank, (8, "TESTUSER"), 1, "1234-5678"),
        await activation_hash(bank, (7, "TESTUSES"), 1, "1234-5678"),
        await activation_hash(bank, _KEY, 1, "1234-5679"),
    ]
    assert len({first, *others}) == 5
    assert len(first) == 32
    with pytest.raises(MalformedNumber):
        await activation_hash(bank, _KEY, 1, "1234")
