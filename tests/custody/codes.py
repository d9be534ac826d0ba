"""Codes as a card and a reader make them, and as a cheat would."""

from sesame.cap.profile import CID_ARQC, Profile
from sesame.cap.token import Code, compress
from sesame.emv.cryptogram import Padding, application_cryptogram
from sesame.emv.iad import Cvr, VisaIad
from sesame.emv.keys import DesKey, common_session_key


def make_code(
    card_key: DesKey, profile: Profile, *, atc: int, dki: int = 1, cvr: Cvr | None = None
) -> Code:
    """The code of one transaction, with the *cvr* that the card would report."""
    chosen = profile.cvr if cvr is None else cvr
    iad = VisaIad(dki=dki, cvn=profile.cvn, cvr=chosen).encode()
    sk = common_session_key(card_key, atc)
    message = profile.message_head + atc.to_bytes(2) + iad
    ac = application_cryptogram(sk, message, Padding.METHOD_2)
    token = compress(bytes([CID_ARQC]) + atc.to_bytes(2) + ac + iad, profile.ipb)
    return Code(f"{token:08d}")
