"""A Merkle tree over the heads that a seal vouches for (docs/decisions/0026).

Shaped as in RFC 9162, 2.1: neighbours are joined level by level, and who is left over moves up
as it is. Leaves, nodes and the tree of nothing are hashed behind words of their own, so that
none can be taken for another.
"""

import hashlib
from collections.abc import Sequence
from enum import StrEnum, unique

_DOMAIN = b"sesame-audit-1\x00"
VERSION_LENGTH = 8  # bytes, big-endian


@unique
class Side(StrEnum):
    """On which side of the way up a neighbour stands."""

    LEFT = "left"
    RIGHT = "right"


Path = Sequence[tuple[Side, bytes]]


def leaf_hash(user_code: str, version: int, head: bytes) -> bytes:
    """The leaf (32 bytes) of a customer's chain that stands at *version* with *head* (32 bytes)."""
    content = user_code.encode() + b"\x00" + version.to_bytes(VERSION_LENGTH) + head
    return hashlib.sha256(_DOMAIN + b"leaf\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The node (32 bytes) above two others."""
    return hashlib.sha256(_DOMAIN + b"node\x00" + left + right).digest()


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The root (32 bytes) above *leaves*; above none, a hash of its own."""
    if not leaves:
        return hashlib.sha256(_DOMAIN + b"no leaf\x00").digest()
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path_of(leaves: Sequence[bytes], place: int) -> list[tuple[Side, bytes]]:
    """The neighbours on the way from the leaf at *place*, counted from 0, up to the root."""
    path = []
    level = list(leaves)
    while len(level) > 1:
        neighbour = place ^ 1
        if neighbour < len(level):
            path.append((Side.LEFT if neighbour < place else Side.RIGHT, level[neighbour]))
        level, place = _above(level), place // 2
    return path


def root_above(leaf: bytes, path: Path) -> bytes:
    """The root to which *path* leads from *leaf*."""
    for side, neighbour in path:
        leaf = node_hash(neighbour, leaf) if side is Side.LEFT else node_hash(leaf, neighbour)
    return leaf


def _above(level: Sequence[bytes]) -> list[bytes]:
    joined = [node_hash(*level[at : at + 2]) for at in range(0, len(level) - 1, 2)]
    return joined + list(level[len(level) & ~1 :])
