"""A card is made: its key, its PIN that nobody sees, what the bureau gets and what the bank keeps.

The PIN is drawn here. It leaves twice: inside the groupings, which go to the bureau enciphered
(`custody.bureau_file`), and sealed, for one letter. Who holds a `CardMaker` can do both, so the
portal, the desk and the JSON door must not import this module, nor anything that does
(`[tool.importlinter]` sees to it): cards are made, and PIN letters printed, at the command line.
"""

import secrets
from dataclasses import dataclass
from datetime import date

from sesame.cap.profiles import SESAME_CARD
from sesame.card.cps import encode_groupings
from sesame.card.memory import CardData
from sesame.card.numbering import printed_name
from sesame.card.personalisation import sesame_card
from sesame.catalogue import Language
from sesame.custody.custodian import CardRecord, Custodian, KeyUsage, Registered
from sesame.custody.errors import IssuingNeedsKeystore
from sesame.custody.key import Random
from sesame.custody.keystore_custodian import KeystoreIssuingCustodian
from sesame.custody.pin_draw import draw_pin
from sesame.emv.pan import Pan


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CardOrder:
    """The card that is to be made."""

    pan: Pan  # 16 digits, as `card.numbering.draw_number` gives it
    psn: str  # two digits
    name: str  # its holder's, accents and all; `printed_name` makes it what is printed
    language: Language  # that readers begin in
    effective: date
    expiry: date
    context: bytes  # of the card's row: `store.cards.seal_context`


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MadeCard:
    """A card that was made. It prints nothing of itself."""

    record: CardRecord
    registered: Registered  # what the bank stores of it
    groupings: bytes  # for the bureau alone: the card's key and PIN are in them
    sealed_pin: bytes  # 36 bytes, for `open_pin` with the order's context, until the letter is made
    last4: str


class CardMaker:
    """Makes Sésame cards with the keys of a keystore.

    Args:
        custodian: the keys, of an opened keystore.
        random: chance, for PINs.

    Raises:
        IssuingNeedsKeystore: the keys are elsewhere.
    """

    def __init__(self, custodian: Custodian, *, random: Random = secrets.token_bytes) -> None:
        if not isinstance(custodian, KeystoreIssuingCustodian):
            raise IssuingNeedsKeystore
        self._custodian = custodian
        self._random = random

    async def make(self, order: CardOrder) -> MadeCard:
        """The card of *order*, under the current issuer key, with a new PIN and its ATC at 0.

        Made twice it is two cards of one number, with two PINs: keep one.

        Raises:
            NoCurrentKey: there is no issuer key for new cards.
            UnsuitableCard: a number of over 16 digits, or no PSN.
            NameUnprintable: a name without Latin letters.
            PersonalisationError: dates that no card has.
            ChanceFails: *random* gives weak PINs only.
        """
        current = self._custodian.current(KeyUsage.ISSUER_AC)
        record = CardRecord(
            pan=order.pan,
            psn=order.psn,
            profile=SESAME_CARD.name,
            key=current.ref,
            dki=current.dki,
        )
        pin = draw_pin(self._random, printed=(order.pan.digits, f"{order.expiry:%m%y}"))
        others = (language.value for language in Language if language is not order.language)
        image, counters = sesame_card(
            CardData(
                name=printed_name(order.name),
                pan=order.pan,
                psn=order.psn,
                pin=pin,
                languages=(order.language.value, *others),
                effective=order.effective,
                expiry=order.expiry,
            ),
            dki=current.dki,
            dpa_key=await self._custodian.card_key(record),
        )
        (registered,) = await self._custodian.register_all([(record, order.context)])
        return MadeCard(
            record=record,
            registered=registered,
            groupings=encode_groupings(image, counters),
            sealed_pin=self._custodian.seal_pin(pin, order.context),
            last4=order.pan.last4,
        )

    def open_pin(self, sealed: bytes, context: bytes) -> str:
        """The four digits in *sealed*, for the letter of the card whose row has *context*.

        Raises:
            PinSealBroken: altered, of another row or keystore, or no sealed PIN.
        """
        return self._custodian.open_pin(sealed, context).digits
