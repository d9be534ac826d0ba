"""The peers' codes are HOTP's."""

import pytest

from bench import hotp

# RFC 4226, appendix D: the secret and its first codes.
_SECRET = b"12345678901234567890"
_CODES = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583"]


def test_the_codes_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the token's key, the code is that of the RFC."""
    monkeypatch.setattr(hotp, "key", lambda _: _SECRET)
    assert [hotp.code(0, counter) for counter in range(len(_CODES))] == _CODES


def test_every_code_is_fresh() -> None:
    """Tokens take turns, and a counter rises only when all have had theirs."""
    tokens = hotp.Tokens(2, lambda number, code: f"{number} {code}".encode())
    asked = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    wanted = [f"{number} {hotp.code(number, counter)}".encode() for number, counter in asked]
    assert [*tokens.take(3), *tokens.take(2)] == wanted
