"""`sesame.bank.merkle`: every path leads to the root, and nothing else does."""

from hypothesis import given
from hypothesis import strategies as st

from sesame.bank.merkle import Side, leaf_hash, node_hash, path_of, root_above, tree_root

_leaves = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=40, unique=True)


@given(leaves=_leaves, data=st.data())
def test_every_leaf_has_a_path_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    """Of a length that grows with the number of bits, not of leaves."""
    place = data.draw(st.integers(0, len(leaves) - 1))
    path = path_of(leaves, place)
    assert root_above(leaves[place], path) == tree_root(leaves)
    assert len(path) <= (len(leaves) - 1).bit_length()


@given(leaves=_leaves, data=st.data())
def test_another_leaf_side_or_neighbour_leads_elsewhere(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """Whatever is changed on the way."""
    place = data.draw(st.integers(0, len(leaves) - 1))
    path, root = path_of(leaves, place), tree_root(leaves)
    assert root_above(leaves[place] + b"!", path) != root
    for step, (side, neighbour) in enumerate(path):
        other = Side.LEFT if side is Side.RIGHT else Side.RIGHT
        for instead in ((other, neighbour), (side, neighbour[::-1] + b"!")):
            assert root_above(leaves[place], [*path[:step], instead, *path[step + 1 :]]) != root


@given(leaves=_leaves, data=st.data())
def test_a_leaf_more_less_or_moved_makes_another_tree(
    leaves: list[bytes], data: st.DataObject
) -> None:
    """Also where the last one is said twice, which some trees do not tell apart."""
    at = data.draw(st.integers(0, len(leaves) - 1))
    others = [[*leaves[:at], *leaves[at + 1 :]], [*leaves, leaves[-1]], [*leaves, leaves[at]]]
    if at:
        moved = list(leaves)
        moved[0], moved[at] = moved[at], moved[0]
        others.append(moved)
    assert tree_root(leaves) not in [tree_root(other) for other in others]


@given(leaves=_leaves)
def test_the_shape_is_that_of_rfc_9162(leaves: list[bytes]) -> None:
    """Split at the largest power of two below the number of leaves."""
    assert tree_root(leaves) == _by_the_rfc(leaves)


def _by_the_rfc(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(_by_the_rfc(leaves[:split]), _by_the_rfc(leaves[split:]))


def test_leaves_nodes_and_nothing_are_told_apart() -> None:
    """A node's two children, taken for the content of a leaf, do not make that node."""
    left, right = b"l" * 32, b"r" * 32
    assert len({tree_root([]), leaf_hash("", 0, b""), node_hash(b"", b"")}) == 3
    user_code, version, head = "VERA2345", 7, b"h" * 32
    content = user_code.encode() + b"\x00" + version.to_bytes(8) + head
    assert node_hash(content[:24], content[24:]) != leaf_hash(user_code, version, head)
    assert node_hash(left, right) != node_hash(right, left)
    assert leaf_hash("VERA2345", 1, head) != leaf_hash("VERA2346", 1, head)
    assert leaf_hash("VERA2345", 1, head) != leaf_hash("VERA2345", 2, head)
