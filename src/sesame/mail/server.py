"""A mail server as settings name it."""

from dataclasses import dataclass, field
from enum import StrEnum, unique
from pathlib import Path


@unique
class Encryption(StrEnum):
    """How the connection is protected."""

    TLS = "tls"  # from its first byte
    STARTTLS = "starttls"  # or no e-mail leaves
    NONE = "none"  # on this machine, in a demonstration


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where e-mails leave."""

    host: str
    port: int
    encryption: Encryption
    sender: str  # an address
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    authority: Path | None = None  # certificates (PEM) to trust in place of the system's
