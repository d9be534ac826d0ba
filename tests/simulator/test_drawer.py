"""The file of the demonstration's cards."""

import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.simulator.drawer import (
    FILE_NAME,
    DemoCustomer,
    Drawer,
    Kind,
    OddCard,
    Oddity,
    load,
    save,
)
from sesame.simulator.errors import DrawerDamaged


def drawer_in(folder: Path) -> Drawer:
    """A drawer whose cards lie in *folder*."""
    camille = DemoCustomer(
        name="Camille Martin",
        user_code="CAMAR25X",
        kind=Kind.BANK,
        card=folder / "cards" / "camille.card",
        pin="4711",
        old_code="tilleul-1971",
    )
    expired = OddCard(oddity=Oddity.EXPIRED, card=folder / "cards" / "expired.card", pin="8642")
    return Drawer(customers=(camille,), odd_cards=(expired, OddCard(oddity=Oddity.MUTE)))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """All of it; saving again replaces it."""
    path = tmp_path / FILE_NAME
    save(Drawer(), path)
    save(drawer_in(tmp_path), path)
    assert load(path) == drawer_in(tmp_path)
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_can_be_moved(tmp_path: Path) -> None:
    """The file names the cards relative to where it stands itself."""
    here, there = tmp_path / "here", tmp_path / "over there"
    here.mkdir()
    save(drawer_in(here), here / FILE_NAME)
    here.rename(there)
    assert load(there / FILE_NAME) == drawer_in(there)


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    """PINs stand in it."""
    save(drawer_in(tmp_path), tmp_path / FILE_NAME)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_cards_lie_in_its_folder(tmp_path: Path) -> None:
    """A card elsewhere is refused, and the old file stays."""
    path = tmp_path / FILE_NAME
    save(drawer_in(tmp_path), path)
    with pytest.raises(ValueError, match=r"somewhere"):
        save(drawer_in(Path("/somewhere/else")), path)
    assert load(path) == drawer_in(tmp_path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    """RESET makes another."""
    with pytest.raises(DrawerDamaged, match=r"simulator\.json: the file is missing.*RESET=1"):
        load(tmp_path / FILE_NAME)


@given(content=st.binary() | st.sampled_from([b"{}", b"[]", b'{"odd_cards":[{"oddity":"mute"}]}']))
def test_any_bytes_are_a_drawer_or_damaged(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    """Nothing else is raised."""
    path = tmp_path_factory.mktemp("drawer") / FILE_NAME
    path.write_bytes(content)
    with suppress(DrawerDamaged):
        assert isinstance(load(path), Drawer)


def test_a_damaged_file_is_not_repeated(tmp_path: Path) -> None:
    """It holds PINs, and errors go to logs."""
    path = tmp_path / FILE_NAME
    path.write_bytes(b'{"customers":[{"card":4711}]}')
    with pytest.raises(DrawerDamaged, match="the file is not a drawer of cards") as caught:
        load(path)
    assert "4711" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_cards_have_names(tmp_path: Path) -> None:
    """A customer's card is called by the user code, an odd one by what is odd."""
    drawer = drawer_in(tmp_path)
    assert drawer.card("CAMAR25X") == tmp_path / "cards" / "camille.card"
    assert drawer.card("expired") == tmp_path / "cards" / "expired.card"
    assert drawer.card("mute") is None


@given(name=st.text())
def test_no_other_name_is_a_card(name: str) -> None:
    """Whatever it looks like: a path, another case."""
    drawer = drawer_in(Path("/folder"))
    if name not in {"CAMAR25X", "expired", "mute"}:
        with pytest.raises(KeyError):
            drawer.card(name)


def test_secrets_do_not_print_themselves(tmp_path: Path) -> None:
    """Neither PIN nor old code."""
    drawer = drawer_in(tmp_path)
    customer = replace(drawer.customers[0], card=Path("a.card"))
    assert repr(customer) == (
        "DemoCustomer(name='Camille Martin', user_code='CAMAR25X', "
        f"kind={Kind.BANK!r}, card={customer.card!r})"
    )
    assert "8642" not in repr(drawer)
