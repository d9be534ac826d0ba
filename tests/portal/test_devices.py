"""The cookie of a known device: a few secrets, and whatever else a browser may send."""

import pytest

from sesame.portal.devices import read_devices, with_device

_A, _B, _C, _D, _E = (letter.encode() * 32 for letter in "ABCDE")


def test_a_cookie_holds_the_devices_of_four_people() -> None:
    """The oldest gives way to a fifth; one that comes again is the newest."""
    cookie = None
    for device in (_A, _B, _C, _D):
        cookie = with_device(read_devices(cookie), device)
    assert read_devices(cookie) == (_A, _B, _C, _D)
    assert read_devices(with_device(read_devices(cookie), _E)) == (_B, _C, _D, _E)
    assert read_devices(with_device(read_devices(cookie), _B)) == (_A, _C, _D, _B)


@pytest.mark.parametrize(
    "cookie",
    [
        None,
        "",
        "00",
        _A.hex().upper() + "F",
        _A.hex() + ".",
        "." + _A.hex(),
        _A.hex() + "." + _B.hex()[:-1],
        ".".join([_A.hex()] * 5),
        "é" * 64,
        _A.hex() + "\n",
    ],
)
def test_a_cookie_that_is_none_of_ours(cookie: str | None) -> None:
    """Counts as none."""
    assert read_devices(cookie) == ()
