"""What a hostile card said, read a second time, and the code that it makes.

Written from docs/reference/emv-cap.md, sections 4 to 9, without a line of the product: slowly,
bit by bit. Where the two differ, one of them is wrong.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

# The names of the applications, and whose bitmap takes the place of a missing one.
CAP, DPA, BANCONTACT = "A0000000048002", "A0000000038002", "D056000666111010"
VISAS = ("A0000000032010", "A0000000031010")
MAESTRO = "A0000000043060"
_VISA_BITMAP = "0000FFFFFF0000000000000000000020B938"
_BELGIAN_BITMAP = "0000FF000000000003FFFF"

Heard = tuple[bytes, bytes | None]  # a command, and its answer; None is silence


def leaves(data: bytes, depth: int = 0) -> list[tuple[str, bytes]] | None:
    """The primitive objects of *data*, in their order; None where it is no TLV.

    Nor is it where templates nest over 16 deep.
    """
    if depth > 16:
        return None
    found: list[tuple[str, bytes]] = []
    while data := data.lstrip(b"\0"):
        tag = _tag_of(data)
        size = _length_of(data[len(tag) :]) if tag else None
        if tag is None or size is None:
            return None
        begin, length = len(tag) + size[0], size[1]
        value, left = data[begin : begin + length], data[begin + length :]
        if len(value) < length:
            return None
        inner = leaves(value, depth + 1) if tag[0] & 0x20 else [(tag.hex().upper(), value)]
        if inner is None:
            return None
        found += inner
        data = left
    return found


def _tag_of(data: bytes) -> bytes | None:
    size = 1
    if data[0] & 0x1F == 0x1F:
        while size < len(data) and data[size] & 0x80:
            size += 1
        size += 1
    return data[:size] if size <= min(4, len(data)) else None


def _length_of(data: bytes) -> tuple[int, int] | None:
    """Over how many bytes the length goes, and what it is."""
    if not data or data[0] == 0x80 or data[0] > 0x84:
        return None
    if data[0] < 0x80:
        return 1, data[0]
    count = data[0] - 0x80
    return (1 + count, int.from_bytes(data[1 : 1 + count])) if count < len(data) else None


def list_of(data: bytes) -> list[tuple[str, int]]:
    """The tags of a DOL and the length that each wants."""
    wanted = []
    while data:
        size = 1
        if data[0] & 0x1F == 0x1F:
            while data[size] & 0x80:
                size += 1
            size += 1
        wanted.append((data[:size].hex().upper(), data[size]))
        data = data[size + 1 :]
    return wanted


@dataclass
class Story:
    """What one power session of a card comes to."""

    application: str = ""  # selected last
    fci: dict[str, bytes] = field(default_factory=dict)  # that its SELECT has answered
    objects: dict[str, bytes] = field(default_factory=dict)  # all that it has told
    tries: int | None = None  # the card's last word
    verified: bool = False  # the last VERIFY was answered with 9000
    first_command: bytes = b""  # GENERATE AC that wants an ARQC
    first_answer: bytes = b""
    closed: bool = False  # a second GENERATE AC was answered


def tell(heard: Iterable[Heard]) -> Story:
    """Go through a session, command by command."""
    story = Story()
    for command, answer in heard:
        good = answer is not None and answer[-2:] == b"\x90\x00"
        data = answer[:-2] if answer is not None and good else b""
        objects = dict(leaves(data) or ())
        match command[1], command[2]:
            case 0xA4, _ if good:
                story.application = command[5 : 5 + command[4]].hex().upper()
                story.fci, story.objects = objects, dict(objects)
            case 0xB2, _:
                story.objects.update(objects)
            case 0xCA, 0x9F if command[3] == 0x17 and good and leaves(data) is not None:
                told = objects.get("9F17", b"")
                story.tries = told[0] if len(told) == 1 else None
            case 0x20, _:
                story.verified = good
                story.tries = _tries_of(answer, story.tries)
            case 0xAE, 0x80:
                story.first_command, story.first_answer = command, data
            case 0xAE, _:
                story.closed = answer is not None
    return story


def _tries_of(answer: bytes | None, before: int | None) -> int | None:
    sw = answer[-2:].hex() if answer is not None else ""
    if sw == "9000":
        return None
    if sw[:3] == "63c":
        return int(sw[3], 16)
    return 0 if sw in ("6983", "6984") else before


def answer_of(data: bytes) -> bytes | None:
    """CID, ATC, AC and IAD of an answer to GENERATE AC; None where it is not well formed."""
    found = leaves(data)
    if found is None:
        return None
    by_tag = dict(found)
    parts = [value for tag, value in found if tag in ("80", "9F27", "9F36", "9F26", "9F10")]
    if "80" in by_tag:
        return by_tag["80"] if len(by_tag["80"]) >= 11 and len(parts) == 1 else None
    for tag, length in (("9F27", 1), ("9F36", 2), ("9F26", 8)):
        if len(by_tag.get(tag, b"")) != length:
            return None
    if len(parts) != 3 + ("9F10" in by_tag):
        return None
    return by_tag["9F27"] + by_tag["9F36"] + by_tag["9F26"] + by_tag.get("9F10", b"")


def code_of(story: Story, typed: Sequence[str] = ()) -> str | None:
    """The digits that the card's answers make; None where they make none.

    *typed* are the numbers that the reader mixes into the cryptogram, of mode 2 with TDS.
    """
    answer = answer_of(story.first_answer)
    if answer is None or answer[0] & 0xC0 != 0x80:
        return None
    bitmap, mixed_up = _bitmap_of(story)
    if typed:
        answer = answer[:3] + _mixed(answer[3:11], typed) + answer[11:]
    if flags_of(story) & 0x40 and not mixed_up:
        answer = story.objects.get("5F34", b"") + answer
    taken = ""
    for place in range(8 * len(bitmap)):
        if bitmap[place // 8] >> 7 - place % 8 & 1:
            if place // 8 >= len(answer):
                return None
            taken += str(answer[place // 8] >> 7 - place % 8 & 1)
    if not taken:
        return None
    if not mixed_up:
        return str(int(taken, 2)).zfill(8)
    # 8 bits of the ATC, 18 of the AC: the first ten of these go to the front.
    number = str(int(taken[8:18] + taken[:8] + taken[18:], 2)).zfill(8)
    return str((int(number[0]) + int(number[-1])) % 10) + number[1:]


def flags_of(story: Story) -> int:
    """The first byte of the IAF; 0 where there is none, or another object under its tag."""
    payments = _belgian(story) or story.application in VISAS
    if payments and not _own_bitmap(story):
        return 0
    return (story.objects.get("9F55") or b"\0")[0]


def _bitmap_of(story: Story) -> tuple[bytes, bool]:
    """The bitmap that applies, and whether the Belgian function mixes up what it takes."""
    bitmap = _own_bitmap(story)
    if story.application == BANCONTACT or (_belgian(story) and not bitmap):
        return bytes.fromhex(_BELGIAN_BITMAP), True
    if story.application in VISAS and not bitmap:
        bitmap = bytes.fromhex(_VISA_BITMAP)
    return bitmap, False


def _own_bitmap(story: Story) -> bytes:
    bitmap = story.objects.get("9F56", b"")
    payments = _belgian(story) or story.application in VISAS
    return b"" if payments and len(bitmap) == 1 else bitmap  # there it is another object


def _belgian(story: Story) -> bool:
    """A Belgian card's Visa or Maestro payments: what SELECT has answered says so."""
    return (
        story.application in (*VISAS, MAESTRO)
        and story.fci.get("5F2C") == b"\x00\x56"
        and story.fci.get("DF07", b"")[:6] == b"BKS056"
    )


def _mixed(ac: bytes, typed: Sequence[str]) -> bytes:
    text = "F".join(typed)
    text += "F" * (len(text) % 2) + "80"
    message = bytes.fromhex(text)
    message += bytes(-len(message) % 8)
    block = bytes(8)
    for at in range(0, len(message), 8):
        mixed = bytes(a ^ b for a, b in zip(block, message[at : at + 8], strict=True))
        encryptor = Cipher(TripleDES(ac * 3), modes.ECB()).encryptor()  # noqa: S305 -- a block
        block = encryptor.update(mixed)
    return block


def sent_for(story: Story) -> Mapping[str, bytes]:
    """What the first GENERATE AC carries, by tag; of a tag that is asked for twice the last."""
    values, at = {}, 5
    for tag, length in list_of(story.objects.get("8C", b"")):
        values[tag] = story.first_command[at : at + length]
        at += length
    assert at == len(story.first_command.ljust(5))
    return values


def block_of(pin: str) -> bytes:
    """The PIN block of VERIFY, EMV 4.4 Book 3, 6.5.12."""
    return bytes.fromhex(f"2{len(pin):X}{pin}".ljust(16, "F"))
