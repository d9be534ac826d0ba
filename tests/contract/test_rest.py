"""The JSON door: one address, a bearer key, an outcome."""

import json
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as search
from hypothesis import strategies as st

from tests.contract.running import TLS, Browser, Demonstration, fresh_code

_PATH = "/api/v1/verifications"
_WRONG = "40000001"


@pytest.fixture
def door(demo: Demonstration) -> Iterator[httpx.Client]:
    """A program of the institution, with its key."""
    with _door(demo) as client:
        yield client


@pytest.fixture
def own_door(own_demo: Demonstration) -> Iterator[httpx.Client]:
    """The same, at a demonstration for one test alone."""
    with _door(own_demo) as client:
        yield client


def _door(demo: Demonstration) -> httpx.Client:
    headers = {"Authorization": f"Bearer {demo.api_key()}"}
    return httpx.Client(base_url=demo.portal, headers=headers, verify=TLS)


def _ask(door: httpx.Client, user_code: str, code: str) -> httpx.Response:
    return door.post(_PATH, json={"user_code": user_code, "code": code})


@pytest.mark.parametrize("kind", ["bank", "sesame"])
def test_accepted_once_then_refused(demo: Demonstration, door: httpx.Client, kind: str) -> None:
    """The outcome, and nothing else."""
    customer = demo.customers(kind)[0]
    code = fresh_code(customer)
    assert _ask(door, customer.user_code, code).json() == {"outcome": "accepted"}
    again = _ask(door, customer.user_code, code)
    assert (again.status_code, again.json()) == (200, {"outcome": "refused"})


def test_suspended_after_three(own_demo: Demonstration, own_door: httpx.Client) -> None:
    """Two doors, one row: what was refused at one counts at the other, and both are closed then."""
    customer = own_demo.customers("bank")[0]
    with Browser(own_demo.portal) as browser:
        for _ in range(2):
            assert _ask(own_door, customer.user_code, _WRONG).json() == {"outcome": "refused"}
        assert "Connexion refusée" in browser.submit(customer.user_code, _WRONG).text
        code = fresh_code(customer)
        assert _ask(own_door, customer.user_code, code).json() == {"outcome": "suspended"}
        assert "suspendu jusqu" in browser.submit(customer.user_code, fresh_code(customer)).text


def test_a_number_that_no_card_makes_is_refused_and_costs_nothing(
    own_demo: Demonstration, own_door: httpx.Client
) -> None:
    """Ten of them, and the right code still opens."""
    customer = own_demo.customers("sesame")[0]
    for _ in range(10):
        assert _ask(own_door, customer.user_code, "00000000").json() == {"outcome": "refused"}
    code = fresh_code(customer)
    assert _ask(own_door, customer.user_code, code).json() == {"outcome": "accepted"}


def test_two_codes_in_a_row_find_a_card_that_ran_ahead(
    own_demo: Demonstration, own_door: httpx.Client
) -> None:
    """The second one as `next_code`."""
    customer = own_demo.customers("sesame")[0]
    *_, first, second = [fresh_code(customer) for _ in range(40)]
    assert _ask(own_door, customer.user_code, first).json() == {"outcome": "refused"}
    body = {"user_code": customer.user_code, "code": first, "next_code": second}
    outcomes = [own_door.post(_PATH, json=body).json()["outcome"] for _ in range(2)]
    assert outcomes == ["accepted", "refused"]


@pytest.mark.parametrize("key", ["", "wrong", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_without_the_key_nothing_is_judged(
    demo: Demonstration, door: httpx.Client, key: str
) -> None:
    """401, which says how to bring one."""
    customer = demo.customers("bank")[0]
    code = fresh_code(customer)
    headers = {b"Authorization": f"Bearer {key}".strip().encode()}
    body = {"user_code": customer.user_code, "code": code}
    refused = httpx.post(demo.portal + _PATH, json=body, headers=headers, verify=TLS)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"
    assert _ask(door, customer.user_code, code).json() == {"outcome": "accepted"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'{"user_code": "CAMAR252"}', 400),
        (b'{"user_code": "CAMAR252", "code": 12345678}', 400),
        (b'{"user_code": "CAMAR252", "code": "40000000", "more": 1}', 400),
        (b'{"user_code": "CAMAR252", "code": "40000000", "next_code": 7}', 400),
        (b'{"user_code": "CAMAR252", "code": "1234"}', 422),
        (b'{"user_code": "CAMAR252", "code": "40000000", "next_code": "1234"}', 422),
        (b'{"user_code": "CAMAR252", "code": "40000000", "next_code": "40000000"}', 422),
        (b'{"user_code": "short", "code": "40000000"}', 422),
        (b" " * 2000, 413),
    ],
)
def test_a_problem_says_what_and_what_to_do(demo: Demonstration, body: bytes, status: int) -> None:
    """RFC 9457, never a trace, never what was sent."""
    headers = {"Authorization": f"Bearer {demo.api_key()}"}
    answer = httpx.post(demo.portal + _PATH, content=body, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"status", "title", "detail"}
    assert "40000000" not in answer.text


def test_only_post(door: httpx.Client) -> None:
    """405 names the method that works."""
    answer = door.get(_PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_any_bytes_are_a_problem_or_an_outcome(door: httpx.Client) -> None:
    """Garbage never breaks the door."""
    names = st.sampled_from(["user_code", "code", "x"])
    values = st.recursive(
        st.none() | st.booleans() | st.text(max_size=10),
        lambda inner: st.dictionaries(names, inner),
        max_leaves=4,
    )

    @search(max_examples=150)
    @given(st.binary(max_size=300) | values.map(lambda value: json.dumps(value).encode()))
    def send(body: bytes) -> None:
        assert door.post(_PATH, content=body).status_code in {200, 400, 422}

    send()
