"""Whoever opens pages or sends garbage makes no call of custody."""

from pathlib import Path

import pytest

from sesame.bank.challenge_key import ChallengeKey
from sesame.custody.custodian import KeyUsage
from sesame.custody.errors import CustodyUnavailable
from sesame.custody.keystore_custodian import KeystoreCustodian
from tests.custody.keystores import quick_keystore


class Counting(KeystoreCustodian):
    """One that counts its MACs, and can be away."""

    asked = 0
    away = False

    async def mac(self, usage: KeyUsage, data: bytes) -> bytes:
        """As ever."""
        self.asked += 1
        if self.away:
            raise CustodyUnavailable("away")
        return await super().mac(usage, data)


async def test_custody_is_asked_once_for_each_mark(tmp_path: Path) -> None:
    """Another mark has another key, and what custody does not answer is asked again."""
    custodian = Counting(quick_keystore(tmp_path / "keys"))
    key = ChallengeKey()
    one, other = bytes(16), bytes(15) + b"\x01"
    custodian.away = True
    with pytest.raises(CustodyUnavailable):
        await key.of(custodian, one)
    custodian.away = False
    found = {await key.of(custodian, one) for _ in range(5)}
    assert custodian.asked == 2
    assert await key.of(custodian, other) not in found
    assert {await key.of(custodian, one)} == found
    assert await ChallengeKey().of(custodian, one) in found  # that of another process
    assert not any(part.hex() in repr(key) for part in found)
