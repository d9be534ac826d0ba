"""The keys inside an HSM's token: made there or unwrapped there, never to come out.

A key's label is ours, its CKA_ID says its usage, its attributes allow that usage only, and none
of it can be changed afterwards. docs/reference/hsm.md lists them.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sesame.custody.cryptoki import (
    AES_KEY_GEN,
    DES2_KEY_GEN,
    GENERIC_KEY_GEN,
    SHA_1,
    SHA_256,
    Attribute,
    Attributes,
    Handle,
    KeyType,
    Kind,
    Mechanism,
    Session,
    Template,
    ecb_derivation,
    oaep,
)
from sesame.custody.custodian import KeyRef, KeyUsage
from sesame.custody.errors import (
    CheckValueDiffers,
    HsmError,
    HsmKeyTaken,
    HsmKeyUnsuitable,
    KeyMissing,
)
from sesame.custody.key import CHECK_PREFIX, CHECK_VALUE, ISSUER_USAGES, standard_usages

WRAPPING_LABEL = "wrapping-01"
OAEP_HASHES: Mapping[str, int] = {"sha256": SHA_256, "sha1": SHA_1}

_ID = "sesame "  # before the usage, in CKA_ID
_WRAPPING_ID = b"sesame wrapping"
_WRAPPING_BITS = 3072
_EXPONENT = 65537
_BYTES = 32  # of an AES-256 key, and of one for HMAC-SHA256
_USES = (
    *(Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.SIGN, Attribute.VERIFY),
    *(Attribute.WRAP, Attribute.UNWRAP, Attribute.DERIVE),
)
_HMAC = (KeyType.GENERIC_SECRET, GENERIC_KEY_GEN, (Attribute.SIGN,))
_ISSUER = (KeyType.DES2, DES2_KEY_GEN, (Attribute.DERIVE,))
_SHAPES: Mapping[KeyUsage, tuple[KeyType, Mechanism, tuple[Attribute, ...]]] = {
    KeyUsage.ISSUER_AC: _ISSUER,
    KeyUsage.ISSUER_PAYMENT: _ISSUER,
    KeyUsage.SEAL: (KeyType.AES, AES_KEY_GEN, (Attribute.ENCRYPT, Attribute.DECRYPT)),
    KeyUsage.PAN_INDEX: _HMAC,
    KeyUsage.AUDIT: _HMAC,
    KeyUsage.SESSION: _HMAC,
}
_LASTING: Template = {
    Attribute.TOKEN: True,
    Attribute.MODIFIABLE: False,
}
_BLOCK = 8  # bytes
_ZEROS_ENCIPHERED = Attributes(
    {
        Attribute.CLASS: Kind.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.GENERIC_SECRET,
        Attribute.VALUE_LEN: _BLOCK,
        Attribute.TOKEN: False,
        Attribute.SENSITIVE: False,
        Attribute.EXTRACTABLE: True,
    }
)
_DRAFT: Template = {name: not value for name, value in _LASTING.items()}


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key in a token, and what may be said of it. `handle` is of the session that found it."""

    label: str
    usage: KeyUsage
    handle: Handle


def find_keys(session: Session) -> list[TokenKey]:
    """The keys of ours, by usage and label. Others in the token are nobody's business here.

    Nor are those that are not private: whoever reaches the token can put them there.

    Raises:
        HsmKeyUnsuitable: one of them could come out, or may do what it is not for.
        UnsuitableKey: two of one label.
    """
    keys = [
        _checked(session, usage, handle)
        for usage in KeyUsage
        for handle in _private(session, Kind.SECRET_KEY, _id(usage))
    ]
    if len({key.label for key in keys}) != len(keys):
        label = next(key.label for key in keys if [k.label for k in keys].count(key.label) > 1)
        raise HsmKeyTaken(label, "the token has two keys of that label")
    return sorted(keys, key=lambda key: (list(KeyUsage).index(key.usage), key.label))


def check_value(session: Session, key: TokenKey) -> bytes:
    """3 bytes that tell keys apart, the same as in a keystore; made inside the token."""
    if key.usage not in ISSUER_USAGES:
        return session.digest_key(CHECK_PREFIX, key.handle)[:CHECK_VALUE]
    if value := session.read(key.handle, Attribute.CHECK_VALUE):
        return value[:CHECK_VALUE]
    # A token need not keep it of what was unwrapped. Eight zeros enciphered, which is all that
    # a check value is, come out as a key of this session that may.
    zeros = session.derive(ecb_derivation(bytes(_BLOCK)), key.handle, _ZEROS_ENCIPHERED)
    try:
        return (session.read(zeros, Attribute.VALUE) or b"")[:CHECK_VALUE]
    finally:
        session.destroy(zeros)


def generate(session: Session, label: str, usage: KeyUsage) -> Handle:
    """A new key in the token, by its own chance.

    PKCS#11 has no lock: whoever makes a key looks afterwards (`check_alone`) whether another
    process made one too, and takes theirs back (`take_back`).

    Raises:
        UnsuitableKey: the label is none or taken, or there is such a key and may be one only.
    """
    _check_room(find_keys(session), {label: usage})
    return _generate(session, label, usage)


def generate_standard(session: Session, *, demo: bool) -> dict[str, Handle]:
    """The standard keys by label, all or, where one of them cannot be, none.

    Raises:
        UnsuitableKey: as `generate`.
    """
    wanted = standard_usages(demo=demo)
    _check_room(find_keys(session), wanted)
    made: dict[str, Handle] = {}
    try:
        for label, usage in wanted.items():
            made[label] = _generate(session, label, usage)
    except BaseException:
        take_back(session, made.values())
        raise
    return made


def check_alone(keys: Iterable[TokenKey], usage: KeyUsage) -> None:
    """Make sure that of the token's *keys*, where there may be one for *usage*, there is one.

    Raises:
        HsmKeyTaken: another process made one too.
    """
    labels = sorted(key.label for key in keys if key.usage is usage)
    if usage not in ISSUER_USAGES and len(labels) > 1:
        raise HsmKeyTaken(labels[-1], f"the token has a key for {usage} already, one only")


def take_back(session: Session, made: Iterable[Handle]) -> None:
    """Take keys out again that we *made*, as far as the token lets us."""
    for handle in made:
        with suppress(HsmError):
            session.destroy(handle)


def unwrap(  # noqa: PLR0913 -- a key, what it is called, and what it must be
    session: Session,
    label: str,
    usage: KeyUsage,
    wrapped: bytes,
    *,
    expected: bytes,
    hashed: int,
) -> Handle:
    """A key that was enciphered with RSA-OAEP for the wrapping key; nobody sees it on the way.

    *expected* is its check value (3 bytes), as its home tells: a key of another is taken out of
    the token again. *hashed* is the hash of OAEP, of `OAEP_HASHES`.

    Raises:
        KeyMissing: there is no wrapping key.
        UnsuitableKey: as `generate`, or the check value is another.
        HsmRefused: it is not enciphered for this wrapping key, or of another length.
    """
    _check_room(find_keys(session), {label: usage})
    wrapping = _wrapping(session)
    # A key of this session first, which is looked at and then copied into the token: some refuse
    # to unwrap one that cannot be changed. CKA_VALUE_LEN is not given for what is unwrapped.
    template = {**_template(label, usage), **_DRAFT}
    template.pop(Attribute.VALUE_LEN, None)
    draft = session.unwrap(oaep(hashed), wrapping, wrapped, template)
    try:
        found = check_value(session, _checked(session, usage, draft, draft=True))
        if found != expected:
            raise CheckValueDiffers(label, found, expected)
        return session.copy(draft, _LASTING)
    finally:
        take_back(session, [draft])  # or it goes with the session


def wrapping_key(session: Session) -> bytes:
    """The public half of the wrapping key as PEM, made where there is none yet.

    It is read off the private half: a public one could be anybody's, put there without the PIN.

    Raises:
        HsmKeyUnsuitable: the token does not tell it.
    """
    try:
        private = _wrapping(session)
    except KeyMissing:
        private = _generate_wrapping(session)
    modulus = session.read(private, Attribute.MODULUS)
    if not modulus:
        raise HsmKeyUnsuitable(WRAPPING_LABEL, "does not tell its public half")
    exponent = session.read(private, Attribute.PUBLIC_EXPONENT) or _EXPONENT.to_bytes(3)
    numbers = RSAPublicNumbers(int.from_bytes(exponent), int.from_bytes(modulus))
    return numbers.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _generate(session: Session, label: str, usage: KeyUsage) -> Handle:
    return session.generate(_SHAPES[usage][1], _template(label, usage))


def _template(label: str, usage: KeyUsage) -> Template:
    key_type, _, uses = _SHAPES[usage]
    length = {} if key_type is KeyType.DES2 else {Attribute.VALUE_LEN: _BYTES}
    return {
        Attribute.CLASS: Kind.SECRET_KEY,
        Attribute.KEY_TYPE: key_type,
        Attribute.LABEL: label.encode(),
        Attribute.ID: _id(usage),
        Attribute.PRIVATE: True,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        **_LASTING,
        **length,
        **{use: use in uses for use in _USES},
    }


def _generate_wrapping(session: Session) -> Handle:
    common: Template = {
        Attribute.LABEL: WRAPPING_LABEL.encode(),
        Attribute.ID: _WRAPPING_ID,
        Attribute.TOKEN: True,
        Attribute.MODIFIABLE: False,
    }
    _, private = session.generate_pair(
        {
            **common,
            Attribute.MODULUS_BITS: _WRAPPING_BITS,
            Attribute.PUBLIC_EXPONENT: _EXPONENT.to_bytes(3),
            Attribute.WRAP: True,
            Attribute.ENCRYPT: False,
            Attribute.VERIFY: False,
        },
        {
            **common,
            Attribute.PRIVATE: True,
            Attribute.SENSITIVE: True,
            Attribute.EXTRACTABLE: False,
            Attribute.UNWRAP: True,
            Attribute.DECRYPT: False,
            Attribute.SIGN: False,
        },
    )
    return private


def _private(session: Session, kind: Kind, identifier: bytes) -> list[Handle]:
    """The private objects of this *kind* and `CKA_ID` in the token."""
    return session.find(
        {
            Attribute.CLASS: kind,
            Attribute.TOKEN: True,
            Attribute.PRIVATE: True,
            Attribute.ID: identifier,
        }
    )


def _wrapping(session: Session) -> Handle:
    """The private half of the wrapping key."""
    found = _private(session, Kind.PRIVATE_KEY, _WRAPPING_ID)
    if not found:
        raise KeyMissing(WRAPPING_LABEL)
    return found[0]


def _check_room(keys: list[TokenKey], wanted: Mapping[str, KeyUsage]) -> None:
    for label, usage in wanted.items():
        KeyRef(label)
        if any(key.label == label for key in keys):
            raise HsmKeyTaken(label, "the token has a key of that label already")
        if usage not in ISSUER_USAGES and any(key.usage is usage for key in keys):
            raise HsmKeyTaken(label, f"the token has a key for {usage} already, one only")


def _checked(session: Session, usage: KeyUsage, handle: Handle, *, draft: bool = False) -> TokenKey:
    """The key behind *handle*; a *draft* may be changed, until it is copied into the token."""
    label = (session.read(handle, Attribute.LABEL) or b"").decode(errors="replace")
    for problem in _problems(session, usage, handle):
        raise HsmKeyUnsuitable(label, problem)
    if not draft and session.read_bool(handle, Attribute.MODIFIABLE):
        raise HsmKeyUnsuitable(label, "may be given other uses (CKA_MODIFIABLE)")
    return TokenKey(label, usage, handle)


def _problems(session: Session, usage: KeyUsage, handle: Handle) -> Iterator[str]:
    key_type, _, uses = _SHAPES[usage]
    if session.read_number(handle, Attribute.KEY_TYPE) != key_type:
        yield f"is not of the type for {usage}"
    if session.read_bool(handle, Attribute.EXTRACTABLE):
        yield "may come out of it (CKA_EXTRACTABLE)"
    if not session.read_bool(handle, Attribute.SENSITIVE):
        yield "may be read (not CKA_SENSITIVE)"
    if not session.read_bool(handle, Attribute.PRIVATE):
        yield "may be used without the PIN (not CKA_PRIVATE)"
    for use in _USES:
        if session.read_bool(handle, use) != (use in uses):
            yield f"is for {usage} and has CKA_{use.name} the other way round"


def _id(usage: KeyUsage) -> bytes:
    return f"{_ID}{usage}".encode()
