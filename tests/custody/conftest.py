"""The custodians that all must pass the same tests: today one, an HSM later."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sesame.cap.profiles import PROFILES
from sesame.custody.custodian import IssuingCustodian
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from tests.custody.keystores import PASSPHRASE, chance, issuer_key, quick_keystore


def _on_a_keystore(folder: Path) -> IssuingCustodian:
    path = folder / "keys"
    quick_keystore(path)
    for key in (issuer_key("dpa-02"), issuer_key("dpa-03", bytes(range(16)))):
        Keystore.add(path, PASSPHRASE, key, random=chance(key.label))
    return KeystoreIssuingCustodian(
        Keystore.open(path, PASSPHRASE), random=chance("custodian"), profiles=PROFILES
    )


# Each has the standard keys of a demonstration, the published issuer key as dpa-02, and
# another one as dpa-03.
_CUSTODIANS: Mapping[str, Callable[[Path], IssuingCustodian]] = {"keystore": _on_a_keystore}


@pytest.fixture(scope="module", params=_CUSTODIANS)
def custodian(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> IssuingCustodian:
    """Every custodian that there is, one after the other."""
    make = _CUSTODIANS[request.param]
    return make(tmp_path_factory.mktemp("custody"))
