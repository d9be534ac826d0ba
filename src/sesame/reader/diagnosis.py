"""What the answers of an inspected card mean: `Seen` in, `Report` out. Pure.

docs/reference/emv-cap.md, sections 4 to 12 and 14.1. Faults of a bitmap are those that
`sesame.cap.profile` would refuse to issue.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sesame.cap.mode import Iaf, Mode
from sesame.cap.profile import FEWEST_BITS, Profile
from sesame.cap.profiles import PROFILES
from sesame.cap.terminal_data import AIDS, STANDARD_ELEMENTS, Scheme
from sesame.cap.token import BELGIAN_IPB, MOST_BITS, VISA_DEFAULT_IPB
from sesame.cap.verification import HIGHEST_ATC
from sesame.emv.aip import Aip
from sesame.emv.apdu import AcType, Sw
from sesame.emv.atr import DIRECT, Atr, decode_atr
from sesame.emv.cryptogram_version import VERSIONS, IadLayout
from sesame.emv.dol import DolEntry, decode_dol, dol_length
from sesame.emv.errors import MalformedAtr, MalformedDol, MalformedIad
from sesame.emv.iad import decode_iad
from sesame.emv.tags import Tag
from sesame.reader.application import Record, Validity, bitmap_of, flags_of, languages
from sesame.reader.bitmap import LAYOUT_NAMES, cvr_bits, explain_bitmap, last_bit
from sesame.reader.errors import CardUnfit
from sesame.reader.inspection import Entry, Opened, Seen, Transaction, chosen
from sesame.reader.redaction import Redaction
from sesame.reader.report import (
    Ability,
    AipBit,
    ApplicationReport,
    AtrReport,
    Bitmap,
    BitmapSource,
    CryptogramReport,
    CvmRule,
    DolItem,
    Finding,
    Flags,
    Function,
    Kind,
    Listed,
    OfflinePin,
    Part,
    Report,
    Resemblance,
    Role,
    Severity,
    Verdict,
)

_LONGEST_DATA = 255  # bytes in a command
_CVM_RULES_AT = 8  # bytes: two amounts stand in front
_CVM_AMOUNT = 4  # bytes each
_CVM_CODE = 0x3F
_CVM_NEXT = 0x40
_PLAINTEXT_PIN = frozenset({0x01, 0x03})
_ENCIPHERED_PIN = frozenset({0x04, 0x05})
_CASH = frozenset({0x01, 0x04, 0x05})  # conditions: withdrawals, and purchases with one
_BY_AMOUNT = range(0x06, 0x0A)
_GLOBAL = 15  # in a TD: what follows holds for every protocol, ISO/IEC 7816-3, 8.2.3
_MOST_NAMED = 8  # records in a sentence
_IAF_RESERVED = 0x1F
_NEAR_ITS_END = 60000  # of 65535: docs/reference/emv-cap.md, section 12.5
_IAD_AT = 11 * 8  # bits before it
_UN_LENGTH, _AMOUNT_LENGTH, _CURRENCY_LENGTH = 4, 6, 2
_PRIORITY = 0x0F
_LAYOUTS = {name: layout for layout, name in LAYOUT_NAMES.items()}
_VISA_LAID_OUT = frozenset({Scheme.DPA, Scheme.VISA})
_AC_KINDS = {0b00: "AAC", 0b01: "TC", 0b10: "ARQC"}
_NOT_REQUESTED = {0b10: "not-requested"}  # of the second one, the same bits


def diagnose(seen: Seen, today: int | None = None) -> Report:
    """Everything that there is to say of a card.

    *today* is yyyymmdd as a number; None leaves it open whether the card has expired.
    """
    public = Redaction(seen.private)
    used = chosen(seen)
    of_applications: list[Finding] = []
    applications = []
    for one in seen.applications:
        report, noted = _Doctor(one, public, seen, today, used=one is used).examine()
        applications.append(report)
        of_applications += noted
    atr = _atr(seen)
    findings = (*_of_card(seen, used, atr), *of_applications)
    return Report(
        verdict=_verdict(seen, used, applications, findings),
        recorded=seen.recorded,
        atr=_atr_report(seen.atr, atr, public) if seen.atr and atr else None,
        contactless=seen.contactless,
        directory=_directory(seen, public),
        applications=tuple(applications),
        findings=findings,
    )


def _atr(seen: Seen) -> Atr | None:
    """What the card's ATR says; None where it has none that can be read."""
    try:
        return decode_atr(seen.atr or b"")
    except MalformedAtr:
        return None


def _atr_report(raw: bytes, atr: Atr, public: Redaction) -> AtrReport:
    """Without the historical bytes and, made of them, the check byte."""
    return AtrReport(
        convention="direct" if atr.convention == DIRECT else "inverse",
        protocols=tuple(f"T={number}" for number in atr.protocols if number != _GLOBAL),
        interface=public.hex(raw[: atr.interface_bytes]),
        historical_bytes=len(atr.historical),
    )


def _of_card(seen: Seen, used: Opened | None, atr: Atr | None) -> Iterator[Finding]:
    if seen.recorded:
        yield Finding(kind=Kind.RECORDING_MADE_UP if seen.made_up else Kind.RECORDING)
    if seen.gone:
        yield Finding(kind=Kind.GONE if seen.answered else Kind.MUTE)
    if seen.blocked:
        yield Finding(kind=Kind.CARD_BLOCKED)
    elif seen.answered and not seen.gone:
        if all(one.scheme is None for one in seen.applications):
            yield Finding(kind=Kind.NO_APPLICATION)
        elif not any(one.scheme in AIDS.values() for one in seen.applications):
            yield Finding(kind=Kind.NO_CODE_APPLICATION)
    yield from _of_directory(seen, used)
    if seen.atr and atr is None:
        yield Finding(kind=Kind.ATR_MALFORMED)


def _of_directory(seen: Seen, used: Opened | None) -> Iterator[Finding]:
    if seen.directory_unfit:
        yield Finding(kind=Kind.DIRECTORY_MALFORMED)
    if seen.contactless:
        yield Finding(kind=Kind.CONTACTLESS_DIRECTORY)
    elif seen.directory is None and seen.answered and not seen.recorded and not seen.blocked:
        yield Finding(kind=Kind.NO_DIRECTORY)
    elif used and used.scheme in AIDS.values() and not _is_last(seen.directory, used):
        yield Finding(kind=Kind.DIRECTORY_ORDER)


def _is_last(directory: Sequence[Entry] | None, used: Opened) -> bool:
    """Whether a program that opens the last entry opens *used*; so where there is none."""
    return not directory or directory[-1].aid in (used.name, used.aid)


def _verdict(
    seen: Seen,
    used: Opened | None,
    applications: Iterable[ApplicationReport],
    findings: Iterable[Finding],
) -> Verdict:
    if used is None:
        return Verdict.UNKNOWN if seen.gone else Verdict.NONE
    (report,) = (
        report for report, one in zip(applications, seen.applications, strict=True) if one is used
    )
    concerned = (None, report.aid)
    faults = {
        one.kind for one in findings if one.severity is Severity.FAULT and one.aid in concerned
    }
    if faults - {Kind.GONE}:
        return Verdict.NONE
    if faults:
        return Verdict.UNKNOWN
    if report.closed:
        return Verdict.CLOSED
    return Verdict.CODES if report.role is Role.CODES else Verdict.CAP_STYLE


def _directory(seen: Seen, public: Redaction) -> tuple[Listed, ...] | None:
    if seen.directory is None:
        return None
    return tuple(
        Listed(
            aid=public.hex(entry.aid),
            label=public.text(entry.objects.get(Tag.APPLICATION_LABEL)),
            priority=_priority(entry),
        )
        for entry in seen.directory
    )


def _priority(entry: Entry) -> int | None:
    return int.from_bytes(entry.objects.get(Tag.APPLICATION_PRIORITY, b"")) & _PRIORITY or None


# ── One application ──────────────────────────────────────────────────────────────────────────────


# What is not there; in a recording it may only not be recorded.
_NOT_OF_RECORDINGS = frozenset(
    {
        Kind.CVM_LIST_MISSING,
        Kind.IAF_MISSING,
        Kind.PAN_MISSING,
        Kind.RECORD_MISSING,
        Kind.TRIES_UNKNOWN,
    }
)


class _Doctor:
    """Examines one application, and notes what there is to say."""

    def __init__(
        self, one: Opened, public: Redaction, seen: Seen, today: int | None, *, used: bool
    ) -> None:
        self._one = one
        self._public = public
        self._seen = seen
        self._today = today
        self._used = used
        self._objects = one.all_objects
        self._aid = public.hex(one.name)
        self._findings: list[Finding] = []

    def examine(self) -> tuple[ApplicationReport, list[Finding]]:
        """Its report, and the findings that are about it."""
        one = self._one
        role = self._role()
        self._check_opening()
        if role is Role.UNKNOWN and one.sw == Sw.OK:
            with_bitmap = Tag.IPB in self._objects
            self._find(Kind.UNKNOWN_WITH_BITMAP if with_bitmap else Kind.UNKNOWN_APPLICATION)
        lists = {tag: self._dol(tag) for tag in (Tag.PDOL, Tag.CDOL1, Tag.CDOL2)}
        examined = self._used and one.sw == Sw.OK and not self._closed()
        if examined:
            self._check_lists(lists)
            self._check_cvm_list()
            self._check_aip()
        effective, expiry = self._dates(examined=examined)
        cryptogram = self._cryptogram() if self._used else None
        flags = self._flags() if examined else None
        bitmap = self._bitmap(cryptogram, flags) if examined else None
        if self._used:
            self._check_counters()
            self._check_transaction()
        report = ApplicationReport(
            aid=self._aid,
            select_sw=f"{one.sw:04X}",
            label=self._public.text(self._objects.get(Tag.APPLICATION_LABEL)),
            preferred_name=self._public.text(self._objects.get(Tag.PREFERRED_NAME)),
            role=role,
            scheme=one.scheme,
            belgian=one.scheme is Scheme.BELGIAN,
            priority=self._own_priority(),
            languages=self._languages(),
            tries_left=one.counters.get(Tag.PIN_TRY_COUNTER),
            atc=cryptogram.atc if cryptogram else one.counters.get(Tag.ATC),
            last_online_atc=one.counters.get(Tag.LAST_ONLINE_ATC),
            records=len(one.records),
            closed=self._closed(),
            aip=self._aip(),
            aip_bits=tuple(self._aip_bits()),
            options_format=one.transaction.options_format if one.transaction else None,
            issuer_country=self._country(),
            effective=effective,
            expiry=expiry,
            psn=self._psn(),
            pan_digits=self._pan_digits(),
            pdol=_items(lists[Tag.PDOL]),
            cdol1=_items(lists[Tag.CDOL1]),
            cdol2=_items(lists[Tag.CDOL2]),
            cvm=tuple(self._cvm_rules() or ()),
            cvm_amounts=self._cvm_amounts(),
            offline_pin=self._offline_pin(),
            flags=flags,
            bitmap=bitmap,
            abilities=self._abilities(lists, flags, bitmap) if examined else (),
            resembles=self._resembles(flags, bitmap, cryptogram),
            cryptogram=cryptogram,
        )
        return report, self._findings

    def _find(self, kind: Kind, **facts: str | int) -> None:
        if kind in _NOT_OF_RECORDINGS and self._seen.recorded:
            return
        self._findings.append(Finding(kind=kind, aid=self._aid, facts=facts))

    # Opening

    def _role(self) -> Role:
        if self._one.scheme is None:
            return Role.UNKNOWN
        if self._one.scheme in AIDS.values():
            return Role.CODES
        return Role.CAP_STYLE if self._used else Role.PAYMENT

    def _check_opening(self) -> None:
        one = self._one
        if one.sw == Sw.APPLICATION_BLOCKED:
            self._find(Kind.APPLICATION_BLOCKED)
        elif one.sw == Sw.NOT_FOUND:
            self._find(Kind.LISTED_AND_ABSENT)
        elif one.sw != Sw.OK:
            self._find(Kind.SELECT_REFUSED, sw=f"{one.sw:04X}")
        if one.fci_unfit:
            self._find(Kind.FCI_MALFORMED)
        elif one.sw == Sw.OK and not one.name.startswith(one.aid):
            self._find(Kind.NAME_DIFFERS)
        if one.unfit:
            self._find(Kind.RECORD_MALFORMED, records=_places(one.unfit))
        if self._closed() and self._used:
            self._find(Kind.RECORDS_CLOSED, sw=f"{one.closed_sw or Sw.RECORD_NOT_FOUND:04X}")

    def _closed(self) -> bool:
        """Whether the card keeps records back until a transaction, and none was begun."""
        one = self._one
        if one.sw != Sw.OK or (one.transaction and one.transaction.options_sw == Sw.OK):
            return False
        if one.closed_sw is not None:
            return not self._objects.keys() >= _FOR_A_CODE
        return not one.records and not one.unfit

    def _own_priority(self) -> int | None:
        own = self._objects.get(Tag.APPLICATION_PRIORITY, b"")
        listed = self._one.listed
        return int.from_bytes(own) & _PRIORITY or (listed and _priority(listed)) or None

    def _languages(self) -> tuple[str, ...]:
        spoken = languages(self._one.fci)
        return tuple(code for code in spoken if re.fullmatch("[a-z]{2}", code))[:4]

    # Records

    def _dol(self, tag: Tag) -> tuple[DolEntry, ...] | None:
        """The list under *tag*: empty where there is none, None where it cannot be read."""
        try:
            return decode_dol(self._objects.get(tag, b""))
        except MalformedDol:
            return None

    def _check_lists(self, lists: Mapping[Tag, tuple[DolEntry, ...] | None]) -> None:
        for tag in _CDOLS:
            dol = lists[tag]
            if dol is None:
                self._find(Kind.CDOL_MALFORMED, name=tag.name, tag=f"{tag:X}")
            elif not dol:
                self._find(Kind.CDOL_MISSING, name=tag.name, tag=f"{tag:X}")
            elif dol_length(dol) > _LONGEST_DATA:
                self._find(Kind.CDOL_TOO_LONG, name=tag.name, tag=f"{tag:X}")
        cdol1, cdol2 = lists[Tag.CDOL1], lists[Tag.CDOL2]
        usual = len(STANDARD_ELEMENTS)
        if cdol1 and cdol1[:usual] != STANDARD_ELEMENTS:
            self._find(Kind.CDOL1_ODD)
        elif cdol1 and cdol1[usual:]:
            more = sum(entry.length for entry in cdol1[usual:])
            self._find(Kind.CDOL1_MORE, bytes=more)
        if cdol2 and not _asks(cdol2, Tag.ARC, 2):
            self._find(Kind.CDOL2_WITHOUT_ARC)
        if cdol1 and not _asks(cdol1, Tag.UN, _UN_LENGTH):
            self._find(Kind.NO_CHALLENGE)

    def _cvm_rules(self) -> list[CvmRule] | None:
        """The rules of the CVM list, or None where it is none."""
        value = self._objects.get(Tag.CVM_LIST, b"")
        rules = value[_CVM_RULES_AT:]
        if not rules or len(rules) % 2:
            return None
        return [
            CvmRule(code & _CVM_CODE, condition, bool(code & _CVM_NEXT))
            for code, condition in zip(rules[::2], rules[1::2], strict=True)
        ]

    def _cvm_amounts(self) -> tuple[int, int] | None:
        """X and Y, where a rule looks at them."""
        if not any(rule.condition in _BY_AMOUNT for rule in self._cvm_rules() or ()):
            return None
        value = self._objects[Tag.CVM_LIST]
        return int.from_bytes(value[:_CVM_AMOUNT]), int.from_bytes(
            value[_CVM_AMOUNT:][:_CVM_AMOUNT]
        )

    def _offline_pin(self) -> OfflinePin | None:
        rules = self._cvm_rules()
        if rules is None:
            return None
        codes = {rule.code for rule in rules if rule.condition not in _CASH}
        if codes & _PLAINTEXT_PIN:
            return OfflinePin.BOTH if codes & _ENCIPHERED_PIN else OfflinePin.PLAINTEXT
        return OfflinePin.ENCIPHERED if codes & _ENCIPHERED_PIN else OfflinePin.NONE

    def _check_aip(self) -> None:
        aip = self._aip()
        if aip is not None and not int(aip, 16) & Aip.CARDHOLDER_VERIFICATION:
            self._find(Kind.NO_VERIFICATION)

    def _aip_bits(self) -> Iterator[AipBit]:
        value = int(self._aip() or "0", 16)
        for place in range(16):
            bit = 0x8000 >> place
            if value & bit:
                name = Aip(bit).name if bit in _AIP_BITS else None
                yield AipBit(name=name or "RESERVED", byte=place // 8 + 1, bit=8 - place % 8)

    def _check_cvm_list(self) -> None:
        rules = self._cvm_rules()
        if Tag.CVM_LIST not in self._objects:
            self._find(Kind.CVM_LIST_MISSING)
        elif rules is None:
            self._find(Kind.CVM_LIST_MALFORMED)
        elif self._offline_pin() not in {OfflinePin.PLAINTEXT, OfflinePin.BOTH}:
            self._find(Kind.NO_PIN_RULE)
        if Tag.PAN not in self._objects:
            self._find(Kind.PAN_MISSING)

    def _dates(self, *, examined: bool) -> tuple[str | None, str | None]:
        """Month and year from when and until when: the day is nobody's business."""
        try:
            validity = Validity.of(self._objects)
        except CardUnfit:
            if examined:
                self._find(Kind.DATE_MALFORMED)
            return None, None
        if examined and self._today:
            if validity.expiry and self._today > validity.expiry:
                self._find(Kind.EXPIRED, month=_month(validity.expiry) or "")
            if validity.effective and self._today < validity.effective:
                self._find(Kind.NOT_YET_VALID, month=_month(validity.effective) or "")
        return _month(validity.effective), _month(validity.expiry)

    def _country(self) -> str | None:
        digits = self._objects.get(Tag.ISSUER_COUNTRY, b"").hex()
        return digits[1:] if re.fullmatch("0[0-9]{3}", digits) else None

    def _psn(self) -> str | None:
        digits = self._objects.get(Tag.PSN, b"").hex()
        return digits if re.fullmatch("[0-9]{2}", digits) else None

    def _pan_digits(self) -> int | None:
        return len(self._objects.get(Tag.PAN, b"").hex().rstrip("f")) or None

    # Flags and bitmap

    def _flags(self) -> Flags:
        # In Visa's payments the tag is another object.
        iaf = flags_of(self._objects, self._one.scheme)
        means_codes = self._means_codes()
        value = self._objects.get(Tag.IAF) if means_codes else None
        if means_codes and not value:
            self._find(Kind.IAF_MISSING)
        if value and len(value) > 1:
            self._find(Kind.IAF_LONG, bytes=len(value))
        if iaf & _IAF_RESERVED:
            self._find(Kind.IAF_RESERVED)
        if iaf & Iaf.AMOUNT_ONLY and not iaf & Iaf.AMOUNT:
            self._find(Kind.IAF_NO_AMOUNT)
        amount = bool(iaf & Iaf.AMOUNT)
        return Flags(
            value=value[:1].hex().upper() if value else None,
            amount=amount,
            currency=amount and not iaf & Iaf.AMOUNT_ONLY,
            psn=bool(iaf & Iaf.PSN),
        )

    def _means_codes(self) -> bool:
        """Whether 9F55 is the IAF here: not so in a Visa payment without a bitmap."""
        scheme = self._one.scheme
        return scheme is not Scheme.VISA or bitmap_of(self._objects, scheme) is not None

    def _bitmap(self, cryptogram: CryptogramReport | None, flags: Flags | None) -> Bitmap | None:
        scheme = self._one.scheme
        own = bitmap_of(self._objects, scheme)
        source, ipb = BitmapSource.CARD, own
        if scheme is Scheme.BANCONTACT or (own is None and scheme is Scheme.BELGIAN):
            self._find(Kind.BELGIAN_FUNCTION)
            source, ipb = BitmapSource.BELGIAN, BELGIAN_IPB
        elif own is None and scheme is Scheme.VISA:
            self._find(Kind.BITMAP_OF_VISA)
            source, ipb = BitmapSource.VISA, VISA_DEFAULT_IPB
        if ipb is None:
            known = [one.name for one in PROFILES.values() if one.scheme is scheme]
            self._find(Kind.BITMAP_MISSING, profiles=", ".join(known) or "–")
            return None
        psn = bool(flags and flags.psn) and source is not BitmapSource.BELGIAN
        layout, presumed = self._layout(cryptogram)
        bitmap = explain_bitmap(
            ipb, self._public.hex(ipb), source, layout, psn=psn, presumed=presumed
        )
        if source is BitmapSource.CARD:
            self._check_bitmap(ipb, bitmap, cryptogram, psn=psn)
        elif bitmap.bits > MOST_BITS:
            self._find(Kind.MANY_BITS, bits=bitmap.bits, digits=bitmap.digits)
        return bitmap

    def _layout(self, cryptogram: CryptogramReport | None) -> tuple[IadLayout | None, bool]:
        """By which layout the IAD's bits are named, and whether that is a guess."""
        if cryptogram is not None:
            return _LAYOUTS.get(cryptogram.layout or ""), False
        return (IadLayout.VISA if self._one.scheme in _VISA_LAID_OUT else None), True

    def _check_bitmap(
        self, ipb: bytes, bitmap: Bitmap, cryptogram: CryptogramReport | None, *, psn: bool
    ) -> None:
        if not bitmap.bits:
            self._find(Kind.BITMAP_EMPTY)
            return
        if bitmap.bits < FEWEST_BITS:
            self._find(Kind.FEW_BITS, bits=bitmap.bits)
        if bitmap.bits > MOST_BITS:
            self._find(Kind.MANY_BITS, bits=bitmap.bits, digits=bitmap.digits)
        sent = psn + _IAD_AT // 8 + (cryptogram.iad_bytes if cryptogram else 32)
        if any(ipb[sent:]):
            self._find(Kind.BITMAP_PAST_THE_DATA, sent=sent)
        atc = [run for run in bitmap.runs if run.part is Part.ATC]
        if not atc:
            self._find(Kind.NO_ATC_BITS)
        elif len(atc) > 1 or last_bit(atc[0]) != 16:  # noqa: PLR2004 -- bits of an ATC
            self._find(Kind.ATC_BITS_NOT_LOWEST)
        if bitmap.ac_bits < FEWEST_BITS:
            self._find(Kind.FEW_AC_BITS, bits=bitmap.ac_bits)
        if bitmap.iad_bits:
            self._find(Kind.IAD_BITS, bits=bitmap.iad_bits)
        if psn:
            self._check_psn(ipb)

    def _check_psn(self, ipb: bytes) -> None:
        if not ipb[0]:
            self._find(Kind.PSN_BITS_MISSING)
        if self._psn() is None:
            self._find(Kind.PSN_MISSING)

    def _abilities(
        self,
        lists: Mapping[Tag, tuple[DolEntry, ...] | None],
        flags: Flags | None,
        bitmap: Bitmap | None,
    ) -> tuple[Ability, ...]:
        cdol1 = lists[Tag.CDOL1] or ()
        makes = (
            bitmap is not None
            and bool(bitmap.bits)
            and all(0 < dol_length(lists[tag] or ()) <= _LONGEST_DATA for tag in _CDOLS)
            and not (flags and flags.psn and self._psn() is None)
        )
        challenge = makes and _asks(cdol1, Tag.UN, _UN_LENGTH)
        amount, currency = bool(flags and flags.amount), bool(flags and flags.currency)
        binds = _asks(cdol1, Tag.AMOUNT_AUTHORISED, _AMOUNT_LENGTH) and (
            not currency or _asks(cdol1, Tag.TRANSACTION_CURRENCY, _CURRENCY_LENGTH)
        )
        if amount and cdol1 and not binds:
            self._find(Kind.NO_AMOUNT)
        signs = makes and (not amount or (binds and challenge))
        how = (Mode.M1 if amount else Mode.TDS) if signs else None
        return (
            Ability(Function.CODE, makes, Mode.M2 if makes else None),
            Ability(Function.RESPOND, challenge, Mode.M3 if challenge else None),
            Ability(Function.SIGN, signs, how, amount and signs, currency and signs),
        )

    def _resembles(
        self, flags: Flags | None, bitmap: Bitmap | None, cryptogram: CryptogramReport | None
    ) -> tuple[Resemblance, ...]:
        """The known profiles with the same bitmap that differ in the fewest other things."""
        if bitmap is None or flags is None or bitmap.source is BitmapSource.BELGIAN:
            return ()
        mine = bitmap.value.rstrip("0")
        alike = [
            Resemblance(profile.name, self._differs(profile, flags, cryptogram))
            for profile in PROFILES.values()
            if profile.ipb.hex().upper().rstrip("0") == mine
        ]
        fewest = min((len(one.differs) for one in alike), default=0)
        return tuple(one for one in alike if len(one.differs) == fewest)

    def _differs(
        self, profile: Profile, flags: Flags, cryptogram: CryptogramReport | None
    ) -> tuple[str, ...]:
        aip = self._aip()
        same = {
            "aid": self._one.name.startswith(profile.aid),
            "iaf": int(flags.value or "00", 16) == profile.iaf,
            "aip": aip in (None, profile.aip.hex().upper()),
            "cvn": cryptogram is None or profile.version.name in cryptogram.recipes,
        }
        return tuple(name for name, is_same in same.items() if not is_same)

    # Counters and the transaction

    def _check_counters(self) -> None:
        counters = self._one.counters
        tries = counters.get(Tag.PIN_TRY_COUNTER)
        if self._one.sw == Sw.OK and tries is None:
            self._find(Kind.TRIES_UNKNOWN)
        elif tries == 0:
            self._find(Kind.PIN_BLOCKED)
        elif tries == 1:
            self._find(Kind.LAST_TRY)
        atc = counters.get(Tag.ATC, 0)
        if atc == HIGHEST_ATC:
            self._find(Kind.ATC_AT_ITS_END)
        elif atc >= _NEAR_ITS_END:
            self._find(Kind.ATC_NEAR_ITS_END, atc=atc)

    def _aip(self) -> str | None:
        said = self._one.transaction
        return said.aip.hex().upper() if said and said.aip else None

    def _check_transaction(self) -> None:
        said = self._one.transaction
        if said is None:
            return
        self._check_options(said)
        if said.differs:
            self._find(Kind.NOT_REPLAYED)
        if said.not_agreed:
            self._find(Kind.PIN_NOT_ASKED, tries=self._one.counters.get(Tag.PIN_TRY_COUNTER, "?"))
        if said.verify_sw is not None and said.verify_sw != Sw.OK:
            tries = self._one.counters.get(Tag.PIN_TRY_COUNTER)
            wrong = tries is not None and _is_wrong_pin(said.verify_sw)
            if wrong and tries:
                self._find(Kind.WRONG_PIN, tries=tries)
            elif not wrong:
                self._find(Kind.VERIFY_REFUSED, sw=f"{said.verify_sw:04X}")
        if said.ac_sw is not None and said.ac_sw != Sw.OK:
            self._find(Kind.AC_REFUSED, sw=f"{said.ac_sw:04X}")
        if said.ac_unfit:
            self._find(Kind.AC_MALFORMED)

    def _check_options(self, said: Transaction) -> None:
        if said.pdol_unfit:
            self._find(Kind.PDOL_MALFORMED)
        if said.options_sw is not None and said.options_sw != Sw.OK:
            self._find(Kind.OPTIONS_REFUSED, sw=f"{said.options_sw:04X}")
        if said.options_unfit:
            self._find(Kind.OPTIONS_MALFORMED)
        if said.missing:
            self._find(Kind.RECORD_MISSING, records=_places(said.missing))
        if said.not_named:
            self._find(Kind.RECORD_NOT_NAMED, records=_places(said.not_named))

    def _cryptogram(self) -> CryptogramReport | None:
        said = self._one.transaction
        if said is None or said.cryptogram is None:
            return None
        kind, data = said.cryptogram.kind, said.cryptogram.data
        atc, iad = int.from_bytes(data[1:3]), data[_IAD_AT // 8 :]
        if kind is AcType.AAC:
            self._find(Kind.DECLINED)
        elif kind is AcType.TC:
            self._find(Kind.APPROVED)
        elif kind is None:
            self._find(Kind.AC_MALFORMED)
        name = kind.name if kind is not None else None
        try:
            decoded = decode_iad(iad)
        except MalformedIad:
            self._find(Kind.IAD_UNKNOWN, bytes=len(iad))
            return CryptogramReport(
                kind=name, atc=atc, iad_bytes=len(iad), answer_format=said.ac_format
            )
        cvr = decoded.cvr
        layout = next(one for one in IadLayout if one.cvr is type(cvr))
        recipes = tuple(
            version.name
            for version in VERSIONS.values()
            if version.layout is layout and version.cvn == decoded.cvn
        )
        if not recipes:
            self._find(Kind.CVN_UNKNOWN, cvn=f"{decoded.cvn:02X}")
        if kind is AcType.ARQC and not cvr.pin_verified_arqc:
            self._find(Kind.PIN_NOT_IN_CVR)
        kinds = cvr.value >> layout.cvr_length * 8 - 4  # b8 to b5 of the first byte
        second_ac, first_ac = kinds >> 2, kinds & 0b11
        return CryptogramReport(
            kind=name,
            atc=atc,
            iad_bytes=len(iad),
            layout=LAYOUT_NAMES[layout],
            dki=f"{decoded.dki:02X}",
            cvn=f"{decoded.cvn:02X}",
            recipes=recipes,
            cvr=cvr.value.to_bytes(layout.cvr_length).hex().upper(),
            cvr_bits=tuple(cvr_bits(layout, cvr.value)),
            first_ac=_AC_KINDS.get(first_ac),
            second_ac=(_AC_KINDS | _NOT_REQUESTED).get(second_ac),
            pin=_pin(layout, cvr.value),
            pin_verified=cvr.pin_verified_arqc,
            answer_format=said.ac_format,
        )


_CDOLS = (Tag.CDOL1, Tag.CDOL2)
_FOR_A_CODE = frozenset({*_CDOLS, Tag.IPB})
_AIP_BITS = frozenset(Aip)


def _pin(layout: IadLayout, cvr: int) -> str:
    """What *cvr* says of the PIN, whatever it says of the cryptogram."""
    said = {name for name, member in layout.cvr.__members__.items() if cvr & member.value}
    if "PIN_PERFORMED" not in said:
        return "not-checked"
    right = "PIN_SUCCESSFUL" in said or "PIN_SUCCESSFUL" not in layout.cvr.__members__
    return "right" if right and "PIN_FAILED" not in said else "wrong"


def _places(records: Sequence[Record]) -> str:
    """File and number of each, as « 1.2 »; of many the first ones."""
    named = [f"{sfi}.{number}" for sfi, number in records[:_MOST_NAMED]]
    return ", ".join(named) + (" …" if len(records) > _MOST_NAMED else "")


def _is_wrong_pin(sw: int) -> bool:
    blocked = (Sw.PIN_BLOCKED, Sw.REFERENCE_DATA_UNUSABLE)
    return sw in blocked or sw & 0xFFF0 == 0x63C0  # noqa: PLR2004 -- 63Cx


def _month(day: int | None) -> str | None:
    """yyyy-mm of yyyymmdd."""
    return None if day is None else f"{day // 10000:04d}-{day // 100 % 100:02d}"


def _items(dol: tuple[DolEntry, ...] | None) -> tuple[DolItem, ...]:
    return tuple(DolItem(f"{entry.tag:X}", entry.length) for entry in dol or ())


def _asks(dol: Iterable[DolEntry], tag: Tag, length: int) -> bool:
    return any(entry.tag == tag and entry.length >= length for entry in dol)
