"""Settings: every one, its type, default and meaning; read once, at start.

docs/reference/settings.md lists them; a test compares.
"""

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from sesame.errors import SesameError

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SettingsError(SesameError):
    """The settings cannot be read, or contradict each other; the message says where."""


class InstitutionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[institution]`: what pages say of the bank. What is left out stays as in the default."""

    name: Annotated[str | None, msgspec.Meta(description="The bank's name.")] = None
    portal: Annotated[str | None, msgspec.Meta(description="The online bank's name.")] = None
    telephone: Annotated[
        str | None, msgspec.Meta(description="The help line, as people read it.")
    ] = None
    keys_to_press: Annotated[
        str | None, msgspec.Meta(description="What to press once it answers, in words.")
    ] = None
    hours: Annotated[str | None, msgspec.Meta(description="When it answers, in words.")] = None
    tariff: Annotated[str | None, msgspec.Meta(description="What a call costs.")] = None
    lost_cards: Annotated[
        str | None, msgspec.Meta(description="The number for lost cards, day and night.")
    ] = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's first level. Paths are relative to the folder that the file stands in."""

    database: Annotated[
        str, msgspec.Meta(description="`sqlite:///` and the path of the database file.")
    ]
    keystore: Annotated[
        str, msgspec.Meta(description="Path of the keystore that `sesame keys create` made.")
    ]
    keystore_passphrase_file: Annotated[
        str,
        msgspec.Meta(
            description="Path of a file, readable by its owner only, with its passphrase."
        ),
    ]
    public_url: Annotated[
        str,
        msgspec.Meta(description="Where customers reach the portal: scheme, host, port if any."),
    ]
    host: Annotated[str, msgspec.Meta(description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(description="The port to listen on.", ge=1, le=65535)] = 8000
    tls_certificate: Annotated[
        str | None, msgspec.Meta(description="Path of the certificate chain (PEM), for https.")
    ] = None
    tls_key: Annotated[
        str | None, msgspec.Meta(description="Path of the certificate's private key (PEM).")
    ] = None
    proxies: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Addresses of the proxies in front, which end https and whose "
            "`X-Forwarded-For` and `X-Forwarded-Proto` are believed."
        ),
    ] = ()
    api_keys: Annotated[
        dict[str, str],
        msgspec.Meta(
            description="Who may ask over JSON: a name, and the SHA-256 (hex) of their bearer key."
        ),
    ] = msgspec.field(default_factory=dict)
    largest_group: Annotated[
        int,
        msgspec.Meta(description="How many attempts one commit may carry.", ge=1, le=1024),
    ] = 64
    demonstration: Annotated[
        bool,
        msgspec.Meta(
            description="A demonstration on loopback: fictional bank, demonstration keys, ribbon."
        ),
    ] = False
    simulator_url: Annotated[
        str | None, msgspec.Meta(description="In a demonstration: where the simulator is.")
    ] = None
    institution: Annotated[
        InstitutionSettings, msgspec.Meta(description="What pages say of the bank.")
    ] = msgspec.field(default_factory=InstitutionSettings)

    @property
    def https(self) -> bool:
        """Whether customers reach the portal over https."""
        return self.public_url.startswith("https://")


def read_settings(path: Path) -> Settings:
    """Read *path* (TOML) and make sure that it can be obeyed.

    Raises:
        SettingsError: the file is missing or is no TOML, a setting is unknown or of
            another type, or the settings ask for something unsafe.
    """
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=Settings)
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path.name}: {error}") from None
    check(settings)
    folder = path.resolve().parent
    kind, separator, database = settings.database.partition("sqlite:///")
    if kind or not separator or not database:
        raise SettingsError("database: write sqlite:/// and the path of a file")
    return msgspec.structs.replace(
        settings,
        database=f"sqlite:///{folder / database}",
        keystore=str(folder / settings.keystore),
        keystore_passphrase_file=str(folder / settings.keystore_passphrase_file),
        tls_certificate=_beside(folder, settings.tls_certificate),
        tls_key=_beside(folder, settings.tls_key),
    )


def check(settings: Settings) -> None:
    """Refuse what would be unsafe to serve.

    Raises:
        SettingsError: says which setting, and what to write instead.
    """
    url = urlsplit(settings.public_url)
    if url.scheme not in {"http", "https"} or not url.hostname or url.path not in {"", "/"}:
        raise SettingsError("public_url: write scheme and host, https://bank.example for example")
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingsError("tls_certificate and tls_key: name both, or none")
    if settings.demonstration:
        if settings.host not in _LOOPBACK:
            raise SettingsError(
                f"host: a demonstration listens on loopback only, not on {settings.host}: "
                "write 127.0.0.1"
            )
        return
    if settings.simulator_url is not None:
        raise SettingsError(
            "simulator_url: there is no simulator in production, take the line out "
            "(or set demonstration = true)"
        )
    if not settings.https:
        raise SettingsError("public_url: in production customers come over https only")
    if settings.tls_certificate is None and not settings.proxies:
        raise SettingsError(
            "plain http behind no named proxy: name tls_certificate and tls_key, "
            "or in proxies the address of the proxy that ends https"
        )


def _beside(folder: Path, path: str | None) -> str | None:
    return None if path is None else str(folder / path)
