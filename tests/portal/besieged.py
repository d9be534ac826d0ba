"""A bank before its doors: the portal's ways in and the JSON door, and what each answer costs."""

import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import pytest
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from starlette.types import ASGIApp

from sesame.bank import matching
from sesame.bank.bank import Bank
from sesame.cap.mode import LOGIN, Inputs, Mode
from sesame.cap.verification import candidates, pair_candidates
from sesame.custody.custodian import KeyUsage
from sesame.custody.keystore_custodian import KeystoreCustodian
from sesame.portal.portal import Portal
from sesame.portal.routes import build
from sesame.rest.routes import routes as rest_routes
from sesame.store import sqlite
from sesame.web.institution import Institution
from sesame.web.opening import OpeningHours
from sesame.web.rendering import Site
from tests.custody.keystores import chance
from tests.portal.browser import Browser, hidden_fields, without_chance

Planned = TypeVar("Planned")
KEY = "the key of the desk"
SESAME, TWO_CODES, OLD_CODE = "/acces/sesame", "/acces/deux-codes", "/acces/ancien-code"
JSON = "/api/v1/verifications"
CHALLENGE, ACTIVATION, RELEASE = "/acces/repondre", "/activation", "/deblocage"
DOORS: Mapping[str, tuple[str, ...]] = {  # and what is typed there besides the user code
    SESAME: ("code",),
    TWO_CODES: ("code", "next_code"),
    OLD_CODE: ("old_code",),
    JSON: ("code",),
    f"{JSON} ": ("code", "next_code"),
}
_NUMBERED = {  # the ways in with a number beside the code
    f"{way}{variant}": ("number", *codes)
    for way in (ACTIVATION, RELEASE)
    for variant, codes in (
        ("", ("code",)),
        ("/deux-codes", ("code", "next_code")),
        ("/repondre", ("code", "next_code")),
    )
}
ALL_DOORS: Mapping[str, tuple[str, ...]] = {
    **DOORS,
    CHALLENGE: ("code", "next_code"),
    **_NUMBERED,
}
_ACTION = re.compile(r'<form [^>]*action="(/(?:acces/|activation|deblocage)[\w/-]*)"')
_ASKED = re.compile(r'(<output class="challenge"[^>]*>)(\d{4})&nbsp;(\d{4})')


@dataclass(frozen=True)
class Seen:
    """All that somebody outside sees of an answer, but for the chance of its form."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str


def doors_of(bank: Bank) -> ASGIApp:
    """The portal and the JSON door of *bank*."""
    # A help line that never opens: what pages say of it does not change with the clock.
    institution = Institution(hours=OpeningHours(week=((),) * 7))
    site = Site(institution=institution, demonstration=True, https=False)
    portal = Portal(bank=bank, site=site, random_bytes=chance("portal"))
    return build(portal, beside=rest_routes(bank, [hashlib.sha256(KEY.encode()).hexdigest()]))


class Outsider:
    """Somebody with a browser and, for the JSON door, a program; known to nobody."""

    def __init__(self, bank: Bank) -> None:
        self.browser = Browser(doors_of(bank))
        self._forms: dict[str, dict[str, str]] = {}
        self._asked: dict[str, Inputs] = {}
        self._last: tuple[str, dict[str, str]] | None = None

    async def form(self, door: str) -> dict[str, str]:
        """The form of *door* that stands on the screen, or a new one."""
        if door not in self._forms:
            self._keep(door, (await self.browser.get(door)).text)
        return self._forms[door]

    async def asked(self, door: str) -> Inputs:
        """What the form of *door* asks to type into the reader: its challenge, where it has one."""
        await self.form(door)
        return self._asked.get(door, LOGIN)

    async def knock(self, door: str, user_code: str, typed: tuple[str, ...]) -> Seen:
        """Type it all in and send it."""
        fields = {"user_code": user_code, **dict(zip(ALL_DOORS[door], typed, strict=True))}
        if door.strip() == JSON:
            headers = {"authorization": f"Bearer {KEY}"}
            answer = await self.browser.post(JSON, json=fields, headers=headers)
            return _seen(answer, user_code)
        self._last = door, await self.form(door) | fields
        return await self.knock_again(user_code)

    async def knock_again(self, user_code: str) -> Seen:
        """The same form once more: a second click."""
        assert self._last is not None
        door, fields = self._last
        answer = await self.browser.post(door, data=fields)
        self._forms.pop(door, None)
        # A refusal shows the next form, which may be another door's.
        action = _ACTION.search(answer.text)
        if action:
            self._keep(action[1], answer.text)
        return _seen(answer, user_code)

    def _keep(self, door: str, page: str) -> None:
        self._forms[door] = hidden_fields(page)
        if asked := _ASKED.search(page):
            self._asked[door] = Inputs(mode=Mode.M3, challenge=asked[2] + asked[3])


def _seen(answer: httpx.Response, user_code: str) -> Seen:
    text = without_chance(answer.text).replace(user_code, "--------")
    text = _ASKED.sub(r"\1", re.sub(r'name="challenge" value="[0-9a-f]+"', "", text))
    return Seen(answer.status_code, tuple(sorted(answer.headers.items())), text)


@dataclass
class Work:
    """What was computed and asked of the database."""

    cryptograms: int = 0  # ciphers set up
    argon2: int = 0
    planned: int = 0  # cards whose ATCs the bank worked out
    macs: int = 0  # asked of custody: of numbers of activation and release, say
    statements: Counter[str] = field(default_factory=Counter)


_KIND = re.compile(r"\s*(\w+)(?:\s+(?:OR \w+ )?(?:INTO|FROM)?\s*(\w+))?")
# Lines of user codes that nobody has stand in tables of their own, written the same way.
_SAME = {"stranger_lines": "audit_lines", "stranger_personal": "audit_personal"}


@contextmanager
def metered(patched: pytest.MonkeyPatch) -> Iterator[list[Work]]:
    """Count what is done; the last of the list is what is being counted."""
    works = [Work()]
    mac = KeystoreCustodian.mac
    encryptor, verify, set_up = Cipher.encryptor, PasswordHasher.verify, sqlite._set_up  # noqa: SLF001 -- every connection passes there

    def count_cipher(cipher: Cipher[Any]) -> CipherContext:
        works[-1].cryptograms += 1
        context: CipherContext = encryptor(cipher)
        return context

    def count_argon2(hasher: PasswordHasher, *typed: str) -> bool:
        works[-1].argon2 += 1
        return bool(verify(hasher, *typed))

    async def count_mac(custodian: KeystoreCustodian, usage: KeyUsage, data: bytes) -> bytes:
        works[-1].macs += 1
        return await mac(custodian, usage, data)

    def listen(connection: sqlite3.Connection, *, writes: bool) -> None:
        set_up(connection, writes=writes)
        connection.set_trace_callback(
            lambda statement: works[-1].statements.update([_kind(statement)])
        )

    def count_plans(plan: Callable[..., Planned]) -> Callable[..., Planned]:
        def counted(*asked: object, **how: object) -> Planned:
            works[-1].planned += 1
            return plan(*asked, **how)

        return counted

    patched.setattr(matching, "candidates", count_plans(candidates))
    patched.setattr(matching, "pair_candidates", count_plans(pair_candidates))
    patched.setattr(Cipher, "encryptor", count_cipher)
    patched.setattr(PasswordHasher, "verify", count_argon2)
    patched.setattr(KeystoreCustodian, "mac", count_mac)
    patched.setattr(sqlite, "_set_up", listen)
    yield works


def _kind(statement: str) -> str:
    found = _KIND.match(statement)
    assert found is not None
    verb, table = found[1].upper(), found[2] or ""
    return f"{verb} {_SAME.get(table, table)}"
