"""privacyIDEA on the same PostgreSQL, with event-based tokens, tuned as its manual says.

From its page "Performance considerations" and its configuration file's: processes and
threads tried out (`peer.py`), log level ERROR, signatures of the audit log and of the
answers off, answers without details (`no_detail_on_success`), the configuration read again
every minute only, the connections of the audit kept in a pool, no users' store to look into.
The audit itself stays on. The tokens have no PIN, so that no password hash is computed. Its
server is gunicorn, and its workers beat in memory, as in its own container.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path

from bench.hotp import Tokens
from bench.peers.peer import TOKENS, Peer, post, program, python_path, set_up
from bench.postgres import Cluster

DATABASE = "privacyidea"
_LOG = "server.log"  # its own, and gunicorn's


def prepare(cluster: Cluster, folder: Path) -> Peer:
    """Make its keys, its tables and its tokens.

    Raises:
        RuntimeError: a step of it failed.
        FileNotFoundError: the peers' environment is not set up.
    """
    cluster.create(DATABASE)
    folder.mkdir()
    settings = folder / "pi.cfg"
    settings.write_text(_settings(cluster, folder))
    environment = {**python_path(), "PRIVACYIDEA_CONFIGFILE": str(settings)}
    for step in ("create_enckey", "create_audit_keys", "create_tables"):
        set_up([program("pi-manage"), "setup", step], environment, folder)
    populate = ["-m", "bench.peers.privacyidea_tokens", str(TOKENS)]
    set_up([program("python"), *populate], environment, folder)
    cluster.run(DATABASE, "VACUUM ANALYZE")
    return Peer(
        name="privacyIDEA",
        application="bench.peers.privacyidea_tokens:application()",
        environment=environment,
        log=folder / _LOG,
        tokens=Tokens(TOKENS, _request),
        yes=b'"authentication": "ACCEPT"',
    )


def _request(number: int, code: str) -> bytes:
    body = f"serial=BENCH{number:06d}&pass={code}".encode()
    return post("/validate/check", "application/x-www-form-urlencoded", body)


def _settings(cluster: Cluster, folder: Path) -> str:
    values: Mapping[str, object] = {
        "SUPERUSER_REALM": ["super"],
        "SQLALCHEMY_DATABASE_URI": cluster.url(DATABASE, "postgresql+psycopg2"),
        "SQLALCHEMY_ENGINE_OPTIONS": {"pool_size": 20, "max_overflow": 20},
        "SECRET_KEY": secrets.token_urlsafe(32),
        "PI_PEPPER": secrets.token_urlsafe(24),
        "PI_ENCFILE": str(folder / "enckey"),
        "PI_AUDIT_KEY_PRIVATE": str(folder / "private.pem"),
        "PI_AUDIT_KEY_PUBLIC": str(folder / "public.pem"),
        "PI_AUDIT_NO_SIGN": True,
        "PI_NO_RESPONSE_SIGN": True,
        "PI_ENGINE_REGISTRY_CLASS": "shared",
        "PI_CHECK_RELOAD_CONFIG": 60,
        "PI_LOGFILE": str(folder / _LOG),
        "PI_LOGLEVEL": 40,  # ERROR
        "PI_UUID_FILE": str(folder / "uuid.txt"),
    }
    return "".join(f"{name} = {value!r}\n" for name, value in values.items())
