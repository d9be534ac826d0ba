"""The settings of the custody process: where its keys are, and who may ask it.

docs/reference/settings.md lists them; a test compares. They are not those of the web process,
which must not know where the keys are.
"""

import grp
import pwd
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec

from sesame.custody.custodian import Custodian
from sesame.custody.errors import (
    CustodySettingsError,
    KeystoreOfDemonstration,
    KeystoreOfProduction,
)
from sesame.custody.keystore import Keystore
from sesame.custody.keystore_custodian import KeystoreCustodian, KeystoreRevealingCustodian
from sesame.custody.passphrase import read_passphrase
from sesame.logs import Style

_HIGHEST_ID = 2**32 - 2  # the one above says "none" (chown(2))


class HsmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[hsm]`: keys in the token of an HSM, instead of a keystore."""

    module: Annotated[
        str, msgspec.Meta(description="Path of the PKCS#11 module that came with the HSM.")
    ]
    label: Annotated[str, msgspec.Meta(description="The token’s name.")]
    pin_file: Annotated[
        str,
        msgspec.Meta(description="Path of a file, readable by its owner only, with its PIN."),
    ]
    sessions: Annotated[
        int, msgspec.Meta(description="How many calls the token gets at once.", ge=2, le=64)
    ] = 4
    waiting: Annotated[
        int,
        msgspec.Meta(
            description="How many strangers may wait for one of them; known devices go first.",
            ge=1,
            le=256,
        ),
    ] = 32


class CustodySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file's only level. Paths are relative to the folder that the file stands in."""

    socket: Annotated[
        str,
        msgspec.Meta(
            description="Path of the socket to answer on, in a folder that no other user may "
            "write to. Its mode is 0660."
        ),
    ]
    users: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="The users whose processes may have codes compared, by name or number: "
            "that of the web process.",
            min_length=1,
        ),
    ]
    registrars: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="The users whose processes may also register cards and have codes of staff "
            "compared, which no portal needs: that of the desk, and that of who enrols customers."
        ),
    ] = ()
    revealers: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="The users whose processes may also have a card’s number said, to whom two "
            "persons show it: that of the desk, and never the portal’s."
        ),
    ] = ()
    group: Annotated[
        str | None,
        msgspec.Meta(
            description="The group that may open the socket, by name or number; without it the "
            "user's own."
        ),
    ] = None
    keystore: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of the keystore that `sesame keys create` made. The other way: `hsm`."
        ),
    ] = None
    keystore_passphrase_file: Annotated[
        str | None,
        msgspec.Meta(
            description="Path of a file, readable by its owner only, with its passphrase."
        ),
    ] = None
    hsm: Annotated[
        HsmSettings | None, msgspec.Meta(description="Keys in an HSM’s token instead.")
    ] = None
    log: Annotated[
        Style,
        msgspec.Meta(description="How the process writes its log: as in the settings of a bank."),
    ] = Style.TEXT
    demonstration: Annotated[
        bool, msgspec.Meta(description="Whether the keys are those of a demonstration.")
    ] = False

    def allowed_users(self) -> frozenset[int]:
        """The user ids of `users`.

        Raises:
            CustodySettingsError: there is no such user.
        """
        return frozenset(_id("users", name, _user) for name in self.users)

    def registrar_users(self) -> frozenset[int]:
        """The user ids of `registrars`.

        Raises:
            CustodySettingsError: there is no such user.
        """
        return frozenset(_id("registrars", name, _user) for name in self.registrars)

    def revealing_users(self) -> frozenset[int]:
        """The user ids of `revealers`.

        Raises:
            CustodySettingsError: there is no such user.
        """
        return frozenset(_id("revealers", name, _user) for name in self.revealers)

    def group_id(self) -> int | None:
        """The id of `group`.

        Raises:
            CustodySettingsError: there is no such group.
        """
        return None if self.group is None else _id("group", self.group, _group)


def read_custody_settings(path: Path) -> CustodySettings:
    """Read *path* (TOML).

    Raises:
        CustodySettingsError: the file is missing or is no TOML, a setting is unknown or of
            another type, or names a user or group that is not there.
    """
    try:
        settings = msgspec.toml.decode(path.read_bytes(), type=CustodySettings)
    except OSError as error:
        raise CustodySettingsError(f"{path.name} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CustodySettingsError(f"{path.name}: {error}") from None
    settings.allowed_users()
    settings.registrar_users()
    settings.revealing_users()
    settings.group_id()
    in_keystore = (settings.keystore, settings.keystore_passphrase_file)
    if in_keystore.count(None) != (0 if settings.hsm is None else len(in_keystore)):
        raise CustodySettingsError(
            "keystore and keystore_passphrase_file: name both, or an [hsm], and not all of them: "
            "the keys are in one place"
        )
    folder = path.resolve().parent
    return msgspec.structs.replace(
        settings,
        socket=str(folder / settings.socket),
        keystore=_beside(folder, settings.keystore),
        keystore_passphrase_file=_beside(folder, settings.keystore_passphrase_file),
        hsm=_from(folder, settings.hsm),
    )


def open_custodian(settings: CustodySettings) -> Custodian:
    """What has the keys that the settings name. Another home for them is another branch here.

    Where `revealers` are named it is a `RevealingCustodian`, and else it can say no number.

    Raises:
        CustodyError: see `open_keystore` and `open_hsm`.
    """
    match settings:
        case CustodySettings(hsm=HsmSettings() as hsm):
            return _open_hsm(
                hsm, demonstration=settings.demonstration, reveals=bool(settings.revealers)
            )
        case CustodySettings(keystore=str() as path, keystore_passphrase_file=str() as passphrase):
            keystore = open_keystore(
                Path(path), Path(passphrase), demonstration=settings.demonstration
            )
            kind = KeystoreRevealingCustodian if settings.revealers else KeystoreCustodian
            return kind(keystore, random=secrets.token_bytes)
    raise CustodySettingsError("neither a keystore nor an [hsm] is named")


def open_keystore(path: Path, passphrase_file: Path, *, demonstration: bool) -> Keystore:
    """The keystore at *path*, for a *demonstration* or for production.

    Raises:
        KeystoreOfDemonstration: it is one's, and this is none; or KeystoreOfProduction.
        CustodyError: see `Keystore.open` and `read_passphrase`.
    """
    keystore = Keystore.open(path, read_passphrase(passphrase_file))
    if keystore.demo and not demonstration:
        raise KeystoreOfDemonstration(path)
    if demonstration and not keystore.demo:
        raise KeystoreOfProduction(path)
    return keystore


def _open_hsm(settings: HsmSettings, *, demonstration: bool, reveals: bool) -> Custodian:
    # Imported where an HSM is named: no other process loads its functions.
    from sesame.custody.hsm import open_hsm  # noqa: PLC0415

    if demonstration:
        raise CustodySettingsError(
            "demonstration: the keys in an HSM are production's. Take the line out, or name a "
            "keystore of demonstration keys"
        )
    return open_hsm(
        Path(settings.module),
        settings.label,
        read_passphrase(Path(settings.pin_file)),
        sessions=settings.sessions,
        waiting=settings.waiting,
        reveals=reveals,
    )


def _beside(folder: Path, path: str | None) -> str | None:
    return None if path is None else str(folder / path)


def _from(folder: Path, hsm: HsmSettings | None) -> HsmSettings | None:
    if hsm is None:
        return None
    return msgspec.structs.replace(
        hsm, module=str(folder / hsm.module), pin_file=str(folder / hsm.pin_file)
    )


def _user(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _group(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def _id(setting: str, name: str, look_up: Callable[[str], int]) -> int:
    if name.isascii() and name.isdigit() and int(name) <= _HIGHEST_ID:
        return int(name)
    try:
        return look_up(name)
    except (KeyError, ValueError):
        raise CustodySettingsError(
            f"{setting}: this machine knows no {name!r}: make it first, or write its number"
        ) from None
