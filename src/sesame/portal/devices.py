"""The cookie by which a browser is known to those who signed in with it before.

It holds a secret for each customer, four at most: a family may share a browser. None says
whose it is; the bank knows its hash together with the user code (`sesame.bank.devices`).
"""

import re
from collections.abc import Sequence

from sesame.bank.devices import MOST_DEVICES, SECRET_LENGTH

_SECRET = rf"[0-9a-f]{{{2 * SECRET_LENGTH}}}"
_COOKIE = re.compile(rf"{_SECRET}(?:\.{_SECRET}){{0,{MOST_DEVICES - 1}}}")


def read_devices(cookie: str | None) -> tuple[bytes, ...]:
    """The secrets (32 bytes each) in *cookie*; none where it is missing or none of ours."""
    if cookie is None or not _COOKIE.fullmatch(cookie):
        return ()
    return tuple(bytes.fromhex(secret) for secret in cookie.split("."))


def with_device(devices: Sequence[bytes], secret: bytes) -> str:
    """The cookie that holds *devices* and one more; the oldest gives way to a fifth."""
    others = [device for device in devices if device != secret]
    return ".".join(device.hex() for device in [*others, secret][-MOST_DEVICES:])
