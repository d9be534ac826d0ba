"""Forms come from our pages only, and answers lead to our pages only."""

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request

from sesame.web.errors import ForeignRequest
from sesame.web.guard import internal_path, require_same_origin

_HERE = "https://bank.test"


def _post(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request(
        {
            "type": "http",
            "method": "POST",
            "scheme": "https",
            "path": "/acces/sesame",
            "query_string": b"",
            "headers": raw,
        }
    )


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "https://bank.test"},
        {"origin": "https://bank.test", "sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
    ],
)
def test_our_own_forms_pass(headers: dict[str, str]) -> None:
    """None of the signs must be there; those that are must be right."""
    require_same_origin(_post(host="bank.test", **headers), _HERE)
    require_same_origin(_post(host="bank.test", **headers), None)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "http://bank.test"},  # another scheme is another origin
        {"origin": "https://bank.test:8443"},
        {"origin": "https://bank.test.evil.test"},
        {"origin": "null"},
        {"origin": ""},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},  # a neighbour under the same domain
        {"origin": "https://bank.test", "sec_fetch_site": "cross-site"},
    ],
)
@pytest.mark.parametrize("public_origin", [_HERE, None])
def test_forms_of_other_sites_do_not(headers: dict[str, str], public_origin: str | None) -> None:
    """With a configured origin, or with the one that the request names."""
    with pytest.raises(ForeignRequest):
        require_same_origin(_post(host="bank.test", **headers), public_origin)


def test_the_configured_origin_counts_not_the_host() -> None:
    """Whoever chooses Host does not choose who we are."""
    with pytest.raises(ForeignRequest):
        require_same_origin(_post(host="evil.test", origin="https://evil.test"), _HERE)


@pytest.mark.parametrize("path", ["/", "/espace", "/acces/sesame?retour=/espace", "/a?b=%0d%0a#c"])
def test_a_page_of_ours_is_kept(path: str) -> None:
    """With or without a query."""
    assert internal_path(path, "/home") == path


@pytest.mark.parametrize(
    "address",
    [
        "",
        "espace",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        "https://evil.test",
        "javascript:alert(1)",
        "\\\\evil.test",
        " /espace",
        "/espace\r\nSet-Cookie: a=b",
        "/esp\u00e9",
        "/" + "a" * 600,
    ],
)
def test_anything_else_becomes_the_default(address: str) -> None:
    """Other hosts, other schemes, line ends, and what browsers would read as one of them."""
    assert internal_path(address, "/home") == "/home"


@given(
    st.text(alphabet=st.sampled_from("/\\:.@#?% \t\r\nabc\u00e9\u2028"), max_size=12) | st.text()
)
@example("/\\/evil.test")
@example("/;@evil.test")
def test_no_address_leads_off_this_site(address: str) -> None:
    """What comes back is a path of this host, for every text there is."""
    path = internal_path(address, "/home")
    target = urlsplit(urljoin(_HERE + "/somewhere", path))
    assert (target.scheme, target.netloc) == ("https", "bank.test")
    assert path.isascii()
    assert path.isprintable()
    assert not path.startswith(("//", "/\\"))
