"""Keys out of components: whoever lacks one knows nothing, and no bad key comes of it."""

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.custody.ceremony import (
    Component,
    Material,
    combine,
    draw_component,
    material_of,
    parse_check_value,
    parse_component,
    protection_material,
)
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import CustodyError, UnsuitableComponent, UnsuitableKey
from sesame.custody.key import Key
from sesame.custody.tr31 import Version
from sesame.emv.keys import odd_parity, xor
from tests.custody.keystores import IMK, NOW, chance

ISSUER = material_of(KeyUsage.ISSUER_AC)
SEAL = material_of(KeyUsage.SEAL)
# Two components of the published issuer key, one of them published too.
ONE = bytes.fromhex("C8F262D9CB86E9CE7F4C1A9B3D5E0780")
OTHER = xor(IMK, ONE)


def test_two_components_of_a_published_key() -> None:
    """The exclusive or, with odd parity, has the check value that payment modules show."""
    value = combine([Component(ISSUER, ONE), Component(ISSUER, OTHER)])
    assert value == odd_parity(IMK)
    key = Key(label="dpa-02", usage=KeyUsage.ISSUER_AC, value=value, created=NOW)
    assert key.check_value.hex().upper() == "08D7B4"
    assert ISSUER.check_value(value).hex().upper() == "08D7B4"


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=2, max_size=3))
def test_components_make_their_exclusive_or_or_are_refused(values: list[bytes]) -> None:
    """Whatever is typed: a key of odd parity that protects, or an error."""
    try:
        key = combine([Component(ISSUER, value) for value in values])
    except CustodyError:
        return
    assert key == odd_parity(reduce(xor, values))
    Key(label="dpa-02", usage=KeyUsage.ISSUER_AC, value=key, created=NOW)


@pytest.mark.parametrize(
    "material",
    [ISSUER, SEAL, protection_material(Version.B, 24), protection_material(Version.D, 24)],
    ids=["issuer", "seal", "kbpk B", "kbpk D"],
)
def test_drawn_components_can_be_typed_again(material: Material) -> None:
    """As they are written down: in groups of four; the case and the blanks are no matter."""
    drawn = draw_component(material, chance("drawn"))
    assert {len(group) for group in drawn.written.split(" ")} == {4}
    assert parse_component(material, drawn.written) == drawn
    assert parse_component(material, drawn.written.lower().replace(" ", "")) == drawn
    assert not material.des or drawn.value == odd_parity(drawn.value)
    assert len(drawn.check_value) == 3


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("", "not as long as the key"),
        ("01" * 15, "not as long as the key"),
        ("01" * 17, "not as long as the key"),
        ("O1" * 16, "written in hexadecimal digits"),
        ("012" + "01" * 14, "written in hexadecimal digits"),
        ("00" * 16, "a component of zeros hides nothing"),
        ("01" * 16, "a component of zeros hides nothing"),  # parity bits count for nothing
        ("0123456789ABCDEF" * 2, "halves are alike"),
        ("FEFEFEFEFEFEFEFE" + "0123456789ABCDEF", "weak"),
        ("0123456789ABCDEF" + "1FE01FE00EF10EF1", "semi-weak"),
    ],
)
def test_what_is_no_component(typed: str, says: str) -> None:
    """Refused with a reason that repeats nothing of it."""
    with pytest.raises(UnsuitableComponent, match=says) as refused:
        parse_component(ISSUER, typed)
    if typed:
        assert typed not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


def test_components_of_other_keys() -> None:
    """32 bytes where the key has 32; zeros are refused there too."""
    with pytest.raises(UnsuitableComponent, match="not as long as the key"):
        parse_component(SEAL, "01" * 16)
    with pytest.raises(UnsuitableComponent, match="zeros"):
        Component(SEAL, bytes(32))
    one, other = Component(SEAL, bytes(range(32))), Component(SEAL, b"\x01" * 32)
    assert combine([one, other]) == xor(bytes(range(32)), b"\x01" * 32)  # parity is left alone
    third = Component(SEAL, xor(one.value, other.value))
    with pytest.raises(UnsuitableKey, match="zeros"):
        combine([one, other, third])


def test_what_is_not_put_together() -> None:
    """One, four, two alike, of two kinds; and a key that would protect nothing."""
    one, other = Component(ISSUER, ONE), Component(ISSUER, OTHER)
    third = draw_component(ISSUER, chance("third"))
    for components in ([], [one], [one, other, third, draw_component(ISSUER, chance("x"))]):
        with pytest.raises(UnsuitableComponent, match="two or three components"):
            combine(components)
    parity = Component(ISSUER, bytes(byte ^ 1 for byte in ONE))
    for twin in (one, parity):
        with pytest.raises(UnsuitableComponent, match="cancel each other"):
            combine([one, other, twin])
    with pytest.raises(UnsuitableComponent, match="one kind"):
        combine([one, Component(SEAL, bytes(range(32)))])
    for bad, says in ((IMK[:8] * 2, "alike"), (b"\xfe" * 8 + IMK[8:], "weak")):
        with pytest.raises(UnsuitableKey, match=says):
            combine([one, Component(ISSUER, xor(bad, ONE))])


@pytest.mark.parametrize("typed", ["08D7B4", " 08 d7 b4 ", "08d7B4"])
def test_check_values_as_people_type_them(typed: str) -> None:
    """Blanks and case are no matter."""
    assert parse_check_value(typed) == bytes.fromhex("08D7B4")


@pytest.mark.parametrize("typed", ["", "08D7", "08D7B4AA", "O8D7B4"])
def test_what_is_no_check_value(typed: str) -> None:
    """Six digits."""
    with pytest.raises(UnsuitableComponent, match="six hexadecimal digits"):
        parse_check_value(typed)


def test_components_do_not_print_themselves() -> None:
    """Nor does what holds them."""
    shown = repr([Component(ISSUER, ONE)])
    assert ONE.hex() not in shown.lower()
    assert repr(ONE) not in shown
