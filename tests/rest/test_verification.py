"""`sesame.rest.verification`: what the running door cannot be asked to show."""

import hashlib
import logging
from collections.abc import Sequence

import httpx
import pytest
from starlette.applications import Starlette

from sesame.app import utc_now
from sesame.bank.bank import Bank
from sesame.custody.errors import CustodyError, KeyMissing, SealBroken
from sesame.errors import SesameError
from sesame.rest.routes import routes
from sesame.rest.verification import Question
from sesame.store.errors import StoreUnavailable

_KEY = "the key of the desk"
_USER_CODE = "VERA2345"
_CODE = "34567890"


class _NoStore:
    """A database that fails with one error."""

    def __init__(self, error: SesameError) -> None:
        self.error = error

    async def read_access(self, _user_code: str, _devices: object) -> None:
        raise self.error


def test_a_question_does_not_print_itself() -> None:
    """A trace or a log would show the code."""
    question = Question(_USER_CODE, _CODE)
    assert (repr(question), str(question)) == ("Question()", "Question()")


@pytest.mark.parametrize(
    "error", [StoreUnavailable("bank.db"), SealBroken("altered"), KeyMissing("dpa-01")]
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


async def _ask(bank: Bank, key_hashes: Sequence[str]) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=routes(bank, key_hashes)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as client:
        return await client.post(
            "/api/v1/verifications",
            json={"user_code": _USER_CODE, "code": _CODE},
            headers={"Authorization": f"Bearer {_KEY}"},
        )
