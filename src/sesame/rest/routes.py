"""Every address of the JSON door."""

from collections.abc import Sequence

from starlette.routing import Route

from sesame.bank.bank import Bank
from sesame.rest.verification import Challenges, Verifications


def routes(bank: Bank, key_hashes: Sequence[str]) -> list[Route]:
    """The door's routes; *key_hashes* are SHA-256 (hex) of the bearer keys that it knows."""
    return [
        Route("/api/v1/verifications", Verifications(bank, key_hashes)),
        Route("/api/v1/challenges", Challenges(bank, key_hashes)),
    ]
