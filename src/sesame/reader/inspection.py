"""The dialogue of the card doctor: everything that a card says, asked for without a trace in it.

`Inspection.look` sends SELECT, READ RECORD and GET DATA and nothing else: no transaction begins,
no counter moves, no PIN is tried. `Inspection.make_code` makes one code, and so spends one number
of the card's counter. What the answers mean is worked out in `sesame.reader.diagnosis`.

EMV gives the records' places only with GET PROCESSING OPTIONS, which moves the ATC, and does not
say whether READ RECORD works before it. Cards that want it answer 6985 or the like, and nothing has
happened; of all others the files that EMV governs are read by trying: SFI 1 to 10, Book 3, 5.3.2.2.
The files above may hold a log of payments, which is nobody's business here. A transaction
then says which records a reader reads: all others are forgotten.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sesame.cap.mode import LOGIN, Inputs
from sesame.cap.terminal_data import AIDS, ALL_AIDS, Scheme, scheme_of
from sesame.card.memory import DIRECTORY_NAME
from sesame.emv.apdu import (
    AcType,
    Command,
    Response,
    Sw,
    generate_ac,
    get_data,
    get_processing_options,
    read_record,
    select,
    tries_left,
    verify,
)
from sesame.emv.errors import EmvError
from sesame.emv.pin import EMPTY_PIN_BLOCK, Pin, pin_block
from sesame.emv.tags import Tag
from sesame.emv.tlv import Tlv, decode, leaves
from sesame.errors import SesameError
from sesame.reader.application import (
    Application,
    Cryptogram,
    Record,
    decode_options,
    pdol_values,
    primitives,
)
from sesame.reader.consent import covers
from sesame.reader.errors import CardIsMute, RecordingError
from sesame.reader.machine import NOT_TYPED
from sesame.reader.redaction import PRIVATE
from sesame.reader.slot import PinPadSlot, Slot

# What a card shows to readers without contacts, EMV Contactless Book B, 3.3.2.
_CONTACTLESS_DIRECTORY = b"2PAY.SYS.DDF01"
_AID_LENGTHS = range(5, 17)  # bytes
_DIRECTORY_SFIS = range(1, 11)  # Book 1, 12.2.3
_SFIS = range(1, 11)  # of the files that EMV governs
_MOST_RECORDS = 16  # of a file, and of the directory: real cards have fewer
_MOST_LISTED = 16  # applications
_MISSES = 4  # records in a row that are not there end a file; real ones leave gaps of two
_COUNTERS = (Tag.PIN_TRY_COUNTER, Tag.ATC, Tag.LAST_ONLINE_ATC)


@dataclass(slots=True, repr=False)
class Entry:
    """An application that the directory lists."""

    aid: bytes
    objects: Mapping[int, bytes]


@dataclass(slots=True, repr=False)
class Transaction:
    """What the card said to a code being made; None is: it was not asked."""

    options_sw: int | None = None
    options_unfit: bool = False
    pdol_unfit: bool = False
    aip: bytes | None = None
    options_format: int | None = None  # 1 is packed, 2 is TLV
    missing: list[Record] = field(default_factory=list)  # that the AFL names
    not_named: list[Record] = field(default_factory=list)  # by it, and there
    unfit: bool = False  # no code can be made of what it says: no PIN was sent
    not_agreed: bool = False  # nobody has agreed to spend one of the tries that are left
    not_typed: bool = False  # on the slot's keys
    verify_sw: int | None = None
    ac_sw: int | None = None
    cryptogram: Cryptogram | None = None
    ac_format: int | None = None
    ac_unfit: bool = False
    differs: bool = False  # a recorded one, and we would have made another


@dataclass(slots=True, repr=False)
class Opened:
    """What one application said. It does not print itself: the card number is in it."""

    aid: bytes  # that was asked for
    scheme: Scheme | None  # by its name; None: our reader does not know it
    listed: Entry | None
    sw: int
    fci: Mapping[int, bytes] = field(default_factory=dict)
    fci_unfit: bool = False
    objects: dict[int, bytes] = field(default_factory=dict)  # of the records, by tag
    records: set[Record] = field(default_factory=set)  # that were read
    unfit: list[Record] = field(default_factory=list)  # that are not TLV
    closed_sw: int | None = None  # the answer of a file that gives no records yet
    counters: dict[int, int] = field(default_factory=dict)  # by tag
    transaction: Transaction | None = None

    @property
    def all_objects(self) -> dict[int, bytes]:
        """What it says of itself; a record has the last word."""
        return {**self.fci, **self.objects}

    @property
    def name(self) -> bytes:
        """Its whole AID, where the card says it and it is one."""
        said = self.fci.get(Tag.DF_NAME, b"")
        return said if len(said) in _AID_LENGTHS else self.aid


@dataclass(slots=True, repr=False)
class Seen:
    """What a whole card said. It does not print itself."""

    recorded: bool = False
    made_up: bool = False  # a recording of a cryptogram alone
    answered: bool = False
    gone: bool = False  # at some command, no answer
    blocked: bool = False
    atr: bytes | None = None
    private: list[tuple[int, bytes]] = field(default_factory=list)  # what must not be shown
    contactless: bool = False  # the directory is the one for readers without contacts
    directory: list[Entry] | None = None
    directory_unfit: bool = False
    applications: list[Opened] = field(default_factory=list)


class Inspection:
    """A card in *slot* that is looked into.

    Args:
        slot: where it is.
        applications: the AIDs that are tried, as our reader treats them.
        recorded: the card is a recorded session, which lacks what nobody asked for then.
        made_up: all of it but the cryptogram is.
        atr: of a recorded card; one in a slot says its own.
    """

    def __init__(
        self,
        slot: Slot,
        *,
        applications: Mapping[bytes, Scheme] = ALL_AIDS,
        recorded: bool = False,
        made_up: bool = False,
        atr: bytes | None = None,
    ) -> None:
        self._slot = slot
        self._applications = applications
        self._has_power = False
        self.seen = Seen(recorded=recorded, made_up=made_up, atr=atr)

    @property
    def chosen(self) -> Opened | None:
        """The application that a reader makes codes with: the first that is there."""
        return chosen(self.seen)

    @property
    def tries_left(self) -> int | None:
        """PIN tries that are left to it; None where the card has not said it."""
        found = self.chosen
        return None if found is None else found.counters.get(Tag.PIN_TRY_COUNTER)

    @property
    def nothing_typed(self) -> bool:
        """Whether a PIN was awaited on the slot's keys, and none came."""
        said = self.chosen.transaction if self.chosen else None
        return said is not None and said.not_typed

    def look(self, *, keep_power: bool = False) -> None:
        """Ask everything that leaves no trace in the card.

        With *keep_power* it stays ours afterwards: nobody can put another one in its place before
        `make_code`. Whoever made the slot gives it back.

        Raises:
            SesameError: the slot could not do its work, for another reason than a mute card.
        """
        try:
            atr = self._slot.power_on()
            self._has_power = True
            if not self.seen.recorded:
                self.seen.atr = atr
            self._read_directory()
            self.seen.answered = True
            for aid, scheme, listed in self._wanted():
                self._open(aid, scheme, listed)
                if self.seen.blocked:
                    break
        except CardIsMute:
            self.seen.gone = True
        finally:
            if not keep_power:
                self._power_off()

    def make_code(
        self, pin: Pin | None, inputs: Inputs = LOGIN, *, tries_agreed: int | None
    ) -> None:
        """Make one code with the chosen application, and keep what the card says on the way.

        Without *pin* it is typed on the slot's own keys. It is sent only where a code can be made,
        and only to as many tries as *tries_agreed* covers (`sesame.reader.consent`): what the
        cardholder was told; None: that nobody knows.

        Raises:
            SesameError: the slot could not do its work, for another reason than a mute card.
        """
        found = self.chosen
        if found is None:
            return
        found.transaction = Transaction()
        try:
            if not self._has_power:
                self._slot.power_on()
            self._transact(found, found.transaction, pin, inputs, tries_agreed)
        except CardIsMute:
            self.seen.gone = True
        except RecordingError:
            found.transaction.differs = True
        finally:
            self._power_off()

    def _power_off(self) -> None:
        self._has_power = False
        self._slot.power_off()

    # Without a trace

    def _ask(self, command: Command) -> Response:
        answer = self._slot.transmit(command)
        self.seen.private += ((tag, value) for tag, value in _said(answer) if tag in PRIVATE)
        return answer

    def _read_directory(self) -> None:
        """The Payment System Environment, Book 1, 12.2: a card need not have one."""
        seen = self.seen
        answer = self._ask(select(DIRECTORY_NAME))
        seen.blocked = answer.sw == Sw.FUNCTION_NOT_SUPPORTED
        if seen.blocked:
            return
        if not answer.ok:
            self._read_contactless_directory()
            return
        seen.directory = []
        try:
            sfi = int.from_bytes(primitives(answer.data).get(Tag.SFI, b""))
        except EmvError:
            sfi = 0
        if sfi not in _DIRECTORY_SFIS:
            seen.directory_unfit = True
            return
        for number in range(1, _MOST_RECORDS + 1):
            record = self._ask(read_record(sfi, number))
            if not record.ok:
                break
            try:
                seen.directory += _entries(record.data)
            except EmvError:
                seen.directory_unfit = True
        del seen.directory[_MOST_LISTED:]

    def _read_contactless_directory(self) -> None:
        """The entries stand in the answer to SELECT itself."""
        answer = self._ask(select(_CONTACTLESS_DIRECTORY))
        if answer.ok:
            self.seen.contactless = True
            try:
                self.seen.directory = [*_entries(answer.data)][:_MOST_LISTED]
            except EmvError:
                self.seen.directory, self.seen.directory_unfit = [], True

    def _wanted(self) -> Iterator[tuple[bytes, Scheme | None, Entry | None]]:
        """What to select: the reader's list in its order, then what only the card lists."""
        entries = {entry.aid: entry for entry in self.seen.directory or ()}
        for aid, scheme in self._applications.items():
            yield aid, scheme, entries.get(aid)
        for aid, entry in entries.items():
            # A second application under a name of the reader's list is one that it would not see.
            if aid not in {found.name for found in self.seen.applications}:
                known = (s for name, s in self._applications.items() if aid.startswith(name))
                yield aid, next(known, None), entry

    def _open(self, aid: bytes, scheme: Scheme | None, listed: Entry | None) -> None:
        answer = self._ask(select(aid))
        if answer.sw == Sw.FUNCTION_NOT_SUPPORTED:
            self.seen.blocked = True
            return
        if not answer.ok and listed is None and answer.sw != Sw.APPLICATION_BLOCKED:
            return  # it is not there, and nobody said it was
        found = Opened(aid, scheme, listed, answer.sw)
        self.seen.applications.append(found)
        if not answer.ok:
            return
        self._read_fci(found, answer.data)
        # Selected by the beginning of its name, Book 1, 12.3.
        entries = self.seen.directory or ()
        found.listed = listed or next((one for one in entries if one.aid == found.name), None)
        self._read_files(found)
        self._read_counters(found)

    def _read_fci(self, found: Opened, data: bytes) -> None:
        try:
            found.fci = primitives(data)
        except EmvError:
            found.fci_unfit = True
        if found.scheme is not None:
            found.scheme = scheme_of(found.scheme, found.fci)

    def _read_files(self, found: Opened) -> None:
        """Every record of SFI 1 to 10 that the card gives before a transaction."""
        for sfi in _SFIS:
            missed = 0
            for number in range(1, _MOST_RECORDS + 1):
                answer = self._ask(read_record(sfi, number))
                if answer.ok:
                    missed = 0
                    _keep(found, (sfi, number), answer.data)
                elif answer.sw == Sw.RECORD_NOT_FOUND:
                    missed += 1
                elif answer.sw == Sw.NOT_FOUND:
                    # No such file; in recordings, a record that nobody published.
                    missed += 1 if self.seen.recorded else _MISSES
                else:
                    # Other files may be open.
                    found.closed_sw = answer.sw
                    missed = _MISSES
                if missed >= _MISSES:
                    break

    def _read_counters(self, found: Opened) -> None:
        for tag in _COUNTERS:
            answer = self._ask(get_data(tag))
            if answer.ok:
                _count(found, tag, answer.data)

    # With one

    def _transact(
        self,
        found: Opened,
        said: Transaction,
        pin: Pin | None,
        inputs: Inputs,
        tries_agreed: int | None,
    ) -> None:
        application = self._begin(found, said)
        if application is None:
            return
        found.counters.pop(Tag.PIN_TRY_COUNTER, None)  # what was said before says nothing now
        self._read_counters(found)
        left = found.counters.get(Tag.PIN_TRY_COUNTER)
        said.not_agreed = not covers(tries_agreed, left)
        if said.not_agreed:
            return
        answer = self._verify(pin)
        if pin is None and answer.sw in NOT_TYPED:
            said.not_typed = True
            return
        said.verify_sw = answer.sw
        self._note_tries(found, said.verify_sw)
        if said.verify_sw != Sw.OK:
            return
        answer = self._ask(generate_ac(AcType.ARQC, application.cdol1_values(inputs)))
        said.ac_sw = answer.sw
        if not answer.ok:
            return
        try:
            said.cryptogram = Cryptogram.decode(answer.data)
        except SesameError:
            said.ac_unfit = True
        else:
            said.ac_format = _format(answer.data)
        if said.cryptogram is None or said.cryptogram.kind not in {AcType.AAC, AcType.TC}:
            # Nothing may stay open on the card, and no approval can follow.
            self._ask(generate_ac(AcType.AAC, application.cdol2_values(inputs)))

    def _begin(self, found: Opened, said: Transaction) -> Application | None:
        """GET PROCESSING OPTIONS and the records that it names; None: no code can follow."""
        scheme = found.scheme
        if scheme is None or not self._ask(select(found.aid)).ok:
            said.unfit = True
            return None
        try:
            values = pdol_values(found.fci, scheme)
        except SesameError:
            said.pdol_unfit = True
            return None
        answer = self._ask(get_processing_options(values))
        said.options_sw = answer.sw
        if not answer.ok:
            return None
        try:
            records = decode_options(answer.data)
            said.aip = _aip(answer.data)
        except SesameError:
            said.options_unfit = True
            return None
        said.options_format = _format(answer.data)
        said.not_named = sorted(found.records - {*records})
        found.objects, found.records, found.unfit = {}, set(), []
        for record in records:
            read = self._ask(read_record(*record))
            if read.ok:
                _keep(found, record, read.data)
            else:
                said.missing.append(record)
        found.closed_sw = None
        try:
            return Application.of(found.all_objects, scheme)
        except SesameError:
            said.unfit = True
            return None

    def _verify(self, pin: Pin | None) -> Response:
        if pin is not None:
            return self._ask(verify(pin_block(pin)))
        if not isinstance(self._slot, PinPadSlot):
            raise TypeError("a slot without keys was asked for a PIN")
        return self._slot.verify_on_pad(verify(EMPTY_PIN_BLOCK))

    def _note_tries(self, found: Opened, sw: int) -> None:
        left = 0 if sw in {Sw.PIN_BLOCKED, Sw.REFERENCE_DATA_UNUSABLE} else tries_left(sw)
        if left is not None:
            found.counters[Tag.PIN_TRY_COUNTER] = left


def chosen(seen: Seen) -> Opened | None:
    """The application that a reader makes codes with.

    The first one for codes that opens. Where none of those is there at all, the first one for
    payments.
    """
    known = [one for one in seen.applications if one.scheme is not None]
    codes = [one for one in known if one.scheme in _FOR_CODES]
    return next((one for one in codes or known if one.sw == Sw.OK), None)


_FOR_CODES = frozenset(AIDS.values())


def _keep(found: Opened, record: Record, data: bytes) -> None:
    try:
        found.objects |= primitives(data)
    except EmvError:
        if record not in found.unfit:
            found.unfit.append(record)
    else:
        found.records.add(record)


def _count(found: Opened, tag: Tag, data: bytes) -> None:
    try:
        value = primitives(data).get(tag, b"")
    except EmvError:
        return
    if len(value) == (1 if tag is Tag.PIN_TRY_COUNTER else 2):
        found.counters[tag] = int.from_bytes(value)


def _aip(data: bytes) -> bytes | None:
    found = primitives(data)
    packed = found.get(Tag.RESPONSE_FORMAT_1)
    aip = found.get(Tag.AIP, b"") if packed is None else packed[:2]
    return aip if len(aip) == 2 else None  # noqa: PLR2004 -- tag 82


def _format(data: bytes) -> int:
    """In which of EMV's two formats an answer that could be read came."""
    return 1 if Tag.RESPONSE_FORMAT_1 in primitives(data) else 2


def _said(answer: Response) -> Iterator[tuple[int, bytes]]:
    """Every object of *answer* with its tag, however deep and however often it stands there."""
    with suppress(EmvError):
        yield from ((one.tag, one.value) for one in leaves(answer.data))


def _entries(data: bytes) -> Iterator[Entry]:
    """The applications in a record of the directory, or in the FCI of the contactless one.

    Book 1, 12.2.3; EMV Contactless Book B, table 3-2.
    """
    for template in decode(data):
        if template.tag in _AROUND_ENTRIES:
            yield from _inside(template)


def _inside(template: Tlv) -> Iterator[Entry]:
    for one in template.children():
        if one.tag in _AROUND_ENTRIES:
            yield from _inside(one)
        elif one.tag == Tag.APPLICATION_TEMPLATE:
            objects = primitives(one.value)
            if len(objects.get(Tag.AID, b"")) in _AID_LENGTHS:
                yield Entry(objects[Tag.AID], objects)


_AROUND_ENTRIES = frozenset(
    {Tag.RECORD_TEMPLATE, Tag.FCI_TEMPLATE, Tag.FCI_PROPRIETARY, Tag.FCI_DISCRETIONARY}
)
