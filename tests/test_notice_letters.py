"""`sesame.notice_letters`: what is told by letter is printed, to its customer, and says no more."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Connection

from sesame.bank.issuing import NoticeGone
from sesame.bank.moments import to_row
from sesame.bank.notices import CHANNELS, Event, Outbox
from sesame.catalogue import Language
from sesame.letters.errors import MalformedLetter
from sesame.letters.letter import Actor, HoldNotice, Notice, ReleaseNotice
from sesame.notice_letters import notice_letter
from sesame.store.addresses import FORMER_ADDRESSES, AddressRow
from sesame.store.buckets import bucket_of
from sesame.store.dispatches import TOLD, list_dispatches
from sesame.store.notices import NoticeRow, insert_notice, list_notices
from sesame.web.notice_words import WORDS
from tests.bureaux import Works
from tests.letters.mail import addressee, text_of
from tests.test_posting import _texts as texts
from tests.test_posting import empty_bank, make, print_kind, url, works

__all__ = ["empty_bank", "url", "works"]

_ON = date(2026, 3, 4)


async def test_what_is_due_is_printed(works: Works, tmp_path: Path) -> None:
    """By kind, at once, once; the letter of a new address goes to the old one."""
    user_code = await works.new_customer("Nora Lebrun")
    key, at = (bucket_of(user_code), user_code), to_row(works.bank.now())
    old = AddressRow("", "", "3 QUAI PERDU", "", "69002", "LYON", "FR")
    told = {
        "hold": b'{"cards":1}',
        "address-changed": b"{}",
        "teleported": b"{}",
    }

    def note(connection: Connection) -> None:
        former = {"bucket": key[0], "user_code": key[1], "until": at, **old._asdict()}
        connection.execute(FORMER_ADDRESSES.insert().values(former))
        for number, (event, facts) in enumerate(told.items()):
            notice = bytes([number]) * 16
            insert_notice(connection, key, notice=notice, event=event, facts=facts, at=at)

    await works.bank.store.write(note)
    await Outbox(None).tell(works.bank)
    printed = await print_kind(works, "notice", tmp_path / "notice", by=0)
    assert (printed.letters, printed.left_out) == (2, [])
    both = sorted(texts(tmp_path / "notice").values(), key=lambda text: "QUAI" in text)
    assert "Votre accès à Coop@net a été modifié" in " ".join(both[0].split())
    assert "3 QUAI PERDU" in both[1]
    assert "69002 LYON" in both[1]
    assert not any(user_code in text for text in both)
    hold = await print_kind(works, "hold", tmp_path / "hold", by=0)
    assert hold.letters == 1
    assert "Vous avez bloqué vos codes Sésame" in " ".join(
        " ".join(texts(tmp_path / "hold").values()).split()
    )
    assert not (await print_kind(works, "notice", tmp_path / "again", by=0)).letters
    rows = await works.bank.store.read(lambda c: list_dispatches(c, key))
    assert all(row.printed_at for row in rows if row.kind in TOLD)


async def test_a_letter_whose_notice_is_gone(works: Works, tmp_path: Path) -> None:
    """Is left out, and said to be."""
    user_code = await works.new_customer("Nora Lebrun")
    key, at = (bucket_of(user_code), user_code), to_row(works.bank.now())
    await works.bank.store.write(
        lambda c: insert_notice(c, key, notice=bytes(16), event="hold", facts=b"{}", at=at)
    )
    await Outbox(None).tell(works.bank)
    await works.bank.store.write(lambda c: c.exec_driver_sql("DELETE FROM notices"))
    printed = await print_kind(works, "hold", tmp_path / "hold", by=0)
    assert not printed.letters
    assert [type(left.why) for left in printed.left_out] == [NoticeGone]


async def test_another_pin_is_told(works: Works, tmp_path: Path) -> None:
    """With the verdict that orders the card."""
    user_code = await works.new_customer("Nora Lebrun")
    await works.order_all()
    await make(works, tmp_path / "bureau.cms")
    key = (bucket_of(user_code), user_code)
    await works.office.agree(works.office.paul, await works.reprint(user_code, 1))
    notices = await works.bank.store.read(lambda c: list_notices(c, key))
    assert [notice.event for notice in notices] == ["reprint"]


def test_every_letter_of_a_channel_is_of_a_kind() -> None:
    """That is printed."""
    assert {channel.kind for channel in CHANNELS.values()} == set(TOLD)


def _row(event: str, facts: bytes = b"{}") -> NoticeRow:
    return NoticeRow(b"i" * 16, 1, "VERA2345", event, 0, facts, "none", 0)


def test_by_whom() -> None:
    """The desk where the notice says so; else its owner."""
    for facts, by in ((b"{}", Actor.OWNER), (b'{"by":"desk"}', Actor.DESK)):
        for kind, form in (("hold", HoldNotice), ("release", ReleaseNotice)):
            letter = notice_letter(
                kind, _row(kind, facts), addressee(), reference="7QK4-XM2P", on=_ON
            )
            assert isinstance(letter, form)
            assert letter.by is by


def test_its_words() -> None:
    """On paper: what was done, when, and whom to call; nobody's name but in the window."""
    letter = notice_letter("notice", _row("resync"), addressee(), reference="7QK4-XM2P", on=_ON)
    assert isinstance(letter, Notice)
    text = text_of(letter)
    assert "Votre carte a été remise en phase" in text
    assert "C’était le 1er janvier 1970." in text
    assert "Appelez-nous tout de suite" in text
    assert text.count("Lefèvre-Dubois") == 1
    assert "VERA2345" not in text


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.FRENCH, "Votre ancien code confidentiel ne sert plus"),
        (Language.ENGLISH, "Your old code is no longer in use"),
    ],
)
def test_the_end_of_an_old_code_on_paper(language: Language, said: str) -> None:
    """In the customer's language, with whom to call if it was not their doing."""
    to = replace(addressee(), language=language)
    letter = notice_letter("notice", _row("old-code"), to, reference="7QK4-XM2P", on=_ON)
    text = " ".join(text_of(letter).split())
    assert said in text
    assert "Coop@net" in text
    assert "01 99 00 26 40" in text


def test_an_event_without_words() -> None:
    """Is refused, with where to write them."""
    with pytest.raises(MalformedLetter, match="no words for the event 'teleported'"):
        Notice(to=addressee(), reference="7QK4-XM2P", on=_ON, since=_ON, event="teleported")
    assert set(WORDS) == set(Event)
