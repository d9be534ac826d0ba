"""`sesame.bank.old_code`: one argon2 an attempt, two at once, and no more wait than may."""

import asyncio
import threading

import argon2
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from sesame.bank.errors import MalformedOldCode, TooBusy, UnsuitableOldCode
from sesame.bank.old_code import OldCode, OldCodes, parse_old_code
from tests.bank.branch import quick_old_codes

_TYPED = OldCode("tilleul-1971")
_OTHER = OldCode("tilleul-1972")


class Hasher(PasswordHasher):
    """A quick hasher that counts what it computes, and waits inside until it may go on."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.computed: list[str] = []
        self.inside = self.most = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.begun = threading.Semaphore(0)
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override] # noqa: A002 -- its parent's name
        """Compute, and note it."""
        with self._lock:
            self.computed.append(str(hash))
            self.inside += 1
            self.most = max(self.most, self.inside)
        self.begun.release()
        try:
            assert self.go_on.wait(30)
            super().verify(hash, password)
            return True
        finally:
            with self._lock:
                self.inside -= 1


async def _placed(
    old_codes: OldCodes, stored: str | None, typed: OldCode, *, waiting: int, first: bool = False
) -> bool:
    """Verify as a login does: with a place."""
    async with old_codes.place(waiting=waiting, first=first):
        return await old_codes.verify(stored, typed)


@pytest.mark.parametrize("typed", [_TYPED, _OTHER])
@pytest.mark.parametrize("is_stored", [True, False])
async def test_every_attempt_is_one_computation(typed: OldCode, *, is_stored: bool) -> None:
    """Of the same cost: right, wrong, retired, or of a user code that nobody has."""
    hasher = Hasher()
    old_codes = OldCodes(hasher)
    stored = old_codes.hash(_TYPED) if is_stored else None
    fits = await _placed(old_codes, stored, typed, waiting=5)
    assert fits is (is_stored and typed is _TYPED)
    (computed,) = hasher.computed
    assert (computed == stored) is is_stored
    made = argon2.extract_parameters(old_codes.hash(_TYPED))
    assert argon2.extract_parameters(computed) == made


async def test_nothing_fits_the_hash_of_nothing() -> None:
    """Not even if it were said to be somebody's."""
    hasher = Hasher()
    old_codes = OldCodes(hasher)
    await _placed(old_codes, None, _TYPED, waiting=5)
    (dummy,) = hasher.computed
    for typed in ("", "tilleul-1971", "\x00"):
        with pytest.raises(VerifyMismatchError):
            PasswordHasher().verify(dummy, typed)


async def test_two_are_computed_at_once_and_no_more() -> None:
    """Each takes 64 MiB and a core; the others wait, and all are answered."""
    hasher = Hasher()
    old_codes = OldCodes(hasher)
    stored = old_codes.hash(_TYPED)
    hasher.go_on.clear()
    tasks = [
        asyncio.create_task(_placed(old_codes, stored, typed, waiting=64))
        for typed in [_TYPED, _OTHER] * 5
    ]
    for _ in range(2):
        await asyncio.to_thread(hasher.begun.acquire)
    hasher.go_on.set()
    assert await asyncio.gather(*tasks) == [True, False] * 5
    assert hasher.most == 2
    assert len(hasher.computed) == 10


async def test_one_too_many_hears_it_at_once() -> None:
    """It is not judged; whoever is answered or goes away leaves a place."""
    hasher = Hasher()
    old_codes = OldCodes(hasher)
    hasher.go_on.clear()
    tasks = [asyncio.create_task(_placed(old_codes, None, _TYPED, waiting=1)) for _ in range(3)]
    for _ in range(2):
        await asyncio.to_thread(hasher.begun.acquire)
    with pytest.raises(TooBusy):
        await _placed(old_codes, None, _TYPED, waiting=1)
    tasks[-1].cancel()
    await asyncio.wait([tasks[-1]])
    tasks.append(asyncio.create_task(_placed(old_codes, None, _TYPED, waiting=1)))
    await asyncio.sleep(0)
    hasher.go_on.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert answers[:2] == [False, False]
    assert isinstance(answers[2], asyncio.CancelledError)
    assert answers[3] is False
    assert await _placed(old_codes, None, _TYPED, waiting=1) is False
    assert len(hasher.computed) == 4


@pytest.mark.parametrize("typed", ["\u00e9t\u00e9", "e\u0301te\u0301"])
async def test_accents_may_be_put_together_either_way(typed: str) -> None:
    """As one keyboard sends « été », or another."""
    old_codes = quick_old_codes()
    stored = old_codes.hash(parse_old_code("été"))
    assert parse_old_code(typed).typed == "\u00e9t\u00e9"
    assert await _placed(old_codes, stored, parse_old_code(typed), waiting=5)


def test_an_old_code_is_read_as_it_is() -> None:
    """1 to 128 characters once composed; blanks and capitals count."""
    for typed in ("x", " Été ", "p" * 128, "e\u0301" * 128):
        assert len(parse_old_code(typed).typed) in {1, 5, 128}
    for typed in ("", "p" * 129):
        with pytest.raises(MalformedOldCode):
            parse_old_code(typed)


def test_an_old_code_does_not_print_itself() -> None:
    """Neither by repr nor by str."""
    assert "tilleul" not in f"{_TYPED!r} {_TYPED}"


def test_only_hashes_of_our_cost_are_taken() -> None:
    """Any other would take another time."""
    old_codes = OldCodes()
    old_codes.check_hash(old_codes.hash(_TYPED))
    ours = PasswordHasher()
    for hasher in (
        PasswordHasher(time_cost=ours.time_cost + 1),
        PasswordHasher(memory_cost=ours.memory_cost // 2),
        PasswordHasher(parallelism=1),
        PasswordHasher(hash_len=16),
        PasswordHasher(salt_len=8),
        PasswordHasher(type=argon2.Type.I),
    ):
        with pytest.raises(UnsuitableOldCode):
            old_codes.check_hash(hasher.hash("tilleul-1971"))
    for stored in ("", "tilleul-1971", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=8"):
        with pytest.raises(UnsuitableOldCode):
            old_codes.check_hash(stored)


_BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def test_only_hashes_that_argon2_computes_with_are_taken() -> None:
    """What it cannot read it refuses at once, which tells who has such a code."""
    old_codes = quick_old_codes()
    ours = old_codes.hash(_TYPED)
    head, salt, digest = ours.rsplit("$", 2)
    last = _BASE64[(_BASE64.index(digest[-1]) & ~0b11) + 1]  # two bits that no byte has
    for stored in (
        f"{head}${salt}${digest[:-1]}{last}",
        f"{head}${salt[:-1]}{_BASE64[(_BASE64.index(salt[-1]) & ~0b1111) + 1]}${digest}",
        ours.replace("m=8", "m=08"),
        ours.replace("t=1", "t=01"),
        ours.replace("p=1", "p=+1"),
        ours.replace("v=19", "v=019"),
        f"{ours}=",
        f"{head}${salt}==${digest}",
        f"{ours}\n",
        f"{head}${salt}${digest[:-1]}",
        f"{head}${salt}${digest}é",
        f"{ours}${digest}",
    ):
        with pytest.raises(UnsuitableOldCode):
            old_codes.check_hash(stored)
