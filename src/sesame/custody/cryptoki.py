"""PKCS#11 (OASIS, version 2.40) in the calls that custody needs: bytes in, bytes out.

The module that comes with an HSM is a C library with one table of functions; `ctypes` calls it
without another library between (docs/decisions/0021), lets other threads run meanwhile, and
tells it that several threads will call. Only this file knows C; only the other files of the HSM
know this one.

A module is initialised once in a process, whoever uses it: hence `load`, and `Module.calling`.
Initialised anew it may number sessions and objects from the start again, so a session of before is
refused here: its handles could be another session's, and other keys', by now.
"""

import ctypes
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    byref,
    c_char,
    c_char_p,
    c_ubyte,
    c_ulong,
    c_void_p,
)
from enum import IntEnum, unique
from pathlib import Path
from typing import Any

from sesame.custody.errors import HsmModuleUnusable, HsmRefused

_VERSION = 8  # bytes of CK_VERSION with its padding: what stands before the functions
_LABEL = 32  # bytes, with spaces at the end
_TRUE, _FALSE = b"\x01", b"\x00"
_AT_ONCE = 16  # objects that a search gives in one call
_LONGEST = 4096  # bytes of an attribute or of a result: more than an RSA key or a sealed card has
_OS_LOCKING_OK = 0x02
_SERIAL_SESSION, _RW_SESSION = 0x04, 0x02
_TOKEN_INITIALIZED = 0x400
_UNAVAILABLE = c_ulong(-1).value
_MGF_OF_HASH = {0x220: 0x01, 0x250: 0x02}  # CKM_SHA_1, CKM_SHA256
_DATA_SPECIFIED = 0x01


@unique
class Rv(IntEnum):
    """Return values that we tell apart, chapter 11.1."""

    OK = 0x000
    SLOT_ID_INVALID = 0x003
    GENERAL_ERROR = 0x005
    FUNCTION_FAILED = 0x006
    DEVICE_ERROR = 0x030
    DEVICE_REMOVED = 0x032
    ENCRYPTED_DATA_INVALID = 0x040
    ENCRYPTED_DATA_LEN_RANGE = 0x041
    FUNCTION_CANCELED = 0x050
    KEY_HANDLE_INVALID = 0x060
    OBJECT_HANDLE_INVALID = 0x082
    OPERATION_NOT_INITIALIZED = 0x091
    PIN_INCORRECT = 0x0A0
    PIN_INVALID = 0x0A1
    PIN_LEN_RANGE = 0x0A2
    PIN_EXPIRED = 0x0A3
    PIN_LOCKED = 0x0A4
    SESSION_CLOSED = 0x0B0
    SESSION_HANDLE_INVALID = 0x0B3
    TOKEN_NOT_PRESENT = 0x0E0
    TOKEN_NOT_RECOGNIZED = 0x0E1
    USER_ALREADY_LOGGED_IN = 0x100
    USER_NOT_LOGGED_IN = 0x101
    USER_PIN_NOT_INITIALIZED = 0x102
    CRYPTOKI_NOT_INITIALIZED = 0x190
    CRYPTOKI_ALREADY_INITIALIZED = 0x191


@unique
class Attribute(IntEnum):
    """What an object is, may do, and is called, chapter 4."""

    CLASS = 0x000
    TOKEN = 0x001
    PRIVATE = 0x002
    LABEL = 0x003
    APPLICATION = 0x010
    VALUE = 0x011
    CHECK_VALUE = 0x090
    KEY_TYPE = 0x100
    ID = 0x102
    SENSITIVE = 0x103
    ENCRYPT = 0x104
    DECRYPT = 0x105
    WRAP = 0x106
    UNWRAP = 0x107
    SIGN = 0x108
    VERIFY = 0x10A
    DERIVE = 0x10C
    MODULUS = 0x120
    MODULUS_BITS = 0x121
    PUBLIC_EXPONENT = 0x122
    VALUE_LEN = 0x161
    EXTRACTABLE = 0x162
    MODIFIABLE = 0x170


@unique
class Kind(IntEnum):
    """The class of an object."""

    DATA = 0
    PUBLIC_KEY = 2
    PRIVATE_KEY = 3
    SECRET_KEY = 4


@unique
class KeyType(IntEnum):
    """What algorithm a key is for."""

    RSA = 0x00
    GENERIC_SECRET = 0x10
    DES2 = 0x14
    DES3 = 0x15
    AES = 0x1F


@unique
class User(IntEnum):
    """Who logs in: the officer who makes a token, or its user."""

    OFFICER = 0
    USER = 1


Template = Mapping[Attribute, bytes | bool | int | IntEnum]
Handle = int  # of an object


class _Attribute(Structure):
    _fields_ = (("type", c_ulong), ("value", c_void_p), ("length", c_ulong))


class _Mechanism(Structure):
    _fields_ = (("mechanism", c_ulong), ("parameter", c_void_p), ("length", c_ulong))


class _StringData(Structure):
    _fields_ = (("data", c_char_p), ("length", c_ulong))


class _GcmParams(Structure):
    _fields_ = (
        ("iv", c_char_p),
        ("iv_length", c_ulong),
        ("iv_bits", c_ulong),
        ("aad", c_char_p),
        ("aad_length", c_ulong),
        ("tag_bits", c_ulong),
    )


class _OaepParams(Structure):
    _fields_ = (
        ("hash", c_ulong),
        ("mgf", c_ulong),
        ("source", c_ulong),
        ("source_data", c_void_p),
        ("source_length", c_ulong),
    )


class _InitializeArgs(Structure):
    _fields_ = (
        ("create_mutex", c_void_p),
        ("destroy_mutex", c_void_p),
        ("lock_mutex", c_void_p),
        ("unlock_mutex", c_void_p),
        ("flags", c_ulong),
        ("reserved", c_void_p),
    )


class _TokenInfo(Structure):
    _fields_ = (
        ("label", c_char * _LABEL),
        ("manufacturer", c_char * 32),
        ("model", c_char * 16),
        ("serial", c_char * 16),
        ("flags", c_ulong),
        ("numbers", c_ulong * 10),
        ("versions", c_ubyte * 4),
        ("utc", c_char * 16),
    )


_MECHANISM, _ATTRIBUTES = POINTER(_Mechanism), POINTER(_Attribute)
_ULONG = POINTER(c_ulong)
# Of the 68 functions of the table: place and arguments of those that are called, chapter 5.
_FUNCTIONS: Mapping[str, tuple[int, tuple[Any, ...]]] = {
    "C_Initialize": (0, (c_void_p,)),
    "C_Finalize": (1, (c_void_p,)),
    "C_GetSlotList": (4, (c_ubyte, _ULONG, _ULONG)),
    "C_GetTokenInfo": (6, (c_ulong, POINTER(_TokenInfo))),
    "C_InitToken": (9, (c_ulong, c_char_p, c_ulong, c_char_p)),
    "C_InitPIN": (10, (c_ulong, c_char_p, c_ulong)),
    "C_OpenSession": (12, (c_ulong, c_ulong, c_void_p, c_void_p, _ULONG)),
    "C_CloseSession": (13, (c_ulong,)),
    "C_CloseAllSessions": (14, (c_ulong,)),
    "C_Login": (18, (c_ulong, c_ulong, c_char_p, c_ulong)),
    "C_Logout": (19, (c_ulong,)),
    "C_CreateObject": (20, (c_ulong, _ATTRIBUTES, c_ulong, _ULONG)),
    "C_CopyObject": (21, (c_ulong, c_ulong, _ATTRIBUTES, c_ulong, _ULONG)),
    "C_DestroyObject": (22, (c_ulong, c_ulong)),
    "C_GetAttributeValue": (24, (c_ulong, c_ulong, _ATTRIBUTES, c_ulong)),
    "C_FindObjectsInit": (26, (c_ulong, _ATTRIBUTES, c_ulong)),
    "C_FindObjects": (27, (c_ulong, _ULONG, c_ulong, _ULONG)),
    "C_FindObjectsFinal": (28, (c_ulong,)),
    "C_EncryptInit": (29, (c_ulong, _MECHANISM, c_ulong)),
    "C_Encrypt": (30, (c_ulong, c_char_p, c_ulong, c_void_p, _ULONG)),
    "C_DecryptInit": (33, (c_ulong, _MECHANISM, c_ulong)),
    "C_Decrypt": (34, (c_ulong, c_char_p, c_ulong, c_void_p, _ULONG)),
    "C_DigestInit": (37, (c_ulong, _MECHANISM)),
    "C_DigestUpdate": (39, (c_ulong, c_char_p, c_ulong)),
    "C_DigestKey": (40, (c_ulong, c_ulong)),
    "C_DigestFinal": (41, (c_ulong, c_void_p, _ULONG)),
    "C_SignInit": (42, (c_ulong, _MECHANISM, c_ulong)),
    "C_Sign": (43, (c_ulong, c_char_p, c_ulong, c_void_p, _ULONG)),
    "C_GenerateKey": (58, (c_ulong, _MECHANISM, _ATTRIBUTES, c_ulong, _ULONG)),
    "C_GenerateKeyPair": (
        59,
        (c_ulong, _MECHANISM, _ATTRIBUTES, c_ulong, _ATTRIBUTES, c_ulong, _ULONG, _ULONG),
    ),
    "C_UnwrapKey": (
        61,
        (c_ulong, _MECHANISM, c_ulong, c_char_p, c_ulong, _ATTRIBUTES, c_ulong, _ULONG),
    ),
    "C_DeriveKey": (62, (c_ulong, _MECHANISM, c_ulong, _ATTRIBUTES, c_ulong, _ULONG)),
}


class Mechanism:
    """How a key is used. Made once where nothing of it changes."""

    def __init__(self, mechanism: int, parameter: Structure | bytes | None = None) -> None:
        self._parameter: Any = parameter  # kept: C only points to it
        if isinstance(parameter, bytes):
            self._parameter = ctypes.create_string_buffer(parameter, len(parameter))
        length = 0 if parameter is None else ctypes.sizeof(self._parameter)
        pointer = None if parameter is None else ctypes.addressof(self._parameter)
        self.native = _Mechanism(mechanism, pointer, length)


def ecb_derivation(blocks: bytes) -> Mechanism:
    """A key that is *blocks* (whole blocks of 8 bytes) under triple DES in ECB mode."""
    return Mechanism(0x1102, _StringData(blocks, len(blocks)))


def gcm(nonce: bytes, authenticated: bytes) -> Mechanism:
    """AES-GCM with a tag of 16 bytes."""
    parameter = _GcmParams(
        nonce, len(nonce), 8 * len(nonce), authenticated, len(authenticated), 128
    )
    return Mechanism(0x1087, parameter)


def oaep(hashed: int) -> Mechanism:
    """RSA-OAEP (PKCS#1 version 2.2) with `SHA_1` or `SHA_256` for both of its hashes."""
    return Mechanism(0x0009, _OaepParams(hashed, _MGF_OF_HASH[hashed], _DATA_SPECIFIED, None, 0))


SHA_1, SHA_256 = 0x220, 0x250
DES2_KEY_GEN = Mechanism(0x0130)
DES3_ECB = Mechanism(0x0132)
DES3_CBC_FROM_ZERO = Mechanism(0x0133, bytes(8))
AES_KEY_GEN = Mechanism(0x1080)
GENERIC_KEY_GEN = Mechanism(0x0350)
RSA_KEY_PAIR_GEN = Mechanism(0x0000)
SHA256 = Mechanism(SHA_256)
SHA256_HMAC = Mechanism(0x0251)


class Attributes:
    """A template as C wants it. Made once where nothing of it changes."""

    def __init__(self, template: Template) -> None:
        values = [_packed(value) for value in template.values()]
        # Kept, for C only points to them.
        self._buffers = [ctypes.create_string_buffer(value, len(value)) for value in values]
        self.native = (_Attribute * len(values))(
            *(
                _Attribute(int(name), ctypes.addressof(buffer), len(buffer))
                for name, buffer in zip(template, self._buffers, strict=True)
            )
        )

    def __len__(self) -> int:
        return len(self.native)


def _packed(value: bytes | bool | int) -> bytes:  # noqa: FBT001 -- one value of a template
    match value:
        case bytes():
            return value
        case bool():
            return _TRUE if value else _FALSE
        case int():
            return bytes(c_ulong(value))


# ── The module ───────────────────────────────────────────────────────────────────────────────────


_loaded: dict[str, "Module"] = {}
_loading = threading.Lock()


def load(path: Path) -> "Module":
    """The module at *path*, initialised; the same one for everybody in this process.

    Raises:
        HsmModuleUnusable: there is no such file, or it is no module of PKCS#11.
        HsmRefused: it does not initialise.
    """
    with _loading:
        found = _loaded.get(str(path))
        if found is None:
            found = Module(path)
            _loaded[str(path)] = found
        return found


class Module:
    """One PKCS#11 module of this process: `load` makes it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._functions = _functions_of(path)
        self._gate = threading.Condition()
        self._inside = 0
        self._closed = False
        self.starts = 1  # how many times it was initialised
        self.call("C_Initialize", byref(_InitializeArgs(flags=_OS_LOCKING_OK)))

    def call(self, name: str, *arguments: Any) -> None:  # noqa: ANN401 -- what C takes
        """Call the function *name*; other threads run meanwhile.

        Raises:
            HsmRefused: it answers anything but CKR_OK.
        """
        rv = self._functions[name](*arguments)
        if rv != Rv.OK:
            raise HsmRefused(name, _named(rv), rv)

    @contextmanager
    def calling(self) -> Iterator[None]:
        """While somebody is inside here, nobody initialises the module anew."""
        with self._gate:
            self._gate.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._gate:
                self._inside -= 1
                self._gate.notify_all()

    def initialize_anew(self) -> None:
        """As after a start: a module may see a token that came back only then.

        Waits until nobody is inside `calling`. Every session of this process is gone after it.

        Raises:
            HsmRefused: it does not initialise.
        """
        with self._gate:
            self._gate.wait_for(lambda: not self._closed)
            self._closed = True
            self._gate.wait_for(lambda: not self._inside)
        try:
            self.starts += 1
            self._functions["C_Finalize"](None)  # it may be out of order: then it is as well
            self.call("C_Initialize", byref(_InitializeArgs(flags=_OS_LOCKING_OK)))
        finally:
            with self._gate:
                self._closed = False
                self._gate.notify_all()

    def slots(self) -> list[int]:
        """The slots with a token in them, its label set or not."""
        count = c_ulong()
        self.call("C_GetSlotList", 1, None, byref(count))
        found = (c_ulong * count.value)()
        self.call("C_GetSlotList", 1, found, byref(count))
        return list(found[: count.value])

    def label(self, slot: int) -> str | None:
        """What the token in *slot* is called; None where it was never initialised."""
        info = self._info(slot)
        if not info.flags & _TOKEN_INITIALIZED:
            return None
        return bytes(info.label).decode(errors="replace").rstrip(" \x00")

    def init_token(self, slot: int, officer_pin: bytes, label: str) -> None:
        """Make an empty token of the one in *slot*: whatever was in it is gone."""
        padded = label.encode().ljust(_LABEL)
        self.call("C_InitToken", slot, officer_pin, len(officer_pin), padded)

    def open_session(self, slot: int, *, writes: bool = False) -> "Session":
        """A new session with the token in *slot*."""
        handle = c_ulong()
        flags = _SERIAL_SESSION | (_RW_SESSION if writes else 0)
        self.call("C_OpenSession", slot, flags, None, None, byref(handle))
        return Session(self, handle.value)

    def close_all_sessions(self, slot: int) -> None:
        """End every session of this process with the token in *slot*, and its login."""
        self.call("C_CloseAllSessions", slot)

    def _info(self, slot: int) -> _TokenInfo:
        info = _TokenInfo()
        self.call("C_GetTokenInfo", slot, byref(info))
        return info


def _functions_of(path: Path) -> dict[str, Any]:
    try:
        table = c_void_p()
        rv = ctypes.CDLL(str(path)).C_GetFunctionList(byref(table))
    except (OSError, AttributeError) as refusal:
        raise HsmModuleUnusable(path, str(refusal)) from None
    if rv != Rv.OK or table.value is None:
        raise HsmModuleUnusable(path, f"C_GetFunctionList answers {_named(rv)}")
    functions = {}
    for name, (place, arguments) in _FUNCTIONS.items():
        at = table.value + _VERSION + place * ctypes.sizeof(c_void_p)
        address = c_void_p.from_address(at).value
        if address is None:
            raise HsmModuleUnusable(path, f"it has no {name}")
        functions[name] = CFUNCTYPE(c_ulong, *arguments)(address)
    return functions


def _named(rv: int) -> str:
    try:
        return f"CKR_{Rv(rv).name}"
    except ValueError:
        return f"0x{rv:08X}"


class Session:
    """A session with one token: one thread at a time."""

    def __init__(self, module: Module, handle: int) -> None:
        self.module = module
        self._handle = handle
        self._start = module.starts
        self._out = ctypes.create_string_buffer(_LONGEST)

    def close(self) -> None:
        """End it; the objects that it made are gone."""
        self._call("C_CloseSession")

    def login(self, user: User, pin: bytes) -> None:
        """Log in *user*, for all sessions of this process with the token."""
        self._call("C_Login", user, pin, len(pin))

    def logout(self) -> None:
        """The contrary, for all of them."""
        self._call("C_Logout")

    def init_pin(self, pin: bytes) -> None:
        """Give the user their PIN: for the officer."""
        self._call("C_InitPIN", pin, len(pin))

    def find(self, template: Template) -> list[Handle]:
        """The objects that have what *template* says."""
        wanted = Attributes(template)
        found: list[Handle] = []
        some, count = (c_ulong * _AT_ONCE)(), c_ulong(_AT_ONCE)
        self._call("C_FindObjectsInit", wanted.native, len(wanted))
        try:
            while count.value:
                self._call("C_FindObjects", some, _AT_ONCE, byref(count))
                found += some[: count.value]
        finally:
            self._call("C_FindObjectsFinal")
        return found

    def read(self, key: Handle, name: Attribute) -> bytes | None:
        """An attribute; None where there is none, or it does not come out."""
        out = self._out
        asked = _Attribute(int(name), ctypes.addressof(out), _LONGEST)
        try:
            self._call("C_GetAttributeValue", key, byref(asked), 1)
        except HsmRefused:
            if asked.length == _UNAVAILABLE:
                return None
            raise
        return ctypes.string_at(out, asked.length)

    def read_bool(self, key: Handle, name: Attribute) -> bool:
        """An attribute that is true or false; what there is not is false."""
        return self.read(key, name) == _TRUE

    def read_number(self, key: Handle, name: Attribute) -> int | None:
        """An attribute that is a number; None where there is none."""
        value = self.read(key, name)
        return None if value is None else c_ulong.from_buffer_copy(value).value

    def generate(self, mechanism: Mechanism, template: Template) -> Handle:
        """A new key by the token's chance."""
        wanted, key = Attributes(template), c_ulong()
        self._call(
            *("C_GenerateKey", byref(mechanism.native)),
            *(wanted.native, len(wanted), byref(key)),
        )
        return key.value

    def generate_pair(self, public: Template, private: Template) -> tuple[Handle, Handle]:
        """A new RSA key pair: the public and the private key."""
        outer, inner = Attributes(public), Attributes(private)
        one, other = c_ulong(), c_ulong()
        self._call(
            *("C_GenerateKeyPair", byref(RSA_KEY_PAIR_GEN.native)),
            *(outer.native, len(outer), inner.native, len(inner), byref(one), byref(other)),
        )
        return one.value, other.value

    def unwrap(self, mechanism: Mechanism, key: Handle, data: bytes, template: Template) -> Handle:
        """The key that is wrapped in *data* under *key*, never outside the token."""
        wanted, unwrapped = Attributes(template), c_ulong()
        self._call(
            *("C_UnwrapKey", byref(mechanism.native), key, data, len(data)),
            *(wanted.native, len(wanted), byref(unwrapped)),
        )
        return unwrapped.value

    def derive(self, mechanism: Mechanism, key: Handle, wanted: Attributes) -> Handle:
        """A key that comes of *key*, as *mechanism* says."""
        derived = c_ulong()
        self._call(
            *("C_DeriveKey", byref(mechanism.native), key),
            *(wanted.native, len(wanted.native), byref(derived)),
        )
        return derived.value

    def create(self, template: Template) -> Handle:
        """A new object that is what *template* says: for data, not for keys in clear."""
        wanted, made = Attributes(template), c_ulong()
        self._call("C_CreateObject", wanted.native, len(wanted), byref(made))
        return made.value

    def copy(self, key: Handle, template: Template) -> Handle:
        """The same key once more, with what *template* says otherwise."""
        wanted, copied = Attributes(template), c_ulong()
        self._call("C_CopyObject", key, wanted.native, len(wanted), byref(copied))
        return copied.value

    def destroy(self, key: Handle) -> None:
        """Take an object out of the token, or out of the session that made it."""
        self._call("C_DestroyObject", key)

    def encrypt(self, mechanism: Mechanism, key: Handle, data: bytes) -> bytes:
        """*data* enciphered."""
        self._call("C_EncryptInit", byref(mechanism.native), key)
        return self._result("C_Encrypt", data)

    def decrypt(self, mechanism: Mechanism, key: Handle, data: bytes) -> bytes:
        """*data* deciphered."""
        self._call("C_DecryptInit", byref(mechanism.native), key)
        return self._result("C_Decrypt", data)

    def sign(self, mechanism: Mechanism, key: Handle, data: bytes) -> bytes:
        """The MAC of *data*."""
        self._call("C_SignInit", byref(mechanism.native), key)
        return self._result("C_Sign", data)

    def digest_key(self, before: bytes, key: Handle) -> bytes:
        """SHA-256 (32 bytes) of *before* and the value of *key*."""
        self._call("C_DigestInit", byref(SHA256.native))
        self._call("C_DigestUpdate", before, len(before))
        self._call("C_DigestKey", key)
        length = c_ulong(_LONGEST)
        self._call("C_DigestFinal", self._out, byref(length))
        return ctypes.string_at(self._out, length.value)

    def _call(self, name: str, *arguments: Any) -> None:  # noqa: ANN401 -- as `Module.call`
        if self._start != self.module.starts:
            raise HsmRefused(name, _named(Rv.SESSION_HANDLE_INVALID), Rv.SESSION_HANDLE_INVALID)
        self.module.call(name, self._handle, *arguments)

    def _result(self, function: str, data: bytes) -> bytes:
        # The buffer takes any result of ours: no call before only to learn its length.
        length = c_ulong(_LONGEST)
        self._call(function, data, len(data), self._out, byref(length))
        return ctypes.string_at(self._out, length.value)
