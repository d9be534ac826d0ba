"""Runs in the peers' environment: makes privacyIDEA's tokens, and is its WSGI application."""

import os
import sys

from privacyidea.app import create_app
from privacyidea.lib.token import init_token

from bench.hotp import DIGITS, key


def application() -> object:
    """Make the application as its own WSGI script does."""
    return create_app("production", os.environ["PRIVACYIDEA_CONFIGFILE"], silent=True)


def make_tokens(count: int) -> None:
    """Enrol *count* HOTP tokens without a PIN."""
    app = create_app("production", os.environ["PRIVACYIDEA_CONFIGFILE"], silent=True)
    with app.app_context():
        for number in range(count):
            init_token(
                {
                    "type": "hotp",
                    "serial": f"BENCH{number:06d}",
                    "otpkey": key(number).hex(),
                    "otplen": DIGITS,
                    "hashlib": "sha1",
                }
            )


if __name__ == "__main__":
    make_tokens(int(sys.argv[1]))
