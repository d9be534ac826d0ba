"""The pages as scripts use them: statuses, one wording, what costs a try and what does not."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.contract.running import (
    PATIENCE,
    Browser,
    Customer,
    Demonstration,
    fresh_code,
    make_code,
)

_WRONG = "40000000"  # a number that cards can make; one in a hundred thousand fits by chance


@pytest.fixture
def browser(demo: Demonstration) -> Iterator[Browser]:
    """A browser of its own."""
    with Browser(demo.portal) as fresh:
        yield fresh


def _ready(demo: Demonstration, kind: str) -> Customer:
    return demo.customers(kind)[0]


@pytest.mark.parametrize("kind", ["bank", "sesame"])
@pytest.mark.parametrize("spelling", ["{0}{1}", "{0} {1}", "{0}\u202f{1}\r\n", " {0}-{1}\n"])
def test_a_fresh_code_opens_coopnet_in_every_spelling(
    demo: Demonstration, browser: Browser, kind: str, spelling: str
) -> None:
    """303 to /espace, which then shows the customer's space."""
    customer = _ready(demo, kind)
    four, other_four = fresh_code(customer).split(" ")
    answer = browser.submit(customer.user_code.lower(), spelling.format(four, other_four))
    assert (answer.status_code, answer.headers["location"]) == (303, "/espace")
    space = browser.client.get("/espace")
    assert space.status_code == 200
    assert "espace Coop@net" in space.text


def test_the_same_code_is_refused_the_second_time(demo: Demonstration, browser: Browser) -> None:
    """In another browser and in the same one."""
    customer = _ready(demo, "bank")
    code = fresh_code(customer)
    assert browser.submit(customer.user_code, code).status_code == 303
    assert browser.submit(customer.user_code, code).status_code == 422
    with Browser(demo.portal) as other:
        assert other.submit(customer.user_code, code).status_code == 422
    assert browser.submit(customer.user_code, fresh_code(customer)).status_code == 303


def test_refusals_look_alike(demo: Demonstration, browser: Browser) -> None:
    """Wrong, used, overtaken, unknown user code: the same bytes but for what was typed."""
    customer = _ready(demo, "sesame")
    older, code = fresh_code(customer), fresh_code(customer)
    assert browser.submit(customer.user_code, code).status_code == 303
    pages = [
        _public(browser.submit(*typed))
        for typed in (
            (customer.user_code, _WRONG),
            (customer.user_code, code),
            (customer.user_code, older),
            ("ZZZZ9999", _WRONG),
        )
    ]
    assert pages[0][0] == 422
    assert len(set(pages)) == 1
    browser.submit(customer.user_code, fresh_code(customer))


def _public(answer: httpx.Response) -> tuple[int, str, tuple[tuple[str, str], ...]]:
    """An answer without what is chance (the form's fields) or typed (the user code)."""
    text = re.sub(r'value="[0-9A-Za-z]*"', "", answer.text)
    headers = tuple((k, v) for k, v in answer.headers.items() if k != "date")
    return answer.status_code, text, headers


def test_what_is_mistyped_costs_no_try(own_demo: Demonstration) -> None:
    """422 in words of its own, as often as one likes; then the right code opens."""
    customer = _ready(own_demo, "bank")
    code = fresh_code(customer)
    with Browser(own_demo.portal) as browser:
        wordings = set()
        for _ in range(3):
            for typed in ("1234567", "123456789", "abcdefgh", "", "00000000", "99999999"):
                answer = browser.submit(customer.user_code, typed)
                assert answer.status_code == 422
                wordings.add("Connexion refusée" in answer.text)
            assert browser.submit("ABC", code).status_code == 422
        assert wordings == {False}
        assert browser.submit(customer.user_code, code).status_code == 303


@pytest.mark.parametrize("known", [True, False])
def test_three_failures_in_a_row_suspend(own_demo: Demonstration, known: bool) -> None:  # noqa: FBT001
    """The fourth is not judged, be the code right or not: 429, alike for a code of nobody."""
    customer = _ready(own_demo, "sesame")
    user_code = customer.user_code if known else "ZZZZ8888"
    with Browser(own_demo.portal) as browser:
        statuses = [browser.submit(user_code, _WRONG).status_code for _ in range(3)]
        assert statuses == [422] * 3
        suspended = browser.submit(user_code, fresh_code(customer))
        assert suspended.status_code == 429
        assert "suspendu jusqu" in suspended.text
    assert (customer.user_code in {c.user_code for c in own_demo.customers()}) is not known


def test_failures_and_a_right_code_begin_the_count_anew(own_demo: Demonstration) -> None:
    """Typing errors within the limit cost nothing: three for a new browser, then five."""
    customer = _ready(own_demo, "bank")
    with Browser(own_demo.portal) as browser:
        for errors in (2, 1, 4):
            for _ in range(errors):
                assert browser.submit(customer.user_code, _WRONG).status_code == 422
            assert browser.submit(customer.user_code, fresh_code(customer)).status_code == 303


def test_a_vandal_delays_the_owner_and_does_not_keep_them_out(own_demo: Demonstration) -> None:
    """On a browser that has signed in before, at every moment; elsewhere after a while."""
    customer = _ready(own_demo, "sesame")
    with (
        Browser(own_demo.portal) as owner,
        Browser(own_demo.portal) as vandal,
        Browser(own_demo.portal) as elsewhere,
    ):
        assert owner.submit(customer.user_code, fresh_code(customer)).status_code == 303
        for _ in range(6):
            assert vandal.submit(customer.user_code, _WRONG).status_code in {422, 429}
            assert owner.submit(customer.user_code, fresh_code(customer)).status_code == 303
        waits = elsewhere.submit(customer.user_code, fresh_code(customer))
        assert waits.status_code == 429
        assert 0 < int(waits.headers["retry-after"]) <= 900


@pytest.mark.parametrize(("kind", "ahead"), [("sesame", 40), ("bank", 300)])
def test_a_card_that_ran_ahead_gets_in_with_two_codes(
    own_demo: Demonstration, kind: str, ahead: int
) -> None:
    """Refused with one code, in with two; with the same pair again: refused."""
    customer = _ready(own_demo, kind)
    *_, first, second = [fresh_code(customer) for _ in range(ahead)]
    with Browser(own_demo.portal) as browser:
        assert browser.submit(customer.user_code, first).status_code == 422
        assert browser.submit_two(customer.user_code, first, second).status_code == 303
        assert browser.client.get("/espace").status_code == 200
        assert browser.submit_two(customer.user_code, first, second).status_code == 422
        assert browser.submit(customer.user_code, fresh_code(customer)).status_code == 303


def test_the_old_code_until_the_first_code_sesame(own_demo: Demonstration) -> None:
    """It opens the space; afterwards it is refused in the same bytes as any wrong one."""
    customer = _ready(own_demo, "bank")
    with Browser(own_demo.portal) as browser:
        answer = browser.submit_old(customer.user_code, customer.old_code)
        assert (answer.status_code, answer.headers["location"]) == (303, "/espace")
        assert browser.submit(customer.user_code, fresh_code(customer)).status_code == 303
        retired = browser.submit_old(customer.user_code, customer.old_code)
        wrong = browser.submit_old(customer.user_code, "wrong")
        assert _public(retired) == _public(wrong)
        assert retired.status_code == 422


def test_codes_thrown_away_cost_nothing(own_demo: Demonstration) -> None:
    """Thirty codes made and not used, then one that is: within the Sésame card's window."""
    customer = _ready(own_demo, "sesame")
    code = [fresh_code(customer) for _ in range(31)][-1]
    with Browser(own_demo.portal) as browser:
        assert browser.submit(customer.user_code, code).status_code == 303


def test_the_same_form_twice_is_one_attempt(demo: Demonstration, browser: Browser) -> None:
    """An impatient second click gets the answer of the first, and the session works."""
    customer = _ready(demo, "bank")
    code, form = fresh_code(customer), browser.form()
    first = browser.submit(customer.user_code, code, form)
    second = browser.submit(customer.user_code, code, form)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.headers["set-cookie"] == second.headers["set-cookie"]
    assert browser.client.get("/espace").status_code == 200


def test_a_wrong_code_clicked_twice_is_one_try(own_demo: Demonstration) -> None:
    """Two forms, each sent twice: the right code still comes within the tries."""
    customer = _ready(own_demo, "bank")
    with Browser(own_demo.portal) as browser:
        for _ in range(2):
            form = browser.form()
            for _ in range(2):
                assert browser.submit(customer.user_code, _WRONG, form).status_code == 422
        assert browser.submit(customer.user_code, fresh_code(customer)).status_code == 303


def test_a_form_of_another_browser_is_not_taken(demo: Demonstration, browser: Browser) -> None:
    """No cookie, another's form, no form at all: 403, and nothing was judged."""
    customer = _ready(demo, "sesame")
    code = fresh_code(customer)
    form = browser.form()
    with Browser(demo.portal) as other:
        assert other.submit(customer.user_code, code, form).status_code == 403
        other.form()
        assert other.submit(customer.user_code, code, form).status_code == 403
        assert other.submit(customer.user_code, code, {}).status_code == 403
    assert browser.submit(customer.user_code, code, form).status_code == 303


@pytest.mark.parametrize(
    ("origin", "status"),
    [(None, 303), ("own", 303), ("http://evil.example", 403), ("null", 403)],
)
def test_an_origin_must_match_where_it_is_present(
    demo: Demonstration, browser: Browser, origin: str | None, status: int
) -> None:
    """Browsers send it, scripts need not."""
    customer = _ready(demo, "bank")
    headers = {} if origin is None else {"Origin": demo.portal if origin == "own" else origin}
    answer = browser.submit(customer.user_code, fresh_code(customer), headers=headers)
    assert answer.status_code == status


def test_on_loopback_http_cookies_are_plain(demo: Demonstration, browser: Browser) -> None:
    """No Secure, no __Host-; but HttpOnly and SameSite."""
    customer = _ready(demo, "bank")
    first = browser.client.get("/acces/sesame").headers["set-cookie"]
    opened = browser.submit(customer.user_code, fresh_code(customer)).headers["set-cookie"]
    for cookie in (first, opened):
        assert "Secure" not in cookie
        assert "__Host-" not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite" in cookie


def test_signing_out_ends_the_session(demo: Demonstration, browser: Browser) -> None:
    """The cookie, kept and sent again, opens nothing."""
    customer = _ready(demo, "bank")
    browser.submit(customer.user_code, fresh_code(customer))
    token = browser.client.cookies["sesame_session"]
    form = dict(
        re.findall(
            r'<input type="hidden" name="([^"]+)" value="([^"]*)"',
            browser.client.get("/espace").text,
        )
    )
    assert browser.client.post("/deconnexion", data=form).status_code == 303
    with Browser(demo.portal) as other:
        other.client.cookies.set("sesame_session", token)
        assert other.client.get("/espace").status_code == 303


def test_nothing_secret_is_in_the_output(own_demo: Demonstration) -> None:
    """After logins, refusals and garbage the terminal has seen no code, PIN or card number."""
    customer = _ready(own_demo, "bank")
    code = fresh_code(customer)
    with Browser(own_demo.portal) as browser:
        browser.submit(customer.user_code, code)
        browser.submit(customer.user_code, _WRONG)
        browser.client.post("/acces/sesame", content=b"\xff" * 100)
        browser.client.get("/acces/sesame?code=1234")
    make_code(customer.card, "0000")
    own_demo.process.terminate()
    said, _ = own_demo.process.communicate(timeout=PATIENCE)
    said = own_demo.output + said
    for secret in (code, code.replace(" ", ""), _WRONG, customer.pin, "0000", customer.old_code):
        assert secret not in re.sub(r"127\.0\.0\.1(:\d+)?", "", said)  # a port is by chance
