"""The custodians that all must pass the same tests: on a keystore, on a token, by a socket."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import pytest

from sesame.cap.profiles import PROFILES
from sesame.custody.custodian import IssuingCustodian
from sesame.custody.hsm import HsmIssuingCustodian
from sesame.custody.hsm_sessions import Login
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from tests.custody.apart import behind_a_socket
from tests.custody.keystores import PASSPHRASE, chance, issuer_key, quick_keystore
from tests.custody.tokens import new_token

_CARRIED_IN = (issuer_key("dpa-02"), issuer_key("dpa-03", bytes(range(16))))


@contextmanager
def _on_a_keystore(folder: Path) -> Iterator[IssuingCustodian]:
    path = folder / "keys"
    quick_keystore(path)
    for key in _CARRIED_IN:
        Keystore.add(path, PASSPHRASE, key, random=chance(key.label))
    yield KeystoreIssuingCustodian(
        Keystore.open(path, PASSPHRASE), random=chance("custodian"), profiles=PROFILES
    )


@contextmanager
def _on_a_token(_: Path) -> Iterator[IssuingCustodian]:
    with HsmIssuingCustodian(token(), sessions=2, waiting=32, profiles=PROFILES) as custodian:
        yield custodian


@cache
def token() -> Login:
    """A token with the same keys; those that it made itself have other values."""
    return new_token("contract", keys=_CARRIED_IN)


@contextmanager
def _through_a_socket(folder: Path) -> Iterator[IssuingCustodian]:
    with (
        _on_a_keystore(folder) as custodian,
        behind_a_socket(folder / "custody.sock", custodian) as client,
    ):
        yield client


# Each has the standard keys of a demonstration, the published issuer key as dpa-02, and
# another one as dpa-03.
_CUSTODIANS: Mapping[str, Callable[[Path], AbstractContextManager[IssuingCustodian]]] = {
    "keystore": _on_a_keystore,
    "softhsm2": _on_a_token,
    "socket": _through_a_socket,
}


@pytest.fixture(
    scope="module",
    params=[
        "keystore",
        pytest.param("softhsm2", marks=pytest.mark.needs("softhsm2")),
        "socket",
    ],
)
def custodian(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[IssuingCustodian]:
    """Every custodian that there is, one after the other."""
    with _CUSTODIANS[request.param](tmp_path_factory.mktemp("custody")) as made:
        yield made
