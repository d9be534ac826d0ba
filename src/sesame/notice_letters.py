"""Letters that tell customers of changes, out of the notices and dispatches that ask for them."""

from datetime import date

from sesame.bank.moments import from_row
from sesame.bank.notices import event_of, facts_of
from sesame.letters.letter import Actor, Addressee, HoldNotice, Notice, ReleaseNotice
from sesame.store.notices import NoticeRow
from sesame.web.opening import PARIS

_DESK = "desk"


def notice_letter(  # noqa: PLR0913 -- what it tells, to whom, and what every letter has
    kind: str, notice: NoticeRow, to: Addressee, *, reference: str, on: date, salt: bytes = b""
) -> HoldNotice | ReleaseNotice | Notice:
    """The letter of *kind*, one of `sesame.store.dispatches.TOLD`, that tells *notice*.

    Raises:
        MalformedLetter: the reference is none.
    """
    since = from_row(notice.at).astimezone(PARIS).date()
    by = Actor.DESK if facts_of(notice).by == _DESK else Actor.OWNER
    if kind == "hold":
        return HoldNotice(to=to, reference=reference, on=on, salt=salt, since=since, by=by)
    if kind == "release":
        return ReleaseNotice(to=to, reference=reference, on=on, salt=salt, since=since, by=by)
    event = event_of(notice)
    return Notice(to=to, reference=reference, on=on, salt=salt, since=since, event=event)
