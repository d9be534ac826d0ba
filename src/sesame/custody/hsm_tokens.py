"""Making an empty token, where that is done through PKCS#11 and not with the vendor's tool."""

from contextlib import suppress
from pathlib import Path

from sesame.custody.cryptoki import User, load
from sesame.custody.errors import HsmLabelUnsuitable, HsmRefused, HsmTokenExists, HsmTokenMissing
from sesame.custody.hsm_sessions import Login, close_quietly
from sesame.custody.passphrase import Passphrase

_LONGEST = 32  # bytes of a label


def make_token(path: Path, label: str, *, officer_pin: Passphrase, pin: Passphrase) -> None:
    """A token called *label* in the first slot where none was ever made; it has no keys.

    Raises:
        HsmTokenExists: there is one of that label.
        HsmTokenMissing: every slot has a token already.
        HsmLabelUnsuitable: the label has no character, or more than 32 bytes.
        HsmError: the module does not load, or refuses.
    """
    if not 1 <= len(label.encode()) <= _LONGEST:
        raise HsmLabelUnsuitable(label)
    module = load(path)
    with module.calling():
        with suppress(HsmTokenMissing):
            Login(module, label, pin).slot()
            raise HsmTokenExists(path, label)
        free = [slot for slot in module.slots() if module.label(slot) is None]
        if not free:
            raise HsmTokenMissing(path, "")
        module.init_token(free[0], officer_pin.encode(), label)
        session = module.open_session(Login(module, label, pin).slot(), writes=True)
        try:
            session.login(User.OFFICER, officer_pin.encode())
            session.init_pin(pin.encode())
            with suppress(HsmRefused):  # ends with the session anyway
                session.logout()
        finally:
            close_quietly(session)
