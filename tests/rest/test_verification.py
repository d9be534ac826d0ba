"""`sesame.rest.verification`: what the running door cannot be asked to show."""

import hashlib
import logging
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from sesame.app import utc_now
from sesame.bank.bank import Bank
from sesame.custody.errors import CustodyError, CustodyUnavailable, KeyMissing, SealBroken
from sesame.errors import SesameError
from sesame.rest.routes import routes
from sesame.rest.verification import Given, Question
from sesame.store.errors import StoreUnavailable
from tests.bank.branch import NOBODY, VERA, enrol_everybody, open_bank
from tests.portal.town import empty_database

_KEY = "the key of the desk"
_USER_CODE = "VERA2345"
_CODE = "34567890"


class _NoStore:
    """A database that fails with one error."""

    def __init__(self, error: SesameError) -> None:
        self.error = error

    async def read_access(self, _user_code: str, _devices: object) -> None:
        raise self.error

    async def read(self, _query: object) -> None:
        raise self.error


def test_a_question_does_not_print_itself() -> None:
    """A trace or a log would show the code."""
    question = Question(_USER_CODE, _CODE)
    assert (repr(question), str(question)) == ("Question()", "Question()")


@pytest.mark.parametrize(
    "error",
    [
        *(StoreUnavailable("bank.db"), SealBroken("altered"), KeyMissing("dpa-01")),
        CustodyUnavailable("gone"),
    ],
)
async def test_what_cannot_be_judged_is_a_problem(
    caplog: pytest.LogCaptureFixture, error: StoreUnavailable | CustodyError
) -> None:
    """503 with Retry-After; the log has the type of the error, once, and nothing else."""
    store: object = _NoStore(error)
    bank = Bank(
        store=store,  # type: ignore[arg-type] # it is asked for one thing
        custodian=None,  # type: ignore[arg-type] # it is not reached
        now=utc_now,
        random_bytes=bytes,
    )
    answer = await _ask(bank, [hashlib.sha256(_KEY.encode()).hexdigest()])
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "60"
    ours = [record for record in caplog.records if record.name == "sesame"]
    assert [record.levelno for record in ours] == [logging.ERROR]
    assert ours[0].getMessage() == f"a code could not be judged: {type(error).__name__}"
    assert ours[0].exc_info is None


@pytest.mark.parametrize(
    ("method", "key", "status"), [("GET", _KEY, 405), ("POST", "another", 401), ("POST", _KEY, 503)]
)
async def test_no_challenge_without_a_post_a_key_and_a_database(
    caplog: pytest.LogCaptureFixture, method: str, key: str, status: int
) -> None:
    """A problem each, as where codes are sent."""
    store: object = _NoStore(StoreUnavailable("bank.db"))
    bank = Bank(
        store=store,  # type: ignore[arg-type] # it is asked for one thing
        custodian=None,  # type: ignore[arg-type] # it is not reached
        now=utc_now,
        random_bytes=bytes,
    )
    hashed = hashlib.sha256(_KEY.encode()).hexdigest()
    transport = httpx.ASGITransport(Starlette(routes=routes(bank, [hashed])))
    async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as client:
        headers = {"Authorization": f"Bearer {key}"}
        answer = await client.request(method, "/api/v1/challenges", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    ours = [record.getMessage() for record in caplog.records if record.name == "sesame"]
    assert ours == ["no challenge could be made: StoreUnavailable"] * (status == 503)


def test_a_challenge_does_not_print_itself() -> None:
    """Nor what it is answered by."""
    assert repr(Given("token", "12345678", 600, first=False)) == "Given()"


# ── Whose address it is ──────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    """A real one, with Véra, Omar and Dora."""
    path = tmp_path / "bank.db"
    path.write_bytes(empty_database())
    bank = open_bank(path)
    await enrol_everybody(bank)
    yield bank
    await bank.store.close()


_numbers = count(2222)


async def _spray(bank: Bank, times: int, **more: str) -> list[object]:
    code = VERA.card.wrong_code(1).digits
    return [
        (await _ask(bank, _HASHES, user_code=f"NEMA{next(_numbers)}", code=code, **more)).json()
        for _ in range(times)
    ]


async def test_refusals_are_counted_by_the_customers_address(bank: Bank) -> None:
    """As the caller says; other customers of that caller are not asked for more."""
    assert await _spray(bank, 31, source="198.51.100.7") == [{"outcome": "refused"}] * 31
    asked = await _spray(bank, 1, source="198.51.100.7")
    assert asked == [{"outcome": "two-codes"}]
    code = VERA.card.code(1).digits
    for source in ("198.51.100.8", "2001:db8::1"):
        answer = await _ask(bank, _HASHES, code=code, source=source)
        assert answer.json()["outcome"] in {"accepted", "refused"}


async def test_a_household_is_one_source(bank: Bank) -> None:
    """An IPv6 address by its /64."""
    for number in range(31):
        await _spray(bank, 1, source=f"2001:db8:1:2::{number:x}")
    assert await _spray(bank, 1, source="2001:db8:1:2:ffff::") == [{"outcome": "two-codes"}]


async def test_a_caller_who_does_not_say_is_not_taken_for_one_customer(bank: Bank) -> None:
    """All its customers would pay for what one of them does."""
    assert await _spray(bank, 40) == [{"outcome": "refused"}] * 40


async def test_a_closed_source_is_told_when_it_opens(bank: Bank) -> None:
    """The same bytes for a customer and for nobody; the bank's clock stands at nine."""
    for _ in range(301):
        bank.sources.add("198.51.100.7", bank.limits.source, bank.now(), judged=True)
    code = VERA.card.code(1).digits
    real, unreal = [
        await _ask(bank, _HASHES, user_code=user_code, code=code, source="198.51.100.7")
        for user_code in (VERA.user_code, NOBODY)
    ]
    assert (real.status_code, real.headers["retry-after"]) == (429, "3600")
    assert real.json()["title"] == "Too many refusals"
    assert (real.content, real.headers) == (unreal.content, unreal.headers)


@pytest.mark.parametrize("source", ["", "bank.test", "198.51.100.7:80", "198.51.100.0/24", "é"])
async def test_a_source_that_is_no_address(bank: Bank, source: str) -> None:
    """422, and nothing was counted: the code is as good as before."""
    code = VERA.card.code(1).digits
    answer = await _ask(bank, _HASHES, code=code, source=source)
    assert (answer.status_code, answer.json()["title"]) == (422, "No address")
    assert (await _ask(bank, _HASHES, code=code)).json() == {"outcome": "accepted"}


_HASHES = [hashlib.sha256(_KEY.encode()).hexdigest()]


async def _ask(bank: Bank, key_hashes: Sequence[str], **said: str) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=routes(bank, key_hashes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as client:
        return await client.post(
            "/api/v1/verifications",
            json={"user_code": _USER_CODE, "code": _CODE, **said},
            headers={"Authorization": f"Bearer {_KEY}"},
        )
