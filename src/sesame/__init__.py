"""Strong customer authentication with the chip card that a bank's customer already holds."""

__version__ = "0.1.0"
