"""Cards in files, for a reader to meet: real chips with keys of their own."""

from dataclasses import replace
from datetime import date
from pathlib import Path

from sesame.cap.profile import Profile
from sesame.cap.profiles import BANK_CARD, SESAME_CARD
from sesame.card.card_file import create
from sesame.card.memory import CardData, Counters
from sesame.card.personalisation import bank_card, payment_card, sesame_card
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan
from sesame.emv.pin import Pin

PIN, WRONG = Pin("7391"), Pin("1937")
DKI = 1
DPA_KEY = DesKey(bytes.fromhex("0123456789ABCDEFFEDCBA9876543210"))
PAYMENT_KEY = DesKey(bytes.fromhex("404142434445464748494A4B4C4D4E4F"))
DATA = CardData(
    name="CLAIRE MARTIN",
    pan=Pan("4970100000000055"),
    pin=PIN,
    effective=date(2020, 1, 1),
    expiry=date(2049, 12, 31),
)
PROFILES: dict[str, Profile] = {"sesame": SESAME_CARD, "bank": BANK_CARD}


def card_file(
    folder: Path,
    kind: str,
    *changes: tuple[str, date],
    counters: Counters | None = None,
) -> Path:
    """A new card of a *kind* (sesame, bank, payment) in *folder*, some of its dates changed."""
    data = DATA
    for name, day in changes:
        data = replace(data, **{name: day})  # type: ignore[arg-type]  # a date, and named so
    image, new = {
        "sesame": lambda: sesame_card(data, dki=DKI, dpa_key=DPA_KEY),
        "bank": lambda: bank_card(data, dki=DKI, dpa_key=DPA_KEY, payment_key=PAYMENT_KEY),
        "payment": lambda: payment_card(data, dki=DKI, payment_key=PAYMENT_KEY),
    }[kind]()
    path = folder / f"{kind}.card"
    create(path, image, counters or new)
    return path
