"""`sesame.app`: which keys it opens, for which settings and which database."""

import asyncio
import secrets
import sqlite3
from collections.abc import MutableMapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from sesame.app import ForeignKeystore, build_asgi, check_keystore, open_keystore
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.custody.passphrase import Passphrase
from sesame.settings import InstitutionSettings, Settings, SettingsError
from sesame.store.schema import migrate
from tests.custody.keystores import QUICK, quick_keystore
from tests.portal.browser import Browser
from tests.portal.town import open_town

_PASSPHRASE = "quatre mots tirés au sort"


def _settings(folder: Path, *, demonstration: bool = True) -> Settings:
    return Settings(
        database=f"sqlite:///{folder}/bank.db",
        keystore=str(folder / "keys"),
        keystore_passphrase_file=str(folder / "passphrase"),
        public_url="https://bank.example",
        demonstration=demonstration,
    )


@pytest.mark.parametrize(
    ("keys", "settings", "said"),
    [
        ("demonstration", "production", "holds demonstration keys"),
        ("production", "demonstration", "holds production keys"),
    ],
)
def test_keys_of_the_other_kind_are_refused(
    tmp_path: Path, keys: str, settings: str, said: str
) -> None:
    """In both directions; those of the same kind are opened."""
    secret = tmp_path / "passphrase"
    secret.touch(mode=0o600)
    secret.write_text(_PASSPHRASE + "\n")
    demo = keys == "demonstration"
    Keystore.create(
        tmp_path / "keys",
        Passphrase(_PASSPHRASE),
        demo=demo,
        now=datetime.now(UTC),
        random=secrets.token_bytes,
        **({"cost": QUICK} if demo else {}),
    )
    with pytest.raises(SettingsError, match=said):
        open_keystore(_settings(tmp_path, demonstration=settings == "demonstration"))
    assert open_keystore(_settings(tmp_path, demonstration=demo)).demo is demo


async def test_the_keystore_belongs_to_the_database(tmp_path: Path) -> None:
    """One card tells; another keystore is refused with its path, before anybody signs in."""
    town = await open_town(tmp_path)
    await town.bank.store.close()
    settings = _settings(tmp_path)
    await check_keystore(settings, town.custodian)
    other = KeystoreCustodian(quick_keystore(tmp_path / "others", "other"))
    with pytest.raises(ForeignKeystore, match="not the one this database was made with") as refused:
        await check_keystore(settings, other)
    assert refused.value.path == tmp_path / "keys"


async def test_a_database_without_cards_takes_every_keystore(tmp_path: Path) -> None:
    """A bank that opens."""
    settings = _settings(tmp_path)
    migrate(settings.database)
    await check_keystore(settings, KeystoreCustodian(quick_keystore(tmp_path / "keys")))


async def test_pages_say_what_the_settings_say_of_the_bank(tmp_path: Path) -> None:
    """Name, number and hours; what is left out stays as at the fictional bank."""
    town = await open_town(tmp_path)
    said = InstitutionSettings(
        name="Caisse du Canal", telephone="01 99 00 11 22", hours={"sunday": ("10:00-12:00",)}
    )
    settings = msgspec.structs.replace(_settings(tmp_path), institution=said)
    async with Browser(build_asgi(settings, town.bank)) as browser:
        page = (await browser.get("/aide")).text
    await town.bank.store.close()
    assert "Caisse du Canal" in page
    assert "tel:+33199001122" in page
    assert "tapez étoile, puis 2" in page
    assert "Horaires\u00a0: le dimanche de 10\u00a0h à 12\u00a0h, sauf les jours fériés." in page


async def test_a_server_that_stops_writes_down_what_it_turned_away(tmp_path: Path) -> None:
    """Nothing of a flood is lost with the memory of an orderly end."""
    town = await open_town(tmp_path)
    app = build_asgi(_settings(tmp_path), town.bank)
    stop = asyncio.Event()
    said: list[str] = []

    async def receive() -> dict[str, str]:
        if said:
            await stop.wait()
            return {"type": "lifespan.shutdown"}
        return {"type": "lifespan.startup"}

    async def send(message: MutableMapping[str, object]) -> None:
        said.append(str(message["type"]))

    life = asyncio.ensure_future(app({"type": "lifespan"}, receive, send))
    async with Browser(app, base_url="https://bank.example") as browser:
        statuses = [
            (await browser.log_in("VERA2345", "34567890")).status_code for _ in range(3 + 4)
        ]
    assert statuses == [422] * 3 + [429] * 4
    stop.set()
    await life
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with closing(sqlite3.connect(tmp_path / "bank.db")) as connection:
        (line,) = connection.execute(
            "SELECT line FROM audit_lines WHERE user_code = 'VERA2345' ORDER BY version DESC"
        ).fetchone()
    assert b'"causes":[["suspended",4]]' in line
