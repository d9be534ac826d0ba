"""`sesame serve`: the portal alone, as a bank would run it, and what it refuses to run."""

import hashlib
import json
import re
import secrets
import socket
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
import pytest

from sesame.bank.restored import Seen
from sesame.custody.keystore import Keystore
from sesame.custody.passphrase import Passphrase
from sesame.store.cards import insert_cards
from sesame.store.schema import migrate
from tests.contract.running import TLS, free_port, server, sesame
from tests.places import Place
from tests.store.databases import card

_PASSPHRASE = "quatre mots tirés au sort"


def bank_settings(folder: Path, port: int, *, demo_keys: bool = False, **changed: str) -> Path:
    """Settings and a keystore of a bank behind a proxy on this machine."""
    secret = folder / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(_PASSPHRASE + "\n")
    Keystore.create(
        folder / "keys.json",
        Passphrase(_PASSPHRASE),
        demo=demo_keys,
        now=datetime.now(UTC),
        random=secrets.token_bytes,
    )
    lines = {
        "database": '"sqlite:///bank.db"',
        "keystore": '"keys.json"',
        "keystore_passphrase_file": '"passphrase"',
        "public_url": '"https://bank.example"',
        "port": str(port),
        "proxies": '["127.0.0.1"]',
        **changed,
    }
    path = folder / "bank.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
    return path


def test_production_behind_a_proxy(tmp_path: Path) -> None:
    """Cookies are Secure and __Host-, HSTS is sent, nothing says demonstration."""
    port = free_port()
    with server(bank_settings(tmp_path, port), port):
        headers = {"Host": "bank.example", "X-Forwarded-Proto": "https"}
        page = httpx.get(f"http://127.0.0.1:{port}/acces/sesame", headers=headers, verify=TLS)
    assert page.status_code == 200
    assert re.match(r"__Host-sesame_browser=.*; Secure", page.headers["set-cookie"])
    assert page.headers["strict-transport-security"].startswith("max-age=")
    assert "Démonstration" not in page.text
    assert "server" not in page.headers


def test_what_a_bank_is_not_safe_from_is_logged_once(tmp_path: Path) -> None:
    """Not by each process; this server ends by a port that is taken, right before it serves."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        watched = f"{{ port = {taken.getsockname()[1]} }}"
        settings = bank_settings(tmp_path, port, log='"json"', monitoring=watched)
        ended = sesame("serve", "--settings", str(settings), "--workers", "2")
    events = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    warned = [event["event"] for event in events if event["level"] == "warning"]
    assert warned == ["on-sqlite", "no-heartbeat"]


def test_a_restore_that_is_noticed_at_start_is_an_event_of_the_log(tmp_path: Path) -> None:
    """Once, before any worker is there; this server ends as that one."""
    port, beat = free_port(), tmp_path / "beat"
    beat.write_bytes(msgspec.json.encode(Seen(b"another's name!!", 1, at=0)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        watched = f"{{ port = {taken.getsockname()[1]} }}"
        settings = bank_settings(
            tmp_path, port, log='"json"', monitoring=watched, heartbeat=f'"{beat}"'
        )
        ended = sesame("serve", "--settings", str(settings))
    events = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    warned = [event["event"] for event in events if event["level"] == "warning"]
    assert warned == ["restored", "on-sqlite"]


def test_the_source_is_what_the_named_proxies_saw(tmp_path: Path) -> None:
    """The last address that is no named proxy’s, whatever was written before it."""
    seen = {
        "203.0.113.1": "203.0.113.1",
        "6.6.6.6, 203.0.113.2": "203.0.113.2",
        "6.6.6.6, 203.0.113.3, 198.51.100.4": "203.0.113.3",
        "203.0.113.4, ::ffff:198.51.100.4": "203.0.113.4",
        "198.51.100.4, 203.0.113.5, 198.51.100.7, 198.51.100.4": "203.0.113.5",
        "2001:db8:1:2:3::9, 198.51.100.4": "2001:db8:1:2::/64",
        "[2001:db8:1:3::9]:4711": "2001:db8:1:3::/64",
        "203.0.113.6:4711": "203.0.113.6",
        "6.6.6.6, nonsense": "",
        "": "127.0.0.1",
    }
    port = free_port()
    key = "the key of the desk"
    settings = bank_settings(
        tmp_path,
        port,
        proxies='["127.0.0.1", "198.51.100.0/24"]',
        api_keys=f'{{ desk = "{hashlib.sha256(key.encode()).hexdigest()}" }}',
    )
    with server(settings, port):
        for number, forwarded in enumerate(seen):
            headers = {"Authorization": f"Bearer {key}", "X-Forwarded-Proto": "https"}
            if forwarded:
                headers["X-Forwarded-For"] = forwarded
            answer = httpx.post(
                f"http://127.0.0.1:{port}/api/v1/verifications",
                headers=headers,
                json={"user_code": f"NEMA222{number}", "code": "40000001"},
                verify=TLS,
            )
            assert answer.json() == {"outcome": "refused"}
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        found = connection.execute("SELECT address FROM stranger_personal ORDER BY user_code")
        assert [address for (address,) in found] == list(seen.values())
    connection.close()


def test_an_origin_other_than_the_public_one_is_refused(tmp_path: Path) -> None:
    """In production the settings say what customers see, not the request."""
    port = free_port()
    with server(bank_settings(tmp_path, port), port):
        address = f"http://127.0.0.1:{port}"
        forwarded = {"X-Forwarded-Proto": "https"}
        with httpx.Client(base_url=address, headers=forwarded, verify=TLS) as client:
            foreign = client.post("/acces/sesame", headers={"Origin": address}, data={})
    assert foreign.status_code == 403
    assert "Ce formulaire ne peut pas être envoyé" in foreign.text


@pytest.mark.parametrize(
    ("proxy", "headers"),
    [
        ("127.0.0.1", {}),
        ("127.0.0.1", {"X-Forwarded-Proto": "http"}),
        ("192.0.2.1", {"X-Forwarded-Proto": "https"}),
    ],
)
def test_what_did_not_come_over_https_is_turned_away(
    tmp_path: Path, proxy: str, headers: dict[str, str]
) -> None:
    """403 before any handler; only a named proxy may say that it was https."""
    port = free_port()
    with server(bank_settings(tmp_path, port, proxies=f'["{proxy}"]'), port):
        for path in ("/acces/sesame", "/api/v1/verifications"):
            refused = httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, verify=TLS)
            assert refused.status_code == 403
            assert "qu’en https" in refused.text
            assert "set-cookie" not in refused.headers


def test_the_keystore_of_another_database_is_refused(tmp_path: Path) -> None:
    """Exit 1 and one sentence before anything listens."""
    settings = bank_settings(tmp_path, free_port())
    migrate(f"sqlite:///{tmp_path}/bank.db")
    place = Place(f"sqlite:///{tmp_path}/bank.db")
    place.write(lambda c: insert_cards(c, [((5, "ADA22222"), card(1))], 99))
    place.close()
    refused = sesame("serve", "--settings", str(settings))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "n’est pas celui avec lequel cette base a été faite" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("demo_keys", "changed", "said"),
    [
        (True, {}, "celles d’une démonstration"),
        (False, {"proxies": "[]"}, "named proxy"),
        (False, {"public_url": '"http://bank.example"'}, "https"),
        (False, {"simulator_url": '"http://127.0.0.1:1"'}, "simulator"),
        (False, {"keystore": '"elsewhere.json"'}, "elsewhere.json"),
        (False, {"keystore_passphrase_file": '"nowhere"'}, "nowhere"),
    ],
)
def test_what_production_refuses(
    tmp_path: Path,
    demo_keys: bool,  # noqa: FBT001 -- the case
    changed: dict[str, str],
    said: str,
) -> None:
    """Exit 1 and one sentence before anything listens."""
    settings = bank_settings(tmp_path, free_port(), demo_keys=demo_keys, **changed)
    refused = sesame("serve", "--settings", str(settings))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert _PASSPHRASE not in refused.stderr


def test_a_wrong_passphrase_is_said_and_not_shown(tmp_path: Path) -> None:
    """In the reader's language, without the passphrase."""
    settings = bank_settings(tmp_path, free_port())
    (tmp_path / "passphrase").write_text("une tout autre phrase\n")
    refused = sesame("serve", "--settings", str(settings))
    assert refused.returncode == 1
    assert "phrase de passe" in refused.stderr
    assert "une tout autre" not in refused.stderr


def test_a_passphrase_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Before it is used."""
    settings = bank_settings(tmp_path, free_port())
    (tmp_path / "passphrase").chmod(0o644)
    refused = sesame("serve", "--settings", str(settings))
    assert refused.returncode == 1
    assert "chmod 600" in refused.stderr


def test_a_busy_port_is_a_sentence(tmp_path: Path) -> None:
    """Which names the port."""
    port = free_port()
    settings = bank_settings(tmp_path, port)
    with server(settings, port):
        refused = sesame("serve", "--settings", str(settings))
    assert refused.returncode == 1
    assert str(port) in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_later_schema_is_left_alone(tmp_path: Path) -> None:
    """A database of a later version of the program is not touched."""
    port = free_port()
    settings = bank_settings(tmp_path, port)
    with server(settings, port):
        pass
    connection = sqlite3.connect(tmp_path / "bank.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    refused = sesame("serve", "--settings", str(settings))
    assert refused.returncode == 1
    assert "Une version plus récente de Sésame a fait cette base" in refused.stderr
