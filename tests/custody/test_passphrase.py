"""Passphrases: the same from every keyboard, none that is tried first."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.custody.errors import (
    CustodyError,
    MalformedPassphrase,
    PassphraseExposed,
    PassphraseUnreadable,
    WeakPassphrase,
)
from sesame.custody.passphrase import Passphrase, read_passphrase

WORDS = "quatre mots tirés au sort"


@pytest.mark.parametrize(
    "typed",
    [
        "quatre mots tire\u0301s au sort",
        "quatre\u00a0mots\u202ftirés\u2003au sort",
    ],
    ids=["composed otherwise", "other spaces"],
)
def test_one_passphrase_from_every_keyboard(typed: str) -> None:
    """Accents put together otherwise and no-break spaces are the same characters."""
    assert Passphrase(typed) == Passphrase(WORDS)
    assert Passphrase(typed).encode() == WORDS.encode()


def test_capital_letters_and_spaces_count() -> None:
    """Nothing else is forgiven."""
    for other in (WORDS.upper(), f" {WORDS}", f"{WORDS} ", WORDS.replace(" ", "")):
        assert Passphrase(other) != Passphrase(WORDS)


@pytest.mark.parametrize("text", ["two\nlines", "a\ttab", "a\x00zero", "\udce9", "\x7f"], ids=repr)
def test_what_nobody_types_is_refused(text: str) -> None:
    """Control characters, and bytes that are no UTF-8."""
    with pytest.raises(MalformedPassphrase):
        Passphrase(text)


@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_passphrase_or_refused(data: bytes) -> None:
    """And what is a passphrase stays the same when it is written and read again."""
    try:
        passphrase = Passphrase.decode(data)
    except MalformedPassphrase:
        return
    assert Passphrase.decode(passphrase.encode()) == passphrase


def test_no_error_carries_it() -> None:
    """Not even one that caused another: a codec's own would hold all the bytes."""
    with pytest.raises(MalformedPassphrase) as refused:
        Passphrase.decode(WORDS.encode("latin-1"))
    assert refused.value.__context__ is None


def test_one_line_end_is_none_of_it() -> None:
    """What `echo` writes and what an editor of Windows writes mean the same."""
    assert Passphrase.decode(b"words\n") == Passphrase.decode(b"words\r\n") == Passphrase("words")
    with pytest.raises(MalformedPassphrase):
        Passphrase.decode(b"words\n\n")


@pytest.mark.parametrize(
    "weak", ["", "short", "elevenchars", "aaaaaaaaaaaaaaaa", "abcdeabcdeabcde", " " * 30]
)
def test_weak_passphrases(weak: str) -> None:
    """Under 12 characters, or under 6 different ones; the error does not repeat it."""
    with pytest.raises(WeakPassphrase) as refused:
        Passphrase(weak).check_strength()
    assert (refused.value.shortest, refused.value.different) == (12, 6)
    assert not weak.strip() or weak not in str(refused.value)


def test_strong_enough_passphrases() -> None:
    """The shortest that will do, and the one that we advise."""
    Passphrase("abcdefabcdef").check_strength()
    Passphrase(WORDS).check_strength()


def test_it_does_not_print_itself() -> None:
    """Not in a repr, not in a string."""
    assert WORDS not in f"{Passphrase(WORDS)!r} {Passphrase(WORDS)}"


def test_from_a_file(tmp_path: Path) -> None:
    """Mode 0600, one line."""
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    path.write_text(f"{WORDS}\n", encoding="utf-8")
    assert read_passphrase(path) == Passphrase(WORDS)


def test_from_a_pipe(tmp_path: Path) -> None:
    """As a password manager gives it."""
    path = tmp_path / "pipe"
    os.mkfifo(path, mode=0o600)
    writer = threading.Thread(target=path.write_text, args=(f"{WORDS}\n",))
    writer.start()
    assert read_passphrase(path) == Passphrase(WORDS)
    writer.join()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644, 0o601])
def test_a_file_that_others_may_read(tmp_path: Path, mode: int) -> None:
    """Whatever the group or the others may do with it is too much."""
    path = tmp_path / "passphrase"
    path.write_text(WORDS)
    path.chmod(mode)
    with pytest.raises(PassphraseExposed, match=f"mode {mode:04o}") as refused:
        read_passphrase(path)
    assert refused.value.path == path


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Each in the system's own words."""
    with pytest.raises(PassphraseUnreadable, match="No such file"):
        read_passphrase(tmp_path / "nothing")
    with pytest.raises(PassphraseUnreadable, match="Is a directory"):
        read_passphrase(tmp_path)


def test_a_file_that_holds_something_else(tmp_path: Path) -> None:
    """A picture, or a text of many pages."""
    path = tmp_path / "passphrase"
    path.touch(mode=0o600)
    for content in (b"\x89PNG\r\n\x1a\n", b"a line\n" * 10_000):
        path.write_bytes(content)
        with pytest.raises(CustodyError):
            read_passphrase(path)
