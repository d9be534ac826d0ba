"""django-otp on the same PostgreSQL: an HOTP device a user, and one log row in its transaction.

A project of the least that does it: no middleware, no session, no page, connections kept.
"""

from pathlib import Path

from bench.hotp import Tokens
from bench.peers.peer import TOKENS, Peer, post, program, python_path, set_up
from bench.postgres import Cluster

DATABASE = "django_otp"
ACCEPTED = b'{"outcome":"accepted"}'


def prepare(cluster: Cluster, folder: Path) -> Peer:
    """Make its tables, users and devices.

    Raises:
        RuntimeError: a step of it failed.
        FileNotFoundError: the peers' environment is not set up.
    """
    cluster.create(DATABASE)
    folder.mkdir()
    environment = {
        **python_path(),
        "DJANGO_SETTINGS_MODULE": "bench.peers.django_site.settings",
        "BENCH_DATABASE": DATABASE,
        "BENCH_DATABASE_PORT": str(cluster.port),
    }
    make_tokens = ["-m", "bench.peers.django_site.populate", str(TOKENS)]
    set_up([program("python"), *make_tokens], environment, folder)
    cluster.run(DATABASE, "VACUUM ANALYZE")
    return Peer(
        name="django-otp",
        application="bench.peers.django_site.wsgi:application",
        environment=environment,
        log=folder / "server.log",
        tokens=Tokens(TOKENS, _request),
        yes=ACCEPTED,
    )


def _request(number: int, code: str) -> bytes:
    body = b'{"user_code":"u%06d","code":"%b"}' % (number, code.encode())
    return post("/verifications", "application/json", body)
