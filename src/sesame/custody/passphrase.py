"""What opens a keystore, where it may come from, and what is too weak to.

RFC 8265, 4.2 (OpaqueString): the same bytes from every keyboard.
"""

import os
import stat
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sesame.custody.errors import (
    MalformedPassphrase,
    PassphraseExposed,
    PassphraseUnreadable,
    WeakPassphrase,
)

SHORTEST = 12  # characters
FEWEST_DIFFERENT = 6

_LARGEST = 4096  # bytes of a file
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True, repr=False)
class Passphrase:
    """One line of text; it does not print itself.

    Every kind of space becomes U+0020, for the no-break space lies a finger away on a
    French keyboard; then NFC, so that é is one character.

    Raises:
        MalformedPassphrase: a line end or another control character, or no UTF-8.
    """

    text: str

    def __post_init__(self) -> None:
        spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in self.text)
        text = unicodedata.normalize("NFC", spaced)
        if not text.isprintable():
            raise MalformedPassphrase
        object.__setattr__(self, "text", text)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """A passphrase out of a file or a pipe: UTF-8, with or without a line end."""
        # Bytes that are no UTF-8 become surrogates, which do not print: so __post_init__
        # refuses them. The codec's own error would carry the whole passphrase.
        line = data.decode(errors="surrogateescape")
        return cls(line.removesuffix("\n").removesuffix("\r"))

    def encode(self) -> bytes:
        """Its bytes, for the key derivation."""
        return self.text.encode()

    def check_strength(self) -> None:
        """Refuse what is tried first.

        Raises:
            WeakPassphrase: under 12 characters, or under 6 different ones.
        """
        if len(self.text) < SHORTEST or len(set(self.text)) < FEWEST_DIFFERENT:
            raise WeakPassphrase(shortest=SHORTEST, different=FEWEST_DIFFERENT)

    def __repr__(self) -> str:
        return "Passphrase(…)"


def joined(one: Passphrase, other: Passphrase) -> Passphrase:
    """The passphrase of which two persons know a half each: one, a blank, the other."""
    return Passphrase(f"{one.text} {other.text}")


def read_passphrase(path: Path) -> Passphrase:
    """The passphrase in the file, or at the end of the pipe, at *path*.

    Raises:
        PassphraseUnreadable: the operating system refuses.
        PassphraseExposed: other users may read the file.
        MalformedPassphrase: what is in it is not one line of text.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & _OTHERS:
                raise PassphraseExposed(path, stat.S_IMODE(mode))
            return Passphrase.decode(file.read(_LARGEST))
    except OSError as refusal:
        raise PassphraseUnreadable(path, str(refusal.strerror)) from None
