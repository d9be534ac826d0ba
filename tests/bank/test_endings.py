"""`sesame.bank.endings`: a cut end is told from what a backup leaves, where it can be told."""

from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.audit_chain import Finding, Kind
from sesame.bank.endings import APART, Ends, Reach, cut_off

_MINUTE = 60_000_000
_VERA = Finding(Kind.ROLLED_BACK, "VERA2345", 3)
_OMAR = Finding(Kind.ROLLED_BACK, "OMAR6789", 0)
# Vera's fourth line is under the second seal, made in minute 2.
_SEALS: list[Ends] = [
    (_MINUTE, [("VERA2345", 3), ("OMAR6789", 1)]),
    (2 * _MINUTE, [("VERA2345", 4)]),
    (3 * _MINUTE, [("VERA2345", 5), ("OMAR6789", 2)]),
]


def _reach(*moments: int, restored_at: int | None = None) -> Reach:
    reach = Reach(restored_at)
    for moment in moments:
        reach.take(moment)
    return reach


def test_who_is_cut_while_others_go_on() -> None:
    """By the seal over the first line that is missing; others' findings stay theirs."""
    later = 2 * _MINUTE + APART + 1
    other = Finding(Kind.REWRITTEN, "OMAR6789", 2)
    assert cut_off([_VERA, other], _reach(7, later), _SEALS) == [_VERA]
    assert cut_off([_VERA, other], _reach(later - 1, 7), _SEALS) == []
    assert cut_off([other], _reach(later), _SEALS) == []


def test_nobody_goes_on() -> None:
    """As in a backup; and where there is no other chain, or what it says is no moment."""
    reach = Reach()
    reach.take(None)
    assert cut_off([_VERA], reach, _SEALS) == []
    assert cut_off([_VERA], _reach(99 * _MINUTE), []) == []


def test_what_was_lost_by_a_restore() -> None:
    """Of life after it nothing is concluded; of lines well before it something is."""
    restored_at = 60 * _MINUTE
    after, before = 90 * _MINUTE, restored_at - APART - 1
    assert cut_off([_VERA], _reach(after, restored_at=restored_at), _SEALS) == []
    assert cut_off([_VERA], _reach(before + 1, restored_at=restored_at), _SEALS) == []
    assert cut_off([_VERA], _reach(before, restored_at=restored_at), _SEALS) == [_VERA]


def test_what_was_sealed_after_a_restore() -> None:
    """That one does not explain why it is missing."""
    reach = _reach(90 * _MINUTE, restored_at=2 * _MINUTE - APART - 1)
    assert cut_off([_VERA], reach, _SEALS) == [_VERA]


def test_who_is_not_there_at_all() -> None:
    """They were taken away; but before a restore they may have come after the backup."""
    assert cut_off([_OMAR], _reach(99 * _MINUTE), _SEALS) == [_OMAR]
    reach = _reach(50 * _MINUTE, restored_at=99 * _MINUTE)
    assert cut_off([_OMAR, _VERA], reach, _SEALS) == [_VERA]


@given(
    writes=st.lists(st.tuples(st.sampled_from("ABCD"), st.integers(0, 40)), min_size=1),
    backup=st.integers(0, 40),
    skew=st.integers(-2, 2),
)
def test_no_backup_is_taken_for_a_cut(
    writes: list[tuple[str, int]], backup: int, skew: int
) -> None:
    """Whoever wrote when, and though the sealer's clock is two minutes off: nobody is accused."""
    written = sorted((minute * _MINUTE, code) for code, minute in writes)
    seals, versions = list[Ends](), dict[str, int]()
    for minute in range(42):
        for at, code in written:
            if at == minute * _MINUTE:
                versions[code] = versions.get(code, 0) + 1
        seals.append(((minute + 1 + skew) * _MINUTE, sorted(versions.items())))
    there = [(at, code) for at, code in written if at <= backup * _MINUTE]
    standing = {code: sum(of == code for _, of in there) for code in versions}
    found = [
        Finding(Kind.ROLLED_BACK, code, standing[code])
        for code, version in versions.items()
        if standing[code] < version
    ]
    whole = [at for at, code in there if standing[code] == versions[code]]
    assert cut_off(found, _reach(*whole), seals) == []
