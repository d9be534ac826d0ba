"""Settings: every one, its type, default and meaning; read once, at start.

docs/reference/settings.md lists them; a test compares.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from sesame.errors import SesameError
from sesame.store.engine import database_path, is_postgresql
from sesame.store.errors import StoreError
from sesame.store.options import StoreOptions
from sesame.web.errors import MalformedHours
from sesame.web.opening import Closure, Holiday, OpeningHours, Span, parse_span

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9.])?")
_WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class SettingsError(SesameError):
    """The settings cannot be read, or contradict each other; the message says where."""


class ClosureSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[institution.closures]]`: days on which nobody answers, once for each closure."""

    first: Annotated[date, msgspec.Meta(description="The first day, `2026-12-24` for example.")]
    last: Annotated[
        date | None, msgspec.Meta(description="The last day, if there are several.")
    ] = None
    reason: Annotated[
        str, msgspec.Meta(description="Why, in a short French sentence that pages show.")
    ]
    reason_in_english: Annotated[
        str | None, msgspec.Meta(description="The same in English; without it pages show French.")
    ] = None


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
    hours: Annotated[
        dict[str, tuple[str, ...]] | None,
        msgspec.Meta(
            description="When it answers, on a clock in Paris: for each day from `monday` to "
            '`sunday` a list as `["08:00-12:00", "14:00-18:00"]`. A day that is left out is closed.'
        ),
    ] = None
    holidays: Annotated[
        tuple[str, ...] | None,
        msgspec.Meta(
            description="The public holidays on which nobody answers, out of "
            f"{', '.join(f'`{holiday}`' for holiday in Holiday)}. "
            "All of them if it is left out, none if it is empty."
        ),
    ] = None
    closures: Annotated[
        tuple[ClosureSettings, ...],
        msgspec.Meta(description="Exceptional closures, which pages announce two weeks ahead."),
    ] = ()
    tariff: Annotated[str | None, msgspec.Meta(description="What a call costs.")] = None
    lost_cards: Annotated[
        str | None, msgspec.Meta(description="The number for lost cards, day and night.")
    ] = None

    def opening_hours(self) -> OpeningHours:
        """When the help line answers.

        Raises:
            SettingsError: hours, holidays or closures are none; says which, and what to write.
        """
        default = OpeningHours()
        return OpeningHours(
            week=default.week if self.hours is None else _week(self.hours),
            holidays=default.holidays if self.holidays is None else _holidays(self.holidays),
            closures=tuple(map(_closure, range(len(self.closures)), self.closures)),
        )


class PostgresqlSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[postgresql]`: connections of one process, and how long each wait may last, in seconds."""

    pool_size: Annotated[
        int, msgspec.Meta(description="Connections of one process at most.", ge=8, le=100)
    ] = 10
    connect_timeout: Annotated[
        float, msgspec.Meta(description="For a connection, a free one or a new one.", gt=0, le=60)
    ] = 5.0
    statement_timeout: Annotated[
        float, msgspec.Meta(description="For one statement, its locks included.", gt=0, le=60)
    ] = 5.0
    lock_timeout: Annotated[
        float, msgspec.Meta(description="For a row that another program holds.", gt=0, le=60)
    ] = 2.0
    idle_timeout: Annotated[
        float, msgspec.Meta(description="Until an idle connection is closed.", ge=1, le=86400)
    ] = 300.0
    groups_of_one_bucket: Annotated[
        bool,
        msgspec.Meta(
            description="Whether one commit carries attempts of one bucket only, for a database "
            "that is spread over machines by bucket."
        ),
    ] = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's first level. Paths are relative to the folder that the file stands in."""

    database: Annotated[
        str,
        msgspec.Meta(
            description="`sqlite:///` and the path of the database file, or "
            "`postgresql+asyncpg://role@server/database`."
        ),
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
        dict[str, Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]],
        msgspec.Meta(
            description="Who may ask over JSON: a name, and the SHA-256 (hex) of their bearer key."
        ),
    ] = msgspec.field(default_factory=dict)
    largest_group: Annotated[
        int,
        msgspec.Meta(
            description="How many attempts one commit may carry. 1 is a commit for each, a "
            "fifth of `pool_size` of them at once; on SQLite one.",
            ge=1,
            le=1024,
        ),
    ] = 64
    postgresql: Annotated[
        PostgresqlSettings, msgspec.Meta(description="Connections to PostgreSQL, and their waits.")
    ] = msgspec.field(default_factory=PostgresqlSettings)
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

    def __repr__(self) -> str:
        """Without the values: a database's URL may hold a password."""
        return "Settings()"

    def store_options(self) -> StoreOptions:
        """How the store is to behave."""
        return StoreOptions(
            largest_group=self.largest_group, **msgspec.structs.asdict(self.postgresql)
        )

    @property
    def https(self) -> bool:
        """Whether customers reach the portal over https."""
        return self.public_origin.startswith("https://")

    @property
    def public_origin(self) -> str:
        """`public_url` as browsers write it in `Origin` (RFC 6454, 6.2).

        Raises:
            SettingsError: it is no address of a whole site.
        """
        try:
            url = urlsplit(self.public_url)
            host, port = _host(url.hostname or ""), url.port
        except ValueError:
            raise SettingsError(_NO_ORIGIN) from None
        beyond = url.username is not None or url.password is not None or url.query or url.fragment
        if url.scheme not in _DEFAULT_PORTS or url.path not in {"", "/"} or beyond:
            raise SettingsError(_NO_ORIGIN)
        shown = "" if port in {None, _DEFAULT_PORTS[url.scheme]} else f":{port}"
        return f"{url.scheme}://{host}{shown}"


_NO_ORIGIN = (
    "public_url: write scheme and host, and the port if it is another than usual, "
    "https://bank.example for example; a host with accents in its xn-- form"
)


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
        raise SettingsError(f"{path.name}: {error}{_remedy(str(error))}") from None
    check(settings)
    folder = path.resolve().parent
    settings = msgspec.structs.replace(
        settings,
        database=_database(folder, settings.database),
        keystore=str(folder / settings.keystore),
        keystore_passphrase_file=str(folder / settings.keystore_passphrase_file),
        tls_certificate=_beside(folder, settings.tls_certificate),
        tls_key=_beside(folder, settings.tls_key),
    )
    for name in ("tls_certificate", "tls_key"):
        named = getattr(settings, name)
        if named is not None and not Path(named).is_file():
            raise SettingsError(f"{name}: there is no file {named}: write the path of a PEM file")
    return settings


def check(settings: Settings) -> None:
    """Refuse what would be unsafe to serve.

    Raises:
        SettingsError: says which setting, and what to write instead.
    """
    https = settings.https
    settings.institution.opening_hours()
    for proxy in settings.proxies:
        _check_proxy(proxy)
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
    if not https:
        raise SettingsError("public_url: in production customers come over https only")
    if settings.tls_certificate is None and not settings.proxies:
        raise SettingsError(
            "plain http behind no named proxy: name tls_certificate and tls_key, "
            "or in proxies the address of the proxy that ends https"
        )


def _remedy(said: str) -> str:
    """What to write instead, where the parser's words leave that open."""
    if "`date`" in said or said.startswith("Invalid date"):
        return ": write a day that exists, as 2026-12-24 and without quotation marks"
    if "$.institution.hours" in said:
        return ': under [institution.hours] write monday = ["08:00-18:00"], with quotation marks'
    return ""


def _week(hours: Mapping[str, tuple[str, ...]]) -> tuple[tuple[Span, ...], ...]:
    for day in hours:
        if day not in _WEEK:
            raise SettingsError(
                f"institution.hours: {day!r} is no day: write one of {', '.join(_WEEK)}"
            )
    week = []
    for day in _WEEK:
        spans: list[Span] = []
        for text in hours.get(day, ()):
            try:
                spans.append(parse_span(text))
            except MalformedHours as error:
                raise SettingsError(f"institution.hours.{day}: {text!r}: {error}") from None
        try:
            OpeningHours(week=((),) * 6 + (tuple(spans),))
        except MalformedHours as error:
            raise SettingsError(f"institution.hours.{day}: {error}") from None
        week.append(tuple(spans))
    return tuple(week)


def _holidays(names: tuple[str, ...]) -> frozenset[Holiday]:
    try:
        return frozenset(map(Holiday, names))
    except ValueError as error:
        raise SettingsError(
            f"institution.holidays: {error}: write names out of {', '.join(Holiday)}"
        ) from None


def _closure(place: int, closure: ClosureSettings) -> Closure:
    where = f"institution.closures, number {place + 1}"
    if not closure.reason.strip():
        raise SettingsError(f"{where}: say the reason in a short sentence, pages show it")
    try:
        return Closure(
            first=closure.first,
            last=closure.last or closure.first,
            reason=closure.reason,
            reason_in_english=closure.reason_in_english,
        )
    except MalformedHours as error:
        raise SettingsError(f"{where}: {error}: exchange first and last") from None


def _check_proxy(proxy: str) -> None:
    """Refuse what would let everybody say where they come from, and over what."""
    try:
        network = ipaddress.ip_network(proxy)
    except ValueError:
        raise SettingsError(
            f"proxies: {proxy!r} is neither an address nor a network: "
            "write 192.0.2.1 or 192.0.2.0/24 for example"
        ) from None
    if network.prefixlen == 0:
        raise SettingsError(
            f"proxies: {proxy} is everybody: name the addresses of your own proxies"
        )


def _host(name: str) -> str:
    """A host as browsers write it; ValueError where it is none."""
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    if not _HOST_NAME.fullmatch(name):
        raise ValueError
    return name


def _database(folder: Path, url: str) -> str:
    """The URL of the database; a file's path is relative to the settings' folder."""
    if is_postgresql(url):
        return url
    try:
        return f"sqlite:///{folder / database_path(url)}"
    except StoreError as error:
        raise SettingsError(f"database: {error}") from None


def _beside(folder: Path, path: str | None) -> str | None:
    return None if path is None else str(folder / path)
