"""Settings: every one, its type, default and meaning; read once, at start.

docs/reference/settings.md lists them; a test compares.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from sesame.bank.errors import UnsuitableGaps
from sesame.bank.post_days import Gaps
from sesame.bank.retention import Rules
from sesame.card.errors import PersonalisationError
from sesame.card.numbering import SESAME_PREFIX, check_prefix
from sesame.errors import SesameError
from sesame.logs import Style
from sesame.mail.server import Encryption
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


class RetentionSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[retention]`: how long the audit trail is kept, for `sesame audit prune`."""

    lines_days: Annotated[
        int,
        msgspec.Meta(
            description="Lines, and the files of the stream, in days: thirteen months at least, "
            "for so long a payment can be disputed, and three years at most.",
            ge=397,
            le=1096,
        ),
    ] = 397
    personal_days: Annotated[
        int,
        msgspec.Meta(
            description="The addresses that lines commit to, with their salts, in days.",
            ge=30,
            le=397,
        ),
    ] = 60

    def rules(self) -> Rules:
        """As the pruner takes them."""
        return Rules(timedelta(days=self.lines_days), timedelta(days=self.personal_days))


class MonitoringSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[monitoring]`: where `/metrics`, `/live` and `/ready` are. What they tell is for staff."""

    host: Annotated[
        str, msgspec.Meta(description="The address to listen on; never one that customers reach.")
    ] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(description="The port.", ge=1, le=65535)] = 9464


class DeskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[desk]`: `/guichet`, the pages for staff, which `sesame serve --desk` opens."""

    public_url: Annotated[
        str, msgspec.Meta(description="Where staff reach it: scheme, host, port if any.")
    ]
    host: Annotated[
        str,
        msgspec.Meta(
            description="The address to listen on; none that customers reach, where that can be."
        ),
    ] = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(description="The port to listen on.", ge=1, le=65535)] = 8002
    database: Annotated[
        str | None,
        msgspec.Meta(
            description="The same database under the desk's own role, "
            "`postgresql+asyncpg://sesame_desk@server/database`; without it, as the portal's."
        ),
    ] = None
    card_key: Annotated[
        str, msgspec.Meta(description="Label of the issuer key that cards of staff are made under.")
    ] = "dpa-01"
    card_dki: Annotated[
        int, msgspec.Meta(description="Its index (DKI), as in those cards.", ge=0, le=255)
    ] = 1
    monitoring: Annotated[
        MonitoringSettings | None,
        msgspec.Meta(
            description="Where the desk's process tells metrics and health; another port than the "
            "portal's. Nowhere without it."
        ),
    ] = None

    def __repr__(self) -> str:
        """Without the values: a database's URL may hold a password."""
        return "DeskSettings()"

    @property
    def https(self) -> bool:
        """Whether staff reach it over https."""
        return self.public_origin.startswith("https://")

    @property
    def public_origin(self) -> str:
        """`public_url` as browsers write it in `Origin`.

        Raises:
            SettingsError: it is no address of a whole site.
        """
        return _origin(self.public_url, "desk.public_url")


class IssuingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[issuing]`: the Sésame cards that the bank has made."""

    card_prefix: Annotated[
        str,
        msgspec.Meta(
            description="What their numbers begin with: 4 to 9 digits, 9 first and a country "
            "(ISO 3166-1) behind it. Of payment cards none begins so."
        ),
    ] = SESAME_PREFIX
    card_years: Annotated[
        int, msgspec.Meta(description="For how many years a card is good.", ge=1, le=10)
    ] = 4
    pin_after: Annotated[
        int,
        msgspec.Meta(
            description="Working days from the posting of the card to its PIN letter, at least.",
            ge=2,
            le=60,
        ),
    ] = 2
    reader_after: Annotated[
        int,
        msgspec.Meta(
            description="The same to the parcel with the reader; another number of days than the "
            "others.",
            ge=1,
            le=60,
        ),
    ] = 4
    welcome_after: Annotated[
        int,
        msgspec.Meta(
            description="The same to the letter with the user code; likewise.", ge=1, le=60
        ),
    ] = 6

    def gaps(self) -> Gaps:
        """The days between dispatches.

        Raises:
            UnsuitableGaps: two dispatches would be posted on one day.
        """
        return Gaps(pin=self.pin_after, reader=self.reader_after, welcome=self.welcome_after)


class MailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[mail]`: the mail server by which the desk's process tells customers of changes."""

    host: Annotated[
        str, msgspec.Meta(description="Its name, as its certificate has it.", min_length=1)
    ]
    port: Annotated[
        int, msgspec.Meta(description="Its port; 587 is usual for `starttls`.", ge=1, le=65535)
    ] = 465
    encryption: Annotated[
        Encryption,
        msgspec.Meta(
            description="`tls` from the first byte, or `starttls`, without which no e-mail leaves; "
            "`none` in a demonstration only."
        ),
    ] = Encryption.TLS
    sender: Annotated[
        str,
        msgspec.Meta(
            description="The address that e-mails come from.",
            pattern=r"\A[A-Za-z0-9._+-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,188}[a-z0-9])?\Z",
        ),
    ]
    user: Annotated[
        str | None, msgspec.Meta(description="The name to log in by; without it nobody does.")
    ] = None
    password_file: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of a file, readable by its owner only, with that name's password."
        ),
    ] = None
    authority: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of the certificates (PEM) to trust in place of the system's."
        ),
    ] = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's first level. Paths are relative to the folder that the file stands in."""

    database: Annotated[
        str,
        msgspec.Meta(
            description="`sqlite:///` and the path of the database file, or "
            "`postgresql+asyncpg://role@server/database`."
        ),
    ]
    custody: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of the socket of a custody process, which has the keys "
            "(`sesame custody serve`). The other way: `keystore`."
        ),
    ] = None
    keystore: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of the keystore that `sesame keys create` made: its keys are then "
            "in this process."
        ),
    ] = None
    keystore_passphrase_file: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of a file, readable by its owner only, with its passphrase."
        ),
    ] = None
    heartbeat: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of a file that the server advances together with the database, on "
            "another disk or at least outside its backups: an older database that was put back is "
            "noticed by it. Without it only `sesame database backup`'s own copies are."
        ),
    ] = None
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
    source_limits: Annotated[
        bool,
        msgspec.Meta(
            description="Whether refusals are limited by source address, for unknown devices. "
            "`false` where all customers seem to come from one address."
        ),
    ] = True
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
    retention: Annotated[
        RetentionSettings, msgspec.Meta(description="How long the audit trail is kept.")
    ] = msgspec.field(default_factory=RetentionSettings)
    log: Annotated[
        Style,
        msgspec.Meta(description="How a server logs on standard error, one event a line."),
    ] = Style.TEXT
    monitoring: Annotated[
        MonitoringSettings | None,
        msgspec.Meta(
            description="Where to tell metrics and health, by plain http; nowhere without it."
        ),
    ] = None
    desk: Annotated[
        DeskSettings | None,
        msgspec.Meta(description="The pages for staff; nowhere without it."),
    ] = None
    issuing: Annotated[
        IssuingSettings, msgspec.Meta(description="The Sésame cards that the bank has made.")
    ] = msgspec.field(default_factory=IssuingSettings)
    mail: Annotated[
        MailSettings | None,
        msgspec.Meta(
            description="Where e-mails to customers leave; without it they are told by letter."
        ),
    ] = None
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
        return _origin(self.public_url, "public_url")


def _origin(address: str, name: str) -> str:
    """*address*, which the setting *name* has, as an origin.

    Raises:
        SettingsError: it is no address of a whole site.
    """
    try:
        url = urlsplit(address)
        host, port = _host(url.hostname or ""), url.port
    except ValueError:
        raise SettingsError(f"{name}: {_NO_ORIGIN}") from None
    beyond = url.username is not None or url.password is not None or url.query or url.fragment
    if url.scheme not in _DEFAULT_PORTS or url.path not in {"", "/"} or beyond:
        raise SettingsError(f"{name}: {_NO_ORIGIN}")
    shown = "" if port in {None, _DEFAULT_PORTS[url.scheme]} else f":{port}"
    return f"{url.scheme}://{host}{shown}"


_NO_ORIGIN = (
    "write scheme and host, and the port if it is another than usual, "
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
        custody=_beside(folder, settings.custody),
        keystore=_beside(folder, settings.keystore),
        keystore_passphrase_file=_beside(folder, settings.keystore_passphrase_file),
        tls_certificate=_beside(folder, settings.tls_certificate),
        tls_key=_beside(folder, settings.tls_key),
        heartbeat=_beside(folder, settings.heartbeat),
        desk=_desk(folder, settings.desk),
        mail=_mail(folder, settings.mail),
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
    _check_keys(settings)
    for proxy in settings.proxies:
        _check_proxy(proxy)
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise SettingsError("tls_certificate and tls_key: name both, or none")
    _check_desk(settings)
    _check_issuing(settings)
    _check_mail(settings)
    if settings.demonstration:
        hosts = [("host", settings.host)]
        if settings.desk is not None:
            hosts.append(("desk.host", settings.desk.host))
        for name, host in hosts:
            if host not in _LOOPBACK:
                raise SettingsError(
                    f"{name}: a demonstration listens on loopback only, not on {host}: "
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


def _check_desk(settings: Settings) -> None:
    """Refuse a desk that other people's eyes could follow, or one that is the portal."""
    desk = settings.desk
    if desk is None:
        return
    if not desk.https and not settings.demonstration:
        raise SettingsError("desk.public_url: in production staff come over https only")
    if desk.public_origin == settings.public_origin:
        raise SettingsError(
            "desk.public_url: it is the portal's: the desk has a host or a port of its own"
        )
    told, own = settings.monitoring, desk.monitoring
    if told is not None and own is not None and told.port == own.port:
        raise SettingsError(
            "desk.monitoring.port: it is the portal's: the desk's metrics have a port of their own"
        )


def _check_mail(settings: Settings) -> None:
    """Refuse to send what is told in confidence, or a password, where others could read it."""
    mail = settings.mail
    if mail is None:
        return
    if mail.encryption is Encryption.NONE and not settings.demonstration:
        raise SettingsError(
            "mail.encryption: in production e-mails leave over an encrypted connection only: "
            "write tls or starttls"
        )
    if (mail.user is None) != (mail.password_file is None):
        raise SettingsError("mail.user and mail.password_file: name both, or none")
    if mail.user is not None and mail.encryption is Encryption.NONE:
        raise SettingsError(
            "mail.user: no password is sent over a connection that is not encrypted"
        )


def _check_issuing(settings: Settings) -> None:
    """Refuse numbers of other issuers' cards, and two dispatches on one day."""
    try:
        check_prefix(settings.issuing.card_prefix)
    except PersonalisationError as error:
        raise SettingsError(f"issuing.card_prefix: {error}") from None
    try:
        settings.issuing.gaps()
    except UnsuitableGaps as error:
        raise SettingsError(f"issuing: {error}") from None


def _check_keys(settings: Settings) -> None:
    """Refuse keys in two homes, and in none."""
    embedded = (settings.keystore, settings.keystore_passphrase_file)
    if settings.custody is not None and embedded != (None, None):
        raise SettingsError(
            "custody and keystore: the keys are in one place. Take keystore and "
            "keystore_passphrase_file out, or custody"
        )
    if settings.custody is None and None in embedded:
        raise SettingsError(
            "keystore and keystore_passphrase_file: name both, or the socket of a process that "
            "has the keys: custody"
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


def _desk(folder: Path, desk: DeskSettings | None) -> DeskSettings | None:
    """The desk's settings; its database's file is relative to the settings' folder too."""
    if desk is None or desk.database is None:
        return desk
    return msgspec.structs.replace(desk, database=_database(folder, desk.database))


def _mail(folder: Path, mail: MailSettings | None) -> MailSettings | None:
    """The mail server's settings; its files are relative to the settings' folder too."""
    if mail is None:
        return None
    return msgspec.structs.replace(
        mail,
        password_file=_beside(folder, mail.password_file),
        authority=_beside(folder, mail.authority),
    )


def _beside(folder: Path, path: str | None) -> str | None:
    return None if path is None else str(folder / path)
