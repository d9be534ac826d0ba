"""Keys are made so that they stay in the token, or brought in without being seen."""

import re
import subprocess
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sesame.custody import hsm_keys
from sesame.custody.cryptoki import (
    AES_KEY_GEN,
    SHA_1,
    SHA_256,
    Attribute,
    KeyType,
    Kind,
    Session,
    Template,
)
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import HsmKeyUnsuitable, HsmRefused, KeyMissing, UnsuitableKey
from sesame.custody.hsm_keys import (
    check_value,
    find_keys,
    generate,
    generate_standard,
    unwrap,
    wrapping_key,
)
from sesame.custody.key import Key, standard_keys, standard_usages
from tests.custody.keystores import NOW, chance, issuer_key
from tests.custody.tokens import MODULE, OAEP, PIN, carry_in, empty_token, softhsm

pytestmark = pytest.mark.needs("softhsm2")

_NEVER = (  # what a key that seals is not for
    *(Attribute.SIGN, Attribute.VERIFY, Attribute.WRAP, Attribute.UNWRAP),
    Attribute.DERIVE,
)
_LABELS = iter(f"keys {number}" for number in range(100))


@pytest.fixture
def session() -> Iterator[Session]:
    """A session with a token of one's own, in which nothing is."""
    session = empty_token(next(_LABELS)).open(writes=True)
    yield session
    session.close()


def test_the_standard_keys(session: Session) -> None:
    """As in a keystore: those labels and usages, with the payment key for demonstrations."""
    generate_standard(session, demo=True)
    found = {key.label: key.usage for key in find_keys(session)}
    assert found == standard_usages(demo=True)
    values = {check_value(session, key) for key in find_keys(session)}
    assert {len(value) for value in values} == {3}
    assert len(values) == 6


def test_more_keys_than_one_call_gives_are_found(session: Session) -> None:
    """A bank keeps the issuer keys of many years."""
    labels = [f"dpa-{number:02}" for number in range(1, 18)]
    for label in labels:
        hsm_keys._generate(session, label, KeyUsage.ISSUER_AC)  # noqa: SLF001 -- without asking
    assert [key.label for key in find_keys(session)] == labels


def test_a_token_of_a_real_bank_has_no_payment_key(session: Session) -> None:
    """Payments are another system's business."""
    generate_standard(session, demo=False)
    assert "payment-01" not in {key.label for key in find_keys(session)}


def test_none_is_made_where_one_cannot_be(session: Session) -> None:
    """A label names one key for ever, and but for the issuer's a usage has one."""
    generate(session, "audit-07", KeyUsage.AUDIT)
    with pytest.raises(UnsuitableKey, match="has a key for audit already"):
        generate_standard(session, demo=True)
    with pytest.raises(UnsuitableKey, match="key audit-07: the token has a key of that label"):
        generate(session, "audit-07", KeyUsage.ISSUER_AC)
    with pytest.raises(UnsuitableKey, match="label"):
        generate(session, "Audit 7", KeyUsage.ISSUER_AC)
    assert [key.label for key in find_keys(session)] == ["audit-07"]
    for label in ("dpa-01", "dpa-02"):
        generate(session, label, KeyUsage.ISSUER_AC)
    assert [key.label for key in find_keys(session)] == ["dpa-01", "dpa-02", "audit-07"]


@pytest.mark.needs("opensc")
def test_what_another_program_sees_of_them() -> None:
    """`pkcs11-tool`: sensitive, never extractable, made there, and each for its own use only."""
    label = next(_LABELS)
    session = empty_token(label).open(writes=True)
    generate_standard(session, demo=True)
    carry_in(session, [issuer_key("dpa-02")])
    session.close()
    said = subprocess.run(
        [
            *("pkcs11-tool", "--module", MODULE, "--token-label", label),
            *("--login", "--pin", PIN.text, "--list-objects", "--type", "secrkey"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    seen = {
        block["label"]: (block["usage"], block["access"])
        for block in re.finditer(
            r"label: +(?P<label>\S+)\n(?:.*\n)*?  Usage: +(?P<usage>.+)\n"
            r"  Access: +(?P<access>.+)\n",
            said,
        )
    }
    made = "sensitive, always sensitive, never extractable, local"
    usages = {
        KeyUsage.ISSUER_AC: "derive",
        KeyUsage.ISSUER_PAYMENT: "derive",
        KeyUsage.SEAL: "encrypt, decrypt",
    }
    assert seen == {
        **{
            key: (usages.get(usage, "none"), made)  # it does not list "sign"
            for key, usage in standard_usages(demo=True).items()
        },
        "dpa-02": ("derive", "sensitive"),  # it was known elsewhere before
    }


@pytest.mark.parametrize(
    ("otherwise", "problem"),
    [
        ({Attribute.EXTRACTABLE: True}, "may come out"),
        ({Attribute.MODIFIABLE: True}, "other uses"),
        ({Attribute.SENSITIVE: False}, "may be read"),
        ({Attribute.WRAP: True}, "CKA_WRAP the other way"),
        ({Attribute.DECRYPT: False}, "CKA_DECRYPT the other way"),
        ({Attribute.ID: b"sesame audit"}, "not of the type for audit"),
    ],
    ids=[
        "extractable",
        "modifiable",
        "readable",
        "wraps",
        "does not decrypt",
        "of another usage",
    ],
)
def test_a_key_that_is_otherwise_is_refused(
    session: Session, otherwise: Template, problem: str
) -> None:
    """Somebody made it with another program, or changed what it is for."""
    rightly: Template = {
        Attribute.CLASS: Kind.SECRET_KEY,
        Attribute.KEY_TYPE: KeyType.AES,
        Attribute.VALUE_LEN: 32,
        Attribute.TOKEN: True,
        Attribute.LABEL: b"seal-01",
        Attribute.ID: b"sesame seal",
        Attribute.PRIVATE: True,
        Attribute.MODIFIABLE: False,
        Attribute.SENSITIVE: True,
        Attribute.EXTRACTABLE: False,
        Attribute.ENCRYPT: True,
        Attribute.DECRYPT: True,
        **dict.fromkeys(
            (
                *(Attribute.SIGN, Attribute.VERIFY, Attribute.WRAP, Attribute.UNWRAP),
                Attribute.DERIVE,
            ),
            False,
        ),
    }
    session.destroy(session.generate(AES_KEY_GEN, {**rightly, **otherwise}))
    session.generate(AES_KEY_GEN, rightly)
    assert [key.label for key in find_keys(session)] == ["seal-01"]
    session.generate(AES_KEY_GEN, {**rightly, **otherwise, Attribute.LABEL: b"seal-02"})
    with pytest.raises(HsmKeyUnsuitable, match=problem) as refused:
        find_keys(session)
    assert refused.value.label == "seal-02"


def test_two_keys_of_one_label_are_refused(session: Session) -> None:
    """Another program does not ask; and nobody could say whose cards are whose."""
    generate(session, "dpa-01", KeyUsage.ISSUER_AC)
    hsm_keys._generate(session, "dpa-01", KeyUsage.ISSUER_AC)  # noqa: SLF001 -- without asking
    with pytest.raises(UnsuitableKey, match="two keys of that label"):
        find_keys(session)


# ── Brought in ───────────────────────────────────────────────────────────────────────────────────


def _wrapped(session: Session, value: bytes) -> bytes:
    public = load_pem_public_key(wrapping_key(session))
    assert isinstance(public, RSAPublicKey)
    assert public.key_size == 3072
    return public.encrypt(value, OAEP)


@pytest.fixture(scope="module")
def wrapping() -> Iterator[Session]:
    """A session with a token that has a wrapping key; the tests leave no other key in it."""
    session = empty_token(next(_LABELS)).open(writes=True)
    wrapping_key(session)
    yield session
    session.close()


@pytest.mark.parametrize(
    "key", standard_keys(demo=True, now=NOW, random=chance("elsewhere")), ids=lambda key: key.label
)
def test_a_key_of_every_usage_is_brought_in(wrapping: Session, key: Key) -> None:
    """With the check value that it has at home; then it is like one that was made there."""
    unwrap(
        *(wrapping, key.label, key.usage, _wrapped(wrapping, key.value)),
        expected=key.check_value,
        hashed=SHA_1,
    )
    (found,) = find_keys(wrapping)
    assert (found.label, found.usage) == (key.label, key.usage)
    assert check_value(wrapping, found) == key.check_value
    assert wrapping.read(found.handle, Attribute.VALUE) is None
    assert not wrapping.read_bool(found.handle, Attribute.MODIFIABLE)
    wrapping.destroy(found.handle)


def test_another_key_than_was_announced_is_not_kept(wrapping: Session) -> None:
    """Both check values are said, and the token is as before."""
    key = issuer_key("dpa-02")
    with pytest.raises(UnsuitableKey, match="is 08D7B4, and C0FFEE was announced"):
        unwrap(
            *(wrapping, key.label, key.usage, _wrapped(wrapping, key.value)),
            expected=bytes.fromhex("C0FFEE"),
            hashed=SHA_1,
        )
    assert not find_keys(wrapping)


def test_what_was_not_wrapped_for_it_is_refused(wrapping: Session) -> None:
    """Altered on the way, for another token, with another hash."""
    wrapped = _wrapped(wrapping, issuer_key("dpa-02").value)
    for data, hashed in ((wrapped[:-1] + b"\x00", SHA_1), (b"", SHA_1), (wrapped, SHA_256)):
        with pytest.raises(HsmRefused, match="C_UnwrapKey"):
            unwrap(
                *(wrapping, "dpa-02", KeyUsage.ISSUER_AC, data), expected=bytes(3), hashed=hashed
            )
    assert not find_keys(wrapping)


def test_a_token_without_a_wrapping_key_takes_nothing_in(session: Session) -> None:
    """It says which key is missing."""
    with pytest.raises(KeyMissing, match="wrapping-01"):
        unwrap(
            *(session, "dpa-02", KeyUsage.ISSUER_AC, b"wrapped"), expected=bytes(3), hashed=SHA_1
        )


def test_the_wrapping_key_is_made_once(wrapping: Session) -> None:
    """Who wrapped for it yesterday wrapped for it today."""
    assert wrapping_key(wrapping) == wrapping_key(wrapping)
    (private,) = wrapping.find({Attribute.CLASS: Kind.PRIVATE_KEY})
    for use in (Attribute.DECRYPT, Attribute.SIGN, Attribute.EXTRACTABLE, Attribute.MODIFIABLE):
        assert not wrapping.read_bool(private, use)
    assert softhsm() == MODULE
