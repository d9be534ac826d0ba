"""Whether a chain that ends before what was sealed of it was cut, or is as a backup has it. Pure.

Both leave a whole chain that is too short. But of a backup nobody's lines go beyond a moment: where
others have lines that were written well after what is missing here was sealed, somebody cut.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sesame.bank.audit_chain import Finding, Kind

# When a seal was made, in microseconds since 1970-01-01 UTC, and the user codes of the customers
# under it, each with the version up to which their lines were sealed then.
Ends = tuple[int, Sequence[tuple[str, int]]]

# Clocks of servers and of the sealer differ by less; so do the moment that a line says and the
# commit that brings it.
APART = 300 * 1_000_000  # microseconds


@dataclass(slots=True)
class Reach:
    """How far whole chains go: moments of lines that are there as they were sealed; 0: of none.

    What a restore lost, it lost of everybody, and life went on after it: so of what was sealed
    before one, only lines of before it say anything.
    """

    restored_at: int | None = None  # when that was last seen; None: never
    latest: int = 0
    before: int = 0  # the latest from before the database was restored

    def take(self, at: int | None) -> None:
        """Take in the sealed line of a whole chain, of the moment *at*."""
        if at is None:
            return
        self.latest = max(self.latest, at)
        if self.restored_at is not None and at + APART < self.restored_at:
            self.before = max(self.before, at)

    def is_restored_since(self, sealed_at: int) -> bool:
        """Whether what was sealed at that moment may have been lost by the restore."""
        return self.restored_at is not None and sealed_at <= self.restored_at + APART

    def is_beyond(self, sealed_at: int) -> bool:
        """Whether somebody's line is there that no backup without the sealed one could have."""
        others = self.before if self.is_restored_since(sealed_at) else self.latest
        return sealed_at + APART < others


def cut_off(findings: Iterable[Finding], reach: Reach, seals: Iterable[Ends]) -> list[Finding]:
    """Those of *findings* that are no backup's doing: chains whose end was cut off.

    *seals* come in their order. Of whom no row is left, they may have come after a backup that
    was restored.
    """
    short = {one.user_code: one for one in findings if one.kind is Kind.ROLLED_BACK}
    cut: list[Finding] = []
    if not short:
        return cut
    for at, ends in seals:
        for user_code, version in ends:
            if user_code not in short or version <= short[user_code].version:
                continue
            finding = short.pop(user_code)  # it is the seal over the first line that is missing
            may_be_new = finding.version == 0 and reach.is_restored_since(at)
            if reach.is_beyond(at) and not may_be_new:
                cut.append(finding)
    return cut
