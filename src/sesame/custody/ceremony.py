"""A key out of components that two or three persons bring, each of whom knows one.

Pure. The key is the exclusive or of all: whoever lacks one component knows nothing of it. Each
component has a check value of its own, made as the key's is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce

from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import ComponentFault, UnsuitableComponent, UnsuitableKey
from sesame.custody.key import CHECK_VALUE, ISSUER_USAGES, Random, check_value, key_length
from sesame.custody.tr31 import Version, protection_check_value
from sesame.emv.keys import des_fault, odd_parity, xor

FEWEST, MOST = 2, 3  # components
_GROUP = 4  # characters, as people write a component down
_PARITY = 0x01  # of each byte of a DES key


@dataclass(frozen=True, slots=True)
class Material:
    """What the components are to make: how long, whether DES, and how it is recognised."""

    length: int  # bytes
    des: bool
    check_value: Callable[[bytes], bytes] = field(compare=False)  # of a value: 3 bytes


def material_of(usage: KeyUsage) -> Material:
    """That of a key for *usage*."""
    return Material(key_length(usage), usage in ISSUER_USAGES, partial(check_value, usage))


def protection_material(version: Version, length: int) -> Material:
    """That of a key block protection key of *length* bytes."""
    return Material(length, version is Version.B, partial(protection_check_value, version))


@dataclass(frozen=True, slots=True, repr=False)
class Component:
    """One person's part of a key; it does not print itself.

    Raises:
        UnsuitableComponent: another length than the key's, nothing but zeros (the others would
            know the key), or DES parts that are weak or alike.
    """

    material: Material
    value: bytes

    def __post_init__(self) -> None:
        if len(self.value) != self.material.length:
            raise UnsuitableComponent(ComponentFault.LENGTH)
        counted = bytes(b & ~_PARITY for b in self.value) if self.material.des else self.value
        if not any(counted):
            raise UnsuitableComponent(ComponentFault.ZEROS)
        if self.material.des and des_fault(self.value):
            raise UnsuitableComponent(ComponentFault.WEAK)

    @property
    def check_value(self) -> bytes:
        """3 bytes by which its owner recognises it."""
        return self.material.check_value(self.value)

    @property
    def written(self) -> str:
        """As it is written down: groups of four hexadecimal digits."""
        digits = self.value.hex().upper()
        return " ".join(digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP))

    def __repr__(self) -> str:
        return f"Component({self.check_value.hex().upper()})"


def parse_component(material: Material, typed: str) -> Component:
    """The component that was *typed*: hexadecimal digits, blanks among them as you like.

    Raises:
        UnsuitableComponent: something else, or as `Component`.
    """
    try:
        value = bytes.fromhex(typed)
    except ValueError:
        # Its own error would carry the place, and so a part of what was typed.
        raise UnsuitableComponent(ComponentFault.DIGITS) from None
    return Component(material, value)


def parse_check_value(typed: str) -> bytes:
    """The check value that was *typed*, of 3 bytes.

    Raises:
        UnsuitableComponent: it is none.
    """
    try:
        value = bytes.fromhex(typed)
    except ValueError:
        value = b""
    if len(value) != CHECK_VALUE:
        raise UnsuitableComponent(ComponentFault.CHECK_VALUE)
    return value


def draw_component(material: Material, random: Random) -> Component:
    """A component by chance alone; of DES with odd parity, so that a slip shows."""
    value = random(material.length)
    return Component(material, odd_parity(value) if material.des else value)


def combine(components: Sequence[Component]) -> bytes:
    """The key that *components* make together; of DES with odd parity.

    Raises:
        UnsuitableComponent: not two or three, two alike (they would cancel each other), or of
            different kinds.
        UnsuitableKey: together they make a key that protects nothing.
    """
    if not FEWEST <= len(components) <= MOST:
        raise UnsuitableComponent(ComponentFault.NUMBER)
    material = components[0].material
    if any(component.material != material for component in components):
        raise UnsuitableComponent(ComponentFault.KINDS)
    if len({component.check_value for component in components}) != len(components):
        raise UnsuitableComponent(ComponentFault.TWINS)
    value = reduce(xor, (component.value for component in components))
    if not material.des:
        if not any(value):
            raise UnsuitableKey("the components cancel each other: the key would be zeros")
        return value
    if fault := des_fault(value):
        raise UnsuitableKey(f"together the components make no good key: {fault}")
    return odd_parity(value)
