"""Application Interchange Profile (82): what an application supports, two bytes.

EMV 4.4 Book 3, Annex C1.
"""

from enum import IntFlag, unique


@unique
class Aip(IntFlag):
    """Both bytes as one number, first byte highest; all other bits are reserved."""

    XDA = 0x8000  # Extended Data Authentication
    SDA = 0x4000  # Static Data Authentication
    DDA = 0x2000  # Dynamic Data Authentication
    CARDHOLDER_VERIFICATION = 0x1000
    TERMINAL_RISK_MANAGEMENT = 0x0800  # to be performed
    ISSUER_AUTHENTICATION = 0x0400
    CDA = 0x0100  # Combined DDA and cryptogram
