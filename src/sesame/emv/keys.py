"""Double-length DES keys, and how a card's and a session's key are derived.

EMV 4.4 Book 2, A1.3 (session key) and A1.4 (card key, options A and B); the older and the
schemes' own session keys by docs/reference/emv-cap.md, section 10.3.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes

from sesame.emv.errors import MalformedKey, MalformedTree, WrongLength

_KEY = 16  # bytes
_HALF = 8
_BLOCK = 8  # bytes
_UN = 4
_ZEROS = bytes(_BLOCK)
_ECB = modes.ECB()  # noqa: S305 -- EMV's own; holds no state, so one serves all
_CBC = modes.CBC(_ZEROS)
_INVERTED = bytes(0xFF ^ b for b in range(256))
_LETTERS_TO_DIGITS = str.maketrans("abcdef", "012345")
_PAN_DIGITS = 16  # that enter option A
_ODD_PARITY = bytes((b & 0xFE) | (1 ^ (b >> 1).bit_count() & 1) for b in range(256))
# The weak keys and the pairs of semi-weak ones, NIST SP 800-67 Rev. 2, 3.3.2: under them a second
# encryption undoes the first, alone or by the other of the pair.
_WEAK = frozenset(
    bytes.fromhex(one)
    for one in (
        *("0101010101010101", "FEFEFEFEFEFEFEFE", "E0E0E0E0F1F1F1F1", "1F1F1F1F0E0E0E0E"),
        *("011F011F010E010E", "1F011F010E010E01", "01E001E001F101F1", "E001E001F101F101"),
        *("01FE01FE01FE01FE", "FE01FE01FE01FE01", "1FE01FE00EF10EF1", "E01FE01FF10EF10E"),
        *("1FFE1FFE0EFE0EFE", "FE1FFE1FFE0EFE0E", "E0FEE0FEF1FEF1FE", "FEE0FEE0FEF1FEF1"),
    )
)
_LEFT = b"\xf0" + bytes(5)  # makes an ATC the diversifier of KL, A1.3.1
_RIGHT = b"\x0f" + bytes(5)  # and of KR
_FEWEST_BRANCHES = 2
_MOST_BRANCHES = 256  # a branch's number enters one byte
_RIGHT_BRANCH = 0xF0  # enters the right half of a tree's key
_HIGHEST_ATC = 0xFFFF


@dataclass(frozen=True, slots=True, repr=False)
class DesKey:
    """KL ‖ KR, 16 bytes; it does not print itself. Parity bits are ignored by DES.

    Raises:
        MalformedKey: not 16 bytes.
    """

    value: bytes
    # An issuer's key serves every login: its cipher is made once, with the key.
    _ecb: CipherContext = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.value) != _KEY:
            raise MalformedKey(f"a double-length DES key has 16 bytes, these are {len(self.value)}")
        cipher = _TripleDes(self.value + self.value[:_HALF], _ECB).encryptor()
        object.__setattr__(self, "_ecb", cipher)  # the way of a frozen dataclass

    @property
    def left(self) -> bytes:
        """KL, 8 bytes."""
        return self.value[:_HALF]

    @property
    def right(self) -> bytes:
        """KR, 8 bytes."""
        return self.value[_HALF:]

    def encrypt(self, blocks: bytes) -> bytes:
        """Triple DES in ECB mode: each 8 bytes of *blocks* by themselves.

        Raises:
            WrongLength: these are not whole blocks.
        """
        if len(blocks) % _BLOCK:
            raise WrongLength("data in ECB mode", len(blocks), "a multiple of 8")
        return self._ecb.update(blocks)

    def __repr__(self) -> str:
        return "DesKey(…)"


@dataclass(frozen=True, slots=True)
class Tree:
    """The shape of EMV2000's tree of session keys, and its IV of 16 bytes.

    *branch* is how many keys each key has below it, 2 to 256; *height* is the levels below the
    card's key, 1 and more.

    Raises:
        MalformedTree: one of them is out of these bounds.
    """

    branch: int
    height: int
    iv: bytes = bytes(_KEY)

    def __post_init__(self) -> None:
        if not _FEWEST_BRANCHES <= self.branch <= _MOST_BRANCHES or self.height < 1:
            raise MalformedTree(
                f"a tree of {self.branch} branches and {self.height} levels: EMV2000 has"
                " 2 and 16, or 4 and 8"
            )
        if len(self.iv) != _KEY:
            raise MalformedTree(f"the IV of a tree has 16 bytes, these are {len(self.iv)}")

    @property
    def allowed(self) -> bool:
        """Whether EMV2000 knows this shape, whatever the IV: b=2 with h=16, or b=4 with h=8."""
        return (self.branch, self.height) in _ALLOWED


_ALLOWED = {(2, 16), (4, 8)}
TREE_B2_H16 = Tree(branch=2, height=16)
TREE_B4_H8 = Tree(branch=4, height=8)


class _TripleDes(Cipher[modes.ECB | modes.CBC]):
    """The library's cipher without its checks of key, algorithm and mode, which never differ here.

    They would be a tenth of all that a code costs (bench/crypto.py). Should a version of the
    library object, `Cipher(TripleDES(key), mode)` does the same, only slower.
    """

    def __init__(self, key: bytes, mode: modes.ECB | modes.CBC) -> None:
        # 24 bytes always: the library is giving up shorter keys (docs/decisions/0006).
        self.algorithm = TripleDES.__new__(TripleDES)
        self.algorithm.key = key
        self.mode = mode


def ecb(key: bytes, blocks: bytes) -> bytes:
    """Encrypt each 8 bytes of *blocks* under a triple DES *key* of 24 bytes."""
    return _TripleDes(key, _ECB).encryptor().update(blocks)


def cbc(key: bytes, blocks: bytes) -> bytes:
    """Encrypt *blocks* in CBC under a triple DES *key* of 24 bytes, with a zero IV.

    *blocks* is any number of times 8 bytes.
    """
    return _TripleDes(key, _CBC).encryptor().update(blocks)


def cbc_last_block(key: bytes, blocks: bytes) -> bytes:
    """The last block of CBC under a triple DES *key* of 24 bytes, with a zero IV.

    *blocks* is one or more times 8 bytes.
    """
    return _TripleDes(key, _CBC).encryptor().update(blocks)[-_BLOCK:]


def xor(one: bytes, other: bytes) -> bytes:
    """The exclusive or of two values of one length."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(len(one))


def odd_parity(key: bytes) -> bytes:
    """*key* with the lowest bit of each byte set so that its ones are odd in number."""
    return key.translate(_ODD_PARITY)


def des_fault(key: bytes) -> str | None:
    """What makes a multiple-length DES key (8 bytes a part) unfit to protect; None: nothing.

    A part that is weak or semi-weak, or two neighbours alike, which undo each other.
    """
    parts = [odd_parity(key[at : at + _HALF]) for at in range(0, len(key), _HALF)]
    if any(one == other for one, other in pairwise(parts)):
        return "its halves are alike, that is single DES"
    if any(part in _WEAK for part in parts):
        return "one of its halves is a weak or semi-weak DES key"
    return None


def key_check_value(key: DesKey) -> bytes:
    """The first 3 bytes of eight zeros encrypted: tells keys apart, gives none away."""
    return key.encrypt(_ZEROS)[:3]


def card_key_a(imk: DesKey, pan: str, psn: str = "00") -> DesKey:
    """Option A: the card's key from the digits of its PAN and PSN (two), A1.4.1."""
    return DesKey(odd_parity(imk.encrypt(card_diversifier_a(pan, psn))))


def card_key_b(imk: DesKey, pan: str, psn: str = "00") -> DesKey:
    """Option B: as A up to 16 digits of PAN, decimalised SHA-1 beyond, A1.4.2."""
    return DesKey(odd_parity(imk.encrypt(card_diversifier_b(pan, psn))))


def card_diversifier_a(pan: str, psn: str) -> bytes:
    """The 16 bytes that the issuer's key makes a card's key of, by option A.

    Of a longer number only the rightmost 16 digits of PAN ‖ PSN enter.
    """
    return _card_diversifier((pan + psn)[-_PAN_DIGITS:].zfill(_PAN_DIGITS))


def card_diversifier_b(pan: str, psn: str) -> bytes:
    """The same by option B."""
    if len(pan) <= _PAN_DIGITS:
        return card_diversifier_a(pan, psn)
    digits = pan + psn
    packed = bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2))
    digest = hashlib.sha1(packed, usedforsecurity=False).hexdigest()
    decimals = "".join(c for c in digest if c.isdigit())
    letters = "".join(c for c in digest if not c.isdigit()).translate(_LETTERS_TO_DIGITS)
    return _card_diversifier((decimals + letters)[:_PAN_DIGITS])


def common_session_key(card_key: DesKey, atc: int) -> DesKey:
    """The EMV common session key of one ATC (0 to 65535), A1.3.1."""
    return common_session_keys(card_key, [atc])[0]


def common_session_keys(card_key: DesKey, atcs: Sequence[int]) -> list[DesKey]:
    """The common session keys of several ATCs, in one pass of the cipher."""
    return [DesKey(odd_parity(value)) for value in common_session_values(card_key, atcs)]


def common_session_values(card_key: DesKey, atcs: Sequence[int]) -> list[bytes]:
    """The same as bare bytes, parity as it falls: for who uses them at once and forgets them."""
    keys = card_key.encrypt(b"".join([common_diversifier(atc) for atc in atcs]))
    return [keys[at : at + _KEY] for at in range(0, len(keys), _KEY)]


def common_diversifier(atc: int) -> bytes:
    """The 16 bytes that a card's key makes the common session key of *atc* (0 to 65535) of."""
    number = atc.to_bytes(2)
    return number + _LEFT + number + _RIGHT


def session_key(card_key: DesKey, r: bytes) -> DesKey:
    """A session key from an 8-byte diversifier *r*, whose third byte becomes F0 and 0F."""
    return DesKey(odd_parity(card_key.encrypt(_session_diversifier(r))))


def mastercard_session_key(card_key: DesKey, atc: int, un: bytes) -> DesKey:
    """M/Chip's own session key, of the ATC (0 to 65535) and the UN of 4 bytes.

    docs/reference/emv-cap.md, section 10.3: R is ATC ‖ F0 or 0F ‖ 00 ‖ UN.

    Raises:
        WrongLength: the UN has not 4 bytes.
    """
    return DesKey(odd_parity(card_key.encrypt(mastercard_diversifier(atc, un))))


def mastercard_diversifier(atc: int, un: bytes) -> bytes:
    """The 16 bytes that a card's key makes M/Chip's own session key of.

    Raises:
        WrongLength: the UN has not 4 bytes.
    """
    if len(un) != _UN:
        raise WrongLength("UN", len(un), "4")
    return _session_diversifier(atc.to_bytes(2) + bytes(2) + un)


def tree_session_key(card_key: DesKey, atc: int, tree: Tree) -> DesKey:
    """The session key of one ATC (0 to 65535) in EMV2000's tree.

    EMV 4.1 Book 2, A1.3; docs/reference/emv-cap.md, section 10.3. EMV retired the tree in 2005.
    The ATC's lowest *height* digits to the base *branch* are the way down. In a shape that is
    not `allowed` ATCs may share a key: it is computed all the same, and whoever issues cards
    refuses the shape.
    """
    *upper, lowest = _digits(atc, tree)
    grandparent, parent = tree.iv, card_key
    for digit in upper:
        grandparent, parent = parent.value, DesKey(_child(parent, grandparent, digit))
    return DesKey(odd_parity(xor(_child(parent, grandparent, lowest), grandparent)))


def visa_script_key(card_key: DesKey, atc: int) -> DesKey:
    """Visa's key of one ATC (0 to 65535) for issuer scripts, never for a cryptogram.

    By the vectors of payment HSMs (tests/vectors/scripts.toml): the ATC is mixed into the end of
    KL, its inverse into that of KR.
    """
    left, right = atc.to_bytes(_HALF), (atc ^ _HIGHEST_ATC).to_bytes(_HALF)
    return DesKey(odd_parity(xor(card_key.value, left + right)))


def _session_diversifier(r: bytes) -> bytes:
    return r[:2] + b"\xf0" + r[3:] + r[:2] + b"\x0f" + r[3:]


def _digits(atc: int, tree: Tree) -> list[int]:
    """The lowest digits of *atc* to the base of *tree*, as many as it has levels, highest first."""
    return [atc // tree.branch**level % tree.branch for level in reversed(range(tree.height))]


def _child(key: DesKey, y: bytes, digit: int) -> bytes:
    """The function F of the tree: *y*, of 16 bytes, under *key*, its halves told apart by F0."""
    return key.encrypt(xor(y, digit.to_bytes(_HALF) + (digit ^ _RIGHT_BRANCH).to_bytes(_HALF)))


def _card_diversifier(digits: str) -> bytes:
    y = bytes.fromhex(digits)
    return y + y.translate(_INVERTED)
