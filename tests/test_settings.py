"""Settings: what is read, what is refused, and that each refusal says what to write."""

from pathlib import Path

import pytest

from sesame.settings import Settings, SettingsError, read_settings

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
        ({"database": '"postgresql://host/bank"'}, "sqlite:///"),
        ({"database": '"sqlite:///"'}, "sqlite:///"),
        ({"port": "0"}, "port"),
        ({"port": '"8000"'}, "port"),
        ({"prot": "8000"}, "prot"),
        ({"largest_group": "0"}, "largest_group"),
        ({"institution": '{ nmae = "x" }'}, "nmae"),
        ({"demonstration": "true", "host": '"0.0.0.0"'}, "loopback only"),
    ],
)
def test_what_is_unsafe_or_unknown_is_refused(
    tmp_path: Path, changed: dict[str, str], said: str
) -> None:
    """The message names the setting, and what to write instead."""
    with pytest.raises(SettingsError, match=said):
        _read(tmp_path, **{**_BEHIND_A_PROXY, **changed})


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
