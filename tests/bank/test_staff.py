"""Roles and who may hold which together; the codes that staff are known by."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.errors import (
    IncompatibleRoles,
    MalformedPersonnelNumber,
    MalformedStaffCode,
    MalformedUserCode,
)
from sesame.bank.staff import (
    BANK_ITSELF,
    INCOMPATIBLE,
    Role,
    check_roles,
    generate_staff_code,
    is_staff_code,
    parse_personnel_number,
    parse_staff_code,
    read_roles,
    shown,
    write_roles,
)
from sesame.bank.user_code import parse_user_code
from tests.custody.keystores import chance

_TOGETHER = {frozenset({Role.ADVISER, Role.AUDITOR})}
_ALL = [
    frozenset(held) for size in range(len(Role) + 1) for held in combinations(sorted(Role), size)
]


def test_the_matrix_is_whole() -> None:
    """Each pair of roles goes together or has a reason why not, and nothing else stands there."""
    pairs = {frozenset(pair) for pair in combinations(Role, 2)}
    assert pairs - set(INCOMPATIBLE) == _TOGETHER
    assert set(INCOMPATIBLE) <= pairs
    assert all(INCOMPATIBLE.values())


@pytest.mark.parametrize("held", _ALL, ids=lambda held: write_roles(held) or "none")
def test_every_set_of_roles(held: frozenset[Role]) -> None:
    """One role, or the one pair that goes together: no set besides gives two keys to one hand."""
    if len(held) == 1 or held in _TOGETHER:
        assert check_roles(held) == held
        assert read_roles(write_roles(held)) == held
    else:
        with pytest.raises(IncompatibleRoles):
            check_roles(held)


def test_why_is_said() -> None:
    """By the names of both roles, and the reason."""
    with pytest.raises(IncompatibleRoles, match="adviser and issuer: an issuer sends card and PIN"):
        check_roles({Role.ADVISER, Role.ISSUER, Role.AUDITOR})


@given(st.integers())
def test_a_staff_code_is_read_as_it_is_shown(seed: int) -> None:
    """In small letters and with spaces too; and no user code is read from it, nor it from one."""
    code = generate_staff_code(chance(f"code {seed}"))
    typed = shown(code)
    assert len(code) == 8
    assert is_staff_code(code)
    assert parse_staff_code(f" {typed[:3].lower()}\u00a0{typed[3:]}\n") == code
    for text in (typed, code):
        with pytest.raises(MalformedUserCode):
            parse_user_code(text)


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abc _-", min_size=0, max_size=12))
def test_nothing_is_both(typed: str) -> None:
    """Whatever is typed is a user code, or a staff code, or neither."""
    read = []
    for parse in (parse_user_code, parse_staff_code):
        try:
            read.append(parse(typed))
        except (MalformedUserCode, MalformedStaffCode):
            continue
    assert len(read) < 2
    assert BANK_ITSELF not in read


@pytest.mark.parametrize("typed", ["", "VERA2345", "0000000", "_0000000", "\u017f" * 7, "AAAAAA0"])
def test_no_staff_code(typed: str) -> None:
    """Nobody types the bank itself either."""
    with pytest.raises(MalformedStaffCode):
        parse_staff_code(typed)


@pytest.mark.parametrize(("typed", "number"), [(" m/7 7", "M/77"), ("2026-0017", "2026-0017")])
def test_a_personnel_number(typed: str, number: str) -> None:
    """In capitals, without spaces."""
    assert parse_personnel_number(typed) == number


@pytest.mark.parametrize(
    "typed", ["", "é", "1" * 21, "4970 1012 3456 7893", "4970.1012.3456.7893", "M4970101234567893"]
)
def test_no_personnel_number(typed: str) -> None:
    """A card's least of all: it would stand on the list of staff."""
    with pytest.raises(MalformedPersonnelNumber):
        parse_personnel_number(typed)


def test_one_wrong_character_is_found() -> None:
    """By the check character, before anybody is asked."""
    code = shown(generate_staff_code(chance("checked")))
    with pytest.raises(MalformedStaffCode):
        parse_staff_code(("A" if code[0] != "A" else "B") + code[1:])
