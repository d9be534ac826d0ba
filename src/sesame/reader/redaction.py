"""Words of a card without what is private: card number, track data, the cardholder's name. Pure.

What a card writes into its labels is its own: nothing stops a bank from putting a name there.
"""

import re
from collections.abc import Iterable

from sesame.reader.blackening import NUMBERS, WORDS

PRIVATE = NUMBERS | WORDS
_PRINTABLE = range(0x20, 0x7F)


class Redaction:
    """What may be shown of a card that said *private* objects, tag and value, in any answer."""

    _HIDDEN = "…"
    _NUMBER = re.compile(r"[0-9](?:[ ./-]?[0-9]){3,}")  # of four digits or more, however grouped
    _WORD = re.compile(r"[A-Z]{3,}")
    # Words of cards without a holder's name: VISA CARDHOLDER.
    _BRANDS = frozenset({"VISA", "MASTERCARD", "MAESTRO", "BANCONTACT", "CARD", "CARTE"})
    _SHORTEST = 6  # digits without zeros around them, below which a match would be chance

    def __init__(self, private: Iterable[tuple[int, bytes]]) -> None:
        self._digits: set[str] = set()
        self._names: set[str] = set()
        for tag, value in private:
            self._digits |= self._numbers(value)
            if tag in WORDS:
                words = value.decode("latin-1").upper()
                self._names |= set(self._WORD.findall(words)) - self._BRANDS

    def text(self, value: bytes | None) -> str | None:
        """*value* as at most 16 characters of ASCII; what may not be shown becomes "…"."""
        plain = "".join(chr(byte) if byte in _PRINTABLE else "?" for byte in (value or b"")[:16])
        if any(name in plain.upper() for name in self._names):
            return self._HIDDEN
        return self._NUMBER.sub(self._HIDDEN, plain).strip() or None

    def hex(self, value: bytes) -> str:
        """*value* in hexadecimal, unless a card number or a name stands in it."""
        spelled, text = value.hex().upper(), value.decode("latin-1").upper()
        hidden = any(one in spelled or one in text for one in self._digits) or any(
            name in text for name in self._names
        )
        return self._HIDDEN if hidden else spelled

    def _numbers(self, value: bytes) -> set[str]:
        """The numbers that *value* spells, in BCD or in characters."""
        spelled = (value.hex(), value.decode("latin-1"))
        numbers = {number.strip("0") for text in spelled for number in re.findall("[0-9]+", text)}
        return {number for number in numbers if len(number) >= self._SHORTEST}
