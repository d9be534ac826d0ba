"""Runs in the peers' environment: sets privacyIDEA up, and is its WSGI application."""

import os
import sys

from privacyidea.app import create_app
from privacyidea.lib.policies.actions import PolicyAction
from privacyidea.lib.policy import SCOPE, set_policy
from privacyidea.lib.token import init_token

from bench.hotp import DIGITS, key


def application() -> object:
    """Make the application as its own WSGI script does."""
    return create_app("production", os.environ["PRIVACYIDEA_CONFIGFILE"], silent=True)


def populate(count: int) -> None:
    """Enrol *count* HOTP tokens without a PIN; have acceptances answered without details."""
    app = create_app("production", os.environ["PRIVACYIDEA_CONFIGFILE"], silent=True)
    with app.app_context():
        set_policy("short_answers", scope=SCOPE.AUTHZ, action=PolicyAction.NODETAILSUCCESS)
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
    populate(int(sys.argv[1]))
