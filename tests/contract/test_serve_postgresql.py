"""`sesame serve` on PostgreSQL: several processes, a role of its own, a database that goes away."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sesame.store.roles import WEB_ROLE
from tests.contract.running import TLS, free_port, server, sesame
from tests.contract.test_serve import bank_settings
from tests.postgresql import Cluster, running_cluster

pytestmark = pytest.mark.needs("postgresql")

_OWNER = "sesame_owner"
_KEY = "a bearer key that nobody else has"
_HEADERS = {
    "Authorization": f"Bearer {_KEY}",
    "X-Forwarded-Proto": "https",
    "Host": "bank.example",
    "Cookie": f"__Host-sesame_session=13{'A' * 43}",
}


@pytest.fixture
def fragile() -> Iterator[Cluster]:
    """A server for this file alone, with the roles that the manual asks for."""
    with running_cluster() as cluster:
        cluster.psql(
            f"CREATE ROLE {_OWNER} LOGIN",
            f"CREATE ROLE {WEB_ROLE} LOGIN",
            f"CREATE DATABASE sesame OWNER {_OWNER}",
        )
        yield cluster


def test_a_bank_on_postgresql(tmp_path: Path, fragile: Cluster) -> None:
    """Refused before it has tables; then it serves, says when it cannot, and goes on by itself."""
    port = free_port()
    settings = bank_settings(
        tmp_path,
        port,
        database=f'"{fragile.url("sesame", user=WEB_ROLE)}"',
        api_keys=f'{{ test = "{hashlib.sha256(_KEY.encode()).hexdigest()}" }}',
        postgresql="{ connect_timeout = 2, statement_timeout = 2 }",
    )
    refused = sesame("serve", "--settings", str(settings))
    assert refused.returncode == 1
    assert "sesame database migrate" in refused.stderr
    migrated = sesame("database", "migrate", fragile.url("sesame", user=_OWNER))
    assert (migrated.returncode, migrated.stderr) == (0, "")
    with server(settings, port, workers=2):
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=_HEADERS, verify=TLS, timeout=60
        )

        def asked() -> tuple[int, str]:
            attempt = {"user_code": "NEMO3333", "code": "40000001"}
            return _said(client.post("/api/v1/verifications", json=attempt))

        assert asked() == (200, '{"outcome":"refused"}')
        fragile.stop("immediate")
        status, said = asked()
        assert status == 503
        page = client.get("/espace")
        assert page.status_code == 503
        assert "Service momentanément indisponible" in page.text
        fragile.start()
        # Two processes, of which each finds out by itself; no attempt was counted meanwhile.
        outcomes = [asked() for _ in range(3)]
        client.close()
    assert outcomes[:2] == [(200, '{"outcome":"refused"}')] * 2
    assert outcomes[2] == (200, '{"outcome":"suspended"}')
    lines = fragile.psql("SELECT count(*) FROM stranger_lines", database="sesame")
    assert int(lines) >= 3
    assert _KEY not in said


def _said(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.text


def test_a_password_is_no_argument() -> None:
    """Everybody on the machine reads command lines."""
    for url in (
        "postgresql+asyncpg://ada:s3cr3t@db/bank",
        "postgresql+asyncpg://db/bank?user=ada&password=s3cr3t",
        "postgresql+asyncpg://ada:s3c/s3cr3t@db/bank",
        "postgresql+asyncpg://ada:s3c?s3cr3t@db/bank",
        "postgresql+asyncpg://ada@db/bank?sslpassword=s3cr3t",
    ):
        refused = sesame("database", "migrate", url)
        assert refused.returncode == 1
        assert "PGPASSFILE" in refused.stderr
        assert "s3cr3t" not in refused.stderr


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    """One sentence, before anything listens."""
    url = f"postgresql+asyncpg://ada@/bank?host={tmp_path}"
    for refused in (
        sesame("database", "migrate", url),
        sesame(
            "serve",
            "--settings",
            str(bank_settings(tmp_path, free_port(), database=f'"{url}"')),
        ),
    ):
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "La base de données ne répond pas, ou refuse (" in refused.stderr
        assert "Traceback" not in refused.stderr
