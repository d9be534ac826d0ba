"""What the EMV Books say: bytes in, bytes out. No file, no clock, no chance.

The edition cited throughout is EMV 4.4 (October 2022), Books 1 to 4.
"""

# Modules, not names out of them: `from sesame.emv.keys import DesKey` says where a thing lives.
__all__ = [
    "aip",
    "apdu",
    "arpc",
    "atr",
    "cryptogram",
    "cryptogram_version",
    "dol",
    "errors",
    "iad",
    "keys",
    "pan",
    "pin",
    "scripts",
    "tags",
    "tlv",
]
