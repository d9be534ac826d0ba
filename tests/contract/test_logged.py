"""What a server writes down: all that was typed is looked for, and nothing of it is found."""

import asyncio
import hashlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest

from sesame.bank.bank import Bank
from sesame.bank.customers import CardKind, NewCard, NewCustomer, enrol
from sesame.bank.user_code import UserCode
from sesame.cap.profiles import BANK_CARD
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, KeyRef, KeyUsage
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.passphrase import Passphrase
from sesame.emv.keys import DesKey, card_key_b
from sesame.emv.pan import Pan, luhn_digit
from sesame.store.engine import open_store
from sesame.store.schema import migrate
from tests.bank.branch import Clock, quick_old_codes
from tests.contract.running import LOGIN, OLD_CODE, TWO_CODES, Browser, free_port, wait_for
from tests.contract.test_serve import _PASSPHRASE, bank_settings
from tests.custody.codes import make_code
from tests.postgresql import Cluster, running_cluster

pytestmark = pytest.mark.needs("postgresql")

_ROOT = Path(__file__).parent.parent.parent
_PAN = "497010123456789" + luhn_digit("497010123456789")
_USER_CODE = "VERA2345"
_API_KEY = "a bearer key that nobody else has"
_WRONG_KEY = "another-bearer-key"
_OLD_CODE = "tilleul-1971"
_URL_PASSWORD = "s3cr3t-of-the-url"
_HTTPS = {"X-Forwarded-Proto": "https", "Host": "bank.example", "X-Forwarded-For": "203.0.113.77"}


@dataclass
class Besieged:
    """A server in trouble: where it is, and how to make the codes of its one customer."""

    folder: Path
    port: int
    monitoring: int
    cluster: Cluster
    key: DesKey

    def code(self, atc: int) -> str:
        """The card's code of transaction *atc*."""
        return make_code(self.key, BANK_CARD, atc=atc).digits

    def browser(self) -> Browser:
        """A customer behind the proxy."""
        browser = Browser(f"http://127.0.0.1:{self.port}")
        browser.client.headers.update(_HTTPS)
        # Before the proxy it is https, so cookies that want it come back.
        browser.client.event_hooks = {"request": [partial(_bring_cookies, browser)]}
        return browser


def _bring_cookies(browser: Browser, request: httpx.Request) -> None:
    jar = browser.client.cookies.jar
    request.headers["Cookie"] = "; ".join(f"{cookie.name}={cookie.value}" for cookie in jar)


@pytest.fixture
def troubled(tmp_path: Path) -> Iterator[Besieged]:
    """On PostgreSQL, by a URL with a password in it."""
    with running_cluster() as cluster:
        name = cluster.new_database()
        url = cluster.url(name, user=f"postgres:{_URL_PASSWORD}")
        migrate(url)
        port = free_port()
        monitoring = port + 1
        bank_settings(
            tmp_path,
            port,
            database=f'"{url}"',
            api_keys=f'{{ desk = "{hashlib.sha256(_API_KEY.encode()).hexdigest()}" }}',
            monitoring=f"{{ port = {monitoring} }}",
            postgresql="{ connect_timeout = 1, statement_timeout = 1 }",
        )
        keystore = Keystore.open(tmp_path / "keys.json", Passphrase(_PASSPHRASE))
        issuer = DesKey(keystore.only(KeyUsage.ISSUER_AC).value)
        asyncio.run(_enrol(url, keystore))
        yield Besieged(tmp_path, port, monitoring, cluster, card_key_b(issuer, _PAN, "01"))


async def _enrol(url: str, keystore: Keystore) -> None:
    bank = Bank(
        store=open_store(url),
        custodian=KeystoreCustodian(keystore),
        now=Clock(),
        random_bytes=secrets.token_bytes,
        old_codes=quick_old_codes(),
    )
    label = next(key.label for key in keystore.keys if key.usage is KeyUsage.ISSUER_AC)
    record = CardRecord(pan=Pan(_PAN), psn="01", profile=BANK_CARD.name, key=KeyRef(label), dki=1)
    customer = NewCustomer(
        user_code=UserCode(_USER_CODE),
        name="Véra Tissot",
        language=Language.FRENCH,
        old_code=None,
        cards=[NewCard(kind=CardKind.BANK, record=record)],
    )
    await enrol(bank, customer)
    await bank.store.close()


def test_nothing_that_was_typed_is_written_down(troubled: Besieged) -> None:
    """Through every door, right and wrong, malformed, with faults of ours and without a database.

    Neither codes, user code, card number, cookies, keys, passphrases and passwords, nor where it
    came from; and everything is written down that an operator must know.
    """
    command = [sys.executable, "-m", "tests.contract.troubled", str(troubled.folder / "bank.toml")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=_ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        wait_for(f"http://127.0.0.1:{troubled.port}")
        assert _monitored(troubled, "/ready").status_code == 200
        used = _make_trouble(troubled)
        metrics = _monitored(troubled, "/metrics").text
        while (ready := _monitored(troubled, "/ready")).status_code == 200:
            time.sleep(0.1)  # a look serves for two seconds
        healthy = httpx.get(f"http://127.0.0.1:{troubled.port}/sante")
    finally:
        process.send_signal(signal.SIGTERM)
        written, _ = process.communicate(timeout=60)
    for secret in used:
        assert secret.lower() not in (written + metrics + ready.text).lower(), secret
    assert "Véra" not in written
    assert 'sesame_attempts_total{cause="used",door="portal",' in metrics
    assert (ready.status_code, healthy.status_code, healthy.text) == (503, 503, "")
    assert ready.json()["database"] == "StoreUnavailable"
    assert ready.json()["custody"] == "ok"
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    events = {line["event"] for line in lines}
    assert events >= {"serving", "stopping", "crashed", "attempt-unjudged", "library"}
    assert events >= {"ready", "not-ready", "page-unanswered", "http-malformed"}
    types = {error["type"] for line in lines for error in line.get("error", [])}
    assert types >= {"builtins.KeyError", "builtins.ValueError"}
    places = [place for line in lines for one in line.get("error", []) for place in one["places"]]
    assert any(place.startswith("sesame/bank/verification.py:") for place in places)
    assert {"uvicorn.error", "sqlalchemy.engine", "asyncpg.pool", "asyncio", "py.warnings"} <= {
        line["logger"] for line in lines if "logger" in line
    }
    # Text beside it: the same events, and places in lines of their own.
    assert re.search(r"^\S+Z error \[\S+-\d+\] crashed \(uvicorn\.error, ", written, re.MULTILINE)
    assert "Traceback" not in written


def _make_trouble(bank: Besieged) -> set[str]:
    """Type everything everywhere; what was typed, and what was given for it."""
    codes = [bank.code(atc) for atc in range(1, 9)]
    used = {*codes, _USER_CODE, _PAN, _API_KEY, _WRONG_KEY, _OLD_CODE, _URL_PASSWORD, _PASSPHRASE}
    used |= {"203.0.113.77", str(bank.folder / "passphrase")}
    with bank.browser() as browser:
        accepted = browser.submit(_USER_CODE, codes[0])
        assert accepted.status_code == 303
        used |= set(browser.client.cookies.values())
        assert len(browser.client.cookies) == 3  # browser, session, device
        _knock(bank, browser, codes)
        (bank.folder / "trouble").touch()
        assert browser.submit(_USER_CODE, codes[2]).status_code == 500
        assert _ask(bank, codes[3], _API_KEY).status_code == 500
        (bank.folder / "trouble").unlink()
        form = browser.form()
        bank.cluster.stop("immediate")
        assert browser.submit(_USER_CODE, codes[4], form).status_code == 503
        assert _ask(bank, codes[5], _API_KEY).status_code == 503
        assert browser.client.get("/espace").status_code == 503
    return used


def _knock(bank: Besieged, browser: Browser, codes: list[str]) -> None:
    """Everything that is refused, mistyped or malformed, with a secret in each place."""
    assert browser.submit(_USER_CODE, codes[0]).status_code == 422  # used
    browser.submit(_USER_CODE, "12")
    browser.submit(_PAN, codes[1])
    browser.submit(codes[1], _USER_CODE)
    browser.submit(_USER_CODE, codes[1], form={})
    browser.submit(_USER_CODE, codes[1], headers={"Origin": f"https://{_PAN}.example"})
    browser.submit_two(_USER_CODE, codes[6], codes[6])
    browser.submit_old(_USER_CODE, _OLD_CODE)
    for way in (LOGIN, TWO_CODES, OLD_CODE):
        browser.client.post(way, content=f"{_PAN}&{codes[1]}={_USER_CODE}".encode())
        browser.client.get(way, params={"retour": f"//{_PAN}", "code": codes[1]})
    browser.client.get(f"/{_PAN}/{_USER_CODE}")
    browser.client.request("PURGE", f"/acces/{codes[1]}")
    assert _ask(bank, codes[1], _WRONG_KEY).status_code == 401
    assert _ask(bank, "12", _API_KEY).status_code == 422
    for body in (f'{{"code": "{codes[1]}"', f'{{"{_PAN}": 1}}', f'"{codes[1]}"' * 500):
        httpx.post(_door(bank), content=body, headers=_HTTPS | _key(_API_KEY))
    with socket.create_connection(("127.0.0.1", bank.port)) as raw:
        raw.sendall(f"{_PAN} {codes[1]}\r\nCookie: {_USER_CODE}\r\n\r\n".encode())
        raw.recv(4096)


def _ask(bank: Besieged, code: str, key: str) -> httpx.Response:
    asked = {"user_code": _USER_CODE, "code": code}
    return httpx.post(_door(bank), json=asked, headers=_HTTPS | _key(key), timeout=60)


def _monitored(bank: Besieged, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{bank.monitoring}{path}", timeout=60)


def _door(bank: Besieged) -> str:
    return f"http://127.0.0.1:{bank.port}/api/v1/verifications"


def _key(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
