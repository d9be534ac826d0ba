"""Settings: what is read, what is refused, and that each refusal says what to write."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from sesame.app import of_desk
from sesame.bank.post_days import Gaps
from sesame.mail.server import Encryption
from sesame.settings import MonitoringSettings, Settings, SettingsError, read_settings
from sesame.store.options import StoreOptions
from sesame.web.opening import Closure, Holiday, OpeningHours, Span

_NEEDED = {
    "database": '"sqlite:///bank.db"',
    "keystore": '"keys.json"',
    "keystore_passphrase_file": '"secret/passphrase"',
    "public_url": '"https://bank.example"',
}
_BEHIND_A_PROXY = {**_NEEDED, "proxies": '["192.0.2.1"]'}


def _read(folder: Path, **lines: str) -> Settings:
    path = folder / "bank.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
    return read_settings(path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """From wherever the program is started."""
    settings = _read(tmp_path, **_BEHIND_A_PROXY)
    assert settings.database == f"sqlite:///{tmp_path}/bank.db"
    assert settings.keystore == f"{tmp_path}/keys.json"
    assert settings.keystore_passphrase_file == f"{tmp_path}/secret/passphrase"


def test_the_keys_are_here_or_in_a_process_of_their_own(tmp_path: Path) -> None:
    """One way whole, and not the other."""
    ways = ("keystore", "keystore_passphrase_file")
    rest = {name: line for name, line in _BEHIND_A_PROXY.items() if name not in ways}
    settings = _read(tmp_path, **rest, custody='"run/custody.sock"')
    assert settings.custody == f"{tmp_path}/run/custody.sock"
    assert settings.keystore is None
    for name in ways:
        one = {name: _BEHIND_A_PROXY[name]}
        with pytest.raises(SettingsError, match="name both, or the socket"):
            _read(tmp_path, **rest, **one)
        with pytest.raises(SettingsError, match="the keys are in one place"):
            _read(tmp_path, **rest, **one, custody='"custody.sock"')
    with pytest.raises(SettingsError, match="name both, or the socket"):
        _read(tmp_path, **rest)


def test_an_absolute_path_stays(tmp_path: Path) -> None:
    """`sqlite:////srv/bank.db` has four strokes."""
    settings = _read(tmp_path, **{**_BEHIND_A_PROXY, "database": '"sqlite:////srv/bank.db"'})
    assert settings.database == "sqlite:////srv/bank.db"


def test_production_behind_a_named_proxy(tmp_path: Path) -> None:
    """The proxy ends https; customers see https."""
    settings = _read(tmp_path, **_BEHIND_A_PROXY)
    assert settings.https
    assert not settings.demonstration


def test_production_with_its_own_certificate(tmp_path: Path) -> None:
    """No proxy needed."""
    own = {**_NEEDED, "tls_certificate": '"chain.pem"', "tls_key": '"key.pem"'}
    (tmp_path / "chain.pem").touch()
    with pytest.raises(SettingsError, match=r"tls_key: there is no file .*key\.pem"):
        _read(tmp_path, **own)
    (tmp_path / "key.pem").touch()
    assert _read(tmp_path, **own).tls_certificate == f"{tmp_path}/chain.pem"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"public_url": '"http://bank.example"'}, "https only"),
        ({"proxies": "[]"}, "plain http behind no named proxy"),
        ({"simulator_url": '"http://127.0.0.1:8001"'}, "no simulator in production"),
        ({"tls_certificate": '"chain.pem"'}, "name both, or none"),
        ({"public_url": '"bank.example"'}, "scheme and host"),
        ({"public_url": '"https://bank.example/portal"'}, "scheme and host"),
        ({"public_url": '"https://"'}, "scheme and host"),
        ({"public_url": '"https://desk@bank.example"'}, "scheme and host"),
        ({"public_url": '"https://desk:word@bank.example"'}, "scheme and host"),
        ({"public_url": '"https://bank.example?from=1"'}, "scheme and host"),
        ({"public_url": '"https://bank.example#top"'}, "scheme and host"),
        ({"public_url": '"https://bank.example:port"'}, "scheme and host"),
        ({"public_url": '"https://bank.example:65536"'}, "scheme and host"),
        ({"public_url": '"https://[bank"'}, "scheme and host"),
        ({"public_url": '"https://[::g]"'}, "scheme and host"),
        ({"public_url": '"https://my bank.example"'}, "scheme and host"),
        ({"public_url": '"https://banqué.example"'}, "xn--"),
        ({"public_url": '"ftp://bank.example"'}, "scheme and host"),
        ({"proxies": '["*"]'}, "neither an address nor a network"),
        ({"proxies": '["192.0.2.1", "0.0.0.0/0"]'}, "everybody"),
        ({"proxies": '["::/0"]'}, "everybody"),
        ({"proxies": '["192.0.2.1/24"]'}, "neither an address nor a network"),
        ({"proxies": '["proxy.example"]'}, "neither an address nor a network"),
        ({"proxies": '[""]'}, "neither an address nor a network"),
        ({"api_keys": '{ desk = "the key itself" }'}, "api_keys"),
        ({"api_keys": f'{{ desk = "{"A" * 64}" }}'}, "api_keys"),
        ({"api_keys": f'{{ desk = "{"a" * 64}\\n" }}'}, "api_keys"),
        ({"api_keys": f'{{ desk = "{"a" * 65}" }}'}, "api_keys"),
        ({"database": '"postgresql://host/bank"'}, "sqlite:///"),
        ({"database": '"sqlite:///"'}, "sqlite:///"),
        ({"custody": '"custody.sock"'}, "the keys are in one place"),
        ({"port": "0"}, "port"),
        ({"port": '"8000"'}, "port"),
        ({"prot": "8000"}, "prot"),
        ({"largest_group": "0"}, "largest_group"),
        ({"institution": '{ nmae = "x" }'}, "nmae"),
        ({"institution": "{ hours = { mondey = [] } }"}, "'mondey' is no day: write one of monday"),
        (
            {"institution": '{ hours = { monday = ["8-18"] } }'},
            r"monday: '8-18': write hours as 08:",
        ),
        (
            {"institution": '{ hours = { friday = ["18:00-08:00"] } }'},
            "friday: .* under the next day",
        ),
        (
            {"institution": '{ hours = { friday = ["08:00-12:00", "11:00-18:00"] } }'},
            r"institution\.hours\.friday: two spans .* one after the other",
        ),
        ({"institution": '{ hours = "from 8 to 6" }'}, r"write monday = \[.08:00-18:00.\]"),
        ({"institution": "{ hours = { monday = [08:00:00] } }"}, "with quotation marks"),
        (
            {"institution": '{ holidays = ["epiphany"] }'},
            "'epiphany' is .* out of new-year, easter",
        ),
        (
            {"institution": '{ closures = [{ first = 2026-12-24, reason = " " }] }'},
            "say the reason",
        ),
        ({"institution": "{ closures = [{ first = 2026-12-24 }] }"}, "`reason`"),
        ({"institution": '{ closures = [{ first = "24.12.2026", reason = "x" }] }'}, "2026-12-24"),
        ({"institution": '{ closures = [{ first = 2026-02-30, reason = "x" }] }'}, "that exists"),
        (
            {
                "institution": "{ closures = [{ first = 2026-01-02, reason = 'x' }, "
                "{ first = 2026-12-26, last = 2026-12-24, reason = 'x' }] }"
            },
            "number 2: it ends on 2026-12-24, before it begins on 2026-12-26: exchange first and",
        ),
        ({"demonstration": "true", "host": '"0.0.0.0"'}, "loopback only"),
    ],
)
def test_what_is_unsafe_or_unknown_is_refused(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    """The message names the setting, and what to write instead."""
    with pytest.raises(SettingsError, match=said):
        _read(tmp_path, **{**_BEHIND_A_PROXY, **changed})


@pytest.mark.parametrize("proxy", ["192.0.2.1", "192.0.2.0/24", "2001:db8::1", "2001:db8::/32"])
def test_proxies_are_addresses_or_networks(tmp_path: Path, proxy: str) -> None:
    """Of either version of IP."""
    assert _read(tmp_path, **{**_NEEDED, "proxies": f'["{proxy}"]'}).proxies == (proxy,)


@pytest.mark.parametrize(
    ("public_url", "origin"),
    [
        ("https://bank.example", "https://bank.example"),
        ("HTTPS://Bank.Example/", "https://bank.example"),
        ("https://bank.example:443", "https://bank.example"),
        ("https://bank.example:8443/", "https://bank.example:8443"),
        ("https://xn--banqu-fsa.example", "https://xn--banqu-fsa.example"),
        ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
    ],
)
def test_the_origin_is_what_browsers_send(tmp_path: Path, public_url: str, origin: str) -> None:
    """RFC 6454, 6.2: small letters, no default port, nothing behind."""
    settings = _read(tmp_path, **{**_BEHIND_A_PROXY, "public_url": f'"{public_url}"'})
    assert settings.public_origin == origin
    assert settings.https


def test_a_key_is_known_by_its_hash(tmp_path: Path) -> None:
    """64 hexadecimal digits in small letters."""
    hashed = "0123456789abcdef" * 4
    settings = _read(tmp_path, **{**_BEHIND_A_PROXY, "api_keys": f'{{ desk = "{hashed}" }}'})
    assert settings.api_keys == {"desk": hashed}


@pytest.mark.parametrize("missing", list(_NEEDED))
def test_a_needed_setting_that_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    """One at a time."""
    lines = {name: value for name, value in _BEHIND_A_PROXY.items() if name != missing}
    with pytest.raises(SettingsError, match=missing):
        _read(tmp_path, **lines)


@pytest.mark.parametrize("content", [b"database = ", b"\xff\xfe", b"[database]\nx = 1"])
def test_what_is_no_settings_file_is_said(tmp_path: Path, content: bytes) -> None:
    """With the file's name."""
    path = tmp_path / "bank.toml"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"bank\.toml"):
        read_settings(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """With its name, not a trace."""
    with pytest.raises(SettingsError, match=r"nothing\.toml cannot be read"):
        read_settings(tmp_path / "nothing.toml")


def test_a_demonstration_speaks_plain_http_on_loopback(tmp_path: Path) -> None:
    """And knows its simulator."""
    settings = _read(
        tmp_path,
        **{
            **_NEEDED,
            "public_url": '"http://127.0.0.1:8000"',
            "demonstration": "true",
            "simulator_url": '"http://127.0.0.1:8001"',
        },
    )
    assert not settings.https
    assert settings.simulator_url == "http://127.0.0.1:8001"


def test_the_institutions_hours(tmp_path: Path) -> None:
    """As the reference page writes them; a day that is left out is closed."""
    path = tmp_path / "bank.toml"
    lines = [f"{name} = {value}" for name, value in _BEHIND_A_PROXY.items()]
    path.write_text(
        "\n".join(lines)
        + """
[institution]
holidays = ["labour-day", "christmas"]

[institution.hours]
monday = ["08:00-12:00", "14:00-18:00"]
saturday = ["9:30-13:30"]

[[institution.closures]]
first = 2026-12-24
last = 2026-12-31
reason = "Inventaire."

[[institution.closures]]
first = 2027-05-07
reason = "Pont de l’Ascension."
reason_in_english = "Bridge after Ascension Day."
""",
        encoding="utf-8",
    )
    assert read_settings(path).institution.opening_hours() == OpeningHours(
        week=((Span(480, 720), Span(840, 1080)), (), (), (), (), (Span(570, 810),), ()),
        holidays=frozenset({Holiday.LABOUR_DAY, Holiday.CHRISTMAS}),
        closures=(
            Closure(first=date(2026, 12, 24), last=date(2026, 12, 31), reason="Inventaire."),
            Closure(
                first=date(2027, 5, 7),
                last=date(2027, 5, 7),
                reason="Pont de l’Ascension.",
                reason_in_english="Bridge after Ascension Day.",
            ),
        ),
    )


def test_hours_that_are_left_out_are_the_default_ones(tmp_path: Path) -> None:
    """All eleven holidays with them; an empty list has none."""
    assert _read(tmp_path, **_BEHIND_A_PROXY).institution.opening_hours() == OpeningHours()
    settings = _read(tmp_path, **_BEHIND_A_PROXY, institution="{ holidays = [] }")
    assert settings.institution.opening_hours() == OpeningHours(holidays=frozenset())


def test_the_example_of_the_reference_is_read(tmp_path: Path) -> None:
    """Whoever copies it has settings that start."""
    page = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"
    example = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    (tmp_path / "bank.toml").write_text(example, encoding="utf-8")
    hours = read_settings(tmp_path / "bank.toml").institution.opening_hours()
    assert hours.week[0] == (Span(480, 720), Span(810, 1080))
    assert hours.closures[0].last == date(2026, 12, 26)


# ── The database ─────────────────────────────────────────────────────────────────────────────────

_SERVER = "postgresql+asyncpg://ada:s3cr3t@db.example/bank?sslmode=verify-full"


def test_a_server_is_named_as_it_is(tmp_path: Path) -> None:
    """Its URL is no path beside the file, and goes to the driver whole."""
    settings = _read(tmp_path, **{**_BEHIND_A_PROXY, "database": f'"{_SERVER}"'})
    assert settings.database == _SERVER


def test_settings_do_not_print_a_password(tmp_path: Path) -> None:
    """Neither those that were read nor what is said of those that were not."""
    settings = _read(tmp_path, **{**_BEHIND_A_PROXY, "database": f'"{_SERVER}"'})
    assert "s3cr3t" not in f"{settings!r} {settings}"
    wrong = _SERVER.replace("+asyncpg", "")
    with pytest.raises(SettingsError, match="database: the database URL") as refused:
        _read(tmp_path, **{**_BEHIND_A_PROXY, "database": f'"{wrong}"'})
    assert "s3cr3t" not in str(refused.value)


def test_how_long_postgresql_may_take(tmp_path: Path) -> None:
    """What is set is what the store gets; the rest stays as it is."""
    settings = _read(
        tmp_path,
        **_BEHIND_A_PROXY,
        largest_group="32",
        postgresql="{ pool_size = 12, lock_timeout = 0.5, groups_of_one_bucket = true }",
    )
    assert settings.store_options() == StoreOptions(
        largest_group=32, pool_size=12, lock_timeout=0.5, groups_of_one_bucket=True
    )
    assert _read(tmp_path, **_BEHIND_A_PROXY).store_options() == StoreOptions()


def test_without_postgresql_its_driver_is_not_loaded() -> None:
    """Neither by the application nor by a store on a file."""
    looked = subprocess.run(
        [
            sys.executable,
            "-c",
            (
                "import sys, sesame.app; sesame.app.open_store('sqlite:///bank.db'); "
                "print([name for name in ('asyncpg', 'greenlet') if name in sys.modules])"
            ),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert looked.stdout.strip() == "[]"


def _with_issuing(folder: Path, *lines: str) -> Settings:
    path = folder / "bank.toml"
    above = [f"{name} = {value}" for name, value in _BEHIND_A_PROXY.items()]
    path.write_text("\n".join([*above, "[issuing]", *lines]))
    return read_settings(path)


def test_what_card_numbers_begin_with(tmp_path: Path) -> None:
    """The demonstration's, or the bank's own; never what may be somebody's payment card."""
    assert _read(tmp_path, **_BEHIND_A_PROXY).issuing.card_prefix == "9250"
    assert _with_issuing(tmp_path, 'card_prefix = "925012"').issuing.card_prefix == "925012"
    for prefix in ("400000", "92501234567", ""):
        with pytest.raises(SettingsError, match=r"issuing\.card_prefix: the prefix"):
            _with_issuing(tmp_path, f'card_prefix = "{prefix}"')
    with pytest.raises(SettingsError, match=r"issuing\.card_prefix"):
        _with_issuing(tmp_path, "card_prefix = 9250")


def test_dispatches_on_days_of_their_own(tmp_path: Path) -> None:
    """No two on one day, and the PIN two working days behind the card."""
    own = _with_issuing(tmp_path, "pin_after = 3", "reader_after = 5", "card_years = 5").issuing
    assert own.gaps() == Gaps(pin=3, reader=5, welcome=6)
    assert own.card_years == 5
    with pytest.raises(SettingsError, match="issuing: two dispatches would be posted on one day"):
        _with_issuing(tmp_path, "reader_after = 2")
    with pytest.raises(SettingsError, match="pin_after"):
        _with_issuing(tmp_path, "pin_after = 1")


def _with_desk(folder: Path, *lines: str, **more: str) -> Settings:
    path = folder / "bank.toml"
    above = {**_BEHIND_A_PROXY, **more}
    written = [*[f"{name} = {value}" for name, value in above.items()], "[desk]", *lines]
    path.write_text("\n".join(written))
    return read_settings(path)


def test_a_desk_of_its_own(tmp_path: Path) -> None:
    """Its address, its door, its role of the database; what is left out is the portal's."""
    url = 'public_url = "https://desk.bank.example/"'
    settings = _with_desk(tmp_path, url, 'database = "sqlite:///desk.db"', "port = 8443")
    assert settings.desk is not None
    assert settings.desk.public_origin == "https://desk.bank.example"
    own = of_desk(settings)
    assert (own.database, own.port) == (f"sqlite:///{tmp_path}/desk.db", 8443)
    assert of_desk(_with_desk(tmp_path, url)).database == f"sqlite:///{tmp_path}/bank.db"
    told = _with_desk(tmp_path, url, "monitoring = { port = 9465 }", monitoring="{}")
    assert [told.monitoring, of_desk(told).monitoring] == [
        MonitoringSettings(),
        MonitoringSettings(port=9465),
    ]
    assert of_desk(_with_desk(tmp_path, url, monitoring="{}")).monitoring is None
    hidden = _with_desk(tmp_path, url, 'database = "postgresql+asyncpg://a:geheim@b/c"')
    assert "geheim" not in repr(hidden.desk)
    with pytest.raises(SettingsError, match=r"write \[desk\]"):
        of_desk(_read(tmp_path, **_BEHIND_A_PROXY))


@pytest.mark.parametrize(
    ("lines", "more", "said"),
    [
        (["port = 1"], {}, "public_url"),
        (['public_url = "http://desk.bank.example"'], {}, "staff come over https only"),
        (['public_url = "https://bank.example:443"'], {}, "it is the portal's"),
        (['public_url = "https://desk.bank.example/guichet"'], {}, "desk.public_url: write scheme"),
        (['public_url = "https://d.example"', "card_dki = 256"], {}, "card_dki"),
        (
            ['public_url = "https://d.example"', "monitoring = {}"],
            {"monitoring": "{}"},
            "desk.monitoring.port: it is the portal's",
        ),
        (
            ['public_url = "http://desk.example"', 'host = "0.0.0.0"'],
            {"demonstration": "true"},
            "desk.host: a demonstration listens on loopback",
        ),
    ],
)
def test_a_desk_that_is_unsafe(
    tmp_path: Path, lines: list[str], more: dict[str, str], said: str
) -> None:
    """Is refused, with what to write instead."""
    with pytest.raises(SettingsError, match=said):
        _with_desk(tmp_path, *lines, **more)


_MAIL = {"host": '"mail.example"', "sender": '"coopnet@bank.example"'}


def _with_mail(folder: Path, above: dict[str, str], **lines: str) -> Settings:
    mail = ", ".join(f"{name} = {value}" for name, value in {**_MAIL, **lines}.items())
    return _read(folder, **above, mail=f"{{ {mail} }}")


def test_a_mail_server(tmp_path: Path) -> None:
    """Over TLS unless it says otherwise; its files are relative to the settings' folder."""
    mail = _with_mail(
        tmp_path,
        _BEHIND_A_PROXY,
        user='"sesame"',
        password_file='"secret/mail"',
        authority='"ca.pem"',
    ).mail
    assert mail is not None
    assert (mail.encryption, mail.port) == (Encryption.TLS, 465)
    assert mail.password_file == f"{tmp_path}/secret/mail"
    assert mail.authority == f"{tmp_path}/ca.pem"
    assert _read(tmp_path, **_BEHIND_A_PROXY).mail is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ({"encryption": '"none"'}, "mail.encryption: in production .* write tls or starttls"),
        ({"encryption": '"maybe"'}, "encryption"),
        ({"user": '"sesame"'}, "name both, or none"),
        ({"password_file": '"secret"'}, "name both, or none"),
        ({"sender": '"Coop <a@b.example>"'}, "sender"),
        ({"sender": '"a@b.example\\r\\nBcc: c@d.example"'}, "sender"),
        ({"host": '""'}, "host"),
        ({"port": "0"}, "port"),
        ({"cc": '"x"'}, "cc"),
    ],
)
def test_a_mail_server_that_is_unsafe(tmp_path: Path, lines: dict[str, str], said: str) -> None:
    """Is refused, with what to write instead."""
    with pytest.raises(SettingsError, match=said):
        _with_mail(tmp_path, _BEHIND_A_PROXY, **lines)


def test_a_demonstration_may_send_to_itself(tmp_path: Path) -> None:
    """Without encryption, but no password."""
    demo = {**_NEEDED, "public_url": '"http://127.0.0.1:8000"', "demonstration": "true"}
    plain = _with_mail(tmp_path, demo, encryption='"none"')
    assert plain.mail is not None
    with pytest.raises(SettingsError, match="no password is sent"):
        _with_mail(
            tmp_path, demo, encryption='"none"', user='"sesame"', password_file='"secret/mail"'
        )
