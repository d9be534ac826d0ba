"""The calls of PKCS#11, as far as custody's own tests do not make them; on SoftHSM2."""

import threading
from pathlib import Path

import pytest

from sesame.custody.cryptoki import Attribute, Attributes, Kind, Rv, Template, load
from sesame.custody.errors import HsmModuleUnusable, HsmRefused
from tests.custody.tokens import empty_token, softhsm


@pytest.mark.parametrize("name", ["missing.so", "text.so", "/usr/lib/softhsm"])
def test_what_is_no_library_is_named(tmp_path: Path, name: str) -> None:
    """A path that is wrong, a file that is something else, a folder."""
    (tmp_path / "text.so").write_text("no library")
    with pytest.raises(HsmModuleUnusable, match="PKCS#11 module") as unusable:
        load(tmp_path / name)
    assert unusable.value.path == tmp_path / name


def test_a_library_of_something_else_is_named() -> None:
    """It loads, and has not the one function that every module has."""
    with pytest.raises(HsmModuleUnusable, match="C_GetFunctionList"):
        load(Path("libc.so.6"))


def test_a_template_as_c_wants_it() -> None:
    """Booleans are a byte, numbers an unsigned long, bytes themselves."""
    template: Template = {
        Attribute.TOKEN: True,
        Attribute.CLASS: Kind.SECRET_KEY,
        Attribute.LABEL: b"dpa",
    }
    lengths = [attribute.length for attribute in Attributes(template).native]
    assert lengths == [1, 8, 3]


@pytest.mark.needs("softhsm2")
def test_a_module_is_loaded_once() -> None:
    """Whoever asks for it in this process has the same one."""
    assert load(softhsm()) is load(softhsm())


@pytest.mark.needs("softhsm2")
def test_a_refusal_says_which_call_and_why() -> None:
    """Also where the module answers what we have no name for."""
    module = load(softhsm())
    for arguments, name, rv in (
        (("C_CloseSession", 987_654), "CKR_SESSION_HANDLE_INVALID", Rv.SESSION_HANDLE_INVALID),
        (("C_GetSlotList", 1, None, None), "0x00000007", 7),  # CKR_ARGUMENTS_BAD
    ):
        with pytest.raises(HsmRefused, match=f"answered {arguments[0]} with {name}") as refused:
            module.call(*arguments)
        assert refused.value.rv == rv


@pytest.mark.needs("softhsm2")
def test_what_an_object_has_not_is_none() -> None:
    """An error of the token would be one; a missing attribute is none."""
    session = empty_token("attributes").open()
    try:
        with pytest.raises(HsmRefused, match="CKR_OBJECT_HANDLE_INVALID"):
            session.read(987_654, Attribute.LABEL)
        assert session.find({Attribute.LABEL: b"nobody"}) == []
    finally:
        session.close()


@pytest.mark.needs("softhsm2")
def test_a_module_starts_anew_when_nobody_is_inside() -> None:
    """PKCS#11 forbids to end it under a running call; who comes meanwhile waits."""
    module = load(softhsm())
    happened: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def call(who: str) -> None:
        with module.calling():
            inside.set()
            go_on.wait(60)
            happened.append(who)

    def start() -> None:
        module.initialize_anew()
        happened.append("anew")

    threads = [threading.Thread(target=call, args=["early"]), threading.Thread(target=start)]
    threads[0].start()
    inside.wait(60)
    threads[1].start()
    while not module._closed:  # noqa: SLF001 -- until it waits
        pass
    late = threading.Thread(target=call, args=["late"])
    late.start()
    go_on.set()
    for thread in (*threads, late):
        thread.join(60)
    assert happened[0] == "early"
    assert set(happened) == {"early", "anew", "late"}
