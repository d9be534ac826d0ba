"""The URL of a PostgreSQL, looked at once, when a store is opened.

What is wrong with it is said without it: any part may hold a password, or a piece of one.
"""

import os
import re
from ipaddress import ip_address
from urllib.parse import parse_qsl

from sesame.store.errors import StoreError

_SERVER = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(:[0-9]{1,5})?")
_PORT = re.compile(r"[0-9]{1,5}")
_UNSEEN = re.compile(r"[#\s\x00-\x1f]")
_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
_WRITING = frozenset({"primary", "read-write"})
_NAMING = ("PGHOST", "PGSERVICE")  # variables that name a server where the URL does not
_USUAL = frozenset({None, "", "5432"})  # what PGPORT may say where the URL has no port


def dsn_of(url: str) -> str:
    """The URL as the driver wants it.

    Raises:
        StoreError: what the driver would do with it is not what it says, or not safe.
    """
    rest = url.partition("://")[2]
    if _UNSEEN.search(rest):
        raise _wrong("holds a # or a blank", "write %23 or %20 for it")
    place, _, query = rest.partition("?")
    authority, _, database = place.partition("/")
    if "@" in query or "@" in database or authority.count("@") > 1:
        raise _wrong(
            "has an @ where none belongs",
            "in a password write %2F for /, %3F for ? and %40 for @, or put it into a file that "
            "PGPASSFILE names",
        )
    said = _said(query)
    servers = _servers(authority.rpartition("@")[2], said)
    attributes = said.get("target_session_attrs", os.environ.get("PGTARGETSESSIONATTRS") or None)
    if attributes not in (_WRITING if len(servers) > 1 else {*_WRITING, None}):
        raise _wrong(
            "does not ask for the server that writes", "add target_session_attrs=read-write"
        )
    mode = said.get("sslmode")
    if mode not in ({*_MODES} if any(map(_is_far, servers)) else {*_MODES, None}):
        raise _wrong(
            "does not say how the connection is kept safe",
            "add sslmode=verify-full, or what else the way to the server asks for",
        )
    return f"postgresql://{rest}"


def _said(query: str) -> dict[str, str]:
    """What stands behind `?`, by name."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise _wrong("has something behind ? that is no name=value", "join them by &") from None
    said = dict(pairs)
    if len(said) < len(pairs):
        # A blank one is nothing to the driver, which then takes the one before.
        raise _wrong("says a name behind ? twice", "leave one of the two out")
    if "service" in said:
        raise _wrong("names a service", "write its server, database and role out")
    return said


def _servers(named: str, said: dict[str, str]) -> list[str]:
    """Each server that is named, or a socket's folder."""
    listed = named or said.get("host", "")
    if not listed and (variable := next(filter(os.environ.get, _NAMING), None)):
        raise _wrong(
            f"names no server, and {variable} does",
            "write the server into the URL, or take that variable out of the environment",
        )
    servers = listed.split(",")
    ports = said.get("port", "").split(",")
    good = all(server.startswith("/") or _SERVER.fullmatch(server) for server in servers)
    if not good or not all(_PORT.fullmatch(port) for port in ports if port):
        raise _wrong(
            "names as its server what is none",
            "write a name or address, with :5432 or another number behind it if need be",
        )
    # To the driver `port=…` is nothing beside a server that stands before the database.
    every = bool(said.get("port")) and not named
    if not every and not all(map(_has_port, servers)) and os.environ.get("PGPORT") not in _USUAL:
        raise _wrong(
            "names no port, and PGPORT does",
            "write the port into the URL, or take that variable out of the environment",
        )
    return servers


def _has_port(server: str) -> bool:
    found = _SERVER.fullmatch(server)
    return bool(found and found[2]) and not server.startswith("/")  # a folder's name may end so


def _is_far(server: str) -> bool:
    """Whether the way to a server leaves this machine."""
    host = re.sub(r":[0-9]+\Z", "", server).strip("[]")
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return not (host in {"", "localhost"} or host.startswith("/"))


def _wrong(what: str, remedy: str) -> StoreError:
    return StoreError(f"the database URL {what}: {remedy}")
