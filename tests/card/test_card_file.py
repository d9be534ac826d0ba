"""The card's file: whole after any cut, refused after any damage, one reader at a time."""

import fcntl
import hashlib
import json
import os
import shlex
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sesame.card import card_file
from sesame.card.card_file import CardSummary, create, open_card, read_summary, reissue
from sesame.card.errors import (
    CardFileDamaged,
    CardFileError,
    CardFileExists,
    CardFileExposed,
    CardFileGone,
    CardFileMissing,
    CardFileTooNew,
    CardFileUnusable,
    CardInUse,
    CardKeyMissing,
)
from sesame.card.memory import CardImage, CardKind, Counters
from sesame.emv.apdu import Command, Response, get_data, select
from sesame.emv.pin import Pin
from sesame.emv.tags import Tag
from tests.card.cards import (
    DATA,
    DPA,
    DPA_KEY,
    GPO,
    NEW,
    PAN,
    PAYMENT,
    PAYMENT_KEY,
    RIGHT,
    WRONG,
    bank_image,
    payment_image,
    sesame_image,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as a person names it."""
    folder = tmp_path / "mes cartes"
    folder.mkdir()
    return folder


@pytest.fixture
def card(folder: Path) -> Path:
    """A new Sésame card."""
    path = folder / "carte d'Élodie.json"
    create(path, sesame_image(), NEW)
    return path


def say(path: Path, *commands: Command) -> list[int]:
    """One transaction: the status words."""
    with open_card(path) as chip:
        return [Response.decode(chip.respond(command.encode())).sw for command in commands]


def sealed(body: bytes) -> bytes:
    """*body* with the checksum of its bytes, as anybody could write it."""
    return body + f',\n  "checksum": "{hashlib.sha256(body).hexdigest()}"\n}}\n'.encode()


def body_of(path: Path) -> bytes:
    """A file's bytes above its checksum."""
    return path.read_bytes().rpartition(b',\n  "checksum"')[0]


def edited(path: Path, **changes: object) -> bytes:
    """A file with other members, under a right checksum."""
    content = json.loads(path.read_bytes()) | changes
    del content["checksum"]
    return sealed(json.dumps(content, indent=2).encode().removesuffix(b"\n}"))


@contextmanager
def refused(path: Path, error: type[CardFileError], says: str | None = None) -> Iterator[None]:
    """The error comes, its message names the file, and the file is as it was."""
    before = path.read_bytes()
    with pytest.raises(error, match=says) as caught:
        yield
    assert type(caught.value) is error
    assert str(caught.value.path) in str(caught.value)
    assert path.read_bytes() == before


# ── What is in it ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("image", [sesame_image(), bank_image(), payment_image()])
def test_a_card_comes_back_as_it_was_made(folder: Path, image: CardImage) -> None:
    """Every field of the image, and the counters."""
    path = folder / "card.json"
    counters = Counters(atc=7, pin_tries_left=2, last_online_atc=5)
    create(path, image, counters)
    key = (folder / "card.key").read_bytes()
    assert card_file._decode(path, path.read_bytes(), key) == (image, counters)  # noqa: SLF001 -- a chip shows only part of it


def test_what_stands_in_it_for_all_to_see(folder: Path) -> None:
    """Format, version, kind, label, last four digits, expiry and counters; all else is sealed."""
    path = folder / "card.json"
    create(path, bank_image(), Counters(atc=7, pin_tries_left=2))
    plain = json.loads(path.read_bytes())
    assert {name: plain[name] for name in ("format", "version", "card")} == {
        "format": "sesame-card",
        "version": 1,
        "card": {
            "kind": "bank",
            "label": "CARTE BANCAIRE",
            "last4": PAN.last4,
            "expiry": "2029-12-31",
            "counters": {"atc": 7, "pin_tries_left": 2, "last_online_atc": 0},
        },
    }
    assert sorted(plain.keys() - {"format", "version", "card"}) == [
        "checksum",
        "key",
        "nonce",
        "sealed",
    ]


def test_the_file_alone_gives_no_secret_away(folder: Path) -> None:
    """Neither PIN, PAN, name nor key is in it, as digits, hexadecimal, base64 or bytes."""
    path = folder / "card.json"
    image = replace(bank_image(), data=replace(DATA, pin=Pin("830195274610")))
    create(path, image, NEW)
    content = path.read_bytes()
    secrets = [
        b"830195274610",
        DATA.name.encode(),
        PAN.digits.encode(),
        PAN.encode(),
        DPA_KEY.value,
        PAYMENT_KEY.value,
        image.applications[0].records[0].value,
    ]
    opened = content + b"".join(
        msgspec.json.decode(msgspec.json.encode(json.loads(content)[name]), type=bytes)
        for name in ("nonce", "sealed")
    )
    for secret in secrets:
        assert secret not in opened
        assert secret.hex().encode() not in content.lower()
        assert msgspec.json.encode(secret).strip(b'"=') not in content


def test_the_summary_needs_no_key(card: Path) -> None:
    """A list of cards is shown without the means to use them."""
    (card.parent / "card.key").unlink()
    summary = read_summary(card)
    assert summary == CardSummary(CardKind.SESAME, "SESAME", PAN.last4, DATA.expiry, NEW)
    assert not summary.pin_blocked
    assert PAN.digits not in repr(summary)


def test_the_summary_follows_the_chip(card: Path) -> None:
    """ATC and tries as they are after the last answer; at no try the PIN is blocked."""
    assert say(card, select(DPA), GPO, WRONG, WRONG, WRONG)[2:] == [0x63C2, 0x63C1, 0x63C0]
    summary = read_summary(card)
    assert summary.counters == Counters(atc=1, pin_tries_left=0)
    assert summary.pin_blocked


def test_each_write_has_a_nonce_of_its_own(card: Path) -> None:
    """GCM gives its secrets away when a nonce comes twice."""
    seen = set()
    for _ in range(20):
        seen.add(json.loads(card.read_bytes())["nonce"])
        say(card, select(DPA), GPO)
    assert len(seen) == 20


def test_card_and_key_are_their_owners_alone(card: Path) -> None:
    """Mode 0600 when made and after every write, under any umask."""
    mask = os.umask(0)
    try:
        create(card.with_name("another.json"), bank_image(), NEW)
        say(card, select(DPA), GPO)
    finally:
        os.umask(mask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in card.parent.iterdir()}
    assert modes == {card.name: 0o600, "another.json": 0o600, "card.key": 0o600}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
@pytest.mark.parametrize("exposed", ["card", "key"])
def test_a_file_that_others_may_read_is_refused(card: Path, mode: int, exposed: str) -> None:
    """And the sentence says what to run."""
    path = card if exposed == "card" else card.parent / "card.key"
    path.chmod(mode)
    with pytest.raises(CardFileExposed) as caught, open_card(card):
        pass
    command = str(caught.value).rpartition("run  ")[2]
    assert shlex.split(command) == ["chmod", "600", str(path)]
    path.chmod(0o600)
    assert say(card, select(DPA)) == [0x9000]


# ── Making and replacing ─────────────────────────────────────────────────────────────────────────


def test_cards_of_one_folder_share_its_key(folder: Path) -> None:
    """32 bytes, made with the first card and never changed."""
    create(folder / "a.json", sesame_image(), NEW)
    key = (folder / "card.key").read_bytes()
    create(folder / "b.json", bank_image(), NEW)
    assert (folder / "card.key").read_bytes() == key
    assert len(key) == 32
    assert say(folder / "a.json", select(DPA)) == say(folder / "b.json", select(PAYMENT))


def test_a_card_is_not_made_over_another(card: Path) -> None:
    """The first one stays as it is."""
    with refused(card, CardFileExists, "exists already"):
        create(card, bank_image(), NEW)


def test_a_card_needs_a_folder(tmp_path: Path) -> None:
    """Nobody guesses where it should have been."""
    for path in (tmp_path / "nowhere" / "card.json", Path(__file__) / "card.json"):
        with pytest.raises(CardFileMissing, match="no such folder"):
            create(path, sesame_image(), NEW)


@pytest.mark.parametrize("use", [read_summary, lambda path: say(path, GPO)])
def test_a_card_that_is_not_there(folder: Path, use: Callable[[Path], object]) -> None:
    """Nothing is made by looking for it."""
    with pytest.raises(CardFileMissing, match="no such card file"):
        use(folder / "card.json")
    with pytest.raises(CardFileMissing, match="no such card file"):
        reissue(folder / "card.json", sesame_image(), NEW)
    assert list(folder.iterdir()) == []


def test_reissue_puts_another_card_in_its_place(card: Path) -> None:
    """Everything is the new card's."""
    say(card, select(DPA), GPO, WRONG)
    reissue(card, bank_image(), NEW)
    assert read_summary(card).kind is CardKind.BANK
    assert read_summary(card).counters == NEW
    assert say(card, select(PAYMENT), GPO, RIGHT) == [0x9000] * 3


@pytest.mark.parametrize("harm", [b"", b"not a card", b"\xff" * 5000])
def test_reissue_mends_a_damaged_card(card: Path, harm: bytes) -> None:
    """The remedy that the error names works, with and without the folder's key."""
    card.write_bytes(harm)
    reissue(card, sesame_image(), NEW)
    assert say(card, select(DPA)) == [0x9000]
    card.write_bytes(harm)
    (card.parent / "card.key").write_bytes(harm)
    reissue(card, sesame_image(), NEW)
    assert say(card, select(DPA)) == [0x9000]


def test_a_card_behind_a_link_stays_where_it_is(card: Path, tmp_path: Path) -> None:
    """The file is replaced in its own folder, where its key is; the link stays a link."""
    link = tmp_path / "link.json"
    link.symlink_to(card)
    assert say(link, select(DPA), GPO) == [0x9000, 0x9000]
    assert link.is_symlink()
    assert read_summary(card).counters.atc == 1


# ── Damage ───────────────────────────────────────────────────────────────────────────────────────


def test_every_changed_byte_is_noticed(card: Path) -> None:
    """Each byte of the file, changed in its lowest bit, its highest, and that of its case."""
    whole = card.read_bytes()
    for at in range(len(whole)):
        for mask in (0x01, 0x20, 0x80):
            harmed = bytearray(whole)
            harmed[at] ^= mask
            card.write_bytes(harmed)
            with pytest.raises(CardFileDamaged):
                read_summary(card)
        with refused(card, CardFileDamaged), open_card(card):
            pass
    card.write_bytes(whole)
    assert say(card, select(DPA)) == [0x9000]


def test_every_shortened_file_is_noticed(card: Path) -> None:
    """Cut at any byte, or with one more."""
    whole = card.read_bytes()
    for content in [*(whole[:length] for length in range(len(whole))), whole + b"\n", b" " + whole]:
        card.write_bytes(content)
        with pytest.raises(CardFileDamaged):
            read_summary(card)
    with refused(card, CardFileDamaged, "put a new card in its place"), open_card(card):
        pass


@pytest.mark.parametrize("at", range(32))
def test_every_changed_byte_of_the_key_is_noticed(card: Path, at: int) -> None:
    """It is another key, then: put the right one back."""
    path = card.parent / "card.key"
    key = bytearray(path.read_bytes())
    key[at] ^= 0x10
    path.write_bytes(key)
    with refused(card, CardKeyMissing, "put the folder's card.key back"), open_card(card):
        pass


@pytest.mark.parametrize("key", [None, b"", bytes(31), bytes(33)])
def test_a_card_without_its_key_is_of_no_use(card: Path, key: bytes | None) -> None:
    """A copied card file gives nothing away, and says what is missing."""
    path = card.parent / "card.key"
    path.unlink()
    if key is not None:
        path.write_bytes(key)
        path.chmod(0o600)
    with refused(card, CardKeyMissing, "or there is none"), open_card(card):
        pass


def test_counters_edited_by_hand_are_damage(card: Path) -> None:
    """The seal holds them too: a right checksum does not help."""
    say(card, select(DPA), GPO, WRONG, WRONG, WRONG)
    plain = json.loads(card.read_bytes())["card"]
    plain["counters"]["pin_tries_left"] = 3
    card.write_bytes(edited(card, card=plain))
    with refused(card, CardFileDamaged), open_card(card):
        pass


def test_two_cards_are_not_mixed(card: Path) -> None:
    """The seal of one does not open under the counters of another."""
    other = card.with_name("other.json")
    create(other, sesame_image(), Counters(atc=500, pin_tries_left=3))
    old = json.loads(card.read_bytes())
    card.write_bytes(edited(other, sealed=old["sealed"], nonce=old["nonce"]))
    with refused(card, CardFileDamaged), open_card(card):
        pass


@pytest.mark.parametrize("version", [2, 3, 10**6])
def test_a_newer_file_is_left_to_the_program_that_wrote_it(card: Path, version: int) -> None:
    """Whatever else stands in it: format, version and checksum are all that must be known."""
    for content in (
        edited(card, version=version),
        sealed(f'{{"format": "sesame-card", "version": {version}, "new": [1]'.encode()),
    ):
        card.write_bytes(content)
        with refused(card, CardFileTooNew, "install the program"), open_card(card):
            pass
        with refused(card, CardFileTooNew, f"version {version}"):
            read_summary(card)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"version": -1},
        {"version": "1"},
        {"format": "other"},
        {"format": "other", "version": 2},
        {"format": None},
        {"card": {}},
        {"card": None},
        {"new": 1},
        {"nonce": ""},
        {"nonce": "é"},
        {"sealed": ""},
        {"sealed": "AAAA"},
    ],
)
def test_other_members_are_damage(card: Path, changes: dict[str, object]) -> None:
    """JSON under a right checksum, and no card of ours."""
    card.write_bytes(edited(card, **changes))
    with refused(card, CardFileDamaged), open_card(card):
        pass


@pytest.mark.parametrize(
    "counters",
    [{"atc": 65536, "pin_tries_left": 3}, {"atc": 0, "pin_tries_left": -1}, {"atc": 1.5}],
)
def test_counters_that_no_chip_has_are_damage(card: Path, counters: dict[str, object]) -> None:
    """They are refused before anything is opened."""
    plain = json.loads(card.read_bytes())["card"] | {"counters": counters}
    card.write_bytes(edited(card, card=plain))
    with refused(card, CardFileDamaged):
        read_summary(card)


@pytest.mark.parametrize(
    ("secret", "value"),
    [
        ("pan", "1234567890123456"),
        ("pin", "12"),
        ("name", ""),
        ("atr", ""),
        ("applications", []),
        ("effective", "2031-01-01"),
        ("effective", "never"),
        ("more", 1),
    ],
)
def test_a_sealed_image_that_no_chip_has_is_damage(card: Path, secret: str, value: object) -> None:
    """Even who has the key cannot make the chip contradict itself; no secret is in the error."""
    key = (card.parent / "card.key").read_bytes()
    file = card_file._check(card, card.read_bytes())  # noqa: SLF001 -- the test has the key
    aes = AESGCM(key)
    summary = msgspec.json.encode(file.card)
    inside = json.loads(aes.decrypt(file.nonce, file.sealed, summary)) | {secret: value}
    resealed = aes.encrypt(file.nonce, json.dumps(inside).encode(), summary)
    text = msgspec.json.decode(msgspec.json.encode(resealed), type=str)
    card.write_bytes(edited(card, sealed=text))
    with refused(card, CardFileDamaged), open_card(card):
        pass


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda values: st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=9), values),
    max_leaves=12,
)
_BODIES = st.one_of(
    st.binary(max_size=400),
    _JSON.map(lambda value: json.dumps(value).encode()),
    _JSON.map(
        lambda value: json.dumps({"format": "sesame-card", "version": 1, "card": value})[:-1]
    ).map(str.encode),
    st.integers(1, 10**5).map(lambda depth: b'{"format": ' + b"[" * depth),
    st.integers(1, 10**5).map(lambda depth: b'{"x": ' + b"[" * depth + b"]" * depth),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(body=_BODIES, proper=st.sampled_from([sealed, bytes]))
def test_any_bytes_are_a_card_or_a_proper_error(
    card: Path, body: bytes, proper: Callable[[bytes], bytes]
) -> None:
    """With a right checksum and without: damaged or too new, and nothing else."""
    card.write_bytes(proper(body))
    with pytest.raises((CardFileDamaged, CardFileTooNew)):
        read_summary(card)
    with pytest.raises((CardFileDamaged, CardFileTooNew)), open_card(card):
        pass
    assert card.read_bytes() == proper(body)


def test_what_the_system_refuses_is_told_in_its_words(folder: Path) -> None:
    """A path that no system can have."""
    with pytest.raises(CardFileUnusable, match="too long"):
        read_summary(folder / ("x" * 1000) / "card.json")


def test_a_folder_is_no_card(folder: Path) -> None:
    """What the system refuses is told in its words."""
    path = folder / "card.json"
    create(folder / "other.json", sesame_image(), NEW)
    path.mkdir(mode=0o700)
    for use in (read_summary, lambda path: say(path, GPO)):
        with pytest.raises(CardFileUnusable, match="directory"):
            use(path)


# ── Writing ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sync", ["of the file", "of the folder"])
def test_a_write_that_fails_takes_the_chip_its_power(
    card: Path, monkeypatch: pytest.MonkeyPatch, sync: str
) -> None:
    """No answer leaves, then or later; the card is whole, and free for the next reader."""
    real = os.fsync

    def full(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) == (sync == "of the folder"):
            raise OSError(28, "No space left on device")
        real(descriptor)

    with open_card(card) as chip:
        chip.respond(select(DPA).encode())
        with monkeypatch.context() as patch:
            patch.setattr("sesame.card.card_file.os.fsync", full)
            with pytest.raises(CardFileUnusable, match="No space left on device"):
                chip.respond(GPO.encode())
        assert sorted(path.name for path in card.parent.iterdir()) == ["card.key", card.name]
        with pytest.raises(CardFileUnusable, match="out of the reader"):
            chip.respond(GPO.encode())
        assert say(card, select(DPA), GPO) == [0x9000, 0x9000]
    # What did not become durable for sure may be there all the same: an ATC is lost.
    assert read_summary(card).counters == Counters(1 if sync == "of the file" else 2, 3)


def test_a_deleted_card_stays_deleted(card: Path) -> None:
    """Its chip in the reader gets no counter kept and answers no more; nothing is written."""
    with open_card(card) as chip:
        chip.respond(select(DPA).encode())
        card.unlink()
        with pytest.raises(CardFileGone, match="deleted"):
            chip.respond(GPO.encode())
        with pytest.raises(CardFileUnusable, match="out of the reader"):
            chip.respond(GPO.encode())
    assert [path.name for path in card.parent.iterdir()] == ["card.key"]


def test_a_card_that_was_put_in_the_place_of_another_is_not_written_over(card: Path) -> None:
    """As when a demonstration is made anew while one of its cards is in a slot."""
    with open_card(card) as chip:
        chip.respond(select(DPA).encode())
        card.unlink()
        (card.parent / "card.key").unlink()
        create(card, bank_image(), NEW)
        new = card.read_bytes()
        with refused(card, CardFileGone, "another card put in its place"):
            chip.respond(GPO.encode())
    assert card.read_bytes() == new
    assert say(card, select(DPA), GPO) == [0x9000, 0x9000]


def test_a_chip_outside_its_transaction_cannot_move(card: Path) -> None:
    """Who keeps the chip after the card was taken out gets no code from it."""
    with open_card(card) as chip:
        chip.respond(select(DPA).encode())
    with refused(card, CardFileUnusable, "out of the reader"):
        chip.respond(GPO.encode())


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_the_card_is_free_after_any_end(card: Path, error: type[BaseException]) -> None:
    """Whatever ends the transaction, the lock ends with it and the error goes through."""

    def end() -> None:
        with open_card(card) as chip:
            chip.respond(select(DPA).encode())
            chip.respond(GPO.encode())
            raise error

    with pytest.raises(error):
        end()
    assert say(card, select(DPA), GPO) == [0x9000, 0x9000]


# ── One reader at a time ─────────────────────────────────────────────────────────────────────────


def worker(*arguments: object) -> subprocess.Popen[str]:
    """Another process at the card."""
    command = [sys.executable, "-m", "tests.card.worker", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_a_card_in_use_is_refused(card: Path) -> None:
    """Before and after the holder's file was replaced; the summary may be read meanwhile."""
    with open_card(card) as chip:
        for command in (select(DPA), GPO, WRONG, GPO):
            chip.respond(command.encode())
            with pytest.raises(CardInUse, match="another reader"), open_card(card):
                pass
            with pytest.raises(CardInUse, match="another reader"):
                reissue(card, sesame_image(), NEW)
        assert read_summary(card).counters == Counters(atc=1, pin_tries_left=2)
    assert say(card, select(DPA)) == [0x9000]


def test_who_waits_gets_the_card_when_it_is_free(card: Path) -> None:
    """And sees what the holder left, not what was there when the wait began."""
    waiting = threading.Event()
    seen: list[bytes] = []

    def wait() -> None:
        waiting.set()
        with open_card(card, wait=60) as chip:
            chip.respond(select(DPA).encode())
            seen.append(chip.respond(get_data(Tag.ATC).encode()))

    with open_card(card) as chip:
        other = threading.Thread(target=wait)
        other.start()
        waiting.wait()
        for _ in range(3):
            chip.respond(select(DPA).encode())
            chip.respond(GPO.encode())
    other.join()
    assert seen == [bytes.fromhex("9F360200039000")]


def test_who_locks_a_file_that_is_no_longer_the_card_looks_again(
    card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the opening of the file and its locking, its holder wrote and let it go."""
    real = fcntl.flock
    late = iter([True])

    def flock(descriptor: int, operation: int) -> None:
        if next(late, False):
            assert say(card, select(DPA), GPO) == [0x9000, 0x9000]
        real(descriptor, operation)

    monkeypatch.setattr("sesame.card.card_file.fcntl.flock", flock)
    with open_card(card, wait=60) as chip:
        with pytest.raises(CardInUse), open_card(card):
            pass
        chip.respond(select(DPA).encode())
        assert chip.respond(get_data(Tag.ATC).encode()) == bytes.fromhex("9F360200019000")


def test_cards_made_at_once_share_one_key(folder: Path) -> None:
    """Four makers in an empty folder, each with a card of its own and all with one more."""
    taken = []

    def make(where: Path, start: threading.Barrier, number: int) -> None:
        start.wait()
        create(where / f"{number}.json", sesame_image(), NEW)
        try:
            create(where / "one.json", sesame_image(), NEW)
        except CardFileExists as error:
            taken.append(error.path)

    for time in range(20):
        where = folder / str(time)
        where.mkdir()
        start = threading.Barrier(4)
        makers = [threading.Thread(target=make, args=(where, start, n)) for n in range(4)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        for name in ("0", "1", "2", "3", "one"):
            assert say(where / f"{name}.json", select(DPA)) == [0x9000]
    assert len(taken) == 20 * 3


def test_other_cards_of_the_folder_are_free(card: Path) -> None:
    """A lock is one card's."""
    other = card.with_name("other.json")
    with open_card(card):
        create(other, bank_image(), NEW)
        assert say(other, select(DPA), GPO) == [0x9000, 0x9000]


def test_a_killed_holder_leaves_the_card_free(card: Path) -> None:
    """Another process in the middle of a transaction, killed: the next may begin at once."""
    with worker("hold", card) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(CardInUse), open_card(card):
            pass
        holder.kill()
    with open_card(card, wait=60) as chip:  # the system needs a moment to bury it
        chip.respond(select(DPA).encode())
        assert chip.respond(get_data(Tag.ATC).encode()) == bytes.fromhex("9F360200019000")


def test_two_processes_share_one_card(card: Path) -> None:
    """Each transaction has an ATC of its own, and none is lost."""
    workers = [worker("work", card, 60) for _ in range(2)]
    atcs = [int(line) for process in workers for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in workers] == [0, 0]
    assert sorted(atcs) == list(range(1, 121))
    assert read_summary(card).counters == Counters(atc=120, pin_tries_left=3)


# ── Kill −9 ──────────────────────────────────────────────────────────────────────────────────────


def ledger(*arguments: object) -> dict[str, Any]:
    """What a worker that kills its children found."""
    with worker(*arguments) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize("seed", [1, 2])
def test_a_thousand_kills_repeat_no_atc_and_give_back_no_try(card: Path, seed: int) -> None:
    """SIGKILL at random moments of a child that makes transactions, a thousand times.

    The moment is drawn from the first report of each life on: it falls between commands,
    within one, within a write of the file. After each kill the file opens at once, no ATC
    is below one that was answered, none is answered again, and the tries left are no more
    than the card last said, unless a right PIN was on its way. A kill takes the process,
    not the machine: what a power cut may lose is the next test's.
    """
    found = ledger("kill", card, 1000, seed)
    assert found["problems"] == []
    assert found["lives"] == 1000
    # The kills fell where it hurts: with drafts half way, tries spent, codes made.
    assert min(found[name] for name in ("atcs", "wrong", "right", "drafts")) > 0


def test_a_kill_before_each_system_call(card: Path) -> None:
    """The same, not at random: before the first call on the card, before the second, and so on.

    Until a child lives through a transaction with a wrong and one with a right PIN.
    """
    found = ledger("kill-each", card)
    assert found["problems"] == []
    assert found["lives"] > 50
    assert found["blocked"] > 0  # killed between the last try's spending and its return


# ── Power cuts ───────────────────────────────────────────────────────────────────────────────────


@dataclass
class Disk:
    """What a disk may hold when the power goes, at any moment of what the card file does.

    A model as mean as POSIX allows. A file's bytes are sure when it was synced after its
    last write; before, any first part of them may be there. A folder's names are sure when
    it was synced; before, any first part of its changes may be. The real calls are made
    too, on real files.
    """

    folder: Path
    names: list[dict[str, int]] = field(default_factory=lambda: [{}])  # sure, then changes
    files: dict[int, bytes] = field(default_factory=dict)  # by a number of our own
    sure: set[int] = field(default_factory=set)
    of_descriptor: dict[int, int] = field(default_factory=dict)
    examine: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- the rest of os
        return getattr(os, name)

    def open(self, name: str, flags: int, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401 -- as os
        """Making a file is a change of the folder."""
        descriptor = os.open(name, flags, *args, **kwargs)
        if flags & os.O_CREAT:
            number = len(self.files)
            self.files[number] = b""
            self.of_descriptor[descriptor] = number
            self._rename({**self.names[-1], name: number})
        return descriptor

    @contextmanager
    def fdopen(self, descriptor: int, *args: Any, **kwargs: Any) -> Iterator[Any]:  # noqa: ANN401 -- as os
        """What is written is unsure."""
        number = self.of_descriptor[descriptor]
        disk = self

        class Stream:
            def write(self, content: bytes) -> None:
                disk.files[number] += content
                disk.sure.discard(number)
                stream.write(content)

        with os.fdopen(descriptor, *args, **kwargs) as stream:
            yield Stream()
        self.examine()

    def fsync(self, descriptor: int) -> None:
        """After it, a file's bytes or a folder's names are sure. Durable in the model only."""
        self.examine()
        if descriptor in self.of_descriptor:
            self.sure.add(self.of_descriptor[descriptor])
        else:
            self.names = [self.names[-1]]
        self.examine()

    def rename(self, old: str, new: str, **kwargs: Any) -> None:  # noqa: ANN401 -- as os
        """One change of the folder, never half of one."""
        os.rename(old, new, **kwargs)  # noqa: PTH104 -- in the open folder
        names = dict(self.names[-1])
        names[new] = names.pop(old)
        self._rename(names)

    def unlink(self, name: str, **kwargs: Any) -> None:  # noqa: ANN401 -- as os
        """Likewise."""
        os.unlink(name, **kwargs)
        self._rename({n: number for n, number in self.names[-1].items() if n != name})

    def close(self, descriptor: int) -> None:
        """The number may come again for another file."""
        os.close(descriptor)
        self.of_descriptor.pop(descriptor, None)

    def after_a_cut(self) -> Iterator[dict[str, list[bytes]]]:
        """Every folder that may be found: for each name, every content."""
        for names in self.names:
            yield {name: self._contents(number) for name, number in names.items()}

    def _contents(self, number: int) -> list[bytes]:
        content = self.files[number]
        if number in self.sure:
            return [content]
        return [content[:length] for length in range(len(content) + 1)]

    def _rename(self, names: dict[str, int]) -> None:
        self.names.append(names)
        self.examine()


@pytest.fixture
def disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """A disk that may lose power."""
    disk = Disk(folder)
    monkeypatch.setattr("sesame.card.card_file.os", disk)
    return disk


def test_a_power_cut_repeats_no_atc_and_gives_back_no_try(folder: Path, disk: Disk) -> None:
    """At every call and every byte of a card's making and of its transactions.

    Whatever the disk may then hold: no card yet, or a whole one beside its key, with an
    ATC no lower and tries no more than the chip has answered.
    """
    path = folder / "card.json"
    beside = folder.parent / "found.json"
    told: dict[str, Any] = {"made": False, "atc": 0, "tries": 3}
    known: dict[bytes, Counters] = {}
    cuts = 0

    def counters(content: bytes) -> Counters:
        if content not in known:
            beside.write_bytes(content)
            beside.chmod(0o600)
            known[content] = read_summary(beside).counters
        return known[content]

    def examine() -> None:
        nonlocal cuts
        for found in disk.after_a_cut():
            cuts += 1
            if path.name not in found:
                assert not told["made"]
                continue
            (key,) = found["card.key"]
            assert len(key) == 32
            for content in found[path.name]:
                after = counters(content)
                assert after.atc >= told["atc"]
                assert after.pin_tries_left <= told["tries"]

    disk.examine = examine
    create(path, sesame_image(), NEW)
    told["made"] = True
    examine()
    for commands in ([GPO, WRONG, WRONG], [GPO, RIGHT], [GPO, WRONG, RIGHT, WRONG], [GPO]):
        with open_card(path) as chip:
            chip.respond(select(DPA).encode())
            for command in commands:
                if command is RIGHT:
                    told["tries"] = 3
                chip.respond(command.encode())
                now = {
                    tag: int.from_bytes(chip.respond(get_data(tag).encode())[3:-2])
                    for tag in (Tag.ATC, Tag.PIN_TRY_COUNTER)
                }
                told |= {"atc": now[Tag.ATC], "tries": now[Tag.PIN_TRY_COUNTER]}
                examine()
    assert counters(path.read_bytes()) == Counters(atc=4, pin_tries_left=2)
    assert cuts > 100


@pytest.mark.parametrize("carelessness", ["no sync of the file", "no sync of the folder"])
def test_the_disk_finds_a_careless_writer(
    folder: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch, carelessness: str
) -> None:
    """The model above is no rubber stamp: without either sync, a cut does harm."""
    path = folder / "card.json"
    create(path, sesame_image(), NEW)
    careful = disk.fsync

    def careless(descriptor: int) -> None:
        if (descriptor in disk.of_descriptor) == (carelessness == "no sync of the folder"):
            careful(descriptor)

    monkeypatch.setattr(disk, "fsync", careless)
    assert say(path, select(DPA), GPO) == [0x9000, 0x9000]
    whole = {content for found in disk.after_a_cut() for content in found[path.name]}
    assert whole != {path.read_bytes()}


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, 1])
def test_a_draft_that_a_cut_left_is_nothing(card: Path, share: float) -> None:
    """It is not read, stands in nobody's way, and is gone after the next write."""
    say(card, select(DPA), GPO, WRONG)
    draft = card.with_name(f".{card.name}.new")
    content = card.read_bytes()
    draft.write_bytes(content[: int(share * len(content))])
    assert read_summary(card).counters == Counters(atc=1, pin_tries_left=2)
    assert say(card, select(DPA), GPO) == [0x9000, 0x9000]
    assert read_summary(card).counters == Counters(atc=2, pin_tries_left=2)
    assert not draft.exists()
