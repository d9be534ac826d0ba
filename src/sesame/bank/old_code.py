"""The old code: the password that customers used before, until their first code Sésame.

Always one argon2, a dummy where no old code is stored, so that the time tells nothing; at
most two at once, for each takes 64 MiB and a core (design of argon2id, RFC 9106).
"""

import asyncio
import base64
import unicodedata
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import argon2

from sesame.bank.errors import MalformedOldCode, UnsuitableOldCode
from sesame.bank.turnstile import Turnstile

_AT_ONCE = 2
_LONGEST = 128  # characters


@dataclass(frozen=True, slots=True, repr=False)
class OldCode:
    """An old code as it was typed; it does not print itself."""

    typed: str

    def __repr__(self) -> str:
        return "OldCode(…)"


def parse_old_code(typed: str) -> OldCode:
    """Read an old code: as it is, but for how accents are put together (NFC).

    Raises:
        MalformedOldCode: nothing, or more than 128 characters.
    """
    composed = unicodedata.normalize("NFC", typed)
    if not 1 <= len(composed) <= _LONGEST:
        raise MalformedOldCode
    return OldCode(composed)


class OldCodes:
    """Makes and checks the hashes of old codes."""

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        """Take the institution's parameters; tests may bring a quicker *hasher*."""
        # Written out, so that no new version of the library makes the hashes that are stored
        # cost another time than the dummy: RFC 9106, 4, the second recommended option.
        self._hasher = hasher or argon2.PasswordHasher(
            time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16
        )
        self._no_code = _hash_of_nothing(self._hasher)
        self._places = Turnstile(_AT_ONCE)

    def hash(self, old_code: OldCode) -> str:
        """The argon2id hash that is stored, in the encoding of its reference program."""
        return self._hasher.hash(old_code.typed)

    def check_hash(self, stored: str) -> None:
        """Make sure that *stored* costs as much to check as any other.

        What argon2 would refuse to read costs next to nothing, so every character must be as the
        reference program writes it.

        Raises:
            UnsuitableOldCode: another algorithm or other parameters than ours, or another spelling.
        """
        head, *parts = stored.rsplit("$", 2)
        our_head, *our_parts = self._no_code.rsplit("$", 2)
        if head != our_head or not all(map(_is_alike, parts, our_parts)):
            raise UnsuitableOldCode

    def place(self, *, waiting: int, first: bool = False) -> AbstractAsyncContextManager[None]:
        """One of the two places to compute a hash; *first* before all who are not.

        Raises:
            TooBusy: *waiting* others of one's own kind wait already.
        """
        return self._places.through(None, waiting=waiting, first=first)

    async def verify(self, stored: str | None, typed: OldCode) -> bool:
        """Whether *typed* is the old code that was *stored*; one computation in any case.

        Whoever asks has a `place`, and keeps it until the computation has ended, also when they
        are cancelled meanwhile.
        """
        computing = asyncio.ensure_future(
            asyncio.to_thread(self._verify, stored or self._no_code, typed)
        )
        try:
            fits = await asyncio.shield(computing)
        except asyncio.CancelledError:
            await asyncio.wait([computing])
            raise
        return fits and stored is not None

    def _verify(self, stored: str, typed: OldCode) -> bool:
        try:
            return self._hasher.verify(stored, typed.typed)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _hash_of_nothing(hasher: argon2.PasswordHasher) -> str:
    """A hash that costs as much as any to check, and that nobody knows an old code for."""
    salt, digest = (_base64(bytes(length)) for length in (hasher.salt_len, hasher.hash_len))
    costs = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


def _is_alike(part: str, ours: str) -> bool:
    """Whether a salt or digest has as many bytes as *ours*, and the one spelling of them."""
    try:
        content = base64.b64decode(part + "=" * (-len(part) % 4), validate=True)
    except ValueError:
        return False
    return len(part) == len(ours) and part == _base64(content)


def _base64(content: bytes) -> str:
    """As argon2's encoding has it: without padding."""
    return base64.b64encode(content).decode().rstrip("=")
