"""The bitmap (9F56) and the CVR, taken apart for people. Pure.

docs/reference/emv-cap.md, sections 8 and 10.6.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from sesame.cap.token import CODE_DIGITS
from sesame.emv.cryptogram_version import IadLayout
from sesame.reader.report import Bitmap, BitmapSource, CvrBit, Part, Run

LAYOUT_NAMES: Mapping[IadLayout, str] = MappingProxyType(
    {IadLayout.VISA: "visa", IadLayout.MCHIP: "mchip", IadLayout.CCD: "ccd"}
)
_PSN_BITS = 8
# The parts of an answer, and how many bits each has at most.
_ANSWER = ((Part.CID, 8), (Part.ATC, 16), (Part.AC, 64), (Part.IAD, 32 * 8))


def explain_bitmap(  # noqa: PLR0913 -- what a bitmap depends on
    ipb: bytes,
    value: str,
    source: BitmapSource,
    layout: IadLayout | None,
    *,
    psn: bool,
    presumed: bool,
) -> Bitmap:
    """What *ipb* takes of a card's answer, bit by bit.

    Args:
        ipb: 9F56, or what takes its place.
        value: the same as it may be shown.
        source: whose it is.
        layout: of the IAD; None where nobody knows it.
        psn: the PSN stands in front of the answer.
        presumed: *layout* is a guess.
    """
    runs = tuple(_runs(ipb, layout, psn=psn))
    count = {part: sum(run.bits for run in runs if run.part is part) for part in Part}
    bits = sum(count.values())
    named = layout is not None and bool(count[Part.IAD])
    return Bitmap(
        source=source,
        value=value,
        bits=bits,
        digits=max(CODE_DIGITS, len(str((1 << bits) - 1))),
        constant_bits=count[Part.PSN] + count[Part.CID],
        atc_bits=count[Part.ATC],
        ac_bits=count[Part.AC],
        iad_bits=count[Part.IAD],
        leads_with_one=bool(runs) and (runs[0].part, runs[0].byte, runs[0].bit) == _ARQC_BIT,
        iad_layout=LAYOUT_NAMES[layout] if layout is not None and named else None,
        iad_presumed=presumed and named,
        runs=runs,
    )


_ARQC_BIT = (Part.CID, 1, 8)  # of the CID: set in every code


def _runs(ipb: bytes, layout: IadLayout | None, *, psn: bool) -> Iterator[Run]:
    """The neighbouring one-bits of *ipb*, parted where the answer's parts meet.

    Those past every answer are one run, wherever they stand: no card has them to give.
    """
    bits = "".join(f"{byte:08b}" for byte in ipb)
    parts = ((Part.PSN, _PSN_BITS), *_ANSWER) if psn else _ANSWER
    left, start = bits.count("1"), 0
    for part, length in parts:
        for ones in re.finditer("1+", bits[start : start + length]):
            left -= len(ones[0])
            yield Run(
                part=part,
                byte=ones.start() // 8 + 1,
                bit=8 - ones.start() % 8,
                bits=len(ones[0]),
                shift=left,
                names=_names(range(*ones.span()), layout) if part is Part.IAD else (),
            )
        start += length
    if left:
        first = bits.index("1", start) - start
        yield Run(part=Part.BEYOND, byte=first // 8 + 1, bit=8 - first % 8, bits=left, shift=0)


def last_bit(run: Run) -> int:
    """The place of its last bit in its part, from 1."""
    return run.byte * 8 - run.bit + run.bits


def _names(places: Iterable[int], layout: IadLayout | None) -> tuple[str, ...]:
    """What the bits of the IAD at *places*, from 0, say: names of the CVR's, or "other"."""
    if layout is None:
        return ()
    end = (layout.cvr_at + layout.cvr_length) * 8 - 1  # the CVR's last bit
    return tuple(
        next(
            (
                name
                for name, member in layout.cvr.__members__.items()
                if place <= end and member.value >> end - place & 1
            ),
            _OTHER,
        )
        for place in places
    )


_OTHER = "OTHER"  # the DKI, the CVN, a length, what follows the CVR
_OF_KINDS = ("FIRST_AC", "SECOND_AC")  # said apart


def cvr_bits(layout: IadLayout, cvr: int) -> Iterator[CvrBit]:
    """What is not 0 in *cvr*, first bit first."""
    first_byte = 2 if layout is IadLayout.VISA else 1  # byte 1 of Visa's is its length
    length = layout.cvr_length * 8
    members = layout.cvr.__members__.items()
    for name, member in sorted(members, key=lambda pair: -pair[1].value):
        number = (cvr & member.value) // (member.value & -member.value)
        if number and not name.startswith(_OF_KINDS):
            place = length - member.value.bit_length()
            yield CvrBit(name, first_byte + place // 8, 8 - place % 8, number)
