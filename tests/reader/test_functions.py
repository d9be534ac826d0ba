"""Répondre and Signer: rows 10 to 13, 23 and 24 of docs/reference/requirements.md, 4.2."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesame.cap.mode import LOGIN, Iaf, Inputs, Mode, signature
from sesame.cap.terminal_data import Scheme
from sesame.catalogue import Language
from sesame.emv.apdu import Command, Response
from sesame.emv.pin import Pin
from sesame.emv.tags import Tag
from sesame.reader.application import Application, Cryptogram
from sesame.reader.code import make_code
from sesame.reader.machine import (
    SHOWN,
    Asked,
    FunctionChosen,
    Key,
    KeyHeld,
    Reader,
    State,
)
from tests.reader.dialogue import (
    CODE,
    EXCHANGES,
    OBJECTS,
    PIN,
    CardStub,
    Table,
    asked_by,
    both,
    record,
    tries,
)

PAYEE = "34567890"
ARQC = Cryptogram.decode(EXCHANGES[5].response.data)
UN = slice(-4, None)  # of the recorded card's CDOLs: the last element
SIGNED = signature(Iaf(0), amount=1250_50, payee=PAYEE, currency="978")


def table_at(*keys: str, language: Language | None = None, iaf: int = 0) -> Table:
    """A reader with a card of this IAF in it, after these keys."""
    table = Table(Reader(language=language))
    table.card.answers[Asked.RECORD] = record(IAF=bytes([iaf]))
    table.insert()
    table.press(*keys)
    return table


def sent(table: Table, asked: Asked) -> Command:
    """The last command that asked this."""
    return [command for command in table.card.sent if asked_by(command) is asked][-1]


# ── A card that leaves out what is typed ─────────────────────────────────────────────────────────

ELEMENTS = OBJECTS[Tag.CDOL1]
NO_CHALLENGE = ELEMENTS.replace(bytes.fromhex("9F3704"), b"")
SHORT_CHALLENGE = ELEMENTS.replace(bytes.fromhex("9F3704"), bytes.fromhex("9F3703"))
NO_AMOUNT = ELEMENTS.replace(bytes.fromhex("9F0206"), b"")
NO_CURRENCY = ELEMENTS.replace(bytes.fromhex("5F2A02"), b"")


@pytest.mark.parametrize(
    ("cdol1", "iaf", "keys"),
    [
        (NO_CHALLENGE, 0x00, ["respond", "1234", "ok"]),
        (SHORT_CHALLENGE, 0x00, ["respond", "1234", "ok"]),
        (NO_CHALLENGE, 0xA0, ["sign", "12", "ok", PAYEE, "ok", "sign"]),
        (NO_AMOUNT, 0xA0, ["sign", "12", "ok", PAYEE, "ok", "sign"]),
        (NO_CURRENCY, 0x80, ["sign", "12", "ok", PAYEE, "ok", "sign"]),
    ],
)
def test_a_code_that_would_be_good_for_more(cdol1: bytes, iaf: int, keys: list[str]) -> None:
    """Is not made, and no PIN is asked for it: without the challenge it is a login's."""
    table = Table()
    table.card.answers[Asked.RECORD] = record(IAF=bytes([iaf]), CDOL1=cdol1)
    table.insert()
    table.press(*keys)
    assert table.state() is State.CARD_UNFIT
    assert "leaves out what was typed" in table.reader.problem
    assert Asked.PIN not in map(asked_by, table.card.sent)


def test_what_is_not_typed_may_be_left_out() -> None:
    """A login needs no challenge, and what the reader mixes in itself needs nothing of the card."""
    for keys in (["code"], ["sign", "12", "ok", PAYEE, "ok", "sign"]):
        table = Table()
        table.card.answers[Asked.RECORD] = record(CDOL1=NO_CHALLENGE)
        table.insert()
        table.press(*keys, PIN, "ok")
        assert table.state() in SHOWN


# ── Rows 23 and 24: a challenge, a response ──────────────────────────────────────────────────────


@both("NOMBRE À RECOPIER\u00a0? / ", "NUMBER TO COPY? / ")
def test_row_23_a_challenge_is_typed(language: Language, words: str) -> None:
    """In the clear, for it is no secret; eight digits at most."""
    table = table_at("respond", language=language)
    assert table.words == words
    table.press("1234")
    assert table.words == words + "1234"
    table.press("5678")
    assert table.words == words + "12345678"
    table.press(",", "respond", "sign", "code")
    assert table.words == words + "12345678"
    table.press("90")
    assert table.words.startswith(f"{words}12345678 / ")
    table.press("ok")
    assert table.state() is State.AWAITING_PIN


@both("RÉPONSE SÉSAME", "SÉSAME RESPONSE")
def test_row_24_the_response_has_a_label_of_its_own(language: Language, words: str) -> None:
    """And its challenge went into the card's cryptogram, in both commands."""
    table = table_at("respond", "1234", "ok", PIN, "ok", language=language)
    assert table.words == words
    assert table.state() is State.RESPONSE_SHOWN
    assert table.reader.screen.code == CODE  # this card always answers the same
    assert table.announced == [35]
    for asked in (Asked.ARQC, Asked.AAC):
        assert sent(table, asked).data[UN].hex() == "00001234"
    assert not table.card.powered


@both("NOMBRE À RECOPIER\u00a0? /  / 1 À 8\u00a0CHIFFRES", "NUMBER TO COPY? /  / 1 TO 8 DIGITS")
def test_row_23_ok_too_early(language: Language, words: str) -> None:
    """One digit will do."""
    table = table_at("respond", "ok", language=language)
    assert table.words == words
    table.press("7")
    assert not table.reader.screen.too_short
    table.press("ok")
    assert table.state() is State.AWAITING_PIN


@both("NOMBRE À RECOPIER\u00a0? / 000 / PAS ZÉRO", "NUMBER TO COPY? / 000 / NOT ZERO")
def test_row_23_zeros_are_refused(language: Language, words: str) -> None:
    """With them the card would make the code of a login."""
    table = table_at("respond", "000", "ok", language=language)
    assert table.words == words
    table.press("5")
    assert not table.reader.screen.zero
    table.press("ok", PIN, "ok")
    assert sent(table, Asked.ARQC).data[UN].hex() == "00000005"


@pytest.mark.parametrize("zeros", range(1, 9))
def test_row_23_no_number_of_zeros_will_do(zeros: int) -> None:
    """The card is not asked, and all may be cleared."""
    table = table_at("respond", "0" * zeros, "ok")
    assert table.reader.screen.zero
    table.happen(KeyHeld(Key.CORRECTION))
    assert (table.reader.screen.zero, table.reader.screen.entered) == (False, "")


def test_row_23_c_deletes_one_and_then_leads_back() -> None:
    """To the menu, when nothing is left."""
    table = table_at("respond", "12", "c")
    assert table.reader.screen.entered == "1"
    table.press("c")
    assert (table.state(), table.reader.screen.entered) == (State.AWAITING_CHALLENGE, "")
    table.press("c")
    assert table.state() is State.MENU


def test_row_5_c_leads_back_from_the_pin_to_the_challenge() -> None:
    """Which is still there, to be corrected."""
    table = table_at("respond", "1234", "ok", "9", "c", "c")
    assert (table.state(), table.reader.screen.entered) == (State.AWAITING_CHALLENGE, "1234")
    table.press("c", "5", "ok", PIN, "ok")
    assert sent(table, Asked.ARQC).data[UN].hex() == "00001235"


def test_row_5_c_leads_back_from_the_pin_to_the_menu() -> None:
    """For a code nothing was typed before."""
    assert table_at("code", "1", "c").state() is State.AWAITING_PIN
    assert table_at("code", "1", "c", "c").state() is State.MENU


# ── Rows 10 to 13: a payment, a signature ────────────────────────────────────────────────────────


@both("SIGNATURE SÉSAME", "SÉSAME SIGNATURE")
def test_rows_10_to_13_a_payment_is_signed(language: Language, words: str) -> None:
    """Amount, payee, a look at both, the PIN."""
    table = table_at("sign", language=language)
    assert table.state() is State.AWAITING_AMOUNT
    table.press("1250", ",", "5", "ok")
    assert table.state() is State.AWAITING_PAYEE
    table.press(PAYEE, "ok")
    assert table.state() is State.CONFIRMING
    assert (table.reader.screen.amount, table.reader.screen.payee) == (1250_50, PAYEE)
    assert Asked.PIN not in map(asked_by, table.card.sent)
    table.press("sign")
    assert table.state() is State.AWAITING_PIN
    table.press(PIN, "ok")
    assert table.state() is State.SIGNATURE_SHOWN
    assert table.words == words


def test_row_13_a_card_without_amounts_signs_with_tds() -> None:
    """It is asked as for a login, and the reader mixes amount and payee into the answer."""
    table = table_at("sign", "1250", ",", "50", "ok", PAYEE, "ok", "sign", PIN, "ok")
    made = Application.of(OBJECTS, Scheme.DPA).code(ARQC, SIGNED)
    assert SIGNED.mode is Mode.TDS
    assert (table.reader.screen.code or "").replace(" ", "") == made.digits
    assert table.reader.screen.code != CODE
    assert sent(table, Asked.ARQC).data == EXCHANGES[5].command.data


@pytest.mark.parametrize(("iaf", "currency"), [(0x80, "0978"), (0xA0, "0000")])
def test_row_13_a_card_with_amounts_signs_them_itself(iaf: int, currency: str) -> None:
    """Mode 1: the payee is the challenge; the currency goes where the card takes it."""
    table = table_at("sign", "1250", ",", "50", "ok", PAYEE, "ok", "sign", PIN, "ok", iaf=iaf)
    assert table.state() is State.SIGNATURE_SHOWN
    data = sent(table, Asked.ARQC).data
    assert data[:6].hex() == "000000125050"
    assert data[19:21].hex() == currency
    assert data[UN].hex() == PAYEE


@both("MONTANT\u00a0? / 0,00\u00a0€", "AMOUNT? / €0.00")
def test_row_10_an_amount_is_asked_for(language: Language, words: str) -> None:
    """In euros."""
    assert table_at("sign", language=language).words == words


@pytest.mark.parametrize(
    ("keys", "entered", "cents"),
    [
        (["1250"], "1250", 1250_00),
        (["12", ",", "5"], "12,5", 12_50),
        (["12", ",", "50"], "12,50", 12_50),
        (["12", ",", "05"], "12,05", 12_05),
        (["12", ","], "12,", 12_00),
        ([",", "01"], "0,01", 1),
        (["0", ",", "1"], "0,1", 10),
        (["007"], "7", 7_00),
        (["1", ",", "2", ",", "3"], "1,23", 1_23),
        (["1", ",", ",", "239"], "1,23", 1_23),
        (["99999999", ",", "999"], "9999999,99", 9_999_999_99),
        (["1", "code", "respond", "sign"], "1", 1_00),
    ],
)
def test_row_10_what_may_be_typed(keys: list[str], entered: str, cents: int) -> None:
    """Seven digits, one comma, two more; what does not fit is not taken."""
    table = table_at("sign", *keys)
    assert table.reader.screen.entered == entered
    table.press("ok", PAYEE, "ok")
    assert table.reader.screen.amount == cents


@both("MONTANT\u00a0? / 0,0\u00a0€ / PAS ZÉRO", "AMOUNT? / €0.0 / NOT ZERO")
def test_row_10_nothing_to_pay_is_refused(language: Language, words: str) -> None:
    """A signature of nothing would be good for anything."""
    assert table_at("sign", "ok").reader.screen.zero
    assert not table_at("sign", "ok", ",").reader.screen.zero
    table = table_at("sign", ",", "0", "ok", language=language)
    assert table.words == words
    table.press("c", "1", "ok")
    assert table.state() is State.AWAITING_PAYEE


def test_row_10_c_deletes_clears_and_leads_back() -> None:
    """The comma like a digit."""
    table = table_at("sign", "12", ",", "5")
    for left in ("12,", "12", "1"):
        table.press("c")
        assert table.reader.screen.entered == left
    table.press(",", "99")
    table.happen(KeyHeld(Key.CORRECTION))
    assert (table.state(), table.reader.screen.entered) == (State.AWAITING_AMOUNT, "")
    table.press("c")
    assert table.state() is State.MENU


@both(
    "BÉNÉFICIAIRE\u00a0? / 3456 / 8\u00a0DERNIERS CHIFFRES",
    "PAYEE? / 3456 / LAST 8 DIGITS",
)
def test_row_11_the_payee_is_asked_for(language: Language, words: str) -> None:
    """The end of the account: eight digits, not one less and not one more."""
    table = table_at("sign", "1", "ok", "3456", language=language)
    assert table.words == words
    table.press("78901")
    assert table.reader.screen.entered == PAYEE
    table.press("ok")
    assert table.reader.screen.payee == PAYEE


@both(
    "BÉNÉFICIAIRE\u00a0? / 3456789 / IL FAUT 8\u00a0CHIFFRES", "PAYEE? / 3456789 / 8 DIGITS NEEDED"
)
def test_row_11_a_digit_is_missing(language: Language, words: str) -> None:
    """Told on the screen."""
    table = table_at("sign", "1", "ok", "3456789", "ok", language=language)
    assert table.words == words
    table.press("0")
    assert not table.reader.screen.too_short


@both("BÉNÉFICIAIRE\u00a0? / 00000000 / PAS ZÉRO", "PAYEE? / 00000000 / NOT ZERO")
def test_row_11_zeros_are_nobody(language: Language, words: str) -> None:
    """They would be no payee to the card."""
    assert table_at("sign", "1", "ok", "0" * 8, "ok", language=language).words == words


def test_row_11_c_leads_back_to_the_amount() -> None:
    """Which is still there, and so is the payee afterwards."""
    table = table_at("sign", "1250", "ok", "3", "c", "c")
    assert (table.state(), table.reader.screen.entered) == (State.AWAITING_AMOUNT, "1250")


@both(
    "1\u202f250,50\u00a0€ / → 3456 7890 / SIGNER POUR VALIDER",
    "€1,250.50 / → 3456 7890 / SIGN TO CONFIRM",
)
def test_row_12_what_you_see_is_what_you_sign(language: Language, words: str) -> None:
    """In full, before the PIN. OK pressed twice after the payee signs nothing."""
    table = table_at("sign", "1250", ",", "5", "ok", PAYEE, "ok", language=language)
    assert table.words == words
    table.press("1", ",", "ok", "ok", "code", "respond")
    assert table.words == words


def test_row_12_c_leads_back_to_the_amount() -> None:
    """What is corrected there is what is signed."""
    table = table_at("sign", "1250", "ok", PAYEE, "ok", "c")
    assert (table.state(), table.reader.screen.entered) == (State.AWAITING_AMOUNT, "1250")
    table.press("c", "1", "ok")
    assert (table.state(), table.reader.screen.entered) == (State.AWAITING_PAYEE, PAYEE)
    table.press("ok")
    assert (table.reader.screen.amount, table.reader.screen.payee) == (1251_00, PAYEE)


def test_row_12_c_leads_back_from_the_pin() -> None:
    """And from the warning before it, to what is to be signed."""
    table = table_at("sign", "1", "ok", PAYEE, "ok", "sign", "c")
    assert (table.state(), table.reader.screen.payee) == (State.CONFIRMING, PAYEE)
    table = Table()
    table.card.answers[Asked.TRIES] = tries(1)
    table.insert()
    table.press("sign", "1", "ok", PAYEE, "ok", "sign")
    assert table.state() is State.LAST_TRY
    table.press("c")
    assert table.state() is State.CONFIRMING
    table.press("sign", "ok", PIN, "ok")
    assert table.state() is State.SIGNATURE_SHOWN


@pytest.mark.parametrize(
    ("keys", "kept"),
    [
        (["respond", "123456789"], "12345678"),
        (["sign", "12", ",", "599"], "12,59"),
        (["sign", "12", ",", ","], "12,"),
        (["sign", "12345678"], "1234567"),
        (["sign", "1", "ok", "123456789"], "12345678"),
    ],
)
def test_what_is_too_long_is_said(keys: list[str], kept: str) -> None:
    """Nobody believes that the end of a long number was taken."""
    table = table_at(*keys)
    assert table.reader.screen.entered == kept
    assert table.words.endswith("TROP LONG")
    table.press("c")
    assert "TROP LONG" not in table.words


def test_row_8_a_wrong_pin_does_not_change_what_is_signed() -> None:
    """OK goes on with it; C leads to the menu and forgets it."""
    table = table_at("sign", "1250", ",", "5", "ok", PAYEE, "ok", "sign")
    table.card.answers[Asked.PIN] = Response(0x63C2)
    table.press(PIN, "ok", "ok")
    table.card.answers[Asked.PIN] = Response(0x9000)
    table.press(PIN, "ok")
    made = Application.of(OBJECTS, Scheme.DPA).code(ARQC, SIGNED)
    assert (table.reader.screen.code or "").replace(" ", "") == made.digits
    table = table_at("respond", "1234", "ok")
    table.card.answers[Asked.PIN] = Response(0x63C2)
    table.press(PIN, "ok", "c")
    assert table.state() is State.MENU
    table.card.answers[Asked.PIN] = Response(0x9000)
    table.press("code", PIN, "ok")
    assert table.state() is State.CODE_SHOWN
    assert sent(table, Asked.ARQC).data == EXCHANGES[5].command.data


@pytest.mark.parametrize(
    "keys",
    [
        ["respond", "1234"],
        ["sign", "1250"],
        ["sign", "1250", "ok", "3456"],
        ["sign", "1250", "ok", PAYEE, "ok"],
    ],
)
def test_row_19_the_card_is_taken_out(keys: list[str]) -> None:
    """Nothing of what was typed is left."""
    table = table_at(*keys)
    table.remove()
    assert table.state() is State.CARD_REMOVED
    table.insert()
    table.press(keys[0])
    assert table.reader.screen.entered == ""


# ── What a program asks for ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("inputs", "state"),
    [
        (LOGIN, State.CODE_SHOWN),
        (Inputs(mode=Mode.M3, challenge="1234"), State.RESPONSE_SHOWN),
        (Inputs(mode=Mode.M1, challenge=PAYEE, amount=1), State.SIGNATURE_SHOWN),
        (SIGNED, State.SIGNATURE_SHOWN),
    ],
)
def test_a_program_chooses_without_the_keys(inputs: Inputs, state: State) -> None:
    """The PIN is typed as ever, and the code is shown as what it is."""
    table = table_at()
    table.happen(FunctionChosen(inputs))
    assert table.state() is State.AWAITING_PIN
    table.press(PIN, "ok")
    assert table.state() is state
    assert make_code(CardStub(), Pin(PIN), inputs=inputs) == Application.of(
        OBJECTS, Scheme.DPA
    ).code(ARQC, inputs)


def test_a_program_chooses_in_the_menu_only() -> None:
    """Elsewhere it is not heard, nor where a person is typing; C leads back to the menu."""
    table = table_at("respond", "1")
    table.happen(FunctionChosen(SIGNED))
    assert table.state() is State.AWAITING_CHALLENGE
    table = table_at()
    table.happen(FunctionChosen(SIGNED))
    table.press("c")
    assert table.state() is State.MENU


# ── What it forgets ──────────────────────────────────────────────────────────────────────────────


def test_what_was_typed_goes_when_it_is_not_needed_any_more() -> None:
    """With the code it is gone; the code itself is all that is left."""
    table = table_at("sign", "7654321", "ok", "91827364", "ok", "sign", PIN)
    assert b"7654321" in pickle.dumps(vars(table.reader))
    table.press("ok")
    assert table.state() in SHOWN
    memory = pickle.dumps(vars(table.reader))
    assert not any(secret in memory for secret in (b"7654321", b"91827364", PIN.encode()))


def test_the_menu_begins_anew() -> None:
    """A payment that was left half way is not found by the next who signs."""
    table = table_at("sign", "1250", "ok", "3456")
    table.happen(KeyHeld(Key.CORRECTION))
    table.press("c")
    table.happen(KeyHeld(Key.CORRECTION))
    table.press("c")
    assert table.state() is State.MENU
    table.press("sign")
    assert table.reader.screen.entered == ""


keys_of_sign = st.lists(st.sampled_from([*map(str, range(10)), ",", "c", "ok"]), max_size=12)


@given(amount=keys_of_sign, payee=keys_of_sign)
def test_whatever_is_typed_only_whole_payments_come_to_the_pin(
    amount: list[str], payee: list[str]
) -> None:
    """An amount from one cent to 9 999 999,99 and eight digits, as the screen has shown them."""
    table = table_at("sign", *amount, "ok", *payee, "ok")
    if table.state() is State.CONFIRMING:
        screen = table.reader.screen
        assert 1 <= screen.amount <= 999_999_999
        assert len(screen.payee) == 8
        assert int(screen.payee)
        table.press("sign")
        assert vars(table.reader)["_inputs"] == signature(
            Iaf(0), amount=screen.amount, payee=screen.payee, currency="978"
        )


def test_tags_of_the_recorded_card() -> None:
    """Its CDOL ends with the UN, and its IAF takes no amounts: what the above rests on."""
    assert OBJECTS[Tag.CDOL1].endswith(bytes.fromhex("9F3704"))
    assert OBJECTS[Tag.IAF] == b"\x00"
