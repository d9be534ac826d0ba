"""TR-31 key blocks: published ones, those of another library, and what is refused."""

import warnings
from dataclasses import replace
from typing import Any

import psec.tr31
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.custody.errors import (
    CustodyError,
    KeyBlockAltered,
    KeyBlockError,
    MalformedKeyBlock,
    UnsuitableKey,
    UnsuitableKeyBlock,
)
from sesame.custody.tr31 import (
    Exportability,
    Header,
    ProtectionKey,
    Unwrapped,
    Version,
    issuer_key_header,
    issuer_key_of,
    pad_length,
    unwrap,
    wrap,
)
from sesame.emv.keys import odd_parity
from tests.custody.keystores import IMK, chance, issuer_key
from tests.vectors.reading import says, vectors

CHECK = issuer_key("dpa-01").check_value
KBPK = {
    Version.B: ProtectionKey(Version.B, bytes(range(0x10, 0x28))),
    Version.D: ProtectionKey(Version.D, bytes(range(0x20, 0x40))),
}
ALPHANUMERIC = st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


@pytest.fixture(autouse=True)
def _another_library_s_own_affairs() -> None:
    """`psec` uses the old names of its ciphers."""
    warnings.filterwarnings("ignore", module="psec")


def block_of(version: Version, header: Header | None = None, key: bytes = IMK) -> bytes:
    """A block of ours, by chance that can be repeated."""
    header = header or issuer_key_header(version, CHECK)
    pad = chance("pad")(pad_length(version, len(key)))
    return wrap(KBPK[version], header, key, pad)


# ── Others' blocks ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("vector", vectors("tr31", "block"), ids=says)
def test_published_blocks(vector: dict[str, Any]) -> None:
    """Header and key as they are published."""
    protection = ProtectionKey(Version(vector["block"][0]), bytes.fromhex(vector["kbpk"]))
    opened = unwrap(protection, vector["block"].encode())
    assert opened.key == bytes.fromhex(vector["key"])
    header = opened.header
    assert header.usage + header.algorithm + header.mode == vector["header"][5:9]
    assert header.key_version + header.exportability == vector["header"][9:12]
    assert [f"{name}:{data}" for name, data in header.optional] == vector["optional"]


@st.composite
def protected(draw: st.DrawFn) -> ProtectionKey:
    """A protection key of any length that there is."""
    version = draw(st.sampled_from(Version))
    length = draw(st.sampled_from([16, 24] if version is Version.B else [16, 24, 32]))
    try:
        return ProtectionKey(version, draw(st.binary(min_size=length, max_size=length)))
    except UnsuitableKey:  # halves alike
        return KBPK[version]


@st.composite
def headers(draw: st.DrawFn, version: Version) -> Header:
    """Any header, with a few optional blocks, short and long."""
    data = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=300)
    names = draw(st.lists(st.text(ALPHANUMERIC, min_size=2, max_size=2), max_size=3, unique=True))
    return Header(
        version=version,
        usage=draw(st.text(ALPHANUMERIC, min_size=2, max_size=2)),
        algorithm=draw(st.sampled_from("ADEHRST")),
        mode=draw(st.sampled_from("BCDEGNSTVXY")),
        key_version=draw(st.text(ALPHANUMERIC, min_size=2, max_size=2)),
        exportability=draw(st.sampled_from(Exportability)),
        optional=tuple((name, draw(data)) for name in names if name != "PB"),
    )


@given(st.data())
def test_another_library_opens_ours(data: st.DataObject) -> None:
    """The same key, and the same header; so do we."""
    protection = data.draw(protected())
    header = data.draw(headers(protection.version))
    key = data.draw(st.binary(min_size=1, max_size=32))
    block = wrap(protection, header, key, bytes(pad_length(protection.version, len(key))))
    theirs, opened = psec.tr31.unwrap(protection.value, block.decode())
    assert opened == key
    assert (theirs.key_usage, theirs.algorithm, theirs.mode_of_use) == (
        *(header.usage, header.algorithm, header.mode),
    )
    assert (theirs.version_num, theirs.exportability) == (header.key_version, header.exportability)
    assert {k: v for k, v in theirs.blocks.items() if k != "PB"} == dict(header.optional)
    assert unwrap(protection, block) == Unwrapped(header, key)


@given(st.data())
def test_we_open_another_library_s(data: st.DataObject) -> None:
    """The same in the other direction."""
    protection = data.draw(protected())
    header = data.draw(headers(protection.version))
    key = data.draw(st.binary(min_size=1, max_size=24))
    theirs = psec.tr31.Header(
        *(header.version, header.usage, header.algorithm, header.mode),
        *(header.key_version, header.exportability),
    )
    theirs.blocks.update(dict(header.optional))
    block = psec.tr31.wrap(protection.value, theirs, key)
    assert unwrap(protection, block.encode()) == Unwrapped(header, key)


# ── An issuer key ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", Version)
def test_an_issuer_key_there_and_back(version: Version) -> None:
    """For application cryptograms, to derive others from, with its check value."""
    block = block_of(version)
    assert block[5:12] == b"E0TX00N"
    assert b"KC0C0008D7B4" in block
    assert issuer_key_of(unwrap(KBPK[version], block)) == odd_parity(IMK)
    assert IMK.hex().upper().encode() not in block


@pytest.mark.parametrize("version", Version)
def test_a_block_hides_how_long_its_key_is(version: Version) -> None:
    """Keys of 16 and of 24 bytes make blocks of one length."""
    assert len(block_of(version)) == len(block_of(version, key=bytes(24)))
    assert len(block_of(version, key=bytes(32))) > len(block_of(version))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"usage": "E1"}, "key usage E1, not E0"),
        ({"usage": "P0"}, "key usage P0"),
        ({"algorithm": "A"}, "algorithm A, not T"),
        ({"mode": "E"}, "mode of use E, not X or N"),
        ({"key_version": "c1"}, "key version c1: it is a component"),
        ({"optional": (("KC", "00000000"),)}, "check value 000000, its key has 08D7B4"),
    ],
)
def test_keys_for_something_else(change: dict[str, object], problem: str) -> None:
    """Whole and authentic, and not what we import."""
    header = replace(issuer_key_header(Version.D, CHECK), **change)  # type: ignore[arg-type]
    opened = unwrap(KBPK[Version.D], block_of(Version.D, header))
    with pytest.raises(UnsuitableKeyBlock, match=problem):
        issuer_key_of(opened)


def test_the_key_must_have_its_length() -> None:
    """Double length."""
    opened = unwrap(KBPK[Version.D], block_of(Version.D, key=bytes(range(24))))
    with pytest.raises(UnsuitableKeyBlock, match="24 bytes of key, not 16"):
        issuer_key_of(opened)


@pytest.mark.parametrize(
    "optional",
    [(), (("KC", "01ABCDEF"),), (("KC", "0008d7b4"),), (("TS", "20250314"), ("ZZ", "?"))],
)
def test_optional_blocks_that_say_nothing_to_us(optional: tuple[tuple[str, str], ...]) -> None:
    """Kept, authenticated, left alone; another kind of check value is not compared."""
    header = replace(issuer_key_header(Version.B, CHECK), mode="N", optional=optional)
    opened = unwrap(KBPK[Version.B], block_of(Version.B, header))
    assert opened.header.optional == optional
    assert issuer_key_of(opened) == odd_parity(IMK)


# ── What is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("version", Version)
def test_every_character_counts(version: Version) -> None:
    """Another one anywhere, and the block is refused: header, key and MAC."""
    block = block_of(version)
    for at in range(len(block)):
        other = b"0" if block[at : at + 1] != b"0" else b"1"
        with pytest.raises(KeyBlockError):
            unwrap(KBPK[version], block[:at] + other + block[at + 1 :])


@pytest.mark.parametrize("version", Version)
def test_another_protection_key(version: Version) -> None:
    """The sentence says what to compare."""
    other = ProtectionKey(version, bytes(range(0x30, 0x40)))
    with pytest.raises(KeyBlockAltered, match="check values of the protection key"):
        unwrap(other, block_of(version))


def resealed(header: str, tail: str = "") -> bytes:
    """A header of sixteen characters and what follows, its length made to fit."""
    whole = header + tail
    return f"{whole[0]}{len(whole):04}{whole[5:]}".encode()


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        (b"", "does not begin with the header"),
        (b"B0016E0TX00N000", "does not begin with the header"),
        (b"A0016E0TX00N0000", "does not begin with the header"),
        (b"D0017E0TX00N0000", "says 17 characters and has 16"),
        (b"D001xE0TX00N0000", "its length is no number"),
        (b"D0016E0TX00N00\xc3\xa9", "no ASCII"),
        (b"D0016E0TX00N0001", "kept for later"),
        (b"D0016E0TX00Q0000", "exportability 'Q'"),
        (b"D0016E0TX00Nx000", "number of optional blocks"),
        (b"D0016E0TX00N0000", "hexadecimal digits are missing"),
        (resealed("D0000E0TX00N0000", "00" * 24), "24 bytes are no encrypted key"),
        (resealed("D0000E0TX00N0000", "00" * 40), "40 bytes are no encrypted key"),
        (resealed("D0000E0TX00N0000", "0 " * 32), "hexadecimal digits"),
        (resealed("D0000E0TX00N0000", "0g" * 32), "hexadecimal digits"),
        (resealed("D0000E.TX00N0000", "00" * 32), "letters and digits"),
        (resealed("D0000E0TX00N0100", "KC03" + "00" * 32), "no right length"),
        (resealed("D0000E0TX00N0100", "KCFF" + "00" * 32), "no right length"),
        (resealed("D0000E0TX00N0100", "KC0002000900" + "00" * 32), "no right length"),
        (resealed("D0000E0TX00N0100", "KC"), "hexadecimal digits"),
        (resealed("D0000E0TX00N0100", "KCzz" + "00" * 32), "hexadecimal digits"),
        (resealed("D0000E0TX00N0100", "KC0C0008D7B4" + "00" * 34), "whole cipher blocks"),
        (resealed("D0000E0TX00N0100", "K.10" + "0" * 12 + "00" * 32), "letters and digits"),
        (resealed("D0000E0TX00N0100", "KC10" + "\x07" * 12 + "00" * 32), "printable"),
    ],
)
def test_what_is_no_block(block: bytes, problem: str) -> None:
    """Each is told what is wrong with it, before any key is used."""
    with pytest.raises(MalformedKeyBlock, match=problem):
        unwrap(KBPK[Version.D], block)


@given(st.binary(max_size=200) | st.text(ALPHANUMERIC, max_size=80).map(lambda t: t.encode()))
def test_any_bytes_are_refused(tail: bytes) -> None:
    """With our own error, whatever stands behind a header that looks right."""
    for block in (tail, b"D%04dE0TX00N0100" % (16 + len(tail)) + tail):
        with pytest.raises(KeyBlockError):
            unwrap(KBPK[Version.D], block)


def test_the_other_version() -> None:
    """A protection key is for one."""
    with pytest.raises(MalformedKeyBlock, match="of version B, the protection key is for D"):
        unwrap(KBPK[Version.D], block_of(Version.B))


@pytest.mark.parametrize("bits", [0, 1, 127, 1024])
def test_an_impossible_length_behind_a_right_mac(bits: int) -> None:
    """Whoever has the protection key can seal nonsense; it is refused all the same."""
    clear = bytes(30)
    header = Header(Version.D, "E0", "T", "X")
    block = _sealed(header, bits.to_bytes(2) + clear)
    with pytest.raises(MalformedKeyBlock, match="impossible length"):
        unwrap(KBPK[Version.D], block)


def _sealed(header: Header, clear: bytes) -> bytes:
    """*clear* (32 bytes) sealed as it is, by the other library's parts."""
    block = psec.tr31.KeyBlock(KBPK[header.version].value)
    kbek, kbak = block._d_derive()  # noqa: SLF001 -- no public way seals nonsense
    head = f"D{16 + 64 + 32:04}{header.usage}{header.algorithm}{header.mode}00N0000"
    mac = block._d_generate_mac(kbak, head, clear)  # noqa: SLF001 -- likewise
    sealed = psec.aes.encrypt_aes_cbc(kbek, mac, clear)
    return (head + sealed.hex() + mac.hex()).upper().encode()


def test_what_is_not_wrapped() -> None:
    """Another version's header, too little chance, a block that would be too long."""
    header = issuer_key_header(Version.D, CHECK)
    with pytest.raises(MalformedKeyBlock, match="does not go with its protection key"):
        wrap(KBPK[Version.B], header, IMK, bytes(pad_length(Version.B, 16)))
    with pytest.raises(MalformedKeyBlock, match="does not go with its protection key"):
        wrap(KBPK[Version.D], header, IMK, b"")
    many = replace(header, optional=(("AA", "x" * 9990),))
    with pytest.raises(MalformedKeyBlock, match="too many"):
        wrap(KBPK[Version.D], many, IMK, bytes(pad_length(Version.D, 16)))
    more = replace(header, optional=(("AA", ""),) * 100)
    with pytest.raises(MalformedKeyBlock, match="too many"):
        wrap(KBPK[Version.D], more, IMK, bytes(pad_length(Version.D, 16)))


@pytest.mark.parametrize("name", ["A", "ABC", "A.", ""])
def test_identifiers_of_optional_blocks(name: str) -> None:
    """Two letters or digits."""
    with pytest.raises(MalformedKeyBlock):
        replace(issuer_key_header(Version.D, CHECK), optional=((name, ""),))


@pytest.mark.parametrize(
    ("version", "value", "problem"),
    [
        (Version.B, bytes(range(32)), "has 16, 24 bytes, these are 32"),
        (Version.D, bytes(range(8)), "has 16, 24, 32 bytes, these are 8"),
        (Version.B, IMK[:8] * 2, "halves are alike"),
        (Version.B, IMK + b"\x01" * 8, "weak"),
    ],
)
def test_what_protects_nothing(version: Version, value: bytes, problem: str) -> None:
    """Refused when the protection key is made."""
    with pytest.raises(UnsuitableKey, match=problem):
        ProtectionKey(version, value)


def test_check_values_of_protection_keys() -> None:
    """TDEA: zeros encrypted. AES: the CMAC of zeros, as NIST's example key has it."""
    assert ProtectionKey(Version.B, IMK).check_value == CHECK
    nist = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
    k1 = bytes.fromhex("FBEED618357133667C85E08F7236A8DE")  # SP 800-38B, D.1
    cmac_of_zeros = psec.aes.encrypt_aes_ecb(nist, k1)
    assert ProtectionKey(Version.D, nist).check_value == cmac_of_zeros[:3]


def test_errors_and_keys_keep_their_secrets() -> None:
    """Nothing that is shown holds a key."""
    errors: list[CustodyError] = []
    for protection, block in (
        (KBPK[Version.D], block_of(Version.B)),
        (ProtectionKey(Version.D, IMK), block_of(Version.D)),
    ):
        with pytest.raises(KeyBlockError) as refused:
            unwrap(protection, block)
        errors.append(refused.value)
    shown = repr([errors, KBPK, unwrap(KBPK[Version.D], block_of(Version.D))])
    for secret in (IMK, KBPK[Version.D].value, KBPK[Version.B].value):
        assert secret.hex() not in shown.lower()
        assert repr(secret)[2:-1] not in shown
