"""What hypothesis may draw: values of EMV, whole and broken."""

from hypothesis import strategies as st

from sesame.emv.dol import DolEntry
from sesame.emv.iad import CcdCvr, CcdIad, Cvr, MChipCvr, MChipIad, VisaIad
from sesame.emv.keys import DesKey
from sesame.emv.pan import Pan, luhn_digit
from sesame.emv.pin import Pin
from sesame.emv.tlv import Tlv, encode, is_constructed

bytes_of_8 = st.binary(min_size=8, max_size=8)
des_keys = st.binary(min_size=16, max_size=16).map(DesKey)
atcs = st.integers(0, 0xFFFF)


def digits(shortest: int, longest: int) -> st.SearchStrategy[str]:
    """Strings of decimal digits."""
    return st.text("0123456789", min_size=shortest, max_size=longest)


pins = digits(4, 12).map(Pin)
pans = digits(7, 18).map(lambda body: Pan(body + luhn_digit(body)))

iads = st.builds(
    VisaIad,
    dki=st.integers(0, 0xFF),
    cvn=st.integers(0, 0xFF),
    cvr=st.integers(0, 0xFFFFFF).map(Cvr),
    discretionary=st.binary(max_size=25),
)
mchip_iads = st.builds(
    MChipIad,
    dki=st.integers(0, 0xFF),
    cvn=st.integers(0x10, 0x17),
    cvr=st.integers(0, 0xFFFFFFFFFFFF).map(MChipCvr),
    dac_or_idn=st.binary(min_size=2, max_size=2),
    counters=bytes_of_8,
)
ccd_iads = st.builds(
    CcdIad,
    cci=st.integers(0xA0, 0xAF),
    dki=st.integers(0, 0xFF),
    cvr=st.integers(0, 0xFFFFFFFFFF).map(CcdCvr),
    counters=bytes_of_8,
    discretionary=st.binary(min_size=15, max_size=15),
)


@st.composite
def tags(draw: st.DrawFn) -> int:
    """Tags of one to four bytes. 00 is padding and no tag."""
    first = draw(st.integers(0x01, 0xFF))
    if first & 0x1F != 0x1F:
        return first
    more = draw(st.lists(st.integers(0x80, 0xFF), max_size=2))
    return int.from_bytes([first, *more, draw(st.integers(0x00, 0x7F))])


primitives = st.builds(
    Tlv, tag=tags().filter(lambda tag: not is_constructed(tag)), value=st.binary(max_size=300)
)


def _templates(inside: st.SearchStrategy[Tlv]) -> st.SearchStrategy[Tlv]:
    return st.builds(
        lambda tag, children: Tlv(tag, encode(children)),
        tags().filter(is_constructed),
        st.lists(inside, max_size=4),
    )


tlvs = st.recursive(primitives, _templates, max_leaves=8)
dols = st.lists(st.builds(DolEntry, tag=tags(), length=st.integers(0, 0xFF)), max_size=12)
