"""The reader's dialogues, row by row of docs/reference/requirements.md, 4.2, in both languages."""

import copy
import pickle
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.mode import Inputs, Mode
from sesame.cap.terminal_data import AIDS, Scheme
from sesame.catalogue import Language
from sesame.emv.apdu import Command, Ins, Response
from sesame.emv.tags import Tag
from sesame.emv.tlv import encode_one
from sesame.reader.machine import (
    ANSWERING,
    DIGITS,
    ON,
    PAYEE,
    POWERED,
    SHOWN,
    Announce,
    Asked,
    Battery,
    CardAnswered,
    CardInserted,
    CardMute,
    CardPowered,
    CardRemoved,
    DisplayTime,
    Effect,
    Event,
    FunctionChosen,
    Key,
    KeyHeld,
    KeyPressed,
    PadShown,
    PowerOffCard,
    PowerOnCard,
    Reader,
    Screen,
    SendToCard,
    Show,
    State,
    Tick,
    Trigger,
    VerifyOnPad,
)
from tests.reader.dialogue import (
    ATR,
    CODE,
    EXCHANGES,
    OBJECTS,
    PIN,
    TODAY,
    CardStub,
    Table,
    asked_by,
    both,
    record,
    tries,
)

FRENCH, ENGLISH = Language.FRENCH, Language.ENGLISH
OK = Response(0x9000)


def shown_at(reader: Reader, effects: Iterable[Effect]) -> list[Effect]:
    """The effects, the display's own compared with what it shows now and left out."""
    shows = [effect for effect in effects if isinstance(effect, Show)]
    assert shows in ([], [Show(reader.screen)])
    return [effect for effect in effects if not isinstance(effect, Show)]


# ── The recorded session ─────────────────────────────────────────────────────────────────────────


def test_the_recorded_french_session_command_for_command() -> None:
    """To the recorded card we send what the recorded reader sent, and show what it showed."""
    table = Table()
    table.make_code()
    assert table.card.sent == [exchange.command for exchange in EXCHANGES]
    assert table.reader.screen.code == CODE == "3465 6023"
    assert not table.card.powered


def test_the_same_session_as_events_and_effects() -> None:
    """The machine alone: each event, and what it asks of slot and face."""
    reader = Reader()
    select, options, read, get_data, verify, arqc, aac = (
        exchange.command for exchange in EXCHANGES
    )
    answers = [CardAnswered(exchange.response) for exchange in EXCHANGES]
    story: list[tuple[Event, list[Effect]]] = [
        (CardInserted(), [PowerOnCard()]),
        (CardPowered(ATR), [SendToCard(select)]),
        (answers[0], [SendToCard(options)]),
        (answers[1], [SendToCard(read)]),
        (answers[2], [SendToCard(get_data)]),
        (answers[3], []),
        (KeyPressed(Key.CODE), []),
        *((KeyPressed(Key(digit)), []) for digit in PIN),
        (KeyPressed(Key.OK), [SendToCard(verify)]),
        (answers[4], [SendToCard(arqc)]),
        (answers[5], [SendToCard(aac)]),
        (answers[6], [PowerOffCard(), Announce(35)]),
        (Tick(), []),
        (KeyPressed(Key.CORRECTION), []),
    ]
    for event, effects in story:
        assert shown_at(reader, reader.handle(event, 7.0)) == effects
    assert reader.state is State.OFF


def test_the_display_changes_before_the_card_is_asked() -> None:
    """« VÉRIFICATION… » stands there while the card works, not afterwards."""
    table = Table()
    seen = []
    table.card.before_answer = lambda _: seen.append(table.words)
    table.make_code()
    assert seen == [
        *["LECTEUR SÉSAME / PATIENTEZ…"] * 4,
        "VÉRIFICATION…",
        "CALCUL…",
        "CALCUL…",
    ]


# ── Row 0: off ───────────────────────────────────────────────────────────────────────────────────


def test_row_0_off_shows_nothing_and_has_no_deadline() -> None:
    """A reader that is off waits for a card or its key, not for time."""
    table = Table()
    assert table.state() is State.OFF
    assert table.words == ""
    assert table.reader.deadline is None
    table.press("1", "ok", "c", "code")
    assert table.state() is State.OFF


def test_row_0_a_card_switches_on() -> None:
    """Put a card in: it is read at once."""
    table = Table()
    table.insert()
    assert table.state() is State.MENU


def test_row_0_the_key_switches_on_and_off() -> None:
    """One key for both."""
    table = Table()
    table.press("on")
    assert table.state() is State.AWAITING_CARD
    table.press("on")
    assert table.state() is State.OFF


@pytest.mark.parametrize("state", sorted(ON - {State.COMPUTING}))
def test_the_key_switches_off_everywhere(state: State) -> None:
    """In every state, but for an open transaction: that is closed first."""
    table = table_in(state)
    assert table.state() is state
    table.press("on")
    assert table.state() is State.OFF
    assert not table.card.powered


def test_the_key_does_not_leave_a_transaction_open() -> None:
    """Between the two GENERATE ACs the key is not heard."""
    reader = reader_before(Asked.AAC)
    assert reader.handle(KeyPressed(Key.ON), 0.0) == []
    assert reader.state is State.COMPUTING


# ── Row 1 and 20: self-check and battery ─────────────────────────────────────────────────────────


@both("LECTEUR SÉSAME / PATIENTEZ…", "SÉSAME READER / PLEASE WAIT…")
def test_row_1_self_check_with_a_card(language: Language, words: str) -> None:
    """The reader names itself, and goes on to the card."""
    reader = Reader(language=language)
    assert reader.handle(CardInserted(), 0.0) == [Show(reader.screen), PowerOnCard()]
    assert words == Table(reader).words


@both("PILE FAIBLE / APPUYEZ SUR OK", "BATTERY LOW / PRESS OK")
def test_row_20_weak_battery_is_told_before_the_card_is_touched(
    language: Language, words: str
) -> None:
    """OK goes on: what is left will do for one exchange."""
    table = table_with(language, Battery.WEAK)
    table.insert()
    assert table.words == words
    assert table.card.times_on == 0
    table.press("ok")
    assert table.state() is State.MENU


def test_row_20_weak_battery_without_a_card() -> None:
    """OK leads on to the card, which is then read without asking again."""
    table = table_with(battery=Battery.WEAK)
    table.press("on", "ok")
    assert table.state() is State.AWAITING_CARD
    table.insert()
    assert table.state() is State.MENU


def test_row_20_weak_battery_is_told_each_time_it_is_switched_on() -> None:
    """What was accepted yesterday is not accepted today."""
    table = table_with(battery=Battery.WEAK)
    table.insert()
    table.press("ok", "on", "on")
    assert table.state() is State.BATTERY_WEAK


@both("PILE VIDE / REMPLACEZ LA PILE", "NO POWER / REPLACE THE BATTERY")
def test_row_20_empty_battery_refuses_to_start(language: Language, words: str) -> None:
    """It does not start what it cannot finish; any key switches it off."""
    table = table_with(language, Battery.EMPTY)
    table.insert()
    assert table.words == words
    assert table.card.times_on == 0
    table.press("ok")
    assert table.state() is State.OFF
    assert table.card.times_on == 0


def test_row_20_battery_that_empties_while_the_reader_is_on() -> None:
    """It is looked at before every card, and after the warning too."""
    table = table_with(battery=Battery.WEAK)
    table.press("on")
    table.reader.battery = Battery.EMPTY
    table.press("ok")
    assert table.state() is State.BATTERY_EMPTY
    table = Table()
    table.press("on")
    table.reader.battery = Battery.EMPTY
    table.insert()
    assert table.state() is State.BATTERY_EMPTY


# ── Row 2: reading the card ──────────────────────────────────────────────────────────────────────


def test_row_2_everything_is_read_before_the_menu() -> None:
    """Language, last digits and tries are known before anything is asked."""
    table = Table()
    table.card.answers[Asked.TRIES] = tries(2)
    table.insert()
    assert [asked_by(command) for command in table.card.sent] == [
        Asked.APPLICATION,
        Asked.OPTIONS,
        Asked.RECORD,
        Asked.TRIES,
    ]
    screen = table.reader.screen
    assert (screen.last4, screen.tries_left, screen.language) == ("5566", 2, FRENCH)


@pytest.mark.parametrize(
    ("preferred", "language"),
    [
        (b"enfr", ENGLISH),
        (b"ENfr", ENGLISH),
        (b"deenfr", ENGLISH),
        (b"frende", FRENCH),
        (b"de", FRENCH),
        (b"\xff\xfee", FRENCH),
        (b"", FRENCH),
    ],
)
def test_row_2_the_card_names_its_language(preferred: bytes, language: Language) -> None:
    """The first that the reader speaks; French where it speaks none."""
    table = Table()
    table.card.answers[Asked.APPLICATION] = Response(0x9000, encode_one(0x5F2D, preferred))
    table.insert()
    assert table.reader.screen.language is language


def test_row_2_the_holder_has_the_last_word_on_the_language() -> None:
    """What was chosen on the reader holds whatever the card prefers."""
    table = table_with(ENGLISH)
    table.insert()
    assert table.reader.screen.language is ENGLISH


def test_row_2_the_language_of_a_card_goes_with_the_card() -> None:
    """The next holder is greeted in the reader's own language."""
    table = Table()
    table.card.answers[Asked.APPLICATION] = Response(0x9000, encode_one(0x5F2D, b"en"))
    table.insert()
    table.remove()
    assert table.words == "CARD REMOVED"
    table.wait(3)
    assert table.words == "LECTEUR SÉSAME / INSÉREZ VOTRE CARTE"


def test_row_2_applications_are_tried_in_order() -> None:
    """Not found, blocked, or refusing its options: the next one."""
    names = [bytes.fromhex("A00000000380") + bytes([last]) for last in range(4)]
    table = Table(Reader(applications=dict.fromkeys(names, Scheme.DPA)))
    selected: list[bytes] = []

    def answer(command: Command) -> None:
        if asked_by(command) is Asked.APPLICATION:
            selected.append(command.data)
            sw = {names[0]: 0x6A82, names[1]: 0x6283}.get(command.data, 0x9000)
            table.card.answers[Asked.APPLICATION] = Response(sw)
        elif asked_by(command) is Asked.OPTIONS:
            good = EXCHANGES[1].response if selected[-1] == names[3] else Response(0x6985)
            table.card.answers[Asked.OPTIONS] = good

    table.card.before_answer = answer
    table.insert()
    assert selected == names
    assert table.state() is State.MENU


def test_row_2_pdol_is_filled() -> None:
    """What the card wants to know at GET PROCESSING OPTIONS, zeros where we do not know."""
    table = Table()
    fci = encode_one(0x9F38, bytes.fromhex("9F3501 DF7F02"))
    table.card.answers[Asked.APPLICATION] = Response(0x9000, fci)
    table.insert()
    assert table.card.sent[1].data == bytes.fromhex("8303 34 0000")


def test_row_2_a_missing_record_is_passed_over() -> None:
    """What should have stood in it is missed at the end, if it is needed."""
    table = Table()
    table.card.answers[Asked.OPTIONS] = Response(
        0x9000, bytes.fromhex("800A 1000 08010100 10030500")
    )
    missing = {3, 5}

    def answer(command: Command) -> None:
        if asked_by(command) is Asked.RECORD:
            table.card.answers[Asked.RECORD] = (
                Response(0x6A83) if command.p1 in missing else EXCHANGES[2].response
            )

    table.card.before_answer = answer
    table.insert()
    places = [(c.p2 >> 3, c.p1) for c in table.card.sent if asked_by(c) is Asked.RECORD]
    assert places == [(1, 1), (2, 3), (2, 4), (2, 5)]
    assert table.state() is State.MENU


def test_row_2_records_override_the_fci() -> None:
    """An IAF in the FCI asks for the PSN, that of the record does not: the record holds."""
    table = Table()
    table.card.answers[Asked.APPLICATION] = Response(0x9000, encode_one(0x9F55, b"\x40"))
    table.make_code()
    assert table.reader.screen.code == CODE


def test_row_2_a_card_that_does_not_tell_its_tries() -> None:
    """Then the PIN is asked for all the same, behind a warning: this may be the last one."""
    table = Table()
    table.card.answers[Asked.TRIES] = Response(0x6A88)
    table.make_code()
    assert table.words == "ESSAIS INCONNUS / PEUT-ÊTRE LE DERNIER / APPUYEZ SUR OK"
    table.press("ok", PIN, "ok")
    assert table.reader.screen.code == CODE


# ── Row 3: waiting for a card ────────────────────────────────────────────────────────────────────


@both("LECTEUR SÉSAME / INSÉREZ VOTRE CARTE", "SÉSAME READER / INSERT YOUR CARD")
def test_row_3_waiting_for_a_card(language: Language, words: str) -> None:
    """Until it comes, or for 35 seconds."""
    table = table_with(language)
    table.press("on")
    assert table.words == words
    table.wait(34.9)
    table.insert()
    assert table.state() is State.MENU


# ── Row 4: menu ──────────────────────────────────────────────────────────────────────────────────


@both("CHOISISSEZ / UNE FONCTION / CARTE …5566", "CHOOSE / A FUNCTION / CARD …5566")
def test_row_4_menu_shows_the_end_of_the_card_number(language: Language, words: str) -> None:
    """So that its holder sees that it is the right card."""
    table = table_with(language)
    table.insert()
    assert table.words == words
    table.press("1", "ok", "c")
    assert table.words == words
    table.press("code")
    assert table.state() is State.AWAITING_PIN


def test_row_4_a_card_without_a_number() -> None:
    """Then there is nothing to show."""
    table = Table()
    table.card.answers[Asked.RECORD] = record(PAN=None)
    table.insert()
    assert table.words == "CHOISISSEZ / UNE FONCTION"


# ── Row 5: PIN entry ─────────────────────────────────────────────────────────────────────────────


@both("CODE SECRET\u00a0? / ", "PIN? / ")
def test_row_5_digits_are_shown_as_dots(language: Language, words: str) -> None:
    """One dot a digit, up to twelve; more are not taken."""
    table = table_with(language)
    table.insert()
    table.press("code")
    assert table.words == words
    table.press("12")
    assert table.words == words + "••"
    table.press("3456789012")
    assert table.words == words + "•" * 12
    table.press("3")
    assert table.words.startswith(words + "•" * 12 + " / ")


def test_row_5_c_deletes_one_and_held_clears() -> None:
    """Holding another key does nothing."""
    table = Table()
    table.insert()
    table.press("code", "123", "c")
    assert table.reader.screen.typed == 2
    table.happen(KeyHeld(Key.OK))
    assert table.reader.screen.typed == 2
    table.happen(KeyHeld(Key.CORRECTION))
    assert table.reader.screen.typed == 0
    table.press(PIN, "ok")
    assert table.reader.screen.code == CODE


@both("CODE SECRET\u00a0? / ••• / 4 CHIFFRES", "PIN? / ••• / 4 DIGITS")
@pytest.mark.parametrize("correction", [["4", "ok"], ["c", "34", "ok"]])
def test_row_5_ok_too_early(language: Language, words: str, correction: list[str]) -> None:
    """A PIN has four digits at least: the card is not asked."""
    table = table_with(language)
    table.insert()
    table.press("code", "123", "ok")
    assert table.words == words
    assert len(table.card.sent) == 4
    table.press(*correction)
    assert table.reader.screen.code == CODE


def test_row_5_the_hint_goes_with_the_next_digit() -> None:
    """Also when all digits are cleared."""
    table = Table()
    table.insert()
    table.press("code", "123", "ok", "4")
    assert not table.reader.screen.too_short
    table.press("c", "ok")
    table.happen(KeyHeld(Key.CORRECTION))
    assert not table.reader.screen.too_short


def test_row_5_twelve_digits_reach_the_card() -> None:
    """The longest PIN of ISO 9564-1."""
    table = Table()
    table.insert()
    table.press("code", "123456789012", "ok")
    assert table.card.sent[4].data == bytes.fromhex("2C123456789012FF")


@both("DERNIER ESSAI / APPUYEZ SUR OK", "LAST TRY / PRESS OK")
def test_row_5_the_last_try_is_told_before_the_pin(language: Language, words: str) -> None:
    """OK goes on to the PIN, C back to the menu."""
    table = table_with(language)
    table.card.answers[Asked.TRIES] = tries(1)
    table.insert()
    table.press("code")
    assert table.words == words
    table.press("1", "c")
    assert table.state() is State.MENU
    table.press("code", "ok", PIN, "ok")
    assert table.reader.screen.code == CODE


@both(
    "CODE SECRET ? / TAPEZ-LE SUR LE / CLAVIER DU LECTEUR",
    "PIN? / TYPE IT ON THE / READER’S KEYPAD",
)
def test_row_5_a_pin_pad(language: Language, words: str) -> None:
    """Our keys do not take the PIN: after OK the slot's do, in an empty block."""
    table = table_with(language)
    table.card.pin_pad = True
    table.insert()
    table.press("code")
    assert table.words == words
    table.press(PIN)
    assert table.reader.screen.typed == 0
    table.press("ok")
    assert table.reader.screen.code == CODE
    assert table.card.typed_on_pad == [
        Command(0x00, 0x20, 0x00, 0x80, bytes.fromhex("20" + 7 * "FF"))
    ]
    assert Asked.PIN not in map(asked_by, table.card.sent)


def test_row_5_a_pin_pad_and_the_last_try() -> None:
    """Told before, as ever; C leads back."""
    table = Table()
    table.card.pin_pad = True
    table.card.answers[Asked.TRIES] = tries(1)
    table.insert()
    table.press("code")
    assert table.state() is State.LAST_TRY
    table.press("ok")
    assert table.state() is State.PIN_ON_PAD
    table.press("c")
    assert table.state() is State.MENU


@pytest.mark.parametrize("sw", [0x6400, 0x6401, 0x6403])
def test_row_5_nobody_types_on_the_pin_pad(sw: int) -> None:
    """Time over, cancelled, or too short: the card counts no try, and the menu is there."""
    table = Table()
    table.card.pin_pad = True
    table.card.answers[Asked.PAD] = Response(sw)
    table.make_code()
    assert table.state() is State.MENU
    assert table.reader.screen.tries_left == 3


@pytest.mark.parametrize(("left", "state"), [(2, State.WRONG_PIN), (0, State.CARD_BLOCKED)])
def test_row_5_a_card_that_answers_like_the_pin_pad(left: int, state: State) -> None:
    """A try has gone, so a PIN was typed: the card's own count is told; a signature stays one."""
    table = Table()
    table.card.pin_pad = True
    table.card.answers[Asked.PAD] = Response(0x6400)
    table.insert()
    table.press("respond", "1234", "ok")
    table.card.answers[Asked.TRIES] = tries(left)
    table.happen(PadShown())
    assert table.state() is state
    if state is State.WRONG_PIN:
        assert table.reader.screen.tries_left == left
        table.card.answers[Asked.PAD] = OK
        table.press("ok")
        table.happen(PadShown())
        assert table.state() is State.RESPONSE_SHOWN


def test_row_8_a_wrong_pin_on_the_pin_pad() -> None:
    """The card's own count; OK leads to the pad again."""
    table = Table()
    table.card.pin_pad = True
    table.card.answers[Asked.PAD] = Response(0x63C2)
    table.make_code()
    assert table.state() is State.WRONG_PIN
    assert table.reader.screen.tries_left == 2
    table.card.answers[Asked.PAD] = OK
    table.press("ok")
    assert table.state() is State.PIN_ON_PAD
    table.press("ok")
    assert table.reader.screen.code == CODE


@pytest.mark.parametrize("display_time", DisplayTime)
@pytest.mark.parametrize(
    ("answer", "state"), [(OK, State.CODE_SHOWN), (Response(0x63C2), State.WRONG_PIN)]
)
def test_row_5_a_slow_hand_at_the_pin_pad(
    display_time: DisplayTime, answer: Response, state: State
) -> None:
    """The pad has a time of its own: nothing that the card has done is lost to ours."""
    table = Table(Reader(display_time=display_time))
    table.card.pin_pad = True
    table.card.answers[Asked.PAD] = answer

    def slowly(command: Command) -> None:
        table.seconds += 100 if command.ins == Ins.VERIFY else 0

    table.card.before_answer = slowly
    table.make_code()
    table.happen(Tick())
    assert table.state() is state


# ── Rows 6 and 8: the PIN is judged ──────────────────────────────────────────────────────────────


@both("VÉRIFICATION…", "CHECKING…")
def test_row_6_verification(language: Language, words: str) -> None:
    """While the card compares."""
    table = table_with(language)
    seen = []
    table.card.before_answer = lambda _: seen.append(table.words)
    table.make_code()
    assert words in seen


@both(
    "CODE SECRET FAUX / RESTE 2 ESSAIS / APPUYEZ SUR OK",
    "WRONG PIN / 2 TRIES LEFT / PRESS OK",
)
def test_row_8_wrong_pin_tells_the_tries_left(language: Language, words: str) -> None:
    """The reader repeats the card's own count: 63C2 means two."""
    table = table_with(language)
    table.card.answers[Asked.PIN] = Response(0x63C2)
    table.make_code()
    assert table.words == words


def test_row_8_a_wrong_pin_is_tried_again_in_the_same_transaction() -> None:
    """VERIFY follows VERIFY: no other application is selected, no other ATC is spent."""
    table = Table()
    table.card.answers[Asked.PIN] = Response(0x63C2)
    table.make_code()
    table.card.answers[Asked.PIN] = OK
    table.press("ok", PIN, "ok")
    assert [asked_by(command) for command in table.card.sent[4:]] == [
        Asked.PIN,
        Asked.PIN,
        Asked.ARQC,
        Asked.AAC,
    ]
    assert table.reader.screen.code == CODE


@both(
    "CODE SECRET FAUX / DERNIER ESSAI / APPUYEZ SUR OK",
    "WRONG PIN / LAST TRY / PRESS OK",
)
def test_row_8_the_last_try_after_a_wrong_pin(language: Language, words: str) -> None:
    """Told with the wrong PIN, and agreed to with a key of its own each time."""
    table = table_with(language)
    table.card.answers[Asked.PIN] = Response(0x63C1)
    table.make_code()
    assert table.words == words
    table.press("ok")
    assert table.state() is State.LAST_TRY
    table.press("ok")
    assert table.state() is State.AWAITING_PIN
    table.press(PIN, "ok", "c")
    assert table.state() is State.MENU
    table.press("code")
    assert table.state() is State.LAST_TRY


# ── Row 7: the cryptogram ────────────────────────────────────────────────────────────────────────


@both("CALCUL…", "COMPUTING…")
def test_row_7_computing(language: Language, words: str) -> None:
    """For both GENERATE ACs."""
    table = table_with(language)
    seen = []
    table.card.before_answer = lambda _: seen.append(table.words)
    table.make_code()
    assert seen.count(words) == 2


@pytest.mark.parametrize("sw", [0x9000, 0x6985, 0x6D00])
def test_row_7_the_second_answer_does_not_matter(sw: int) -> None:
    """The transaction was to be closed, and the code was made before."""
    table = Table()
    table.card.answers[Asked.AAC] = Response(sw, b"\xff")
    table.make_code()
    assert table.reader.screen.code == CODE


def test_row_7_psn_comes_first_where_the_iaf_asks() -> None:
    """B7 of the IAF: the bitmap begins with a byte for the PSN."""
    table = Table()
    ipb = b"\xff" + OBJECTS[0x9F56][:5]
    table.card.answers[Asked.RECORD] = record(IAF=b"\x40\x00", PSN=b"\x01", IPB=ipb[:4] + b"\xff")
    table.make_code()
    # 01, then of 80 0010 CF…: b8 of the CID, nine bits of the ATC, eight of the AC.
    assert table.reader.screen.code == show_bits(f"00000001 1 000010000 {0xCF:08b}")


@pytest.mark.parametrize(
    "answer",
    [
        "8012 80 0010 CF17CD2F3F369044 06780A03A48000",
        "7721 9F1007 06780A03A48000 9F3602 0010 DF7F01FF 9F2608 CF17CD2F3F369044 9F270180".replace(
            "7721", "7722"
        ),
    ],
    ids=["format 1", "format 2 in another order"],
)
def test_row_7_both_formats_of_the_answer(answer: str) -> None:
    """The bitmap works on CID, ATC, AC, IAD, however they came."""
    table = Table()
    table.card.answers[Asked.ARQC] = Response(0x9000, bytes.fromhex(answer))
    table.make_code()
    assert table.reader.screen.code == CODE


@both("LA CARTE A REFUSÉ / RECOMMENCEZ", "THE CARD HAS REFUSED / TRY AGAIN")
@pytest.mark.parametrize(
    "answer",
    [
        Response(0x9000, bytes.fromhex("800B 00 0010 CF17CD2F3F369044")),
        Response(0x9000, bytes.fromhex("800B 40 0010 CF17CD2F3F369044")),
        Response(0x6985),
    ],
    ids=["AAC", "TC", "refused"],
)
def test_row_7_anything_but_an_arqc_is_no_code(
    language: Language, words: str, answer: Response
) -> None:
    """The bank would refuse it anyway."""
    table = table_with(language)
    table.card.answers[Asked.ARQC] = answer
    table.make_code()
    assert table.words == words
    assert table.reader.screen.code is None
    assert len(table.card.sent) == 6
    assert not table.card.powered
    table.remove()
    assert table.state() is State.AWAITING_CARD


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "FF",
        "800A 80 0010 CF17CD2F3F3690",
        "800B C0 0010 CF17CD2F3F369044",
        "770C 9F270180 9F36020010 9F2608",
        "7712 9F270180 9F3601 10 9F2608 CF17CD2F3F369044",
        "770D 9F36020010 9F2604 CF17CD2F",
    ],
)
def test_row_7_a_senseless_cryptogram_is_no_code_and_yet_the_transaction_is_closed(
    answer: str,
) -> None:
    """The card may wait for the bank's answer: it gets it, and the reader complains."""
    table = Table()
    table.card.answers[Asked.ARQC] = Response(0x9000, bytes.fromhex(answer))
    table.make_code()
    assert asked_by(table.card.sent[-1]) is Asked.AAC
    assert table.state() is State.CARD_UNFIT
    assert not table.card.powered


def test_row_7_an_ipb_that_selects_what_the_card_did_not_send() -> None:
    """As senseless; what was wrong is kept for engineers."""
    table = Table()
    table.card.answers[Asked.RECORD] = record(IPB=bytes(30) + b"\x01")
    table.make_code()
    assert table.state() is State.CARD_UNFIT
    assert "IPB selects" in table.reader.problem


# ── Row 9: the code ──────────────────────────────────────────────────────────────────────────────


@both("CODE SÉSAME", "SÉSAME CODE")
def test_row_9_the_code_in_two_groups_for_35_seconds(language: Language, words: str) -> None:
    """Announced at 35, 10 and 5 seconds; then it is gone."""
    table = table_with(language)
    table.make_code()
    assert table.words == words
    assert table.reader.screen.code == "3465 6023"
    assert table.reader.screen.ends_at == table.seconds + 35
    assert table.announced == [35]
    table.wait(24.9)
    assert table.announced == [35]
    table.wait(0.2)
    assert table.announced == [35, 10]
    table.wait(5)
    assert table.announced == [35, 10, 5]
    table.wait(4.8)
    assert table.reader.screen.code == "3465 6023"
    table.wait(0.1)
    assert table.state() is State.OFF
    assert table.reader.screen.code is None


def test_row_9_keys_do_not_make_the_code_stay() -> None:
    """Pressed every second, it still goes after 35."""
    table = Table()
    table.make_code()
    for _ in range(34):
        table.wait(1)
        table.press("5", "ok", "code")
        table.happen(KeyHeld(Key.CORRECTION))
    assert table.reader.screen.code == CODE
    table.wait(1)
    assert table.state() is State.OFF


@pytest.mark.parametrize("key", ["c", "on"])
def test_row_9_c_and_off_end_it(key: str) -> None:
    """At once."""
    table = Table()
    table.make_code()
    table.press(key)
    assert table.state() is State.OFF
    assert table.reader.screen.code is None


def test_row_9_taking_the_card_out_keeps_the_code() -> None:
    """Its time runs on."""
    table = Table()
    table.make_code()
    table.wait(20)
    table.remove()
    assert table.reader.screen.code == CODE
    table.wait(15)
    assert table.state() is State.OFF


def test_row_9_the_card_is_free_while_the_code_is_shown() -> None:
    """Its power went before the code came."""
    table = Table()
    table.make_code()
    assert not table.card.powered


def test_row_9_another_code_with_the_same_card() -> None:
    """On again: the card is still there."""
    table = Table()
    table.make_code()
    table.wait(40)
    table.press("on", "code", PIN, "ok")
    assert table.reader.screen.code == CODE


def test_row_9_another_card_while_the_code_is_shown() -> None:
    """It waits until the reader is switched on again."""
    table = Table()
    table.make_code()
    table.remove()
    table.insert()
    assert table.reader.screen.code == CODE
    table.press("c", "on")
    assert table.state() is State.MENU


# ── Rows 14 to 17: cards that give no code ───────────────────────────────────────────────────────


@both("CARTE BLOQUÉE / APPELEZ VOTRE BANQUE", "CARD BLOCKED / CALL YOUR BANK")
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Asked.TRIES, tries(0)),
        (Asked.PIN, Response(0x63C0)),
        (Asked.PIN, Response(0x6983)),
        (Asked.PIN, Response(0x6984)),
        (Asked.APPLICATION, Response(0x6A81)),
        (Asked.APPLICATION, Response(0x6283, b"\x6f\x00")),
        (Asked.OPTIONS, Response(0x6985)),
    ],
    ids=["no try left", "63C0", "6983", "6984", "card", "application", "options"],
)
def test_row_14_blocked(language: Language, words: str, asked: Asked, answer: Response) -> None:
    """No PIN is asked for any more; any key, or taking the card out, switches off."""
    for way_out in (Table.remove, lambda table: table.press("5")):
        table = table_with(language)
        table.card.answers[asked] = answer
        table.make_code()
        assert table.words == words
        assert asked_by(table.card.sent[-1]) is asked
        assert not table.card.powered
        way_out(table)
        assert table.state() is State.OFF


@both("CARTE ILLISIBLE / PUCE VERS LE HAUT", "CARD UNREADABLE / CHIP FACING UP")
def test_row_15_mute(language: Language, words: str) -> None:
    """Take it out, turn it round."""
    table = table_with(language)
    table.card.mute = True
    table.insert()
    assert table.words == words
    assert not table.card.powered
    table.card.mute = False
    table.remove()
    assert table.state() is State.AWAITING_CARD
    table.insert()
    assert table.state() is State.MENU


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            FRENCH,
            [
                "CARTE ILLISIBLE / PUCE VERS LE HAUT",
                "CARTE ILLISIBLE / PUCE VERS LE HAUT",
                "CARTE ILLISIBLE / NETTOYEZ LA PUCE",
                "CARTE À REMPLACER / APPELEZ VOTRE BANQUE",
                "CARTE À REMPLACER / APPELEZ VOTRE BANQUE",
            ],
        ),
        (
            ENGLISH,
            [
                "CARD UNREADABLE / CHIP FACING UP",
                "CARD UNREADABLE / CHIP FACING UP",
                "CARD UNREADABLE / CLEAN THE CHIP",
                "CARD WORN OUT / CALL YOUR BANK",
                "CARD WORN OUT / CALL YOUR BANK",
            ],
        ),
    ],
)
def test_row_15_mute_again_and_again(language: Language, words: list[str]) -> None:
    """The third time: clean it. Then: replace it. Cleaning may take longer than 35 seconds."""
    table = table_with(language)
    table.card.mute = True
    seen = []
    for _ in range(5):
        table.insert()
        seen.append(table.words)
        table.remove()
        table.wait(60)
    assert seen == words
    table.card.mute = False
    table.insert()
    table.remove()
    table.card.mute = True
    table.insert()
    assert table.words == words[0]


@pytest.mark.parametrize("asked", list(Asked))
def test_row_15_a_chip_that_falls_silent(asked: Asked) -> None:
    """At any command: mute, and without power."""
    table = Table()

    table.card.pin_pad = asked is Asked.PAD

    def fall_silent(command: Command) -> None:
        table.card.mute = asked_by(command) in ({Asked.PIN} if table.card.pin_pad else {asked})

    table.card.before_answer = fall_silent
    table.make_code()
    assert table.state() is State.CARD_MUTE
    assert not table.card.powered


@both("CARTE NON RECONNUE / RETIREZ LA CARTE", "CARD NOT RECOGNISED / TAKE THE CARD OUT")
@pytest.mark.parametrize("sw", [0x6A82, 0x6D00, 0x6E00, 0x6700, 0x0000])
def test_row_16_no_application_that_we_know(language: Language, words: str, sw: int) -> None:
    """Whatever the card says instead."""
    table = table_with(language)
    table.card.answers[Asked.APPLICATION] = Response(sw)
    table.insert()
    assert table.words == words
    assert len(table.card.sent) == len(AIDS)
    table.press("code", "ok", "1")
    assert table.words == words
    table.remove()
    assert table.state() is State.AWAITING_CARD


@both("CARTE INUTILISABLE / APPELEZ VOTRE BANQUE", "CARD NOT USABLE / CALL YOUR BANK")
@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (Asked.APPLICATION, Response(0x9000, b"\x6f\x05")),
        (Asked.APPLICATION, Response(0x9000, encode_one(0x9F38, b"\x9f"))),
        (Asked.APPLICATION, Response(0x9000, encode_one(0x9F38, b"\xdf\x01\x80"))),
        (Asked.OPTIONS, Response(0x6A82)),
        (Asked.OPTIONS, Response(0x9000)),
        (Asked.RECORD, Response(0x9000, b"\x70\x05")),
        (Asked.RECORD, Response(0x6A83)),
        (Asked.RECORD, record(IPB=None)),
        (Asked.RECORD, record(EXPIRY_DATE=b"\xff\xff\xff")),
        (Asked.TRIES, Response(0x9000, b"\x9f")),
        (Asked.PIN, Response(0x6A80)),
        (Asked.PIN, Response(0x6100)),
    ],
)
def test_row_16_an_application_that_cannot_make_codes(
    language: Language, words: str, asked: Asked, answer: Response
) -> None:
    """It lacks something, or what it says makes no sense; `problem` says what."""
    table = table_with(language)
    table.card.answers[asked] = answer
    table.make_code()
    assert table.words == words
    assert not table.card.powered
    assert table.reader.problem
    table.remove()
    assert table.state() is State.AWAITING_CARD


def test_row_16_the_problem_of_a_card_goes_when_the_next_one_comes() -> None:
    """It is about the card in hand."""
    table = Table()
    table.card.answers[Asked.RECORD] = record(IPB=b"")
    table.insert()
    assert "IPB" in table.reader.problem
    table.card.answers[Asked.RECORD] = record()
    table.remove()
    table.insert()
    assert not table.reader.problem


@both("CARTE EXPIRÉE / RETIREZ LA CARTE", "CARD EXPIRED / TAKE THE CARD OUT")
def test_row_17_expired(language: Language, words: str) -> None:
    """From the day after the one that the card names."""
    table = table_with(language)
    table.card.answers[Asked.RECORD] = record(EXPIRY_DATE=b"\x26\x11\x22")
    table.insert()
    assert table.words == words
    table.remove()
    table.card.answers[Asked.RECORD] = record(EXPIRY_DATE=b"\x26\x11\x23")
    table.insert()
    assert table.state() is State.MENU


@both("CARTE PAS ENCORE / VALABLE / RETIREZ LA CARTE", "CARD NOT YET / VALID / TAKE THE CARD OUT")
def test_row_17_not_yet_valid(language: Language, words: str) -> None:
    """Until the day that the card names."""
    table = table_with(language)
    table.card.answers[Asked.RECORD] = record(EFFECTIVE_DATE=b"\x26\x11\x24")
    table.insert()
    assert table.words == words
    table.remove()
    table.card.answers[Asked.RECORD] = record(EFFECTIVE_DATE=b"\x26\x11\x23")
    table.insert()
    assert table.state() is State.MENU


def test_row_17_a_reader_without_a_calendar_leaves_it_to_the_bank() -> None:
    """As a hand-held one does."""
    table = Table()
    table.clock = type(table.clock)(seconds=lambda: table.seconds, today=lambda: None)
    table.card.answers[Asked.RECORD] = record(EXPIRY_DATE=b"\x99\x12\x31")
    table.insert()
    assert table.state() is State.MENU


# ── Row 19: taken out early ──────────────────────────────────────────────────────────────────────


@both("CARTE RETIRÉE", "CARD REMOVED")
def test_row_19_taken_out_early(language: Language, words: str) -> None:
    """Three seconds, in which keys change nothing; then the reader waits for a card."""
    table = table_with(language)
    table.insert()
    table.press("code", "12")
    table.remove()
    assert table.words == words
    assert not table.card.powered
    table.wait(2)
    table.press("1", "ok", "c")
    table.wait(0.9)
    assert table.words == words
    assert table.announced == []
    table.wait(0.1)
    assert table.state() is State.AWAITING_CARD


def test_row_19_put_back_at_once() -> None:
    """It need not wait for the three seconds; the PIN is asked for anew."""
    table = Table()
    table.insert()
    table.press("code", "12")
    table.remove()
    table.insert()
    assert table.state() is State.MENU
    table.press("code", PIN, "ok")
    assert table.reader.screen.code == CODE


def story() -> list[Event]:
    """All events of the recorded dialogue."""
    answers = [CardAnswered(exchange.response) for exchange in EXCHANGES]
    return [
        CardInserted(),
        CardPowered(ATR),
        *answers[:4],
        KeyPressed(Key.CODE),
        *(KeyPressed(Key(digit)) for digit in PIN),
        KeyPressed(Key.OK),
        *answers[4:],
    ]


@pytest.mark.parametrize("steps", range(1, len(story())))
def test_row_19_pulled_at_every_step(steps: int) -> None:
    """Nothing of it is left, and the same reader makes a code afterwards."""
    reader = Reader()
    for event in story()[:steps]:
        reader.handle(event, 0.0)
    assert shown_at(reader, reader.handle(CardRemoved(), 0.0)) == [PowerOffCard()]
    assert reader.state is State.CARD_REMOVED
    assert reader.screen == Screen(state=State.CARD_REMOVED, language=FRENCH)
    for event in story():
        reader.handle(event, 1.0)
    assert reader.screen.code == CODE


@pytest.mark.parametrize("steps", range(1, len(story())))
def test_row_19_an_answer_that_comes_after_the_card_is_gone(steps: int) -> None:
    """It is nobody's."""
    reader = Reader()
    for event in [*story()[:steps], CardRemoved()]:
        reader.handle(event, 0.0)
    for exchange in EXCHANGES:
        assert reader.handle(CardAnswered(exchange.response), 0.0) == []
    assert reader.handle(CardMute(), 0.0) == []
    assert reader.handle(CardPowered(ATR), 0.0) == []


# ── Row 21: idle ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", sorted(ON - SHOWN - {State.CARD_REMOVED}))
def test_row_21_35_seconds_without_a_key(state: State) -> None:
    """From any state, announced five seconds before; a key begins them anew."""
    table = table_in(state)
    table.announced = []
    table.wait(29.5)
    assert table.announced == []
    if state not in {State.BATTERY_EMPTY, State.CARD_BLOCKED}:  # where any key switches off
        table.press("2")
        table.wait(29.5)
    assert table.announced == []
    table.wait(5)
    assert table.announced == [5]
    assert table.state() is state
    table.wait(0.5)
    assert table.announced == [5]
    assert table.state() is State.OFF
    assert not table.card.powered
    assert table.reader.deadline is None


@pytest.mark.parametrize("steps", range(1, len(story()) + 1))
def test_row_21_a_tick_at_every_moment(steps: int) -> None:
    """Before its time it does nothing, at its time it switches off, and the PIN is gone."""
    reader = Reader()
    for event in story()[:steps]:
        reader.handle(event, 0.0)
        assert reader.handle(Tick(), 0.0) == []
    powered = reader.state in POWERED
    assert reader.handle(Tick(), 24.9) == []
    assert shown_at(reader, reader.handle(Tick(), 35.0)) == ([PowerOffCard()] if powered else [])
    assert reader.screen == Screen(state=State.OFF, language=FRENCH)


@pytest.mark.parametrize("steps", range(2, len(story())))
def test_row_21_what_comes_too_late_finds_the_reader_off(steps: int) -> None:
    """Even if nobody sent the ticks: the next event is later than the state lasts."""
    reader = Reader()
    for event in story()[:steps]:
        reader.handle(event, 0.0)
    reader.handle(story()[steps], 35.0)
    assert reader.state is State.OFF


def test_row_21_waiting_for_a_card_in_use_is_not_the_holders_time() -> None:
    """A slot may wait longer for a card than the reader does for a key; then it begins anew."""
    reader = Reader()
    reader.handle(CardInserted(), 0.0)
    reader.handle(CardPowered(ATR), 45.0)
    assert reader.state is State.READING
    assert reader.deadline == 75.0
    reader = Reader()
    for event in story():
        reader.handle(event, 0.0)
    reader.handle(CardPowered(ATR), 1.0)
    assert reader.screen.ends_at == 35.0


def test_row_21_late_ticks_are_told_once() -> None:
    """If 10 and 5 seconds are both overdue, only the one that is still true is said."""
    table = Table()
    table.make_code()
    table.seconds += 31
    table.happen(Tick())
    table.happen(Tick())
    assert table.announced == [35, 5]


def test_the_deadline_is_the_next_thing_to_be_said_or_done() -> None:
    """A face that ticks at the deadline misses nothing."""
    table = Table()
    table.make_code()
    start = table.seconds
    assert table.reader.deadline == start + 25
    table.wait(25)
    assert table.reader.deadline == start + 30
    table.wait(5)
    assert table.reader.deadline == start + 35


# ── Secrets ──────────────────────────────────────────────────────────────────────────────────────

SECRET_PIN = "739184"
PIN_BLOCK = bytes.fromhex("26739184FFFFFFFF")
END = CODE.replace(" ", "")


def remembers(reader: Reader, *secrets: bytes) -> bool:
    """Whether anything that *reader* holds contains one of *secrets*."""
    memory = pickle.dumps(vars(reader))
    return any(secret in memory for secret in secrets)


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (None, OK),
        (Asked.PIN, Response(0x63C2)),
        (Asked.PIN, Response(0x63C0)),
        (Asked.PIN, Response(0x6F00)),
        (Asked.ARQC, Response(0x6985)),
        (Asked.ARQC, Response(0x9000, b"\x01")),
    ],
)
def test_the_pin_is_wiped_whatever_the_outcome(asked: Asked | None, answer: Response) -> None:
    """From the moment that the card has it, the machine has it no more."""
    table = Table()
    if asked:
        table.card.answers[asked] = answer
    table.insert()
    table.press("code", SECRET_PIN)
    assert remembers(table.reader, SECRET_PIN.encode())
    seen = []
    table.card.before_answer = lambda _: seen.append(
        remembers(table.reader, SECRET_PIN.encode(), PIN_BLOCK)
    )
    table.press("ok")
    assert seen
    assert not any(seen)
    assert not remembers(table.reader, SECRET_PIN.encode(), PIN_BLOCK)


@pytest.mark.parametrize("way_out", [["on"], ["c"], []])
def test_the_code_is_wiped(way_out: list[str]) -> None:
    """By a key or by time."""
    table = Table()
    table.make_code()
    assert remembers(table.reader, END.encode())
    if way_out:
        table.press(*way_out)
    else:
        table.wait(35)
    assert not remembers(table.reader, END.encode(), bytes.fromhex("CF17CD2F3F369044"))


def test_the_card_number_is_kept_only_while_records_are_read() -> None:
    """Its last four digits stay for the menu."""
    table = Table()
    table.insert()
    assert not remembers(table.reader, OBJECTS[0x5A])


def test_nothing_secret_prints_itself() -> None:
    """Neither effects nor events, screens or the reader."""
    reader = Reader()
    said = []
    for event in story():
        said.append(repr(event))
        said += [repr(effect) for effect in reader.handle(event, 0.0)]
        said += [repr(reader), repr(reader.screen)]
    printed = " ".join(said)
    for secret in (CODE, END, PIN, "DIGIT", "24 12 34", "34ff", "CF17", "4533"):
        assert secret not in printed


# ── Any card, any order ──────────────────────────────────────────────────────────────────────────

any_response = st.builds(Response, st.integers(0, 0xFFFF), st.binary(max_size=40))
sws = [0x9000, 0x63C2, 0x63C1, 0x63C0, 0x6283, 0x6983, 0x6984, 0x6985, 0x6A81, 0x6A82, 0x6A83]


@st.composite
def nearly_good(draw: st.DrawFn, good: Response) -> Response:
    """The good answer with a few bytes changed, cut, or another status word."""
    data = bytearray(good.data)
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.integers(0, len(data))) if draw(st.booleans()) else len(data)
    return Response(draw(st.sampled_from([0x9000, 0x9000, 0x9000, *sws])), bytes(data[:end]))


def hostile(asked: Asked) -> st.SearchStrategy[Response]:
    """What a card might answer: mostly the truth, so that the dialogue gets far."""
    good = CardStub().answers[asked]
    return st.one_of(st.just(good), st.just(good), nearly_good(good), any_response)


@given(answers=st.fixed_dictionaries({asked: hostile(asked) for asked in Asked}))
def test_whatever_the_card_answers(answers: dict[Asked, Response]) -> None:
    """A proper screen, no exception, power off; a code only from a PIN verified and an ARQC."""
    table = Table()
    table.card.answers = answers
    table.make_code()
    state = table.state()
    assert state in {
        State.LAST_TRY,
        State.AWAITING_PIN,
        State.WRONG_PIN,
        State.CODE_SHOWN,
        State.CARD_BLOCKED,
        State.CARD_UNKNOWN,
        State.CARD_UNFIT,
        State.CARD_REFUSED,
        State.CARD_EXPIRED,
        State.CARD_NOT_YET_VALID,
    }
    assert table.card.powered == (state in POWERED)
    assert (table.reader.screen.code is not None) == (state is State.CODE_SHOWN)
    if state is State.CODE_SHOWN:
        assert answers[Asked.PIN].ok
        assert answers[Asked.ARQC].ok
    asked = [asked_by(command) for command in table.card.sent]
    if Asked.ARQC in asked and Asked.AAC not in asked:
        assert state is State.CARD_REFUSED
    if state is not State.AWAITING_PIN:
        table.press("on")
        assert table.state() is State.OFF
        assert not table.card.powered


any_event = st.one_of(
    st.sampled_from([CardInserted(), CardRemoved(), CardPowered(ATR, TODAY), CardMute(), Tick()]),
    st.sampled_from([exchange.response for exchange in EXCHANGES]).map(CardAnswered),
    st.sampled_from(sws).map(Response).map(CardAnswered),
    any_response.map(CardAnswered),
    st.sampled_from(Key).map(KeyPressed),
    st.sampled_from(Key).map(KeyHeld),
)


@given(
    st.lists(st.tuples(any_event, st.sampled_from([0.0, 0.0, 0.0, 1.0, 6.0, 36.0])), max_size=60)
)
def test_whatever_happens_in_whatever_order(happenings: list[tuple[Event, float]]) -> None:
    """No exception; one command at a time; power exactly where the table says so."""
    reader = Reader()
    powered, at = False, 0.0
    for event, later in happenings:
        at += later
        effects = reader.handle(event, at)
        assert sum(isinstance(effect, SendToCard) for effect in effects) <= 1
        for effect in effects:
            match effect:
                case PowerOnCard():
                    assert not powered
                    powered = True
                case PowerOffCard():
                    assert powered
                    powered = False
                case SendToCard():
                    assert powered
                case Show(screen):
                    assert screen == reader.screen
        assert powered == (reader.state in POWERED)
        assert (reader.deadline is None) == (reader.state is State.OFF)
        assert reader.deadline is None or reader.deadline > at


# ── The table ────────────────────────────────────────────────────────────────────────────────────

LATE = 999.0  # seconds: longer than any state lasts by itself
HAPPENINGS: tuple[Event, ...] = (
    CardInserted(),
    CardRemoved(),
    CardPowered(ATR, TODAY),
    CardPowered(ATR, TODAY, pin_pad=True),
    CardMute(),
    Tick(),
    *map(KeyPressed, Key),
    KeyHeld(Key.CORRECTION),
    KeyHeld(Key.OK),
    FunctionChosen(Inputs(mode=Mode.M1, challenge="34567890", amount=125000)),
    PadShown(),
)
SENSELESS = Response(0x9000, b"\xff")
# Its cryptogram is over the TVR alone, whatever has been typed.
TAKES_NOTHING = record(IAF=b"\x80", CDOL1=b"\x95\x05")
ANSWERS: dict[Asked | None, tuple[Response, ...]] = {
    None: (OK,),
    Asked.APPLICATION: (Response(0x6A82), Response(0x6283)),
    Asked.OPTIONS: (Response(0x6985),),
    Asked.RECORD: (
        Response(0x6A83),
        record(EXPIRY_DATE=b"\x20\x01\x01"),
        record(EFFECTIVE_DATE=b"\x30\x01\x01"),
        TAKES_NOTHING,
    ),
    Asked.TRIES: (Response(0x6A88), tries(2), tries(1), tries(0)),
    Asked.PIN: (Response(0x63C2), Response(0x63C1), Response(0x6983), Response(0x6F00)),
    Asked.PAD: (
        *(Response(0x63C2), Response(0x63C1), Response(0x6983), Response(0x6F00)),
        Response(0x6400),
    ),
    Asked.ARQC: (Response(0x6985),),
    Asked.AAC: (),
}
TWO_RECORDS = Response(0x9000, bytes.fromhex("8006 1000 08010200"))


def answers(asked: Asked | None) -> Iterator[Response]:
    """What the exploration lets the card answer: the truth, nonsense, and the above."""
    good = CardStub().answers | {Asked.OPTIONS: TWO_RECORDS}
    if asked:
        yield from (good[asked], SENSELESS)
    yield from ANSWERS[asked]


def twin(reader: Reader) -> Reader:
    """A reader in the same state, which goes its own way: what either may fill is not shared."""
    other = copy.copy(reader)
    held = vars(other)
    card = held["_card"] = copy.copy(held["_card"])
    card.aids, card.records, card.objects = list(card.aids), list(card.records), dict(card.objects)
    held["_typed"] = dict(held["_typed"])
    return other


def explored() -> Iterator[tuple[Reader, Asked | None, Event, Reader, list[Effect]]]:
    """Every state that the machine reaches, and everything that may happen there."""
    todo: list[tuple[Reader, Asked | None]] = [(Reader(), None)]
    known = set()
    while todo:
        reader, asked = todo.pop()
        held, screen = vars(reader), reader.screen
        card, typing = held["_card"], screen.state in POWERED - {State.READING, State.MENU}
        key = (
            *(screen.state, screen.tries_left, screen.typed, screen.too_short, screen.zero),
            *(len(screen.entered), screen.entered.strip("0,") == "", screen.large, asked),
            *(held["_inputs"].mode, tuple(held["_typed"]), held["_code"], tuple(card.objects)),
            *(held["_card_in"], card.pin_pad, card.refused, len(card.records), len(card.aids)),
            (screen.state in SHOWN and reader.display_time, takes_nothing(reader)),
            # Nobody looks at the battery while something is typed.
            None if typing else (reader.battery, held["_weak_accepted"]),
        )
        digits = len(screen.entered)
        if key in known or screen.typed > 5 or digits not in {0, 1, 2, PAYEE}:
            continue  # more digits change nothing
        known.add(key)
        for payee in ("34567890", "0" * PAYEE) if screen.state is State.AWAITING_PAYEE else ():
            changed = twin(reader)
            vars(changed)["_typed"][State.AWAITING_PAYEE] = payee
            todo.append((changed, asked))
        for battery in Battery if screen.state not in POWERED else ():  # nobody looks at it there
            changed = twin(reader)
            changed.battery = battery
            todo.append((changed, asked))
        for time in DisplayTime if screen.state in SHOWN else ():
            changed = twin(reader)
            changed.display_time = time
            todo.append((changed, asked))
        for event in (*HAPPENINGS, *map(CardAnswered, answers(asked))):
            after = twin(reader)
            effects = after.handle(event, LATE if isinstance(event, Tick) else 0.0)
            yield reader, asked, event, after, effects
            if isinstance(event, Tick):
                rewind(after)
            sent = [asked_by(e.command) for e in effects if isinstance(e, SendToCard)]
            sent += [Asked.PAD for e in effects if isinstance(e, VerifyOnPad)]
            now_asked = sent[0] if sent else asked
            todo.append((after, now_asked if after.state in ANSWERING else None))


def takes_nothing(reader: Reader) -> bool:
    """Whether its card is of that kind, as long as that makes a difference."""
    card = vars(reader)["_card"]
    if reader.state in {State.LAST_TRY, State.AWAITING_PIN, State.PIN_ON_PAD}:
        return False
    if hasattr(card, "application"):
        return len(card.application.cdol1) == 1
    return bool(card.objects.get(Tag.CDOL1) == b"\x95\x05")


def rewind(reader: Reader) -> None:
    """Let the reader's state begin at 0 again."""
    held = vars(reader)
    held["_since"] = held["_at"] = 0.0


def trigger(reader: Reader, event: Event, asked: Asked | None) -> Trigger | None:
    """What the table calls *event*."""
    match event:
        case Tick() if reader.deadline is None:
            return None
        case KeyPressed(key):
            return key
        case KeyHeld(key):
            return KeyHeld if key is Key.CORRECTION else None
        case CardAnswered():
            return asked
    return type(event)


def test_the_table_says_exactly_what_the_machine_does() -> None:
    """Each row leads where it says, to all of it, and what has no row does nothing."""
    seen: dict[tuple[State, Trigger], set[State]] = {}
    for before, asked, event, after, effects in explored():
        name = trigger(before, event, asked)
        if name is not None and (row := Reader.TRANSITIONS.get((before.state, name))):
            assert after.state in row.to
            seen.setdefault((before.state, name), set()).add(after.state)
        else:
            assert after.state is before.state
            assert effects == []
    assert seen == {place: set(row.to) for place, row in Reader.TRANSITIONS.items()}


def test_every_state_has_a_way_out() -> None:
    """Time at least."""
    assert {state for state, trigger in Reader.TRANSITIONS if trigger is Tick} == ON


# ── Getting there ────────────────────────────────────────────────────────────────────────────────


def table_with(language: Language | None = None, battery: Battery = Battery.GOOD) -> Table:
    """A reader that is off, and a good card beside it."""
    return Table(Reader(language=language, battery=battery))


# What is typed on the way to some states, key by key until there.
ASKING = {
    State.AWAITING_CHALLENGE,
    State.AWAITING_AMOUNT,
    State.AWAITING_PAYEE,
    State.CONFIRMING,
    State.AWAITING_PIN,
}
RESPOND = [["respond"], ["1234", "ok"], [PIN, "ok"]]
SIGN = [["sign"], ["1250", "ok"], ["34567890", "ok"], ["sign"], [PIN, "ok"]]
WAYS = {
    State.AWAITING_CHALLENGE: RESPOND,
    State.RESPONSE_SHOWN: RESPOND,
    State.AWAITING_AMOUNT: SIGN,
    State.AWAITING_PAYEE: SIGN,
    State.CONFIRMING: SIGN,
    State.SIGNATURE_SHOWN: SIGN,
}


def reader_before(asked: Asked) -> Reader:
    """A reader that has just asked *asked* of the card."""
    reader = Reader()
    waiting = None
    for event in story():
        if waiting is asked:
            break
        for effect in reader.handle(event, 0.0):
            if isinstance(effect, SendToCard):
                waiting = asked_by(effect.command)
    return reader


def table_in(state: State) -> Table:
    """A table whose reader is in *state*."""
    answers: dict[State, tuple[Asked, Response]] = {
        State.LAST_TRY: (Asked.TRIES, tries(1)),
        State.WRONG_PIN: (Asked.PIN, Response(0x63C2)),
        State.CARD_BLOCKED: (Asked.TRIES, tries(0)),
        State.CARD_UNKNOWN: (Asked.APPLICATION, Response(0x6A82)),
        State.CARD_UNFIT: (Asked.OPTIONS, OK),
        State.CARD_REFUSED: (Asked.ARQC, Response(0x6985)),
        State.CARD_EXPIRED: (Asked.RECORD, record(EXPIRY_DATE=b"\x26\x11\x22")),
        State.CARD_NOT_YET_VALID: (Asked.RECORD, record(EFFECTIVE_DATE=b"\x26\x11\x24")),
    }
    waiting = {
        State.READING: Asked.RECORD,
        State.VERIFYING: Asked.PIN,
        State.COMPUTING: Asked.ARQC,
    }
    battery = {State.BATTERY_WEAK: Battery.WEAK, State.BATTERY_EMPTY: Battery.EMPTY}
    table = table_with(battery=battery.get(state, Battery.GOOD))
    if state in waiting:
        table.reader = reader_before(waiting[state])
        table.seconds = 0.0
        table.card.powered = True
        return table
    if state in answers:
        asked, answer = answers[state]
        table.card.answers[asked] = answer
    table.card.mute = state is State.CARD_MUTE
    table.card.pin_pad = state is State.PIN_ON_PAD
    if state is State.AWAITING_CARD:
        table.press("on")
        return table
    table.insert()
    if state is State.CARD_REMOVED:
        table.remove()
    for keys in WAYS.get(state, [["code"], [PIN, "ok"]]):
        if table.state() is not state and table.state() in {State.MENU, *ASKING}:
            table.press(*keys)
    return table


def show_bits(bits: str) -> str:
    """The number that *bits* spell, as the display shows it."""
    digits = f"{int(bits.replace(' ', ''), 2):08d}"
    return f"{digits[:4]} {digits[4:]}"


def test_digits_are_the_ten() -> None:
    """The keys whose name is a digit."""
    assert "".join(DIGITS) == "0123456789"
