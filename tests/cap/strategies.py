"""What hypothesis may draw: bitmaps and profiles of every kind that we accept."""

from hypothesis import strategies as st

from sesame.cap.profile import Profile
from sesame.cap.terminal_data import DPA_AID, Scheme
from sesame.emv.cryptogram_version import VISA_18
from sesame.emv.iad import PIN_VERIFIED_ARQC, Cvr

# What may vary beside a PIN that was right.
_HARMLESS = (
    Cvr.ISSUER_AUTHENTICATION_FAILED,
    Cvr.LAST_ONLINE_NOT_COMPLETED,
    Cvr.VELOCITY_EXCEEDED,
    Cvr.NEW_CARD,
    Cvr.ISSUER_AUTHENTICATION_FAILED_LAST,
    Cvr.ISSUER_AUTHENTICATION_NOT_PERFORMED,
    Cvr.SDA_FAILED_LAST,
    Cvr.SCRIPT_FAILED,
    Cvr.DDA_FAILED_LAST,
    Cvr.DDA_PERFORMED,
    Cvr(0x10),
    Cvr(0x80),
)
cvrs = st.sets(st.sampled_from(_HARMLESS)).map(lambda some: sum(some, PIN_VERIFIED_ARQC))


def make_profile(ipb: bytes, cvr: int = PIN_VERIFIED_ARQC) -> Profile:
    """A profile of which nothing but the bitmap and the CVR is of interest."""
    return Profile(
        name="test",
        aid=DPA_AID,
        scheme=Scheme.DPA,
        aip=b"\x10\x00",
        version=VISA_18,
        cvr=Cvr(cvr),
        ipb=ipb,
    )


@st.composite
def bitmaps(draw: st.DrawFn) -> bytes:
    """An IPB of up to 18 bytes: bits of the CID, low bits of the ATC, any bits of the AC."""
    atc_bits = draw(st.integers(1, 10))
    ac_places = draw(st.sets(st.integers(0, 63), min_size=16, max_size=26 - atc_bits))
    left = 26 - atc_bits - len(ac_places)
    cid_places = draw(st.sets(st.integers(0, 7), max_size=left))
    cid = sum(1 << place for place in cid_places)
    ac = sum(1 << place for place in ac_places)
    tail = draw(st.integers(0, 7))
    head = cid.to_bytes(1) + ((1 << atc_bits) - 1).to_bytes(2)
    return head + ac.to_bytes(8) + bytes(tail)


profiles = st.builds(make_profile, bitmaps(), cvrs)
