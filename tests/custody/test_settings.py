"""The settings of the custody process."""

import getpass
import os
import re
from pathlib import Path

import pytest

from sesame.custody.custodian import KeyUsage, RevealingCustodian
from sesame.custody.errors import CustodySettingsError, KeystoreOfDemonstration
from sesame.custody.settings import open_custodian, read_custody_settings
from tests.corpora import ROOT
from tests.custody.apart import ME, custody_settings
from tests.custody.keystores import quick_keystore


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """From wherever the program is started; users and groups are found by name and number."""
    path = custody_settings(tmp_path, Path("keys"), users=[getpass.getuser(), "4711"])
    settings = read_custody_settings(path)
    assert settings.socket == str(tmp_path / "custody.sock")
    assert settings.keystore == str(tmp_path / "keys")
    assert settings.keystore_passphrase_file == str(tmp_path / "custody-passphrase")
    assert settings.allowed_users() == {os.getuid(), 4711}
    assert settings.registrar_users() == set()
    assert settings.group_id() is None
    grouped = read_custody_settings(custody_settings(tmp_path, Path("keys"), group="root"))
    assert grouped.group_id() == 0


@pytest.mark.parametrize("page", ["run-custody-apart", "keep-keys-in-an-hsm"])
def test_the_example_of_a_page_is_read(tmp_path: Path, page: str) -> None:
    """As it stands there, but for the users of another machine."""
    text = (ROOT / f"docs/how-to/{page}.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(socket = .*?)```", text, re.DOTALL)
    path = tmp_path / "custody.toml"
    path.write_text(example.replace("sesame-web", str(ME)))
    settings = read_custody_settings(path)
    assert (settings.hsm is None) is (settings.keystore is not None)
    assert settings.allowed_users() == {ME}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"users": []}, "users"),
        ({"users": ["nobody-of-this-name"]}, "users: this machine knows no 'nobody-of-this-name'"),
        ({"users": ["4294967295"]}, "knows no '4294967295'"),
        ({"users": ["-1"]}, "knows no '-1'"),
        ({"users": ["²"]}, "knows no '²'"),
        ({"users": ["a\u0000b"]}, "knows no"),
        ({"users": [0]}, "users"),
        ({"revealers": ["no-such-user"]}, "revealers: this machine knows no 'no-such-user'"),
        ({"registrars": ["no-such-user"]}, "registrars: this machine knows no 'no-such-user'"),
        ({"group": "no-such-group"}, "group: this machine knows no 'no-such-group'"),
        ({"sokcet": "s"}, "sokcet"),
        ({"socket": 7}, "socket"),
    ],
)
def test_what_is_refused(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    """Each with the name of the setting."""
    with pytest.raises(CustodySettingsError, match=said):
        read_custody_settings(custody_settings(tmp_path, Path("keys"), **changed))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing, or no TOML."""
    with pytest.raises(CustodySettingsError, match="cannot be read"):
        read_custody_settings(tmp_path / "nowhere.toml")
    for content in (b"socket", b"\xff\xfe"):
        (tmp_path / "custody.toml").write_bytes(content)
        with pytest.raises(CustodySettingsError, match=r"custody\.toml"):
            read_custody_settings(tmp_path / "custody.toml")


async def test_keys_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    """Demonstration keys answer no production."""
    quick_keystore(tmp_path / "keys")
    settings = read_custody_settings(custody_settings(tmp_path, tmp_path / "keys"))
    assert len(await open_custodian(settings).mac(KeyUsage.AUDIT, b"")) == 32
    assert not isinstance(open_custodian(settings), RevealingCustodian)
    reveals = custody_settings(tmp_path, tmp_path / "keys", revealers=[str(ME)])
    assert isinstance(open_custodian(read_custody_settings(reveals)), RevealingCustodian)
    production = custody_settings(tmp_path, tmp_path / "keys", demonstration=False)
    with pytest.raises(KeystoreOfDemonstration, match="holds demonstration keys"):
        open_custodian(read_custody_settings(production))
