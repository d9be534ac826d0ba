"""Codes as a card and a reader make them, and as a cheat would."""

from sesame.cap.mode import LOGIN, Iaf, Inputs
from sesame.cap.profile import CID_ARQC, Profile
from sesame.cap.tds import mix
from sesame.cap.token import Code, compress, to_belgian
from sesame.emv.cryptogram import application_cryptogram
from sesame.emv.keys import DesKey


def make_code(  # noqa: PLR0913 -- a card, and what is done with it
    card_key: DesKey,
    profile: Profile,
    *,
    atc: int,
    dki: int = 1,
    psn: str = "00",
    cvr: int | None = None,
    inputs: Inputs = LOGIN,
) -> Code:
    """The code of one transaction, with the *cvr* that the card would report."""
    version = profile.version
    said = profile.cvr if cvr is None else cvr
    iad = version.layout.encode(dki, version.cvn, said, profile.iad_rest)
    message = profile.head(inputs) + atc.to_bytes(2) + version.closing(iad)
    sk = version.session_key(card_key, atc, inputs.un)
    ac = application_cryptogram(sk, message, version.padding)
    if inputs.fields:
        ac = mix(ac, inputs.fields)
    prefix = bytes.fromhex(psn) if profile.iaf & Iaf.PSN else b""
    token = compress(prefix + bytes([CID_ARQC]) + atc.to_bytes(2) + ac + iad, profile.ipb)
    return Code.of(to_belgian(token) if profile.belgian else token)
