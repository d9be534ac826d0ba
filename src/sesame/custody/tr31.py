"""TR-31 key blocks: one key, what it is for, and a seal over both. Bytes in, bytes out.

ANSI X9.143-2022 (before: TR-31:2018), versions B (TDEA) and D (AES), both by key derivation: the
key block protection key (KBPK) makes a key that encrypts and one that authenticates, a CMAC over
header and key is the block's end and the IV of its encryption.
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum, unique

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from sesame.custody.errors import (
    KeyBlockAltered,
    MalformedKeyBlock,
    UnsuitableKey,
    UnsuitableKeyBlock,
)
from sesame.emv.keys import DesKey, des_fault, key_check_value, odd_parity

CHECK_VALUE = 3  # bytes

_HEADER = 16  # characters before the optional blocks
_LONGEST = 9999  # characters of a block: its length has four digits
_KEY = 16  # bytes of an issuer key
_LENGTH = 2  # bytes before the key: its length in bits
_LONGEST_TDEA = 24  # bytes: shorter keys are padded to this, so that a block hides their length
_ISSUER_USAGE = "E0"  # EMV/chip issuer master key: application cryptograms
_TDEA = "T"
_DERIVES, _UNRESTRICTED = "X", "N"
_NOT_VERSIONED = "00"
_PADDING = "PB"  # the optional block that fills the header up
_CHECKS = "KC"  # the optional block with the key's check value
_LEGACY = "00"  # in KC: zeros encrypted
_FEWEST_OF_OPTIONAL = 4  # characters: identifier and length
_LONGEST_SHORT = 0xFF  # characters of an optional block whose length has two digits
_EXTENDED = "0002"  # then: four digits of length
_LONG_HEAD = 10  # characters: identifier, 00, 02 and the four digits
_MOST_OPTIONAL = 99
_FOR_ENCRYPTION, _FOR_MAC = 0, 1


@unique
class Version(StrEnum):
    """How a block is protected."""

    B = "B"  # under a TDEA key of 16 or 24 bytes
    D = "D"  # under an AES key of 16, 24 or 32 bytes


@unique
class Exportability(StrEnum):
    """What the receiver may do with the key."""

    TRUSTED = "E"  # export it under a key that is managed as X9.24 wants
    NOT = "N"
    ANY = "S"  # export it in other forms too


@dataclass(frozen=True, slots=True, repr=False)
class ProtectionKey:
    """The KBPK that two parties share, for one version; it does not print itself.

    Raises:
        UnsuitableKey: a length that the version does not know, or a DES key that protects nothing.
    """

    version: Version
    value: bytes

    def __post_init__(self) -> None:
        lengths = PROTECTION_KEYS[self.version]
        if len(self.value) not in lengths:
            raise UnsuitableKey(
                f"a key block protection key of version {self.version} has "
                f"{', '.join(map(str, lengths))} bytes, these are {len(self.value)}"
            )
        if self.version is Version.B and (fault := des_fault(self.value)):
            raise UnsuitableKey(f"the key block protection key: {fault}")

    @property
    def check_value(self) -> bytes:
        """3 bytes: of eight zeros encrypted (TDEA), or of the CMAC of sixteen (AES, X9.24-1)."""
        return protection_check_value(self.version, self.value)

    def __repr__(self) -> str:
        return f"ProtectionKey({self.version}, {self.check_value.hex().upper()})"


PROTECTION_KEYS = {Version.B: (16, 24), Version.D: (16, 24, 32)}  # bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What a block says of its key, in clear and authenticated.

    `optional` are the optional blocks, identifier and data, without the one that pads.

    Raises:
        MalformedKeyBlock: a field that no header can hold.
    """

    version: Version
    usage: str  # two characters
    algorithm: str  # one
    mode: str  # one: what may be done with the key
    key_version: str = _NOT_VERSIONED  # two
    exportability: Exportability = Exportability.NOT
    optional: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        fields = (self.usage, self.algorithm, self.mode, self.key_version)
        names = [name for name, _ in self.optional]
        if not all(_is_name(one) for one in (*fields, *names)) or [len(f) for f in fields] != [
            *(2, 1, 1, 2)
        ]:
            raise MalformedKeyBlock("a field of its header is not made of letters and digits")
        if not all(len(name) == len(_PADDING) for name in names):
            raise MalformedKeyBlock("an optional block's identifier has two characters")
        if not all(data.isascii() and data.isprintable() for _, data in self.optional):
            raise MalformedKeyBlock("an optional block holds what is no printable ASCII")


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """What was in a block whose MAC fits."""

    header: Header
    key: bytes = field(repr=False)


def protection_check_value(version: Version, value: bytes) -> bytes:
    """What tells a protection key, or a component of one, from others: 3 bytes."""
    if version is Version.B:
        return _tdea_check_value(value)
    return _cmac(version, value, bytes(_block(version)))[:CHECK_VALUE]


def issuer_key_header(
    version: Version, check_value: bytes, exportability: Exportability = Exportability.NOT
) -> Header:
    """The header of an issuer key for application cryptograms, with its *check_value* (3 bytes)."""
    return Header(
        version=version,
        usage=_ISSUER_USAGE,
        algorithm=_TDEA,
        mode=_DERIVES,
        exportability=exportability,
        optional=((_CHECKS, _LEGACY + check_value.hex().upper()),),
    )


def issuer_key_of(unwrapped: Unwrapped) -> bytes:
    """The issuer key (16 bytes, odd parity) in an opened block.

    Raises:
        UnsuitableKeyBlock: the block says that its key is for something else, or the key is not
            what the block says.
    """
    header, key = unwrapped.header, unwrapped.key
    if header.usage != _ISSUER_USAGE:
        raise UnsuitableKeyBlock(
            f"key usage {header.usage}, not {_ISSUER_USAGE}",
            "Have the issuer master key for application cryptograms exported",
        )
    if header.algorithm != _TDEA:
        raise UnsuitableKeyBlock(
            f"algorithm {header.algorithm}, not {_TDEA}", "Our cards compute with triple DES"
        )
    if header.mode not in {_DERIVES, _UNRESTRICTED}:
        raise UnsuitableKeyBlock(
            f"mode of use {header.mode}, not {_DERIVES} or {_UNRESTRICTED}",
            "Have it exported as a key that derives others",
        )
    if header.key_version.startswith("c"):
        raise UnsuitableKeyBlock(
            f"key version {header.key_version}: it is a component",
            "Put components together in a ceremony",
        )
    if len(key) != _KEY:
        raise UnsuitableKeyBlock(f"{len(key)} bytes of key, not {_KEY}", "Have the key looked at")
    for name, data in header.optional:
        _check_said(name, data, key)
    return odd_parity(key)


def wrap(protection: ProtectionKey, header: Header, key: bytes, pad: bytes) -> bytes:
    """*key* in a block under *protection*.

    *pad* is chance, `pad_length` bytes of it.

    Raises:
        MalformedKeyBlock: the header's version is not the protection key's, the block would be
            too long, or the pad has another length.
    """
    version = protection.version
    if header.version is not version or len(pad) != pad_length(version, len(key)):
        raise MalformedKeyBlock("its version or its padding does not go with its protection key")
    clear = (8 * len(key)).to_bytes(_LENGTH) + key + pad
    optional = _encode_optional(header.optional, _block(version))
    count = len(header.optional) + (len(optional) > sum(map(_optional_length, header.optional)))
    length = _HEADER + len(optional) + 2 * (len(clear) + _block(version))
    if length > _LONGEST or count > _MOST_OPTIONAL:
        raise MalformedKeyBlock(f"{length} characters and {count} optional blocks are too many")
    head = (
        f"{version}{length:04}{header.usage}{header.algorithm}{header.mode}{header.key_version}"
        f"{header.exportability}{count:02}00{optional}"
    ).encode()
    encrypts, authenticates = _derived(protection)
    mac = _cmac(version, authenticates, head + clear)
    cipher = Cipher(_algorithm(version, encrypts), modes.CBC(mac)).encryptor()
    return head + (cipher.update(clear) + mac).hex().upper().encode()


def pad_length(version: Version, key: int) -> int:
    """How many bytes of chance go behind a key of *key* bytes."""
    hidden = max(key, _LONGEST_TDEA)
    return hidden - key + -(_LENGTH + hidden) % _block(version)


def unwrap(protection: ProtectionKey, block: bytes) -> Unwrapped:
    """What is in *block*, if *protection* made its MAC.

    Raises:
        MalformedKeyBlock: it is no block, or of a version that `protection` is not for.
        KeyBlockAltered: the MAC does not fit: another protection key, or another block.
    """
    header, ends = _read_header(block)
    version = protection.version
    if header.version is not version:
        raise MalformedKeyBlock(
            f"it is of version {header.version}, the protection key is for {version}"
        )
    sealed = _bytes(block[ends:])
    size = _block(version)
    if len(sealed) < 2 * size or len(sealed) % size:
        raise MalformedKeyBlock(f"{len(sealed)} bytes are no encrypted key and MAC")
    encrypted, mac = sealed[:-size], sealed[-size:]
    encrypts, authenticates = _derived(protection)
    cipher = Cipher(_algorithm(version, encrypts), modes.CBC(mac)).decryptor()
    clear = cipher.update(encrypted)
    if not hmac.compare_digest(_cmac(version, authenticates, block[:ends] + clear), mac):
        raise KeyBlockAltered
    length, rest = divmod(int.from_bytes(clear[:_LENGTH]), 8)
    if rest or not 0 < length <= len(clear) - _LENGTH:
        raise MalformedKeyBlock("its key has an impossible length")
    return Unwrapped(header, clear[_LENGTH : _LENGTH + length])


# ── The header ───────────────────────────────────────────────────────────────────────────────────


def _read_header(block: bytes) -> tuple[Header, int]:
    """The header of *block*, and where it ends."""
    if not block.isascii():
        raise MalformedKeyBlock("it holds what is no ASCII")
    text = block.decode()
    if len(text) < _HEADER or text[0] not in set(Version):
        raise MalformedKeyBlock("it does not begin with the header of version B or D")
    said = _number(text[1:5], "its length")
    if said != len(text):
        raise MalformedKeyBlock(f"it says {said} characters and has {len(text)}")
    if text[14:16] != "00":
        raise MalformedKeyBlock("what is kept for later in its header is in use")
    if text[11] not in set(Exportability):
        raise MalformedKeyBlock(f"exportability {text[11]!r} is none of E, N and S")
    optional, ends = _read_optional(text, _number(text[12:14], "its number of optional blocks"))
    version = Version(text[0])
    if (ends - _HEADER) % _block(version):
        raise MalformedKeyBlock("its optional blocks do not fill whole cipher blocks")
    header = Header(
        version=version,
        usage=text[5:7],
        algorithm=text[7],
        mode=text[8],
        key_version=text[9:11],
        exportability=Exportability(text[11]),
        optional=tuple((name, data) for name, data in optional if name != _PADDING),
    )
    return header, ends


def _read_optional(text: str, count: int) -> tuple[list[tuple[str, str]], int]:
    """So many optional blocks, and where they end."""
    found, at = [], _HEADER
    for _ in range(count):
        head = _FEWEST_OF_OPTIONAL
        length = _hexadecimal(text[at + 2 : at + 4])
        if length == 0:  # the extended form: how many digits the length has, then the length
            digits = 2 * _hexadecimal(text[at + 4 : at + 6])
            head = _FEWEST_OF_OPTIONAL + 2 + digits
            length = _hexadecimal(text[at + 6 : at + 6 + digits])
        if length < head or at + length > len(text):
            raise MalformedKeyBlock(f"the optional block at character {at} has no right length")
        found.append((text[at : at + 2], text[at + head : at + length]))
        at += length
    return found, at


def _encode_optional(blocks: Sequence[tuple[str, str]], size: int) -> str:
    """*blocks* in a row, filled up to whole cipher blocks of *size*."""
    row = "".join(name + _optional_head(data) + data for name, data in blocks)
    if not len(row) % size:
        return row
    fill = -(len(row) + _FEWEST_OF_OPTIONAL) % size
    return f"{row}{_PADDING}{_FEWEST_OF_OPTIONAL + fill:02X}{'0' * fill}"


def _optional_head(data: str) -> str:
    """The length of an optional block with *data*."""
    length = _FEWEST_OF_OPTIONAL + len(data)
    if length <= _LONGEST_SHORT:
        return f"{length:02X}"
    return f"{_EXTENDED}{_LONG_HEAD + len(data):04X}"


def _optional_length(block: tuple[str, str]) -> int:
    name, data = block
    return len(name) + len(_optional_head(data)) + len(data)


def _check_said(name: str, data: str, key: bytes) -> None:
    """Compare *key* with what an optional block says of it. Those we do not know tell us nothing.

    X9.143: who does not know an optional block takes it as authenticated and leaves it alone.
    """
    if name != _CHECKS or not data.startswith(_LEGACY):
        return
    own = key_check_value(DesKey(key)).hex().upper()
    said = data.removeprefix(_LEGACY).upper()
    if not own.startswith(said[: len(own)]):
        raise UnsuitableKeyBlock(
            f"it says check value {said}, its key has {own}", "Have it exported again"
        )


def _is_name(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _number(text: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise MalformedKeyBlock(f"{what} is no number")
    return int(text)


def _hexadecimal(text: str) -> int:
    return int.from_bytes(_bytes(text.encode()))


def _bytes(text: bytes) -> bytes:
    # Not bytes.fromhex alone: that one would let blanks pass.
    if not text.isalnum():
        raise MalformedKeyBlock("hexadecimal digits are missing, or something else stands there")
    try:
        return bytes.fromhex(text.decode())
    except ValueError:
        raise MalformedKeyBlock("what should be hexadecimal digits is not") from None


# ── The ciphers ──────────────────────────────────────────────────────────────────────────────────


def _block(version: Version) -> int:
    """Bytes of the cipher's block, and of the MAC."""
    return 8 if version is Version.B else 16


def _algorithm(version: Version, key: bytes) -> TripleDES | AES:
    if version is Version.D:
        return AES(key)
    return TripleDES(_whole(key))


def _whole(key: bytes) -> bytes:
    """A TDEA key of 24 bytes, for the library gives up shorter ones (docs/decisions/0006)."""
    return (key + key)[:_LONGEST_TDEA] if len(key) == _KEY else key


def _tdea_check_value(value: bytes) -> bytes:
    cipher = Cipher(TripleDES(_whole(value)), modes.ECB()).encryptor()  # noqa: S305 -- one block
    return cipher.update(bytes(8))[:CHECK_VALUE]


def _cmac(version: Version, key: bytes, message: bytes) -> bytes:
    mac = CMAC(_algorithm(version, key))
    mac.update(message)
    return mac.finalize()


def _derived(protection: ProtectionKey) -> tuple[bytes, bytes]:
    """The key that encrypts and the one that authenticates, as long as the protection key."""
    derive = _derivation(protection)
    return derive(_FOR_ENCRYPTION), derive(_FOR_MAC)


def _derivation(protection: ProtectionKey) -> Callable[[int], bytes]:
    """X9.143, 5.3: CMACs over counter, purpose, algorithm and length, as many as are needed."""
    length = len(protection.value)
    algorithm = {
        Version.B: {16: 0, 24: 1},
        Version.D: {16: 2, 24: 3, 32: 4},
    }[protection.version][length]
    count = -(-length // _block(protection.version))

    def derive(purpose: int) -> bytes:
        parts = (
            bytes([counter])
            + purpose.to_bytes(2)
            + bytes(1)
            + algorithm.to_bytes(2)
            + (8 * length).to_bytes(2)
            for counter in range(1, count + 1)
        )
        row = b"".join(_cmac(protection.version, protection.value, part) for part in parts)
        return row[:length]

    return derive
