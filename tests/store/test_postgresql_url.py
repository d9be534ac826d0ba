"""`sesame.store.postgresql_url`: what a URL must say, and that no error shows it."""

import pytest

from sesame.store.engine import open_store
from sesame.store.errors import StoreError
from sesame.store.schema import make_ready, migrate

_SECRET = "s3cr3t-w0rd"
_ANY = "target_session_attrs=primary"
_ADA = f"postgresql+asyncpg://ada:{_SECRET}@"
_WRONG = {
    f"postgresql://ada@db/bank?password={_SECRET}": "none that is known",
    f"{_ADA}db:x/bank": "names as its server what is none",
    f"{_ADA}[xy]/bank": "names as its server what is none",
    f"{_ADA}/bank?host=db:{_SECRET}": "names as its server what is none",
    f"{_ADA}/bank?host=/run&port=abc": "names as its server what is none",
    f"postgresql+asyncpg://ada:s3c/{_SECRET}@db/bank": "has an @ where none belongs",
    f"postgresql+asyncpg://ada:5?{_SECRET}@db/bank": "has an @ where none belongs",
    f"postgresql+asyncpg://ada:5@{_SECRET}@db/bank": "has an @ where none belongs",
    f"postgresql+asyncpg://ada:s3c#{_SECRET}@db/bank": "holds a # or a blank",
    f"postgresql+asyncpg://ada:s3c {_SECRET}@db/bank": "holds a # or a blank",
    f"{_ADA}localhost/bank?{_SECRET}": "no name=value",
    f"{_ADA}localhost/bank?service={_SECRET}": "names a service",
    f"{_ADA}/bank?host={_SECRET}&host=": "says a name behind [?] twice",
    f"{_ADA}/bank?host=&ho%73t={_SECRET}": "says a name behind [?] twice",
    f"{_ADA}localhost/bank?{_SECRET}=1&{_SECRET}=1": "says a name behind [?] twice",
    f"{_ADA}db.example/bank": "how the connection is kept safe",
    f"{_ADA}192.0.2.1:5432/bank": "how the connection is kept safe",
    f"{_ADA}[2001:db8::1]:5432/bank": "how the connection is kept safe",
    f"{_ADA}/bank?host=/run,db&target_session_attrs=primary": "how the connection is kept safe",
    f"{_ADA}localhost/bank?sslmode=sideways": "how the connection is kept safe",
    f"{_ADA}localhost,127.0.0.1/bank": "does not ask for the server that writes",
    f"{_ADA}/bank?host=/a,/b&target_session_attrs=any": "does not ask for the server that writes",
    f"{_ADA}localhost/bank?target_session_attrs=standby": "ask for the server that writes",
}


@pytest.mark.parametrize("url", _WRONG)
def test_a_url_that_will_not_do(url: str) -> None:
    """Said before anything is connected to, by whoever comes first, and without any of it."""
    for opened in (open_store, migrate, make_ready):
        with pytest.raises(StoreError, match=_WRONG[url]) as refused:
            opened(url)
        assert _SECRET not in f"{refused.value!r} {refused.value.__cause__!r}"
        assert "s3c" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg:///bank",
        "postgresql+asyncpg://ada@/bank?host=/run/postgresql&port=5433",
        "postgresql+asyncpg://ada@localhost:5433/bank",
        "postgresql+asyncpg://ada@[::1]/bank",
        "postgresql+asyncpg://ada:p%40ss%2Fw%3Frd%23@127.0.0.2/bank?sslmode=disable",
        "postgresql+asyncpg://ada@db.example/bank?sslmode=verify-full",
        "postgresql+asyncpg://a@db1,db2/bank?sslmode=require&target_session_attrs=read-write",
        "postgresql+asyncpg://a@/bank?host=/a,/b&target_session_attrs=primary",
    ],
)
async def test_a_url_that_will_do(url: str) -> None:
    """On this machine nobody listens on the way; elsewhere it says how it is kept safe."""
    await open_store(url).close()


@pytest.mark.parametrize(
    ("variable", "value", "url", "why"),
    [
        ("PGHOST", "db.example", "/bank", "names no server, and PGHOST does"),
        ("PGHOST", "/a,/b", "/bank?user=ada", "names no server, and PGHOST does"),
        ("PGHOST", "db.example", "/bank?host=", "names no server, and PGHOST does"),
        ("PGSERVICE", "coopnet", "/bank", "names no server, and PGSERVICE does"),
        ("PGTARGETSESSIONATTRS", "standby", "localhost/bank", "ask for the server that writes"),
        (
            "PGTARGETSESSIONATTRS",
            "prefer-standby",
            "/bank?host=/a,/b",
            "ask for the server that writes",
        ),
        ("PGPORT", "6432", "localhost/bank", "names no port, and PGPORT does"),
        ("PGPORT", "6432", "ada@[::1]/bank", "names no port, and PGPORT does"),
        ("PGPORT", "6432", "/bank", "names no port, and PGPORT does"),
        ("PGPORT", "6432", "/bank?host=/run/postgresql", "names no port, and PGPORT does"),
        ("PGPORT", "6432", "/bank?host=localhost&port=", "names no port, and PGPORT does"),
        ("PGPORT", "6432", "localhost/bank?port=5433", "names no port, and PGPORT does"),
        ("PGPORT", "6432", f"localhost,[::1]:1/bank?{_ANY}", "names no port, and PGPORT does"),
        (
            "PGPORT",
            "6432,5432",
            f"/bank?host=localhost:1,/b&{_ANY}",
            "names no port, and PGPORT does",
        ),
        ("PGPORT", "6432", "/bank?host=/a:1", "names no port, and PGPORT does"),
    ],
)
def test_what_the_environment_would_say(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str, why: str
) -> None:
    """The driver would follow it past every look at the URL."""
    monkeypatch.setenv(variable, value)
    for opened in (open_store, migrate, make_ready):
        with pytest.raises(StoreError, match=why) as refused:
            opened(f"postgresql+asyncpg://{url}")
        assert value not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "value", "url"),
    [
        ("PGHOST", "db.example", "localhost/bank"),
        ("PGHOST", "db.example", "/bank?host=/run/postgresql"),
        ("PGHOST", "", "/bank"),
        ("PGSERVICE", "bank", "localhost/bank"),
        ("PGTARGETSESSIONATTRS", "read-write", "/bank?host=/a,/b"),
        ("PGTARGETSESSIONATTRS", "any", "localhost/bank?target_session_attrs=primary"),
        ("PGPORT", "6432", "localhost:5433/bank"),
        ("PGPORT", "6432", f"localhost:5433,[::1]:5433/bank?{_ANY}"),
        ("PGPORT", "6432", "/bank?host=localhost:5433"),
        ("PGPORT", "6432", f"/bank?host=/a,/b&port=5433&{_ANY}"),
        ("PGPORT", "6432", "/bank?port=5433"),
        ("PGPORT", "5432", "localhost/bank"),
        ("PGPORT", "", "/bank"),
    ],
)
async def test_what_the_environment_may_say(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, url: str
) -> None:
    """Where the URL says it itself, or it is what the URL would have to say."""
    monkeypatch.setenv(variable, value)
    await open_store(f"postgresql+asyncpg://{url}").close()
