"""The connection to a PostgreSQL elsewhere: encrypted, to nobody but that server."""

import asyncio
import os
import pwd
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from sesame.store.engine import open_store
from sesame.store.errors import StoreUnavailable
from sesame.store.schema import migrate
from sesame.store.steps import Fate
from tests.places import Place
from tests.postgresql import Cluster, running_cluster
from tests.store.databases import USER_CODE, enrol, step

pytestmark = pytest.mark.needs("postgresql")

_ROLE = "sesame_owner"
_DAY = timedelta(days=1)


class Authority:
    """Whoever signs certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(name, self._key, ca=True)

    def issue(self, folder: Path, name: str, *addresses: str) -> tuple[Path, Path]:
        """A certificate of *name* at *addresses*, and its key, as files of *folder*."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate, secret = folder / f"{name}.crt", folder / f"{name}.key"
        certificate.write_bytes(self._sign(name, key, *addresses).public_bytes(Encoding.PEM))
        secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        secret.chmod(0o600)
        return certificate, secret

    def write(self, folder: Path) -> Path:
        """Its own certificate as a file of *folder*."""
        path = folder / f"{self._name.rfc4514_string()}.crt"
        path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        return path

    def _sign(
        self, name: str, key: ec.EllipticCurvePrivateKey, *addresses: str, ca: bool = False
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if addresses:
            names = [x509.IPAddress(IPv4Address(address)) for address in addresses]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A server that speaks TLS alone, asks for a certificate, and has two addresses."""

    cluster: Cluster
    named: str  # the address that its certificate names
    unnamed: str
    authority: Authority

    def url(self, folder: Path, *, at: str, mode: str, trust: Authority) -> str:
        """How a server's role reaches it, with files of *folder*."""
        certificate, key = self.authority.issue(folder, _ROLE)
        return (
            f"postgresql+asyncpg://{_ROLE}@{at}/bank?sslmode={mode}"
            f"&sslrootcert={trust.write(folder)}&sslcert={certificate}&sslkey={key}"
        )


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """That server. Its addresses are this machine's own, and nobody else's by chance."""
    chance = random.SystemRandom()
    named, unnamed = (
        f"127.{chance.randrange(1, 255)}.{chance.randrange(256)}.{at}" for at in (7, 8)
    )
    authority = Authority("bank")
    with running_cluster(f"listen_addresses = '{named},{unnamed}'") as cluster:
        files = [*authority.issue(cluster.data, "server", named), authority.write(cluster.data)]
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for file in files:
                os.chown(file, owner.pw_uid, owner.pw_gid)
        certificate, key, trusted = files
        cluster.psql(
            f"CREATE ROLE {_ROLE} LOGIN",
            f"CREATE DATABASE bank OWNER {_ROLE}",
            f"ALTER SYSTEM SET ssl_cert_file = '{certificate}'",
            f"ALTER SYSTEM SET ssl_key_file = '{key}'",
            f"ALTER SYSTEM SET ssl_ca_file = '{trusted}'",
            "ALTER SYSTEM SET ssl = on",
        )
        who = cluster.data / "pg_hba.conf"
        who.write_text("local all postgres trust\nhostssl bank all 127.0.0.0/8 cert\n")
        cluster.reload()
        yield Elsewhere(cluster, named, unnamed, authority)


def test_everything_goes_by_tls(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Migration, what a login runs, what else reads and writes."""
    url = elsewhere.url(tmp_path, at=elsewhere.named, mode="verify-full", trust=elsewhere.authority)
    migrate(url)
    place = Place(url)
    enrol(place)
    assert place.swap_group([step()]) == [Fate.WON]
    assert place.run(place.database.read(lambda connection: connection.closed)) is False
    ours = f"FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '{_ROLE}'"
    connections = elsewhere.cluster.psql(f"SELECT version {ours}").split()
    assert len(connections) == 3
    assert set(connections) == {"TLSv1.3"}
    place.close()


@pytest.mark.parametrize("stranger", ["authority", "address", "no certificate"])
async def test_nobody_else_is_spoken_to(
    elsewhere: Elsewhere, tmp_path: Path, stranger: str
) -> None:
    """Neither a server that others vouch for, nor one of another name; and it hears nothing."""
    trust = Authority("nobody") if stranger == "authority" else elsewhere.authority
    at = elsewhere.unnamed if stranger == "address" else elsewhere.named
    url = elsewhere.url(tmp_path, at=at, mode="verify-full", trust=trust)
    if stranger == "no certificate":
        url = url.partition("&sslcert=")[0]
    store = open_store(url)
    before = _sockets()
    for asked in (store.read_access(USER_CODE), store.read(lambda _: 1), store.write(lambda _: 1)):
        with pytest.raises(StoreUnavailable) as refused:
            await asked
        assert "certificate" in str(refused.value)
        assert str(tmp_path) not in f"{refused.value} {refused.value!r}"
        assert at not in f"{refused.value} {refused.value!r}"
    await store.close()
    # TLS says farewell first, in the background, and nothing tells of its end.
    while _sockets() > before:  # noqa: ASYNC110
        await asyncio.sleep(0)


def _sockets() -> set[str]:
    """The sockets that this process has open."""
    names = map(_target, Path("/proc/self/fd").iterdir())
    return {name for name in names if name.startswith("socket:")}


def _target(name: Path) -> str:
    """What a descriptor stands for; nothing of one that was closed meanwhile."""
    with suppress(FileNotFoundError):
        return str(name.readlink())
    return ""


async def test_nothing_is_said_in_clear(elsewhere: Elsewhere, tmp_path: Path) -> None:
    """Where the server cannot encrypt, `require` and more connect to nobody."""
    elsewhere.cluster.psql("ALTER SYSTEM SET ssl = off")
    elsewhere.cluster.reload()
    try:
        for mode in ("require", "verify-ca", "verify-full"):
            url = elsewhere.url(tmp_path, at=elsewhere.named, mode=mode, trust=elsewhere.authority)
            store = open_store(url)
            with pytest.raises(StoreUnavailable, match="rejected SSL") as refused:
                await store.read_access(USER_CODE)
            assert elsewhere.named not in str(refused.value)
            await store.close()
    finally:
        elsewhere.cluster.psql("ALTER SYSTEM SET ssl = on")
        elsewhere.cluster.reload()
