"""Evidence of one login: a file that a stranger checks by itself, with nothing of ours.

The line, what opens its commitments, the way from it to a seal, and the seal.
docs/how-to/give-evidence-of-a-login.md tells what it shows, docs/how-to/check_evidence.py checks.
"""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sesame.bank.audit import SIGN_IN, commitment
from sesame.bank.audit_chain import Head, Row, continuation
from sesame.bank.errors import FalseSeal, NoSuchLogin, NotSealed
from sesame.bank.merkle import path_of
from sesame.bank.seal import fingerprint
from sesame.bank.sealing import OVERLAP
from sesame.bank.stream import Segment, check_segment, decode_segment
from sesame.catalogue import N_, Language, translator
from sesame.store.access import NO_HEAD
from sesame.store.buckets import bucket_of
from sesame.store.chains import ChainLine, Opening, read_chain, read_opening, version_of_attempt
from sesame.store.engine import Store
from sesame.store.errors import SegmentLost
from sesame.store.segments import read_segment, segment_numbers

FORMAT = "sesame-evidence"


async def evidence_of(
    store: Store,
    user_code: str,
    login: int | bytes,
    *,
    stream: Path,
    key: Ed25519PublicKey,
) -> bytes:
    """The evidence file of *login*: the version that it led to, or the attempt's id (16 bytes).

    Raises:
        NoSuchLogin: the customer has no such line, or not any more; it is no login; or its
            values were altered.
        NotSealed: no seal of *stream* covers it.
        FalseSeal: the seal, the chain and the line do not fit together.
        StoreUnavailable: the database did not answer.
        StreamUnreadable: nor did the folder.
    """
    where = (bucket_of(user_code), user_code)
    version = login
    if isinstance(version, bytes):
        found = await store.read(partial(version_of_attempt, key=where, attempt=version))
        version = _no_such_line() if found is None else found
    lines = {line.version: line for line in await store.read(partial(read_chain, key=where))}
    opening = await store.read(partial(read_opening, key=where, version=version))
    line = lines.get(version) or _no_such_line()
    said = json.loads(line.line)
    if said["event"] not in SIGN_IN:
        raise NoSuchLogin(f"version {version} is of the kind {said['event']}")
    segment, sealed_version = _sealing(stream, user_code, version, said["at"])
    check_segment(segment, key)
    if isinstance(login, bytes) and said["attempt"] != login.hex():
        raise NoSuchLogin("the line that is kept under this attempt is of another one")
    if opening is not None and not _opens(said, user_code, opening):
        raise NoSuchLogin("the values behind its commitments were altered")
    chain = [found for at, found in sorted(lines.items()) if version < at <= sealed_version]
    return _file(line, opening, chain, segment, key)


def _opens(said: Mapping[str, Any], user_code: str, opening: Opening) -> bool:
    """Whether the line is about just these values."""
    values = {"subject": user_code, "address": opening.address}
    return all(
        said[name] == commitment(name, value, opening.salt) for name, value in values.items()
    )


def _no_such_line() -> Any:  # noqa: ANN401 -- it never returns
    raise NoSuchLogin("the customer has no such line, or the rule took it away")


def _sealing(stream: Path, user_code: str, version: int, at: str) -> tuple[Segment, int]:
    """The first segment whose seal covers *version*, and the version of its leaf."""
    for segment in _segments_since(stream, datetime.fromisoformat(at)):
        for leaf in segment.leaves:
            if leaf.user_code == user_code and leaf.version >= version:
                return segment, leaf.version
    raise NotSealed


def _segments_since(stream: Path, at: datetime) -> Iterator[Segment]:
    """The segments that may cover a line of the moment *at*, the likeliest first."""
    numbers = segment_numbers(stream)

    def sealed_at(number: int) -> datetime:
        return datetime.fromisoformat(_segment(stream, number).seal.seal.at)

    first = bisect_left(numbers, at - OVERLAP, key=sealed_at)
    for number in (*numbers[first:], *numbers[:first]):  # where clocks differed by more
        yield _segment(stream, number)


def _segment(stream: Path, number: int) -> Segment:
    content = read_segment(stream, number)
    if content is None:
        raise SegmentLost(stream, number)
    return decode_segment(content)


def _file(
    line: ChainLine,
    opening: Opening | None,
    chain: list[ChainLine],
    segment: Segment,
    key: Ed25519PublicKey,
) -> bytes:
    leaves = segment.leaves
    place = next(at for at, leaf in enumerate(leaves) if leaf.user_code == line.user_code)
    leaf = leaves[place]
    # The way from the line to the leaf must be whole, or the file would be refused.
    rows = [Row(one.version, one.line, one.head) for one in (line, *chain)]
    start = Head(line.version - 1, bytes.fromhex(json.loads(line.line)["prev"]))
    before = None if start.head == NO_HEAD else start
    head, finding = continuation(line.user_code, rows, before)
    if finding is not None or head != Head(leaf.version, leaf.head):
        raise FalseSeal(f"number {segment.number} does not cover the chain as it is now")
    content: dict[str, Any] = {
        "format": FORMAT,
        "v": 1,
        "login": {"line": line.line.decode(), "user_code": line.user_code, **_opened(opening)},
        "chain": [one.line.decode() for one in chain],
        "path": [
            [side, neighbour.hex()]
            for side, neighbour in path_of([one.hash for one in leaves], place)
        ],
        "seal": segment.seal.text.decode(),
        "signature": segment.seal.signature.hex(),
        "public_key": key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex(),
        "words": {
            language.value: _words(language, line, segment, key, opened=opening is not None)
            for language in Language
        },
    }
    content["sha256"] = hashlib.sha256(_text(content)).hexdigest()
    return _text(content)


def _opened(opening: Opening | None) -> dict[str, str]:
    """What opens the line's commitments; nothing once that was erased.

    Whose line it is still follows, for the leaf under the seal names the user code.
    """
    return {} if opening is None else {"salt": opening.salt.hex(), "address": opening.address}


def _words(
    language: Language, line: ChainLine, segment: Segment, key: Ed25519PublicKey, *, opened: bool
) -> list[str]:
    """What the file shows, in sentences. They prove nothing; what they say stands in the line."""
    say, said = translator(language), json.loads(line.line)
    accepted = said["outcome"] == "accepted"
    sentences = [
        (_ACCEPTED if accepted else _REFUSED),
        (_CARD if said["cards"] else _NO_CARD),
        (_COMMITTED if opened else _ERASED),
        _SEALED,
        _CHECK,
    ]
    cards = [
        say(_WHICH).format(number=number, profile=profile, atc=atc)
        for number, profile, atc in said["cards"]
    ]
    seal = segment.seal.seal
    values = {
        "at": _moment(said["at"]),
        "user_code": line.user_code,
        "version": line.version,
        "cards": say(_OR).join(cards),
        "seal": seal.number,
        "sealed_at": _moment(seal.at),
        "key": fingerprint(key).hex(),
    }
    return [say(one).format(**values) for one in sentences]


_ACCEPTED = N_(
    "Le {at} (UTC), la banque a accepté une connexion à l’accès {user_code}\u00a0: c’est la ligne "
    "{version} de son journal."
)
_REFUSED = N_(
    "Le {at} (UTC), la banque a refusé une tentative de connexion à l’accès "
    "{user_code}\u00a0: c’est la ligne {version} de son journal."
)
_CARD = N_(
    "Selon cette ligne, le code était celui que calcule la carte {cards} de cet abonné, après "
    "saisie de son code secret. Le deviner est possible, mais très improbable\u202f; qui détient "
    "les clés de la banque peut le calculer aussi. Qui l’a tapé, la ligne n’en dit rien."
)
_WHICH = N_("n°\u00a0{number} (profil {profile}, compteur ATC {atc})")
_OR = N_(" ou ")  # a code may fit two cards
_NO_CARD = N_("Aucun code de carte n’a été accepté dans cette tentative.")
_COMMITTED = N_(
    "La ligne engage la banque sur l’accès et sur l’adresse d’où venait la tentative\u00a0: le sel "
    "joint permet de le vérifier."
)
_ERASED = N_(
    "L’adresse d’où venait la tentative a été effacée, avec son sel, par la règle de "
    "conservation : la ligne n’engage plus que sur l’accès, que le sceau nomme."
)
_SEALED = N_(
    "Le {sealed_at} (UTC), le sceau n°\u00a0{seal} a fixé cette ligne et toutes celles d’avant, "
    "par la clé d’empreinte {key}. Depuis, elles n’ont pas changé. Il ne dit rien de ce qui a "
    "précédé l’écriture de la ligne."
)
_CHECK = N_(
    "Ces phrases ne prouvent rien par elles-mêmes. Le programme check_evidence.py refait tous les "
    "calculs\u00a0; comparez l’empreinte de la clé à celle que la banque a publiée."
)


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
