"""The key that challenges are made with: a MAC by custody over the mark of the database's life.

Custody is asked once for each mark. A page with a challenge is anybody's, and would otherwise be
a call of custody each, which no limit bounds and which goes before the codes of owners.
"""

from sesame.custody.custodian import Custodian, KeyUsage


class ChallengeKey:
    """The key of one mark, kept; it does not print itself."""

    def __init__(self) -> None:
        self._mark = b""
        self._key = b""

    async def of(self, custodian: Custodian, mark: bytes) -> bytes:
        """The key (32 bytes) of *mark* (16 bytes).

        Raises:
            CustodyUnavailable: it is a new mark, and custody does not answer.
        """
        if mark == self._mark:
            return self._key
        key = await custodian.mac(KeyUsage.SESSION, b"challenge|" + mark)
        self._mark, self._key = mark, key
        return key

    def __repr__(self) -> str:
        return "ChallengeKey(…)"
