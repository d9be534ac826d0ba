"""The data objects that EMV-CAP touches: number, name and format.

EMV 4.4 Book 3, Annex A. This is the only file with tag numbers.
"""

from enum import Enum, IntEnum, unique
from typing import Self


@unique
class Format(Enum):
    """How a value is padded and cut, EMV 4.4 Book 3, 4.3 and 5.4."""

    N = "numeric"  # BCD, right-justified, leading zeros
    CN = "compressed numeric"  # BCD, left-justified, trailing F
    B = "binary"
    ANS = "alphanumeric"
    TEMPLATE = "constructed"


@unique
class Tag(IntEnum):
    """A tag as the number that its bytes spell, first byte highest."""

    format: Format

    def __new__(cls, number: int, form: Format) -> Self:
        """A tag is its number; the format goes with it."""
        tag = int.__new__(cls, number)
        tag._value_ = number
        tag.format = form
        return tag

    AID = 0x4F, Format.B  # in a directory entry, 5 to 16 bytes
    APPLICATION_LABEL = 0x50, Format.ANS  # 1 to 16 bytes
    TRACK_1_DATA = 0x56, Format.ANS  # of contactless cards, up to 76 bytes
    TRACK_2 = 0x57, Format.B  # equivalent data, up to 19 bytes: number, expiry and more
    PAN = 0x5A, Format.CN  # up to 10 bytes
    APPLICATION_TEMPLATE = 0x61, Format.TEMPLATE
    FCI_TEMPLATE = 0x6F, Format.TEMPLATE
    RECORD_TEMPLATE = 0x70, Format.TEMPLATE
    RESPONSE_FORMAT_2 = 0x77, Format.TEMPLATE
    RESPONSE_FORMAT_1 = 0x80, Format.B
    AIP = 0x82, Format.B  # 2 bytes
    COMMAND_TEMPLATE = 0x83, Format.B
    DF_NAME = 0x84, Format.B  # 5 to 16 bytes
    APPLICATION_PRIORITY = 0x87, Format.B  # 1 byte
    SFI = 0x88, Format.B  # of the directory, 1 byte
    ARC = 0x8A, Format.ANS  # Authorisation Response Code, 2 bytes
    CDOL1 = 0x8C, Format.B
    CDOL2 = 0x8D, Format.B
    CVM_LIST = 0x8E, Format.B
    ISSUER_AUTHENTICATION = 0x91, Format.B  # 8 to 16 bytes
    SIGNED_STATIC_DATA = 0x93, Format.B
    AFL = 0x94, Format.B  # 4 bytes an entry
    TVR = 0x95, Format.B  # 5 bytes
    TRANSACTION_DATE = 0x9A, Format.N  # YYMMDD, 3 bytes
    TRANSACTION_TYPE = 0x9C, Format.N  # 1 byte
    FCI_PROPRIETARY = 0xA5, Format.TEMPLATE
    CARDHOLDER_NAME = 0x5F20, Format.ANS  # 2 to 26 bytes
    EXPIRY_DATE = 0x5F24, Format.N  # YYMMDD, 3 bytes
    EFFECTIVE_DATE = 0x5F25, Format.N  # YYMMDD, 3 bytes
    ISSUER_COUNTRY = 0x5F28, Format.N  # 2 bytes
    TRANSACTION_CURRENCY = 0x5F2A, Format.N  # 2 bytes
    CARDHOLDER_NATIONALITY = 0x5F2C, Format.N  # 2 bytes
    LANGUAGE_PREFERENCE = 0x5F2D, Format.ANS  # two letters a language, 2 to 8 bytes
    PSN = 0x5F34, Format.N  # 1 byte
    IBAN = 0x5F53, Format.B  # up to 34 bytes
    AMOUNT_AUTHORISED = 0x9F02, Format.N  # minor units, 6 bytes
    AMOUNT_OTHER = 0x9F03, Format.N  # 6 bytes
    APPLICATION_VERSION = 0x9F08, Format.B  # 2 bytes
    EXTENDED_NAME = 0x9F0B, Format.ANS  # of the cardholder, 27 to 45 bytes
    IAD = 0x9F10, Format.B  # up to 32 bytes
    PREFERRED_NAME = 0x9F12, Format.ANS  # of the application, 1 to 16 bytes
    LAST_ONLINE_ATC = 0x9F13, Format.B  # 2 bytes
    MERCHANT_CATEGORY = 0x9F15, Format.N  # 2 bytes
    PIN_TRY_COUNTER = 0x9F17, Format.B  # tries left, 1 byte
    TERMINAL_COUNTRY = 0x9F1A, Format.N  # 2 bytes
    TRACK_1_DISCRETIONARY = 0x9F1F, Format.ANS
    TRACK_2_DISCRETIONARY = 0x9F20, Format.CN
    AC = 0x9F26, Format.B  # Application Cryptogram, 8 bytes
    CID = 0x9F27, Format.B  # 1 byte
    ICC_PIN_KEY_CERTIFICATE = 0x9F2D, Format.B
    TERMINAL_CAPABILITIES = 0x9F33, Format.B  # 3 bytes
    CVM_RESULTS = 0x9F34, Format.B  # 3 bytes
    TERMINAL_TYPE = 0x9F35, Format.N  # 1 byte
    ATC = 0x9F36, Format.B  # Application Transaction Counter, 2 bytes
    UN = 0x9F37, Format.B  # Unpredictable Number, 4 bytes
    PDOL = 0x9F38, Format.B
    ADDITIONAL_CAPABILITIES = 0x9F40, Format.B  # of the terminal, 5 bytes
    DATA_AUTHENTICATION_CODE = 0x9F45, Format.B  # 2 bytes
    ICC_PUBLIC_KEY_CERTIFICATE = 0x9F46, Format.B
    ICC_DYNAMIC_NUMBER = 0x9F4C, Format.B  # 2 to 8 bytes
    IAF = 0x9F55, Format.B  # 1 byte; in Visa payment applications: geographic indicator
    IPB = 0x9F56, Format.B  # 11 to 21 bytes seen
    TRACK_2_DATA = 0x9F6B, Format.B  # of contactless cards, up to 19 bytes
    FCI_DISCRETIONARY = 0xBF0C, Format.TEMPLATE
    BELGIAN_ISSUER = 0xDF07, Format.ANS  # of Belgian cards, begins BKS056


def format_of(number: int) -> Format:
    """The format of tag *number*; what we do not know is handled as binary."""
    return _FORMATS.get(number, Format.B)


_FORMATS = {int(tag): tag.format for tag in Tag}
