"""The root of everything that Sésame raises on purpose."""


class SesameError(Exception):
    """Something that we foresaw: the message says what, where and what to do next."""


class Worded(SesameError):
    """The message is for whoever is at the keyboard, in their language already."""
