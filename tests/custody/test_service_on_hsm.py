"""`sesame custody serve` on an HSM: no process of ours has the keys in its memory."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from sesame.cap.profiles import SESAME_CARD
from sesame.cap.token import Code
from sesame.cli.main import main
from sesame.custody.cryptoki import load
from sesame.custody.custodian import (
    CardRecord,
    Fit,
    Inquiry,
    KeyRef,
    KeyUsage,
    PairInquiry,
    Question,
    Reach,
)
from sesame.custody.errors import CustodySettingsError, CustodyUnavailable, SealBroken
from sesame.custody.service_custodian import RevealingServiceCustodian, ServiceCustodian
from sesame.custody.settings import read_custody_settings
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from tests.custody.apart import ME, Apart, custody_process, custody_settings_on_token
from tests.custody.codes import make_code
from tests.custody.keystores import IMK, issuer_key
from tests.custody.tokens import MODULE, PIN, new_token, pulled_out
from tests.logged import restored_logs

pytestmark = pytest.mark.needs("softhsm2")

_PAN = Pan("5018000000000009")
_CARD = CardRecord(pan=_PAN, psn="01", profile=SESAME_CARD.name, key=KeyRef("dpa-02"), dki=1)


def _settings(folder: Path, **more: object) -> Path:
    me = [str(ME)]
    return custody_settings_on_token(folder, "apart", registrars=me, revealers=me, **more)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """The process, on a token with the published issuer key as dpa-02."""
    new_token("apart", keys=(issuer_key("dpa-02"),), demo=False)
    with custody_process(_settings(tmp_path_factory.mktemp("custody"))) as apart:
        yield apart


async def test_a_code_is_matched_in_the_token(apart: Apart) -> None:
    """Right and wrong, of a known device, of a stranger and of two in a row, all at once."""
    custodian = ServiceCustodian(apart.socket, demonstration=False, patience=60)
    sealed = await custodian.register(_CARD, b"row")
    derived = SESAME_CARD.version.card_key(DesKey(IMK), _PAN.digits, _CARD.psn)
    first, second = (make_code(derived, SESAME_CARD, atc=atc, psn="01", dki=1) for atc in (7, 8))
    asked = (Question(sealed, b"row", (7, 3)),)
    found = await custodian.match(
        [Inquiry(first, asked, known=True), Inquiry(second, asked), Inquiry(first, ())]
    )
    assert found == [(Fit(0, 7),), (), ()]
    assert await custodian.match_pairs([PairInquiry(first, second, Reach.NEAR)]) == [()]
    await custodian.close()


async def test_a_number_is_opened_in_the_token(apart: Apart) -> None:
    """Over the socket, for the user that is named; of another row it is refused."""
    custodian = RevealingServiceCustodian(apart.socket, demonstration=False, patience=60)
    sealed = await custodian.register(_CARD, b"row")
    assert await custodian.reveal(sealed, b"row") == _PAN
    with pytest.raises(SealBroken):
        await custodian.reveal(sealed, b"another row")
    await custodian.close()


async def test_who_is_known_waits_for_no_stranger(apart: Apart) -> None:
    """Nor does a line of the chain: asked in one turn with a crowd, answered before most of it."""
    custodian = ServiceCustodian(apart.socket, demonstration=False, patience=60)
    await custodian.mac(KeyUsage.AUDIT, b"connected")
    wrong = Code("33554432")
    crowd = [
        asyncio.ensure_future(custodian.match_pairs([PairInquiry(wrong, wrong, Reach.FAR)]))
        for _ in range(8)
    ]
    strangers = asyncio.ensure_future(custodian.match([Inquiry(wrong)] * 4))
    await asyncio.gather(
        custodian.match([Inquiry(wrong, known=True)]),
        custodian.mac(KeyUsage.AUDIT, b"line"),
        custodian.mac(KeyUsage.SESSION, b"token"),
    )
    await custodian.mac(KeyUsage.AUDIT, b"while the crowd stands there already")
    assert sum(one.done() for one in crowd) <= 3  # of a second and a half of work
    assert await asyncio.gather(*crowd) == [[()]] * 8
    assert await strangers == [()] * 4
    await custodian.close()


_INTRUDER = """
import os, sys
from pathlib import Path
from sesame.custody.cryptoki import load
from sesame.custody.errors import HsmError
from sesame.custody.hsm_sessions import Login
from sesame.custody.passphrase import Passphrase
user, module, label, pin = sys.argv[1:5]
if user != "0":
    os.setgroups([])
    os.setgid(int(user))
    os.setuid(int(user))
for found in map(Path, sys.argv[5:]):
    try:
        os.listdir(found) if found.is_dir() else found.open("rb").close()
        print("read")
    except PermissionError:
        print("refused")
try:
    Login(load(Path(module)), label, Passphrase(pin)).open()
    print("logged in")
except HsmError as error:
    print(type(error).__name__)
"""


@pytest.mark.usefixtures("apart")
@pytest.mark.skipif(ME != 0, reason="only root can try it as another user of the machine")
def test_another_user_reaches_neither_token_nor_pin() -> None:
    """Though the folders lead there: no file of the token, nor its PIN, while custody uses both.

    Whoever has the PIN from elsewhere finds no token. Custody's own user reads all of it.
    """
    softhsm = Path(os.environ["SOFTHSM2_CONF"]).parent
    folder = Path(tempfile.mkdtemp())  # where others may look, unlike the tests' own
    try:
        for way in (folder, softhsm, softhsm / "tokens"):
            way.chmod(0o755)
        with custody_process(_settings(folder)):
            kept = [folder / "pin", *sorted((softhsm / "tokens").rglob("*"))]
            own, other = (_intrude(user, kept) for user in (ME, 65534))
    finally:
        softhsm.chmod(0o700)
        shutil.rmtree(folder)
    assert len(kept) > 10  # the folder of the token, and files of its keys
    assert own == ["read"] * len(kept) + ["logged in"]
    assert other == ["refused"] * len(kept) + ["HsmTokenMissing"]


def _intrude(user: int, files: list[Path]) -> list[str]:
    said = [str(user), str(MODULE), "apart", PIN.text, *map(str, files)]
    run = subprocess.run(
        [sys.executable, "-c", _INTRUDER, *said],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return run.stdout.split("\n")[:-1]


async def test_a_token_that_is_pulled_out_comes_back_by_itself(apart: Apart) -> None:
    """While it is away custody is unavailable, and says why; the process runs on."""
    custodian = ServiceCustodian(apart.socket, demonstration=False, patience=60)
    before = await custodian.mac(KeyUsage.AUDIT, b"line")
    with pulled_out():
        for _ in range(2):
            with pytest.raises(CustodyUnavailable, match="no token 'apart' in any slot"):
                await custodian.mac(KeyUsage.AUDIT, b"line")
    load(MODULE).initialize_anew()  # this process's own
    async with asyncio.timeout(120):
        while True:
            with suppress(CustodyUnavailable):
                assert await custodian.mac(KeyUsage.AUDIT, b"line") == before
                break
            await asyncio.sleep(0.05)
    assert apart.process.poll() is None
    await custodian.close()


def test_a_wrong_pin_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], apart: Apart
) -> None:
    """The process does not start, and shows no PIN."""
    assert apart.process.poll() is None
    settings = _settings(tmp_path)
    (tmp_path / "pin").write_text("another one", encoding="utf-8")
    with restored_logs():
        assert main(["custody", "serve", "--settings", str(settings)]) == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "another one" not in said


def test_keys_are_in_one_place(tmp_path: Path) -> None:
    """A keystore and a token, or neither, are refused, and a demonstration on a token."""
    with pytest.raises(CustodySettingsError, match="in one place"):
        read_custody_settings(_settings(tmp_path, keystore="keys"))
    path = tmp_path / "neither.toml"
    path.write_text(f'socket = "custody.sock"\nusers = ["{os.getuid()}"]\n')
    with pytest.raises(CustodySettingsError, match="in one place"):
        read_custody_settings(path)
