"""A bank that is backed up, lost, restored and replayed, by the commands of the manual."""

import asyncio
import hashlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from sesame.app import open_bank, open_custodian
from sesame.bank.calls import Call
from sesame.bank.help_line import oppose
from sesame.bank.helping import Loss
from sesame.bank.staff import Role, parse_staff_code
from sesame.bank.staffing import Staff
from sesame.bank.user_code import UserCode
from sesame.cap.mode import Inputs, Mode
from sesame.cap.token import Code, show
from sesame.cli.main import main
from sesame.demonstration import drawer, occupied, prepare
from sesame.emv.pin import Pin
from sesame.reader.code import make_code as reader_code
from sesame.reader.virtual_slot import VirtualSlot
from sesame.settings import read_settings
from sesame.simulator.drawer import DemoCustomer
from tests.contract.running import TLS, free_port, fresh_code, server

_KEY = "a bearer key that nobody else has"


@dataclass
class Bank:
    """A bank with a demonstration's customers, served by `sesame serve`."""

    folder: Path
    port: int
    customers: Sequence[DemoCustomer]

    @property
    def settings(self) -> Path:
        """Its settings, with a heartbeat outside."""
        return self.folder / "settings.toml"

    @property
    def database(self) -> Path:
        """Its file."""
        return self.folder / "bank.db"

    def ask(self, path: str, body: dict[str, str]) -> httpx.Response:
        """What the JSON door answers."""
        return httpx.post(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            json=body,
            headers={"Authorization": f"Bearer {_KEY}"},
            verify=TLS,
            timeout=60,
        )

    def outcome(self, customer: DemoCustomer, code: str, **more: str) -> str:
        """Of a code."""
        body = {"user_code": customer.user_code, "code": code, **more}
        said: str = self.ask("verifications", body).json()["outcome"]
        return said

    def stream(self, folder: Path) -> list[str]:
        """Seal all lines and ship them off the host; the command that replays them."""
        folder.mkdir()
        passphrase, key, public = (folder.parent / name for name in ("words", "key", "public.pem"))
        passphrase.write_text("six words that nobody else would choose\n")
        passphrase.chmod(0o600)
        secret = ["--passphrase-file", str(passphrase)]
        assert main(["audit", "create-key", str(key), "--public", str(public), *secret]) == 0
        url, ledger = f"sqlite:///{self.database}", str(folder.parent / "ledger")
        seal = ["audit", "seal", url, "--key", str(key), "--ledger", ledger, "--to", str(folder)]
        assert main([*seal, *secret]) == 0
        return _replay(folder, public, self.settings)


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """The files and cards of a demonstration, and settings of our own."""
    folder, port = tmp_path / "a bank", free_port()
    with occupied(folder):
        prepare(folder, portal_port=port, simulator_port=port + 1, new=True)
    hashed = hashlib.sha256(_KEY.encode()).hexdigest()
    (tmp_path / "outside").mkdir()
    (folder / "settings.toml").write_text(
        'database = "sqlite:///bank.db"\n'
        'keystore = "keystore.json"\n'
        'keystore_passphrase_file = "keystore.passphrase"\n'
        f'heartbeat = "{tmp_path / "outside" / "beat"}"\n'
        f'public_url = "http://127.0.0.1:{port}"\n'
        f"port = {port}\n"
        "demonstration = true\n"
        f'api_keys = {{ test = "{hashed}" }}\n'
    )
    return Bank(folder, port, drawer(folder).customers)


def _replay(stream: Path, public: Path, settings: Path) -> list[str]:
    keys = ["--public-key", str(public), "--settings", str(settings)]
    return ["database", "replay", str(stream), *keys]


def _response(customer: DemoCustomer, digits: str) -> str:
    typed = Inputs(mode=Mode.M3, challenge=digits)
    made = reader_code(VirtualSlot(customer.card, wait=60), Pin(customer.pin), inputs=typed)
    assert isinstance(made, Code)
    return show(made.token)


def test_a_code_that_was_used_after_the_backup_stays_used(
    bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The attacker's side and the owner's, by command line and JSON door."""
    vera, other = bank.customers[:2]
    url, kept = f"sqlite:///{bank.database}", tmp_path / "kept.db"
    with server(bank.settings, bank.port):
        assert bank.outcome(vera, fresh_code(vera)) == "accepted"
        assert main(["database", "backup", url, str(kept)]) == 0
        assert kept.stat().st_mode & 0o777 == 0o600
        used, others = fresh_code(vera), fresh_code(other)
        assert bank.outcome(vera, used) == "accepted"
        assert bank.outcome(other, others) == "accepted"
    assert main(["database", "backup", url, str(kept)]) == 1
    assert str(kept) in capsys.readouterr().err
    replay = bank.stream(tmp_path / "stream")
    capsys.readouterr()
    shutil.copy(kept, bank.database)
    for taken in ("2", "0"):
        assert main(replay) == 0
        assert re.findall(r"\d+", capsys.readouterr().out)[0] == taken
    with server(bank.settings, bank.port):
        assert bank.outcome(vera, used) == "refused"
        assert bank.outcome(other, others) == "refused"
        assert bank.outcome(vera, fresh_code(vera)) == "refused"
        challenge = bank.ask("challenges", {}).json()
        assert challenge["first"] is True
        response = _response(vera, challenge["digits"])
        body = {"user_code": vera.user_code, "challenge": challenge["challenge"]}
        assert bank.ask("verifications", body | {"code": response}).status_code == 422
        over = body | {"challenge": "0" * 80, "code": response, "next_code": "40000001"}
        assert "ask for a new one" in bank.ask("verifications", over).json()["detail"]
        more = {"challenge": challenge["challenge"], "next_code": fresh_code(vera)}
        assert bank.outcome(vera, response, **more) == "accepted"
        assert bank.outcome(vera, response, **more) == "refused"
        assert bank.outcome(vera, fresh_code(vera)) == "accepted"


def test_a_card_that_was_opposed_after_the_backup_stays_held(
    bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The thief has the card and its PIN, and answers the bank's challenge: they are not in."""
    vera = bank.customers[0]
    kept, before = tmp_path / "kept.db", bank.database
    assert main(["database", "backup", f"sqlite:///{before}", str(kept)]) == 0
    asyncio.run(_oppose(bank, vera))
    replay = bank.stream(tmp_path / "stream")
    for replayed, outcome in ((False, "accepted"), (True, "refused")):
        shutil.copy(kept, bank.database)
        if replayed:
            capsys.readouterr()
            assert main(replay) == 0
            assert re.findall(r"\d+", capsys.readouterr().out)[3:] == ["1", "0"]
        with server(bank.settings, bank.port):
            challenge = bank.ask("challenges", {}).json()
            response = _response(vera, challenge["digits"])
            more = {"challenge": challenge["challenge"], "next_code": fresh_code(vera)}
            assert bank.outcome(vera, response, **more) == outcome


async def _oppose(bank: Bank, customer: DemoCustomer) -> None:
    """Have the adviser oppose the card of *customer*, as the desk does."""
    settings = read_settings(bank.settings)
    opened = open_bank(settings, open_custodian(settings))
    (ada,) = [one for one in drawer(bank.folder).staff if one.name == "Ada Lemoine"]
    until = opened.now() + timedelta(hours=1)
    adviser = Staff(
        user_code=parse_staff_code(ada.staff_code),
        name=ada.name,
        roles=frozenset({Role.ADVISER}),
        idle_until=until,
        ends_at=until,
    )
    call = Call(by=adviser, user_code=UserCode(customer.user_code), form=bytes(16), address="")
    await oppose(opened, call, Loss.STOLEN, [1])
    await opened.store.close()


def test_a_stream_that_cannot_be_read_is_a_sentence(
    bank: Bank, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Which folder, why, and what to do; so is a folder that is not there."""
    elsewhere, stream = tmp_path / "elsewhere", tmp_path / "stream"
    replay = bank.stream(stream)
    gone = [*replay[:2], str(elsewhere), *replay[3:]]
    capsys.readouterr()
    assert main(gone) == 1
    assert str(elsewhere) in capsys.readouterr().err
    (segment,) = stream.iterdir()
    for row in (b'{"user_code": 1}', b"no JSON", b"\xff", segment.read_bytes()[:-1]):
        segment.unlink()
        segment.write_bytes(row)
        assert main(replay) == 1
        said = capsys.readouterr().err
        assert "Sceau faux" in said
        assert "Traceback" not in said
