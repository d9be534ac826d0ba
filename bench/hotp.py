"""Codes of the peers: HOTP (RFC 4226), six digits, a counter a token."""

import hashlib
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass

DIGITS = 6


def key(number: int) -> bytes:
    """The key of token *number*, 20 bytes; public, like everything of a measurement."""
    return hashlib.sha1(f"token {number}".encode(), usedforsecurity=False).digest()


def code(number: int, counter: int) -> str:
    """The code of token *number* at *counter*."""
    mac = hmac.digest(key(number), struct.pack(">Q", counter), "sha1")
    (word,) = struct.unpack_from(">I", mac, mac[-1] & 15)
    return f"{(word & 0x7FFFFFFF) % 10**DIGITS:0{DIGITS}d}"


@dataclass(slots=True)
class Tokens:
    """Fresh codes: the tokens in turn, and each counter rises by one with each code."""

    count: int
    request: Callable[[int, str], bytes]  # of a token's number and its code
    counter: int = 0
    place: int = 0

    def take(self, count: int) -> list[bytes]:
        """The next *count* requests."""
        taken = []
        for _ in range(count):
            taken.append(self.request(self.place, code(self.place, self.counter)))
            self.place += 1
            if self.place == self.count:
                self.place = 0
                self.counter += 1
        return taken
