"""The report of an inspected card in words, for its holder, its bank, and whoever helps them.

Nothing is said that the report does not hold, and the report holds nothing private.
"""

import textwrap
from collections.abc import Iterator, Mapping

from sesame.cap.mode import LOGIN, Mode
from sesame.cap.terminal_data import STANDARD_ELEMENTS, Scheme, terminal_data
from sesame.catalogue import N_
from sesame.cli.cvr_words import BITS
from sesame.cli.finding_words import finding_sentence, month
from sesame.cli.language import say
from sesame.emv.tags import Tag
from sesame.reader.report import (
    Ability,
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
    OfflinePin,
    Part,
    Report,
    Role,
    Run,
    Severity,
    Verdict,
)


def lines(report: Report) -> Iterator[str]:
    """The whole report, line by line."""
    yield say(_VERDICTS[report.verdict])
    if report.atr is not None:
        yield ""
        yield _head(say("Mise sous tension (ATR)"), _atr(report.atr))
    if report.directory is not None:
        yield ""
        name = N_("Répertoire sans contact") if report.contactless else N_("Répertoire de la carte")
        yield _head(say(name), say("vide") if not report.directory else "")
        for listed in report.directory:
            priority = listed.priority and say("priorité {number}").format(number=listed.priority)
            yield _indented(
                f"{_named(listed.label, listed.aid)}{f', {priority}' if priority else ''}"
            )
    for application in report.applications:
        yield ""
        yield from _application(application, hindered=report.verdict is Verdict.NONE)
    for severity in Severity:
        found = [one for one in report.findings if one.severity is severity]
        if found:
            yield ""
            yield _head(say(_SEVERITIES[severity]))
            yield from (_indented(f"– {_finding(one, report)}") for one in found)
    yield ""
    yield say("Ce rapport peut être montré à tous\u00a0: ni numéro de carte, ni nom, ni code.")


def wrapped(line: str) -> str:
    """*line* in as many as it takes of at most 80 columns, the later ones further in."""
    indent = len(line) - len(line.lstrip())
    later = indent + (2 if line.lstrip().startswith("– ") else 4)
    return textwrap.fill(
        line,
        _COLUMNS,
        subsequent_indent=" " * (later if indent else 0),
        break_long_words=False,
        break_on_hyphens=False,
    )


_COLUMNS = 80


def _finding(finding: Finding, report: Report) -> str:
    """Its sentence, behind the name of the application where there are several."""
    said = finding_sentence(finding)
    several = len(report.applications) > 1 and finding.aid is not None
    return _head(finding.aid or "", said) if several else said


_VERDICTS: Mapping[Verdict, str] = {
    Verdict.CODES: N_("Cette carte fait des codes."),
    Verdict.CAP_STYLE: N_(
        "Cette carte n’a pas d’application de codes. Un lecteur peut faire un code avec son "
        "application de paiement, si sa banque le prévoit."
    ),
    Verdict.CLOSED: N_(
        "Cette carte a une application, mais n’en dit pas plus avant une transaction."
    ),
    Verdict.NONE: N_("Cette carte ne fait pas de code."),
    Verdict.UNKNOWN: N_("On ne sait pas si cette carte fait des codes."),
}
_SEVERITIES: Mapping[Severity, str] = {
    Severity.FAULT: N_("Ce qui empêche un code"),
    Severity.WARNING: N_("Attention"),
    Severity.NOTE: N_("À savoir"),
}


def _head(name: str, value: str = "") -> str:
    """A name and a colon, as the language sets it."""
    return say("{name}\u00a0: {value}").format(name=name, value=value).rstrip()


def _line(name: str, value: str) -> str:
    return _indented(_head(name, value))


def _indented(text: str, depth: int = 1) -> str:
    return "  " * depth + text


def _named(label: str | None, aid: str) -> str:
    return f"{label} ({aid})" if label else aid


def _atr(atr: AtrReport) -> str:
    convention = _DIRECT if atr.convention == "direct" else _INVERSE
    historical = say("{interface}, puis {number} octets historiques, non montrés")
    shown = historical if atr.historical_bytes else "{interface}"
    interface = shown.format(interface=atr.interface, number=atr.historical_bytes)
    return ", ".join([say(convention), *atr.protocols, interface])


_DIRECT, _INVERSE = N_("convention directe"), N_("convention inverse")


# ── One application ──────────────────────────────────────────────────────────────────────────────


def _application(one: ApplicationReport, *, hindered: bool) -> Iterator[str]:
    name = _named(one.preferred_name or one.label, one.aid)
    yield _head(name, say(_ROLES[one.role]).format(scheme=one.scheme))
    if one.select_sw != _OPENS:
        yield _line(say("Ne s’ouvre pas (SELECT)"), one.select_sw)
        return
    yield from _of_itself(one)
    if one.flags is not None:
        yield _line(say("Indicateurs (IAF)"), _flags(one.flags))
    if one.bitmap is not None:
        yield from _bitmap(one.bitmap)
    for ability in one.abilities:
        later = say(", une fois levé ce qui l’empêche") if hindered and ability.works else ""
        yield _line(say(_FUNCTIONS[ability.function]), _ability(ability) + later)
    if one.abilities:
        yield from _lists(one)
    if one.scheme is not None and one.abilities:
        yield _line(say("Données que le lecteur envoie"), _terminal(one.scheme))
    for resemblance in one.resembles:
        like = (
            say("comme {profile}")
            if not resemblance.differs
            else say("proche de {profile}, sauf {differs}")
        )
        differs = ", ".join(word.upper() for word in resemblance.differs)
        yield _line(say("Profil"), like.format(profile=resemblance.profile, differs=differs))
    if one.cryptogram is not None:
        yield from _cryptogram(one.cryptogram)


_OPENS = "9000"
_OFFLINE_PIN: Mapping[OfflinePin | None, str] = {
    OfflinePin.PLAINTEXT: N_("un lecteur non connecté peut le faire vérifier par la carte"),
    OfflinePin.BOTH: N_(
        "un lecteur non connecté peut le faire vérifier par la carte, en clair ou chiffré"
    ),
    OfflinePin.ENCIPHERED: N_(
        "la carte le veut chiffré, et les lecteurs de codes l’envoient en clair"
    ),
    OfflinePin.NONE: N_("aucune règle ne prévoit qu’un lecteur non connecté le fasse vérifier"),
    None: N_("la carte ne dit pas comment elle le vérifie (pas de liste CVM lue)"),
}
# EMV 4.4 Book 3, Annex C1.
_AIP: Mapping[str, str] = {
    "XDA": N_("authentification étendue des données (XDA)"),
    "SDA": N_("authentification statique des données (SDA)"),
    "DDA": N_("authentification dynamique des données (DDA)"),
    "CARDHOLDER_VERIFICATION": N_("le porteur peut être vérifié"),
    "TERMINAL_RISK_MANAGEMENT": N_("le terminal doit évaluer le risque"),
    "ISSUER_AUTHENTICATION": N_("authentification de la banque par la carte"),
    "CDA": N_("authentification combinée au cryptogramme (CDA)"),
    "RESERVED": N_("réservé"),
}


_ROLES: Mapping[Role, str] = {
    Role.CODES: N_("application de codes ({scheme})"),
    Role.CAP_STYLE: N_("application de paiement, dont un lecteur peut tirer un code ({scheme})"),
    Role.PAYMENT: N_("application de paiement"),
    Role.UNKNOWN: N_("application que nos lecteurs ne cherchent pas"),
}


def _of_itself(one: ApplicationReport) -> Iterator[str]:
    """What it says before anybody asks it for a code."""
    yield from (_line(say(key), value) for key, value in _facts(one) if value)
    for bit in one.aip_bits:
        yield _indented(f"– {_place(bit.byte, bit.bit)} – {say(_AIP[bit.name])}", 2)
    if one.role is not Role.UNKNOWN and not one.closed:
        yield _line(say("Code secret sans réseau"), say(_OFFLINE_PIN[one.offline_pin]))


def _facts(one: ApplicationReport) -> Iterator[tuple[str, str]]:
    unread = say("la carte ne le dit pas")
    yield N_("Nom"), one.label or "" if one.preferred_name else ""
    yield N_("Priorité"), _text(one.priority)
    yield N_("Langues"), ", ".join(one.languages)
    yield N_("Essais du code secret"), _text(one.tries_left) or unread
    yield N_("Compteur (ATC)"), _text(one.atc) or unread
    yield N_("Dernier compteur en ligne"), _text(one.last_online_atc)
    yield N_("Pays de la banque (ISO 3166-1)"), one.issuer_country or ""
    yield N_("Valable à partir de"), _month(one.effective)
    yield N_("Expire en"), _month(one.expiry)
    digits = say("{number} chiffres, non montrés")
    yield N_("Numéro de carte"), digits.format(number=one.pan_digits) if one.pan_digits else ""
    yield N_("Numéro de séquence (PSN)"), one.psn or ""
    yield N_("Enregistrements lus"), _text(one.records)
    yield N_("Forme des réponses"), _formats(one)
    yield N_("Capacités (AIP)"), one.aip or ""


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _month(written: str | None) -> str:
    return month(written) if written else ""


def _formats(one: ApplicationReport) -> str:
    """Of the two answers that EMV lets a card give in two ways."""
    answers = (
        ("GET PROCESSING OPTIONS", one.options_format),
        ("GENERATE AC", one.cryptogram.answer_format if one.cryptogram else None),
    )
    return ", ".join(f"{name} {say(_FORMATS[number])}" for name, number in answers if number)


_FORMATS: Mapping[int, str] = {1: N_("compacte (80)"), 2: N_("en TLV (77)")}


def _place(byte: int, bit: int) -> str:
    return say("octet {byte}, bit {bit}").format(byte=byte, bit=bit)


def _flags(flags: Flags) -> str:
    value = flags.value or say("aucun, comme 00")
    amount = N_("pas de montant")
    if flags.amount:
        amount = N_("montant et monnaie") if flags.currency else N_("montant sans monnaie")
    psn = N_("le PSN devant la réponse") if flags.psn else N_("sans PSN")
    return f"{value} – {say(amount)}, {say(psn)}"


def _bitmap(bitmap: Bitmap) -> Iterator[str]:
    yield _line(say("Bitmap (IPB)"), bitmap.value + say(_SOURCES[bitmap.source]))
    yield _indented(bitmap_sentence(bitmap), 2)
    belgian = bitmap.source is BitmapSource.BELGIAN  # its number is no sum
    if bitmap.runs and not belgian:
        yield _indented(_head(say("le nombre affiché est la somme de")), 2)
    for run in bitmap.runs:
        times = "" if belgian else f" × {1 << run.shift}"
        yield _indented(f"– {_run(run, bitmap)}{times}", 2)
    if bitmap.iad_presumed:
        yield _indented(
            say("Les bits de l’IAD sont nommés comme chez Visa, ce qui reste à vérifier."), 2
        )


_SOURCES: Mapping[BitmapSource, str] = {
    BitmapSource.CARD: N_(" (de la carte)"),
    BitmapSource.VISA: N_(" (du lecteur, pour les cartes Visa qui n’en ont pas)"),
    BitmapSource.BELGIAN: N_(" (de la fonction belge)"),
}


def bitmap_sentence(bitmap: Bitmap) -> str:
    """« 1 bit constant, 9 bits du compteur, 16 bits du cryptogramme : toujours 8 chiffres »."""
    counted = (
        (bitmap.constant_bits, N_("1 bit constant"), N_("{number} bits constants")),
        (bitmap.atc_bits, N_("1 bit du compteur"), N_("{number} bits du compteur")),
        (bitmap.ac_bits, N_("1 bit du cryptogramme"), N_("{number} bits du cryptogramme")),
        (bitmap.iad_bits, N_("1 bit de l’IAD"), N_("{number} bits de l’IAD")),
    )
    parts = [
        say(one if number == 1 else many).format(number=number)
        for number, one, many in counted
        if number
    ]
    if not parts:
        return say("aucun bit")
    if bitmap.digits > _EIGHT:
        digits = N_("jusqu’à {digits} chiffres")
    else:
        digits = N_("toujours {digits} chiffres")
        if bitmap.leads_with_one:
            digits = N_("toujours {digits} chiffres, sans zéro devant")
    return _head(", ".join(parts), say(digits).format(digits=bitmap.digits))


_EIGHT = 8  # digits


def _run(run: Run, bitmap: Bitmap) -> str:
    """« 16 bits du cryptogramme, à partir de l’octet 1, bit 8 »."""
    if run.bits == 1:
        text = say(N_("{part}, octet {byte}, bit {bit}"))
    else:
        text = say(N_("{part}, {bits} bits à partir de l’octet {byte}, bit {bit}"))
    said = text.format(part=say(_PARTS[run.part]), bits=run.bits, byte=run.byte, bit=run.bit)
    if not run.names or bitmap.iad_layout is None:
        return said
    return f"{said} ({', '.join(dict.fromkeys(say(BITS[name]) for name in run.names))})"


_PARTS: Mapping[Part, str] = {
    Part.PSN: N_("numéro de séquence (PSN)"),
    Part.CID: N_("sorte du cryptogramme (CID)"),
    Part.ATC: N_("compteur (ATC)"),
    Part.AC: N_("cryptogramme (AC)"),
    Part.IAD: N_("données de la banque (IAD)"),
    Part.BEYOND: N_("au-delà de toute réponse"),
}


_FUNCTIONS: Mapping[Function, str] = {
    Function.CODE: N_("«\u00a0Code\u00a0»"),
    Function.RESPOND: N_("«\u00a0Répondre\u00a0»"),
    Function.SIGN: N_("«\u00a0Signer\u00a0»"),
}


def _ability(ability: Ability) -> str:
    if not ability.works:
        return say("non")
    if ability.mode is Mode.M1:
        with_money = N_("oui, la puce prend un montant et sa monnaie (mode 1)")
        without = N_("oui, la puce prend un montant (mode 1)")
        return say(with_money if ability.currency else without)
    return say(_MODES[ability.mode or Mode.M2])


_MODES: Mapping[Mode, str] = {
    Mode.M2: N_("oui (mode 2)"),
    Mode.M3: N_("oui (mode 3)"),
    Mode.TDS: N_("oui, le lecteur mêle les nombres au cryptogramme (mode 2 avec TDS)"),
}


def _lists(one: ApplicationReport) -> Iterator[str]:
    if one.pdol:
        yield _line(say("Demandé avant (PDOL)"), ", ".join(_object(item) for item in one.pdol))
    usual = tuple(DolItem(f"{entry.tag:X}", entry.length) for entry in STANDARD_ELEMENTS)
    for name, dol in (
        (N_("Demandé pour le code (CDOL1)"), one.cdol1),
        (N_("Demandé pour finir (CDOL2)"), one.cdol2),
    ):
        if dol:
            yield _line(say(name), _list(dol, usual))
    for at, rule in enumerate(one.cvm, 1):
        yield _line(say("Règle CVM {number}").format(number=at), _rule(rule))
    if one.cvm_amounts is not None:
        amounts = say("{first} et {second}, dans la plus petite unité")
        first, second = one.cvm_amounts
        yield _line(say("Montants des règles CVM"), amounts.format(first=first, second=second))


def _list(dol: tuple[DolItem, ...], usual: tuple[DolItem, ...]) -> str:
    length = say("{number} octets").format(number=sum(item.length for item in dol))
    whole = all(item in dol for item in usual)
    others = ", ".join(_object(item) for item in dol if not whole or item not in usual)
    if not whole:
        return f"{length} – {others}"
    text = say("les huit éléments habituels et {others}") if others else say(_USUAL)
    return f"{length} – {text.format(others=others)}"


_USUAL = N_("les huit éléments habituels")


def _object(item: DolItem) -> str:
    name = _OBJECTS.get(int(item.tag, 16))
    return f"{say(name)} ({item.tag})" if name else item.tag


_OBJECTS: Mapping[int, str] = {
    Tag.ARC: N_("code de réponse"),
    Tag.TVR: N_("vérifications du terminal"),
    Tag.ISSUER_AUTHENTICATION: N_("authentification de la banque"),
    Tag.TRANSACTION_DATE: N_("date"),
    Tag.TRANSACTION_TYPE: N_("type de transaction"),
    Tag.TRANSACTION_CURRENCY: N_("monnaie"),
    Tag.AMOUNT_AUTHORISED: N_("montant"),
    Tag.AMOUNT_OTHER: N_("autre montant"),
    Tag.MERCHANT_CATEGORY: N_("catégorie du commerçant"),
    Tag.TERMINAL_COUNTRY: N_("pays du terminal"),
    Tag.TERMINAL_CAPABILITIES: N_("capacités du terminal"),
    Tag.ADDITIONAL_CAPABILITIES: N_("autres capacités du terminal"),
    Tag.CVM_RESULTS: N_("vérification du porteur"),
    Tag.TERMINAL_TYPE: N_("type de terminal"),
    Tag.UN: N_("défi"),
    Tag.DATA_AUTHENTICATION_CODE: N_("code d’authentification des données"),
    Tag.ICC_DYNAMIC_NUMBER: N_("nombre dynamique de la carte"),
}


def _rule(rule: CvmRule) -> str:
    code = say(_CVM.get(rule.code, _OTHER_RULE)).format(code=f"{rule.code:02X}")
    when = say(_WHEN.get(rule.condition, _OTHER_CONDITION))
    then = say(N_("sinon la règle suivante")) if rule.otherwise_next else say(N_("sinon échec"))
    return f"{code}, {when.format(condition=f'{rule.condition:02X}')}, {then}"


_OTHER_RULE = N_("règle {code}")
_OTHER_CONDITION = N_("condition {condition}")
# EMV 4.4 Book 3, Annex C3.
_CVM: Mapping[int, str] = {
    0x00: N_("refus"),
    0x01: N_("code secret en clair, vérifié par la carte"),
    0x02: N_("code secret chiffré, vérifié par la banque"),
    0x03: N_("code secret en clair, vérifié par la carte, et signature"),
    0x04: N_("code secret chiffré, vérifié par la carte"),
    0x05: N_("code secret chiffré, vérifié par la carte, et signature"),
    0x1E: N_("signature"),
    0x1F: N_("rien"),
}
_WHEN: Mapping[int, str] = {
    0x00: N_("toujours"),
    0x01: N_("au distributeur de billets"),
    0x02: N_("hors retrait d’espèces"),
    0x03: N_("si le terminal le peut"),
    0x04: N_("pour un retrait au guichet"),
    0x05: N_("pour un achat avec retrait"),
    0x06: N_("sous le premier montant"),
    0x07: N_("au-dessus du premier montant"),
    0x08: N_("sous le second montant"),
    0x09: N_("au-dessus du second montant"),
}


def _terminal(scheme: Scheme) -> str:
    """The column of docs/reference/emv-cap.md, section 6."""
    values = terminal_data(scheme, LOGIN)
    shown = {
        "TVR": values[Tag.TVR].hex().upper(),
        say("date"): values[Tag.TRANSACTION_DATE].hex(),
        say("type de terminal"): values[Tag.TERMINAL_TYPE].hex(),
        "CVM": values[Tag.CVM_RESULTS].hex(),
        "ARC": values[Tag.ARC].decode(),
    }
    column = say("colonne {scheme}").format(scheme=scheme)
    return f"{column} – {', '.join(f'{name} {value}' for name, value in shown.items())}"


def _cryptogram(one: CryptogramReport) -> Iterator[str]:
    yield _line(say("Réponse de la carte"), say(_KINDS.get(one.kind or "", _NO_KIND)))
    if one.layout is None:
        return
    recipes = ", ".join(one.recipes) or say("recette inconnue")
    yield _line(say("Clé de la banque (DKI)"), one.dki or "")
    yield _line(say("Recette (CVN)"), f"{one.cvn} – {recipes}")
    yield _line(say("Ce que la carte a vu (CVR)"), f"{one.cvr} ({say(_LAYOUTS[one.layout])})")
    yield _indented(f"– {say(_PIN[one.pin or ''])}", 2)
    kinds = say(N_("premier cryptogramme {first}, second {second}"))
    second = say(N_("pas encore demandé")) if one.second_ac == "not-requested" else one.second_ac
    yield _indented(f"– {kinds.format(first=one.first_ac, second=second)}", 2)
    for bit in one.cvr_bits:
        number = f" ({bit.number})" if bit.name in _NUMBERS else ""
        yield _indented(f"– {_place(bit.byte, bit.bit)} – {say(BITS[bit.name])}{number}", 2)


_KINDS: Mapping[str, str] = {
    "ARQC": N_("ARQC, elle accepte et demande à la banque"),
    "AAC": N_("AAC, elle refuse"),
    "TC": N_("TC, elle approuve seule"),
}
_PIN: Mapping[str, str] = {
    "right": N_("code secret vérifié et juste"),
    "wrong": N_("code secret faux"),
    "not-checked": N_("code secret non vérifié"),
}
_NO_KIND = N_("aucune sorte de cryptogramme")
_LAYOUTS: Mapping[str, str] = {
    "visa": N_("disposition Visa"),
    "mchip": N_("disposition M/Chip"),
    "ccd": N_("disposition CCD"),
}
_NUMBERS = frozenset({"SCRIPT_COUNTER", "PIN_TRY_COUNTER"})
